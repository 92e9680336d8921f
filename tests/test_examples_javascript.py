"""The example of LangGraph's JavaScript SDK does what it says, under Node with the pinned packages."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from live_server import png, serving
from PIL import Image

from graph.context import Context

EXAMPLE = ROOT / "examples" / "javascript"


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config) -> str:
    """Node, with the example and its packages in pytest's cache; the lock file says which, to the last byte."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm are not installed")
    folder = place(pytestconfig)
    lock = (EXAMPLE / "package-lock.json").read_bytes()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock:
        shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
        got = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--fetch-retries=1"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        if "ENOTFOUND" in got.stderr or "EAI_AGAIN" in got.stderr:
            pytest.skip("npm finds no packages: there is no network")
        assert got.returncode == 0, got.stderr
        installed.write_bytes(lock)
    return node


def place(config: pytest.Config) -> Path:
    assert config.cache is not None
    return Path(config.cache.mkdir("javascript"))


def test_two_turns_with_a_question(
    node: str, pytestconfig: pytest.Config, context: Context, tmp_path: Path
) -> None:
    """The first turn by a run's stream, the second one by the thread's."""
    drawing = tmp_path / "sketch.png"
    drawing.write_bytes(png())
    script = place(pytestconfig) / "chat.js"
    shutil.copy(EXAMPLE / "chat.js", script)
    with serving(context) as studio:
        done = subprocess.run(
            [
                *(node, script, drawing),
                *("--url", str(studio.http.base_url)),
                *("--message", "a city with ink"),
            ],
            cwd=tmp_path,
            env={"PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "Which style? ink (you said ink)" in done.stdout
    assert done.stdout.count("step 6 of 6") == 2
    assert "The thread has 4 messages" in done.stdout
    for turn in (1, 2):
        with Image.open(tmp_path / f"javascript-{turn}.png") as picture:
            assert picture.size == (96, 64)
