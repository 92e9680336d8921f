"""Empty rooms in one-point perspective or straight on, and what hangs on a wall or lies on the floor."""

import numpy as np

from training.world.nature import FAR
from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    SECOND,
    Rng,
    Scene,
    lerp,
)

Wall = tuple[float, float, float, float]  # x0, y0, x1, y1 of the wall opposite


def room(scene: Scene, rng: Rng) -> Wall:
    """The empty room; returns where the wall opposite is seen."""
    if rng.random() < 0.4:
        y = rng.uniform(0.66, 0.76)
        scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.2, name="wall")
        scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0, curve=0.1, name="floor")
        if rng.random() < 0.6:
            scene.rect(-FAR, y - 0.03, 1 + FAR, y, LIGHT)
        return 0.02, 0.02, 0.98, y
    x0, x1 = rng.uniform(0.1, 0.26), rng.uniform(0.74, 0.9)
    y0, y1 = rng.uniform(0.06, 0.18), rng.uniform(0.6, 0.68)
    v = ((x0 + x1) / 2 + rng.uniform(-0.1, 0.1), rng.uniform(0.36, 0.44))

    def out(x: float, y: float) -> tuple[float, float]:
        return lerp(v, (x, y), 4)

    scene.rect(x0, y0, x1, y1, BACKDROP, name="wall")
    scene.add([(x0, y1), (x1, y1), out(x1, y1), out(x0, y1)], GROUND, lift=0, name="floor")
    scene.add([(x0, y0), (x1, y0), out(x1, y0), out(x0, y0)], LIGHT, light=0.95, lift=2)
    scene.add([(x0, y0), (x0, y1), out(x0, y1), out(x0, y0)], BACKDROP, light=0.8, name="wall")
    scene.add([(x1, y0), (x1, y1), out(x1, y1), out(x1, y0)], BACKDROP, light=1.1, name="wall")
    if rng.random() < 0.6:
        side, light = ((x0, 0.8), (x1, 1.1))[rng.integers(2)]
        near, far = rng.uniform(1.6, 2.0), rng.uniform(1.15, 1.25)
        low, high = (
            (v[1] + 0.5 * (y1 - v[1]), y0 + 0.25 * (v[1] - y0))
            if rng.random() < 0.7
            else (y1, y0 + 0.3 * (v[1] - y0))
        )
        pane = [
            lerp(v, (side, low), far),
            lerp(v, (side, low), near),
            lerp(v, (side, high), near),
            lerp(v, (side, high), far),
        ]
        door = low == y1
        scene.add(pane, SECOND if door else LIGHT, light=light, name="door" if door else "window")
    return x0, y0, x1, y1


def on_wall(scene: Scene, rng: Rng, wall: Wall, x: float) -> None:
    """A window, pictures, a clock or a mirror on the wall opposite, centred at `x`."""
    top, tall = wall[1] + 0.06, wall[3] - wall[1]
    kind = rng.integers(5)
    half = rng.uniform(0.09, 0.13)
    if kind == 0:
        scene.rect(x - half, top, x + half, top + 0.5 * tall, SECOND, lift=1.2)
        for a, b in ((-0.85, -0.06), (0.06, 0.85)):
            scene.rect(
                x + a * half,
                top + 0.02,
                x + b * half,
                top + 0.5 * tall - 0.02,
                LIGHT,
                light=1.15,
                name="window",
            )
        if rng.random() < 0.6:
            for side in (-1, 1):
                a, b = x + side * 0.85 * half, x + side * 1.5 * half
                scene.add(
                    [
                        (a, top - 0.02),
                        (b, top - 0.02),
                        (b, top + 0.62 * tall),
                        (a + side * 0.25 * half, top + 0.62 * tall),
                    ],
                    MAIN,
                    lift=1.5,
                    name="curtain",
                )
    elif kind == 1:
        for dx in (-0.085, 0.085):
            scene.rect(x + dx - 0.065, top + 0.03, x + dx + 0.065, top + 0.2, SECOND, lift=1.3)
            scene.rect(
                x + dx - 0.047,
                top + 0.048,
                x + dx + 0.047,
                top + 0.182,
                LIGHT,
                lift=1.3,
                name="picture",
            )
    elif kind == 2:
        scene.rect(x - half, top + 0.03, x + half, top + 0.22, SECOND, lift=1.3)
        scene.rect(x - half + 0.02, top + 0.05, x + half - 0.02, top + 0.2, LIGHT, lift=1.3)
        hill = [(x - half + 0.02, top + 0.2), (x - half + 0.02, top + 0.15), (x - 0.02, top + 0.1),
                (x + half - 0.02, top + 0.16), (x + half - 0.02, top + 0.2)]  # fmt: skip
        scene.add(hill, MAIN, lift=1.3, name="picture")
    elif kind == 3:
        scene.oval(x, top + 0.14, 0.085, 0.085, SECOND, lift=1.3, name="mirror")
        scene.oval(x, top + 0.14, 0.066, 0.066, LIGHT, lift=1.3)
    else:
        for row in (0.14, 0.3):
            scene.rect(x - half, top + row, x + half, top + row + 0.018, SECOND, lift=1.6)
            for u in np.arange(x - half + 0.02, x + half - 0.04, 0.05):
                if rng.random() < 0.7:
                    tall_one = rng.uniform(0.05, 0.09)
                    scene.rect(
                        u,
                        top + row - tall_one,
                        u + 0.032,
                        top + row,
                        int(rng.choice([MAIN, LIGHT, GROUND])),
                        lift=1.3,
                    )


def rug(scene: Scene, rng: Rng, x: float, y: float) -> None:
    w = rng.uniform(0.25, 0.38)
    if rng.random() < 0.5:
        scene.oval(x, y, w, 0.075, SECOND, lift=0.1, name="rug")
        scene.oval(x, y, 0.8 * w, 0.055, LIGHT, lift=0.1)
    else:
        scene.add([(x - 0.85 * w, y - 0.06), (x + 0.85 * w, y - 0.06), (x + w, y + 0.07), (x - w, y + 0.07)], SECOND,
                  lift=0.1, name="rug")  # fmt: skip
        scene.add(
            [
                (x - 0.72 * w, y - 0.04),
                (x + 0.72 * w, y - 0.04),
                (x + 0.84 * w, y + 0.05),
                (x - 0.84 * w, y + 0.05),
            ],
            LIGHT,
            lift=0.1,
        )
