"""Vessels on the water, in the air and in space."""

import numpy as np

from training.world.nature import FAR, cloud, outdoors, sky
from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    NEITHER,
    SECOND,
    Rng,
    Scene,
    flowing,
)


def _sea(scene: Scene, rng: Rng) -> float:
    sky(scene, rng)
    y = rng.uniform(0.54, 0.66)
    if rng.random() < 0.5:
        scene.add(
            [
                (-FAR, y),
                (-0.2, y - 0.1),
                (0.2, y - 0.14),
                (0.5, y - 0.05),
                (0.8, y - 0.1),
                (1 + FAR, y),
            ],
            GROUND,
            lift=NEITHER,
        )
    scene.rect(
        -FAR,
        y,
        1 + FAR,
        FAR,
        GROUND if rng.random() < 0.4 else SECOND,
        light=0.95,
        lift=0,
        name="sea",
    )
    return float(y)


def _waves(scene: Scene, rng: Rng, y: float) -> None:
    x = np.linspace(-0.6, 1.6, 60)
    for depth in range(int(rng.integers(1, 3))):
        top = y + 0.09 * depth + 0.014 * np.sin(x * rng.uniform(18, 26) + rng.uniform(0, 6))
        scene.add(
            np.concatenate([np.stack([x, top], 1), [[1.6, 2], [-0.6, 2]]]),
            SECOND,
            light=0.9 - 0.08 * depth,
            lift=NEITHER,
            name="sea",
        )


def sailing_boat(rng: Rng) -> Scene:
    """A boat under sail."""
    scene = Scene("sailing_boat")
    y = _sea(scene, rng)
    foot = y + rng.uniform(0.1, 0.18)
    pen = scene.at(rng.uniform(0.42, 0.58), foot, rng.uniform(0.58, 0.68))
    pen.box(-0.014, 0.1, 0.014, 1.05, SECOND)
    pen.add(
        flowing([(-0.03, 0.98), (-0.12, 0.6), (-0.4, 0.24), (-0.03, 0.22)], 2),
        MAIN,
        curve=0.4,
        name="sail",
    )
    pen.add(
        flowing([(0.03, 0.9), (0.2, 0.55), (0.42, 0.22), (0.03, 0.24)], 2),
        LIGHT,
        curve=0.4,
        name="jib",
    )
    if rng.random() < 0.5:
        pen.add([(0.0, 1.05), (0.14, 1.0), (0.0, 0.95)], SECOND, name="flag")
    pen.add(
        flowing([(-0.44, 0.16), (0.55, 0.18), (0.4, -0.02), (-0.34, -0.04), (-0.44, 0.16)], 1),
        MAIN,
        light=0.85,
        name="hull",
    )
    pen.add([(-0.45, 0.16), (0.56, 0.18), (0.53, 0.13), (-0.45, 0.11)], LIGHT)
    _waves(scene, rng, foot)
    return scene


def ship(rng: Rng) -> Scene:
    """A steamer, a tug or a fishing boat."""
    scene = Scene("ship")
    y = _sea(scene, rng)
    foot = y + rng.uniform(0.1, 0.16)
    pen = scene.at(rng.uniform(0.44, 0.54), foot, rng.uniform(0.38, 0.46))
    for u in (-0.35, 0.05) if rng.random() < 0.5 else (-0.15,):
        pen.add(
            [(u, 0.55), (u + 0.2, 0.55), (u + 0.18, 1.0), (u + 0.02, 1.0)],
            MAIN,
            curve=0.8,
            name="funnel",
        )
        pen.box(u, 0.86, u + 0.2, 1.0, SECOND, curve=0.6)
    pen.box(-0.6, 0.5, 0.4, 0.66, LIGHT)
    pen.box(-0.75, 0.28, 0.6, 0.52, LIGHT, light=1.05, name="cabin")
    for u in np.linspace(-0.6, 0.45, 5):
        pen.oval(u, 0.4, 0.05, 0.05, SECOND)
    pen.add([(-1.0, 0.3), (1.15, 0.36), (0.9, -0.05), (-0.85, -0.05)], MAIN, curve=0.2, name="hull")
    pen.add([(-0.97, 0.2), (1.1, 0.25), (1.05, 0.17), (-0.95, 0.13)], SECOND)
    pen.box(0.75, 0.35, 0.78, 0.85, SECOND)
    _waves(scene, rng, foot)
    return scene


def plane(rng: Rng) -> Scene:
    """A propeller plane or an airliner among clouds."""
    scene = Scene("plane")
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.2, lift=NEITHER)
    if rng.random() < 0.6:
        y = rng.uniform(0.8, 0.9)
        scene.add(
            [
                (-FAR, y),
                (0.2, y - 0.06),
                (0.5, y),
                (0.8, y - 0.08),
                (1 + FAR, y),
                (1 + FAR, 2),
                (-FAR, 2),
            ],
            GROUND,
            lift=NEITHER,
        )
    for x, y in ((0.2, 0.2), (0.75, 0.68), (0.2, 0.78))[: rng.integers(1, 4)]:
        cloud(scene, rng, x + rng.uniform(-0.1, 0.1), y)
    pen = scene.at(0.5, rng.uniform(0.52, 0.6), rng.uniform(0.34, 0.4))
    pen.add([(-0.9, 0.2), (-1.12, 0.68), (-0.88, 0.68), (-0.55, 0.24)], SECOND, name="tail")
    pen.add([(0.15, 0.2), (-0.45, 0.62), (-0.25, 0.62), (0.42, 0.22)], SECOND, light=0.85)
    pen.blob(
        [
            (-1.1, 0.22),
            (-0.6, 0.3),
            (0.7, 0.36),
            (1.1, 0.2),
            (1.05, 0.04),
            (0.6, -0.06),
            (-0.6, 0.02),
        ],
        MAIN,
        curve=0.6,
        name="plane",
    )
    if rng.random() < 0.5:
        for u in np.linspace(-0.55, 0.6, 6):
            pen.oval(u, 0.18, 0.05, 0.05, LIGHT)
    else:
        pen.add(flowing([(0.05, 0.28), (0.15, 0.48), (0.45, 0.46), (0.6, 0.27)], 2), LIGHT)
        pen.box(0.98, -0.3, 1.04, 0.55, SECOND, name="propeller")
        pen.oval(1.01, 0.13, 0.08, 0.1, LIGHT)
    pen.add(
        [(0.2, 0.06), (-0.3, -0.42), (-0.06, -0.42), (0.5, 0.03)], SECOND, light=1.1, name="wing"
    )
    return scene


def rocket(rng: Rng) -> Scene:
    """A rocket standing or rising."""
    scene = Scene("rocket")
    rising = rng.random() < 0.5
    if rising:
        scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.2, lift=NEITHER)
        r = rng.uniform(0.1, 0.16)
        scene.oval(rng.choice([0.18, 0.82]), 0.2, r, r, LIGHT, curve=0.8, lift=NEITHER, name="moon")
        for _ in range(5):
            x, y = (
                rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.7, 0.95)]),
                rng.uniform(0.1, 0.9),
            )
            scene.add(
                [(x, y - 0.025), (x + 0.018, y), (x, y + 0.025), (x - 0.018, y)],
                LIGHT,
                lift=NEITHER,
            )
        foot = 0.76
    else:
        foot = outdoors(scene, rng, 0.8, 0.88) + 0.03
    pen = scene.at(rng.uniform(0.42, 0.58), foot, rng.uniform(0.58, 0.68))
    if rising:
        pen.blob(
            [
                (-0.13, 0.05),
                (-0.2, -0.12),
                (-0.08, -0.15),
                (0, -0.34),
                (0.08, -0.15),
                (0.2, -0.12),
                (0.13, 0.05),
            ],
            LIGHT,
            name="flame",
        )
    for side in (-1, 1):
        pen.add(
            [(side * 0.12, 0.34), (side * 0.34, 0.12), (side * 0.34, -0.04), (side * 0.12, 0.08)],
            SECOND,
            name="fins",
        )
    pen.add(
        flowing(
            [
                (-0.12, 0.04),
                (-0.2, 0.3),
                (-0.18, 0.7),
                (0, 1.05),
                (0.18, 0.7),
                (0.2, 0.3),
                (0.12, 0.04),
            ],
            2,
        ),
        MAIN,
        curve=0.9,
        name="rocket",
    )
    pen.add(
        [(-0.115, 0.8), *flowing([(-0.115, 0.8), (-0.02, 1.0), (0.02, 1.0), (0.115, 0.8)], 2)],
        SECOND,
        curve=0.5,
        name="tip",
    )
    pen.oval(0, 0.58, 0.09, 0.09, SECOND)
    pen.oval(0, 0.58, 0.065, 0.065, LIGHT, curve=0.4, name="porthole")
    pen.box(-0.13, 0.02, 0.13, 0.08, SECOND)
    return scene


def balloon(rng: Rng) -> Scene:
    """A hot-air balloon over hills."""
    scene = Scene("balloon")
    outdoors(scene, rng, 0.78, 0.88)
    if rng.random() < 0.6:
        scene.add(
            [
                (-FAR, 0.9),
                (0.1, 0.76),
                (0.4, 0.84),
                (0.75, 0.74),
                (1 + FAR, 0.9),
                (1 + FAR, 2),
                (-FAR, 2),
            ],
            SECOND,
            lift=NEITHER,
        )
    pen = scene.at(rng.uniform(0.4, 0.6), rng.uniform(0.7, 0.8), rng.uniform(0.56, 0.68))
    for side in (-1, 1):
        pen.ribbon([(side * 0.06, 0.12), (side * 0.11, 0.32)], 0.014, SECOND)
    half = flowing([(0.09, 0.3), (0.4, 0.55), (0.42, 0.9), (0.15, 1.02), (0, 1.02)], 3)
    for share, label, name in (
        (1.0, MAIN, "balloon"),
        (0.62, LIGHT, "stripes"),
        (0.25, MAIN, "balloon"),
    ):
        gore = half * (share, 1)
        pen.add(np.concatenate([gore, gore[::-1] * (-1, 1)]), label, curve=0.8, name=name)
    pen.box(-0.09, 0.0, 0.09, 0.13, SECOND, name="basket")
    return scene
