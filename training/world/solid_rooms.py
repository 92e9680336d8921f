"""Scenes in three dimensions, indoors: still lifes and rooms."""

from training.world.model import Camera, Model, Site
from training.world.scene import BACKDROP, GROUND, LIGHT, MAIN, SECOND, Rng, Scene
from training.world.solid import solid_scene
from training.world.solid_outdoors import camera_before


def still_life(rng: Rng) -> Scene:
    """Cups, bottles, fruit and boxes on a table."""
    model = Model()
    site = Site(model)
    site.ground(GROUND, "table")
    if rng.random() < 0.5:
        site.box(-9, 9, 0, 9, 2.6, 3, (BACKDROP,), "wall", True)
    places = [(-0.75, 0.1), (0.7, 0.25), (0.0, -0.55), (0.05, 0.75), (-1.3, 0.8), (1.25, -0.35)]
    for x, z in places[: int(rng.integers(3, 7))]:
        spot = site.at(x + rng.uniform(-0.1, 0.1), z, 0, rng.uniform(0, 1.5))
        _thing(spot, rng, z > 0.05)
    return solid_scene(
        "still_life", model, camera_before(rng, 4.6, rng.uniform(1.4, 2.2), 0.55, 1.6)
    )


def _thing(spot: Site, rng: Rng, tall: bool) -> None:
    kind = rng.integers(3) if tall else 3 + rng.integers(4)
    if kind == 0:
        r = rng.uniform(0.2, 0.26)
        spot.frustum(0, 0, 0, 0.75, r, r, MAIN, "bottle")
        spot.frustum(0, 0, 0.75, 0.98, r, 0.08, MAIN, "bottle")
        spot.frustum(0, 0, 0.98, 1.3, 0.08, 0.08, SECOND)
        if rng.random() < 0.6:
            spot.frustum(0, 0, 0.22, 0.55, r + 0.01, r + 0.01, LIGHT, "label")
    elif kind == 1:
        spot.frustum(0, 0, 0, 0.35, 0.18, 0.4, SECOND, "vase")
        spot.frustum(0, 0, 0.35, 0.85, 0.4, 0.15, SECOND, "vase")
        spot.frustum(0, 0, 0.85, 1.05, 0.15, 0.22, SECOND, "vase")
    elif kind == 2:
        spot.frustum(0, 0, 0, 0.07, 0.26, 0.26, SECOND)
        spot.frustum(0, 0, 0.07, 0.8, 0.05, 0.05, SECOND)
        spot.frustum(0, 0, 0.75, 1.3, 0.42, 0.24, LIGHT, "lamp")
    elif kind == 3:
        r = rng.uniform(0.24, 0.3)
        spot.frustum(0, 0, 0, 0.05, 0.5, 0.54, LIGHT, "saucer")
        spot.frustum(0, 0, 0.05, 0.5, 0.75 * r, r, MAIN, "cup")
        spot.frustum(0, 0, 0.49, 0.505, 0.8 * r, 0.8 * r, SECOND)
        for low, high, out in ((0.16, 0.22, 0.2), (0.36, 0.42, 0.2), (0.16, 0.42, 0.26)):
            inner = r if out < 0.25 else r + 0.12
            spot.box(inner - 0.06, r + out - 0.06, low, high, -0.04, 0.04, (MAIN,), "cup", True)
    elif kind == 4:
        r = rng.uniform(0.26, 0.34)
        spot.ball(0, r, 0, (r, r, r), SECOND, "ball")
    elif kind == 5:
        high = 0.0
        for i, label in enumerate((MAIN, LIGHT, SECOND)[: int(rng.integers(2, 4))]):
            pile = spot.at(0, 0, high, 0.25 * i)
            pile.box(-0.42, 0.42, 0, 0.15, -0.3, 0.3, label, "books")
            high += 0.15
    else:
        s = rng.uniform(0.22, 0.32)
        spot.box(-s, s, 0, 1.5 * s, -s, s, MAIN, "box")
        spot.box(-s - 0.03, s + 0.03, 1.5 * s, 1.8 * s, -s - 0.03, s + 0.03, SECOND, "lid")


def room_corner(rng: Rng) -> Scene:
    """A room seen into its corner, with furniture that stands on the floor."""
    model = Model()
    w, d, h = rng.uniform(2.6, 3.2), 2.6, 2.7
    turn = rng.choice([rng.uniform(-0.75, -0.35), 0.0, rng.uniform(0.35, 0.75)])
    site = Site(model, turn=turn)
    wall = BACKDROP
    site.box(-w, w, 0, h, -6, d, (wall, wall, GROUND, LIGHT, wall, wall), None, False, True)
    model.accents["wall"] = [0, 1, 4, 5]
    x = rng.uniform(-1.4, -0.4)
    site.box(x - 0.6, x + 0.6, 1.1, 2.2, d - 0.05, d, (LIGHT,), "window", True)
    x = rng.uniform(0.6, 1.6)
    site.box(x - 0.4, x + 0.4, 1.3, 2.0, d - 0.06, d, (SECOND,), "picture", True)
    for side in (-1, 1):
        z = rng.uniform(-0.6, 0.8)
        a, b = sorted((side * w, side * (w - 0.05)))
        site.box(a, b, 1.1, 2.1, z - 0.5, z + 0.5, (LIGHT,), "window", True)
    if rng.random() < 0.6:
        site.box(-1.5, 1.3, 0, 0.02, -0.9, 1.2, (SECOND,), "rug", True)
    if rng.random() < 0.6:
        _sofa(site.at(rng.uniform(-0.6, 0.2), d - 0.6), rng)
    else:
        _bed(site.at(rng.uniform(-0.8, 0.0), d - 1.2), rng)
    _table(site.at(rng.uniform(-0.2, 0.6), rng.uniform(0.0, 0.5), 0, rng.uniform(-0.3, 0.3)), rng)
    lamp = site.at(w - 0.5, d - 0.5)
    if rng.random() < 0.6:
        lamp.frustum(0, 0, 0, 0.05, 0.25, 0.25, SECOND)
        lamp.frustum(0, 0, 0.05, 1.4, 0.035, 0.035, SECOND)
        lamp.frustum(0, 0, 1.3, 1.75, 0.35, 0.22, LIGHT, "lamp")
    else:
        lamp.box(-0.4, 0.4, 0, 1.7, -0.2, 0.3, MAIN, "cupboard")
        for low in (0.1, 0.65, 1.2):
            lamp.box(-0.33, 0.33, low, low + 0.42, -0.22, -0.2, (SECOND,), None, True)
    camera = Camera((rng.uniform(-0.5, 0.5), rng.uniform(1.5, 2.1), -4.6), (0, 0.85, d), 1.2,
                    (-0.35, 0.8, -0.5))  # fmt: skip
    return solid_scene("room_corner", model, camera)


def _sofa(site: Site, rng: Rng) -> None:
    w = rng.uniform(0.8, 1.1)
    site.box(-w, w, 0.1, 0.42, -0.45, 0.3, MAIN, "sofa")
    site.box(-w, w, 0.1, 0.9, 0.3, 0.55, MAIN, "sofa")
    for side in (-w - 0.2, w):
        site.box(side, side + 0.2, 0.05, 0.65, -0.48, 0.55, MAIN, "sofa")
    if rng.random() < 0.6:
        x = rng.uniform(-0.5, 0.5) * w
        site.box(x - 0.22, x + 0.22, 0.42, 0.78, 0.12, 0.3, LIGHT, "cushion")


def _bed(site: Site, rng: Rng) -> None:
    site.box(-0.75, 0.75, 0.12, 0.35, -1.1, 1.1, SECOND)
    site.box(-0.72, 0.72, 0.35, 0.55, -1.08, 1.05, LIGHT)
    site.box(-0.78, 0.78, 0.3, 0.6, -1.12, 0.4, MAIN, "blanket")
    site.box(-0.8, 0.8, 0, 1.1, 1.05, 1.18, SECOND, "headboard")
    for x in (-0.4, 0.4):
        site.ball(x, 0.62, 0.78, (0.3, 0.12, 0.2), LIGHT, "pillow")


def _table(site: Site, rng: Rng) -> None:
    high = rng.uniform(0.45, 0.7)
    if rng.random() < 0.5:
        site.frustum(0, 0, high, high + 0.07, 0.6, 0.6, MAIN, "table")
        site.frustum(0, 0, 0, high, 0.07, 0.07, SECOND)
        site.frustum(0, 0, 0, 0.05, 0.3, 0.3, SECOND)
    else:
        site.box(-0.7, 0.7, high, high + 0.08, -0.4, 0.4, MAIN, "table")
        for x in (-0.62, 0.52):
            for z in (-0.34, 0.24):
                site.box(x, x + 0.1, 0, high, z, z + 0.1, SECOND)
    top = site.at(rng.uniform(-0.2, 0.2), 0, high + 0.07)
    if rng.random() < 0.5:
        top.frustum(0, 0, 0, 0.3, 0.09, 0.13, SECOND, "vase")
        top.ball(0, 0.45, 0, (0.2, 0.2, 0.2), GROUND, "flowers")
    else:
        top.frustum(0, 0, 0, 0.14, 0.12, 0.24, LIGHT, "bowl")
