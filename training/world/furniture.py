"""Furniture, each piece standing on the ground of its pen and 1 high unless said otherwise."""

import numpy as np

from training.world.scene import BACKDROP, GROUND, LIGHT, MAIN, SECOND, Pen, Rng, flowing


def sofa(pen: Pen, rng: Rng) -> None:
    """About 2.4 wide."""
    w = rng.uniform(1.0, 1.4)
    for side in (-0.9 * w, 0.9 * w):
        pen.box(side - 0.05, -0.06, side + 0.05, 0.1, SECOND, light=0.8)
    pen.blob(
        [(-w, 0.3), (-w, 0.95), (-w, 0.95), (w, 0.95), (w, 0.95), (w, 0.3)],
        MAIN,
        light=0.9,
        name="sofa",
    )
    seats = 2 if w > 1.15 else 1
    for i in range(seats):
        a, b = -0.85 * w + 1.7 * w * i / seats, -0.85 * w + 1.7 * w * (i + 1) / seats
        pen.box(a, 0.3, b, 0.52, MAIN, light=1.1, name="sofa")
    pen.box(-w, 0.04, w, 0.3, MAIN, light=0.85, name="sofa")
    for side in (-1, 1):
        a, b = sorted((side * 0.85 * w, side * 1.12 * w))
        pen.blob(
            [(a, 0.02), (a, 0.02), (a, 0.7), (b, 0.7), (b, 0.02), (b, 0.02)],
            MAIN,
            curve=0.3,
            name="sofa",
        )
    if rng.random() < 0.6:
        u = rng.uniform(-0.5, 0.5) * w
        pen.at(u, 0.5).add(
            [(-0.17, 0), (0.15, 0.02), (0.18, 0.32), (-0.14, 0.3)], LIGHT, curve=0.4, name="cushion"
        )


def armchair(pen: Pen, rng: Rng) -> None:
    """About 1 wide."""
    for side in (-0.38, 0.38):
        pen.box(side - 0.04, -0.05, side + 0.04, 0.1, SECOND, light=0.8)
    pen.blob(
        [(-0.4, 0.2), (-0.42, 1.0), (-0.2, 1.1), (0.2, 1.1), (0.42, 1.0), (0.4, 0.2)],
        MAIN,
        light=0.92,
        name="armchair",
    )
    pen.box(-0.36, 0.08, 0.36, 0.44, MAIN, light=1.08, name="armchair")
    for side in (-1, 1):
        a, b = sorted((side * 0.34, side * 0.54))
        pen.blob(
            [(a, 0.04), (a, 0.04), (a, 0.6), (b, 0.6), (b, 0.04), (b, 0.04)],
            MAIN,
            curve=0.3,
            name="armchair",
        )


def chair(pen: Pen, rng: Rng) -> None:
    """A wooden chair seen at an angle, about 0.6 wide."""
    leg = 0.045
    for u, v in ((-0.1, 0.1), (0.3, 0.1)):
        pen.box(u, v, u + leg, 0.5, SECOND, light=0.75)
    pen.add([(-0.12, 0.5), (0.36, 0.5), (0.36, 1.0), (-0.12, 1.0)], MAIN, light=0.95, name="chair")
    if rng.random() < 0.6:
        pen.box(-0.06, 0.6, 0.3, 0.9, SECOND, light=1.05)
    pen.add(
        [(-0.26, 0.4), (0.26, 0.4), (0.38, 0.53), (-0.12, 0.53)], MAIN, light=1.12, name="chair"
    )
    pen.box(-0.26, 0.33, 0.26, 0.4, MAIN, light=0.85, name="chair")
    for u in (-0.26, 0.26 - leg):
        pen.box(u, 0.0, u + leg, 0.33, SECOND)


def table(pen: Pen, rng: Rng) -> None:
    """About 1.8 wide; its top lies at 1."""
    w = rng.uniform(0.7, 1.05)
    if rng.random() < 0.35:
        pen.box(-0.05, 0.05, 0.05, 0.9, SECOND, curve=0.6)
        pen.oval(0, 0.05, 0.35, 0.07, SECOND)
        pen.oval(0, 0.88, w, 0.14, MAIN, light=0.8)
        pen.oval(0, 0.95, w, 0.14, MAIN, light=1.12, name="table")
        return
    for u in (-w + 0.2, w - 0.28):
        pen.box(u, 0.2, u + 0.07, 0.8, SECOND, light=0.75)
    for u in (-w + 0.04, w - 0.12):
        pen.box(u, 0, u + 0.08, 0.84, SECOND)
    pen.add(
        [(-w, 0.84), (w, 0.84), (w - 0.18, 1.06), (-w + 0.18, 1.06)], MAIN, light=1.12, name="table"
    )
    pen.box(-w, 0.75, w, 0.84, MAIN, light=0.85, name="table")


def plant(pen: Pen, rng: Rng) -> None:
    """A pot with long or round leaves."""
    if rng.random() < 0.6:
        for angle in rng.permutation(np.linspace(-1.0, 1.0, int(rng.integers(5, 8)))):
            reach = rng.uniform(0.5, 0.68)
            tip = np.array([np.sin(angle), np.cos(angle)]) * reach
            side = np.array([np.cos(angle), -np.sin(angle)]) * 0.11
            root, mid = np.array([0, 0.28]), np.array([0, 0.28]) + 0.6 * tip
            pen.blob(
                np.stack([root, mid - side, root + tip, root + tip, mid + side]),
                GROUND,
                curve=0.5,
                name="plant",
            )
    else:
        pen.ribbon(flowing([(0, 0.2), (0.03, 0.5), (-0.02, 0.7)]), 0.05, SECOND)
        for u, v, r in (
            (-0.2, 0.62, 0.17),
            (0.2, 0.7, 0.19),
            (-0.03, 0.86, 0.2),
            (0.03, 0.55, 0.14),
        ):
            pen.oval(u, v, r, 0.8 * r, GROUND, curve=0.8, name="plant")
    pen.add([(-0.18, 0.32), (0.18, 0.32), (0.13, 0), (-0.13, 0)], SECOND, curve=0.6, name="pot")
    pen.box(-0.2, 0.28, 0.2, 0.36, SECOND, curve=0.5)


def floor_lamp(pen: Pen, rng: Rng) -> None:
    pen.box(-0.013, 0.02, 0.013, 0.8, SECOND)
    pen.oval(0, 0.015, 0.1, 0.025, SECOND)
    top = rng.uniform(0.06, 0.12)
    pen.add([(-0.17, 0.75), (0.17, 0.75), (top, 1), (-top, 1)], LIGHT, curve=0.4, name="lamp")


def shelves(pen: Pen, rng: Rng) -> None:
    """A bookcase about 0.6 wide."""
    w = rng.uniform(0.26, 0.36)
    pen.box(-w, 0, w, 1, SECOND, name="bookcase")
    rows = 3
    for row in range(rows):
        low, high = 0.05 + 0.32 * row, 0.33 + 0.32 * row
        pen.box(-w + 0.035, low, w - 0.035, high, BACKDROP, light=0.7)
        u = -w + 0.035
        while u < w - 0.13 and rng.random() < 0.93:
            thick = rng.uniform(0.05, 0.09)
            label = int(rng.choice([MAIN, LIGHT, GROUND]))
            pen.box(u, low, u + thick, low + rng.uniform(0.17, 0.26), label)
            u += thick + (rng.uniform(0.05, 0.2) if rng.random() < 0.2 else 0)


def cabinet(pen: Pen, rng: Rng) -> None:
    """A sideboard about 1.8 wide, drawers or doors."""
    w = rng.uniform(0.7, 1.1)
    for u in (-w + 0.06, w - 0.14):
        pen.box(u, 0, u + 0.08, 0.2, SECOND, light=0.8)
    pen.box(-w, 0.15, w, 0.95, MAIN, name="cabinet")
    parts = int(rng.integers(2, 4))
    for i in range(parts):
        a = -w + 2 * w * i / parts + 0.05
        b = -w + 2 * w * (i + 1) / parts - 0.05
        pen.box(a, 0.23, b, 0.87, MAIN, light=1.08, name="cabinet")
        pen.oval((a + b) / 2, 0.55, 0.045, 0.045, LIGHT)
    pen.box(-w - 0.04, 0.93, w + 0.04, 1.0, SECOND, light=1.1)


def bed(pen: Pen, rng: Rng) -> None:
    """A bed seen from its side, about 2.6 wide, the head at the left."""
    pen.box(-1.35, 0, -1.22, 1.0, SECOND, name="headboard")
    pen.box(1.2, 0, 1.3, 0.62, SECOND)
    pen.box(-1.25, 0.18, 1.22, 0.34, SECOND, light=0.85)
    pen.box(-1.22, 0.32, 1.2, 0.56, LIGHT)
    pen.blob(
        [(-1.2, 0.54), (-1.2, 0.78), (-0.7, 0.82), (-0.62, 0.56)], LIGHT, curve=0.6, name="pillow"
    )
    pen.blob(
        [
            (-0.6, 0.26),
            (-0.6, 0.26),
            (-0.62, 0.7),
            (0.3, 0.72),
            (1.26, 0.66),
            (1.26, 0.66),
            (1.26, 0.24),
            (1.26, 0.24),
        ],
        MAIN,
        curve=0.3,
        name="blanket",
    )


def pendant(pen: Pen, rng: Rng) -> None:
    """A lamp that hangs from far above the pen's place."""
    pen.box(-0.03, 0.4, 0.03, 9, SECOND, light=0.9)
    kind = rng.integers(3)
    if kind == 0:
        pen.oval(0, 0, 0.5, 0.5, LIGHT, curve=0.8, name="lamp")
    elif kind == 1:
        pen.add(
            [(-0.7, -0.3), (0.7, -0.3), (0.25, 0.45), (-0.25, 0.45)], LIGHT, curve=0.4, name="lamp"
        )
    else:
        dome = [(np.cos(t) * 0.7, np.sin(t) * 0.75 - 0.3) for t in np.linspace(0, np.pi, 18)]
        pen.add(dome, LIGHT, curve=0.6, name="lamp")
