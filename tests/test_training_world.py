"""The procedural world: what it draws is what it says, and the same each time."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from training.captions import SLOT, load_phrases, scene_words
from training.sketching import FARTHEST, clean_lines, sketch_lines
from training.world import (
    ACCENT,
    MAIN,
    SCENES,
    SECOND,
    SOLIDS,
    Raster,
    Rng,
    Scene,
    draw_scene,
    rasterise,
    wobble,
)

SIZE = 128

Draw = Callable[[Rng], Scene]


def by_name(scene: object) -> str:
    return getattr(scene, "__name__", "")


def same(a: Raster, b: Raster) -> bool:
    return all(
        np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )


def shape_boundaries(raster: Raster) -> np.ndarray:
    change = np.zeros(raster.shapes.shape, np.uint8)
    change[:, 1:] |= raster.shapes[:, 1:] != raster.shapes[:, :-1]
    change[1:] |= raster.shapes[1:] != raster.shapes[:-1]
    return change


def test_hidden_lines_are_hidden() -> None:
    scene = Scene("two sheets")
    scene.rect(0.1, 0.1, 0.6, 0.6, MAIN)
    scene.rect(0.3, 0.3, 0.9, 0.9, SECOND, name="sheet")
    raster = rasterise(scene, 100)
    assert raster.labels[20, 20] == MAIN
    assert raster.labels[50, 50] == SECOND
    assert raster.edges[10, 30] > 100
    assert raster.edges[60, 20] > 100
    assert raster.edges[60, 45] == 0  # behind the second sheet
    assert raster.shapes.max() == 2
    named = rasterise(scene, 100, accent="sheet").labels
    assert named[50, 50] == ACCENT
    assert named[20, 20] == MAIN


@pytest.mark.parametrize("scene", SCENES, ids=by_name)
def test_every_scene_is_drawn_whole(scene: Draw) -> None:
    drawn = scene(np.random.default_rng(3))
    raster = rasterise(drawn, SIZE)
    assert same(raster, rasterise(scene(np.random.default_rng(3)), SIZE))
    assert set(np.unique(raster.labels)) <= set(range(5))
    assert raster.shade.min() >= 0.45
    assert raster.shade.max() <= 1.25
    lines = raster.edges > 100
    assert 100 < lines.sum() < SIZE * SIZE / 3
    near = cv2.dilate(shape_boundaries(raster), np.ones((5, 5), np.uint8)) > 0
    inner = slice(3, -3), slice(3, -3)  # a shape may end at the frame
    assert near[inner][lines[inner]].mean() > 0.97
    assert drawn.kind in load_phrases()["kinds"]


@pytest.mark.parametrize("scene", SOLIDS, ids=by_name)
def test_solids_have_light_and_shadow(scene: Draw) -> None:
    shade = rasterise(scene(np.random.default_rng(1)), SIZE).shade
    assert np.percentile(shade, 95) - np.percentile(shade, 2) > 0.15


def test_a_drawn_scene_survives_every_seed() -> None:
    for seed in range(30):
        scene = draw_scene(np.random.default_rng(seed))
        raster = rasterise(scene, 64)
        for noun in scene.accents:
            assert (rasterise(scene, 64, accent=noun).labels == ACCENT).sum() > 10
        assert np.isfinite(raster.shade).all()
        assert (raster.edges > 100).any()


@pytest.mark.parametrize("scene", [SCENES[0], SOLIDS[0]], ids=by_name)
def test_an_unsteady_hand_moves_the_lines_a_little(scene: Draw) -> None:
    drawn = scene(np.random.default_rng(0))
    moved = wobble(drawn, np.random.default_rng(1), 0.004)
    before, after = rasterise(drawn, SIZE), rasterise(moved, SIZE)
    assert not np.array_equal(before.edges, after.edges)
    away = cv2.distanceTransform((before.edges < 100).astype(np.uint8), cv2.DIST_L2, 5)
    assert np.percentile(away[after.edges > 100], 95) < 0.016 * SIZE


def test_a_sketch_stays_near_the_clean_lines() -> None:
    for seed in range(24):
        rng = np.random.default_rng(seed)
        scene = draw_scene(rng)
        clean, sketch = clean_lines(scene), sketch_lines(scene, rng)
        assert sketch.shape == (256, 256)
        assert set(np.unique(sketch)) <= {0, 255}
        away = cv2.distanceTransform((clean == 0).astype(np.uint8), cv2.DIST_L2, 5)
        near = away <= FARTHEST * 2**0.5 + 2  # both axes, and half a marker's width
        assert near[sketch > 0].mean() > 0.6  # the rest is hatching
        if clean.any() and sketch.any():
            missing = cv2.distanceTransform((sketch == 0).astype(np.uint8), cv2.DIST_L2, 5)
            assert (missing[clean > 0] < 5).mean() > 0.4


def test_phrases_for_measuring_are_not_trained_on() -> None:
    phrases = load_phrases()
    trained = {words for kind in phrases["kinds"].values() for words in kind["train"]}
    held_out = {words for kind in phrases["kinds"].values() for words in kind["held_out"]}
    assert not trained & held_out
    for kind in phrases["kinds"].values():
        assert 6 <= len(set(kind["train"])) <= 10
        assert 2 <= len(set(kind["held_out"])) <= 3
        nouns = {
            slot[1]
            for words in [*kind["train"], *kind["held_out"]]
            for slot in SLOT.finditer(words)
        }
        assert nouns <= set(phrases["accents"])


def test_every_part_that_has_a_name_can_be_given_a_colour() -> None:
    for generator in SCENES:
        for seed in range(6):
            scene = generator(np.random.default_rng(seed))
            for noun in scene.accents:
                words = scene_words(scene, np.random.default_rng(seed), noun, "orange")
                assert "orange" in words
                assert "a orange" not in words
                assert "{" not in words


def test_words_name_the_colour_where_the_noun_stands() -> None:
    house = Scene("house")
    told = {scene_words(house, np.random.default_rng(i), "door", "red") for i in range(60)}
    assert all(words.endswith(" a red door") for words in told)
    assert "a small house with a garden and a red door" in told
    own = {scene_words(house, np.random.default_rng(i), "house", "blue") for i in range(60)}
    assert "a small blue house with a garden" in own
    assert scene_words(house, np.random.default_rng(0), held_out=True) not in told
