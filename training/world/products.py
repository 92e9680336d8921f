"""Things on a table or a plain ground, large in the picture."""

from collections.abc import Callable

from training.world.furniture import chair
from training.world.nature import FAR
from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    SECOND,
    Pen,
    Rng,
    Scene,
)
from training.world.things import (
    bottle,
    camera,
    cup,
    fruit_bowl,
    guitar,
    handbag,
    headphones,
    kettle,
    shoe,
    table_lamp,
    teapot,
    vase,
    wall_clock,
)


def _stage(scene: Scene, rng: Rng) -> float:
    """A wall and a table or floor; returns the height of the table's far edge."""
    y = float(rng.uniform(0.56, 0.74))
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.25, name="backdrop")
    kind = rng.random()
    if kind < 0.25:
        scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0, curve=0.1, name="table")
        edge = rng.uniform(0.93, 1.0)
        scene.rect(-FAR, edge, 1 + FAR, FAR, SECOND, light=0.8, lift=0)
    elif kind < 0.45:
        scene.oval(0.5, y + 0.22, 0.62, 0.2, SECOND, light=0.8, lift=0)
        scene.oval(0.5, y + 0.18, 0.62, 0.2, GROUND, lift=0, curve=0.2, name="table")
    else:
        scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0, curve=0.1, name="table")
    extra = rng.random()
    if extra < 0.2:
        r = rng.uniform(0.22, 0.32)
        scene.oval(rng.uniform(0.35, 0.65), y - 0.22, r, r, LIGHT, light=0.95, lift=1)
        scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0, curve=0.1, name="table")
    elif extra < 0.35:
        x = rng.choice([0.2, 0.8])
        scene.rect(x - 0.15, 0.06, x + 0.15, 0.36, SECOND, lift=1.3)
        scene.rect(x - 0.12, 0.09, x + 0.12, 0.33, LIGHT, lift=1.3, name="picture")
    return y


PRODUCTS: dict[str, tuple[Callable[[Pen, Rng], None], float, float]] = {  # draws it, height, half width at height 1
    "cup": (cup, 0.34, 0.9),
    "teapot": (teapot, 0.4, 1.0),
    "vase": (vase, 0.68, 0.5),
    "bottle": (bottle, 0.62, 0.25),
    "table_lamp": (table_lamp, 0.6, 0.4),
    "clock": (wall_clock, 0.5, 0.5),
    "shoe": (shoe, 0.32, 1.1),
    "handbag": (handbag, 0.55, 0.6),
    "headphones": (headphones, 0.58, 0.6),
    "camera": (camera, 0.42, 0.75),
    "fruit_bowl": (fruit_bowl, 0.42, 0.85),
    "kettle": (kettle, 0.48, 0.7),
    "guitar": (guitar, 0.8, 0.3),
    "chair": (chair, 0.7, 0.4),
}  # fmt: skip


def product(kind: str) -> Callable[[Rng], Scene]:
    """The generator of one kind: the thing in front, perhaps a small second thing beside it."""

    def draw(rng: Rng) -> Scene:
        scene = Scene(kind)
        y = _stage(scene, rng)
        thing, height, half = PRODUCTS[kind]
        height = height * rng.uniform(0.85, 1.15)
        half *= height
        foot = min(y + rng.uniform(0.08, 0.16), 0.95)
        foot = max(foot, height + 0.1)
        x = rng.uniform(0.42, 0.58)
        second = kind != "chair" and rng.random() < 0.4
        if second:
            x = rng.uniform(0.36, 0.44)
            beside = x + half + rng.uniform(0.1, 0.18)
            other, tall, wide = PRODUCTS[
                str(rng.choice(["cup", "vase", "bottle", "fruit_bowl", "table_lamp"]))
            ]
            scale = min(0.62 * tall, 0.16 / wide)
            other(scene.at(min(beside + 0.02, 0.86), foot - 0.06, scale), rng)
            scene.accents = {
                noun: ids for noun, ids in scene.accents.items() if noun in ("backdrop", "table")
            }
        thing(scene.at(x, foot, height), rng)
        return scene

    draw.__name__ = kind
    return draw
