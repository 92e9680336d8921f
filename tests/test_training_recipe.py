"""The whole recipe at a tiny size: killed, taken up again, and its pack rendered from."""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from live_server import until
from PIL import Image

from tools.diffusion import open_engine
from tools.imaging import ImageRequest, StyleMix
from tools.profiles import load_profiles

ROOT = Path(__file__).parents[1]
MINUTES, EXAMPLES = 0.25, 20


def start(folder: Path) -> subprocess.Popen[str]:
    """The recipe in a process of its own, its pack beside its run."""
    command = ["-m", "training.train", "--minutes", str(MINUTES), "--examples", str(EXAMPLES)]
    places = ["--out", str(folder / "run"), "--pack", str(folder / "models/starter")]
    return subprocess.Popen(
        [sys.executable, *command, *places],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def died_or_wrote(process: subprocess.Popen[str], file: Path) -> bool:
    return file.exists() or process.poll() is not None


@pytest.mark.timeout(300)
def test_a_killed_training_goes_on_and_its_pack_renders(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models/starter/text", tmp_path / "models/starter/text")
    vae = tmp_path / "run/vae/config.json"
    for half_written in (vae, tmp_path / "run/image_encoder/config.json"):
        killed = start(tmp_path)
        until(partial(died_or_wrote, killed, half_written), patience_s=240)
        assert killed.poll() is None, killed.communicate()[0]
        killed.kill()
        killed.communicate()

    last = start(tmp_path)
    said, _ = last.communicate()
    assert last.returncode == 0, said
    assert "vae:" not in said.split("style:")[0]
    with Image.open(tmp_path / "run/losses.png") as plot:
        assert plot.width > 0

    profile = load_profiles(ROOT / "models/profiles.toml")["starter"]
    engine = open_engine(profile, tmp_path / "models")
    look = engine.embed_style(Image.new("RGB", (64, 64), "teal"))
    request = ImageRequest(
        prompt="a house",
        seed=1,
        width=64,
        height=64,
        steps=2,
        guidance_scale=1.0,
        edges=Image.new("L", (64, 64)),
        control_scale=1.0,
        style=StyleMix((look,), (1.0,)),
        style_scale=1.0,
    )
    assert engine.generate(request, lambda step: None).size == (64, 64)
