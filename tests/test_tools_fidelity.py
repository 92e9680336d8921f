"""The scores tell a faithful render from any other."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor, ImageDraw
from skimage.color import deltaE_cie76, rgb2lab

from tools.fidelity import edge_distances, geometry_scores, palette, palette_distance, similarity

SIDE = 128
cie76: Any = deltaE_cie76  # comes without types
SKY, WALL, ROOF, GROUND = "#7fb8e0", "#e8d8b0", "#a04030", "#4a7040"


def town(seed: int) -> tuple[Image.Image, Image.Image]:
    """The edge map of a row of houses, and a picture of the same houses in flat colours."""
    rng = np.random.default_rng(seed)
    edges, render = Image.new("L", (SIDE, SIDE)), Image.new("RGB", (SIDE, SIDE), SKY)
    lines, brush = ImageDraw.Draw(edges), ImageDraw.Draw(render)
    floor = int(rng.integers(80, 115))
    brush.rectangle((0, floor, SIDE, SIDE), fill=GROUND)
    lines.line((0, floor, SIDE, floor), fill=255)
    for left in range(int(rng.integers(3, 12)), SIDE - 30, 40):
        right, top = left + int(rng.integers(18, 32)), int(rng.integers(30, floor - 20))
        middle, tip = (left + right) // 2, top - int(rng.integers(10, 25))
        for shape, colour in (
            ([(left, floor), (left, top), (right, top), (right, floor)], WALL),
            ([(left, top), (middle, tip), (right, top)], ROOF),
        ):
            brush.polygon(shape, fill=colour)
            lines.line([*shape, shape[0]], fill=255)
    return edges, render


TOWNS = [town(seed) for seed in range(8)]


def test_shuffled_sketches_score_clearly_lower() -> None:
    own = [geometry_scores(edges, render) for edges, render in TOWNS]
    shuffled = [
        geometry_scores(edges, TOWNS[(number + shift) % len(TOWNS)][1])
        for number, (edges, _) in enumerate(TOWNS)
        for shift in range(1, len(TOWNS))
    ]
    assert min(score.kept for score in own) > 0.95
    assert min(score.f1 for score in own) > 0.95
    assert max(score.kept for score in shuffled) < 0.7
    assert max(score.f1 for score in shuffled) < 0.7
    assert np.mean([score.f1 for score in shuffled]) < 0.4


@pytest.mark.parametrize("ink", ["black", "#305080"])
def test_the_drawing_itself_keeps_every_line(ink: str) -> None:
    edges, _ = TOWNS[0]
    drawing = Image.new("RGB", edges.size, "white")
    drawing.paste(ink, mask=edges)
    score = geometry_scores(edges, drawing)
    assert score.kept > 0.99
    assert score.invented < 0.01
    assert score.f1 > 0.99


@pytest.mark.parametrize("colour", ["white", "black", "#808080"])
def test_a_blank_render_scores_nothing(colour: str) -> None:
    edges, render = TOWNS[0]
    for score in (
        geometry_scores(edges, Image.new("RGB", edges.size, colour)),
        geometry_scores(Image.new("L", edges.size), render),
    ):
        assert (score.kept, score.invented, score.f1) == (0, 0, 0)


def test_grain_on_a_blank_render_scores_nothing() -> None:
    grain = np.random.default_rng(0).normal(128, 3, (SIDE, SIDE, 3)).astype(np.uint8)
    assert geometry_scores(TOWNS[0][0], Image.fromarray(grain)).kept == 0


def test_half_a_render_keeps_half() -> None:
    edges, render = TOWNS[1]
    half = render.copy()
    half.paste(SKY, (0, 0, SIDE // 2, SIDE))
    left = (
        np.asarray(edges)[:, : SIDE // 2].astype(bool).sum() / np.asarray(edges).astype(bool).sum()
    )
    score = geometry_scores(edges, half)
    assert score.kept == pytest.approx(1 - left, abs=0.1)
    assert score.invented < 0.3  # the cut itself


def test_an_added_house_is_invented_not_lost() -> None:
    edges, render = TOWNS[2]
    more = render.copy()
    ImageDraw.Draw(more).ellipse((20, 2, 90, 26), fill="#ffe060")
    score = geometry_scores(edges, more)
    assert score.kept > 0.95
    assert score.invented > 0.15


def test_lines_correspond_within_the_tolerance_only() -> None:
    edges = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(edges).line((64, 0, 64, SIDE), fill=255)
    for shift in (0, 1, 2, 4, 6):
        render = Image.new("RGB", (SIDE, SIDE), "white")
        render.paste("navy", (64 + shift, 0, SIDE, SIDE))
        assert geometry_scores(edges, render).kept == (shift <= 2)
        assert geometry_scores(edges, render, tolerance_px=8).kept == 1


def test_a_soft_edge_counts_beside_hard_ones() -> None:
    edges, render = Image.new("L", (SIDE, SIDE)), Image.new("RGB", (SIDE, SIDE), "#606060")
    for x, colour in ((30, "#747474"), (60, "white"), (90, "black")):
        ImageDraw.Draw(edges).line((x, 0, x, SIDE), fill=255)
        render.paste(colour, (x, 0, SIDE, SIDE))
    assert geometry_scores(edges, render).kept == 1


def test_an_outline_is_one_edge_in_its_place() -> None:
    """Both its sides counted as edges once: a line 3 px off was kept, and one in its place was not, at 0 px."""
    edges, render = Image.new("L", (SIDE, SIDE)), Image.new("RGB", (SIDE, SIDE), "#d0b090")
    ImageDraw.Draw(edges).line((64, 0, 64, SIDE), fill=255)
    ImageDraw.Draw(render).line((64, 0, 64, SIDE), fill="#302018", width=3)
    found = edge_distances(edges, render)
    assert found.scores(0).f1 > 0.95
    moved = Image.fromarray(np.roll(np.asarray(edges), 3, 1))
    assert edge_distances(moved, render).scores(2).kept < 0.05
    assert edge_distances(moved, render).of_lines.mean() == pytest.approx(3, abs=0.1)


def test_without_edges_the_way_is_the_diagonal() -> None:
    edges, render = TOWNS[0]
    blank = Image.new("RGB", render.size, "white")
    nowhere = edge_distances(edges, blank)
    assert nowhere.of_lines == pytest.approx(np.hypot(SIDE, SIDE))
    assert len(nowhere.of_edges) == 0
    assert edge_distances(Image.new("L", edges.size), render).of_edges.min() == pytest.approx(
        np.hypot(SIDE, SIDE)
    )


def test_sizes_must_agree() -> None:
    edges, render = TOWNS[0]
    with pytest.raises(ValueError, match=r"\(128, 128\).*\(64, 64\)"):
        geometry_scores(edges, render.resize((64, 64)))


def flat(*colours: str) -> Image.Image:
    """Equal upright stripes."""
    image = Image.new("RGB", (120, 60))
    for number, colour in enumerate(colours):
        image.paste(colour, (120 * number // len(colours), 0, 120, 60))
    return image


def test_a_palette_holds_the_colours_and_their_shares() -> None:
    found = palette(flat("white", "white", "white", "black"))
    assert found.colours == pytest.approx(np.array([[100, 0, 0], [0, 0, 0]]), abs=0.1)
    assert found.shares == pytest.approx([0.75, 0.25], abs=0.01)


def test_a_palette_is_the_same_every_time() -> None:
    image = Image.effect_noise((200, 150), 80).convert("RGB")
    first, second = palette(image), palette(image.copy())
    assert (first.colours == second.colours).all()
    assert (first.shares == second.shares).all()
    assert first.shares.sum() == pytest.approx(1)
    assert len(first.shares) == 5


def distance(a: Image.Image, b: Image.Image) -> float:
    return palette_distance(palette(a), palette(b))


def test_palette_distance_is_in_units_of_lab() -> None:
    assert distance(flat("black"), flat("white")) == pytest.approx(100, abs=0.1)
    assert distance(flat("black", "white"), flat("white")) == pytest.approx(50, abs=1)
    assert distance(flat("red", "lime", "blue"), flat("blue", "red", "lime")) == pytest.approx(
        0, abs=1
    )
    assert distance(flat("red"), flat("red")) == 0


def test_palette_distance_of_flat_colours_is_that_of_scikit_image() -> None:
    for a, b in (("red", "blue"), ("navy", "orange"), ("#808080", "#a0b0c0")):
        labs = [rgb2lab(np.array(ImageColor.getrgb(name)) / 255) for name in (a, b)]
        assert distance(flat(a), flat(b)) == pytest.approx(cie76(*labs), abs=0.3)


def test_palette_distance_is_a_metric() -> None:
    images = [render for _, render in TOWNS[:2]] + [
        flat("navy", "orange"),
        flat("orange", "orange", "orange", "navy"),
        Image.effect_noise((64, 64), 90).convert("RGB"),
    ]
    found = np.array([[distance(a, b) for b in images] for a in images])
    assert found == pytest.approx(found.T, abs=1e-3)
    assert (found[:, :, None] + found[None] >= found[:, None] - 1e-3).all()
    assert found[2, 3] > 10


def test_a_palette_knows_its_own_style() -> None:
    """Same colours on another scene are nearer than other colours on the same scene."""
    _, render = TOWNS[3]
    warm = Image.merge("RGB", [render.getchannel(band) for band in "BGR"])
    assert distance(render, TOWNS[4][1]) < distance(render, warm) / 3


def test_similarity_is_the_cosine() -> None:
    assert similarity([1.0, 0.0], np.array([0.6, 0.8], np.float32)) == pytest.approx(0.6)
    assert similarity([0.0, 1.0], [0.0, -1.0]) == -1
    third = np.full(3, 1 / np.sqrt(3), np.float32)
    assert similarity(third, third) <= 1
