"""Vehicles from the side, on a road or on rails."""

import numpy as np

from training.world.nature import FAR, cloud, outdoors, tree
from training.world.scene import (
    BACKDROP,
    LIGHT,
    MAIN,
    SECOND,
    Pen,
    Rng,
    Scene,
    flowing,
)


def _road(scene: Scene, rng: Rng) -> float:
    """Sky, things far away, a road; returns the line the wheels stand on."""
    y = outdoors(scene, rng, 0.56, 0.66)
    kind = rng.random()
    if kind < 0.35:
        for x in rng.uniform(0, 1, 4):
            tree(scene, rng, x, y + 0.01, rng.uniform(0.2, 0.34))
    elif kind < 0.65:
        x = -0.1
        while x < 1.1:
            w = rng.uniform(0.14, 0.28)
            scene.rect(
                x, y - rng.uniform(0.15, 0.38), x + w, y, SECOND, light=rng.uniform(0.85, 1.1)
            )
            x += w
    road = y + rng.uniform(0.04, 0.08)
    scene.rect(-FAR, road, 1 + FAR, road + 0.26, SECOND, light=0.8, lift=0, name="road")
    return float(road + rng.uniform(0.13, 0.2))


def _wheel(pen: Pen, u: float, r: float) -> None:
    pen.oval(u, r, r, r, SECOND, light=0.75)
    pen.oval(u, r, 0.55 * r, 0.55 * r, LIGHT, curve=0.4, name="wheels")


def car(rng: Rng) -> Scene:
    """A saloon, hatchback, roadster or beetle."""
    scene = Scene("car")
    foot = _road(scene, rng)
    pen = scene.at(rng.uniform(0.45, 0.55), foot, rng.uniform(0.22, 0.27))
    kind = rng.integers(4)
    r = rng.uniform(0.19, 0.23)
    if kind == 0:
        roof = [(-0.95, 0.58), (-0.62, 1.0), (0.3, 1.0), (0.72, 0.6)]
        body = [
            (-1.55, 0.2),
            (-1.55, 0.58),
            (-0.95, 0.62),
            (0.72, 0.62),
            (1.35, 0.55),
            (1.5, 0.4),
            (1.5, 0.2),
        ]
    elif kind == 1:
        roof = [(-1.25, 0.58), (-1.1, 1.0), (0.25, 1.02), (0.7, 0.6)]
        body = [(-1.35, 0.2), (-1.3, 0.62), (0.7, 0.62), (1.2, 0.54), (1.32, 0.38), (1.32, 0.2)]
    elif kind == 2:
        roof = [(-0.1, 0.6), (0.1, 0.92), (0.2, 0.92), (0.36, 0.6)]
        body = [
            (-1.5, 0.2),
            (-1.5, 0.56),
            (-1.2, 0.64),
            (0.4, 0.62),
            (1.3, 0.52),
            (1.5, 0.36),
            (1.5, 0.2),
        ]
    else:
        roof = [*flowing([(-1.2, 0.5), (-0.95, 0.9), (-0.2, 1.1), (0.42, 0.98), (0.66, 0.55)], 2)]
        body = [
            (-1.4, 0.2),
            *flowing(
                [
                    (-1.4, 0.25),
                    (-1.35, 0.62),
                    (-0.9, 0.66),
                    (0.66, 0.62),
                    (1.05, 0.68),
                    (1.4, 0.5),
                    (1.42, 0.25),
                ],
                2,
            ),
            (1.42, 0.2),
        ]
    if kind == 2:
        pen.oval(-0.25, 0.8, 0.12, 0.14, LIGHT, curve=0.6)
        pen.add(roof, LIGHT, light=1.1)
    else:
        pen.add(roof, MAIN, light=1.08, name="car")
        shape = np.array(roof)
        mid = (shape.min(0) + shape.max(0)) / 2
        glass = (shape - mid) * (0.84, 0.72) + mid + (0, -0.02)
        pen.add(glass, LIGHT, light=1.1)
        pen.box(mid[0] - 0.04, 0.6, mid[0] + 0.04, 0.96, MAIN)
    pen.add(body, MAIN, curve=0.25, name="car")
    if kind != 2:
        pen.box(-0.06, 0.28, -0.02, 0.6, SECOND)
    pen.oval(body[-2][0] - 0.08, 0.46, 0.07, 0.06, LIGHT)
    pen.box(-1.58, 0.16, 1.54, 0.24, SECOND)
    for u in (-0.88, 0.88):
        _wheel(pen, u, r)
    return scene


def van(rng: Rng) -> Scene:
    """A delivery van or camper."""
    scene = Scene("van")
    foot = _road(scene, rng)
    pen = scene.at(rng.uniform(0.46, 0.54), foot, rng.uniform(0.32, 0.38))
    pen.add(
        flowing(
            [(-1.05, 0.16), (-1.05, 1.0), (0.55, 1.0), (0.95, 0.6), (1.05, 0.5), (1.05, 0.16)], 1
        ),
        MAIN,
        curve=0.2,
        name="van",
    )
    pen.add([(0.42, 0.56), (0.42, 0.88), (0.6, 0.88), (0.86, 0.56)], LIGHT, light=1.1)
    if rng.random() < 0.5:
        for u in (-0.9, -0.45, 0.0):
            pen.box(u, 0.56, u + 0.36, 0.86, LIGHT, light=1.1, name="windows")
        pen.box(-1.05, 0.42, 1.03, 0.5, LIGHT)
    else:
        pen.oval(-0.4, 0.62, 0.2, 0.2, SECOND, name="sign")
    pen.box(-1.08, 0.12, 1.08, 0.2, SECOND)
    for u in (-0.62, 0.66):
        _wheel(pen, u, 0.16)
    return scene


def bus(rng: Rng) -> Scene:
    """A town bus or a tram."""
    scene = Scene("bus")
    foot = _road(scene, rng)
    pen = scene.at(rng.uniform(0.48, 0.52), foot, rng.uniform(0.3, 0.36))
    decks = 2 if rng.random() < 0.35 else 1
    top = 1.5 if decks == 2 else 1.0
    pen.blob(
        [
            (-1.3, 0.12),
            (-1.3, 0.12),
            (-1.3, top),
            (-1.25, top),
            (1.25, top),
            (1.3, top),
            (1.32, 0.12),
            (1.32, 0.12),
        ],
        MAIN,
        curve=0.2,
        name="bus",
    )
    for deck in range(decks):
        low = 0.52 + 0.52 * deck
        for i in range(4 + deck):
            pen.box(
                -1.2 + 0.47 * i, low, -0.8 + 0.47 * i, low + 0.33, LIGHT, light=1.1, name="windows"
            )
    pen.box(0.72, 0.16, 1.16, 0.86, LIGHT)
    pen.box(0.93, 0.16, 0.96, 0.86, SECOND)
    pen.box(-1.3, 0.33, 0.66, 0.42, SECOND, name="stripe")
    for u in (-0.75, 0.45):
        _wheel(pen, u, 0.16)
    return scene


def bicycle(rng: Rng) -> Scene:
    """A bicycle leaning on nothing, perhaps with a basket."""
    scene = Scene("bicycle")
    foot = _road(scene, rng)
    pen = scene.at(0.5 + rng.uniform(-0.05, 0.05), foot + 0.02, rng.uniform(0.4, 0.48))
    for u in (-0.52, 0.52):
        pen.oval(u, 0.33, 0.33, 0.33, SECOND, name="wheels")
        pen.oval(u, 0.33, 0.275, 0.275, BACKDROP)
        pen.oval(u, 0.33, 0.05, 0.05, SECOND)
    wide = 0.055
    for a, b in (((-0.52, 0.33), (-0.02, 0.32)), ((-0.52, 0.33), (-0.2, 0.78)), ((-0.02, 0.32), (-0.2, 0.85)),
                 ((-0.02, 0.32), (0.36, 0.8)), ((-0.17, 0.76), (0.36, 0.8)), ((0.34, 0.92), (0.52, 0.33))):  # fmt: skip
        pen.ribbon([a, b], wide, MAIN, name="frame")
    pen.blob([(-0.36, 0.86), (-0.34, 0.94), (-0.1, 0.9), (-0.08, 0.86)], SECOND, name="saddle")
    pen.ribbon(flowing([(0.26, 1.0), (0.42, 0.98), (0.36, 0.9), (0.34, 0.92)]), 0.05, SECOND)
    pen.oval(-0.02, 0.32, 0.09, 0.09, LIGHT)
    if rng.random() < 0.5:
        pen.add([(0.42, 0.92), (0.74, 0.92), (0.69, 0.68), (0.47, 0.68)], LIGHT, name="basket")
    return scene


def train(rng: Rng) -> Scene:
    """A steam engine or a fast train on rails."""
    scene = Scene("train")
    foot = _road(scene, rng)
    scene.rect(-FAR, foot, 1 + FAR, foot + 0.02, LIGHT)
    pen = scene.at(0.5, foot, rng.uniform(0.32, 0.38))
    if rng.random() < 0.55:
        pen.box(-2.2, 0.2, -1.05, 0.95, SECOND, name="wagon")
        for u in (-2.0, -1.55):
            pen.box(u, 0.5, u + 0.34, 0.82, LIGHT)
        for u in (-1.85, -1.35):
            _wheel(pen, u, 0.13)
        pen.box(0.55, 0.7, 0.75, 1.1, SECOND, curve=0.8, name="chimney")
        pen.add([(0.48, 1.05), (0.82, 1.05), (0.86, 1.2), (0.44, 1.2)], SECOND)
        pen.add(
            [*flowing([(0.1, 0.7), (0.1, 0.95), (0.32, 0.95), (0.32, 0.7)], 2)], LIGHT, curve=0.6
        )
        pen.box(-0.3, 0.3, 0.95, 0.8, MAIN, curve=0.5, name="engine")
        pen.box(-0.95, 0.25, -0.25, 1.1, MAIN, name="engine")
        pen.box(-0.8, 0.62, -0.4, 0.95, LIGHT)
        pen.box(-1.02, 1.08, -0.18, 1.18, SECOND)
        pen.add([(0.9, 0.28), (1.2, 0.04), (0.9, 0.04)], SECOND)
        for u, r in ((-0.62, 0.24), (-0.1, 0.24), (0.42, 0.16), (0.8, 0.16)):
            _wheel(pen, u, r)
        cloud(scene, rng, pen.x + 0.1, pen.y - 1.5 * pen.scale)
    else:
        pen.add(
            flowing(
                [
                    (-4, 0.1),
                    (-4, 0.95),
                    (0.4, 0.95),
                    (0.95, 0.75),
                    (1.25, 0.3),
                    (1.2, 0.1),
                    (-4, 0.1),
                ],
                2,
            ),
            MAIN,
            curve=0.15,
            name="train",
        )
        for u in np.arange(-2.4, 0.2, 0.5):
            pen.box(u, 0.5, u + 0.38, 0.78, LIGHT, light=1.1, name="windows")
        pen.add([(0.55, 0.55), (0.55, 0.82), (0.75, 0.76), (0.98, 0.55)], LIGHT, light=1.1)
        pen.box(-4, 0.26, 1.2, 0.36, SECOND, name="stripe")
        pen.box(-4, 0.0, 1.0, 0.12, SECOND, light=0.8)
    return scene
