"""Towns: skylines, streets in perspective, bridges."""

from itertools import pairwise

import numpy as np

from training.world.buildings import window, windows
from training.world.nature import FAR, bush, outdoors, sky, tree
from training.world.scene import (
    GROUND,
    LIGHT,
    MAIN,
    NEITHER,
    SECOND,
    Point,
    Rng,
    Scene,
    arc,
    lerp,
)


def skyline(rng: Rng) -> Scene:
    """Towers side by side, some in front of others, perhaps over water or trees."""
    scene = Scene("skyline")
    y = outdoors(scene, rng, 0.76, 0.9)
    for depth in range(2):
        x = rng.uniform(-0.15, 0.0)
        while x < 1.05:
            width = rng.uniform(0.13, 0.25)
            top = y - rng.uniform(0.28, 0.66) * (1 - 0.3 * depth)
            label = MAIN if depth else SECOND
            _top(scene, rng, x, width, top, label)
            scene.rect(x, top, x + width, y + 0.02 * depth, label, lift=1 + depth, curve=0.1,
                       light=1 if depth else 0.9, name="tower" if depth else "block")  # fmt: skip
            if depth:
                rows = max(2, int((y - top) / 0.12))
                windows(
                    scene,
                    rng,
                    (x + 0.01, top + 0.02, x + width - 0.01, y),
                    int(width / 0.075),
                    rows,
                )
            x += width + rng.uniform(0.0, 0.06) + 0.12 * depth
    for _ in range(int(rng.integers(0, 4))):
        bush(scene, rng, rng.uniform(0, 1), y + 0.05, rng.uniform(0.05, 0.09))
    return scene


def _top(scene: Scene, rng: Rng, x: float, width: float, top: float, label: int) -> None:
    kind = rng.integers(5)
    mid = x + width / 2
    if kind == 0:
        scene.add([(x, top), (mid, top - 0.1), (x + width, top)], label, light=0.9)
    elif kind == 1:
        scene.rect(x + 0.2 * width, top - 0.06, x + 0.8 * width, top, label)
        scene.rect(mid - 0.008, top - 0.15, mid + 0.008, top - 0.06, SECOND)
    elif kind == 2:
        scene.add(arc(mid, top, 0.5 * width, 0.08, np.pi, 2 * np.pi), label, curve=0.6)
    elif kind == 3:
        scene.add([(x, top), (x, top - 0.02), (x + width, top - 0.1), (x + width, top)], label)


def street(rng: Rng) -> Scene:
    """A street in one-point perspective between two rows of buildings, perhaps a car, lamps, trees."""
    scene = Scene("street")
    sky(scene, rng)
    v = (float(rng.uniform(0.36, 0.64)), float(rng.uniform(0.5, 0.62)))
    scene.rect(-FAR, v[1], 1 + FAR, FAR, GROUND, lift=0)
    walk = rng.uniform(0.12, 0.2)
    for side in (-0.4, 1.4):
        _row_of_houses(scene, rng, side, v)
        inner = side + (0.35 + walk if side < 0 else -0.35 - walk)
        scene.add([(side, 1.3), (inner, 1.3), v], LIGHT, lift=0, light=0.95)
    if rng.random() < 0.5:
        for near, far in ((0.0, 0.25), (0.4, 0.55), (0.65, 0.74)):
            a, b = lerp((0.47, 1.1), v, near), lerp((0.47, 1.1), v, far)
            c, d = lerp((0.53, 1.1), v, near), lerp((0.53, 1.1), v, far)
            scene.add([a, b, d, c], LIGHT, lift=0)
    extra = rng.random()
    if extra < 0.35:
        _car_behind(scene, v, rng.uniform(0.45, 0.6), rng.choice([0.38, 0.62]))
    elif extra < 0.7:
        for side in (0.0, 1.0):
            for t in (0.62, 0.3):
                foot, top = lerp((side, 1.12), v, t), lerp((side, 0.1), v, t)
                tree(scene, rng, foot[0], foot[1], foot[1] - top[1])
    return scene


def _row_of_houses(scene: Scene, rng: Rng, side: float, v: Point) -> None:
    ends = [0.0, *np.sort(rng.uniform(0.25, 0.8, 2)), 0.9]
    light = 0.78 if side < 0 else 1.06
    for near, far in reversed(list(pairwise(ends))):
        lift = rng.uniform(-0.5, 0.05)
        a, b = lerp((side, lift), v, near), lerp((side, lift), v, far)
        c, d = lerp((side, 1.3), v, near), lerp((side, 1.3), v, far)
        inward = (0.08 if side < 0 else -0.08) * (1 - near)
        scene.add([a, (a[0] + inward, a[1]), (c[0] + inward, c[1]), c], SECOND, light=1.05)
        scene.add([a, b, d, c], MAIN if rng.random() < 0.65 else SECOND, light=light, name="house")
        if far - near < 0.12:
            continue
        for s in np.linspace(0.2, 0.8, 2 if far - near < 0.3 else 3):
            p, q = lerp(a, b, s - 0.11), lerp(a, b, s + 0.11)
            u, w = lerp(c, d, s - 0.11), lerp(c, d, s + 0.11)
            for t, deep in ((0.15, 0.18), (0.42, 0.18), (0.7, 0.3)):
                pane = [lerp(p, u, t), lerp(q, w, t), lerp(q, w, t + deep), lerp(p, u, t + deep)]
                low = t > 0.6
                scene.add(
                    pane, SECOND if low else LIGHT, light=light, name="door" if low else "window"
                )


def _car_behind(scene: Scene, v: Point, t: float, x: float) -> None:
    foot = lerp((x, 1.15), v, t)
    pen = scene.at(foot[0], foot[1], 0.62 * (1 - t))
    for side in (-0.36, 0.26):
        pen.box(side, -0.04, side + 0.12, 0.15, SECOND)
    pen.add([(-0.33, 0.4), (-0.25, 0.72), (0.25, 0.72), (0.33, 0.4)], MAIN, name="car")
    pen.add([(-0.26, 0.42), (-0.2, 0.66), (0.2, 0.66), (0.26, 0.42)], LIGHT)
    pen.add([(-0.42, 0.08), (-0.42, 0.4), (0.42, 0.4), (0.42, 0.08)], MAIN, curve=0.2, name="car")
    for side in (-0.4, 0.28):
        pen.box(side, 0.24, side + 0.12, 0.34, LIGHT)


def corner(rng: Rng) -> Scene:
    """A corner house in two-point perspective, streets running off to both sides."""
    scene = Scene("corner")
    sky(scene, rng)
    y = float(rng.uniform(0.6, 0.7))
    scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, lift=0, curve=0.1)
    left, right = (-rng.uniform(0.4, 0.9), y), (1 + rng.uniform(0.4, 0.9), y)
    x, top, foot = rng.uniform(0.35, 0.65), rng.uniform(0.08, 0.25), y + rng.uniform(0.12, 0.2)
    walk = foot + 0.06
    scene.add(
        [(x, walk), lerp((x, walk), left, 0.9), left, right, lerp((x, walk), right, 0.9)],
        LIGHT,
        lift=0,
    )
    storeys = int(rng.integers(2, 4))
    for goal, light in ((left, 1.08), (right, 0.72)):
        reach = min(0.55, 0.5 / max(abs(goal[0] - x), 0.3))
        side = [(x, top), lerp((x, top), goal, reach), lerp((x, foot), goal, reach), (x, foot)]
        scene.add(side, MAIN, light=light, name="house")
        for storey in range(storeys):
            a, b = 0.12 + 0.8 * storey / storeys, 0.12 + 0.8 * storey / storeys + 0.46 / storeys
            for s in (0.16, 0.5, 0.84):
                p = [lerp((x, top + (foot - top) * t), goal, reach * (s + d))
                     for t, d in ((a, -0.1), (a, 0.1), (b, 0.1), (b, -0.1))]  # fmt: skip
                scene.add(p, LIGHT, light=light, name="window")
        roof = [
            (x, top),
            lerp((x, top), goal, reach + 0.02),
            lerp((x, top - 0.06), goal, reach + 0.02),
            (x, top - 0.06),
        ]
        scene.add(roof, SECOND, light=light, lift=1.5, name="roof")
    base = (foot + top) / 2 + 0.42 * (foot - top)
    for goal, light in ((left, 1.1), (right, 0.75)):
        awning = [lerp((x, base - 0.1), goal, 0.03), lerp((x, base - 0.1), goal, 0.17),
                  lerp((x, base - 0.03), goal, 0.17), lerp((x, base - 0.03), goal, 0.03)]  # fmt: skip
        if rng.random() < 0.5:
            scene.add(awning, SECOND, light=light, lift=2, name="awning")
    if rng.random() < 0.6:
        tree(scene, rng, rng.choice([0.1, 0.9]), walk + 0.04, rng.uniform(0.35, 0.55))
    return scene


def arch_bridge(rng: Rng) -> Scene:
    """A bridge of stone arches over a river."""
    scene = Scene("arch_bridge")
    y = _river(scene, rng)
    deck, foot = y - rng.uniform(0.08, 0.2), y + rng.uniform(0.1, 0.16)
    spans = int(rng.integers(1, 4))
    hump = rng.uniform(0.02, 0.12) if spans < 3 else 0.02
    x = np.linspace(-0.6, 1.6, 30)
    rise = hump * np.cos(np.clip((x - 0.5) * 2.2, -1.57, 1.57))
    road = np.stack([x, deck - rise], 1)
    scene.add(np.concatenate([road, [[1.6, foot], [-0.6, foot]]]), MAIN, lift=1.5, name="bridge")
    for i in range(spans):
        cx, half = (i + 0.5) / spans, 0.38 / spans
        tall = min(half, foot - deck - 0.05 + hump * 0.8)
        scene.add(
            arc(cx, foot + 0.002, half, tall, np.pi, 2 * np.pi), SECOND, light=0.85, lift=NEITHER
        )
    wall = np.concatenate([np.subtract(road, (0, 0.045)), np.add(road[::-1], (0, 0.008))])
    scene.add(wall, LIGHT, lift=2, name="railing")
    if rng.random() < 0.5:
        tree(scene, rng, rng.choice([0.06, 0.94]), foot + 0.1, rng.uniform(0.4, 0.6))
    return scene


def _river(scene: Scene, rng: Rng) -> float:
    sky(scene, rng)
    y = rng.uniform(0.56, 0.68)
    if rng.random() < 0.7:
        bank = [
            (-FAR, y),
            (-FAR, y - 0.06),
            (0.3, y - 0.1),
            (0.7, y - 0.05),
            (1 + FAR, y - 0.08),
            (1 + FAR, y),
        ]
        scene.add(bank, GROUND, lift=NEITHER)
    scene.rect(-FAR, y, 1 + FAR, FAR, SECOND, curve=0.15, lift=0, name="river")
    for _ in range(3):
        x, v = rng.uniform(0.1, 0.9), rng.uniform(y + 0.18, 0.96)
        scene.oval(x, v, rng.uniform(0.05, 0.12), 0.01, LIGHT, lift=NEITHER)
    return float(y)


def hung_bridge(rng: Rng) -> Scene:
    """A bridge hung from pylons by cables."""
    scene = Scene("hung_bridge")
    y = _river(scene, rng)
    deck = y - rng.uniform(0.08, 0.16)
    top = deck - rng.uniform(0.28, 0.4)
    pylons = (rng.uniform(0.22, 0.3), rng.uniform(0.7, 0.78))
    if rng.random() < 0.5:
        for a, b in ((-0.3, pylons[0]), pylons, (pylons[1], 1.3)):
            x = np.linspace(a, b, 16)
            sag = (2 * (x - a) / (b - a) - 1) ** 2
            line = np.stack([x, deck - 0.03 + (top + 0.02 - deck + 0.03) * sag], 1)
            scene.add(
                np.concatenate([np.subtract(line, (0, 0.007)), np.add(line[::-1], (0, 0.007))]),
                LIGHT,
                lift=NEITHER,
            )
            for i in range(2, 15, 3):
                scene.rect(x[i] - 0.005, line[i, 1], x[i] + 0.005, deck, LIGHT, lift=NEITHER)
    else:
        for px in pylons:
            for reach in (0.1, 0.17, 0.24):
                for side in (-1, 1):
                    high = top + 0.35 * reach
                    scene.add(
                        [
                            (px, high),
                            (px, high + 0.02),
                            (px + side * reach, deck),
                            (px + side * (reach + 0.012), deck),
                        ],
                        LIGHT,
                        lift=NEITHER,
                    )
    for px in pylons:
        scene.rect(px - 0.025, top - 0.02, px + 0.025, y + 0.14, MAIN, lift=1.5, name="pylon")
        scene.rect(px - 0.05, y + 0.12, px + 0.05, y + 0.17, MAIN, light=0.85)
    scene.rect(-FAR, deck, 1 + FAR, deck + 0.045, MAIN, lift=2, name="bridge")
    return scene


def truss_bridge(rng: Rng) -> Scene:
    """An iron bridge of triangles on piers, perhaps a train on it."""
    scene = Scene("truss_bridge")
    y = _river(scene, rng)
    deck = y - rng.uniform(0.06, 0.14)
    high, step = rng.uniform(0.14, 0.2), rng.uniform(0.17, 0.24)
    for px in (0.18, 0.82):
        scene.add([(px - 0.05, deck), (px + 0.05, deck), (px + 0.07, y + 0.16), (px - 0.07, y + 0.16)], MAIN,
                  light=0.9, name="pier")  # fmt: skip
    for x in np.arange(-0.6, 1.4, step):
        for a, b in (
            ((x, deck), (x + step / 2, deck - high)),
            ((x + step / 2, deck - high), (x + step, deck)),
        ):
            scene.add([(a[0] - 0.01, a[1]), (a[0] + 0.01, a[1]), (b[0] + 0.01, b[1]), (b[0] - 0.01, b[1])],
                      LIGHT, lift=NEITHER)  # fmt: skip
    scene.rect(-FAR, deck - high - 0.025, 1 + FAR, deck - high, MAIN, name="bridge")
    scene.rect(-FAR, deck - 0.01, 1 + FAR, deck + 0.03, MAIN, lift=2, name="bridge")
    return scene


def square(rng: Rng) -> Scene:
    """Gabled houses side by side on a square, a fountain or a lamp before them."""
    scene = Scene("square")
    y = outdoors(scene, rng, 0.66, 0.76)
    x = rng.uniform(-0.12, 0.0)
    while x < 1:
        width, top = rng.uniform(0.2, 0.3), y - rng.uniform(0.3, 0.42)
        mid, rise = x + width / 2, rng.uniform(0.08, 0.16)
        label = MAIN if rng.random() < 0.6 else SECOND
        scene.add([(x, y), (x, top), (mid, top - rise), (x + width, top), (x + width, y)], label,
                  light=rng.uniform(0.9, 1.1), name="house")  # fmt: skip
        kind = int(rng.choice([0, 1, 2]))
        for v in (top + 0.11, top + 0.23):
            for u in (0.28, 0.72):
                window(scene.at(x + u * width, v, 1), 0, 0, 0.14 * width, 0.07, kind, 1)
        scene.rect(mid - 0.15 * width, y - 0.1, mid + 0.15 * width, y, LIGHT, name="door")
        x += width
    mid = rng.uniform(0.35, 0.65)
    if rng.random() < 0.5:
        scene.rect(mid - 0.02, y - 0.06, mid + 0.02, y + 0.12, LIGHT, curve=0.8, lift=2)
        scene.oval(mid, y - 0.05, 0.09, 0.02, LIGHT, lift=2)
        scene.add([(mid - 0.2, y + 0.1), (mid + 0.2, y + 0.1), (mid + 0.17, y + 0.18), (mid - 0.17, y + 0.18)], MAIN,
                  curve=0.6, lift=2, name="fountain")  # fmt: skip
        scene.oval(mid, y + 0.1, 0.2, 0.03, SECOND, lift=2)
    else:
        scene.rect(mid - 0.011, y - 0.3, mid + 0.011, y + 0.12, SECOND, lift=2)
        scene.add([(mid - 0.05, y - 0.3), (mid + 0.05, y - 0.3), (mid + 0.035, y - 0.2), (mid - 0.035, y - 0.2)], LIGHT,
                  lift=2, name="lamp")  # fmt: skip
        scene.add([(mid - 0.06, y - 0.3), (mid, y - 0.35), (mid + 0.06, y - 0.3)], SECOND, lift=2)
    return scene
