"""Looks outside the library, put together from parts."""

from dataclasses import dataclass

import numpy as np

from training.painters.brush import (
    Hand,
    Picture,
    Plane,
    bricks,
    clear_turn,
    clouds,
    contact,
    dots,
    flat,
    grain,
    grid,
    lines,
    lit,
    over,
    rim,
    soft_blur,
    stripes,
    toned,
    where,
)
from training.painters.palettes import ACCENT, INK, Palette
from training.world import Raster, Rng

FILLS = ("flat", "gradient", "wash", "grain", "paper")
LINES = ("none", "thin", "thick", "light", "glow")
TEXTURES = ("none", "none", "dots", "stripes", "hatching", "brick", "clouds")


@dataclass(frozen=True)
class Recipe:
    """The parts of a free look."""

    fill: str
    line: str
    texture: str
    textured: tuple[int, ...]  # roles that carry the texture
    turn: float  # radians, of stripes and gradients
    period: float  # of stripes and dots, in parts of the width
    light: float  # how much of the raster's shade is used
    lift: float  # how deep a shadow shapes throw on each other


def draw_recipe(rng: Rng) -> Recipe:
    """Parts at random; without outlines the shapes at least throw shadows."""
    line = str(rng.choice(LINES))
    few = rng.permutation(5)[: rng.integers(1, 4)]
    return Recipe(
        fill=str(rng.choice(FILLS)),
        line=line,
        texture=str(rng.choice(TEXTURES)),
        textured=tuple(int(role) for role in few),
        turn=float(rng.choice([0, 0.4, 0.785, 1.571, 2.2])),
        period=1 / float(rng.choice([20, 28, 40, 56])),
        light=float(rng.uniform(0.2, 1.2)),
        lift=float(rng.uniform(0.25, 0.5) if line == "none" else rng.choice([0, 0.2, 0.35])),
    )


def _fill(r: Raster, p: Palette, h: Hand, rng: Rng, recipe: Recipe) -> Picture:
    spread = 0.09 if recipe.line in ("none", "light") else 0.04
    base = flat(r, p, rng, spread)
    size = len(base)
    x, y = grid(size)
    match recipe.fill:
        case "gradient":
            slope = (x - 0.5) * np.cos(recipe.turn) + (y - 0.5) * np.sin(recipe.turn)
            return toned(base, -0.35 * h.texture * slope)
        case "wash":
            pool = 0.18 * clouds(size, rng, 5) + 0.1 * clouds(size, rng, 13)
            wet = np.clip(0.82 + pool * h.texture, 0.3, 1)
            return over(np.broadcast_to(p[4], base.shape), base, wet)
        case "grain":
            return grain(base, rng, 0.022 * h.grain)
        case "paper":
            return toned(
                base, h.texture * (0.03 * clouds(size, rng, 70) + 0.03 * clouds(size, rng, 24))
            )
        case _:
            return base


def _texture(size: int, rng: Rng, recipe: Recipe) -> tuple[Plane, float]:
    """A pattern 0..1 and how strongly it may show without passing for lines."""
    match recipe.texture:
        case "dots":
            return np.clip(dots(size, recipe.turn, recipe.period) * 3 - 1.4, 0, 1), 0.11
        case "stripes":
            return np.clip(stripes(size, recipe.turn, recipe.period) * 2 - 0.5, 0, 1), 0.08
        case "hatching":
            return stripes(size, recipe.turn + 0.3, 0.0152), 0.16
        case "brick":
            return bricks(size, 26)[1], 0.11
        case _:
            return np.clip(0.5 + clouds(size, rng, 6), 0, 1), 0.3


def free(r: Raster, p: Palette, h: Hand, rng: Rng, recipe: Recipe) -> Picture:
    """Paint by a recipe."""
    base = _fill(r, p, h, rng, recipe)
    size = len(base)
    if recipe.texture != "none":
        pattern, strength = _texture(size, rng, recipe)
        dark = base.mean() < 0.35
        strength *= h.texture * (0.7 if dark else 1)
        cover = pattern * where(r, *recipe.textured) * strength
        base = over(base, p[4] if dark else p[INK], cover)
    if recipe.lift:
        base = toned(base, contact(r, 3.5) * -recipe.lift)
    base = lit(base, r, recipe.light * h.light)
    turn = clear_turn(p, 0.6 if recipe.line in ("light", "glow") else 0.26)
    match recipe.line:
        case "thin":
            return rim(base, lines(r, h, 1.5, 0.92), p[INK], p[4], turn)
        case "thick":
            return rim(base, lines(r, h, 2.4), p[INK], p[4], turn)
        case "light":
            return rim(base, lines(r, h, 1.9), p[INK], p[4], turn)
        case "glow":
            line = lines(r, h, 1.8)
            neon = p[3] * 0.4 + p[4] * 0.6
            halo = soft_blur(line, 5) * 0.6 * (1 - where(r, ACCENT))
            return rim(over(base * 0.8, neon, np.clip(halo, 0, 1)), line, p[INK], neon, turn)
        case _:
            return over(base, base * 0.35, lines(r, h, 1.3, 0.85))
