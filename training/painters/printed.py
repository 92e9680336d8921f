"""Hands of posters, prints and ornament: flat colour held by lines."""

import numpy as np

from training.painters.brush import (
    Hand,
    Picture,
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
    stripes,
    tiled_floor,
    toned,
    where,
)
from training.painters.palettes import ACCENT, INK, Palette
from training.world import BACKDROP, GROUND, MAIN, Raster, Rng


def art_deco(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.04)
    x, y = grid(len(base))
    base = toned(base, 0.12 - 0.3 * y)
    rays = 0.5 + 0.5 * np.sin(np.arctan2(1.12 - y, x - 0.5) * 44)
    base = over(base, p[3], where(r, BACKDROP) * rays * (0.17 * h.texture))
    pin = stripes(len(base), 0.0, 1 / 48) ** 2 * where(r, MAIN)
    base = lit(over(base, p[3], pin * (0.13 * h.texture)), r, 0.75 * h.light)
    return rim(base, lines(r, h, 2.3), p[INK], p[3] * 0.75 + p[4] * 0.3, clear_turn(p, 0.46))


def ukiyo_e(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = lit(flat(r, p, rng, 0.03), r, 0.35 * h.light)
    _, y = grid(len(base))
    base = over(base, p[1], where(r, BACKDROP) * np.clip(0.9 - 2.3 * y, 0, 0.85))
    base = over(base, p[INK], where(r, GROUND) * np.clip(1.6 * y - 1.1, 0, 0.4))
    fibre = 0.03 * clouds(len(base), rng, 64, 20) + 0.02 * stripes(len(base), 1.52, 0.017)
    base = grain(toned(base, fibre * h.texture), rng, 0.01 * h.grain)
    return over(base, p[INK], lines(r, h, 1.9, 0.95))


def stained_glass(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    size = len(r.labels)
    role = np.where(r.labels == ACCENT, ACCENT, (r.labels + 2 * (r.shapes % 3 == 0)) % 5)
    x, y = grid(size)
    behind = 1.12 - 0.5 * np.hypot(x - 0.5, y - 0.4)
    u, v = np.floor((x + y) * 7), np.floor((x - y) * 7)
    pane = np.sin(u * 12.9 + v * 78.2) * where(r, BACKDROP, GROUND)
    tone = 0.045 * pane + 0.12 * clouds(size, rng, 9)
    glass = p[role] * (behind * (1 + tone * h.texture))[..., None]
    came = np.maximum(stripes(size, np.pi / 4, 0.101), stripes(size, -np.pi / 4, 0.101)) ** 24
    glass = over(glass, p[INK], came * where(r, BACKDROP) * (0.18 * h.texture))
    return over(lit(glass, r, 0.3 * h.light), p[INK], lines(r, h, 2.45))


def pop_art(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = lit(flat(r, p, rng, 0.0), r, 0.3 * h.light)
    size = len(base)
    fine = np.clip(dots(size, np.pi / 4, 0.0241) * 2.4 - 0.7, 0, 1)
    base = over(base, p[2], where(r, BACKDROP) * fine * (0.22 * h.texture))
    base = over(base, p[3], where(r, MAIN) * fine * (0.2 * h.texture))
    return over(base, p[INK], lines(r, h, 2.5))


def bauhaus(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    role = np.where((r.shapes % 3 == 0) & (r.labels == MAIN), 4, r.labels)
    base = lit(p[role], r, 0.3 * h.light)
    base = toned(base, clouds(len(base), rng, 40) * (0.025 * h.texture))
    return over(grain(base, rng, 0.014 * h.grain), p[INK], lines(r, h, 1.9, 0.95))


def memphis(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    role = np.where(r.labels == ACCENT, ACCENT, (r.labels + r.shapes % 2) % 5)
    base = lit(p[role], r, 0.3 * h.light)
    size = len(base)
    wave = np.abs(stripes(size, 0.4, 0.125) - 0.5 - 0.3 * (stripes(size, 1.97, 0.0625) - 0.5))
    squiggle = np.clip(1.4 - 14 * wave, 0, 1) * where(r, BACKDROP)
    spots = np.clip(dots(size, 0.5, 0.0625) * 4 - 2.4, 0, 1) * where(r, MAIN)
    zebra = stripes(size, 0.9, 0.0165) * where(r, GROUND)
    base = over(base, p[4], squiggle * (0.26 * h.texture))
    base = over(base, p[3], spots * (0.14 * h.texture))
    base = over(base, p[4], zebra * (0.3 * h.texture))
    return over(base, p[INK], lines(r, h, 2.4))


def art_nouveau(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.04)
    x, y = grid(len(base))
    stem = np.abs(np.sin(9 * x + 2.2 * np.sin(7 * y + 1.5 * np.sin(5 * x))))
    vine = np.clip(1.3 - 9 * stem, 0, 1) * where(r, BACKDROP)
    base = over(base, p[1], vine * (0.2 * h.texture))
    base = lit(toned(base, 0.05 - 0.16 * y), r, 0.5 * h.light, (-0.1, 0, 0.15))
    base = over(base, p[4], lines(r, h, 2.7) * 0.3)
    return over(base, p[INK], lines(r, h, 2.2))


def mid_century_modern(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    role = np.where((r.shapes % 4 == 1) & (r.labels == MAIN), 3, r.labels)
    base = lit(p[role], r, 0.55 * h.light, (-0.1, 0, 0.1))
    base = toned(base, contact(r, 2.5) * -0.12)
    speck = rng.random((len(base) // 2, len(base) // 2), np.float32) > 0.96
    fine = speck.repeat(2, 0).repeat(2, 1).astype(np.float32)
    base = over(base, p[INK], fine * (0.09 * h.texture))
    return rim(base, lines(r, h, 1.9, 0.95), p[INK], p[4], clear_turn(p, 0.58))


def pixel_art(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    """Fine square pixels for every contour, cells of two by two for shading, so that lines stay put."""
    size = len(r.labels)
    cell = max(1, size // 128)
    pick = slice(cell // 2, None, cell)
    small = Raster(
        r.labels[pick, pick], r.shapes[pick, pick], r.edges[pick, pick], r.shade[pick, pick]
    )
    base = lit(flat(small, p, rng, 0.07), small, 0.7 * h.light)
    count = len(base)
    row, column = np.indices((count, count)) // 2
    tone = 0.05 * clouds(count, rng, 6) + 0.02 * (((row + column) % 2) * 2 - 1)
    base = toned(base, tone * h.texture)
    stepped = np.floor(base * 15 + 0.5) / 15
    line = lines(r, h, 1.8)[: count * cell, : count * cell]
    dark = line.reshape(count, cell, count, cell).mean((1, 3)) > 0.44
    stepped[dark] = p[INK]
    shown = stepped.repeat(cell, 0).repeat(cell, 1).astype(np.float32)
    rest = size - len(shown)
    return np.pad(shown, ((0, rest), (0, rest), (0, 0)), mode="edge") if rest else shown


def vaporwave(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.04)
    _, y = grid(len(base))
    base = over(base, p[0] + (p[2] - p[0]) * y[:, :1, None], where(r, BACKDROP))
    base = over(base, p[2], tiled_floor(len(base)) * where(r, GROUND) * (0.24 * h.texture))
    base = toned(base, stripes(len(base), np.pi / 2, 4 / 256) * (-0.07 * h.texture))
    base = lit(base, r, 0.4 * h.light, (0, 0.2, -0.3))
    halo = lines(r, h, 2.7) * 0.35
    base = over(base, p[3], halo)
    return rim(base, lines(r, h, 1.8), p[INK], 0.3 + 0.7 * p[4], clear_turn(p, 0.57))
