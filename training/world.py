"""The procedural world: scenes as labelled polygons, drawn from one random generator.

A scene is a list of shapes painted back to front. Its edge map is what a careful draughtsman would draw: every
visible outline, nothing hidden. Labels are the roles of a palette, in the order of `style.toml`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

BACKDROP, GROUND, MAIN, SECOND, LIGHT = range(5)

Points = list[tuple[float, float]]
Rng = np.random.Generator


@dataclass
class Scene:
    """Shapes in unit coordinates (x right, y down, 0..1), back to front, and a few words for what is seen."""

    words: str
    shapes: list[tuple[NDArray[np.float32], int]] = field(default_factory=list)

    def add(self, points: Points | NDArray[np.float32], label: int) -> None:
        self.shapes.append((np.asarray(points, np.float32), label))

    def rect(self, x0: float, y0: float, x1: float, y1: float, label: int) -> None:
        self.add([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], label)

    def oval(self, x: float, y: float, rx: float, ry: float, label: int) -> None:
        turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        self.add(
            np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], 1).astype(np.float32), label
        )


@dataclass(frozen=True)
class Raster:
    """A scene as pixels."""

    labels: NDArray[np.uint8]  # (size, size), 0..4
    shapes: NDArray[np.int32]  # (size, size), index of the visible shape, from 0
    edges: NDArray[np.uint8]  # (size, size), 0..255, white lines on black


def rasterise(scene: Scene, size: int, line_width: int = 1) -> Raster:
    """Paint the scene's labels, shape indices and visible outlines at `size` px."""
    labels = np.zeros((size, size), np.uint8)
    shapes = np.zeros((size, size), np.int32)
    edges = np.zeros((size, size), np.uint8)
    for index, (points, label) in enumerate(scene.shapes, start=1):
        fixed = np.round(points * size * 16).astype(np.int32)
        cv2.fillPoly(labels, [fixed], label, shift=4)
        cv2.fillPoly(shapes, [fixed], index, shift=4)
        cv2.fillPoly(edges, [fixed], 0, shift=4)
        cv2.polylines(edges, [fixed], True, 255, line_width, cv2.LINE_AA, shift=4)
    return Raster(labels, shapes, edges)


def wobble(scene: Scene, rng: Rng, amount: float) -> Scene:
    """Redraw every outline by an unsteady hand: `amount` in parts of the picture's width."""
    shaky = Scene(scene.words)
    for points, label in scene.shapes:
        following = np.roll(points, -1, axis=0)
        parts = np.linspace(0, 1, 6, endpoint=False, dtype=np.float32)[None, :, None]
        dense = (points[:, None] * (1 - parts) + following[:, None] * parts).reshape(-1, 2)
        noise = rng.normal(0, 1, dense.shape)
        smooth = (noise + np.roll(noise, 1, 0) + np.roll(noise, 2, 0) + np.roll(noise, 3, 0)) / 2
        shaky.add((dense + amount * smooth).astype(np.float32), label)
    return shaky


def _horizon(scene: Scene, rng: Rng, low: float = 0.6, high: float = 0.85) -> float:
    y = float(rng.uniform(low, high))
    scene.rect(-0.1, -0.1, 1.1, 1.1, BACKDROP)
    if rng.random() < 0.5:
        r = rng.uniform(0.05, 0.11)
        scene.oval(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.35), r, r, LIGHT)
    scene.rect(-0.1, y, 1.1, 1.2, GROUND)
    return y


def _windows(
    scene: Scene, rng: Rng, box: tuple[float, float, float, float], cols: int, rows: int
) -> None:
    x0, y0, x1, y1 = box
    w, h = (x1 - x0) / cols, (y1 - y0) / rows
    fill = rng.uniform(0.45, 0.7)
    arched = rng.random() < 0.25
    for row in range(rows):
        for col in range(cols):
            cx, cy = x0 + (col + 0.5) * w, y0 + (row + 0.5) * h
            half_w, half_h = fill * w / 2, fill * h / 2
            if arched:
                turn = np.linspace(np.pi, 2 * np.pi, 8)
                top = np.stack(
                    [cx + half_w * np.cos(turn), cy - half_h * 0.3 + half_w * np.sin(turn)], 1
                )
                foot = np.array([[cx + half_w, cy + half_h], [cx - half_w, cy + half_h]])
                scene.add(np.concatenate([top, foot]).astype(np.float32), LIGHT)
            else:
                scene.rect(cx - half_w, cy - half_h, cx + half_w, cy + half_h, LIGHT)


def _tree(scene: Scene, rng: Rng, x: float, foot: float, height: float) -> None:
    trunk = height * rng.uniform(0.05, 0.09)
    scene.rect(x - trunk, foot - 0.5 * height, x + trunk, foot, SECOND)
    if rng.random() < 0.4:
        for part in range(3):
            top, base = foot - height * (1 - 0.2 * part), foot - height * (0.55 - 0.2 * part)
            half = height * (0.2 + 0.06 * part)
            scene.add([(x, top), (x + half, base), (x - half, base)], GROUND)
    else:
        scene.oval(x, foot - 0.68 * height, 0.28 * height, 0.34 * height, GROUND)


def house(rng: Rng) -> Scene:
    """A house with a gable or flat roof, a door, windows, perhaps a chimney and trees."""
    scene = Scene(
        str(rng.choice(["a house", "a small house with a garden", "a cottage", "a villa"]))
    )
    y = _horizon(scene, rng)
    width, height = rng.uniform(0.35, 0.6), rng.uniform(0.22, 0.42)
    x0 = rng.uniform(0.08, 0.92 - width)
    foot, top = y + rng.uniform(0.0, 0.08), y - height
    if rng.random() < 0.4:
        _tree(scene, rng, x0 - 0.05, foot, rng.uniform(0.3, 0.5))
    if rng.random() < 0.5:
        cx = x0 + width * rng.uniform(0.6, 0.85)
        scene.rect(cx, top - rng.uniform(0.12, 0.22), cx + 0.06, top + 0.02, MAIN)
    scene.rect(x0, top, x0 + width, foot, MAIN)
    over = rng.uniform(0.02, 0.06)
    rise = rng.uniform(0.1, 0.24)
    if rng.random() < 0.75:
        peak = x0 + width * rng.uniform(0.35, 0.65)
        scene.add([(x0 - over, top), (peak, top - rise), (x0 + width + over, top)], SECOND)
    else:
        scene.rect(x0 - over, top - 0.05, x0 + width + over, top + 0.01, SECOND)
    door = x0 + width * rng.uniform(0.1, 0.75)
    scene.rect(door, foot - height * 0.5, door + width * 0.16, foot, SECOND)
    _windows(scene, rng, (x0, top, x0 + width, top + 0.5 * height), int(rng.integers(2, 5)), 1)
    if rng.random() < 0.5:
        _tree(scene, rng, x0 + width + 0.08, foot + 0.03, rng.uniform(0.3, 0.5))
    return scene


def skyline(rng: Rng) -> Scene:
    """Towers side by side, some in front of others."""
    scene = Scene(
        str(rng.choice(["a city skyline", "a street of tall buildings", "towers downtown"]))
    )
    y = _horizon(scene, rng, 0.75, 0.92)
    for depth in range(2):
        x = rng.uniform(-0.1, 0.05)
        while x < 1.0:
            width = rng.uniform(0.12, 0.26)
            top = y - rng.uniform(0.3, 0.7) * (1 - 0.3 * depth)
            scene.rect(x, top, x + width, y + 0.02 * depth, MAIN if depth else SECOND)
            if rng.random() < 0.3:
                scene.add([(x, top), (x + width / 2, top - 0.1), (x + width, top)], SECOND)
            if depth:
                rows = max(2, int((y - top) / 0.1))
                _windows(scene, rng, (x, top, x + width, y), int(rng.integers(2, 4)), rows)
            x += width + rng.uniform(0.0, 0.06) + (0.1 if depth else 0.0)
    return scene


def facade(rng: Rng) -> Scene:
    """A front seen straight on: storeys, windows, a portal, a cornice."""
    scene = Scene(str(rng.choice(["a hotel facade", "an old theatre front", "a townhouse facade"])))
    y = _horizon(scene, rng, 0.82, 0.93)
    x0, x1, top = rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95), rng.uniform(0.1, 0.25)
    scene.rect(x0, top, x1, y, MAIN)
    scene.rect(x0 - 0.03, top - 0.05, x1 + 0.03, top + 0.02, SECOND)
    rows, cols = int(rng.integers(2, 4)), int(rng.integers(3, 6))
    _windows(scene, rng, (x0, top + 0.03, x1, y - 0.25), cols, rows)
    mid = (x0 + x1) / 2
    scene.rect(mid - 0.13, y - 0.22, mid + 0.13, y, SECOND)
    scene.rect(mid - 0.08, y - 0.17, mid + 0.08, y, LIGHT)
    if rng.random() < 0.5:
        for x in np.linspace(x0, x1, cols + 1):
            scene.rect(x - 0.012, top + 0.02, x + 0.012, y, SECOND)
    return scene


def _lerp(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)


def room(rng: Rng) -> Scene:
    """An interior in one-point perspective with windows, a door or picture, and furniture."""
    scene = Scene(
        str(
            rng.choice(
                ["a living room", "a hotel lobby", "a bedroom", "a reading room", "an office"]
            )
        )
    )
    bx0, bx1 = rng.uniform(0.18, 0.35), rng.uniform(0.65, 0.82)
    by0, by1 = rng.uniform(0.18, 0.32), rng.uniform(0.6, 0.72)
    scene.rect(bx0, by0, bx1, by1, BACKDROP)
    scene.add([(-0.1, 1.1), (1.1, 1.1), (bx1, by1), (bx0, by1)], GROUND)
    scene.add([(-0.1, -0.1), (1.1, -0.1), (bx1, by0), (bx0, by0)], LIGHT)
    scene.add([(-0.1, -0.1), (bx0, by0), (bx0, by1), (-0.1, 1.1)], MAIN)
    scene.add([(1.1, -0.1), (bx1, by0), (bx1, by1), (1.1, 1.1)], MAIN)
    for x, back in ((-0.1, bx0), (1.1, bx1)):
        for t in np.linspace(0.25, 0.8, int(rng.integers(1, 3))):
            far = min(t + 0.18, 0.95)
            a, b = _lerp((x, -0.1), (back, by0), t), _lerp((x, -0.1), (back, by0), far)
            c, d = _lerp((x, 1.1), (back, by1), t), _lerp((x, 1.1), (back, by1), far)
            scene.add(
                [_lerp(a, c, 0.25), _lerp(b, d, 0.25), _lerp(b, d, 0.6), _lerp(a, c, 0.6)], LIGHT
            )
    if rng.random() < 0.7:
        cx = rng.uniform(bx0 + 0.1, bx1 - 0.1)
        scene.rect(cx - 0.06, by0 + 0.06, cx + 0.06, by0 + 0.2, SECOND)
    else:
        _windows(scene, rng, (bx0, by0, bx1, by1), int(rng.integers(2, 4)), 1)
    if rng.random() < 0.6:
        x = rng.uniform(0.35, 0.65)
        scene.rect(x - 0.003, -0.1, x + 0.003, 0.12, SECOND)
        scene.add([(x - 0.03, 0.12), (x + 0.03, 0.12), (x + 0.08, 0.2), (x - 0.08, 0.2)], LIGHT)
    for _ in range(int(rng.integers(1, 3))):
        kind = rng.integers(3)
        x, foot = rng.uniform(0.2, 0.65), rng.uniform(0.78, 0.92)
        if kind == 0:
            _sofa(scene, rng, x, foot)
        elif kind == 1:
            _table(scene, rng, x, foot)
        else:
            _plant(scene, rng, x, foot)
    return scene


def _sofa(scene: Scene, rng: Rng, x: float, foot: float) -> None:
    w, h = rng.uniform(0.25, 0.35), rng.uniform(0.13, 0.18)
    scene.rect(x, foot - h, x + w, foot - 0.02, SECOND)
    scene.rect(x - 0.03, foot - h * 0.65, x + 0.03, foot, SECOND)
    scene.rect(x + w - 0.03, foot - h * 0.65, x + w + 0.03, foot, SECOND)
    scene.rect(x + 0.03, foot - h * 0.45, x + w - 0.03, foot - 0.02, MAIN)


def _table(scene: Scene, rng: Rng, x: float, foot: float) -> None:
    w, h = rng.uniform(0.2, 0.32), rng.uniform(0.12, 0.2)
    for leg in (0.03, w - 0.05):
        scene.rect(x + leg, foot - h, x + leg + 0.02, foot, SECOND)
    scene.add(
        [
            (x, foot - h),
            (x + 0.04, foot - h - 0.05),
            (x + w - 0.04, foot - h - 0.05),
            (x + w, foot - h),
        ],
        MAIN,
    )
    scene.rect(x, foot - h, x + w, foot - h + 0.025, SECOND)


def _plant(scene: Scene, rng: Rng, x: float, foot: float) -> None:
    for angle in np.linspace(-0.9, 0.9, int(rng.integers(4, 7))):
        tip = (x + 0.18 * np.sin(angle), foot - 0.1 - 0.2 * np.cos(angle))
        side = 0.025
        scene.add(
            [
                (x, foot - 0.1),
                ((x + tip[0]) / 2 - side, (foot - 0.1 + tip[1]) / 2),
                tip,
                ((x + tip[0]) / 2 + side, (foot - 0.1 + tip[1]) / 2),
            ],
            GROUND,
        )
    scene.add(
        [(x - 0.05, foot - 0.1), (x + 0.05, foot - 0.1), (x + 0.035, foot), (x - 0.035, foot)],
        SECOND,
    )


def street(rng: Rng) -> Scene:
    """A street in one-point perspective between two rows of buildings."""
    scene = Scene(
        str(rng.choice(["a street", "an alley between shops", "an avenue in perspective"]))
    )
    scene.rect(-0.1, -0.1, 1.1, 1.1, BACKDROP)
    vx, vy = rng.uniform(0.38, 0.62), rng.uniform(0.5, 0.62)
    scene.add([(-0.3, 1.1), (1.3, 1.1), (vx, vy)], GROUND)
    for side in (-0.1, 1.1):
        ends = [0.0, *np.sort(rng.uniform(0.15, 0.8, 2)), 0.88]
        for near, far in reversed(list(pairwise(ends))):
            lift = rng.uniform(-0.25, 0.2)
            a, b = _lerp((side, lift), (vx, vy), near), _lerp((side, lift), (vx, vy), far)
            c, d = _lerp((side, 1.0), (vx, vy), near), _lerp((side, 1.0), (vx, vy), far)
            scene.add([a, b, d, c], MAIN if rng.random() < 0.6 else SECOND)
            for s in np.linspace(0.2, 0.8, int(rng.integers(2, 4))):
                p, q = _lerp(a, b, s - 0.09), _lerp(a, b, s + 0.09)
                u, v = _lerp(c, d, s - 0.09), _lerp(c, d, s + 0.09)
                for t in (0.2, 0.5):
                    scene.add(
                        [
                            _lerp(p, u, t),
                            _lerp(q, v, t),
                            _lerp(q, v, t + 0.2),
                            _lerp(p, u, t + 0.2),
                        ],
                        LIGHT,
                    )
    return scene


def bridge(rng: Rng) -> Scene:
    """A bridge of arches or cables over water."""
    scene = Scene(
        str(rng.choice(["a bridge over a river", "an arched stone bridge", "a long bridge"]))
    )
    y = _horizon(scene, rng, 0.55, 0.7)
    deck = y - rng.uniform(0.05, 0.18)
    spans = int(rng.integers(2, 5))
    if rng.random() < 0.5:
        scene.rect(-0.1, deck, 1.1, y + 0.12, MAIN)
        for i in range(spans):
            cx, half = (i + 0.5) / spans, 0.36 / spans
            turn = np.linspace(np.pi, 2 * np.pi, 16)
            arch = np.stack(
                [
                    cx + half * np.cos(turn),
                    y + 0.12 - 0.01 + (y + 0.06 - deck) * np.sin(turn) * 0.9,
                ],
                1,
            )
            scene.add(arch.astype(np.float32), GROUND)
        scene.rect(-0.1, deck - 0.03, 1.1, deck + 0.01, SECOND)
    else:
        for cx in (0.28, 0.72):
            for dx in np.linspace(-0.26, 0.26, 7):
                scene.add([(cx, deck - 0.35), (cx + dx, deck), (cx + dx + 0.006, deck)], LIGHT)
            scene.rect(cx - 0.02, deck - 0.36, cx + 0.02, y + 0.15, SECOND)
        scene.rect(-0.1, deck, 1.1, deck + 0.05, MAIN)
    return scene


def hills(rng: Rng) -> Scene:
    """Rolling hills or mountains with trees and perhaps a path."""
    scene = Scene(
        str(rng.choice(["rolling hills with trees", "mountains", "a landscape", "a valley"]))
    )
    _horizon(scene, rng, 0.7, 0.85)
    xs = np.linspace(-0.1, 1.1, 24)
    pointed = rng.random() < 0.4
    for layer in range(int(rng.integers(2, 4))):
        base = 0.4 + 0.16 * layer
        waves = sum(
            rng.uniform(0.02, 0.07) * np.sin(xs * rng.uniform(3, 11) + rng.uniform(0, 6))
            for _ in range(3)
        )
        if pointed and layer == 0:
            waves = -0.22 * np.abs(((xs * rng.uniform(1.5, 3) + rng.uniform()) % 1) - 0.5) - 0.05
        ridge = np.stack([xs, base + waves], 1)
        scene.add(
            np.concatenate([ridge, [[1.1, 1.2], [-0.1, 1.2]]]).astype(np.float32),
            (SECOND, MAIN, GROUND)[layer % 3],
        )
    for _ in range(int(rng.integers(1, 6))):
        _tree(scene, rng, rng.uniform(0.05, 0.95), rng.uniform(0.75, 0.97), rng.uniform(0.12, 0.35))
    return scene


def still_life(rng: Rng) -> Scene:
    """A product on a table: cup, vase, lamp, bottle or chair."""
    kind = str(rng.choice(["cup", "vase", "lamp", "bottle", "chair"]))
    scene = Scene(f"a {kind} on a table" if kind != "chair" else "a chair")
    y = _horizon(scene, rng, 0.62, 0.78)
    for i in range(1 if kind == "chair" else int(rng.integers(1, 3))):
        x, foot, h = (
            0.5 + (i and rng.choice([-0.27, 0.27])) + rng.uniform(-0.06, 0.06),
            y + rng.uniform(0.05, 0.12),
            rng.uniform(0.3, 0.55) * (1 - 0.35 * i),
        )
        w = h * rng.uniform(0.25, 0.4)
        if kind == "cup":
            h *= 0.7
            scene.oval(x + w, foot - h * 0.5, w * 0.45, h * 0.3, MAIN)
            scene.oval(x + w, foot - h * 0.5, w * 0.25, h * 0.18, BACKDROP)
            scene.add(
                [(x - w, foot - h), (x + w, foot - h), (x + w * 0.75, foot), (x - w * 0.75, foot)],
                MAIN,
            )
            scene.oval(x, foot - h, w, h * 0.1, SECOND)
        elif kind == "lamp":
            scene.rect(x - 0.012, foot - h * 0.7, x + 0.012, foot, SECOND)
            scene.oval(x, foot, w * 0.7, 0.025, SECOND)
            scene.add(
                [
                    (x - w * 0.5, foot - h),
                    (x + w * 0.5, foot - h),
                    (x + w, foot - h * 0.55),
                    (x - w, foot - h * 0.55),
                ],
                LIGHT,
            )
        elif kind == "chair":
            scene.rect(x - w, foot - h * 1.2, x + w, foot - h * 0.45, MAIN)
            for lx in (-w, w - 0.03):
                scene.rect(x + lx, foot - h * 0.45, x + lx + 0.03, foot, SECOND)
            scene.add(
                [
                    (x - w, foot - h * 0.5),
                    (x + w, foot - h * 0.5),
                    (x + w * 1.25, foot - h * 0.36),
                    (x - w * 1.25, foot - h * 0.36),
                ],
                SECOND,
            )
        else:
            t = np.linspace(0, 1, 14)
            neck = 0.25 if kind == "bottle" else rng.uniform(0.35, 0.8)
            half = w * (
                np.clip(1.6 * t, neck, 1)
                if kind == "bottle"
                else neck + (1 - neck) * np.sin(np.pi * np.clip(t + 0.1, 0, 0.85))
            )
            left = np.stack([x - half, foot - h * (1 - t)], 1)
            right = np.stack([x + half, foot - h * (1 - t)], 1)[::-1]
            scene.add(np.concatenate([left, right]).astype(np.float32), MAIN)
            if rng.random() < 0.6:
                scene.rect(x - half[8], foot - h * 0.42, x + half[8], foot - h * 0.28, LIGHT)
    return scene


def vehicle(rng: Rng) -> Scene:
    """A car, van or boat from the side."""
    kind = str(rng.choice(["car", "van", "boat"]))
    scene = Scene(f"a {kind}")
    y = _horizon(scene, rng, 0.6, 0.72)
    x0, x1 = rng.uniform(0.08, 0.2), rng.uniform(0.78, 0.92)
    if kind == "boat":
        mast = rng.uniform(0.42, 0.58)
        scene.rect(mast - 0.008, y - 0.5, mast + 0.008, y, SECOND)
        scene.add(
            [(mast + 0.02, y - 0.48), (mast + 0.27, y - 0.08), (mast + 0.02, y - 0.08)], LIGHT
        )
        scene.add([(mast - 0.02, y - 0.42), (mast - 0.02, y - 0.08), (mast - 0.2, y - 0.08)], MAIN)
        scene.add(
            [(x0, y - 0.03), (x1, y - 0.03), (x1 - 0.13, y + 0.12), (x0 + 0.1, y + 0.12)], SECOND
        )
        return scene
    top, mid, low = y - rng.uniform(0.18, 0.24), y - 0.08, y + 0.08
    if kind == "car":
        scene.add([(x0 + 0.17, mid), (x0 + 0.26, top), (x1 - 0.27, top), (x1 - 0.12, mid)], MAIN)
        scene.add(
            [(x0 + 0.21, mid), (x0 + 0.28, top + 0.03), (0.49, top + 0.03), (0.49, mid)], LIGHT
        )
        scene.add(
            [(0.51, mid), (0.51, top + 0.03), (x1 - 0.28, top + 0.03), (x1 - 0.17, mid)], LIGHT
        )
        scene.rect(x0, mid, x1, low, MAIN)
    else:
        scene.rect(x0, top - 0.1, x1 - 0.08, low, MAIN)
        scene.add([(x1 - 0.08, mid - 0.08), (x1, mid), (x1, low), (x1 - 0.08, low)], MAIN)
        _windows(scene, rng, (x0, top - 0.1, x1 - 0.08, mid), int(rng.integers(2, 5)), 1)
    for wx in (x0 + 0.16, x1 - 0.18):
        scene.oval(wx, low, 0.085, 0.085, SECOND)
        scene.oval(wx, low, 0.04, 0.04, LIGHT)
    return scene


def figure(rng: Rng) -> Scene:
    """A person or an animal in simple outline."""
    kind = str(rng.choice(["person", "cat", "bird"]))
    scene = Scene(f"a {kind}")
    y = _horizon(scene, rng, 0.72, 0.85)
    x, foot = rng.uniform(0.38, 0.62), y + 0.06
    if kind == "person":
        for side in (-1, 1):
            scene.rect(x + side * 0.05 - 0.035, foot - 0.3, x + side * 0.05 + 0.035, foot, SECOND)
            scene.add(
                [
                    (x + side * 0.1, foot - 0.56),
                    (x + side * 0.15, foot - 0.56),
                    (x + side * rng.uniform(0.16, 0.28), foot - 0.3),
                    (x + side * 0.13, foot - 0.3),
                ],
                MAIN,
            )
        scene.add(
            [
                (x - 0.12, foot - 0.58),
                (x + 0.12, foot - 0.58),
                (x + 0.1, foot - 0.26),
                (x - 0.1, foot - 0.26),
            ],
            MAIN,
        )
        scene.oval(x, foot - 0.68, 0.075, 0.095, LIGHT)
        if rng.random() < 0.6:
            scene.add(
                [
                    (x - 0.11, foot - 0.73),
                    (x + 0.11, foot - 0.73),
                    (x + 0.06, foot - 0.82),
                    (x - 0.06, foot - 0.82),
                ],
                SECOND,
            )
    elif kind == "cat":
        scene.oval(x, foot - 0.17, 0.15, 0.2, MAIN)
        for side in (-1, 1):
            scene.add(
                [
                    (x + side * 0.03, foot - 0.48),
                    (x + side * 0.12, foot - 0.58),
                    (x + side * 0.125, foot - 0.42),
                ],
                SECOND,
            )
        scene.oval(x, foot - 0.4, 0.13, 0.11, MAIN)
        for side in (-1, 1):
            scene.oval(x + side * 0.05, foot - 0.42, 0.02, 0.025, LIGHT)
    else:
        scene.add(
            [
                (x + 0.12, foot - 0.3),
                (x + 0.34, foot - 0.22),
                (x + 0.3, foot - 0.14),
                (x + 0.1, foot - 0.2),
            ],
            SECOND,
        )
        scene.oval(x, foot - 0.25, 0.18, 0.13, MAIN)
        scene.oval(x - 0.16, foot - 0.4, 0.085, 0.085, MAIN)
        scene.add(
            [(x - 0.24, foot - 0.43), (x - 0.34, foot - 0.39), (x - 0.24, foot - 0.37)], LIGHT
        )
        scene.oval(x - 0.18, foot - 0.42, 0.015, 0.015, SECOND)
    return scene


def abstract(rng: Rng) -> Scene:
    """Blobs, discs and bands over each other."""
    scene = Scene(
        str(rng.choice(["an abstract composition", "abstract shapes", "curves and discs"]))
    )
    scene.rect(-0.1, -0.1, 1.1, 1.1, BACKDROP)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for _ in range(int(rng.integers(4, 9))):
        label = int(rng.integers(1, 5))
        x, y = rng.uniform(0.1, 0.9, 2)
        kind = rng.integers(4)
        if kind == 0:
            r = rng.uniform(0.06, 0.22)
            scene.oval(x, y, r, r * rng.uniform(0.6, 1), label)
        elif kind == 1:
            reach = rng.uniform(0.1, 0.25) * (
                1 + 0.25 * np.sin(turn * rng.integers(2, 5) + rng.uniform(0, 6))
            )
            blob = np.stack([x + reach * np.cos(turn), y + reach * np.sin(turn)], 1)
            scene.add(blob.astype(np.float32), label)
        elif kind == 2:
            w, h, a = rng.uniform(0.05, 0.3), rng.uniform(0.04, 0.2), rng.uniform(0, np.pi)
            box = np.array([[-w, -h], [w, -h], [w, h], [-w, h]])
            scene.add(
                (box @ np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) + [x, y]).astype(
                    np.float32
                ),
                label,
            )
        else:
            scene.add(rng.uniform(0.05, 0.95, (3, 2)).astype(np.float32), label)
    return scene


SCENES: tuple[Callable[[Rng], Scene], ...] = (
    house, skyline, facade, room, street, bridge, hills, still_life, vehicle, figure, abstract,
)  # fmt: skip


def draw_scene(rng: Rng) -> Scene:
    """One random scene, mirrored half of the time."""
    scene = SCENES[rng.integers(len(SCENES))](rng)
    if rng.random() < 0.5:
        for points, _ in scene.shapes:
            points[:, 0] = 1 - points[:, 0]
    return scene
