"""Animals in simple outline, each drawn 1 high."""

from collections.abc import Callable

import numpy as np

from training.world.people import ground
from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    SECOND,
    Pen,
    Rng,
    Scene,
    flowing,
)


def _four_legs(pen: Pen, places: tuple[float, ...], top: float, width: float, label: int) -> None:
    for i, u in enumerate(places):
        far = i % 2 == 1
        pen.ribbon(
            [(u, top), (u + 0.02, top / 2), (u - 0.01, 0)],
            (width, 0.7 * width),
            label,
            light=0.78 if far else 1.0,
        )


def cat(pen: Pen, rng: Rng) -> None:
    """Sitting, its tail at its side."""
    pen.ribbon(
        flowing([(0.2, 0.06), (0.45, 0.02), (0.52, 0.22), (0.42, 0.4)]),
        (0.09, 0.06),
        MAIN,
        name="cat",
    )
    pen.blob(
        [(-0.22, 0), (-0.26, 0.2), (-0.16, 0.55), (0, 0.66), (0.16, 0.55), (0.27, 0.2), (0.24, 0)],
        MAIN,
        curve=0.8,
        name="cat",
    )
    for u in (-0.1, 0.1):
        pen.blob(
            [(u - 0.07, 0), (u - 0.05, 0.3), (u + 0.05, 0.3), (u + 0.07, 0)],
            MAIN,
            light=1.08,
            name="cat",
        )
    for side in (-1, 1):
        pen.add(
            [(side * 0.05, 0.86), (side * 0.19, 1.03), (side * 0.23, 0.74)],
            MAIN,
            light=0.9,
            name="cat",
        )
    pen.oval(0, 0.73, 0.24, 0.2, MAIN, curve=0.6, name="cat")
    for side in (-1, 1):
        pen.oval(side * 0.09, 0.76, 0.035, 0.045, LIGHT)
    pen.add([(-0.035, 0.69), (0.035, 0.69), (0, 0.65)], SECOND)
    if rng.random() < 0.4:
        pen.box(-0.13, 0.53, 0.13, 0.585, SECOND, name="collar")


def dog(pen: Pen, rng: Rng) -> None:
    """Standing, looking to the right."""
    _four_legs(pen, (-0.36, -0.24, 0.26, 0.38), 0.42, 0.12, MAIN)
    pen.ribbon(
        flowing([(-0.42, 0.52), (-0.62, 0.62), (-0.66, 0.86)]), (0.09, 0.045), MAIN, name="dog"
    )
    pen.blob(
        [(-0.48, 0.34), (-0.48, 0.6), (0, 0.6), (0.36, 0.72), (0.52, 0.66), (0.46, 0.36), (0, 0.3)],
        MAIN,
        curve=0.7,
        name="dog",
    )
    pen.blob(
        [
            (0.34, 0.66),
            (0.32, 0.98),
            (0.56, 1.02),
            (0.64, 0.9),
            (0.86, 0.86),
            (0.86, 0.72),
            (0.6, 0.68),
        ],
        MAIN,
        curve=0.5,
        name="dog",
    )
    pen.blob(
        [(0.36, 0.98), (0.46, 1.0), (0.44, 0.7), (0.3, 0.64), (0.28, 0.84)], SECOND, name="ears"
    )
    pen.oval(0.82, 0.83, 0.045, 0.04, SECOND)
    pen.oval(0.58, 0.9, 0.028, 0.028, SECOND)
    if rng.random() < 0.5:
        pen.add([(0.3, 0.7), (0.56, 0.62), (0.54, 0.56), (0.3, 0.62)], LIGHT, name="collar")


def bird(pen: Pen, rng: Rng) -> None:
    """Perched on a branch."""
    pen.ribbon(flowing([(-2.5, 0.02), (-0.4, 0.1), (0.4, 0.05), (2.5, 0.18)]), 0.09, SECOND)
    pen.add([(-0.3, 0.3), (-0.85, 0.02), (-0.9, 0.14), (-0.4, 0.46)], SECOND, name="tail")
    for u in (-0.02, 0.1):
        pen.ribbon([(u, 0.24), (u + 0.02, 0.08)], 0.04, SECOND)
    pen.blob(
        [
            (-0.5, 0.36),
            (-0.2, 0.62),
            (0.08, 0.92),
            (0.36, 1.0),
            (0.5, 0.84),
            (0.44, 0.5),
            (0.2, 0.2),
            (-0.2, 0.2),
        ],
        MAIN,
        curve=0.9,
        name="bird",
    )
    pen.blob(
        [(-0.62, 0.2), (-0.4, 0.52), (-0.02, 0.62), (0.18, 0.48), (-0.02, 0.3)],
        SECOND,
        curve=0.4,
        name="wing",
    )
    pen.add([(0.44, 0.9), (0.68, 0.82), (0.45, 0.76)], LIGHT, name="beak")
    pen.oval(0.33, 0.86, 0.04, 0.04, LIGHT)


def horse(pen: Pen, rng: Rng) -> None:
    pen.ribbon(
        flowing([(-0.42, 0.66), (-0.6, 0.6), (-0.58, 0.28)]), (0.1, 0.05), SECOND, name="tail"
    )
    _four_legs(pen, (-0.36, -0.24, 0.2, 0.32), 0.46, 0.1, MAIN)
    pen.blob(
        [(-0.46, 0.42), (-0.46, 0.7), (0, 0.62), (0.3, 0.72), (0.42, 0.6), (0.34, 0.38), (0, 0.36)],
        MAIN,
        curve=0.7,
        name="horse",
    )
    pen.add(
        [(0.16, 0.62), (0.42, 0.98), (0.58, 0.92), (0.5, 0.74), (0.4, 0.48)], MAIN, name="horse"
    )
    pen.blob(
        [
            (0.4, 1.02),
            (0.5, 1.04),
            (0.62, 0.96),
            (0.8, 0.76),
            (0.72, 0.68),
            (0.54, 0.78),
            (0.42, 0.86),
        ],
        MAIN,
        curve=0.4,
        name="horse",
    )
    pen.add([(0.44, 1.0), (0.46, 1.12), (0.52, 1.0)], MAIN)
    pen.add(
        flowing(
            [(0.1, 0.62), (0.16, 0.86), (0.42, 1.06), (0.44, 0.98), (0.3, 0.8), (0.22, 0.62)], 2
        ),
        SECOND,
        name="mane",
    )
    pen.oval(0.56, 0.93, 0.022, 0.022, SECOND)
    if rng.random() < 0.5:
        pen.add([(-0.16, 0.66), (0.1, 0.66), (0.12, 0.48), (-0.14, 0.48)], LIGHT, name="saddle")


def elephant(pen: Pen, rng: Rng) -> None:
    _four_legs(pen, (-0.46, -0.28, 0.16, 0.32), 0.44, 0.2, MAIN)
    pen.ribbon([(-0.56, 0.6), (-0.66, 0.32)], (0.05, 0.03), MAIN)
    pen.blob(
        [
            (-0.62, 0.32),
            (-0.62, 0.8),
            (-0.2, 0.94),
            (0.3, 0.86),
            (0.46, 0.6),
            (0.4, 0.34),
            (-0.1, 0.3),
        ],
        MAIN,
        curve=0.8,
        name="elephant",
    )
    pen.ribbon(
        flowing([(0.6, 0.7), (0.82, 0.5), (0.78, 0.16), (0.94, 0.1)]),
        (0.24, 0.08),
        MAIN,
        light=0.95,
        name="elephant",
    )
    pen.blob(
        [(0.3, 0.5), (0.28, 0.92), (0.56, 1.02), (0.78, 0.84), (0.74, 0.54), (0.52, 0.46)],
        MAIN,
        curve=0.6,
        name="elephant",
    )
    pen.blob(
        [(0.42, 0.92), (0.16, 0.98), (0.06, 0.66), (0.2, 0.42), (0.4, 0.52)],
        MAIN,
        light=0.85,
        curve=0.4,
        name="ear",
    )
    pen.oval(0.6, 0.8, 0.025, 0.025, SECOND)
    pen.ribbon(
        flowing([(0.66, 0.52), (0.84, 0.42), (0.98, 0.52)], 2), (0.06, 0.02), LIGHT, name="tusk"
    )


def fish(rng: Rng) -> Scene:
    """Fish among weeds under water."""
    scene = Scene("fish")
    scene.rect(-2, -2, 3, 3, BACKDROP, curve=0.3, lift=0)
    sand = rng.uniform(0.82, 0.92)
    scene.add(
        [(-2, sand), (0.2, sand - 0.04), (0.6, sand + 0.02), (3, sand - 0.03), (3, 3), (-2, 3)],
        GROUND,
        lift=0,
    )
    for x in rng.choice(
        [0.08, 0.18, 0.3, 0.72, 0.84, 0.93], int(rng.integers(2, 5)), replace=False
    ):
        tall = rng.uniform(0.3, 0.6)
        wave = [(x + 0.03 * np.sin(5 * t), sand + 0.05 - tall * t) for t in np.linspace(0, 1, 12)]
        outline = np.array(wave)
        wide = 0.035 * (1 - np.linspace(0, 1, 12) ** 2)[:, None] * np.array([[1, 0]])
        scene.add(
            np.concatenate([outline - wide, (outline + wide)[::-1]]),
            GROUND,
            light=0.85,
            lift=1,
            name="weeds",
        )
    count = int(rng.integers(1, 4))
    for i in range(count):
        size = rng.uniform(0.3, 0.38) if count == 1 else rng.uniform(0.15, 0.22)
        x, y = ((0.5, 0.55), (0.32, 0.4), (0.66, 0.72))[i] if count > 1 else (0.5, 0.5)
        pen = scene.at(x + rng.uniform(-0.04, 0.04), y + size / 2, size, rng.random() < 0.3)
        pen.add(
            flowing([(-0.6, 0.5), (-1.1, 0.95), (-0.98, 0.5), (-1.1, 0.08), (-0.6, 0.5)], 2),
            SECOND,
            name="tail",
        )
        pen.add(flowing([(-0.3, 0.8), (-0.05, 1.15), (0.35, 0.85)], 2), SECOND, name="fins")
        pen.blob(
            [(-0.8, 0.5), (-0.3, 0.9), (0.4, 0.95), (0.85, 0.5), (0.4, 0.08), (-0.3, 0.1)],
            MAIN,
            curve=0.9,
            name="fish",
        )
        if rng.random() < 0.6:
            pen.add(
                [(-0.05, 0.87), (0.13, 0.89), (0.13, 0.11), (-0.05, 0.13)],
                LIGHT,
                curve=0.6,
                name="stripe",
            )
        pen.add(flowing([(0.1, 0.5), (-0.25, 0.36), (-0.22, 0.6), (0.1, 0.5)], 2), SECOND)
        pen.oval(0.5, 0.6, 0.08, 0.08, LIGHT)
        pen.oval(0.52, 0.6, 0.04, 0.04, SECOND)
        for j in range(3):
            scene.oval(x + 0.9 * size + 0.02 * j, y - 0.06 - 0.07 * j, 0.016, 0.016, LIGHT, lift=0)
    return scene


ANIMALS: dict[
    str, tuple[Callable[[Pen, Rng], None], float]
] = {  # draws it, its height in the picture
    "cat": (cat, 0.5),
    "dog": (dog, 0.46),
    "bird": (bird, 0.42),
    "horse": (horse, 0.58),
    "elephant": (elephant, 0.5),
}


def animal(kind: str) -> Callable[[Rng], Scene]:
    """The generator of one kind on its ground."""

    def draw(rng: Rng) -> Scene:
        scene = Scene(kind)
        foot = min(ground(scene, rng, 0.35 if kind in ("cat", "dog") else 0), 0.92)
        beast, height = ANIMALS[kind]
        scale = height * rng.uniform(0.85, 1.15)
        beast(
            scene.at(
                rng.uniform(0.43, 0.57), 0.6 if kind == "bird" else foot, scale, rng.random() < 0.5
            ),
            rng,
        )
        return scene

    draw.__name__ = kind
    return draw
