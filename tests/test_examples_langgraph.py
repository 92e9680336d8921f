"""The example of the LangGraph SDK does what it says."""

import subprocess
import sys
from pathlib import Path

from conftest import ROOT
from live_server import png, serving
from PIL import Image

from graph.context import Context


def test_two_turns_with_a_question(context: Context, tmp_path: Path) -> None:
    drawing = tmp_path / "sketch.png"
    drawing.write_bytes(png())
    with serving(context) as studio:
        done = subprocess.run(
            [
                sys.executable,
                ROOT / "examples" / "langgraph_client.py",
                drawing,
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
    assert "step 6 of 6" in done.stdout
    assert "The thread has 4 messages" in done.stdout
    for turn in (1, 2):
        with Image.open(tmp_path / f"langgraph-{turn}.png") as picture:
            assert picture.size == (96, 64)
