"""Painters keep the lines, invent few, and obey the words for colours and moods."""

import tomllib
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from styles.catalog import Catalog
from tools.fidelity import geometry_scores
from training.painters import (
    ACCENT,
    COLOURS,
    MOODS,
    PAINTERS,
    Look,
    Palette,
    accent_look,
    draw_hand,
    draw_look,
    jitter_palette,
    mood_words,
    paint,
    parse_palette,
)
from training.painters.looks import FREE
from training.painters.moods import PHRASES
from training.world import BACKDROP, GROUND, LIGHT, MAIN, SECOND, Raster

SIZE = 256
PALETTES: dict[str, Palette] = {
    slug: parse_palette(style.palette)
    for slug, style in Catalog(Path(__file__).parents[1] / "styles/library").styles.items()
}
DOOR = (slice(93, 103), slice(65, 70))  # within the door of SMALL


def _raster(*shapes: tuple[list[tuple[float, float]], int], size: int = SIZE) -> Raster:
    """Polygons back to front, plainly lit but for a shadow on the ground at the right."""
    labels, edges = (np.zeros((size, size), np.uint8) for _ in range(2))
    indices = np.zeros((size, size), np.int32)
    for index, (points, label) in enumerate(shapes, start=1):
        polygon = [np.round(np.array(points) * size).astype(np.int32)]
        cv2.fillPoly(labels, polygon, label)
        cv2.fillPoly(indices, polygon, index)
        cv2.fillPoly(edges, polygon, 0)
        cv2.polylines(edges, polygon, True, 255, 1, cv2.LINE_AA)
    shade = np.ones((size, size), np.float32)
    shade[(labels == GROUND) & (np.arange(size) > 0.8 * size)] = 0.7
    return Raster(labels, indices, edges, cv2.GaussianBlur(shade, (0, 0), 3).astype(np.float32))


def _box(x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


_HOUSE = (
    (_box(-0.1, -0.1, 1.1, 1.1), BACKDROP),
    (_box(-0.1, 0.72, 1.1, 1.1), GROUND),
    ([(0.8, 0.3), (0.93, 0.76), (0.67, 0.76)], GROUND),
    (_box(0.2, 0.4, 0.65, 0.82), MAIN),
    ([(0.15, 0.4), (0.42, 0.18), (0.7, 0.4)], SECOND),
    (_box(0.26, 0.48, 0.38, 0.6), LIGHT),
    (_box(0.49, 0.7, 0.56, 0.82), ACCENT),
)
HOUSE = _raster(*_HOUSE)
SMALL = _raster(*_HOUSE, size=128)
STACK = _raster(
    (_box(-0.1, -0.1, 1.1, 1.1), BACKDROP),
    (_box(0.1, 0.3, 0.9, 0.9), GROUND),
    (_box(0.2, 0.1, 0.5, 0.7), SECOND),
    (_box(0.4, 0.4, 0.8, 0.8), MAIN),
    ([(0.6, 0.2), (0.95, 0.5), (0.6, 0.6)], LIGHT),
    (_box(0.25, 0.2, 0.35, 0.3), ACCENT),
)

slugs = pytest.mark.parametrize("slug", sorted(PAINTERS))


def _look(slug: str, seed: int = 0) -> Look:
    rng = np.random.default_rng([zlib.crc32(slug.encode()), seed])
    return Look(slug, jitter_palette(PALETTES[slug], rng, 0.5), True, draw_hand(rng))


def _paint(raster: Raster, look: Look, seed: int = 0, mood: str | None = None) -> NDArray[np.uint8]:
    size = len(raster.labels)
    return np.asarray(paint(raster, look, np.random.default_rng(seed), size, mood), np.uint8)


def _scores(raster: Raster, picture: NDArray[np.uint8]) -> tuple[float, float]:
    found = geometry_scores(Image.fromarray(raster.edges), Image.fromarray(picture))
    return found.kept, found.invented


def test_every_style_of_the_library_has_a_painter() -> None:
    assert set(PAINTERS) == set(PALETTES)


@slugs
def test_a_painter_keeps_the_lines_and_invents_few(slug: str) -> None:
    kept, invented = np.mean(
        [
            _scores(raster, _paint(raster, _look(slug, seed), seed))
            for raster in (HOUSE, STACK)
            for seed in (0, 1)
        ],
        axis=0,
    )
    assert kept >= 0.97
    assert invented <= 0.30


def test_painters_are_calm_on_the_whole() -> None:
    invented = [_scores(HOUSE, _paint(HOUSE, _look(slug)))[1] for slug in PAINTERS]
    assert np.mean(invented) <= 0.12
    assert np.mean(np.array(invented) <= 0.15) >= 0.8


@slugs
def test_a_picture_follows_from_its_seed(slug: str) -> None:
    first, again, other = (_paint(STACK, _look(slug, seed), seed) for seed in (0, 0, 1))
    assert first.shape == (SIZE, SIZE, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_may_be_smaller_than_its_raster() -> None:
    assert paint(HOUSE, _look("gothic"), np.random.default_rng(0), 128).shape == (128, 128, 3)


@slugs
def test_shade_darkens(slug: str) -> None:
    dim = Raster(SMALL.labels, SMALL.shapes, SMALL.edges, np.full_like(SMALL.shade, 0.5))
    assert _paint(dim, _look(slug)).mean() < _paint(SMALL, _look(slug)).mean() - 2


@slugs
def test_a_named_colour_arrives(slug: str) -> None:
    for colour, rgb in COLOURS.items():
        picture = _paint(SMALL, accent_look(_look(slug), colour))
        seen = np.median(picture[DOOR].reshape(-1, 3), axis=0).astype(np.float32) / 255
        pair = cv2.cvtColor(np.array([[seen, rgb]], np.float32), cv2.COLOR_RGB2HSV)[0]
        (hue, saturation, value), (wanted, _, _) = pair
        if colour == "white":
            assert value > 0.6, colour
            assert saturation < 0.35, colour
        elif colour == "black":
            assert value < 0.42, colour
        else:
            assert abs((hue - wanted + 180) % 360 - 180) < 25, colour
            assert saturation > 0.3, colour
            assert value > 0.25, colour


def test_six_colours_get_the_second_role_for_an_accent() -> None:
    palette = PALETTES["bauhaus"]
    assert palette.shape == (7, 3)
    assert np.array_equal(palette[ACCENT], palette[SECOND])


def _reds(picture: NDArray[np.uint8]) -> float:
    """By how much red lies above blue on average."""
    return float(picture[..., 0].mean() - picture[..., 2].mean())


def _greens(picture: NDArray[np.uint8]) -> float:
    """By how much green lies above the mean of red and blue."""
    return float(picture[..., 1].mean() - picture[..., ::2].mean())


def _from_fog(picture: NDArray[np.uint8]) -> float:
    return float(np.abs(picture - np.array([212.0, 217.0, 222.0])).mean())


@slugs
def test_a_mood_changes_the_picture_its_way(slug: str) -> None:
    plain = _paint(SMALL, _look(slug))
    moods = {mood: _paint(SMALL, _look(slug), mood=mood) for mood in MOODS}
    ground = (slice(111, 125), slice(5, 95))
    assert moods["night"].mean() < 0.8 * plain.mean()
    assert moods["rain"].mean() < 0.97 * plain.mean()
    assert moods["sunny"].mean() > plain.mean() + 5
    for mood in ("dusk", "warm", "autumn"):
        assert _reds(moods[mood]) > _reds(plain) + 5, mood
    assert _reds(moods["cold"]) < _reds(plain) - 5
    assert _from_fog(moods["fog"]) < 0.7 * _from_fog(plain)
    assert moods["snow"][ground].min(2).mean() > 190
    assert _greens(moods["spring"][ground]) > min(_greens(plain[ground]), 25)


@slugs
def test_night_keeps_the_lines(slug: str) -> None:
    assert _scores(HOUSE, _paint(HOUSE, _look(slug), mood="night"))[0] >= 0.95


def test_held_out_phrases_are_never_trained_on() -> None:
    phrases = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
    assert set(phrases) == set(MOODS)
    trained = {words for mood in phrases.values() for words in mood["train"]}
    held_out = {words for mood in phrases.values() for words in mood["held_out"]}
    assert not trained & held_out
    assert len(trained) == sum(len(mood["train"]) for mood in phrases.values())
    rng = np.random.default_rng(0)
    for mood in MOODS:
        assert 25 <= len(phrases[mood]["train"]) <= 40
        assert mood_words(mood, rng) in trained
        assert mood_words(mood, rng, held_out=True) in held_out


def test_looks_are_drawn_from_the_library_and_beyond() -> None:
    rng = np.random.default_rng(0)
    looks = [draw_look(PALETTES, rng) for _ in range(400)]
    assert 0.5 < np.mean([look.named for look in looks]) < 0.7
    assert 0.18 < np.mean([look.style == FREE for look in looks]) < 0.32
    assert all(look.named or look.style in {FREE, *PAINTERS} for look in looks)
    assert not any(look.named for look in looks if look.style == FREE)
    assert len({look.recipe for look in looks if look.recipe}) > 50


def test_free_looks_differ_and_keep_the_lines() -> None:
    rng = np.random.default_rng(0)
    looks = [look for look in (draw_look(PALETTES, rng, 0.0) for _ in range(60)) if look.recipe]
    pictures = np.array([_paint(HOUSE, look)[::8, ::8] for look in looks[:20]], np.float32)
    apart = np.abs(pictures[:, None] - pictures[None]).mean((2, 3, 4)) + 255 * np.eye(len(pictures))
    assert apart.min() > 6
    kept, invented = np.mean([_scores(HOUSE, _paint(HOUSE, look)) for look in looks[:20]], axis=0)
    assert kept >= 0.97
    assert invented <= 0.15
