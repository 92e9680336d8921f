"""The procedural world: what it draws is what it says, and the same each time."""

import numpy as np
import pytest
from PIL import Image

from tools.fidelity import geometry_scores
from training.data import (
    LINE_WIDTH,
    SIZE,
    control_lines,
    draw_triples,
    load_palettes,
    load_style_captions,
)
from training.painters import MOODS, PAINTERS, Look, draw_look, paint
from training.world import SCENES, Scene, draw_scene, rasterise, wobble


def test_hidden_lines_are_hidden() -> None:
    scene = Scene("two sheets")
    scene.rect(0.1, 0.1, 0.6, 0.6, 1)
    scene.rect(0.3, 0.3, 0.9, 0.9, 2)
    raster = rasterise(scene, 100)
    assert raster.labels[20, 20] == 1
    assert raster.labels[50, 50] == 2
    assert raster.edges[10, 30] > 128
    assert raster.edges[60, 20] > 128
    assert raster.edges[60, 45] == 0  # behind the second sheet
    assert raster.shapes.max() == 2


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_every_scene_has_lines_and_words(scene: object) -> None:
    for seed in range(5):
        drawn = scene(np.random.default_rng(seed))  # type: ignore[operator]
        edges = rasterise(drawn, 128).edges > 128
        assert 100 < edges.sum() < 128 * 128 / 3
        assert drawn.words


def test_a_seed_draws_the_same_world() -> None:
    def draw() -> bytes:
        triples = draw_triples(load_palettes(), load_style_captions(), np.random.default_rng(4), 3)
        return b"".join(
            [
                triples.pictures.tobytes(),
                triples.lines.tobytes(),
                *map(str.encode, triples.captions),
            ]
        )

    assert draw() == draw()


def test_the_painters_are_those_of_the_library() -> None:
    assert set(PAINTERS) == set(load_palettes()) == set(load_style_captions())


@pytest.mark.parametrize("slug", PAINTERS)
def test_a_painter_keeps_the_lines_and_shows_its_palette(slug: str) -> None:
    rng = np.random.default_rng(1)
    palettes = load_palettes()
    scene, other = SCENES[0](rng), SCENES[5](rng)
    picture = paint(rasterise(scene, SIZE, LINE_WIDTH), Look(slug, palettes[slug], True), rng, SIZE)
    seen = Image.fromarray(picture)
    own = geometry_scores(Image.fromarray(control_lines(scene, rng)), seen)
    foreign = geometry_scores(Image.fromarray(control_lines(other, rng)), seen)
    assert own.kept > 0.85
    assert own.f1 > foreign.f1 + 0.02
    strange = paint(
        rasterise(scene, SIZE, LINE_WIDTH), Look(slug, 1 - palettes[slug], False), rng, SIZE
    )
    assert np.abs(picture.astype(int) - strange).mean() > 20


@pytest.mark.parametrize("mood", MOODS)
def test_a_mood_changes_the_light_not_the_shapes(mood: str) -> None:
    scene = draw_scene(np.random.default_rng(2))
    look = draw_look(load_palettes(), np.random.default_rng(3))
    raster = rasterise(wobble(scene, np.random.default_rng(0), 0.002), SIZE, LINE_WIDTH)
    plain = paint(raster, look, np.random.default_rng(5), SIZE)
    moody = paint(raster, look, np.random.default_rng(5), SIZE, mood)
    assert np.abs(plain.astype(int) - moody).mean() > 5
    outlines = Image.fromarray(np.where(raster.edges > 100, 255, 0).astype(np.uint8))
    assert geometry_scores(outlines, Image.fromarray(moody)).kept > 0.6
