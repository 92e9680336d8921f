"""Hands of rooms, stone and lamps: light falls, lines hold."""

import numpy as np

from training.painters.brush import (
    Hand,
    Picture,
    bricks,
    clear_turn,
    clouds,
    contact,
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
from training.world import GROUND, LIGHT, MAIN, Raster, Rng


def brutalist_concrete(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.09)
    size = len(base)
    boards = stripes(size, np.pi / 2, 1 / 21) ** 8 * where(r, MAIN)
    stains = 0.07 * clouds(size, rng, 40, 4) * where(r, MAIN) + 0.08 * clouds(size, rng, 7)
    base = toned(base, (stains - 0.07 * boards) * h.texture - 0.3 * contact(r, 3.5))
    base = lit(base, r, 1.2 * h.light)
    return over(grain(base, rng, 0.018 * h.grain), p[INK], lines(r, h, 1.7, 0.92))


def scandinavian(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.025)
    size = len(base)
    _, y = grid(size)
    wood = np.sin(60 * (y + 0.02 * clouds(size, rng, 6))) * where(r, GROUND)
    base = toned(base, wood * (0.025 * h.texture) - 0.1 * contact(r, 3))
    base = lit(base, r, 0.6 * h.light, (0.15, 0, -0.25))
    return over(base, p[INK], lines(r, h, 1.3, 0.8))


def japandi(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.035)
    size = len(base)
    slats = stripes(size, 0.0, 1 / 28) ** 5 * where(r, MAIN)
    linen = stripes(size, 0.0, 1 / 64) + stripes(size, np.pi / 2, 1 / 64) - 1
    base = toned(base, (0.025 * linen - 0.07 * slats) * h.texture - 0.12 * contact(r, 3.5))
    base = lit(base, r, 0.7 * h.light, (-0.1, 0, 0.15))
    return over(base, p[INK], lines(r, h, 1.5, 0.85))


def industrial_loft(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.06)
    size = len(base)
    tone, mortar = bricks(size, 26)
    wall = where(r, MAIN)
    base = toned(base, wall * tone * (0.07 * h.texture))
    base = over(base, p[0], wall * mortar * (0.26 * h.texture))
    base = toned(base, 0.05 * h.texture * clouds(size, rng, 8) - 0.2 * contact(r, 3))
    base = lit(base, r, 1.1 * h.light, (-0.1, 0, 0.15))
    lamps = soft_blur(where(r, LIGHT), 11) * (0.3 - 0.2 * where(r, LIGHT, ACCENT))
    base = grain(base + p[4] * lamps[..., None], rng, 0.012 * h.grain)
    return rim(base, lines(r, h, 2.0), p[INK], p[4] * 0.85, clear_turn(p, 0.25))


def gothic(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.08)
    size = len(base)
    _, y = grid(size)
    stone = 0.09 * clouds(size, rng, 9) + 0.06 * clouds(size, rng, 30)
    plain = 1 - where(r, ACCENT)
    base = toned(base, stone * h.texture * plain - 0.28 * contact(r, 3.5) - 0.1 * plain)
    base = lit(base, r, 1.15 * h.light, (0.1, 0, -0.1))
    fog = np.clip(y - 0.5, 0, 1) * (0.5 + 0.4 * clouds(size, rng, 4)) * plain
    candle = soft_blur(where(r, LIGHT), 9) * plain
    base = base + p[0] * (fog * 0.6)[..., None] + p[4] * (candle * 0.26)[..., None]
    return rim(base, lines(r, h, 1.6, 0.95), p[INK], p[0] * 0.5 + p[4] * 0.5, clear_turn(p, 0.5))


def film_noir(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.1)
    size = len(base)
    x, y = grid(size)
    beam = np.clip(1.25 - 1.7 * np.abs((x - 0.4) * 0.8 - (y - 0.25) * 0.5), 0.38, 1.2)
    slats = np.clip(stripes(size, 1.35, 1 / 10) * 2 - 0.7, 0, 1) * np.clip(beam - 0.5, 0, 0.5)
    fall = beam * (1 - slats * (0.5 * h.texture)) * (1 - 0.35 * contact(r, 4))
    base = base * np.maximum(fall, where(r, ACCENT) * 0.85)[..., None]
    base = lit(base, r, 1.2 * h.light)
    base = base + p[4] * (soft_blur(where(r, LIGHT), 8) * 0.2)[..., None]
    base = grain(base, rng, 0.018 * h.grain)
    return rim(base, lines(r, h, 1.5, 0.95), p[INK], p[4] * 0.92, clear_turn(p, 0.47))
