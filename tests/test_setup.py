"""Set-up, run against a stand-in interpreter that only writes down what it is asked; and what it made here."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from graph.settings import Settings

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
INSTALLED = {canonicalize_name(dist.name): dist.version for dist in distributions()}
TARGETS = ("demo", "serve", "test", "check", "fix", "bench", "train")

# Takes the place of python: makes a venv of itself, notes installs, and fails, hangs or is old on demand.
STAND_IN = """#!/usr/bin/env bash
home=$(dirname "$JOURNAL")
case "$1 $2 $3" in
  "-c import sys;"*) [ ! -e "$home/old" ] ;;
  "--version"*) echo "Python 3.9.2" ;;
  "-m venv"*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; echo "venv" >>"$JOURNAL" ;;
  "-m pip config") echo "/wheels of mine" ;;
  "-m pip install"*|"-m uv pip")
    echo "${*:2} [$UV_FIND_LINKS]" >>"$JOURNAL"
    [ ! -e "$home/slow" ] || sleep 0.3
    [ ! -e "$home/broken-$2" ] ;;
  *) exec "$REAL_PYTHON" "$@" ;;
esac
"""


class Clone:
    """A fresh clone, in a folder with a space in its name, on a machine with the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "with space" / "clone"
        self.folder.mkdir(parents=True)
        for name in ("setup.sh", "pyproject.toml", "constraints.txt", "Makefile", "artisan"):
            shutil.copy(ROOT / name, self.folder)
        self.machine = folder / "machine"
        self.machine.mkdir()
        (self.machine / "python3").write_text(STAND_IN)
        (self.machine / "python3").chmod(0o755)
        self.journal = self.machine / "journal"
        self.environment = {
            "PATH": f"{self.machine}:{os.environ['PATH']}",
            "JOURNAL": str(self.journal),
            "REAL_PYTHON": sys.executable,
        }

    def start(self, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", self.folder / "setup.sh"],
            cwd="/",
            env={**self.environment, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def set_up(self, **environment: str) -> tuple[int, str]:
        """Exit code and what was said."""
        with self.start(**environment) as process:
            said = process.communicate(timeout=60)[0]
        return process.returncode, said

    def did(self) -> list[str]:
        """What was made and installed since the last look."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        self.journal.write_text("")
        return lines

    def meets(self, fate: str) -> None:
        (self.machine / fate).touch()

    def recovers_from(self, fate: str) -> None:
        (self.machine / fate).unlink()


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_the_second_run_does_nothing(clone: Clone) -> None:
    code, said = clone.set_up()
    assert code == 0, said
    venv, uv, torch, rest = clone.did()
    assert venv == "venv"
    assert "uv" in uv.split()
    assert re.search(r"torch==[\d.]+\+cpu|torch==[\d.]+ ", torch)
    assert "-r pyproject.toml --extra dev" in rest
    assert all("-c constraints.txt" in line for line in (uv, torch, rest))
    assert "[/wheels,of,mine]" in torch, "uv is told of pip's own folders of wheels"
    assert clone.set_up() == (0, "")
    assert clone.did() == []


def test_changed_requirements_are_installed_into_the_same_venv(clone: Clone) -> None:
    clone.set_up()
    clone.did()
    with (clone.folder / "constraints.txt").open("a") as constraints:
        constraints.write("another==1.0\n")
    assert clone.set_up()[0] == 0
    assert "venv" not in clone.did()
    assert clone.set_up() == (0, "")


@pytest.mark.parametrize("lost", ["killed", "venv half made"])
def test_an_interrupted_set_up_starts_over(clone: Clone, lost: str) -> None:
    if lost == "killed":
        clone.meets("slow")
        process = clone.start()
        while not clone.journal.exists() or "torch" not in clone.journal.read_text():
            assert process.poll() is None
        process.kill()
        process.communicate()
        clone.recovers_from("slow")
    else:
        (clone.folder / ".venv" / "bin").mkdir(parents=True)
    clone.did()
    assert clone.set_up()[0] == 0
    assert clone.did()[0] == "venv"
    assert clone.set_up() == (0, "")


def test_a_failed_install_is_tried_again(clone: Clone) -> None:
    clone.meets("broken-uv")
    clone.meets("broken-pip")
    code, said = clone.set_up()
    assert code == 1
    assert "again" in said
    clone.recovers_from("broken-uv")
    clone.recovers_from("broken-pip")
    clone.did()
    assert clone.set_up()[0] == 0
    assert len(clone.did()) == 4


def test_pip_stands_in_for_uv(clone: Clone) -> None:
    clone.meets("broken-uv")
    assert clone.set_up()[0] == 0
    assert "-r constraints.txt" in clone.did()[-1]
    assert clone.set_up() == (0, "")


def test_the_choice_of_torch_is_remembered(clone: Clone) -> None:
    clone.set_up()
    clone.did()
    assert clone.set_up(TORCH="auto")[0] == 0
    remade = clone.did()
    assert remade[0] == "venv", "one torch is not installed over another"
    assert not any("+cpu" in line for line in remade)
    assert clone.set_up() == (0, "")
    assert clone.set_up(TORCH="cpu")[0] == 0
    code, said = clone.set_up(TORCH="rocm")
    assert code == 1
    assert "rocm" in said


def test_two_first_runs_take_turns(clone: Clone) -> None:
    clone.meets("slow")
    runs = [clone.start(), clone.start()]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert clone.did().count("venv") == 1
    assert sum("waiting for another one" in words for words in said) == 1


def test_an_old_python_is_named(clone: Clone) -> None:
    for name in ("python3.11", "python3.12", "python3.13"):
        shutil.copy(clone.machine / "python3", clone.machine / name)
    clone.meets("old")
    code, said = clone.set_up()
    assert code == 1
    assert "3.11 or newer" in said
    assert "Python 3.9.2" in said
    assert clone.did() == []


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_sets_up_first(clone: Clone, target: str) -> None:
    """From another directory, with a space in the path."""
    plan = subprocess.run(
        ["make", "-n", "-C", clone.folder, target], text=True, capture_output=True, check=True
    )
    first, second, *_ = [line for line in plan.stdout.splitlines() if line.startswith("cd ")]
    assert first == f'cd "{clone.folder}" && bash setup.sh'
    assert second.startswith(f'cd "{clone.folder}" && ')


def test_the_launcher_runs_from_any_folder_and_trusts_none(clone: Clone, tmp_path: Path) -> None:
    """A `server` package in the caller's folder is not ours; arguments arrive whole."""
    (clone.folder / "setup.sh").write_text("exit 0\n")
    (clone.folder / ".venv" / "bin").mkdir(parents=True)
    (clone.folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    say = "import json, os, sys; print(json.dumps([{0!r}, os.getcwd(), *sys.argv[1:]]))"
    here = tmp_path / "elsewhere"
    for folder, name in ((clone.folder, "ours"), (here, "a stranger's")):
        (folder / "server").mkdir(parents=True)
        (folder / "server" / "__init__.py").touch()
        (folder / "server" / "__main__.py").write_text(say.format(name))
    link = tmp_path / "link to artisan"
    link.symlink_to(clone.folder / "artisan")
    for launcher in (clone.folder / "artisan", link):
        line = [str(launcher), "render", "my sketch.png", "*"]
        said = subprocess.run(line, cwd=here, text=True, capture_output=True, check=True).stdout
        assert json.loads(said) == ["ours", str(here), "render", "my sketch.png", "*"]


def test_constraints_are_versions_and_nothing_else() -> None:
    lines = CONSTRAINTS.splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert lines == sorted(lines, key=lambda line: line.split("=="))


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    pins = dict(line.split("==") for line in CONSTRAINTS.splitlines())
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, wanted):
        pin = pins[canonicalize_name(requirement.name)]
        assert Version(pin) in requirement.specifier, f"{requirement} is pinned to {pin}"


def test_what_is_installed_is_what_is_pinned() -> None:
    for line in CONSTRAINTS.splitlines():
        name, pin = line.split("==")
        installed = INSTALLED.get(canonicalize_name(name), pin)  # some are for other platforms
        assert Version(installed).public == pin, f"{name}: run setup.sh"


def test_nothing_brought_in_torchvision_or_cuda() -> None:
    assert canonicalize_name("torchvision") not in INSTALLED
    if "+cpu" in INSTALLED[canonicalize_name("torch")]:
        assert not [name for name in INSTALLED if name.startswith(("nvidia-", "triton"))]


@pytest.mark.parametrize("module", ["server.cli", "server.app", "graph.build"])
def test_heavy_libraries_wait_until_they_are_needed(module: str) -> None:
    heavy = {"torch", "diffusers", "transformers", "chromadb", "onnxruntime"}
    if module == "server.cli":
        heavy |= {"fastapi", "langgraph", "pydantic", "numpy", "PIL", "rich", "httpx2"}
    code = f"import sys, {module}; print(*({heavy} & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert run.stdout.split() == []


def test_the_example_of_settings_shows_every_default(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"ARTISAN_{name.upper()}" for name in Settings.model_fields}
    for name in {*names, "OPENAI_API_KEY"}:
        monkeypatch.delenv(name, raising=False)
    example = ROOT / ".env.example"
    assert set(re.findall(r"^(ARTISAN_\w+)=", example.read_text(), re.MULTILINE)) == names
    assert Settings(_env_file=example) == Settings(_env_file=None)
