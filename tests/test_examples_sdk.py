"""The examples of LangGraph's SDKs do what they say: in Python, and under Node with the pinned packages."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from live_server import png, serving
from PIL import Image

from graph.context import Context

EXAMPLES = ROOT / "examples"
JAVASCRIPT = EXAMPLES / "javascript"


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config) -> str:
    """Node, with the example and its packages in pytest's cache; the lock file says which, to the last byte."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm are not installed")
    folder = place(pytestconfig)
    lock = (JAVASCRIPT / "package-lock.json").read_bytes()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock:
        shutil.copytree(JAVASCRIPT, folder, dirs_exist_ok=True)
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


def two_turns(context: Context, tmp_path: Path, *example: str | Path) -> str:
    """What an example prints that talks with a studio until a question and one picture more are behind it."""
    drawing = tmp_path / "sketch.png"
    drawing.write_bytes(png())
    with serving(context) as studio:
        done = subprocess.run(
            [
                *(*example, drawing),
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
    assert "The thread has 4 messages" in done.stdout
    for path in sorted(tmp_path.glob("*-[12].png")):
        with Image.open(path) as picture:
            assert picture.size == (96, 64)
    return done.stdout


def test_python(context: Context, tmp_path: Path) -> None:
    said = two_turns(context, tmp_path, sys.executable, EXAMPLES / "langgraph_client.py")
    assert "step 6 of 6" in said
    assert {path.name for path in tmp_path.glob("*.png")} > {"langgraph-1.png", "langgraph-2.png"}


def test_javascript(
    node: str, pytestconfig: pytest.Config, context: Context, tmp_path: Path
) -> None:
    """The first turn by a run's stream, the second one by the thread's."""
    script = place(pytestconfig) / "chat.js"
    shutil.copy(JAVASCRIPT / "chat.js", script)
    said = two_turns(context, tmp_path, node, script)
    assert said.count("step 6 of 6") == 2
    assert {path.name for path in tmp_path.glob("*.png")} > {"javascript-1.png", "javascript-2.png"}
