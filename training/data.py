"""Pictures and triples of the procedural world, as arrays."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from styles.catalog import Catalog
from training.painters import MOODS, Look, Palette, draw_look, paint, parse_palette
from training.world import Rng, Scene, draw_scene, rasterise, wobble

SIZE = 256  # px, of every picture the pack is trained on
REFERENCE = 128  # px, of the pictures the style encoder sees
LINE_WIDTH = 1  # px, of outlines at SIZE

LIBRARY = Path(__file__).parents[1] / "styles/library"


def load_palettes() -> dict[str, Palette]:
    """The palette of every style of the library, by slug."""
    return {slug: parse_palette(style.palette) for slug, style in Catalog(LIBRARY).styles.items()}


def picture_pool(palettes: dict[str, Palette], rng: Rng, count: int) -> NDArray[np.uint8]:
    """`count` pictures of random scenes in random looks and moods: (count, SIZE, SIZE, 3) uint8."""
    pool = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for picture in pool:
        scene = draw_scene(rng)
        if rng.random() < 0.5:
            scene = wobble(scene, rng, rng.uniform(0.001, 0.004))
        look = draw_look(palettes, rng)
        picture[:] = paint(rasterise(scene, SIZE, LINE_WIDTH), look, rng, SIZE, draw_mood(rng))
    return pool


def draw_mood(rng: Rng) -> str | None:
    """A mood, or None for two pictures of three."""
    return str(rng.choice(list(MOODS))) if rng.random() < 0.33 else None


def control_lines(scene: Scene, rng: Rng) -> MatLike:
    """The edge map a person's drawing of `scene` would give: (SIZE, SIZE) of 0 or 255, mostly thin."""
    edges = rasterise(scene, SIZE, 1).edges > 100
    lines: MatLike = np.where(edges, 255, 0).astype(np.uint8)
    if rng.random() < 0.25:
        lines = cv2.dilate(lines, np.ones((2, 2), np.uint8))
    if rng.random() < 0.2:
        x, y = rng.integers(0, SIZE - 24, 2)
        lines[y : y + 24, x : x + 24] = 0
    return lines


@dataclass(frozen=True)
class Triples:
    """What diffusion learns from: `count` pictures with their lines, the look of a reference, and words."""

    pictures: NDArray[np.uint8]  # (count, SIZE, SIZE, 3)
    lines: NDArray[np.uint8]  # (count, SIZE, SIZE), 0 or 255
    references: NDArray[
        np.uint8
    ]  # (count, REFERENCE, REFERENCE, 3), another scene in the same look
    captions: list[str]
    styles: list[str]  # painter of each


def draw_triples(
    palettes: dict[str, Palette], style_captions: dict[str, list[str]], rng: Rng, count: int
) -> Triples:
    """Draw `count` triples. The reference shows the look without the mood: only the words can tell the mood."""
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    lines = np.empty((count, SIZE, SIZE), np.uint8)
    references = np.empty((count, REFERENCE, REFERENCE, 3), np.uint8)
    captions, styles = [], []
    for i in range(count):
        scene = draw_scene(rng)
        if rng.random() < 0.6:
            scene = wobble(scene, rng, rng.uniform(0.0008, 0.004))
        look, mood = draw_look(palettes, rng), draw_mood(rng)
        pictures[i] = paint(rasterise(scene, SIZE, LINE_WIDTH), look, rng, SIZE, mood)
        lines[i] = control_lines(scene, rng)
        references[i] = draw_reference(look, rng)
        captions.append(
            _caption(scene.words, look.style if look.named else None, mood, style_captions, rng)
        )
        styles.append(look.style)
    return Triples(pictures, lines, references, captions, styles)


def draw_reference(look: Look, rng: Rng) -> MatLike:
    """Any scene in `look`: (REFERENCE, REFERENCE, 3)."""
    return paint(rasterise(draw_scene(rng), SIZE, LINE_WIDTH), look, rng, REFERENCE)


def _caption(
    words: str, style: str | None, mood: str | None, style_captions: dict[str, list[str]], rng: Rng
) -> str:
    parts = [words]
    if mood is not None:
        phrases = MOODS[mood][1]
        parts.append(phrases[rng.integers(len(phrases))])
    if style is not None and rng.random() < 0.7:
        parts.append(style_captions[style][rng.integers(len(style_captions[style]))])
    return ", ".join(parts)


def load_style_captions() -> dict[str, list[str]]:
    """Hand-written captions of every style, by slug, joined by its description and prompt fragment."""
    return {
        slug: [*style.captions, style.description, style.prompt.replace("{prompt}, ", "")]
        for slug, style in Catalog(LIBRARY).styles.items()
    }
