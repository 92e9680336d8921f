"""A folder of models that is quickly copied: the shipped profiles and rules, and a pack of a few bytes."""

import json
import shutil
from pathlib import Path

import numpy as np
from conftest import ROOT

from tools.packs import starter_encoder_name, write_manifest


def write_models(folder: Path, unet: str = "{}", encoder: str = "{}") -> Path:
    """Write it, with these words in two files of the pack; every other part is the same each time."""
    folder.mkdir(parents=True)
    for name in ("profiles.toml", "prompts.toml"):
        shutil.copy(ROOT / "models" / name, folder)
    pack = folder / "starter"
    files = {
        "unet/config.json": unet,
        "image_encoder/config.json": encoder,
        "text/tokenizer.json": "{}",
    }
    for name, text in files.items():
        (pack / name).parent.mkdir(parents=True)
        (pack / name).write_text(text)
    (pack / "README.md").write_text("# A model card\n")
    write_manifest(pack)
    write_thresholds(folder)
    return folder


def write_thresholds(folder: Path, floor: float = 0.1) -> None:
    """Thresholds for the encoder of the pack that is there."""
    entry = {
        "encoder": starter_encoder_name(folder / "starter").split("/")[1],
        "floor": floor,
        "strong": 0.5,
    }
    (folder / "calibration.json").write_text(json.dumps({"starter": entry}))
    with (folder / "calibration-starter.npz").open("wb") as file:
        np.savez(file, metric=np.eye(2))


def edit(file: Path, old: str, new: str) -> None:
    """Change a word of a file, which must be there."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
