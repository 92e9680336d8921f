"""The MCP example runs as it is printed."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from live_server import LiveStudio, png, serving
from PIL import Image

from graph.context import Context


def example(studio: LiveStudio, sketch: Path, words: str, out: Path) -> str:
    url = str(studio.http.base_url.copy_with(path="/mcp"))
    command = [sys.executable, str(ROOT / "examples" / "mcp_client.py"), str(sketch), words]
    done = subprocess.run(
        [*command, str(out), "--url", url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [("gold lobby luxury", "saved"), ("gold", "which style? taking Deco because you said gold")],
)
def test_the_example_paints(context: Context, tmp_path: Path, words: str, said: str) -> None:
    sketch, out = tmp_path / "sketch.png", tmp_path / "picture.png"
    sketch.write_bytes(png())
    with serving(context) as studio:
        lines = example(studio, sketch, words, out)
    assert said in lines
    assert "the studio can render" in lines
    assert "step 6 of 6" in lines
    with Image.open(out) as picture:
        assert (picture.format, picture.size) == ("PNG", (96, 64))
