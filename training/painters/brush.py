"""Strokes, fills and textures every hand may use."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from training.painters.palettes import ACCENT, Palette
from training.world import Raster, Rng

Picture = MatLike  # (size, size, 3) floats, 0..1
Plane = MatLike  # (size, size) floats


@dataclass(frozen=True)
class Hand:
    """How one person works in a style: factors, 1 is the style's own measure."""

    line: float = 1.0  # width and strength of outlines
    texture: float = 1.0
    light: float = 1.0  # how much of the raster's shade is used
    grain: float = 1.0


def draw_hand(rng: Rng) -> Hand:
    """A hand near the style's own measure."""
    line, light = np.clip(rng.normal(1, 0.14, 2), (0.75, 0.6), (1.3, 1.4))
    texture, grain = np.clip(rng.normal(0.95, 0.2, 2), 0.4, 1.3)
    return Hand(float(line), float(texture), float(light), float(grain))


# --- planes -----------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x and y of every pixel, 0..1."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    return x, y


@lru_cache(maxsize=64)
def stripes(size: int, angle: float, period: float) -> NDArray[np.float32]:
    """A sine wave 0..1 across the picture; `period` in parts of its width."""
    x, y = grid(size)
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    return (0.5 + 0.5 * wave).astype(np.float32)


@lru_cache(maxsize=8)
def dots(size: int, angle: float, period: float) -> NDArray[np.float32]:
    """Round dots 0..1 on a square lattice."""
    return stripes(size, angle, period) * stripes(size, angle + np.pi / 2, period)


@lru_cache(maxsize=4)
def bricks(size: int, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A running bond: the tone of every brick, -1..1, and its mortar, soft, 0..1."""
    x, y = grid(size)
    row = np.floor(y * rows)
    along = x * rows * 0.45 + 0.5 * (row % 2)
    tone = np.sin(row * 12.9 + np.floor(along) * 78.2)
    bed = np.abs((y * rows) % 1 - 0.5) > 0.38
    head = np.abs(along % 1 - 0.5) > 0.44
    return tone.astype(np.float32), cv2.blur((bed | head).astype(np.float32), (2, 2))


@lru_cache(maxsize=4)
def tiled_floor(size: int) -> NDArray[np.float32]:
    """The soft joints, 0..1, of square tiles that run to the middle of the horizon."""
    x, y = grid(size)
    depth = np.clip(y - 0.35, 0.03, 1)
    joint = np.maximum(np.abs(((x - 0.5) / depth * 2.5) % 1 - 0.5), np.abs((1 / depth) % 1 - 0.5))
    return np.clip(joint * 9 - 3.4, 0, 1)


@lru_cache(maxsize=4)
def facets(size: int) -> NDArray[np.float32]:
    """A number of its own for every triangle of an uneven mesh."""
    x, y = grid(size)
    u, v = x * 8 + 0.35 * np.sin(y * 9), y * 8 + 0.35 * np.sin(x * 7)
    number = np.floor(u) * 57.3 + np.floor(v) * 131.7 + ((u % 1) + (v % 1) > 1) * 17.9
    return number.astype(np.float32)


def clouds(size: int, rng: Rng, cells: int, rows: int | None = None) -> Plane:
    """Smooth noise, mean 0, about -1..1, `cells` blobs across and `rows` down."""
    coarse = rng.standard_normal((rows or cells, cells), np.float32) * 0.5
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def grain(picture: Picture, rng: Rng, amount: float) -> Picture:
    """Fine noise of standard deviation `amount`, alike in all channels."""
    noise = rng.standard_normal(picture.shape[:2], np.float32)
    return picture + (amount * noise)[..., None]


def soft_blur(plane: Plane, sigma: float) -> Plane:
    """A wide blur, made on a smaller picture; `sigma` in px at 256."""
    size = len(plane)
    part = max(1, min(8, int(sigma * size / 256 / 1.5)))
    small = cv2.resize(plane, (size // part, size // part), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.3, sigma * size / 256 / part))
    return cv2.resize(blurred, (size, size), interpolation=cv2.INTER_LINEAR)


def where(raster: Raster, *labels: int) -> Plane:
    """1 where a label is one of `labels`, else 0."""
    table = np.zeros(ACCENT + 1, np.float32)
    table[list(labels)] = 1
    return table[raster.labels]


# --- fills ------------------------------------------------------------------------------------


def flat(raster: Raster, palette: Palette, rng: Rng, spread: float = 0.05) -> Picture:
    """Each shape in its role's colour, a little lighter or darker than its neighbours."""
    tone = 1 + rng.normal(0, spread, int(raster.shapes.max()) + 1).clip(-0.12, 0.12)
    return palette[raster.labels] * tone.astype(np.float32)[raster.shapes][..., None]


def over(picture: Picture, colour: MatLike, cover: Plane) -> Picture:
    """Lay `colour`, one or a picture, over `picture` as far as `cover` says, 0..1."""
    return picture + (colour - picture) * cover[..., None]


def toned(picture: Picture, tone: Plane) -> Picture:
    """Lighter where `tone` is above 0, darker below."""
    return picture * (1 + tone)[..., None]


def lit(
    picture: Picture, raster: Raster, amount: float, skew: tuple[float, float, float] = (0, 0, 0)
) -> Picture:
    """Let the raster's shade fall on `picture`; `skew` makes it stronger in red, green, blue."""
    fall = (raster.shade - 1)[..., None] * (amount * (1 + np.array(skew, np.float32)))
    return picture * np.maximum(1 + fall, 0.12)


def contact(raster: Raster, reach: float) -> Plane:
    """A soft shadow from the upper left, 0..1, deepest at the outline that throws it; `reach` px at 256."""
    size = len(raster.shapes)
    offset = max(1, round(reach * size / 256))
    shapes = raster.shapes.astype(np.int16)
    moved = np.empty_like(shapes)
    moved[offset:, offset:] = shapes[:-offset, :-offset]
    moved[:offset], moved[:, :offset] = shapes[:offset], shapes[:, :offset]
    thrown = (moved > shapes).astype(np.float32)
    blurred = cv2.GaussianBlur(thrown, (0, 0), 0.9 * reach * size / 256)
    return np.where(moved > shapes, blurred, blurred * 0.5).astype(np.float32)


# --- lines ------------------------------------------------------------------------------------


def lines(raster: Raster, hand: Hand, width: float, strength: float = 1.0) -> Plane:
    """Outlines as coverage 0..1, `width` px wide at 256: 1 is a fine pen, 2.5 a brush.

    Not wider, so that both sides lie within 2 px of the outline.
    """
    px = min(width * hand.line, 2.7) * len(raster.edges) / 256
    cover = cv2.GaussianBlur(raster.edges, (0, 0), 0.4 * px) if px > 0.8 else raster.edges
    gain = max(1.0, 1.09 * px) / 255
    return np.minimum(cover * np.float32(gain), 1) * min(1.0, strength * (0.7 + 0.3 * hand.line))


def rim(
    picture: Picture,
    cover: Plane,
    dark: MatLike,
    light: MatLike,
    turn: float = 0.42,
) -> Picture:
    """Draw lines `light` where the darker side is below `turn`, else `dark`."""
    size = len(picture)
    small = cv2.resize(picture, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(np.clip(small, 0, 1).astype(np.float32), cv2.COLOR_RGB2GRAY)
    darker = cv2.blur(cv2.erode(grey, np.ones((3, 3), np.uint8)), (3, 3))
    level = cv2.resize(darker, (size, size), interpolation=cv2.INTER_LINEAR)
    pick = np.clip((turn - level) * 12 + 0.5, 0, 1)[..., None]
    return over(picture, dark + (light - dark) * pick, cover)


def clear_turn(palette: Palette, turn: float) -> float:
    """The brightness near `turn` that lies farthest from every role's, so that lines change between areas."""
    grey = palette[:5] @ np.array([0.299, 0.587, 0.114], np.float32)
    tries = turn + np.linspace(-0.16, 0.16, 17)
    gaps = np.abs(tries[:, None] - grey).min(1) - 0.25 * np.abs(tries - turn)
    return float(tries[gaps.argmax()])


def pen(palette: Palette, ground: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ink or light, whichever stands out more from `ground`."""
    ink, light = palette[5], palette[4]
    return ink if np.abs(ink - ground).sum() >= np.abs(light - ground).sum() else light
