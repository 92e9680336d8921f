"""Single buildings seen from the front: houses, facades, towers, churches."""

import numpy as np

from training.world.nature import FAR, bush, fence, outdoors, sky, tree
from training.world.scene import (
    GROUND,
    LIGHT,
    MAIN,
    NEITHER,
    SECOND,
    Pen,
    Rng,
    Scene,
    arc,
)


def window(
    pen: Pen, u: float, v: float, half: float, height: float, kind: int, flush: float
) -> None:
    """A pane over a frame; kinds: 0 plain, 1 crossed, 2 arched, 3 with shutters, 4 round-headed pair."""
    plain = {"lift": flush}
    if kind == 2:
        pen.add([*arc(u, v + height - half, half, half, 0, np.pi), (u - half, v), (u + half, v)],
                LIGHT, lift=flush, name="window")  # fmt: skip
        return
    if kind == 3:
        for side in (-1, 1):
            a, b = sorted((u + side * half, u + side * 1.6 * half))
            pen.box(a, v, b, v + height, SECOND, lift=flush, name="shutter")
    pen.box(u - half, v, u + half, v + height, LIGHT, lift=flush, name="window")
    if kind == 1:
        pen.box(u - 0.08 * half, v, u + 0.08 * half, v + height, SECOND, lift=plain["lift"])


def windows(
    scene: Scene, rng: Rng, box: tuple[float, float, float, float], cols: int, rows: int
) -> None:
    """A regular grid of windows over the wall `box` (x0, y0, x1, y1), lying flush with it."""
    x0, y0, x1, y1 = box
    w, h = (x1 - x0) / cols, (y1 - y0) / rows
    kind = int(rng.integers(4)) if w > 0.1 else int(rng.choice([0, 2]))
    half = w * (0.2 if kind == 3 else rng.uniform(0.24, 0.33))
    height = h * rng.uniform(0.5, 0.68)
    for row in range(rows):
        for col in range(cols):
            x, foot = x0 + (col + 0.5) * w, y0 + (row + 0.5) * h + height / 2
            window(scene.at(x, foot, 1), 0, 0, half, max(height, 1.3 * half), kind, 1)


def door(pen: Pen, rng: Rng, u: float, half: float, height: float) -> None:
    """A door standing on the pen's ground, perhaps arched or under a small roof."""
    if rng.random() < 0.3:
        pen.add([*arc(u, height - half, half, half, 0, np.pi), (u - half, 0), (u + half, 0)],
                SECOND, lift=1, name="door")  # fmt: skip
    else:
        pen.box(u - half, 0, u + half, height, SECOND, lift=1, name="door")
    pen.oval(u + 0.6 * half, 0.45 * height, 0.13 * half, 0.13 * half, LIGHT, lift=1)
    if rng.random() < 0.35:
        pen.box(u - 1.5 * half, -0.03, u + 1.5 * half, 0, LIGHT, lift=1)
        pen.add([(u - 1.7 * half, height), (u, height + 0.8 * half), (u + 1.7 * half, height)],
                SECOND, lift=1.6)  # fmt: skip


def house(rng: Rng) -> Scene:
    """A house with a roof, a door, windows, perhaps a chimney, a wing, a fence and trees."""
    scene = Scene("house")
    y = outdoors(scene, rng, 0.66, 0.82)
    width, height = rng.uniform(0.34, 0.6), rng.uniform(0.2, 0.36)
    x0 = rng.uniform(0.12, 0.88 - width)
    foot = y + rng.uniform(0.02, 0.08)
    for side in (x0 - 0.1, x0 + width + 0.1):
        if rng.random() < 0.5:
            tree(scene, rng, side, foot - 0.02, rng.uniform(0.3, 0.5))
    if rng.random() < 0.3:
        wing = x0 + width + rng.uniform(0.12, 0.2)
        scene.rect(x0 + width - 0.05, foot - 0.6 * height, wing, foot, MAIN, light=0.9)
        scene.add([(x0 + width - 0.05, foot - 0.95 * height), (wing - 0.02, foot - 0.95 * height),
                   (wing + 0.03, foot - 0.58 * height), (x0 + width - 0.05, foot - 0.58 * height)],
                  SECOND, lift=1.6, name="roof")  # fmt: skip
    _house_front(scene, rng, x0, width, height, foot)
    if rng.random() < 0.35:
        fence(scene, rng, foot + rng.uniform(0.06, 0.1), rng.uniform(0.09, 0.13))
    for _ in range(int(rng.integers(0, 3))):
        bush(scene, rng, rng.uniform(0.05, 0.95), foot + 0.03, rng.uniform(0.04, 0.08))
    if rng.random() < 0.25:
        tree(scene, rng, rng.choice([0.08, 0.92]), foot + 0.12, rng.uniform(0.55, 0.75))
    return scene


def _house_front(
    scene: Scene, rng: Rng, x0: float, width: float, height: float, foot: float
) -> None:
    top, x1, over = foot - height, x0 + width, rng.uniform(0.02, 0.05)
    rise = rng.uniform(0.12, 0.24)
    kind = rng.integers(4)
    if rng.random() < 0.55:
        cx = x0 + width * rng.uniform(0.62, 0.8)
        scene.rect(cx, top - rise - 0.04, cx + 0.055, top - 0.02, MAIN, light=0.85, name="chimney")
    if kind == 0:  # the gable in front
        peak = x0 + width / 2
        scene.add(
            [(x0, foot), (x0, top), (peak, top - rise), (x1, top), (x1, foot)], MAIN, name="house"
        )
        slope = 0.045
        for side in (x0 - over, x1 + over):
            eaves = top + over * rise / (width / 2)
            scene.add([(peak, top - rise - slope), (side, eaves - slope), (side, eaves), (peak, top - rise)],
                      SECOND, lift=1.5, name="roof")  # fmt: skip
        if rng.random() < 0.6:
            r = min(0.035, 0.3 * rise)
            scene.oval(peak, top - 0.35 * rise, r, r, LIGHT, name="window")
    else:
        scene.rect(x0, top, x1, foot, MAIN, name="house")
        inset = (0.0, width * rng.uniform(0.08, 0.3), width / 2, 0.0)[kind]
        depth = 0.045 if kind == 3 else rise
        roof = [
            (x0 - over, top),
            (x0 + inset, top - depth),
            (x1 - inset, top - depth),
            (x1 + over, top),
        ]
        if kind == 3:
            roof = [
                (x0 - over, top),
                (x0 - over, top - depth),
                (x1 + over, top - depth),
                (x1 + over, top),
            ]
        scene.add(roof, SECOND, lift=1.6, name="roof")
    pen = scene.at(x0, foot, height)
    share = width / height
    at = rng.choice([0.22, 0.5, 0.78])
    storeys = 2 if height > 0.29 else 1
    tall = rng.uniform(0.4, 0.45) if storeys == 2 else rng.uniform(0.58, 0.7)
    door(pen, rng, at * share, min(0.11 * share, 0.17), tall)
    style = int(rng.integers(4))
    half = min(0.085 * share, 0.14)
    for storey in range(storeys):
        for place in (0.22, 0.5, 0.78):
            if storey == 0 and place == at:
                continue
            low = 0.58 if storey else (0.14 if storeys == 2 else 0.3)
            window(pen, place * share, low, half, 0.28 if storeys == 2 else 0.38, style, 1)


def facade(rng: Rng) -> Scene:
    """A front seen straight on: storeys, windows, a portal or shop, a cornice, perhaps an awning."""
    scene = Scene("facade")
    y = outdoors(scene, rng, 0.84, 0.93)
    x0, x1, top = rng.uniform(0.02, 0.18), rng.uniform(0.82, 0.98), rng.uniform(0.08, 0.24)
    for a, b in ((-0.6, x0), (x1, 1.6)):
        if rng.random() < 0.6:
            scene.rect(a, top + rng.uniform(0.05, 0.25), b, y, SECOND, light=0.8)
    scene.rect(x0, top, x1, y, MAIN, name="facade")
    scene.rect(x0 - 0.03, top - 0.05, x1 + 0.03, top + 0.015, SECOND, lift=1.6)
    if rng.random() < 0.35:
        mid, half = (x0 + x1) / 2, rng.uniform(0.14, 0.25)
        scene.add(
            [(mid - half, top - 0.05), (mid, top - 0.05 - 0.5 * half), (mid + half, top - 0.05)],
            MAIN,
        )
    rows, cols = int(rng.integers(2, 4)), int(rng.integers(3, 5))
    floor = y - rng.uniform(0.25, 0.3)
    windows(scene, rng, (x0 + 0.02, top + 0.03, x1 - 0.02, floor), cols, rows)
    scene.rect(x0, floor, x1, floor + 0.025, SECOND, lift=1.3)
    mid = (x0 + x1) / 2
    if rng.random() < 0.5:
        for a, b in ((x0 + 0.04, mid - 0.1), (mid + 0.1, x1 - 0.04)):
            scene.rect(a, floor + 0.07, b, y - 0.05, LIGHT, name="window")
        if rng.random() < 0.7:
            awning = rng.uniform(0.05, 0.08)
            scene.add([(x0 + 0.04, floor + 0.04), (x1 - 0.04, floor + 0.04), (x1, floor + 0.04 + awning),
                       (x0, floor + 0.04 + awning)], SECOND, lift=2, name="awning")  # fmt: skip
    else:
        for x in np.linspace(x0 + 0.08, x1 - 0.08, 4):
            if abs(x - mid) > 0.12:
                window(scene.at(x, y - 0.05, 1), 0, 0, 0.05, 0.15, 2, 1)
    door(scene.at(mid, y, 1), rng, 0, rng.uniform(0.055, 0.075), 0.18)
    return scene


def tower(rng: Rng) -> Scene:
    """A tall tower: a clock tower, a round keep or a slender tower block."""
    scene = Scene("tower")
    y = outdoors(scene, rng, 0.78, 0.9)
    x, half = rng.uniform(0.35, 0.65), rng.uniform(0.09, 0.15)
    top = rng.uniform(0.2, 0.32)
    for side in (-1, 1):
        if rng.random() < 0.7:
            a = x + side * rng.uniform(0.2, 0.3)
            scene.rect(a - 0.16, y - rng.uniform(0.12, 0.25), a + 0.16, y, SECOND, light=0.9)
    round_one = rng.random() < 0.5
    scene.add([(x - half * 1.12, y + 0.02), (x - half, top), (x + half, top), (x + half * 1.12, y + 0.02)],
              MAIN, curve=0.9 if round_one else 0.15, name="tower")  # fmt: skip
    crown = 1.25 * half
    scene.rect(x - crown, top - 0.05, x + crown, top, SECOND, lift=1.6, curve=0.6 * round_one)
    if rng.random() < 0.6:
        rise = rng.uniform(0.12, 0.2)
        scene.add([(x - crown, top - 0.05), (x, top - rise), (x + crown, top - 0.05)], SECOND,
                  curve=0.5, name="roof")  # fmt: skip
    else:
        for u in (-0.8, 0.0, 0.8):
            scene.rect(
                x + crown * u - 0.25 * half,
                top - 0.1,
                x + crown * u + 0.25 * half,
                top - 0.05,
                MAIN,
            )
    if rng.random() < 0.5:
        r = 0.6 * half
        scene.oval(x, top + 0.13, r, r, LIGHT, name="clock")
        scene.rect(x - 0.007, top + 0.13 - 0.8 * r, x + 0.007, top + 0.13, SECOND)
    for row in np.arange(top + 0.28, y - 0.2, 0.15):
        window(scene.at(x, row, 1), 0, 0, 0.26 * half, 0.07, 2, 1)
    door(scene.at(x, y + 0.02, 1), rng, 0, 0.38 * half, 0.13)
    if rng.random() < 0.5:
        tree(scene, rng, x + rng.choice([-0.3, 0.3]), y + 0.06, rng.uniform(0.25, 0.4))
    return scene


def lighthouse(rng: Rng) -> Scene:
    """A lighthouse on a rock above the sea."""
    scene = Scene("lighthouse")
    sky(scene, rng)
    y = rng.uniform(0.66, 0.76)
    scene.rect(-FAR, y, 1 + FAR, FAR, SECOND, lift=NEITHER, name="sea")
    x, half, top = rng.uniform(0.35, 0.65), rng.uniform(0.07, 0.1), rng.uniform(0.22, 0.32)
    rock = [(x - 0.42, 1.1), (x - 0.3, y + 0.06), (x - 0.16, y - 0.02), (x + 0.12, y - 0.03),
            (x + 0.22, y + 0.04), (x + 0.38, y + 0.1), (x + 0.5, 1.1)]  # fmt: skip
    scene.add(rock, GROUND, curve=0.5, lift=0)
    foot = y + 0.02
    if rng.random() < 0.5:
        hut = x + rng.uniform(0.12, 0.16)
        scene.rect(x, foot - 0.1, hut + 0.06, foot, LIGHT)
        scene.add(
            [
                (x, foot - 0.1),
                (x + 0.03, foot - 0.17),
                (hut + 0.04, foot - 0.17),
                (hut + 0.09, foot - 0.1),
            ],
            SECOND,
        )
    bands = int(rng.integers(3, 6))
    for i in range(bands):
        a, b = foot + (top - foot) * i / bands, foot + (top - foot) * (i + 1) / bands
        ha, hb = half * (1.25 - 0.4 * i / bands), half * (1.25 - 0.4 * (i + 1) / bands)
        band = [(x - ha, a), (x + ha, a), (x + hb, b), (x - hb, b)]
        if i % 2:
            scene.add(band, LIGHT, curve=0.9)
        else:
            scene.add(band, MAIN, curve=0.9, name="stripe")
    scene.rect(x - 1.1 * half, top - 0.025, x + 1.1 * half, top, SECOND, lift=1.6)
    scene.rect(x - 0.6 * half, top - 0.1, x + 0.6 * half, top - 0.025, LIGHT, curve=0.4)
    scene.add(
        [(x - 0.8 * half, top - 0.1), (x, top - 0.17), (x + 0.8 * half, top - 0.1)],
        MAIN,
        name="roof",
    )
    return scene


def castle(rng: Rng) -> Scene:
    """A castle: towers with pointed roofs joined by battlements, a gate."""
    scene = Scene("castle")
    y = outdoors(scene, rng, 0.72, 0.84)
    left, right = rng.uniform(0.12, 0.22), rng.uniform(0.78, 0.88)
    wall = y - rng.uniform(0.22, 0.3)
    if rng.random() < 0.8:
        _turret(scene, rng, (left + right) / 2 + rng.uniform(-0.1, 0.1), y - 0.1, 0.1, wall - 0.2)
    for x in np.arange(left, right - 0.03, 0.09):
        scene.rect(x, wall - 0.04, x + 0.05, wall + 0.01, MAIN)
    scene.rect(left, wall, right, y, MAIN, name="wall")
    _turret(scene, rng, left, y + 0.03, rng.uniform(0.075, 0.1), wall - rng.uniform(0.05, 0.15))
    _turret(scene, rng, right, y + 0.03, rng.uniform(0.075, 0.1), wall - rng.uniform(0.05, 0.15))
    mid = (left + right) / 2
    scene.add([*arc(mid, y - 0.1, 0.075, 0.075, np.pi, 2 * np.pi), (mid + 0.075, y), (mid - 0.075, y)],
              SECOND, name="gate")  # fmt: skip
    scene.add(
        [(mid - 0.07, y), (mid + 0.07, y), (mid + 0.2, 1.1), (mid - 0.2, 1.1)],
        LIGHT,
        lift=0,
        name="path",
    )
    for x in (left + 0.17, right - 0.17):
        window(scene.at(x, wall + 0.14, 1), 0, 0, 0.022, 0.08, 2, 1)
    return scene


def _turret(scene: Scene, rng: Rng, x: float, foot: float, half: float, top: float) -> None:
    scene.rect(x - half, top, x + half, foot, MAIN, curve=0.9, lift=1.5)
    rise = rng.uniform(0.14, 0.2)
    scene.add([(x - 1.2 * half, top), (x, top - rise), (x + 1.2 * half, top)], SECOND, curve=0.7, lift=2,
              name="roof")  # fmt: skip
    window(scene.at(x, top + 0.13, 1), 0, 0, 0.25 * half, 0.07, 2, 1.5)


def church(rng: Rng) -> Scene:
    """A church with a nave, a steeple and arched windows."""
    scene = Scene("church")
    y = outdoors(scene, rng, 0.74, 0.86)
    x, half = rng.uniform(0.25, 0.4), rng.uniform(0.08, 0.1)
    end, top = rng.uniform(0.75, 0.9), y - rng.uniform(0.2, 0.26)
    if rng.random() < 0.5:
        tree(scene, rng, end + 0.05, y, rng.uniform(0.3, 0.45))
    scene.rect(x, top, end, y, MAIN)
    scene.add([(x, top), (x + 0.04, top - 0.16), (end - 0.04, top - 0.16), (end + 0.03, top)], SECOND,
              lift=1.5, name="roof")  # fmt: skip
    for u in np.linspace(x + half + 0.08, end - 0.07, 3):
        window(scene.at(u, y - 0.06, 1), 0, 0, 0.028, 0.12, 2, 1)
    tall = y - rng.uniform(0.42, 0.5)
    scene.rect(x - half, tall, x + half, y, MAIN, lift=1.6, name="church")
    scene.add([(x - 1.15 * half, tall), (x, tall - rng.uniform(0.18, 0.28)), (x + 1.15 * half, tall)], SECOND,
              lift=2, curve=0.4, name="roof")  # fmt: skip
    scene.oval(x, tall + 0.1, 0.4 * half, 0.4 * half, LIGHT, lift=1.6)
    door(scene.at(x, y, 1), rng, 0, 0.4 * half, 0.14)
    if rng.random() < 0.5:
        bush(scene, rng, rng.uniform(0.5, 0.9), y + 0.04, 0.05)
    return scene
