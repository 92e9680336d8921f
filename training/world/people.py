"""People in simple outline, and the ground that figures stand on."""

from training.world.furniture import armchair, plant
from training.world.nature import outdoors, tree
from training.world.scene import (
    LIGHT,
    MAIN,
    SECOND,
    Pen,
    Point,
    Rng,
    Scene,
    flowing,
)
from training.world.walls import room


def ground(scene: Scene, rng: Rng, indoors: float = 0.35) -> float:
    """Outdoors with a tree or two, or, with probability `indoors`, a bare room; returns where feet stand."""
    if rng.random() < indoors:
        wall = room(scene, rng)
        if rng.random() < 0.5:
            plant(scene.at(rng.choice([0.14, 0.86]), wall[3] + 0.08, 0.4), rng)
        return max(wall[3] + 0.14, 0.8)
    y = outdoors(scene, rng, 0.6, 0.78)
    for x in (0.1, 0.9):
        if rng.random() < 0.45:
            tree(scene, rng, x, y + 0.02, rng.uniform(0.35, 0.55))
    return y + 0.13


def _limb(pen: Pen, points: list[Point], width: float, label: int, light: float = 1.0) -> None:
    pen.ribbon(flowing(points, 2), (width, 0.75 * width), label, light=light, curve=0.4)


def _head(pen: Pen, rng: Rng, u: float, v: float) -> None:
    """A head of radius about 0.075 whose chin is at v - 0.09; hair, hat or both."""
    pen.box(u - 0.03, v - 0.13, u + 0.03, v - 0.05, LIGHT, light=0.85)
    hair = rng.integers(4)
    if hair == 1:
        pen.blob(
            [
                (u - 0.1, v - 0.14),
                (u - 0.11, v + 0.06),
                (u, v + 0.14),
                (u + 0.11, v + 0.06),
                (u + 0.1, v - 0.14),
            ],
            SECOND,
            name="hair",
        )
    pen.oval(u, v, 0.068, 0.085, LIGHT, curve=0.6)
    if hair == 2:
        pen.add(
            [
                (u - 0.15, v + 0.03),
                (u + 0.15, v + 0.03),
                (u + 0.13, v + 0.06),
                (u - 0.13, v + 0.06),
            ],
            SECOND,
            name="hat",
        )
        pen.add(
            [
                (u - 0.075, v + 0.06),
                (u + 0.075, v + 0.06),
                (u + 0.06, v + 0.14),
                (u - 0.06, v + 0.14),
            ],
            SECOND,
            name="hat",
        )
    else:
        pen.add(
            flowing(
                [
                    (u - 0.075, v - 0.01),
                    (u - 0.08, v + 0.1),
                    (u, v + 0.13),
                    (u + 0.08, v + 0.1),
                    (u + 0.075, v + 0.0),
                    (u + 0.04, v + 0.05),
                    (u - 0.04, v + 0.045),
                    (u - 0.075, v - 0.01),
                ],
                2,
            ),
            SECOND,
            name="hair",
        )
    if hair == 3:
        pen.oval(u, v + 0.125, 0.045, 0.04, SECOND)


def person(rng: Rng) -> Scene:
    """Someone standing or walking, in trousers, a skirt or a coat."""
    scene = Scene("person")
    foot = ground(scene, rng)
    pen = scene.at(rng.uniform(0.38, 0.62), min(foot, 0.95), rng.uniform(0.62, 0.74))
    _body(pen, rng)
    if rng.random() < 0.25:
        _body(
            scene.at(
                pen.x + rng.choice([-0.27, 0.27]),
                min(foot, 0.93) - 0.02,
                pen.scale * rng.uniform(0.7, 0.95),
            ),
            rng,
        )
    return scene


def _body(pen: Pen, rng: Rng) -> None:
    stride = rng.choice([0.06, 0.16])
    swing = rng.uniform(0.05, 0.16)
    dress = int(rng.integers(3))
    _limb(pen, [(-0.11, 0.74), (-0.11 - swing, 0.58), (-0.1 - swing, 0.42)], 0.075, MAIN, 0.85)
    for side, light in ((-1, 0.85), (1, 1.0)):
        _limb(
            pen,
            [(side * 0.05, 0.46), (side * 0.6 * stride, 0.25), (side * stride, 0.03)],
            0.095,
            SECOND,
            light,
        )
        pen.blob(
            [
                (side * stride - 0.05, 0),
                (side * stride - 0.05, 0.05),
                (side * stride + 0.03, 0.05),
                (side * stride + 0.1, 0),
            ],
            SECOND,
            light=0.75,
            name="shoes",
        )
    hem, wide = ((0.44, 0.1), (0.24, 0.2), (0.3, 0.14))[dress]
    noun = ("jumper", "dress", "coat")[dress]
    pen.blob(
        [
            (-0.06, 0.79),
            (-0.15, 0.76),
            (-0.1, 0.55),
            (-wide, hem),
            (-wide, hem),
            (wide, hem),
            (wide, hem),
            (0.1, 0.55),
            (0.15, 0.76),
            (0.06, 0.79),
        ],
        MAIN,
        curve=0.5,
        name=noun,
    )
    raised = rng.random() < 0.25
    arm: list[Point] = (
        [(0.11, 0.74), (0.2, 0.66), (0.24, 0.86)]
        if raised
        else [(0.11, 0.74), (0.12 + swing, 0.58), (0.08 + swing, 0.42)]
    )
    _limb(pen, arm, 0.075, MAIN, 1.08)
    pen.oval(*arm[-1], 0.033, 0.036, LIGHT)
    if not raised and rng.random() < 0.35:
        u, v = arm[-1]
        pen.box(u - 0.08, v - 0.2, u + 0.1, v - 0.03, LIGHT, name="bag")
    _head(pen, rng, 0, 0.88)


def sitter(rng: Rng) -> Scene:
    """Someone sitting in an armchair or on a bench, perhaps reading."""
    scene = Scene("sitter")
    wall = room(scene, rng)
    foot = max(wall[3] + 0.12, 0.82)
    pen = scene.at(rng.uniform(0.42, 0.58), foot, 0.62)
    if rng.random() < 0.6:
        armchair(pen.at(-0.05, 0.0, 0.75), rng)
    else:
        pen.box(-0.55, 0.3, 0.55, 0.37, SECOND, name="bench")
        for u in (-0.45, 0.39):
            pen.box(u, 0, u + 0.06, 0.31, SECOND, light=0.8)
    for side, light in ((-0.09, 0.85), (0.07, 1.0)):
        _limb(
            pen,
            [(side, 0.36), (side + 0.16, 0.42), (side + 0.24, 0.36), (side + 0.22, 0.04)],
            0.12,
            SECOND,
            light,
        )
        pen.blob(
            [(side + 0.16, 0), (side + 0.17, 0.06), (side + 0.26, 0.06), (side + 0.36, 0)],
            SECOND,
            light=0.75,
        )
    pen.blob(
        [
            (-0.06, 0.83),
            (-0.17, 0.78),
            (-0.16, 0.4),
            (-0.12, 0.32),
            (0.12, 0.34),
            (0.13, 0.6),
            (0.13, 0.79),
            (0.05, 0.83),
        ],
        MAIN,
        curve=0.5,
        name="jumper",
    )
    _limb(pen, [(0.06, 0.76), (0.1, 0.54), (0.28, 0.56)], 0.09, MAIN, 1.1)
    if rng.random() < 0.7:
        pen.add([(0.22, 0.52), (0.4, 0.62), (0.36, 0.74), (0.19, 0.64)], LIGHT, name="book")
    _head(pen, rng, 0.0, 0.93)
    return scene
