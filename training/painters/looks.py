"""Looks: which painter, which palette, which hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from cv2.typing import MatLike

from training.painters import built, drawn, printed
from training.painters.brush import Hand, Picture, draw_hand
from training.painters.free import Recipe, draw_recipe, free
from training.painters.moods import MOODS
from training.painters.palettes import Palette, accented, jitter_palette, random_palette
from training.world import Raster, Rng

Painter = Callable[[Raster, Palette, Hand, Rng], Picture]

EVEN = Hand()
FREE = "free"  # the style of a look by recipe

PAINTERS: dict[str, Painter] = {
    painter.__name__.replace("_", "-"): painter
    for painter in (
        drawn.cyberpunk_neon, drawn.pastoral_anime, built.brutalist_concrete, printed.art_deco,
        built.scandinavian, drawn.blueprint, printed.ukiyo_e, drawn.watercolour, drawn.pencil_and_ink,
        printed.stained_glass, printed.pixel_art, printed.pop_art, printed.bauhaus, printed.memphis,
        built.gothic, printed.art_nouveau, printed.mid_century_modern, built.industrial_loft,
        built.japandi, printed.vaporwave, built.film_noir, drawn.low_poly, drawn.papercut,
        drawn.desert_sunset,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """One way of painting: what a reference image shows and a render should share."""

    style: str  # slug of the painter, or `FREE`
    palette: Palette  # (7, 3) floats
    named: bool  # False: painter or palette outside the library, so no style's words describe it
    hand: Hand = EVEN
    recipe: Recipe | None = None  # of a free look


def draw_look(palettes: dict[str, Palette], rng: Rng, named: float = 0.6) -> Look:
    """A painter of the library with its own palette jittered, with probability `named`.

    Else a free look five times of eight, and a painter of the library with a foreign palette.
    """
    chance = rng.random()
    hand = draw_hand(rng)
    if chance >= named + (1 - named) * 3 / 8:
        return Look(FREE, random_palette(rng), False, hand, draw_recipe(rng))
    style = str(rng.choice(list(palettes)))
    if chance >= named:
        return Look(style, random_palette(rng, dark=False), False, hand)
    return Look(style, jitter_palette(palettes[style], rng), True, hand)


def accent_look(look: Look, colour: str) -> Look:
    """`look` with a plain colour of `COLOURS` for the part that the words name."""
    return replace(look, palette=accented(look.palette, colour))


def paint(raster: Raster, look: Look, rng: Rng, size: int, mood: str | None = None) -> MatLike:
    """Paint `raster` in `look`, let the mood fall on it, reduce it: (size, size, 3) uint8."""
    if look.recipe is not None:
        picture = free(raster, look.palette, look.hand, rng, look.recipe)
    else:
        picture = PAINTERS[look.style](raster, look.palette, look.hand, rng)
    if mood is not None:
        picture = MOODS[mood][0](np.clip(picture, 0, 1), raster, rng)
    full = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    if len(full) == size:
        return full
    return cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA)
