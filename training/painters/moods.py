"""Moods: what words may change of a picture without changing its style."""

import tomllib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.painters.brush import Picture, Plane, clouds, grid, over, soft_blur, where
from training.painters.palettes import ACCENT
from training.world import BACKDROP, GROUND, LIGHT, Raster, Rng

PHRASES = Path(__file__).parents[1] / "phrases/moods.toml"


def _rgb(red: float, green: float, blue: float) -> NDArray[np.float32]:
    return np.array([red, green, blue], np.float32)


def _specks(size: int, rng: Rng, share: float) -> Plane:
    """Small soft flakes, 0..1, on `share` of a lattice of 2 px."""
    coarse = (rng.random((size // 2, size // 2), np.float32) < share).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)


def _clear(picture: Picture, before: Picture, raster: Raster, amount: float) -> Picture:
    """Give the outlines of `picture` back some of the contrast that they had `before`."""
    line = cv2.GaussianBlur(raster.edges, (0, 0), 0.9).astype(np.float32) * (1.8 / 255)
    detail = before - cv2.blur(before, (7, 7))
    return picture + detail * (np.clip(line, 0, 1) * amount)[..., None]


def _open(raster: Raster) -> float:
    """How much of what falls is seen: 1 where the backdrop reaches the top, as a sky does."""
    share = float((raster.labels[: len(raster.labels) // 24 + 1] == BACKDROP).mean())
    return 1.0 if share > 0.3 else 0.25


def _night(picture: Picture, r: Raster, rng: Rng) -> Picture:
    _, y = grid(len(picture))
    dark = picture * _rgb(0.3, 0.35, 0.52) + _rgb(0.0, 0.005, 0.045)
    if _open(r) == 1:
        stars = _specks(len(picture), rng, 0.008) * where(r, BACKDROP) * np.clip(0.9 - y, 0, 1)
        dark = dark + stars[..., None] * 0.32
    lamp = where(r, LIGHT)
    glow = soft_blur(lamp, 5) * 0.35 + lamp * 0.3
    return _clear(dark + _rgb(1.0, 0.8, 0.42) * glow[..., None], picture, r, 0.45)


def _dusk(picture: Picture, r: Raster, rng: Rng) -> Picture:
    down = np.clip(grid(len(picture))[1] * 1.15, 0, 1)[..., None]
    tint = _rgb(0.56, 0.4, 0.68) * (1 - down) + _rgb(1.08, 0.66, 0.5) * down
    glow = (_rgb(0.26, 0.1, 0.05) * (down * (1.1 - down) * 2)) * where(r, BACKDROP)[..., None]
    return _clear(picture * tint + glow, picture, r, 0.3)


def _warm(picture: Picture, r: Raster, rng: Rng) -> Picture:
    return picture * _rgb(1.06, 0.92, 0.62) + _rgb(0.08, 0.035, 0.0)


def _cold(picture: Picture, r: Raster, rng: Rng) -> Picture:
    return picture * _rgb(0.68, 0.89, 1.0) + _rgb(0.0, 0.03, 0.1)


def _snow(picture: Picture, r: Raster, rng: Rng) -> Picture:
    white = _rgb(0.95, 0.97, 1.0)
    size = len(picture)
    line = np.minimum(cv2.GaussianBlur(r.edges, (0, 0), 0.8).astype(np.float32) / 110, 1)
    cover = where(r, GROUND) * 0.86
    drift = _rgb(0.9, 0.94, 1.0) + 0.03 * clouds(size, rng, 7)[..., None]
    covered = over(picture * _rgb(0.84, 0.9, 0.96) + 0.08, drift, cover)
    covered = over(covered, _rgb(0.3, 0.36, 0.46), line * cv2.blur(cover, (5, 5)) * 0.9)
    flakes = _specks(size, rng, 0.02) * (0.42 * _open(r)) * (1 - line)
    return over(covered, white, np.clip(flakes, 0, 0.9))


def _fog(picture: Picture, r: Raster, rng: Rng) -> Picture:
    _, y = grid(len(picture))
    far = 0.5 + 0.22 * clouds(len(picture), rng, 3) + 0.12 * np.cos((y - 0.55) * 5)
    veiled = over(picture, _rgb(0.83, 0.85, 0.87), np.clip(far, 0.25, 0.74))
    return _clear(veiled, picture, r, 0.18)


def _rain(picture: Picture, r: Raster, rng: Rng) -> Picture:
    size = len(picture)
    grey = picture.mean(2, keepdims=True)
    dim = (picture * 0.62 + grey * 0.38) * _rgb(0.66, 0.75, 0.84)
    drops = (rng.random((size // 10, size // 2), np.float32) < 0.1).astype(np.float32)
    streaks = cv2.resize(drops, (size, size), interpolation=cv2.INTER_LINEAR)
    slant = np.array([[1, -0.22, 0.11 * size], [0, 1, 0]], np.float32)
    streaks = cv2.warpAffine(streaks, slant, (size, size), borderMode=cv2.BORDER_WRAP)
    wet = cv2.flip(cv2.blur(dim, (3, size // 6)), 0) * where(r, GROUND)[..., None]
    dim = dim + 0.18 * wet + _rgb(0.07, 0.08, 0.09) * (streaks * _open(r))[..., None]
    return _clear(dim, picture, r, 0.25)


def _sunny(picture: Picture, r: Raster, rng: Rng) -> Picture:
    x, y = grid(len(picture))
    bright = np.clip(picture, 0, 1) ** 0.72
    mean = bright.mean(2, keepdims=True)
    vivid = mean + (bright - mean) * 1.25
    beam = np.clip(0.9 - 0.9 * np.hypot(x - 0.12, y), 0, 1) * (1 - where(r, ACCENT))
    return vivid * _rgb(1.03, 1.0, 0.9) + _rgb(0.3, 0.24, 0.08) * (beam * 0.55)[..., None]


def _grown(picture: Picture, r: Raster, colour: NDArray[np.float32], amount: float) -> Picture:
    """Turn the ground and what grows on it toward `colour`, keeping its light and its lines."""
    grey = cv2.cvtColor(np.clip(picture, 0, 1).astype(np.float32), cv2.COLOR_RGB2GRAY)
    shade = np.clip(grey * 1.1 + 0.12, 0, 0.95)[..., None]
    return over(picture, colour * shade, where(r, GROUND) * amount)


def _autumn(picture: Picture, r: Raster, rng: Rng) -> Picture:
    size = len(picture)
    turned = _grown(picture, r, _rgb(0.95, 0.5, 0.16), 0.72) * _rgb(1.02, 0.9, 0.72)
    leaves = _specks(size, rng, 0.006) * where(r, BACKDROP, GROUND)
    return over(turned + _rgb(0.04, 0.015, 0), _rgb(0.75, 0.28, 0.06), leaves * 0.4)


def _spring(picture: Picture, r: Raster, rng: Rng) -> Picture:
    size = len(picture)
    fresh = _grown(picture, r, _rgb(0.55, 0.88, 0.36), 0.68)
    fresh = np.clip(fresh, 0, 1) ** 0.86 * _rgb(0.98, 1.0, 0.95) + _rgb(0.02, 0.03, 0.02)
    petals = _specks(size, rng, 0.012) * where(r, BACKDROP, GROUND)
    return over(fresh, _rgb(1.0, 0.7, 0.82), petals * 0.3)


@lru_cache(maxsize=1)
def _phrases() -> dict[str, dict[str, list[str]]]:
    with PHRASES.open("rb") as file:
        return tomllib.load(file)


def mood_words(mood: str, rng: Rng, held_out: bool = False) -> str:
    """One written phrase for a mood; the held-out ones are never trained on."""
    phrases = _phrases()[mood]["held_out" if held_out else "train"]
    return phrases[rng.integers(len(phrases))]


MOODS: dict[str, tuple[Callable[[Picture, Raster, Rng], Picture], tuple[str, ...]]] = {
    mood.__name__.removeprefix("_"): (
        mood,
        tuple(_phrases()[mood.__name__.removeprefix("_")]["train"]),
    )
    for mood in (_night, _dusk, _warm, _cold, _snow, _fog, _rain, _sunny, _autumn, _spring)
}
