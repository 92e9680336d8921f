"""Landscapes, and the sky, ground, trees and bushes that other topics stand in."""

import numpy as np

from training.world.scene import (
    BACKDROP,
    GROUND,
    LIGHT,
    MAIN,
    NEITHER,
    SECOND,
    Points,
    Rng,
    Scene,
    flowing,
    ribbon,
    rounded,
)

FAR = 2.0  # beyond every frame
PALM = 3  # a kind of tree


def outdoors(scene: Scene, rng: Rng, low: float = 0.6, high: float = 0.85) -> float:
    """Sky, perhaps with sun or clouds, and level ground; returns the height of the horizon."""
    y = float(rng.uniform(low, high))
    sky(scene, rng)
    scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, curve=0.15, lift=0)
    return y


def sky(scene: Scene, rng: Rng) -> None:
    """The backdrop, perhaps with a sun or clouds."""
    scene.rect(-FAR, -FAR, 1 + FAR, FAR, BACKDROP, curve=0.15, lift=NEITHER)
    kind = rng.random()
    if kind < 0.35:
        r = rng.uniform(0.05, 0.1)
        scene.oval(
            rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.3), r, r, LIGHT, lift=NEITHER, name="sun"
        )
    elif kind < 0.6:
        for _ in range(int(rng.integers(1, 4))):
            cloud(scene, rng, rng.uniform(0.05, 0.95), rng.uniform(0.08, 0.32))


def cloud(scene: Scene, rng: Rng, x: float, y: float) -> None:
    """Flat below, three or four round bumps above."""
    w = rng.uniform(0.09, 0.18)
    bumps = int(rng.integers(3, 5))
    middles = x + w * np.linspace(-0.62, 0.62, bumps)
    radii = w * (0.4 + 0.25 * np.sin(np.pi * (np.arange(bumps) + 0.5) / bumps))
    along = np.linspace(middles[0] - radii[0], middles[-1] + radii[-1], 49)
    inside = radii**2 - (along[:, None] - middles) ** 2
    top = np.stack([along, y - np.sqrt(np.maximum(inside, 0)).max(1)], 1)
    scene.add(top, LIGHT, curve=0.2, lift=NEITHER)


def footpath(scene: Scene, rng: Rng, x: float, y: float, narrow: float, wide: float) -> None:
    """A path that winds from (x, y) toward the viewer and widens."""
    swing = rng.choice([-1, 1]) * rng.uniform(0.6, 1.0)
    line = flowing(
        [(x, y), (x + 0.09 * swing, y + 0.09), (x - 0.16 * swing, y + 0.26), (x, 1.2)], 4
    )
    half = np.zeros_like(line)
    half[:, 0] = np.linspace(narrow, wide, len(line)) / 2
    scene.add(np.concatenate([line - half, (line + half)[::-1]]), LIGHT, lift=0, name="path")


def tree(
    scene: Scene, rng: Rng, x: float, foot: float, height: float, kind: int | None = None
) -> None:
    """One of five kinds, `height` high."""
    pen = scene.at(x, foot, height)
    kind = int(rng.choice([0, 1, 2, 4])) if kind is None else kind
    trunk = rng.uniform(0.035, 0.055)
    if kind == 0:
        pen.add([(-trunk, 0), (trunk, 0), (0.7 * trunk, 0.5), (-0.7 * trunk, 0.5)], SECOND)
        pen.oval(0, 0.66, rng.uniform(0.24, 0.32), 0.34, GROUND, curve=1, name="tree")
    elif kind == 1:
        pen.box(-trunk, 0, trunk, 0.2, SECOND)
        for part in range(3):
            base, half = 0.14 + 0.24 * part, 0.27 - 0.06 * part
            pen.add([(0, base + 0.42), (half, base), (-half, base)], GROUND, curve=0.8, name="tree")
    elif kind == 2:
        pen.box(-trunk, 0, trunk, 0.2, SECOND)
        pen.blob([(-0.1, 0.1), (0.1, 0.1), (0.14, 0.5), (0, 1.1), (-0.14, 0.5)], GROUND, curve=1)
    elif kind == PALM:
        pen.ribbon(flowing([(0, 0), (0.02, 0.4), (0.1, 0.75)]), (0.09, 0.05), SECOND)
        for angle in np.linspace(-2.3, 2.3, 6):
            reach = np.array([np.sin(angle), 0.6 * np.cos(angle)]) * 0.32
            tip = (0.1 + reach[0], 0.72 + reach[1] - 0.05)
            middle = (0.1 + 0.6 * reach[0], 0.8 + 0.75 * reach[1])
            low = (0.1 + 0.5 * reach[0], 0.72 + 0.55 * reach[1])
            pen.blob([(0.1, 0.76), middle, tip, tip, low, (0.1, 0.7)], GROUND, curve=0.5)
    else:
        pen.add([(-trunk, 0), (trunk, 0), (0.6 * trunk, 0.6), (-0.6 * trunk, 0.6)], SECOND)
        count = int(rng.integers(7, 10))
        turn = np.linspace(0, 2 * np.pi, 4 * count, endpoint=False)
        reach = 1 + 0.1 * np.sin(turn * count)
        crown = np.stack([0.32 * reach * np.cos(turn), 0.66 + 0.3 * reach * np.sin(turn)], 1)
        pen.add(rounded(crown, 1), GROUND, curve=1, name="tree")


def bush(scene: Scene, rng: Rng, x: float, foot: float, height: float) -> None:
    pen = scene.at(x, foot, height)
    tops = [(u, 0.9 + 0.3 * rng.random()) for u in np.linspace(-0.9, 0.9, int(rng.integers(4, 6)))]
    pen.blob([(-1.3, 0), (-1.3, 0.6), *tops, (1.3, 0.6), (1.3, 0)], GROUND, curve=0.8)


def fence(scene: Scene, rng: Rng, y: float, height: float) -> None:
    """Posts and a rail across the whole picture."""
    step = rng.uniform(0.09, 0.14)
    for rail in (0.35, 0.75):
        scene.rect(-FAR, y - height * rail - 0.009, 1 + FAR, y - height * rail + 0.009, LIGHT)
    for x in np.arange(-0.5, 1.5, step):
        half = 0.2 * step
        scene.add(
            [(x - half, y), (x - half, y - 0.9 * height), (x, y - 1.1 * height),
             (x + half, y - 0.9 * height), (x + half, y)],
            LIGHT, lift=2.5, name="fence",
        )  # fmt: skip


def _ridge(rng: Rng, base: float, height: float, waves: float) -> Points:
    x = np.linspace(-0.6, 1.6, 56)
    line = sum(
        rng.uniform(0.3, 1) / k * np.sin(x * waves * k + rng.uniform(0, 6.3)) for k in (1, 2)
    )
    return np.stack([x, base - 0.6 * height * line], 1)


def _land(scene: Scene, ridge: Points, label: int, light: float = 1.0, curve: float = 0.2) -> None:
    ends = [(1 + FAR, FAR), (-FAR, FAR)]
    scene.add(np.concatenate([ridge, ends]), label, light=light, curve=curve, lift=NEITHER)


def _peaks(scene: Scene, rng: Rng, base: float, height: float, snow: bool) -> None:
    x = -0.3
    tops = []
    while x < 1.3:
        tops.append((x, base - height * rng.uniform(0.55, 1)))
        x += rng.uniform(0.25, 0.45)
    for x, top in [tops[i] for i in rng.permutation(len(tops))]:
        half = (base - top) * rng.uniform(0.65, 0.95)
        left, right, bend = x - half, x + half, x + half * rng.uniform(-0.15, 0.2)
        scene.add([(x, top), (right, base), (left, base)], MAIN, lift=NEITHER)
        scene.add([(x, top), (right, base), (bend, base)], MAIN, light=0.72, lift=NEITHER)
        if snow:
            t = rng.uniform(0.25, 0.38)
            y = top + t * (base - top)
            jag = [(x + half * t * s, y + d * (base - top)) for s, d in
                   ((1, 0), (0.45, -0.07), (0.1, 0.04), (-0.4, -0.07), (-1, 0))]  # fmt: skip
            scene.add([(x, top), *jag], LIGHT, lift=NEITHER)


def hills(rng: Rng) -> Scene:
    """Rolling hills with trees and perhaps a path or a hut."""
    scene = Scene("hills")
    sky(scene, rng)
    layers = int(rng.integers(2, 5))
    for layer in range(layers):
        base = 0.42 + 0.36 * layer / layers + rng.uniform(-0.03, 0.03)
        ridge = _ridge(rng, base, rng.uniform(0.06, 0.14), rng.uniform(3, 6))
        _land(scene, ridge, (SECOND, MAIN, GROUND)[(layer + 3 - layers) % 3], 0.9 + 0.05 * layer)
        if rng.random() < 0.6:
            for x in rng.uniform(0.05, 0.95, int(rng.integers(1, 4))):
                foot = float(np.interp(x, *np.transpose(ridge))) + 0.012
                tree(scene, rng, x, foot, 0.09 + 0.06 * layer)
    if rng.random() < 0.5:
        x = rng.uniform(0.3, 0.7)
        footpath(scene, rng, x, 0.74, 0.03, 0.2)
    if rng.random() < 0.5:
        tree(scene, rng, rng.choice([0.12, 0.88]), rng.uniform(0.95, 1.05), rng.uniform(0.5, 0.8))
    return scene


def mountains(rng: Rng) -> Scene:
    """Peaks with a lit and a dark side, perhaps snow, firs in front."""
    scene = Scene("mountains")
    sky(scene, rng)
    base = rng.uniform(0.6, 0.75)
    if rng.random() < 0.6:
        _land(scene, _ridge(rng, base - 0.2, 0.1, 7), SECOND, 0.95)
    _peaks(scene, rng, base + 0.05, rng.uniform(0.38, 0.52), rng.random() < 0.7)
    _land(scene, _ridge(rng, base, 0.04, 4), GROUND)
    for x in np.sort(rng.uniform(0, 1, int(rng.integers(2, 6)))):
        tree(scene, rng, x, rng.uniform(base + 0.08, 0.95), rng.uniform(0.15, 0.32))
    return scene


def forest(rng: Rng) -> Scene:
    """Trunks and crowns in depth, a path between them."""
    scene = Scene("forest")
    y = outdoors(scene, rng, 0.5, 0.62)
    _land(scene, _ridge(rng, y - 0.12, 0.06, 9), SECOND, 0.95)
    scene.rect(-FAR, y, 1 + FAR, FAR, GROUND, curve=0.15, lift=0)
    if rng.random() < 0.6:
        x = rng.uniform(0.4, 0.6)
        footpath(scene, rng, x, y, 0.03, 0.36)
    for depth in np.sort(rng.uniform(0, 1, int(rng.integers(6, 10)))):
        x = rng.uniform(0, 0.4) if rng.random() < 0.5 else rng.uniform(0.6, 1)
        tree(scene, rng, x, y + 0.02 + 0.35 * depth, 0.25 + 0.55 * depth)
    return scene


def seaside(rng: Rng) -> Scene:
    """Sea, a beach, perhaps cliffs, sails, palms or a parasol."""
    scene = Scene("seaside")
    sky(scene, rng)
    y = rng.uniform(0.42, 0.58)
    scene.rect(-FAR, y, 1 + FAR, FAR, MAIN, lift=NEITHER, name="sea")
    if rng.random() < 0.6:
        x, top = rng.uniform(0.1, 0.35), y - rng.uniform(0.12, 0.26)
        cliff = [
            (-FAR, top),
            (x, top + 0.02),
            (x + 0.04, top + 0.1),
            (x + 0.12, y + 0.02),
            (-FAR, y + 0.02),
        ]
        scene.add(cliff, SECOND, lift=NEITHER, name="cliff")  # fmt: skip
    for _ in range(int(rng.integers(0, 3))):
        sail = scene.at(rng.uniform(0.3, 0.9), y + rng.uniform(0.01, 0.06), rng.uniform(0.08, 0.16))
        sail.add([(0, 0.2), (0, 1), (0.45, 0.25)], LIGHT, name="sail")
        sail.add([(-0.4, 0.17), (0.5, 0.17), (0.35, 0), (-0.3, 0)], SECOND)
    shore = rng.uniform(0.7, 0.8)
    along = np.linspace(-0.6, 1.6, 40)
    for lower, label, light in ((0.0, LIGHT, 1.1), (0.035, GROUND, 1.0)):
        line = shore + lower + 0.1 * (along - 0.5) + 0.02 * np.sin(9 * along)
        _land(scene, np.stack([along, line], 1), label, light)
    if rng.random() < 0.6:
        pen = scene.at(rng.uniform(0.55, 0.8), shore + 0.2, rng.uniform(0.3, 0.42))
        pen.box(-0.02, 0, 0.02, 0.75, SECOND)
        dome = [(u, 0.6 + 0.4 * np.sqrt(1 - (u / 0.55) ** 2)) for u in np.linspace(-0.55, 0.55, 20)]
        pen.add(dome, MAIN, curve=0.8, name="parasol")
        mid = [(u, 0.6 + 0.4 * np.sqrt(1 - (u / 0.2) ** 2)) for u in np.linspace(-0.2, 0.2, 14)]
        pen.add(mid, LIGHT, curve=0.4)
    else:
        tree(scene, rng, rng.uniform(0.1, 0.3), shore + 0.2, rng.uniform(0.5, 0.7), PALM)
    return scene


def lake(rng: Rng) -> Scene:
    """Still water before hills, reeds or a jetty in front."""
    scene = Scene("lake")
    sky(scene, rng)
    y = rng.uniform(0.5, 0.62)
    if rng.random() < 0.5:
        _peaks(scene, rng, y, rng.uniform(0.25, 0.38), rng.random() < 0.5)
    else:
        _land(scene, _ridge(rng, y - 0.12, 0.1, 5), MAIN)
    _land(scene, _ridge(rng, y - 0.03, 0.03, 8), GROUND, 0.9)
    for x in rng.uniform(0.05, 0.95, int(rng.integers(2, 5))):
        tree(scene, rng, x, y, rng.uniform(0.1, 0.2))
    scene.rect(-FAR, y, 1 + FAR, FAR, SECOND, lift=NEITHER, name="water")
    for _ in range(int(rng.integers(2, 5))):
        x, v = rng.uniform(0.1, 0.9), rng.uniform(y + 0.05, 0.85)
        scene.oval(x, v, rng.uniform(0.06, 0.16), 0.011, LIGHT, lift=NEITHER)
    if rng.random() < 0.55:
        x = rng.uniform(0.3, 0.7)
        for post in (0.72, 0.86):
            for side in (-1, 1):
                u = x + side * (post - 0.55) * 0.45
                scene.rect(u - 0.012, post - 0.03, u + 0.012, post + 0.06, SECOND, light=0.75)
        scene.add([(x - 0.05, 0.66), (x + 0.05, 0.66), (x + 0.25, 1.1), (x - 0.25, 1.1)],
                  MAIN, lift=NEITHER, name="jetty")  # fmt: skip
    else:
        shore = flowing([(-0.6, 0.88), (0.2, 0.9), (0.5, 1.0), (0.8, 1.2)])
        _land(scene, shore, GROUND)
        for x in rng.uniform(0, 0.35, 5):
            scene.add(ribbon([(x, 0.98), (x + 0.02, 0.8), (x + 0.05, 0.66)], (0.02, 0.008)), GROUND)
    return scene
