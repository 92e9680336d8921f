"""The hand-written drawings are what a person would upload, and read into the lines they were written as."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from evals import data
from evals.data import SPLITS, DatasetError
from evals.drawings import FINER, Drawing, load_drawings, sketch, straight_lines
from tools.edges import extract_edges, find_sheet

ROOT = Path(__file__).parents[1]
DRAWINGS = load_drawings()


def test_there_are_enough_of_many_kinds_and_both_splits() -> None:
    kinds = {drawing.kind for drawing in DRAWINGS.values()}
    assert len(kinds) >= 15
    for kind in kinds:
        assert sum(d.kind == kind and d.split == "test" for d in DRAWINGS.values()) >= 2, kind
    assert {drawing.split for drawing in DRAWINGS.values()} == set(SPLITS)
    assert len({drawing.says for drawing in DRAWINGS.values()}) == len(DRAWINGS)


def centre_lines(drawing: Drawing, side: int) -> "np.ndarray":
    """The strokes as lines of one pixel, without the pen."""
    picture = np.zeros((round(side * drawing.sheet[1] / 100), round(side * drawing.sheet[0] / 100)))
    picture = picture.astype(np.uint8)
    strokes = [np.floor(s * side / 100).astype(np.int32) for s in drawing.strokes]
    return cv2.polylines(picture, strokes, False, 1)


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_product_finds_the_lines_that_were_written(name: str) -> None:
    drawing = DRAWINGS[name]
    picture = sketch(drawing)
    assert find_sheet(np.asarray(picture)) is not None, "not line art"
    found = (np.asarray(extract_edges(picture)) > 0).astype(np.uint8)
    wanted = centre_lines(drawing, max(picture.size))
    reach = np.ones((9, 9), np.uint8)  # 4 px of 512: half a pen and what thinning rounds off
    assert cv2.dilate(found, reach)[wanted > 0].mean() > 0.97, "lines were lost"
    assert cv2.dilate(wanted, reach)[found > 0].mean() > 0.99, "lines were made up"


def test_a_sketch_is_the_same_at_every_size() -> None:
    drawing = DRAWINGS["townhouse"]
    large, small = sketch(drawing, 512), sketch(drawing, 256)
    assert large.size == (384, 512)
    assert small.size == (192, 256)
    difference = np.asarray(large.reduce(2), int) - np.asarray(small, int)
    assert np.abs(difference).mean() < 6
    assert FINER >= 2


def test_straight_lines_are_those_that_were_written_straight() -> None:
    (car,) = (straight_lines(DRAWINGS["small-car"], 20),)
    lengths = np.hypot(*(car[:, 1] - car[:, 0]).T)
    assert sorted(lengths.round().tolist()) == [30, 30, 96]
    assert straight_lines(DRAWINGS["waves"], 5).shape == (0, 2, 2)


ROW = """
[[drawing]]
name = "hut"
kind = "facade"
says = "a hut"
split = "dev"
strokes = [{strokes}]
"""


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "drawings.toml").write_text(text)
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    load_drawings.__wrapped__()


@pytest.mark.parametrize(
    ("strokes", "said"),
    [
        ('"box 10 10 90"', "box 10 10 90"),
        ('"squiggle 1 2 3 4"', "squiggle"),
        ('"line 1 2"', "line 1 2"),
        ('"line 1 2 3 x"', "line 1 2 3 x"),
        ('"line 0 0 50 101"', "leaves the sheet"),
        ('"oval 95 50 10 10"', "leaves the sheet"),
        ('"oval 50 50 nan 10"', "leaves the sheet"),
        ('""', "no stroke is written ''"),
        ("", "no stroke"),
    ],
)
def test_a_bad_stroke_is_named_with_its_line(
    strokes: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ROW.format(strokes='"box 10 10 90 90"')
    bad = ROW.replace("hut", "barn").format(strokes=strokes)
    with pytest.raises(DatasetError, match=r"drawings.toml, line 9, ") as caught:
        read(tmp_path, monkeypatch, good + bad)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('split = "dev"', 'split = "train"'), "train"),
        (('kind = "facade"', 'kind = "facade"\nsheet = "round"'), "round"),
        (('kind = "facade"', 'kind = "facade"\npen = 0.0'), "pen"),
        (('says = "a hut"', ""), "says"),
    ],
)
def test_a_bad_row_is_named(
    change: tuple[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ROW.format(strokes='"box 10 10 90 90"')
    read(tmp_path, monkeypatch, text)
    with pytest.raises(DatasetError, match=said):
        read(tmp_path, monkeypatch, text.replace(*change))


def test_a_name_stands_for_one_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROW.format(strokes='"box 10 10 90 90"')
    with pytest.raises(DatasetError, match="another drawing 'hut'"):
        read(tmp_path, monkeypatch, row + row)


def test_training_cannot_see_them() -> None:
    for file in (ROOT / "training").rglob("*.py"):
        assert "drawings.toml" not in file.read_text("utf-8"), file
    assert "training" not in (ROOT / "evals/drawings.py").read_text("utf-8")


def test_a_sketch_is_an_rgb_picture_of_black_on_white() -> None:
    picture = sketch(DRAWINGS["chapel"])
    assert isinstance(picture, Image.Image)
    assert picture.mode == "RGB"
    values = np.asarray(picture)
    assert values.min() == 0
    assert values[0, 0].tolist() == [255, 255, 255]
    assert 0.01 < (values < 128).mean() < 0.15
