"""Rooms with furniture."""

import numpy as np

from training.world.furniture import (
    armchair,
    bed,
    cabinet,
    chair,
    floor_lamp,
    pendant,
    plant,
    shelves,
    sofa,
    table,
)
from training.world.nature import FAR
from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    SECOND,
    Pen,
    Rng,
    Scene,
    arc,
    lerp,
    rounded,
)
from training.world.walls import on_wall, room, rug


def living_room(rng: Rng) -> Scene:
    """A sofa or armchairs with a table, a lamp, a plant, something on the wall."""
    scene = Scene("living_room")
    wall = room(scene, rng)
    floor = wall[3]
    mid = rng.uniform(0.42, 0.58)
    on_wall(scene, rng, wall, mid + rng.uniform(-0.05, 0.05))
    if rng.random() < 0.5:
        rug(scene, rng, mid, floor + 0.18)
    corner = rng.choice([-1, 1])
    if rng.random() < 0.8:
        lamp = floor_lamp if rng.random() < 0.5 else plant
        lamp(scene.at(mid + corner * 0.36, floor + 0.07, rng.uniform(0.32, 0.46)), rng)
    if rng.random() < 0.75:
        sofa(scene.at(mid, floor + 0.13, rng.uniform(0.19, 0.22)), rng)
    else:
        armchair(scene.at(mid - 0.17, floor + 0.13, 0.24), rng)
        armchair(scene.at(mid + 0.17, floor + 0.15, 0.24), rng)
    if rng.random() < 0.6:
        table(scene.at(mid + rng.uniform(-0.1, 0.1), floor + 0.25, rng.uniform(0.1, 0.12)), rng)
    elif rng.random() < 0.5:
        plant(scene.at(mid - corner * 0.38, 1.03, 0.42), rng)
    if rng.random() < 0.3:
        pendant(scene.at(mid + rng.uniform(-0.15, 0.15), wall[1] + 0.1, 0.09), rng)
    return scene


def dining_room(rng: Rng) -> Scene:
    """A table with chairs under a lamp."""
    scene = Scene("dining_room")
    wall = room(scene, rng)
    floor, mid = wall[3], rng.uniform(0.44, 0.56)
    on_wall(scene, rng, wall, mid + rng.choice([-0.2, 0.2]))
    if rng.random() < 0.4:
        cabinet(scene.at(mid + rng.choice([-0.2, 0.2]), floor + 0.04, 0.16), rng)
    high = rng.uniform(0.2, 0.25)
    foot = floor + 0.2
    for side in (-1, 1):
        chair(scene.at(mid + side * 0.12, foot - 0.06, 1.4 * high, side > 0), rng)
    table(scene.at(mid, foot, high), rng)
    pen = scene.at(mid, foot - high, 0.1)
    if rng.random() < 0.6:
        pen.add([(-0.3, 0.5), (0.3, 0.5), (0.2, 0), (-0.2, 0)], LIGHT, curve=0.8, name="bowl")
    for side in (-1, 1):
        chair(scene.at(mid + side * 0.32, foot + 0.04, 1.55 * high, side < 0), rng)
    pendant(scene.at(mid, rng.uniform(0.14, 0.26), rng.uniform(0.1, 0.14)), rng)
    return scene


def kitchen(rng: Rng) -> Scene:
    """Cupboards, a worktop with pots, a hood or a window above."""
    scene = Scene("kitchen")
    y = rng.uniform(0.84, 0.9)
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.2, name="wall")
    scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0, name="floor")
    top = y - rng.uniform(0.3, 0.34)
    width = rng.uniform(0.2, 0.26)
    start = rng.uniform(-0.2, 0.0)
    middle = int(rng.integers(1, 4))
    for i, x in enumerate(np.arange(start, 1.2, width)):
        scene.rect(x, top, x + width, y, MAIN, name="cupboard")
        inner = (x + 0.02, x + width - 0.02)
        if i == middle:
            scene.rect(*(inner[0], top + 0.07, inner[1], y - 0.05), SECOND)
            scene.rect(inner[0] + 0.03, top + 0.12, inner[1] - 0.03, y - 0.12, LIGHT, name="oven")
            for u in (0.25, 0.5, 0.75):
                scene.oval(x + u * width, top + 0.045, 0.014, 0.014, LIGHT)
        else:
            scene.rect(
                *(inner[0], top + 0.05, inner[1], y - 0.03), MAIN, light=1.08, name="cupboard"
            )
            scene.rect(x + width / 2 - 0.03, top + 0.08, x + width / 2 + 0.03, top + 0.095, LIGHT)
    scene.rect(-FAR, top - 0.03, 1 + FAR, top + 0.01, SECOND, lift=1.8)
    x = start + (middle + 0.5) * width
    if rng.random() < 0.6:
        scene.add(
            [
                (x - 0.06, -0.3),
                (x + 0.06, -0.3),
                (x + 0.06, 0.14),
                (x + 0.13, 0.26),
                (x - 0.13, 0.26),
                (x - 0.06, 0.14),
            ],
            LIGHT,
            lift=1.8,
        )
    else:
        on_wall(scene, rng, (0, 0.04, 1, 0.5), x)
    for i, u in enumerate(np.arange(start, 1.2, width)):
        if abs(i - middle) > 1 or rng.random() < 0.3:
            if i == middle:
                continue
            scene.rect(u, -0.3, u + width, 0.24, MAIN, lift=1.8, name="cupboard")
            scene.rect(
                u + 0.02, -0.2, u + width - 0.02, 0.22, MAIN, light=1.08, lift=1.8, name="cupboard"
            )
    pot = scene.at(x, top - 0.03, 0.12)
    pot.box(-0.5, 0, 0.5, 0.65, SECOND, curve=0.9, name="pot")
    pot.box(-0.56, 0.62, 0.56, 0.76, SECOND, light=1.1)
    pot.oval(0, 0.84, 0.1, 0.08, LIGHT)
    for side in (-1, 1):
        things = scene.at(x + side * rng.uniform(0.19, 0.26), top - 0.03, rng.uniform(0.12, 0.17))
        if rng.random() < 0.5:
            things.blob(
                [
                    (-0.2, 0),
                    (-0.2, 0),
                    (-0.25, 0.55),
                    (-0.08, 0.7),
                    (-0.08, 1),
                    (0.08, 1),
                    (0.08, 0.7),
                    (0.25, 0.55),
                    (0.2, 0),
                    (0.2, 0),
                ],
                LIGHT,
                curve=0.9,
                name="jug",
            )
        else:
            plant(things, rng)
    return scene


def bedroom(rng: Rng) -> Scene:
    """A bed with a table and lamp beside it, a picture or window above."""
    scene = Scene("bedroom")
    wall = room(scene, rng)
    floor, mid = wall[3], rng.uniform(0.47, 0.6)
    on_wall(scene, rng, wall, mid + rng.uniform(-0.05, 0.15))
    if rng.random() < 0.5:
        rug(scene, rng, mid, floor + 0.2)
    if rng.random() < 0.4:
        shelves(scene.at(mid + 0.33, floor + 0.04, 0.42), rng)
    stand = scene.at(mid - 0.37, floor + 0.13, 0.13)
    stand.box(-0.4, 0, 0.4, 0.95, MAIN, name="bedside table")
    stand.box(-0.3, 0.45, 0.3, 0.8, MAIN, light=1.08)
    stand.box(-0.46, 0.9, 0.46, 1.02, SECOND, light=1.1)
    floor_lamp(stand.at(0, 1.0, 1.3), rng)
    bed(scene.at(mid + 0.02, floor + 0.15, rng.uniform(0.2, 0.23)), rng)
    return scene


def study(rng: Rng) -> Scene:
    """A desk with a lamp and books, shelves behind."""
    scene = Scene("study")
    wall = room(scene, rng)
    floor, mid = wall[3], rng.uniform(0.42, 0.58)
    side = rng.choice([-1, 1])
    shelves(scene.at(mid + side * 0.3, floor + 0.03, rng.uniform(0.42, 0.5)), rng)
    on_wall(scene, rng, wall, mid - side * 0.12)
    high = rng.uniform(0.22, 0.26)
    chair(scene.at(mid - side * 0.08, floor + 0.09, 1.4 * high, side > 0), rng)
    pen = scene.at(mid, floor + 0.16, high)
    pen.box(-0.95, 0, -0.85, 0.9, SECOND)
    pen.box(0.3, 0.1, 0.95, 0.9, MAIN, light=0.9, name="desk")
    for v in (0.2, 0.53):
        pen.box(0.37, v, 0.88, v + 0.26, MAIN, light=1.05, name="desk")
        pen.oval(0.62, v + 0.13, 0.035, 0.035, LIGHT)
    pen.box(-1.05, 0.88, 1.05, 1.0, MAIN, light=1.12, name="desk")
    lamp = pen.at(-0.6, 1.0, 0.8)
    lamp.box(-0.18, 0, 0.18, 0.06, SECOND)
    lamp.ribbon([(0, 0.05), (-0.14, 0.45), (0.16, 0.8)], 0.06, SECOND)
    lamp.add(
        [(0.06, 0.86), (0.22, 0.94), (0.46, 0.72), (0.16, 0.56)], LIGHT, curve=0.4, name="lamp"
    )
    for i in range(int(rng.integers(1, 4))):
        pen.box(
            0.3,
            1.0 + 0.12 * i,
            0.8 - 0.05 * i,
            1.12 + 0.12 * i,
            (SECOND, LIGHT, GROUND)[i],
            name="book",
        )
    return scene


def hallway(rng: Rng) -> Scene:
    """A corridor in one-point perspective, doors on both sides, an arch or window at its end."""
    scene = Scene("hallway")
    v = (rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.5))
    half, up, down = rng.uniform(0.12, 0.17), rng.uniform(0.2, 0.26), rng.uniform(0.15, 0.2)
    x0, x1, y0, y1 = v[0] - half, v[0] + half, v[1] - up, v[1] + down
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    far = [lerp(v, c, 9) for c in corners]
    scene.rect(x0, y0, x1, y1, BACKDROP)
    sides = ((0, LIGHT, 0.95), (1, MAIN, 1.1), (2, GROUND, 1.0), (3, MAIN, 0.75))
    for i, label, light in sides:
        j = (i + 1) % 4
        scene.add([corners[i], corners[j], far[j], far[i]], label, light=light, lift=0,
                  name=("ceiling", "wall", "floor", "wall")[i])  # fmt: skip
    for side, light in ((x0, 0.75), (x1, 1.1)):
        for near, end in ((1.9, 1.3), (3.6, 2.6)):
            high = lerp(v, (side, y0 + 0.3 * up), near)[1], lerp(v, (side, y0 + 0.3 * up), end)[1]
            a, b = lerp(v, (side, y1), near), lerp(v, (side, y1), end)
            scene.add([a, (a[0], high[0]), (b[0], high[1]), b], SECOND, light=light, name="door")
    mid, wide = (x0 + x1) / 2, 0.55 * half
    scene.add([*arc(mid, y0 + 0.14, wide, wide, np.pi, 2 * np.pi), (mid + wide, y1), (mid - wide, y1)], LIGHT,
              light=1.15, name="archway")  # fmt: skip
    if rng.random() < 0.6:
        for near in (1.2, 2.4):
            x, y = lerp(v, (mid, y0), near)
            scene.oval(
                x, y + 0.03 * near, 0.04 * near, 0.018 * near, LIGHT, light=1.2, lift=2, name="lamp"
            )
    if rng.random() < 0.5:
        strip = [lerp(v, (mid - 0.5 * half, y1), t) for t in (1.0, 5)] + [
            lerp(v, (mid + 0.5 * half, y1), t) for t in (5, 1.0)
        ]
        scene.add(strip, SECOND, lift=0, name="rug")
    return scene


def window_seat(rng: Rng) -> Scene:
    """A window seat: a large window with a view, cushions and a plant on the sill."""
    scene = Scene("window_seat")
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, MAIN, name="wall")
    x0, x1, y0, y1 = (
        rng.uniform(0.14, 0.2),
        rng.uniform(0.8, 0.86),
        rng.uniform(0.06, 0.12),
        rng.uniform(0.6, 0.66),
    )
    scene.rect(x0 - 0.03, y0 - 0.03, x1 + 0.03, y1, SECOND, lift=1.2)
    scene.rect(x0, y0, x1, y1, BACKDROP, lift=0)
    ridge = [
        (x0, y1),
        (x0, y1 - 0.12),
        *[(x, y1 - rng.uniform(0.08, 0.22)) for x in np.linspace(x0, x1, 6)[1:-1]],
        (x1, y1 - 0.12),
        (x1, y1),
    ]
    scene.add(ridge, GROUND, lift=0)
    bars = int(rng.integers(1, 3))
    for i in range(bars):
        x = x0 + (x1 - x0) * (i + 1) / (bars + 1)
        scene.rect(x - 0.012, y0, x + 0.012, y1, SECOND)
    for side, x in ((-1, x0), (1, x1)):
        scene.add(
            [
                (x - side * 0.03, y0 - 0.05),
                (x + side * 0.14, y0 - 0.05),
                (x + side * 0.14, 0.9),
                (x + side * 0.04, 0.9),
            ],
            LIGHT,
            curve=0.3,
            lift=1.6,
            name="curtain",
        )
    scene.rect(x0 - 0.1, y1 + 0.06, x1 + 0.1, 1.3, SECOND, light=0.9)
    scene.rect(x0 - 0.12, y1, x1 + 0.12, y1 + 0.09, LIGHT, lift=1.8, name="seat")
    for x, angle in ((x0 + 0.1, 0.25), (x1 - 0.12, -0.2)):
        a = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        square = np.array([(-0.09, -0.09), (0.09, -0.09), (0.09, 0.09), (-0.09, 0.09)])
        pad = rounded(np.repeat(square, 2, 0), 2) @ a
        scene.add(np.add(pad, (x, y1 - 0.075)), MAIN, curve=0.6, lift=2.5, name="cushion")
    _on_sill(scene.at(rng.uniform(0.42, 0.58), y1 + 0.01, rng.uniform(0.2, 0.28)), rng)
    return scene


def _on_sill(pen: Pen, rng: Rng) -> None:
    if rng.random() < 0.5:
        plant(pen, rng)
    else:
        pen.blob(
            [(-0.3, 0), (-0.4, 0.3), (-0.2, 0.6), (0.2, 0.6), (0.4, 0.3), (0.3, 0)],
            MAIN,
            curve=0.6,
            name="cat",
        )
        pen.blob([(-0.42, 0.55), (-0.4, 1.0), (-0.26, 0.88), (-0.06, 0.88), (0.08, 1.0), (0.1, 0.55), (-0.16, 0.42)],
                 MAIN, curve=0.5, name="cat")  # fmt: skip
        pen.ribbon(_tail(), 0.1, MAIN, name="cat")


def _tail() -> list[tuple[float, float]]:
    return [(0.25 + 0.3 * t, 0.06 + 0.1 * np.sin(3 * t)) for t in np.linspace(0, 1, 8)]
