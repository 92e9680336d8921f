"""Pure forms: letters, discs and bands, blobs, curves, patterns."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.world.nature import FAR
from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    SECOND,
    Rng,
    Scene,
    flowing,
    ribbon,
    rounded,
)

STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(0, 0), (0.35, 1), (0.7, 0)], [(0.13, 0.33), (0.57, 0.33)]],
    "E": [[(0.6, 1), (0, 1), (0, 0), (0.6, 0)], [(0, 0.5), (0.5, 0.5)]],
    "F": [[(0.6, 1), (0, 1), (0, 0)], [(0, 0.5), (0.48, 0.5)]],
    "H": [[(0, 0), (0, 1)], [(0.6, 0), (0.6, 1)], [(0, 0.5), (0.6, 0.5)]],
    "K": [[(0, 0), (0, 1)], [(0.6, 1), (0, 0.45), (0.6, 0)]],
    "L": [[(0, 1), (0, 0), (0.55, 0)]],
    "M": [[(0, 0), (0, 1), (0.4, 0.3), (0.8, 1), (0.8, 0)]],
    "N": [[(0, 0), (0, 1), (0.6, 0), (0.6, 1)]],
    "T": [[(0, 1), (0.7, 1)], [(0.35, 1), (0.35, 0)]],
    "V": [[(0, 1), (0.35, 0), (0.7, 1)]],
    "Z": [[(0, 1), (0.6, 1), (0, 0), (0.6, 0)]],
}


def _page(scene: Scene, rng: Rng) -> None:
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.15, lift=0)
    if rng.random() < 0.35:
        y = rng.uniform(0.45, 0.75)
        scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0)


def lettering(rng: Rng) -> Scene:
    """One to four capital letters, perhaps over a disc or a band."""
    scene = Scene("lettering")
    _page(scene, rng)
    under = BACKDROP
    if rng.random() < 0.6:
        under = SECOND
        if rng.random() < 0.5:
            scene.oval(0.5, 0.5, 0.4, 0.4, SECOND, lift=0.5, name="disc")
        else:
            scene.rect(0.06, 0.22, 0.94, 0.78, SECOND, lift=0.5, name="sign")
    count = int(rng.integers(1, 4))
    height = {1: 0.55, 2: 0.42, 3: 0.29}[count]
    step = height * 1.02
    width = rng.uniform(0.16, 0.26)
    for i, letter in enumerate(rng.choice(list(STROKES), count)):
        place = np.array([0.5 + (i - count / 2) * step + 0.12 * height, 0.5 + height / 2])
        for outline, hole in _letter(str(letter), width):
            placed = outline * (height, -height) + place
            if hole:
                scene.add(placed, under, lift=1)
            else:
                scene.add(placed, MAIN, lift=1, name="letters")
    return scene


def _letter(letter: str, width: float) -> list[tuple[NDArray[np.float64], bool]]:
    """The outlines of a letter 1 high, strokes `width` thick, each with whether it is a hole."""
    scale, margin = 200, 40
    mask = np.zeros((scale + 2 * margin, scale + 2 * margin), np.uint8)
    for stroke in STROKES[letter]:
        points = np.round(np.array(stroke) * scale + margin).astype(np.int32)
        cv2.polylines(mask, [points], False, 1, round(width * scale))
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [
        ((cv2.approxPolyDP(contour, 2, True)[:, 0] - margin) / scale, bool(parent >= 0))
        for contour, (_, _, _, parent) in zip(contours, tree[0], strict=True)
    ]


def composition(rng: Rng) -> Scene:
    """Discs, bars, triangles and half discs over each other."""
    scene = Scene("composition")
    _page(scene, rng)
    turn = np.linspace(0, np.pi, 24)
    for level in range(int(rng.integers(4, 9))):
        label = int(rng.integers(1, 5))
        x, y = rng.uniform(0.12, 0.88, 2)
        size, angle = (
            rng.uniform(0.1, 0.26),
            rng.choice([0, np.pi / 4, np.pi / 2, rng.uniform(0, 3)]),
        )
        kind = rng.integers(5)
        if kind == 0:
            scene.oval(
                x,
                y,
                size,
                size,
                label,
                lift=0.5 + 0.3 * level,
                curve=rng.choice([0, 0.8]),
                name="disc",
            )
            if rng.random() < 0.3:
                scene.oval(x, y, 0.6 * size, 0.6 * size, BACKDROP, lift=0.5 + 0.3 * level)
            continue
        form = {
            1: np.array([(-1.6, -0.3), (1.6, -0.3), (1.6, 0.3), (-1.6, 0.3)]),
            2: np.array([(-1, 0.8), (1, 0.8), (0, -0.9)]),
            3: np.stack([np.cos(turn), np.sin(turn) - 0.4], 1),
            4: np.array([(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]),
        }[int(kind)]
        rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        noun = ("", "bar", "triangle", "half disc", "square")[int(kind)]
        scene.add(form * size @ rotate + (x, y), label, lift=0.5 + 0.3 * level, name=noun)
    return scene


def blobs(rng: Rng) -> Scene:
    """Smooth blobs, some inside others."""
    scene = Scene("blobs")
    _page(scene, rng)
    for level in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(0.15, 0.85, 2)
        count = int(rng.integers(5, 9))
        turn = np.sort(
            np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(-0.2, 0.2, count)
        )
        reach = rng.uniform(0.12, 0.3) * rng.uniform(0.6, 1.3, count)
        outline = np.stack([x + reach * np.cos(turn), y + reach * np.sin(turn)], 1)
        curve = float(rng.choice([0, 0.8]))
        scene.add(
            rounded(outline),
            int(rng.integers(1, 5)),
            lift=0.5 + 0.3 * level,
            curve=curve,
            name="blob",
        )
        if rng.random() < 0.4:
            inner = (outline - (x, y)) * 0.5 + (x, y)
            scene.add(rounded(inner), int(rng.integers(0, 5)), lift=0.5 + 0.3 * level)
    return scene


def ribbons(rng: Rng) -> Scene:
    """Curved bands that sweep across each other."""
    scene = Scene("ribbons")
    _page(scene, rng)
    for level in range(int(rng.integers(2, 6))):
        start, end = rng.uniform(-0.2, 1.2, 2)
        inner = np.stack([rng.uniform(0.0, 1.0, 3), [0.25, 0.5, 0.75]], 1)
        line = np.concatenate([[[start, -0.2]], inner, [[end, 1.2]]])
        if rng.random() < 0.5:
            line = line[:, ::-1]
        width = (rng.uniform(0.04, 0.16), rng.uniform(0.04, 0.16))
        scene.add(
            ribbon(flowing(line, 4), width),
            int(rng.integers(1, 5)),
            lift=0.5 + 0.5 * level,
            name="ribbon",
        )
    return scene


def tiles(rng: Rng) -> Scene:
    """A pattern of tiles: squares cut by diagonals, quarter discs or dots."""
    scene = Scene("tiles")
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, lift=0)
    count = int(rng.integers(3, 5))
    cell = 1 / count
    motif = rng.choice(4, 2, replace=False)
    for row in range(-1, count + 1):
        for col in range(-1, count + 1):
            x, y = col * cell, row * cell
            label = (MAIN, SECOND)[(row + col) % 2]
            kind, quarter = int(rng.choice(motif)), int(rng.integers(4))
            scene.rect(x, y, x + cell, y + cell, label if kind else BACKDROP, lift=0)
            corners = [(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)]
            if kind == 1:
                scene.add(
                    [corners[(quarter + i) % 4] for i in range(3)], LIGHT, lift=0, name="triangles"
                )
            elif kind == 2:
                cx, cy = corners[quarter]
                start = (0.0, 0.5, 1.0, 1.5)[quarter] * np.pi
                turn = np.linspace(start, start + np.pi / 2, 14)
                fan = np.stack([cx + cell * np.cos(turn), cy + cell * np.sin(turn)], 1)
                scene.add(np.concatenate([[[cx, cy]], fan]), LIGHT, lift=0, name="fans")
            elif kind == 3:
                scene.oval(
                    x + cell / 2,
                    y + cell / 2,
                    0.32 * cell,
                    0.32 * cell,
                    LIGHT,
                    lift=0.4,
                    name="dots",
                )
    return scene
