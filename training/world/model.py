"""Solids to be cast, where they stand, and the camera that sees them.

The world has x to the right, y up and z away from the viewer; level ground is y = 0.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Convex:
    """The points x with normals @ x <= reach; seen from within when `hollow`."""

    normals: Floats  # (faces, 3), unit
    reach: Floats  # (faces,)
    hollow: bool = False


@dataclass(frozen=True)
class Frustum:
    """A round upright body; its faces are the side, the top and the bottom."""

    centre: tuple[float, float]  # x, z
    low: float
    high: float
    foot: float  # radius
    head: float  # radius


@dataclass(frozen=True)
class Ellipsoid:
    centre: Floats  # (3,)
    radii: Floats  # (3,)


Form = Convex | Frustum | Ellipsoid


@dataclass(frozen=True)
class Body:
    """A form, the corners of its bounding box (n, 3), or none when it has no bounds, and its faces."""

    form: Form
    corners: Floats
    first: int  # index of its first face
    one: bool  # all its faces are drawn as one
    throws: bool  # a shadow


@dataclass
class Model:
    """Bodies, the label of every face, and the faces that a noun means."""

    bodies: list[Body] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    accents: dict[str, list[int]] = field(default_factory=dict)

    def add(
        self,
        form: Form,
        corners: Floats,
        labels: tuple[int, ...],
        name: str | None,
        flat: bool = False,
    ) -> None:
        """`flat`: a pane or board too thin to show its sides or to throw a shadow."""
        first = len(self.labels)
        if name is not None:
            self.accents.setdefault(name, []).extend(range(first, first + len(labels)))
        self.labels.extend(labels)
        self.bodies.append(
            Body(form, corners, first, len(labels) == 1, len(corners) > 0 and not flat)
        )


@dataclass(frozen=True)
class Site:
    """A place in the model, turned about the upright axis, with coordinates of its own."""

    model: Model
    x: float = 0.0
    z: float = 0.0
    y: float = 0.0
    turn: float = 0.0

    def at(self, x: float, z: float, y: float = 0.0, turn: float = 0.0) -> "Site":
        place = self._world(np.array([[x, y, z]], np.float32))[0]
        return Site(self.model, float(place[0]), float(place[2]), float(place[1]), self.turn + turn)

    def _rotation(self) -> Floats:
        c, s = np.cos(self.turn), np.sin(self.turn)
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)

    def _world(self, points: Floats) -> Floats:
        offset = np.array([self.x, self.y, self.z], np.float32)
        return (points @ self._rotation().T + offset).astype(np.float32)

    def _convex(
        self, normals: Floats, points: Floats, corners: Floats, label: int | tuple[int, ...],
        name: str | None, flat: bool, hollow: bool = False,
    ) -> None:  # fmt: skip
        turned, on = normals @ self._rotation().T, self._world(points)
        reach = (turned * on).sum(1).astype(np.float32)
        labels = label if isinstance(label, tuple) else (label,) * (1 if flat else len(normals))
        bounds = np.zeros((0, 3), np.float32) if hollow else self._world(corners)
        self.model.add(Convex(turned, reach, hollow), bounds, labels, name, flat)

    def box(
        self, x0: float, x1: float, y0: float, y1: float, z0: float, z1: float,
        label: int | tuple[int, ...], name: str | None = None, flat: bool = False, hollow: bool = False,
    ) -> None:  # fmt: skip
        """Faces: left, right, bottom, top, front, back."""
        low, high = np.array([x0, y0, z0], np.float32), np.array([x1, y1, z1], np.float32)
        normals = np.repeat(np.eye(3, dtype=np.float32), 2, 0) * np.tile(
            [[-1], [1]], (3, 1)
        ).astype(np.float32)
        corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, 8).T
        self._convex(normals, np.stack([low, high] * 3), corners, label, name, flat, hollow)

    def gable(
        self, x0: float, x1: float, y0: float, y1: float, z0: float, z1: float, label: int | tuple[int, ...],
        name: str | None = None,
    ) -> None:  # fmt: skip
        """A roof whose ridge runs along z. Faces: left slope, right slope, bottom, front, back."""
        half, rise = (x1 - x0) / 2, y1 - y0
        slope = np.hypot(half, rise)
        normals = np.array([[-rise / slope, half / slope, 0], [rise / slope, half / slope, 0], [0, -1, 0], [0, 0, -1],
                            [0, 0, 1]], np.float32)  # fmt: skip
        points = np.array(
            [[x0, y0, z0], [x1, y0, z0], [x0, y0, z0], [x0, y0, z0], [x1, y0, z1]], np.float32
        )
        corners = np.array(np.meshgrid((x0, x1), (y0, y1), (z0, z1)), np.float32).reshape(3, 8).T
        self._convex(normals, points, corners, label, name, False)

    def frustum(
        self, x: float, z: float, y0: float, y1: float, foot: float, head: float, label: int | tuple[int, ...],
        name: str | None = None,
    ) -> None:  # fmt: skip
        """A cylinder, cone or what lies between. Faces: side, top, bottom."""
        centre = self._world(np.array([[x, 0, z]], np.float32))[0]
        cx, cz, r = float(centre[0]), float(centre[2]), max(foot, head)
        low, high = self.y + y0, self.y + y1
        corners = np.array(np.meshgrid((cx - r, cx + r), (low, high), (cz - r, cz + r)), np.float32)
        labels = label if isinstance(label, tuple) else (label,) * 3
        self.model.add(
            Frustum((cx, cz), low, high, foot, head), corners.reshape(3, 8).T, labels, name
        )

    def ball(
        self,
        x: float,
        y: float,
        z: float,
        radii: tuple[float, float, float],
        label: int,
        name: str | None = None,
    ) -> None:
        centre = self._world(np.array([[x, y, z]], np.float32))[0]
        r = np.array(radii, np.float32)
        corners = np.array(np.meshgrid(*zip(centre - r, centre + r, strict=True)), np.float32)
        self.model.add(Ellipsoid(centre, r), corners.reshape(3, 8).T, (label,), name)

    def ground(self, label: int, name: str | None = None) -> None:
        up = np.array([[0, 1, 0]], np.float32)
        plane = Convex(up, np.array([self.y], np.float32))
        self.model.add(plane, np.zeros((0, 3), np.float32), (label,), name)


@dataclass(frozen=True)
class Camera:
    """A pinhole at `eye` that looks at `target`; `zoom` is its focal length in parts of the picture's width."""

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    zoom: float = 1.2
    sun: tuple[float, float, float] = (
        -0.55,
        0.7,
        -0.45,
    )  # toward it, right, up and forward of the view

    def axes(self) -> Floats:
        """Rows: right, up, forward."""
        ahead = np.subtract(self.target, self.eye)
        ahead /= np.linalg.norm(ahead)
        right = np.array([ahead[2], 0, -ahead[0]]) / np.hypot(ahead[0], ahead[2])
        return np.stack([right, np.cross(ahead, right), ahead]).astype(np.float32)

    def sun_direction(self) -> Floats:
        right, _, ahead = self.axes()
        level = np.array([ahead[0], 0, ahead[2]]) / np.hypot(ahead[0], ahead[2])
        toward = self.sun[0] * right + np.array([0, self.sun[1], 0]) + self.sun[2] * level
        return (toward / np.linalg.norm(toward)).astype(np.float32)
