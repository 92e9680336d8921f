"""`./artisan models`: what is printed, what is written down, and when the gate says no."""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_models import edit, write_models

from evals.promotion import Verdict
from graph.settings import Settings
from server import cli
from tools.registry import Registry

Command = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Place:
    """Where a person works."""

    models: Path
    registry: Registry

    def changed(self, old: str, new: str, file: str = "profiles.toml") -> Path:
        """A copy of the models with a word changed."""
        copy = shutil.copytree(self.models, self.models.with_name(f"copy-{new}"))
        edit(copy / file, old, new)
        return copy


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    models = write_models(tmp_path / "models")
    monkeypatch.setenv("ARTISAN_MODELS_DIR", str(models))
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(tmp_path / "var"))
    return Place(models, Registry(tmp_path / "var" / "registry", models))


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command without a terminal; answers exit code, output, complaints."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["artisan", "models", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(stopped.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Path]]:
    """A gate that is asked, and lets only steps = 7 pass; the real one takes minutes (tests/test_evals_gate)."""
    asked: list[tuple[Path, Path]] = []

    def judge(settings: Settings, candidate: Path, production: Path) -> Verdict:
        asked.append((candidate, production))
        passed = "steps = 7" in (candidate / "profiles.toml").read_text()
        detail: Mapping[str, object] = {"conditions": 3}
        return Verdict(passed, f"the gate says {passed}", "run-1", detail)

    monkeypatch.setattr("evals.promotion.judge_version", judge)
    return asked


def registered(said: tuple[int, str, str]) -> str:
    code, out, err = said
    assert (code, err) == (0, "")
    return out.split()[-1]


def test_only_what_is_new_is_registered(models: Command, place: Place) -> None:
    copy = place.changed("summer light", "high summer light", "prompts.toml")
    name = registered(models("register", copy, "--note", "warmer"))
    assert name.startswith("prompts@")
    assert [v.name for v in place.registry.versions()] == [name]
    assert registered(models("register", copy / "prompts.toml")) == name
    assert registered(models("register", copy / "starter")).startswith("prompts@")
    assert registered(models("register", copy, "--kind", "pack")).startswith("starter@")
    code, _, err = models("register", place.models)
    assert (code, "nothing new" in err) == (2, True)
    code, _, err = models("register", place.models.parent)
    assert (code, "no folder of models" in err) == (2, True)


def test_the_gate_decides_over_production(
    models: Command, place: Place, gate: list[tuple[Path, Path]]
) -> None:
    worse = registered(models("register", place.changed("steps = 20", "steps = 3")))
    better = registered(models("register", place.changed("steps = 20", "steps = 7")))
    code, out, _ = models("promote", worse)
    assert (code, out) == (1, "the gate says False\n")
    assert place.registry.aliases()["pack"] == {}
    assert place.registry.log()[-1].action == "refuse"
    assert place.registry.log()[-1].detail == {"conditions": 3, "run": "run-1"}
    code, out, _ = models("promote", better[8:14])
    assert (code, out) == (0, f"the gate says True\n{better} is production\n")
    assert gate[1] == (place.registry.folder_of(place.registry.production()), place.models)
    assert place.registry.get(better).eval_run == "run-1"
    assert models("promote", better)[0] == 2
    assert models("promote", worse, "staging")[0] == 0
    assert len(gate) == 2, "staging needs no gate"
    assert place.registry.aliases()["pack"]["staging"] == worse
    assert models("unstage", "pack")[0] == 0


def test_force_needs_a_reason_and_stays_in_the_log(
    models: Command, place: Place, gate: list[tuple[Path, Path]]
) -> None:
    worse = registered(models("register", place.changed("steps = 20", "steps = 3")))
    code, _, err = models("promote", worse, "--force")
    assert (code, "--reason" in err, gate) == (2, True, [])
    assert models("promote", worse, "--force", "--reason", "a fair tomorrow")[0] == 0
    last = place.registry.log()[-1]
    assert (last.forced, last.reason, last.version) == (True, "a fair tomorrow", worse)
    assert "forced: a fair tomorrow" in models("log")[1]
    code, out, _ = models("rollback", "--reason", "the fair is over")
    assert (code, out) == (0, "shipped is production of pack\n")
    assert place.registry.log()[-1].reason == "the fair is over"
    assert models("rollback", "packs")[0] == 2
    assert models("rollback", "prompts")[0] == 2


def test_what_there_is_can_be_looked_at(models: Command, place: Place) -> None:
    name = registered(models("register", place.changed("steps = 20", "steps = 3")))
    models("promote", name, "--force", "--reason", "a try")
    rows = [line.split("\t") for line in models("list")[1].splitlines()]
    assert rows[0][:3] == [name, "pack", "production"]
    assert [row[2] for row in rows[1:]] == ["previous", "production", "production"]
    shown = models("show", name)[1]
    assert "starter/README.md" in shown
    assert "a try" in shown
    assert "starter.steps 20 -> 3" in models("diff", "shipped", name)[1]
    assert models("diff", "production", name)[1] == "no difference\n"
    code, _, err = models("show", "starter@nowhere")
    assert (code, name in err) == (2, True)
