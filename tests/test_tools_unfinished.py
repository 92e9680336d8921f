"""Saves of renders under way: whose they are, and when they are forgotten."""

import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tools.imaging import ImageRequest, StyleMix
from tools.unfinished import UnfinishedRenders, render_key

ASKED = ImageRequest(
    prompt="a house", seed=1, width=64, height=64, steps=6, guidance_scale=1.0,
    edges=Image.new("L", (64, 64)), style=StyleMix((np.ones(4, np.float32),), (1.0,)),
)  # fmt: skip


def test_a_save_serves_its_own_render_alone(tmp_path: Path) -> None:
    unfinished = UnfinishedRenders(tmp_path / "unfinished")
    assert unfinished.load("t1", "k1") is None
    unfinished.save("t1", "k1", b"early")
    unfinished.save("t1", "k1", b"late\nlines")
    assert unfinished.load("t1", "k1") == b"late\nlines"
    assert unfinished.load("t1", "k2") is None
    assert unfinished.load("t2", "k1") is None
    unfinished.drop("t1")
    unfinished.drop("t1")
    assert unfinished.load("t1", "k1") is None
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_a_damaged_save_counts_as_none(tmp_path: Path) -> None:
    unfinished = UnfinishedRenders(tmp_path)
    unfinished.save("t1", "k1", b"state of the render")
    file = tmp_path / "t1"
    whole = file.read_bytes()
    for damaged in (b"", b"\n", whole[:-1], whole.replace(b"state", b"stale")):
        file.write_bytes(damaged)
        assert unfinished.load("t1", "k1") is None
    file.write_bytes(whole)
    assert unfinished.load("t1", "k1") == b"state of the render"


def test_a_disk_that_refuses_costs_the_save_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    unfinished = UnfinishedRenders(tmp_path / "file" / "unfinished")
    unfinished.save("t1", "k1", b"state")
    assert unfinished.load("t1", "k1") is None
    unfinished.drop("t1")
    unfinished.keep_only(set())


def test_a_disk_that_fills_up_keeps_the_earlier_save_and_no_torn_one(tmp_path: Path) -> None:
    unfinished = UnfinishedRenders(tmp_path)
    unfinished.save("t1", "k1", b"early")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        unfinished.save("t1", "k1", bytes(5000))
        unfinished.save("t2", "k2", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in tmp_path.iterdir()] == ["t1"]
    assert unfinished.load("t1", "k1") == b"early"
    unfinished.save("t1", "k1", b"late")
    assert unfinished.load("t1", "k1") == b"late"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"prompt": "a hut"},
        {"steps": 7},
        {"guidance_scale": 1.5},
        {"control_scale": 0.5},
        {"low_noise": 0.5},
        {"colour_transfer": 0.5},
        {"edges": Image.new("L", (64, 64), 255)},
        {"edges": None},
        {"style": None},
        {"style": StyleMix((np.zeros(4, np.float32),), (1.0,))},
    ],
)
def test_every_input_of_a_render_is_in_its_key(change: dict[str, Any]) -> None:
    assert render_key(replace(ASKED, **change), "starter/1") != render_key(ASKED, "starter/1")
    assert render_key(replace(ASKED), "starter/1") == render_key(ASKED, "starter/1")
    assert render_key(ASKED, "starter/2") != render_key(ASKED, "starter/1")
