"""Palettes: (7, 3) floats, the six colours of `style.toml` and the accent.

Rows: backdrop, ground, main, second, light, ink, accent. The accent is the colour of a part that
the words name, as in "a red door".
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.world import Rng

Palette = NDArray[np.float32]
INK, ACCENT = 5, 6

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.84, 0.11, 0.12),
    "orange": (0.96, 0.50, 0.08),
    "yellow": (0.98, 0.83, 0.12),
    "green": (0.13, 0.60, 0.24),
    "blue": (0.10, 0.34, 0.84),
    "purple": (0.50, 0.18, 0.68),
    "pink": (0.98, 0.48, 0.70),
    "white": (0.97, 0.97, 0.96),
    "black": (0.06, 0.06, 0.07),
}


def parse_palette(colours: tuple[str, ...]) -> Palette:
    """`#rrggbb` strings to floats; six colours get the second role's for an accent."""
    rows = [[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours]
    return np.array(rows if len(rows) > ACCENT else [*rows, rows[3]], np.float32)


def accented(palette: Palette, colour: str) -> Palette:
    """`palette` with a plain colour of `COLOURS` for its accent, drawn a little toward its own colours."""
    accent = cv2.cvtColor(np.array([[COLOURS[colour]]], np.float32), cv2.COLOR_RGB2HSV)
    own = cv2.cvtColor(palette[None, 1:5], cv2.COLOR_RGB2HSV)[0]
    accent[..., 1] *= 0.8 + 0.2 * own[:, 1].max()
    accent[..., 2] *= 0.88 + 0.12 * own[:, 2].max()
    rows = palette.copy()
    rows[ACCENT] = cv2.cvtColor(accent, cv2.COLOR_HSV2RGB)[0, 0]
    return rows


def jitter_palette(palette: Palette, rng: Rng, amount: float = 1.0) -> Palette:
    """Vary hue, saturation and value a little, as one designer's hand differs from another's."""
    hsv = cv2.cvtColor(palette[None], cv2.COLOR_RGB2HSV)[0]
    hsv[:, 0] = (hsv[:, 0] + amount * rng.normal(0, 7) + amount * rng.normal(0, 4, len(hsv))) % 360
    hsv[:, 1] = np.clip(hsv[:, 1] * (1 + amount * rng.uniform(-0.25, 0.2)), 0, 1)
    hsv[:, 2] = np.clip(hsv[:, 2] * (1 + amount * rng.uniform(-0.14, 0.12)), 0, 1)
    return cv2.cvtColor(hsv[None].astype(np.float32), cv2.COLOR_HSV2RGB)[0]


# Hue steps of the roles backdrop, ground, main, second, light, ink, accent; saturation; values of the
# five roles, the middle three in any order; value of the ink.
_HARMONIES: dict[
    str, tuple[tuple[int, ...], tuple[float, float], tuple[float, float], tuple[float, float]]
] = {
    "monochrome": ((0, 0, 0, 0, 0, 0, 180), (0.15, 0.75), (0.34, 0.9), (0.04, 0.12)),
    "analogous": ((0, 25, 50, -25, 30, 0, 180), (0.3, 0.8), (0.36, 0.9), (0.05, 0.14)),
    "complementary": ((0, 10, 180, 190, 20, 200, 60), (0.35, 0.85), (0.36, 0.9), (0.05, 0.14)),
    "triadic": ((0, 0, 120, 240, 60, 240, 180), (0.4, 0.8), (0.42, 0.9), (0.05, 0.14)),
    "pastel": ((0, 90, 200, 280, 50, 260, 330), (0.12, 0.42), (0.62, 0.95), (0.2, 0.35)),
    "neon": ((0, 20, -20, 130, 180, 0, 60), (0.6, 1.0), (0.12, 0.45), (0.02, 0.06)),
    "earth": ((35, 28, 18, 95, 45, 25, 200), (0.2, 0.65), (0.36, 0.82), (0.06, 0.13)),
}


def random_palette(rng: Rng, dark: bool = True) -> Palette:
    """A palette outside every named style, in one of several harmonies, with contrast enough to read.

    Without `dark` every role is clearly brighter than the ink.
    """
    name = str(rng.choice([name for name in _HARMONIES if dark or name != "neon"]))
    steps, saturation, values, ink = _HARMONIES[name]
    turn = rng.normal(0, 6) if name == "earth" else rng.uniform(0, 360)
    hsv = np.empty((ACCENT + 1, 3), np.float32)
    hsv[:, 0] = (np.array(steps) * rng.choice([-1, 1]) + turn + rng.normal(0, 8, 7)) % 360
    if name == "earth":
        hsv[:, 0] = (np.array(steps) + turn + rng.normal(0, 5, 7)) % 360
    hsv[:, 1] = rng.uniform(*saturation, 7)
    low, high = values
    hsv[1:4, 2] = rng.permutation(np.linspace(low, high, 3)) + rng.uniform(-0.05, 0.05, 3)
    hsv[0, 2] = low * 0.8 if name == "neon" else rng.choice([rng.uniform(0.8, 0.98), low])
    hsv[0, 1] *= 0.6 if hsv[0, 2] > 0.6 else 1
    hsv[4, 1:] = rng.uniform(0.05, 0.4) * (2 if name == "neon" else 1), rng.uniform(0.9, 1)
    hsv[5, 2] = rng.uniform(*ink)
    hsv[6, 1:] = rng.uniform(0.7, 0.9), rng.uniform(0.75, 0.95)
    return cv2.cvtColor(np.clip(hsv, 0, (360, 1, 1)).astype(np.float32)[None], cv2.COLOR_HSV2RGB)[0]
