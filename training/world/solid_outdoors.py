"""Scenes in three dimensions, outdoors: villages, towers, pavilions, stairs, bridges."""

import numpy as np

from training.world.model import Camera, Model, Site
from training.world.scene import GROUND, LIGHT, MAIN, SECOND, Rng, Scene
from training.world.solid import solid_scene


def camera_before(
    rng: Rng, distance: float, height: float, target_height: float, zoom: float, swing: float = 0.6
) -> Camera:
    """Somewhere on an arc before the origin."""
    angle = rng.uniform(-swing, swing)
    reach = distance * rng.uniform(0.88, 1.15)
    eye = (reach * np.sin(angle), height * rng.uniform(0.8, 1.3), -reach * np.cos(angle))
    target = (rng.uniform(-0.3, 0.3), target_height, 0.0)
    sun = (rng.uniform(-0.8, -0.4), rng.uniform(0.6, 0.9), rng.uniform(-0.7, -0.15))
    return Camera(eye, target, zoom, sun)


def _tree(site: Site, rng: Rng, x: float, z: float, height: float) -> None:
    site.frustum(x, z, 0, 0.4 * height, 0.05 * height, 0.04 * height, SECOND)
    if rng.random() < 0.4:
        for part in range(2):
            low = (0.22 + 0.34 * part) * height
            site.frustum(
                x, z, low, low + 0.5 * height, (0.26 - 0.06 * part) * height, 0.005, GROUND, "tree"
            )
    else:
        site.ball(
            x, 0.66 * height, z, (0.27 * height, 0.34 * height, 0.27 * height), GROUND, "tree"
        )


def _far_hill(site: Site, rng: Rng) -> None:
    if rng.random() < 0.5:
        radii = (rng.uniform(12, 20), rng.uniform(5, 7), 6)
        site.ball(rng.uniform(-14, 14), -3, 26, radii, MAIN if rng.random() < 0.3 else GROUND)


def _house(site: Site, rng: Rng, width: float, depth: float, height: float) -> None:
    """A gabled house whose long side, with the door, looks toward -z and its gable toward -x and x."""
    w, d = width / 2, depth / 2
    site.box(-w, w, 0, height, -d, d, MAIN, "house")
    roof = site.at(0, 0, 0, np.pi / 2)
    rise = rng.uniform(0.5, 0.8) * depth
    roof.gable(
        -d - 0.12,
        d + 0.12,
        height,
        height + rise,
        -w - 0.12,
        w + 0.12,
        (SECOND, SECOND, SECOND, MAIN, MAIN),
        "roof",
    )
    if rng.random() < 0.7:
        x = rng.uniform(0.3, 0.7) * w
        site.box(x - 0.14, x + 0.14, height, height + rise + 0.35, 0.1, 0.38, MAIN, "chimney")
    door = rng.choice([-0.55, 0.0, 0.55]) * w
    site.box(door - 0.2, door + 0.2, 0, 0.85, -d - 0.03, -d, (SECOND,), "door", True)
    for x in (-0.6, 0.0, 0.6):
        if abs(x * w - door) > 0.3:
            site.box(x * w - 0.2, x * w + 0.2, 0.45, 0.95, -d - 0.03, -d, (LIGHT,), "window", True)
    for side in (-w - 0.03, w):
        site.box(side, side + 0.03, 0.45, 0.95, -0.25, 0.25, (LIGHT,), "window", True)


def village(rng: Rng) -> Scene:
    """A house or three on level ground, trees, a hill far away."""
    model = Model()
    site = Site(model)
    site.ground(GROUND, "meadow")
    _far_hill(site, rng)
    turn = rng.choice([-1, 1]) * rng.uniform(0.2, 0.7)
    _house(
        site.at(0, 0, 0, turn),
        rng,
        rng.uniform(2, 2.8),
        rng.uniform(1.4, 1.8),
        rng.uniform(1.0, 1.5),
    )
    side = rng.choice([-1, 1])
    if rng.random() < 0.6:
        _house(
            site.at(side * rng.uniform(2.8, 3.4), rng.uniform(2, 3.5), 0, turn), rng, 2.0, 1.5, 1.0
        )
    for _ in range(int(rng.integers(1, 4))):
        _tree(site, rng, -side * rng.uniform(1.9, 3.2), rng.uniform(-0.8, 3), rng.uniform(1.4, 2.4))
    if rng.random() < 0.3:
        _tree(site, rng, side * 2.0, -1.6, rng.uniform(1.2, 1.8))
    return solid_scene("village", model, camera_before(rng, 6.5, 2.0, 0.95, 1.15, 0.4))


def towers(rng: Rng) -> Scene:
    """Tower blocks with bands of windows, seen from above a street or from the ground."""
    model = Model()
    site = Site(model, turn=rng.uniform(-0.5, 0.5))
    site.ground(GROUND, "ground")
    for x, z in (
        (-1.9, 0),
        (0.1, -0.5),
        (2.0, 0.2),
        (-1.2, 2.6),
        (1.3, 2.8),
        (3.6, 2.5),
        (-3.4, 2.2),
    ):
        if rng.random() < 0.1:
            continue
        w, d, tall = rng.uniform(0.55, 0.8), rng.uniform(0.5, 0.75), rng.uniform(1.6, 4.2)
        label = MAIN if z < 1 or rng.random() < 0.5 else SECOND
        if rng.random() < 0.15:
            site.frustum(x, z, 0, tall, w, w, label, "tower")
            site.ball(x, tall, z, (w, 0.6 * w, w), SECOND, "dome")
            continue
        site.box(x - w, x + w, 0, tall, z - d, z + d, label, "tower")
        if rng.random() < 0.4:
            site.box(
                x - 0.5 * w,
                x + 0.5 * w,
                tall,
                tall + 0.35,
                z - 0.5 * d,
                z + 0.5 * d,
                SECOND,
                "roof",
            )
        if z > 1:
            continue
        bands = max(2, int(tall / 0.75))
        for i in range(bands):
            low = 0.3 + (tall - 0.3) * i / bands
            high = low + 0.36
            site.box(
                x - 0.8 * w, x + 0.8 * w, low, high, z - d - 0.02, z - d, (LIGHT,), "windows", True
            )
            for side in (x - w - 0.02, x + w):
                site.box(
                    side,
                    side + 0.02,
                    low,
                    high,
                    z - 0.75 * d,
                    z + 0.75 * d,
                    (LIGHT,),
                    "windows",
                    True,
                )
    return solid_scene(
        "towers", model, camera_before(rng, 8.5, rng.choice([1.4, 4.5]), 1.7, 1.45, 0.3)
    )


def pavilion(rng: Rng) -> Scene:
    """Columns on steps under a gable, a flat roof or a dome."""
    model = Model()
    site = Site(model)
    site.ground(GROUND, "lawn")
    _far_hill(site, rng)
    tall = rng.uniform(1.4, 1.9)
    steps = 0.16
    if rng.random() < 0.4:
        for i in range(2):
            site.frustum(
                0, 0, steps * i, steps * (i + 1), 1.6 - 0.2 * i, 1.6 - 0.2 * i, LIGHT, "steps"
            )
        top = 2 * steps + tall
        for t in np.linspace(0, 2 * np.pi, 8, endpoint=False) + 0.2:
            site.frustum(
                1.15 * np.cos(t), 1.15 * np.sin(t), 2 * steps, top, 0.11, 0.1, MAIN, "columns"
            )
        site.frustum(0, 0, top, top + 0.22, 1.4, 1.4, MAIN)
        site.ball(0, top + 0.2, 0, (1.25, 0.95, 1.25), SECOND, "dome")
        if rng.random() < 0.6:
            site.frustum(0, 0, 2 * steps, 2 * steps + 0.5, 0.22, 0.22, SECOND)
            site.ball(0, 2 * steps + 0.7, 0, (0.2, 0.25, 0.2), LIGHT)
    else:
        count, deep = int(rng.integers(3, 6)), rng.uniform(0.8, 1.2)
        half = 0.42 * count
        for i in range(2):
            out = 0.4 - 0.2 * i
            site.box(
                -half - out,
                half + out,
                steps * i,
                steps * (i + 1),
                -deep - out,
                deep + out,
                LIGHT,
                "steps",
            )
        top = 2 * steps + tall
        if rng.random() < 0.5:
            site.box(-half + 0.3, half - 0.3, 2 * steps, top, -deep + 0.6, deep, MAIN, "wall")
            site.box(
                -0.22, 0.22, 2 * steps, 1.3, -deep + 0.57, -deep + 0.6, (SECOND,), "door", True
            )
        for x in np.linspace(-half + 0.12, half - 0.12, count):
            for z in (-deep + 0.12, deep - 0.12):
                site.frustum(x, z, 2 * steps, top, 0.12, 0.1, MAIN, "columns")
        site.box(-half - 0.08, half + 0.08, top, top + 0.2, -deep - 0.08, deep + 0.08, MAIN)
        if rng.random() < 0.7:
            site.gable(-half - 0.2, half + 0.2, top + 0.2, top + 0.2 + 0.35 * half, -deep - 0.15, deep + 0.15,
                       (SECOND, SECOND, SECOND, MAIN, MAIN), "roof")  # fmt: skip
        else:
            site.box(
                -half - 0.2,
                half + 0.2,
                top + 0.2,
                top + 0.36,
                -deep - 0.2,
                deep + 0.2,
                SECOND,
                "roof",
            )
    for _ in range(int(rng.integers(0, 4))):
        _tree(
            site,
            rng,
            rng.choice([-1, 1]) * rng.uniform(2.3, 3.4),
            rng.uniform(0, 3),
            rng.uniform(1.6, 2.6),
        )
    return solid_scene("pavilion", model, camera_before(rng, 6.5, 1.6, 1.25, 1.15, 0.6))


def stairs(rng: Rng) -> Scene:
    """Stairs up to a terrace with a wall, a door and columns or balls at their sides."""
    model = Model()
    site = Site(model)
    site.ground(GROUND, "court")
    _far_hill(site, rng)
    count = int(rng.integers(4, 7))
    half, tread, rise = rng.uniform(0.8, 1.3), 0.32, 0.2
    for i in range(count):
        site.box(-half, half, 0, rise * (count - i), -tread * (i + 1), -tread * i, LIGHT, "steps")
    top = rise * count
    site.box(-3, 3, 0, top, 0, 4, MAIN, "terrace")
    for side in (-1, 1):
        x = side * (half + 0.18)
        a, b = sorted((x - 0.18, x + 0.18))
        site.box(a, b, 0, top + 0.35, -0.4, 0.0, SECOND, "wall")
        if rng.random() < 0.7:
            site.ball(x, top + 0.55, -0.2, (0.2, 0.2, 0.2), LIGHT, "balls")
        site.box(a, b, 0, 0.5 * top, -tread * count, -0.4, SECOND, "wall")
    if rng.random() < 0.7:
        site.box(-2.2, 2.2, top, top + 2.1, 1.6, 3.4, MAIN, "house")
        site.box(-2.4, 2.4, top + 2.1, top + 2.3, 1.4, 3.6, SECOND, "roof")
        site.box(-0.35, 0.35, top, top + 1.3, 1.56, 1.6, (SECOND,), "door", True)
        for x in (-1.4, 1.4):
            site.box(x - 0.35, x + 0.35, top + 0.5, top + 1.4, 1.56, 1.6, (LIGHT,), "window", True)
    else:
        for x in (-2, -1, 1, 2):
            site.frustum(x, 1.2, top, top + 1.9, 0.15, 0.13, MAIN, "columns")
        site.box(-2.3, 2.3, top + 1.9, top + 2.15, 0.95, 1.45, SECOND, "beam")
    for x in (-2.4, 2.4):
        if rng.random() < 0.6:
            _tree(site, rng, x, -rng.uniform(0.5, 1.0), rng.uniform(1.4, 2.2))
    return solid_scene("stairs", model, camera_before(rng, 6.2, 1.9, 1.25, 1.1, 0.6))


def viaduct(rng: Rng) -> Scene:
    """A bridge on round or square piers across water, seen at an angle."""
    model = Model()
    site = Site(model)
    site.ground(SECOND, "water")
    _far_hill(site, rng)
    for side in (-1, 1):
        site.ball(side * 9, -0.5, 3, (6.2, 2.0, 6), GROUND, "banks")
    bridge = site.at(0, 0.6, 0, rng.uniform(-0.45, 0.45))
    deck = rng.uniform(1.1, 1.6)
    half = rng.uniform(0.45, 0.6)
    bridge.box(-9, 9, deck, deck + 0.22, -half, half, MAIN, "bridge")
    for z in (-half, half - 0.1):
        bridge.box(-9, 9, deck + 0.22, deck + 0.42, z, z + 0.1, LIGHT, "railing")
    round_ones = rng.random() < 0.5
    for x in np.arange(-4.5, 5.0, rng.uniform(1.6, 2.3)):
        if round_ones:
            bridge.frustum(x, 0, 0, deck, 0.34, 0.26, MAIN, "piers")
        else:
            bridge.box(x - 0.22, x + 0.22, 0, deck, -half + 0.1, half - 0.1, MAIN, "piers")
    if rng.random() < 0.5:
        for x in (-1.6, 1.6):
            for z in (-half - 0.12, half):
                bridge.box(x - 0.12, x + 0.12, 0, deck + 1.9, z, z + 0.12, SECOND, "pylons")
            bridge.box(x - 0.12, x + 0.12, deck + 1.5, deck + 1.75, -half, half, SECOND, "pylons")
    elif rng.random() < 0.6:
        car = bridge.at(rng.uniform(-1, 1), -0.05, deck + 0.22)
        car.box(-0.5, 0.5, 0.08, 0.32, -0.2, 0.2, SECOND, "car")
        car.box(-0.25, 0.3, 0.32, 0.55, -0.18, 0.18, LIGHT)
    return solid_scene("viaduct", model, camera_before(rng, 6.5, 3.0, 1.15, 1.1, 0.3))
