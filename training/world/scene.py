"""Scenes as labelled polygons or as a view of solids, and how they become pixels.

A flat scene is a list of shapes painted back to front; a solid one is cast by `solid.py`. Either way the edge map is
what a careful draughtsman would draw: every visible outline, nothing hidden. Labels are the roles of a palette, in
the order of `style.toml`; `ACCENT` is the colour that the words name. Light falls from the upper left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

BACKDROP, GROUND, MAIN, SECOND, LIGHT = range(5)
ACCENT = 6  # 5 is the ink of a palette

Point = tuple[float, float]
Points = Sequence[Point] | NDArray[np.float32] | NDArray[np.float64]
Rng = np.random.Generator
Bend = NDArray[
    np.float32
]  # (n, n, 2), displacement on a grid over the picture, in parts of its width
NEITHER = float("nan")  # the lift of what throws no shadow and takes none: the sky


@dataclass(frozen=True)
class Raster:
    """A scene as pixels."""

    labels: NDArray[np.uint8]  # (size, size), 0..4 or ACCENT
    shapes: NDArray[np.int32]  # (size, size), 1 + index of the visible shape, 0 where there is none
    edges: NDArray[np.uint8]  # (size, size), 0..255, white lines on black
    shade: NDArray[np.float32]  # (size, size), factor of light 0.45..1.25, 1 where plainly lit


@dataclass(frozen=True)
class Shape:
    """A polygon and how it takes the light."""

    points: NDArray[np.float32]  # (n, 2), x right and y down, the picture is 0..1
    label: int
    light: float = 1.0  # factor of the whole face
    curve: float = 0.0  # 0 flat, 1 a ball: brighter at the upper left, darker at the lower right
    lift: float = 1.0  # level above the ground, 0; a shape throws its shadow on lower levels


class Finish(TypedDict, total=False):
    """What `Shape` says of the light, and the noun that may give a shape a colour of its own."""

    light: float
    curve: float
    lift: float
    name: str


@dataclass
class Scene:
    """What is seen: shapes back to front, or a cast of solids, and which of them a noun of the caption means."""

    kind: str  # key of phrases/scenes.toml
    shapes: list[Shape] = field(default_factory=list)
    accents: dict[str, list[int]] = field(default_factory=dict)  # noun to indices of shapes
    cast: Callable[[int, Bend | None], Raster] | None = None
    bend: Bend | None = None

    def add(self, points: Points, label: int, **finish: Unpack[Finish]) -> None:
        """Put a polygon in front."""
        if name := finish.get("name"):
            self.accents.setdefault(name, []).append(len(self.shapes))
        self.shapes.append(
            Shape(
                np.asarray(points, np.float32),
                label,
                finish.get("light", 1.0),
                finish.get("curve", 0.0),
                finish.get("lift", 1.0),
            )
        )

    def rect(
        self, x0: float, y0: float, x1: float, y1: float, label: int, **finish: Unpack[Finish]
    ) -> None:
        box = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        self.add(box, label, **finish)

    def oval(
        self, x: float, y: float, rx: float, ry: float, label: int, **finish: Unpack[Finish]
    ) -> None:
        turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        ring = np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], 1)
        self.add(ring, label, **finish)

    def at(self, x: float, y: float, scale: float, flip: bool = False) -> "Pen":
        """A pen for an object that stands at (x, y) and is `scale` high."""
        return Pen(self, x, y, scale, -1 if flip else 1)


@dataclass(frozen=True)
class Pen:
    """Draws an object in its own coordinates: u to the right of its foot, v above it, its height 1."""

    scene: Scene
    x: float
    y: float
    scale: float
    flip: int = 1
    lift: float = 2.0

    def at(self, u: float, v: float, scale: float = 1.0, flip: bool = False) -> "Pen":
        """A pen for a part of the object."""
        x, y = self.x + self.flip * u * self.scale, self.y - v * self.scale
        turn = -self.flip if flip else self.flip
        return Pen(self.scene, x, y, self.scale * scale, turn, self.lift)

    def add(self, points: Points, label: int, **finish: Unpack[Finish]) -> None:
        size = np.array([self.flip * self.scale, -self.scale])
        placed = np.asarray(points) * size + (self.x, self.y)
        finish.setdefault("lift", self.lift)
        self.scene.add(placed, label, **finish)

    def box(
        self, u0: float, v0: float, u1: float, v1: float, label: int, **finish: Unpack[Finish]
    ) -> None:
        corners = [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]
        self.add(corners, label, **finish)

    def oval(
        self, u: float, v: float, ru: float, rv: float, label: int, **finish: Unpack[Finish]
    ) -> None:
        turn = np.linspace(0, 2 * np.pi, 36, endpoint=False)
        ring = np.stack([u + ru * np.cos(turn), v + rv * np.sin(turn)], 1)
        self.add(ring, label, **finish)

    def blob(self, points: Points, label: int, **finish: Unpack[Finish]) -> None:
        """The closed smooth curve round `points`."""
        self.add(rounded(points), label, **finish)

    def ribbon(
        self,
        points: Points,
        width: float | tuple[float, float],
        label: int,
        **finish: Unpack[Finish],
    ) -> None:
        """A band along `points`, `width` wide or from the first width to the second."""
        self.add(ribbon(points, width), label, **finish)


def rounded(points: Points, rounds: int = 3) -> NDArray[np.float64]:
    """Chaikin's corner cutting of a closed polygon: (n * 2**rounds, 2)."""
    curve = np.asarray(points, np.float64)
    for _ in range(rounds):
        following = np.roll(curve, -1, axis=0)
        cut = np.stack([0.75 * curve + 0.25 * following, 0.25 * curve + 0.75 * following], 1)
        curve = cut.reshape(-1, 2)
    return curve


def flowing(points: Points, rounds: int = 3) -> NDArray[np.float64]:
    """Chaikin's corner cutting of an open line, its ends kept."""
    curve = np.asarray(points, np.float64)
    for _ in range(rounds):
        start, end = curve[:-1], curve[1:]
        cut = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], 1).reshape(-1, 2)
        curve = np.concatenate([curve[:1], cut[1:-1], curve[-1:]])
    return curve


def ribbon(points: Points, width: float | tuple[float, float]) -> NDArray[np.float64]:
    """The outline of a band along an open line, mitred gently."""
    line = np.asarray(points, np.float64)
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    first, last = width if isinstance(width, tuple) else (width, width)
    half = np.linspace(first, last, len(line))[:, None] / 2
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], 1) * half
    return np.concatenate([line + aside, (line - aside)[::-1]])


def lerp(a: Point, b: Point, t: float) -> Point:
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Points of an ellipse from angle `start` to `end`, radians from the x axis toward the y axis."""
    turn = np.linspace(start, end, 18)
    return [(float(x + rx * np.cos(t)), float(y + ry * np.sin(t))) for t in turn]


def rasterise(scene: Scene, size: int, line_width: int = 1, accent: str | None = None) -> Raster:
    """Paint labels, shape indices, outlines and light at `size` px; shapes named `accent` get label ACCENT."""
    if scene.cast is not None:
        raster = scene.cast(size, scene.bend)
        if line_width > 1:
            pen = np.ones((line_width, line_width), np.uint8)
            raster = replace(raster, edges=cv2.dilate(raster.edges, pen).astype(np.uint8))
    else:
        shapes, edges = _paint(scene, size, line_width)
        roles = np.array([BACKDROP, *(shape.label for shape in scene.shapes)], np.uint8)
        raster = Raster(roles[shapes], shapes, edges, _shade(scene, shapes))
    if accent is not None:
        named = np.isin(raster.shapes, np.array(scene.accents[accent]) + 1)
        raster = replace(raster, labels=np.where(named, np.uint8(ACCENT), raster.labels))
    return raster


def _paint(scene: Scene, size: int, line_width: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    shapes = np.zeros((size, size), np.int32)
    edges = np.zeros((size, size), np.uint8)
    for index, points in enumerate(_bent(scene), start=1):
        fixed = [np.round(points * (size * 16) - 8).astype(np.int32)]
        cv2.fillPoly(shapes, fixed, index, shift=4)
        cv2.fillPoly(edges, fixed, 0, shift=4)
        cv2.polylines(edges, fixed, True, 255, line_width, cv2.LINE_AA, shift=4)
    return shapes, edges


def _bent(scene: Scene) -> list[NDArray[np.float32]]:
    outlines = [shape.points for shape in scene.shapes]
    if scene.bend is None or not outlines:
        return outlines
    parts = np.linspace(0, 1, 10, endpoint=False, dtype=np.float32)[None, :, None]
    dense = [
        (p[:, None] * (1 - parts) + np.roll(p, -1, 0)[:, None] * parts).reshape(-1, 2)
        if len(p) < 16
        else p
        for p in outlines
    ]
    joined = np.concatenate(dense)
    moved = joined + displacement(scene.bend, joined[:, 0], joined[:, 1])
    return np.split(moved, np.cumsum([len(p) for p in dense])[:-1])


def displacement(bend: Bend, x: MatLike, y: MatLike) -> MatLike:
    """What `bend` adds at the places (x, y): their shape and a last axis of 2."""
    last = len(bend) - 1
    across, down = (np.atleast_2d(at * last).astype(np.float32) for at in (x, y))
    found = cv2.remap(bend, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(*x.shape, 2)


def _shade(scene: Scene, shapes: NDArray[np.int32]) -> NDArray[np.float32]:
    rows = [(1.0, 0.0, NEITHER, 0.0, 0.0, 1.0, 1.0)]
    for shape in scene.shapes:
        (x0, y0), (x1, y1) = shape.points.min(0), shape.points.max(0)
        box = ((x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, 1e-3) / 2, max(y1 - y0, 1e-3) / 2)
        rows.append((shape.light, shape.curve, shape.lift, *box))
    table = np.array(rows, np.float32).T
    light, curve, lift, x, y, rx, ry = (column[shapes] for column in table)
    size = len(shapes)
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    u, v = (at[None, :] - x) / rx, (at[:, None] - y) / ry
    ball = 1 - curve * (0.2 * u + 0.16 * v + 0.1 * (u * u + v * v) - 0.06)
    step = max(1, size // 36)
    above = np.full_like(lift, NEITHER)
    above[step:, step:] = lift[:-step, :-step]
    thrown = np.where(above > lift, np.minimum(above - lift, 1), 0).astype(np.float32)
    soft = cv2.GaussianBlur(thrown, (0, 0), size / 70)
    cover = np.where(np.isnan(lift), 0, soft)
    return np.clip(light * ball * (1 - 0.4 * cover), 0.45, 1.25).astype(np.float32)


def wobble(scene: Scene, rng: Rng, amount: float, cells: int = 14) -> Scene:
    """The scene by an unsteady hand: displaced smoothly, `amount` in parts of the width, `cells` waves across."""
    coarse = rng.normal(0, amount, (cells, cells, 2)).astype(np.float32)
    bend = cv2.resize(coarse, (64, 64), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return replace(scene, bend=bend if scene.bend is None else scene.bend + bend)


def mirrored(scene: Scene) -> Scene:
    """A flat scene seen in a mirror; the light still falls from the upper left."""
    flip, shift = np.array([-1, 1], np.float32), np.array([1, 0], np.float32)
    shapes = [replace(s, points=s.points * flip + shift) for s in scene.shapes]
    return replace(scene, shapes=shapes)


def framed(scene: Scene, zoom: float, x: float, y: float) -> Scene:
    """A flat scene enlarged by `zoom` round the point (x, y)."""
    centre = np.array([x, y], np.float32)
    shapes = [
        replace(s, points=((s.points - centre) * np.float32(zoom) + centre).astype(np.float32))
        for s in scene.shapes
    ]
    return replace(scene, shapes=shapes)
