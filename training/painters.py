"""Painters: one procedural hand per style of the library, plus moods of light and weather.

A painter turns a raster and a palette into an RGB picture, floats 0..1 of shape (size, size, 3). Palettes are
(6, 3) floats in the order of `style.toml`: backdrop, ground, main, second, light, ink.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from training.world import BACKDROP, GROUND, LIGHT, MAIN, Raster, Rng

Picture = MatLike
Palette = NDArray[np.float32]
INK = 5


def parse_palette(colours: tuple[str, ...]) -> Palette:
    """`#rrggbb` strings to (n, 3) floats."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours], np.float32)


def jitter_palette(palette: Palette, rng: Rng, amount: float = 1.0) -> Palette:
    """Vary hue, saturation and value a little, as one designer's hand differs from another's."""
    hsv = cv2.cvtColor(palette[None], cv2.COLOR_RGB2HSV)[0]
    hsv[:, 0] = (hsv[:, 0] + amount * rng.normal(0, 9) + amount * rng.normal(0, 4, len(hsv))) % 360
    hsv[:, 1] = np.clip(hsv[:, 1] * (1 + amount * rng.uniform(-0.25, 0.2)), 0, 1)
    hsv[:, 2] = np.clip(hsv[:, 2] * (1 + amount * rng.uniform(-0.14, 0.12)), 0, 1)
    return cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0]


def random_palette(rng: Rng) -> Palette:
    """A palette outside every named style, with enough contrast to read."""
    hue = (rng.uniform(0, 360) + rng.choice([20, 60, 120, 180]) * rng.uniform(-1, 1, 6)) % 360
    value = np.array([rng.uniform(0.25, 1), 0, 0, 0, rng.uniform(0.85, 1), rng.uniform(0, 0.2)])
    value[1:4] = rng.permutation(
        [rng.uniform(0.2, 0.45), rng.uniform(0.45, 0.7), rng.uniform(0.7, 0.95)]
    )
    hsv = np.stack([hue, rng.uniform(0.05, 0.9, 6), value], 1).astype(np.float32)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]


# --- strokes and textures every hand may use ---------------------------------------------------------------


def _flat(raster: Raster, palette: Palette, rng: Rng, spread: float = 0.06) -> Picture:
    """Each shape in its role's colour, a little lighter or darker than its neighbours."""
    picture = palette[raster.labels]
    tone = rng.normal(0, spread, int(raster.shapes.max()) + 1).astype(np.float32)
    return np.clip(picture * (1 + tone[raster.shapes])[..., None], 0, 1)


def _clouds(size: int, rng: Rng, cells: int) -> MatLike:
    """Smooth noise, mean 0, about -1..1, `cells` blobs across."""
    coarse = rng.normal(0, 0.5, (cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _grain(picture: Picture, rng: Rng, amount: float) -> Picture:
    return picture + rng.normal(0, amount, picture.shape[:2]).astype(np.float32)[..., None]


def _lines(raster: Raster, width: float) -> MatLike:
    """Outlines as coverage 0..1. `width` 1 is a fine pen, 2.6 a brush.

    Even a brush stays so narrow at 256 px that both its sides lie within 2 px of the outline it follows.
    """
    line = raster.edges.astype(np.float32) / 255
    radius = width * raster.edges.shape[0] / 220
    if radius <= 1:
        return line * radius
    return np.clip(cv2.GaussianBlur(line, (0, 0), radius / 2) * (1.6 + radius * 0.5), 0, 1)


def _over(picture: Picture, colour: Palette, cover: MatLike) -> Picture:
    return picture + (colour - picture) * cover[..., None]


def _down(picture: Picture) -> MatLike:
    """0 at the top, 1 at the bottom."""
    return np.broadcast_to(
        np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None], picture.shape[:2]
    )


def _stripes(size: int, angle: float, period: float) -> MatLike:
    """A sine wave 0..1 across the picture; `period` in parts of its width."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    return 0.5 + 0.5 * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)


def _light_and_shade(raster: Raster, depth: float) -> MatLike:
    """A factor round 1: each shape brighter toward its upper left."""
    soft = cv2.GaussianBlur(
        (raster.shapes % 7).astype(np.float32), (0, 0), raster.labels.shape[0] / 40
    )
    gx, gy = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    return 1 + depth * np.tanh(-(gx + gy))


def _shadow(raster: Raster, offset: int, blur: float) -> MatLike:
    """How much of a soft shadow the shape above throws on each pixel, 0..1."""
    moved = np.roll(raster.shapes, (offset, offset), (0, 1))
    return cv2.GaussianBlur((moved > raster.shapes).astype(np.float32), (0, 0), blur)


def _glow(raster: Raster, source: MatLike, radius: float) -> MatLike:
    return cv2.GaussianBlur(source, (0, 0), radius * raster.labels.shape[0] / 128)


# --- the hands -------------------------------------------------------------------------------------------


def cyberpunk_neon(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = (
        _flat(r, p * np.array([1, 1, 1, 0.35, 1, 1], np.float32)[:, None], rng)
        * (0.6 + 0.5 * _down(p[r.labels]))[..., None]
    )
    line = _lines(r, 1.2)
    left = np.broadcast_to(np.linspace(1, 0, line.shape[1], dtype=np.float32), line.shape)
    neon = p[3] * left[..., None] + p[4] * (1 - left)[..., None]
    glow = _glow(r, line, 3.5) * 1.3
    return base + neon * (glow[..., None] * 0.9 + line[..., None] * 0.8)


def pastoral_anime(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.05)
    wash = _clouds(len(base), rng, 6) * 0.05 + _clouds(len(base), rng, 16) * 0.05
    sky = (r.labels == BACKDROP) * np.clip(_clouds(len(base), rng, 5) * 0.9, 0, 0.6)
    base = _over(base * (1 + wash)[..., None], p[4], sky.astype(np.float32))
    return _over(base * _light_and_shade(r, 0.12)[..., None], p[INK], _lines(r, 0.8) * 0.45)


def brutalist_concrete(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.08) * _light_and_shade(r, 0.2)[..., None]
    boards = (_stripes(len(base), 0.0, 0.055) > 0.93) * (r.labels == MAIN)
    base = base * (1 - 0.14 * boards - 0.35 * _shadow(r, 5, 1.5))[..., None]
    return _over(
        _grain(base + 0.06 * _clouds(len(base), rng, 9)[..., None], rng, 0.035),
        p[INK],
        _lines(r, 0.7) * 0.5,
    )


def art_deco(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.03) * (1.15 - 0.4 * _down(p[r.labels]))[..., None]
    y, x = np.mgrid[0 : len(base), 0 : len(base)].astype(np.float32) / len(base)
    fan = np.sin(np.arctan2(y - 1.1, x - 0.5) * 46) > 0.8
    base = _over(base, p[3], ((r.labels == BACKDROP) * fan * 0.45).astype(np.float32))
    pin = (_stripes(len(base), 0.0, 0.045) > 0.94) * (r.labels == MAIN) * 0.5
    base = _over(base, p[3], pin.astype(np.float32))
    return _over(base, p[3] * 1.1, _lines(r, 1.5))


def scandinavian(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.03) * _light_and_shade(r, 0.06)[..., None]
    wood = (r.labels == GROUND) * (
        0.06 * np.sin(60 * (_down(base) + 0.02 * _clouds(len(base), rng, 6)))
    )
    shade = 1 - 0.14 * _shadow(r, 4, 3.0)
    return _over((base + wood[..., None]) * shade[..., None], p[INK], _lines(r, 0.7) * 0.3)


def blueprint(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = p[0] * (1 + 0.08 * _clouds(len(r.labels), rng, 5))[..., None]
    base = base * (1 + 0.16 * (r.labels == MAIN) + 0.1 * (r.labels == LIGHT))[..., None]
    grid = np.maximum(
        _stripes(len(base), 0.0, 1 / 16) > 0.985, _stripes(len(base), np.pi / 2, 1 / 16) > 0.985
    )
    base = _over(base, p[4], grid.astype(np.float32) * 0.22)
    return _over(base, p[INK], _lines(r, 1.0) * 0.95)


def ukiyo_e(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.03)
    bokashi = (r.labels == BACKDROP) * np.clip(1 - 2.4 * _down(base), 0, 1) * 0.75
    base = _over(base, p[1], bokashi.astype(np.float32))
    fibre = 0.04 * _clouds(len(base), rng, 40) + 0.03 * (_stripes(len(base), 0.05, 0.02) - 0.5)
    return _over(base + fibre[..., None], p[INK], _lines(r, 1.4) * 0.9)


def watercolour(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.06)
    size = len(base)
    bleed = [
        cv2.remap(base, *_warp(size, rng, 0.008), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    ][0]
    pool = _clouds(size, rng, 5) * 0.16 + _clouds(size, rng, 14) * 0.1
    wet = _over(bleed, p[4], np.clip(0.22 + pool, 0, 0.75))
    rim = _glow(r, _lines(r, 1.0), 1.2) * 0.35
    return _grain(wet * (1 - rim)[..., None], rng, 0.012)


def _warp(size: int, rng: Rng, amount: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return x + _clouds(size, rng, 12) * amount * size, y + _clouds(size, rng, 12) * amount * size


def pencil_and_ink(r: Raster, p: Palette, rng: Rng) -> Picture:
    dark = 1 - _flat(r, p, rng, 0.05).mean(2)
    order = np.array([0.05, 0.3, 0.16, 0.5, 0.0], np.float32)[r.labels] + dark * 0.2
    size = len(order)
    hatch = (_stripes(size, 0.7, 0.026) < order * 0.9) * 0.6 + (
        _stripes(size, -0.7, 0.026) < order - 0.22
    ) * 0.45
    page = (
        np.broadcast_to(p[4], (size, size, 3)) * (0.97 + 0.02 * _clouds(size, rng, 30))[..., None]
    )
    return _over(
        _over(page, p[INK], hatch.astype(np.float32) * 0.75), p[INK], _lines(r, 1.1) * 0.95
    )


def stained_glass(r: Raster, p: Palette, rng: Rng) -> Picture:
    hues = p[:5][(r.shapes * 2 + r.labels) % 5]
    size = len(hues)
    glass = (
        hues
        * (0.95 + 0.25 * _clouds(size, rng, 12) + 0.3 * (0.5 - np.abs(_down(hues) - 0.45)))[
            ..., None
        ]
    )
    lattice = np.maximum(_stripes(size, 0.78, 0.16) > 0.975, _stripes(size, -0.78, 0.16) > 0.975)
    glass = _over(glass, p[INK], lattice.astype(np.float32) * (r.labels == BACKDROP) * 0.8)
    return _over(glass, p[INK], _lines(r, 2.6))


def pixel_art(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _over(_flat(r, p, rng, 0.08), p[INK], _lines(r, 1.6) * 0.9)
    size = len(base)
    cells = 42
    small = cv2.resize(base, (cells, cells), interpolation=cv2.INTER_AREA)
    dither = ((np.indices((cells, cells)).sum(0) % 2) * 0.08 - 0.04).astype(np.float32)
    small = np.round((small + dither[..., None]) * 7) / 7
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_NEAREST)


def pop_art(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.0)
    size = len(base)
    dots = _stripes(size, 0.785, 0.045) * _stripes(size, -0.785, 0.045)
    base = _over(base, p[2], ((r.labels == BACKDROP) * (dots > 0.55)).astype(np.float32) * 0.8)
    base = _over(base, p[3], ((r.labels == MAIN) * (dots > 0.7)).astype(np.float32) * 0.7)
    return _over(base, p[INK], _lines(r, 2.4))


def bauhaus(r: Raster, p: Palette, rng: Rng) -> Picture:
    hues = p[np.array([0, 1, 2, 3, 4])][r.labels]
    turn = (r.shapes % 3 == 0) & (r.labels == MAIN)
    base = np.where(turn[..., None], p[4], hues).astype(np.float32)
    return _over(_grain(base, rng, 0.012), p[INK], _lines(r, 1.2) * ((r.shapes % 2) * 0.6 + 0.3))


def memphis(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = p[:5][(r.labels + (r.shapes % 2)) % 5].astype(np.float32)
    size = len(base)
    squiggle = (
        np.abs(_stripes(size, 0.4, 0.14) - 0.5 - 0.3 * (_stripes(size, 1.97, 0.08) - 0.5)) < 0.05
    ) & (r.labels == BACKDROP)
    dots = (_stripes(size, 0.0, 0.07) * _stripes(size, np.pi / 2, 0.07) > 0.8) & (r.labels == MAIN)
    zebra = (_stripes(size, 0.9, 0.05) > 0.5) & (r.labels == GROUND) & True
    base = _over(base, p[INK], (squiggle | dots).astype(np.float32) * 0.9)
    base = _over(base, p[4], zebra.astype(np.float32) * 0.55)
    return _over(base, p[INK], _lines(r, 1.6))


def gothic(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.08) * _light_and_shade(r, 0.25)[..., None]
    stone = 0.07 * _clouds(len(base), rng, 20) + 0.05 * _clouds(len(base), rng, 45)
    lit = _glow(r, (r.labels == LIGHT).astype(np.float32), 4)
    fog = np.clip(_down(base) - 0.55, 0, 1) * (0.5 + 0.5 * _clouds(len(base), rng, 4))
    base = base + stone[..., None] + p[4] * lit[..., None] * 0.35 + p[0] * fog[..., None] * 0.6
    return _over(base * (1 - 0.4 * _shadow(r, 4, 2.0))[..., None], p[INK], _lines(r, 1.2) * 0.85)


def art_nouveau(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.04) * (1.04 - 0.12 * _down(p[r.labels]))[..., None]
    size = len(base)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    vine = np.abs(np.sin(9 * x + 2.2 * np.sin(7 * y + 1.5 * np.sin(5 * x)))) < 0.1
    base = _over(base, p[1], ((r.labels == BACKDROP) * vine * 0.5).astype(np.float32))
    line = _lines(r, 2.0)
    return _over(_over(base, p[4], _glow(r, line, 1.5) * 0.35), p[INK], line * 0.9)


def mid_century_modern(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = p[:5][np.where((r.shapes % 4 == 1) & (r.labels == MAIN), 3, r.labels)].astype(np.float32)
    base = base * (1 - 0.1 * _shadow(r, 3, 0.6))[..., None]
    speck = (rng.random(base.shape[:2]) > 0.975).astype(np.float32)
    return _over(
        _over(base, p[INK], cv2.GaussianBlur(speck, (0, 0), 0.7) * 0.4), p[4], _lines(r, 1.2) * 0.75
    )


def industrial_loft(r: Raster, p: Palette, rng: Rng) -> Picture:
    base: Picture = _flat(r, p, rng, 0.06) * _light_and_shade(r, 0.15)[..., None]
    size = len(base)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    row = np.floor(y * 26)
    mortar = ((y * 26) % 1 < 0.17) | (((x * 12 + 0.5 * (row % 2)) % 1) < 0.09)
    brick = 0.08 * np.sin(row * 12.9 + np.floor(x * 12 + 0.5 * (row % 2)) * 78.2)
    wall = r.labels == MAIN
    base = base * (1 + wall * brick)[..., None]
    base = _over(base, p[0], (wall & mortar).astype(np.float32) * 0.5)
    warm = _glow(r, (r.labels == LIGHT).astype(np.float32), 6)
    return _over(
        _grain(base, rng, 0.02) + p[4] * warm[..., None] * 0.25, p[INK], _lines(r, 1.4) * 0.85
    )


def japandi(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.03)
    size = len(base)
    slats = (_stripes(size, 0.0, 0.035) < 0.22) & (r.labels == MAIN)
    linen = 0.025 * (_stripes(size, 0, 0.016) + _stripes(size, np.pi / 2, 0.016) - 1)
    base = base * (1 - 0.16 * slats - 0.1 * _shadow(r, 4, 3.0))[..., None] + linen[..., None]
    return _over(base, p[INK], _lines(r, 0.9) * 0.5)


def vaporwave(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.04)
    down = _down(base)
    sky = p[0] * (1 - down)[..., None] + p[2] * down[..., None]
    base = np.where((r.labels == BACKDROP)[..., None], sky, base)
    size = len(base)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    depth = np.clip(y - 0.35, 0.02, 1)
    floor = (np.abs(((x - 0.5) / depth * 3) % 1 - 0.5) > 0.45) | (
        np.abs((1.2 / depth) % 1 - 0.5) > 0.43
    )
    base = _over(base, p[2], ((r.labels == GROUND) & floor).astype(np.float32) * 0.8)
    scan = 1 - 0.07 * (_stripes(size, np.pi / 2, 0.02) > 0.5)
    line = _lines(r, 1.1)
    return base * scan[..., None] + p[4] * (line * 0.3 + _glow(r, line, 2.5) * 0.4)[..., None]


def film_noir(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.12)
    size = len(base)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    beam = np.clip(1.2 - 2.2 * np.abs((x - 0.35) * 0.8 + (y - 0.2) * -0.5), 0.25, 1.2)
    blinds = 1 - 0.4 * (_stripes(size, 1.35, 0.09) > 0.62) * (beam > 0.6)
    base = base * (beam * blinds * (1 - 0.6 * _shadow(r, 6, 1.5)))[..., None]
    lit = _glow(r, (r.labels == LIGHT).astype(np.float32), 3.5)
    return _over(
        _grain(base + p[4] * lit[..., None] * 0.4, rng, 0.035), p[INK], _lines(r, 1.2) * 0.85
    )


def low_poly(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.03)
    size = len(base)
    step = size / 11
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / step
    tri = np.floor(x) * 57.3 + np.floor(y) * 131.7 + ((x % 1) + (y % 1) > 1) * 17.9 + r.shapes * 7.7
    facet = ((np.sin(tri * 12.9898) * 43758.5453) % 1 * 2 - 1).astype(np.float32)
    shaded = base * (1 + 0.13 * facet)[..., None] * _light_and_shade(r, 0.1)[..., None]
    return _over(shaded, p[INK], _lines(r, 0.8) * 0.4)


def papercut(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.05)
    size = len(base)
    deep = np.clip(_shadow(r, max(2, size // 48), size / 90), 0, 1)
    paper = 0.025 * _clouds(size, rng, 50)
    rim = _lines(r, 0.8) * 0.35
    return _over((base + paper[..., None]) * (1 - 0.55 * deep)[..., None], p[4], rim)


def desert_sunset(r: Raster, p: Palette, rng: Rng) -> Picture:
    base = _flat(r, p, rng, 0.05)
    down = _down(base)
    sky = (
        p[3] * np.clip(1 - 2.2 * down, 0, 1)[..., None]
        + p[0] * np.clip(2.2 * down, 0, 1)[..., None]
    )
    base = np.where((r.labels == BACKDROP)[..., None], sky, base)
    dune = 0.06 * np.sin(34 * (down + 0.05 * _clouds(len(base), rng, 4))) * (r.labels == GROUND)
    haze = p[4] * (0.35 * np.exp(-(((down - 0.6) / 0.2) ** 2)))[..., None]
    base = base * (1 + dune)[..., None] * (1 - 0.3 * _shadow(r, 5, 2.0))[..., None]
    return _over(_grain(base * 0.88 + haze * 0.7, rng, 0.015), p[INK], _lines(r, 0.8) * 0.45)


Painter = Callable[[Raster, Palette, Rng], Picture]

PAINTERS: dict[str, Painter] = {
    painter.__name__.replace("_", "-"): painter
    for painter in (
        cyberpunk_neon, pastoral_anime, brutalist_concrete, art_deco, scandinavian, blueprint, ukiyo_e,
        watercolour, pencil_and_ink, stained_glass, pixel_art, pop_art, bauhaus, memphis, gothic, art_nouveau,
        mid_century_modern, industrial_loft, japandi, vaporwave, film_noir, low_poly, papercut, desert_sunset,
    )
}  # fmt: skip


# --- moods: what words may change without changing the style -----------------------------------------------


def _night(picture: Picture, r: Raster, rng: Rng) -> Picture:
    lit = _glow(r, (r.labels == LIGHT).astype(np.float32), 3)
    dark = picture * np.array([0.32, 0.36, 0.55], np.float32)
    return dark + np.array([1.0, 0.82, 0.45], np.float32) * np.clip(lit, 0, 1)[..., None] * 0.75


def _dusk(picture: Picture, r: Raster, rng: Rng) -> Picture:
    down = _down(picture)[..., None]
    tint = (
        np.array([0.72, 0.45, 0.62], np.float32) * (1 - down)
        + np.array([1.12, 0.72, 0.5], np.float32) * down
    )
    return picture * tint


def _warm(picture: Picture, r: Raster, rng: Rng) -> Picture:
    return picture * np.array([1.12, 0.98, 0.76], np.float32) + np.array(
        [0.05, 0.02, 0.0], np.float32
    )


def _cold(picture: Picture, r: Raster, rng: Rng) -> Picture:
    return picture * np.array([0.8, 0.97, 1.14], np.float32) + np.array(
        [0.0, 0.01, 0.05], np.float32
    )


def _snow(picture: Picture, r: Raster, rng: Rng) -> Picture:
    white = np.array([0.95, 0.97, 1.0], np.float32)
    covered = _over(picture * 0.9 + 0.08, white, (r.labels == GROUND).astype(np.float32) * 0.85)
    flakes = (
        cv2.GaussianBlur((rng.random(picture.shape[:2]) > 0.988).astype(np.float32), (0, 0), 0.9)
        * 3
    )
    return _over(covered, white, np.clip(flakes, 0, 0.9))


def _fog(picture: Picture, r: Raster, rng: Rng) -> Picture:
    grey = np.array([0.82, 0.84, 0.86], np.float32)
    return _over(picture, grey, np.clip(0.42 + 0.25 * _clouds(len(picture), rng, 4), 0, 0.8))


MOODS: dict[str, tuple[Callable[[Picture, Raster, Rng], Picture], tuple[str, ...]]] = {
    "night": (
        _night,
        ("at night", "by night, windows lit", "under a dark night sky", "at midnight"),
    ),
    "dusk": (_dusk, ("at dusk", "at sunset", "in the evening", "in twilight")),
    "warm": (_warm, ("warm light", "warmer", "in golden warm tones", "on a warm afternoon")),
    "cold": (_cold, ("cold light", "colder, bluish", "in cool tones", "on a cold morning")),
    "snow": (_snow, ("in the snow", "snow falling", "in winter, snow on the ground", "snowy")),
    "fog": (_fog, ("in fog", "misty", "in morning mist", "hazy and pale")),
}


@dataclass(frozen=True)
class Look:
    """One way of painting: what a reference image shows and a render should share."""

    style: str  # slug of the painter
    palette: Palette  # (6, 3)
    named: bool  # False: a palette outside the library, so the style's words do not describe it


def draw_look(palettes: dict[str, Palette], rng: Rng, named: float = 0.75) -> Look:
    """A random painter with its own palette jittered, or, with probability 1 - `named`, a foreign palette."""
    style = str(rng.choice(list(palettes)))
    own = rng.random() < named
    return Look(style, jitter_palette(palettes[style], rng) if own else random_palette(rng), own)


def paint(raster: Raster, look: Look, rng: Rng, size: int, mood: str | None = None) -> MatLike:
    """Paint `raster` in `look`, let the mood fall on it, and reduce to `size` px: (size, size, 3) uint8."""
    picture = PAINTERS[look.style](raster, look.palette, rng)
    if mood is not None:
        picture = MOODS[mood][0](np.clip(picture, 0, 1), raster, rng)
    full = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return (
        cv2.resize(full, (size, size), interpolation=cv2.INTER_AREA) if len(full) != size else full
    )
