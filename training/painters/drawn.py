"""Hands that draw, wash, fold and cut."""

import cv2
import numpy as np

from training.painters.brush import (
    Hand,
    Picture,
    clear_turn,
    clouds,
    contact,
    facets,
    flat,
    grain,
    grid,
    lines,
    lit,
    over,
    pen,
    rim,
    soft_blur,
    stripes,
    toned,
    where,
)
from training.painters.palettes import ACCENT, INK, Palette
from training.world import BACKDROP, GROUND, LIGHT, MAIN, SECOND, Raster, Rng


def pastoral_anime(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.05)
    size = len(base)
    _, y = grid(size)
    base = over(base, p[4], where(r, BACKDROP) * np.clip(0.55 * y, 0, 0.5))
    cumulus = np.clip(clouds(size, rng, 6, 9) * 1.6 - 0.15, 0, 0.85)
    base = over(base, p[4], where(r, BACKDROP) * cumulus * min(1, 0.9 * h.texture))
    dabs = 0.045 * clouds(size, rng, 40, 24) + 0.05 * clouds(size, rng, 7)
    base = toned(base, dabs * h.texture + 0.1 * (0.6 - y) * where(r, MAIN, SECOND))
    base = lit(base, r, 0.75 * h.light, (0.15, 0, -0.3))
    return over(base, p[INK], lines(r, h, 1.5, 0.85))


def blueprint(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    size = len(r.labels)
    tint = where(r, MAIN) * 0.14 + where(r, LIGHT) * 0.07
    page = p[0] * (1 + tint + 0.05 * clouds(size, rng, 5))[..., None]
    page = over(page, p[ACCENT], where(r, ACCENT) * 0.85)
    white = pen(p, p[0])
    square = np.maximum(stripes(size, 0.0, 1 / 16), stripes(size, np.pi / 2, 1 / 16)) ** 90
    page = lit(over(page, white, square * (0.16 * h.texture)), r, 0.15 * h.light)
    return over(page, white, lines(r, h, 1.5))


def watercolour(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    size = len(r.labels)
    wash = flat(r, p, rng, 0.05) ** 1.35
    line = lines(r, h, 1.5)
    pool = 0.2 * clouds(size, rng, 4) + 0.12 * clouds(size, rng, 12)
    tooth = 0.035 * clouds(size, rng, 90)
    wet = np.clip(0.84 + (pool + tooth) * h.texture + 0.3 * soft_blur(line, 3), 0.3, 1.15)
    deep = np.maximum(wet, where(r, ACCENT) * 0.9)
    picture = over(np.broadcast_to(p[4], wash.shape), wash, deep)
    picture = lit(picture, r, 0.55 * h.light, (0.25, 0.05, -0.3))
    return over(grain(picture, rng, 0.01 * h.grain), p[INK] * 0.7, line * 0.8)


_TONE = np.array([0.05, 0.34, 0.2, 0.6, 0.0, 0.0, 0.0], np.float32)  # of the roles in pencil


def pencil_and_ink(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    size = len(r.labels)
    tone = _TONE[r.labels] * (0.9 + 0.1 * (r.shapes % 3).astype(np.float32)) + (1 - r.shade) * (
        0.8 * h.light
    )
    tone = np.clip(tone + 0.06 * clouds(size, rng, 10), 0, 0.9)
    first = np.clip(tone * 1.5 - 0.9 + stripes(size, 0.7, 0.0152) * 0.9, 0, 1)
    cross = np.clip(tone * 1.5 - 1.25 + stripes(size, -0.8, 0.0152) * 0.9, 0, 1)
    page = p[4] * (0.97 + 0.015 * clouds(size, rng, 64))[..., None]
    page = over(page, p[ACCENT], where(r, ACCENT) * 0.85)
    hatch = np.clip(first + cross, 0, 1) * 0.33 + tone * 0.28
    page = over(page, p[INK], hatch * (0.85 * min(h.texture, 1.15)))
    return over(page, p[INK], lines(r, h, 1.7))


def low_poly(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.06)
    size = len(base)
    cell = facets(size) + r.shapes.astype(np.float32) * 7.7
    facet = (np.sin(cell * 12.9898) * 437.58) % 1 * 2 - 1
    base = toned(base, facet * (0.055 * h.texture))
    base = lit(base, r, 1.15 * h.light, (0.15, 0, -0.2))
    return over(base, p[INK], lines(r, h, 1.4, 0.85))


def papercut(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.06)
    size = len(base)
    base = toned(base, clouds(size, rng, 90, 60) * (0.022 * h.texture))
    base = toned(base, contact(r, 4) * (-0.5 * h.light))
    base = lit(base, r, 1.0 * h.light)
    edge = lines(r, h, 1.4)
    lip = np.roll(edge, (-1, -1), (0, 1)) * (1 - edge)
    base = over(base, np.minimum(p[4] * 1.05, 1), lip * 0.4)
    return over(base, p[INK] * 0.6 + base * 0.15, edge * 0.85)


def desert_sunset(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    base = flat(r, p, rng, 0.05)
    size = len(base)
    _, y = grid(size)
    down = y[:, :1, None]
    high, low = np.clip(1 - 2 * down, 0, 1), np.clip(1.6 * down - 0.4, 0, 1) * 0.8
    sky = p[0] + (p[3] - p[0]) * high * 0.85
    base = over(base, sky + (p[4] - sky) * low, where(r, BACKDROP))
    dune = np.sin(30 * (y + 0.06 * clouds(size, rng, 4))) * where(r, GROUND)
    base = toned(base, dune * (0.05 * h.texture) - contact(r, 3) * 0.15)
    base = lit(base, r, 1.1 * h.light, (-0.2, 0.05, 0.0))
    sun = soft_blur(where(r, LIGHT), 9) * (1 - where(r, LIGHT, ACCENT))
    haze = 0.14 * np.exp(-(((y[:, :1] - 0.62) / 0.2) ** 2)) * (1 - where(r, ACCENT))
    base = over(base, p[4], np.clip(haze + 0.3 * sun, 0, 0.6))
    return rim(
        grain(base, rng, 0.012 * h.grain), lines(r, h, 1.5, 0.9), p[INK], p[4], clear_turn(p, 0.3)
    )


def cyberpunk_neon(r: Raster, p: Palette, h: Hand, rng: Rng) -> Picture:
    dimmed = p * np.array([1, 1, 1, 0.34, 0.85, 1, 1], np.float32)[:, None]
    base = lit(flat(r, dimmed, rng, 0.05), r, 0.7 * h.light)
    size = len(base)
    x, y = grid(size)
    base = toned(base, 0.45 * y * (1 - where(r, ACCENT)) - 0.15)
    neon = p[3] + (p[4] - p[3]) * np.clip(x[:1, :, None] * 1.3 - 0.1, 0, 1)
    line = lines(r, h, 1.7)
    wet = cv2.blur(line, (5, 2 * (size // 8) + 1)) * where(r, GROUND) * (0.55 * h.texture)
    glow = soft_blur(line, 6) * 0.75
    base = base + neon * (glow + wet)[..., None]
    bright = over(neon, np.ones(3, np.float32), line * 0.25)
    return rim(base, line, p[INK], bright, clear_turn(dimmed, 0.62))
