"""Things of the household, each standing on the ground of its pen and 1 high unless said otherwise."""

import numpy as np

from training.world.scene import (
    GROUND,
    LIGHT,
    MAIN,
    SECOND,
    Pen,
    Point,
    Rng,
    arc,
    flowing,
)


def turned(
    pen: Pen, profile: list[Point], label: int, name: str | None = None, curve: float = 0.9
) -> None:
    """A body of revolution from its profile (radius, height), bottom to top, its foot and mouth round."""
    line = flowing(profile, 2)
    low, high = line[0], line[-1]
    foot = [(u, v) for u, v in arc(0, low[1], low[0], 0.16 * low[0], 2 * np.pi, np.pi)]
    right, left = [(r, v) for r, v in line], [(-r, v) for r, v in line[::-1]]
    mouth = [(u, v) for u, v in arc(0, high[1], high[0], 0.16 * high[0], 0, np.pi)]
    outline = [*right, *mouth, *left, *foot[::-1]]
    if name is None:
        pen.add(outline, label, curve=curve)
    else:
        pen.add(outline, label, curve=curve, name=name)


def cup(pen: Pen, rng: Rng) -> None:
    """A cup on a saucer, 1 high with its handle at the right."""
    if rng.random() < 0.6:
        pen.oval(0, 0.02, 0.95, 0.17, LIGHT, light=0.95, name="saucer")
        pen.oval(0, 0.05, 0.6, 0.09, LIGHT, light=0.85)
    wide, foot = rng.uniform(0.5, 0.65), rng.uniform(0.28, 0.5)
    ring = [
        (wide * 0.8 + 0.4 * np.sin(t) * 0.9, 0.55 + 0.3 * np.cos(t))
        for t in np.linspace(0, np.pi, 12)
    ]
    pen.ribbon(ring, 0.11, MAIN, name="cup")
    turned(pen, [(foot, 0.06), (wide * 0.95, 0.12), (wide, 0.55), (wide, 0.95)], MAIN, "cup")
    pen.oval(0, 0.95, wide, 0.16 * wide, MAIN, light=0.8)
    pen.oval(0, 0.94, 0.86 * wide, 0.11 * wide, SECOND, name="coffee")
    if rng.random() < 0.4:
        pen.ribbon(flowing([(-0.1, 1.15), (0.0, 1.35), (-0.12, 1.5), (0.0, 1.75)]), 0.06, LIGHT)


def teapot(pen: Pen, rng: Rng) -> None:
    pen.ribbon(
        flowing([(0.5, 0.25), (0.8, 0.35), (0.85, 0.75), (1.1, 0.82)]),
        (0.26, 0.1),
        MAIN,
        name="teapot",
    )
    ring = [(-0.5 - 0.42 * np.sin(t), 0.47 + 0.26 * np.cos(t)) for t in np.linspace(0, np.pi, 12)]
    pen.ribbon(ring, 0.1, MAIN, name="teapot")
    turned(
        pen, [(0.4, 0.03), (0.7, 0.1), (0.72, 0.6), (0.35, 0.84), (0.3, 0.86)], MAIN, "teapot", 1
    )
    pen.add([*arc(0, 0.84, 0.36, 0.17, 0, np.pi)], SECOND, curve=0.6, name="lid")
    pen.oval(0, 1.03, 0.075, 0.075, SECOND, curve=0.8)
    if rng.random() < 0.5:
        pen.box(-0.715, 0.38, 0.715, 0.5, LIGHT, curve=0.8)


def vase(pen: Pen, rng: Rng) -> None:
    """A vase, 0.6 high, with flowers, leaves or twigs."""
    kind = rng.integers(3)
    if kind < 2:
        for angle in np.linspace(-0.6, 0.6, int(rng.integers(3, 6))):
            tip = (0.62 * np.sin(angle), 0.55 + rng.uniform(0.38, 0.5) * np.cos(angle))
            pen.ribbon(flowing([(0, 0.5), (0.4 * tip[0], 0.75), tip]), 0.028, GROUND)
            if kind == 0:
                for t in np.linspace(0, 2 * np.pi, 5, endpoint=False):
                    pen.oval(
                        tip[0] + 0.06 * np.cos(t),
                        tip[1] + 0.06 * np.sin(t),
                        0.05,
                        0.05,
                        SECOND,
                        name="flowers",
                    )
                pen.oval(*tip, 0.04, 0.04, LIGHT)
            else:
                pen.blob(
                    [
                        (tip[0] * 0.6, tip[1] - 0.15),
                        (tip[0] - 0.08, tip[1]),
                        (tip[0] * 1.15, tip[1] + 0.1),
                        (tip[0] + 0.08, tip[1]),
                    ],
                    GROUND,
                    curve=0.5,
                    name="leaves",
                )
    belly, neck = rng.uniform(0.2, 0.32), rng.uniform(0.07, 0.13)
    at = rng.uniform(0.15, 0.4)
    turned(
        pen,
        [(0.12, 0), (belly, at * 0.5), (belly, at + 0.1), (neck, 0.5), (1.3 * neck, 0.6)],
        MAIN,
        "vase",
    )
    if rng.random() < 0.4:
        pen.box(-0.85 * belly, at - 0.02, 0.85 * belly, at + 0.05, LIGHT, curve=0.8)


def bottle(pen: Pen, rng: Rng) -> None:
    wide, shoulder = rng.uniform(0.14, 0.2), rng.uniform(0.5, 0.64)
    turned(
        pen,
        [(wide, 0), (wide, 0.2), (wide, shoulder), (0.055, shoulder + 0.16), (0.055, 0.93)],
        MAIN,
        "bottle",
    )
    pen.box(-0.07, 0.9, 0.07, 1.0, SECOND, curve=0.7)
    if rng.random() < 0.8:
        pen.box(-wide, 0.16, wide, 0.16 + rng.uniform(0.16, 0.28), LIGHT, curve=0.9, name="label")


def table_lamp(pen: Pen, rng: Rng) -> None:
    if rng.random() < 0.5:
        turned(
            pen, [(0.16, 0), (0.2, 0.14), (0.19, 0.3), (0.04, 0.42), (0.035, 0.55)], MAIN, "base"
        )
    else:
        pen.oval(0, 0.03, 0.22, 0.045, MAIN, name="base")
        pen.box(-0.025, 0.04, 0.025, 0.56, MAIN)
    top = rng.uniform(0.14, 0.3)
    pen.add(
        [*arc(0, 0.5, 0.36, 0.05, np.pi, 2 * np.pi), *arc(0, 0.97, top, 0.04, 0, np.pi)],
        LIGHT,
        curve=0.7,
        name="lampshade",
    )


def wall_clock(pen: Pen, rng: Rng) -> None:
    """An alarm clock with bells, or a square mantel clock."""
    if rng.random() < 0.55:
        for side in (-1, 1):
            pen.ribbon([(side * 0.2, 0.18), (side * 0.32, 0)], 0.08, SECOND)
            pen.oval(side * 0.25, 0.9, 0.14, 0.11, SECOND, curve=0.8)
        pen.oval(0, 0.5, 0.42, 0.42, MAIN, curve=0.6, name="clock")
    else:
        pen.box(-0.5, 0, 0.5, 0.08, SECOND)
        pen.add(
            [
                (-0.44, 0.08),
                (0.44, 0.08),
                (0.44, 0.6),
                *arc(0, 0.6, 0.44, 0.4, 0, np.pi),
                (-0.44, 0.6),
            ],
            MAIN,
            name="clock",
        )
    pen.oval(0, 0.5, 0.33, 0.33, LIGHT)
    for t in np.linspace(0, 2 * np.pi, 4, endpoint=False):
        pen.oval(0.26 * np.cos(t), 0.5 + 0.26 * np.sin(t), 0.025, 0.025, SECOND)
    hand = rng.uniform(0, 6.28)
    pen.ribbon([(0, 0.5), (0.22 * np.sin(hand), 0.5 + 0.22 * np.cos(hand))], 0.03, SECOND)
    pen.ribbon([(0, 0.5), (0.13 * np.sin(hand * 5), 0.5 + 0.13 * np.cos(hand * 5))], 0.04, SECOND)


def shoe(pen: Pen, rng: Rng) -> None:
    """A trainer from the side, 1 high and about 2 long."""
    pen.add(
        flowing(
            [
                (-0.95, 0.2),
                (-1.0, 0.9),
                (-0.85, 1.0),
                (-0.6, 0.85),
                (-0.3, 0.9),
                (-0.1, 0.95),
                (0.3, 0.6),
                (0.85, 0.45),
                (1.05, 0.2),
            ],
            2,
        ),
        MAIN,
        curve=0.6,
        name="shoe",
    )
    pen.blob([(0.55, 0.2), (0.6, 0.5), (0.95, 0.42), (1.05, 0.15)], SECOND, curve=0.4)
    pen.add([(-0.97, 0.2), (-0.98, 0.72), (-0.72, 0.55), (-0.68, 0.2)], SECOND)
    pen.add(
        flowing([(-1.0, 0.0), (-1.02, 0.2), (0, 0.18), (1.05, 0.22), (1.15, 0.08), (1.0, 0.0)], 1),
        LIGHT,
        name="sole",
    )
    for i in range(3):
        u, v = -0.02 + 0.15 * i, 0.82 - 0.11 * i
        pen.ribbon([(u - 0.16, v - 0.1), (u + 0.06, v + 0.03)], 0.055, LIGHT, name="lace")


def handbag(pen: Pen, rng: Rng) -> None:
    ring = [(0.3 * np.cos(t), 0.62 + 0.38 * np.sin(t)) for t in np.linspace(0, np.pi, 16)]
    pen.ribbon(ring, 0.07, SECOND, name="handle")
    spread = rng.uniform(0.05, 0.16)
    pen.blob(
        [
            (-0.5 - spread, 0),
            (-0.5 - spread, 0),
            (-0.48, 0.66),
            (-0.44, 0.68),
            (0.44, 0.68),
            (0.48, 0.66),
            (0.5 + spread, 0),
            (0.5 + spread, 0),
        ],
        MAIN,
        curve=0.4,
        name="bag",
    )
    if rng.random() < 0.6:
        pen.add(
            [(-0.44, 0.66), (0.44, 0.66), (0.36, 0.34), (0, 0.26), (-0.36, 0.34)],
            MAIN,
            light=1.1,
            name="bag",
        )
        pen.oval(0, 0.33, 0.05, 0.05, LIGHT)
    else:
        pen.box(-0.47, 0.5, 0.47, 0.57, SECOND)
        pen.box(-0.06, 0.46, 0.06, 0.61, LIGHT)


def headphones(pen: Pen, rng: Rng) -> None:
    ring = [(0.46 * np.cos(t), 0.45 + 0.5 * np.sin(t)) for t in np.linspace(-0.1, np.pi + 0.1, 24)]
    pen.ribbon(ring, 0.09, MAIN, name="headband")
    for side in (-1, 1):
        pen.blob(
            [(side * 0.3, 0.08), (side * 0.3, 0.52), (side * 0.4, 0.56), (side * 0.42, 0.04)],
            SECOND,
            name="pads",
        )
        pen.blob(
            [(side * 0.4, 0.02), (side * 0.4, 0.58), (side * 0.58, 0.52), (side * 0.58, 0.08)],
            MAIN,
            curve=0.6,
            name="headphones",
        )


def camera(pen: Pen, rng: Rng) -> None:
    pen.add([(-0.28, 0.78), (-0.2, 0.98), (0.2, 0.98), (0.28, 0.78)], MAIN, light=1.1)
    pen.blob(
        [
            (-0.75, 0),
            (-0.75, 0),
            (-0.75, 0.8),
            (-0.7, 0.8),
            (0.7, 0.8),
            (0.75, 0.8),
            (0.75, 0),
            (0.75, 0),
        ],
        MAIN,
        curve=0.2,
        name="camera",
    )
    pen.box(-0.75, 0.6, 0.75, 0.7, LIGHT)
    pen.box(0.42, 0.8, 0.6, 0.87, SECOND)
    for r, label in ((0.33, SECOND), (0.25, LIGHT), (0.17, SECOND), (0.06, LIGHT)):
        pen.oval(0, 0.37, r, r, label, curve=0.4)


def fruit_bowl(pen: Pen, rng: Rng) -> None:
    """A bowl, 0.5 high and 1.6 wide, heaped with fruit."""
    for u, v, r in ((-0.45, 0.55, 0.24), (0.42, 0.55, 0.25), (0.0, 0.62, 0.27), (-0.2, 0.86, 0.22)):
        pen.oval(
            u,
            v,
            r,
            0.95 * r,
            SECOND if u < 0 else LIGHT,
            curve=1,
            name="apple" if u < 0 else "fruit",
        )
        pen.ribbon([(u, v + 0.8 * r), (u + 0.05, v + 1.3 * r)], 0.035, GROUND)
    if rng.random() < 0.6:
        pen.add(
            flowing(
                [(0.1, 0.72), (0.5, 0.78), (0.82, 1.1), (0.86, 1.08), (0.74, 0.64), (0.35, 0.5)], 2
            ),
            LIGHT,
            curve=0.6,
            name="banana",
        )
    pen.add(
        [
            (-0.8, 0.52),
            *[(0.8 * np.cos(t), 0.52 - 0.5 * np.sin(t)) for t in np.linspace(np.pi, 0, 20)],
        ],
        MAIN,
        curve=0.8,
        name="bowl",
    )
    pen.box(-0.25, 0, 0.25, 0.06, MAIN, light=0.8)


def kettle(pen: Pen, rng: Rng) -> None:
    pen.ribbon([(0.4, 0.3), (0.78, 0.66)], (0.2, 0.12), MAIN, name="kettle")
    ring = [(0.34 * np.cos(t), 0.66 + 0.36 * np.sin(t)) for t in np.linspace(0, np.pi, 16)]
    pen.ribbon(ring, 0.075, SECOND, name="handle")
    turned(pen, [(0.52, 0), (0.55, 0.1), (0.42, 0.6), (0.22, 0.7)], MAIN, "kettle")
    pen.add(arc(0, 0.68, 0.23, 0.09, 0, np.pi), SECOND)


def guitar(pen: Pen, rng: Rng) -> None:
    """Standing upright."""
    pen.box(-0.03, 0.5, 0.03, 0.92, SECOND, name="neck")
    pen.add([(-0.04, 0.9), (0.04, 0.9), (0.055, 1.02), (-0.055, 1.02)], SECOND)
    pen.blob(
        [
            (0, -0.01),
            (-0.24, 0.0),
            (-0.25, 0.22),
            (-0.12, 0.32),
            (-0.19, 0.42),
            (-0.15, 0.54),
            (0, 0.52),
            (0.15, 0.54),
            (0.19, 0.42),
            (0.12, 0.32),
            (0.25, 0.22),
            (0.24, 0.0),
        ],
        MAIN,
        curve=0.5,
        name="guitar",
    )
    pen.oval(0, 0.34, 0.07, 0.07, SECOND, light=0.7)
    pen.box(-0.08, 0.12, 0.08, 0.15, SECOND)
    pen.box(-0.025, 0.3, 0.025, 0.92, SECOND, light=1.1)
