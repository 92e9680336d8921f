"""The scorers of pictures: the best is the best, worse is worse, and scikit-image agrees."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage.color import rgb2lab
from skimage.metrics import hausdorff_distance

from evals.drawings import Drawing, load_drawings, sketch, straight_lines
from evals.pictures import (
    REACH,
    TOLERANCES,
    Channel,
    channel,
    edge_scores,
    invented_lines,
    leak,
    overlay,
    straightness,
    warp,
)
from tools.edges import extract_edges, resize_edges
from tools.fidelity import render_edges

NAMES = ["townhouse", "office-front", "chapel", "bathroom", "small-car", "gift-box", "open-sign"]
SIDE = 256


def painted(drawing: Drawing, seed: int = 0) -> Image.Image:
    """The drawing inked over soft patches of colour: what a faithful render looks like."""
    ink = sketch(drawing, SIDE)
    noise = np.random.default_rng(seed).integers(120, 230, (4, 4, 3)).astype(np.uint8)
    ground = Image.fromarray(noise).resize(ink.size, Image.Resampling.BICUBIC)
    return Image.composite(ground, Image.new("RGB", ink.size, "#202018"), ink.convert("L"))


def lines_of(drawing: Drawing) -> Image.Image:
    picture = sketch(drawing, 2 * SIDE)
    return resize_edges(extract_edges(picture), picture.width // 2, picture.height // 2)


DRAWINGS = [replace(load_drawings()[name], pen=0.5) for name in NAMES]
CASES = [(lines_of(d), painted(d), straight_lines(d, 12) * SIDE / 100, d) for d in DRAWINGS]
hausdorff: Any = hausdorff_distance  # comes without types
BLANK = Image.new("RGB", (SIDE, SIDE), "#c0b0a0")


def values(lines: Image.Image, picture: Image.Image) -> dict[str, float]:
    return {name: score.value for name, score in edge_scores(lines, picture).items()}


def test_a_faithful_picture_is_the_best_there_is() -> None:
    for lines, picture, pieces, drawing in CASES:
        found = values(lines, picture)
        assert found["f1_2px"] > 0.9, drawing.name
        assert found["recall_2px"] > 0.97, drawing.name
        assert found["chamfer"] < 1.1, drawing.name
        crooked = straightness(pieces, picture)
        assert crooked is not None
        assert crooked.value < 0.7, (drawing.name, crooked.reason)
        assert invented_lines(lines, picture).value < 0.05, drawing.name


@pytest.fixture(scope="module")
def bent() -> dict[str, list[float]]:
    """Mean scores by the px that faithful pictures were bent by: 0, 1, 2, 4 and 8."""
    table: dict[str, list[float]] = {}
    for px in (0, 1, 2, 4, 8):
        rows = []
        for lines, picture, pieces, _ in CASES:
            moved = warp(picture, px)
            crooked = straightness(pieces, moved)
            assert crooked is not None
            rows.append({**values(lines, moved), "straightness": crooked.value})
        for name in rows[0]:
            table.setdefault(name, []).append(float(np.mean([row[name] for row in rows])))
    return table


@pytest.mark.parametrize("name", ["f1_1px", "f1_2px", "f1_4px", "recall_2px", "precision_2px"])
def test_what_is_bent_more_scores_less(name: str, bent: dict[str, list[float]]) -> None:
    means = bent[name]
    assert all(a >= b - 0.01 for a, b in pairwise(means)), means
    assert means[0] > means[-1] + 0.2


@pytest.mark.parametrize("name", ["chamfer", "straightness"])
def test_what_is_bent_more_is_farther_and_less_straight(
    name: str, bent: dict[str, list[float]]
) -> None:
    means = bent[name]
    assert all(a <= b + 0.01 for a, b in pairwise(means[1:])), means
    assert means[-1] > 2 * max(means[:2])


def test_a_line_that_lies_beside_its_place_is_not_crooked() -> None:
    lines, picture, pieces, _ = CASES[2]
    moved = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, 2, 0, 1, 2))
    here, there = straightness(pieces, picture), straightness(pieces, moved)
    assert here is not None
    assert there is not None
    assert there.value == pytest.approx(here.value, abs=0.35)
    assert values(lines, moved)["chamfer"] > values(lines, picture)["chamfer"] + 0.5


def test_a_drawing_without_straight_lines_has_no_straightness() -> None:
    waves = load_drawings()["waves"]
    assert straightness(straight_lines(waves, 12), sketch(waves, SIDE)) is None


def test_a_lost_line_is_as_crooked_as_can_be() -> None:
    _, _, pieces, _ = CASES[1]
    crooked = straightness(pieces, BLANK)
    assert crooked is not None
    assert crooked.value == REACH
    assert f"{len(pieces)} of them lost" in crooked.reason


def test_an_added_window_is_invented_and_a_removed_one_is_lost() -> None:
    lines, picture, _, _ = CASES[2]  # the chapel, whose walls are bare
    before = values(lines, picture)
    more = picture.copy()
    ImageDraw.Draw(more).rectangle((70, 150, 98, 182), outline="#202018", width=2)
    added = values(lines, more)
    assert added["precision_2px"] < before["precision_2px"] - 0.03
    assert added["recall_2px"] == pytest.approx(before["recall_2px"], abs=0.01)
    assert invented_lines(lines, more).value > invented_lines(lines, picture).value + 0.05

    less = picture.copy()
    less.paste("#c0b0a0", (78, 98, 116, 138))  # the round window
    share = np.asarray(lines)[98:138, 78:116].astype(bool).sum() / np.asarray(lines, bool).sum()
    lost = values(lines, less)
    assert share > 0.05
    assert lost["recall_2px"] == pytest.approx(before["recall_2px"] - share, abs=0.04)


def test_a_blank_picture_and_another_drawing_lose() -> None:
    for number, (lines, picture, _, drawing) in enumerate(CASES):
        other = next(
            c for c in CASES[number + 1 :] + CASES if c[0].size == lines.size and c[3] != drawing
        )
        blank = values(lines, BLANK.resize(lines.size))
        assert max(blank[f"f1_{t}px"] for t in TOLERANCES) == 0
        assert blank["chamfer"] == pytest.approx(np.hypot(*lines.size))
        assert values(lines, other[1])["f1_2px"] < values(lines, picture)["f1_2px"] - 0.3


def test_distances_are_those_of_every_pair_and_of_scikit_image() -> None:
    lines, picture, _, _ = CASES[4]
    bent = warp(picture, 4)
    drawn, edges = np.asarray(lines) > 127, render_edges(bent) > 0
    ways = np.hypot(*(np.argwhere(drawn)[:, None] - np.argwhere(edges)).transpose(2, 0, 1))
    there, back = ways.min(1), ways.min(0)
    found = values(lines, bent)
    for tolerance in TOLERANCES:
        recall, precision = (there <= tolerance).mean(), (back <= tolerance).mean()
        assert found[f"recall_{tolerance}px"] == pytest.approx(recall)
        assert found[f"precision_{tolerance}px"] == pytest.approx(precision)
        harmonic = 2 * recall * precision / (recall + precision)
        assert found[f"f1_{tolerance}px"] == pytest.approx(harmonic)
    modified = hausdorff(drawn, edges, method="modified")
    assert max(found["chamfer"], back.mean()) == pytest.approx(modified, abs=1e-3)


def test_every_score_gives_its_reason() -> None:
    lines, picture, pieces, _ = CASES[0]
    scores = [*edge_scores(lines, picture).values(), invented_lines(lines, picture)]
    scores += [straightness(pieces, picture) or invented_lines(lines, picture)]
    scores += [leak(lines, picture, [BLANK])]
    for score in scores:
        assert np.isfinite(score.value)
        assert 10 < len(score.reason) < 120


ROOM = painted(load_drawings()["library-hall"], 3)
KITCHEN = painted(load_drawings()["kitchen"], 4)


def test_a_layout_that_leaks_is_found() -> None:
    lines, picture, _, _ = CASES[4]
    copied = KITCHEN.resize(picture.size)
    assert leak(lines, copied, [KITCHEN]).value > 0.9
    assert leak(lines, copied, [ROOM, KITCHEN]).value > 0.9
    half = Image.blend(picture, copied, 0.6)
    assert leak(lines, half, [KITCHEN]).value > 0.3
    assert abs(leak(lines, picture, [KITCHEN]).value) < 0.1
    assert abs(leak(lines, copied, [ROOM]).value) < 0.2
    assert leak(lines, BLANK.resize(picture.size), [KITCHEN]).value <= 0
    rolled = Image.fromarray(np.roll(np.asarray(copied), (50, 70), (0, 1)))
    assert leak(lines, rolled, [KITCHEN]).value < 0.3


def test_what_was_drawn_is_not_leaked() -> None:
    """A reference of the very drawing: its lines stand in the render because they were asked for."""
    lines, picture, _, _ = CASES[4]
    assert leak(lines, picture, [sketch(CASES[4][3], SIDE)]).value < 0.1


def test_channels_are_those_of_scikit_image() -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8))
    lab = rgb2lab(np.asarray(image))
    part = lab[10:30, 15:45]
    ways: dict[Channel, Callable[[Any], Any]] = {
        "lightness": lambda x: x[..., 0].mean(),
        "redness": lambda x: x[..., 1].mean(),
        "yellowness": lambda x: x[..., 2].mean(),
        "chroma": lambda x: np.hypot(x[..., 1], x[..., 2]).mean(),
        "contrast": lambda x: x[..., 0].std(),
    }
    assert set(ways) == set(get_args(Channel))
    for name, of in ways.items():
        assert channel(image, name) == pytest.approx(of(lab), abs=0.15)
        assert channel(image, name, (0.25, 0.25, 0.75, 0.75)) == pytest.approx(of(part), abs=0.15)


@pytest.mark.parametrize("px", [1, 6])
def test_a_warp_moves_by_no_more_than_it_says(px: int) -> None:
    ramp = np.linspace(0, 255, SIDE)
    across = Image.fromarray(np.tile(ramp, (SIDE, 1)).astype(np.uint8))
    down = across.transpose(Image.Transpose.TRANSPOSE)
    inside = slice(20, -20)
    moved = [
        (np.asarray(warp(plane, px), float) - np.asarray(plane, float))[inside, inside]
        for plane in (across, down)
    ]
    way = np.hypot(*moved) * (SIDE - 1) / 255
    assert way.max() < px + 1.5  # eight bits of grey, rounded twice
    assert way.max() > 0.7 * px


def test_an_overlay_tells_kept_missing_and_invented() -> None:
    lines, picture, _, _ = CASES[2]
    changed = picture.copy()
    changed.paste("#c0b0a0", (78, 98, 116, 138))
    ImageDraw.Draw(changed).ellipse((66, 150, 96, 180), outline="#202018", width=2)
    shown = np.asarray(overlay(lines, changed)).astype(int)
    drawn = np.asarray(lines) > 127
    green = (shown == (64, 200, 96)).all(2)
    red = (shown == (235, 64, 52)).all(2)
    amber = (shown == (255, 176, 0)).all(2)
    assert (drawn == green | red).all()
    assert green.sum() / drawn.sum() == pytest.approx(
        values(lines, changed)["recall_2px"], abs=0.02
    )
    assert red[98:138, 78:116].any()
    assert amber[150:181, 66:97].sum() > 40
    amber[150:181, 66:97] = amber[94:142, 74:120] = False  # the circle, and the rim of the patch
    assert amber.sum() < 0.05 * drawn.sum()
