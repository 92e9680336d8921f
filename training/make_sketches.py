"""Draw the sketches that ship in examples/sketches: wobbly pen lines on paper, as a person would hand them in."""

from pathlib import Path

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from training.world import LIGHT, MAIN, SECOND, Rng, Scene, rasterise, wobble
from training.world.buildings import house
from training.world.interiors import living_room
from training.world.nature import hills
from training.world.products import product
from training.world.streets import street

FOLDER = Path(__file__).parents[1] / "examples/sketches"
SIZE = 1024  # px


def lobby(rng: Rng) -> Scene:
    """A hotel lobby: tall windows, columns, a desk, a chandelier, armchairs."""
    scene = Scene("living_room")
    scene.rect(-0.1, -0.1, 1.1, 1.1, MAIN)
    x0, y0, x1, y1 = 0.27, 0.14, 0.73, 0.5
    scene.add([(-0.1, 0.85), (1.1, 0.85), (x1, y1), (x0, y1)], SECOND)
    scene.add([(-0.1, -0.1), (1.1, -0.1), (x1, y0), (x0, y0)], LIGHT)
    scene.rect(x0, y0, x1, y1, MAIN)
    for left in (0.31, 0.6):
        scene.rect(left, y0 + 0.05, left + 0.09, y1 - 0.07, LIGHT)
    turn = np.linspace(np.pi, 2 * np.pi, 20)
    arch = np.stack([0.5 + 0.075 * np.cos(turn), 0.28 + 0.075 * np.sin(turn)], 1)
    scene.add(np.concatenate([arch, [[0.575, y1], [0.425, y1]]]).astype(np.float32), SECOND)
    for a, b in ((0.02, 0.1), (0.17, 0.22)):
        for mirror in (False, True):
            pillar = [(a, a * 0.3 - 0.06), (b, b * 0.3 - 0.03), (b, 0.78 - b), (a, 0.82 - a)]
            scene.add([(1 - x, y) for x, y in pillar] if mirror else pillar, MAIN)
    scene.add([(0.33, 0.47), (0.67, 0.47), (0.7, 0.5), (0.3, 0.5)], LIGHT)
    scene.rect(0.31, 0.5, 0.69, 0.6, SECOND)
    scene.rect(0.34, 0.52, 0.49, 0.58, MAIN)
    scene.rect(0.51, 0.52, 0.66, 0.58, MAIN)
    scene.rect(0.497, -0.1, 0.503, 0.06, SECOND)
    for width, top in ((0.11, 0.06), (0.08, 0.09), (0.05, 0.12)):
        scene.add(
            [
                (0.5 - width, top),
                (0.5 + width, top),
                (0.5 + width * 0.8, top + 0.03),
                (0.5 - width * 0.8, top + 0.03),
            ],
            LIGHT,
        )
    for x in (0.14, 0.68):
        scene.rect(x, 0.56, x + 0.16, 0.67, SECOND)
        scene.rect(x - 0.025, 0.61, x + 0.03, 0.71, SECOND)
        scene.rect(x + 0.13, 0.61, x + 0.185, 0.71, SECOND)
        scene.rect(x + 0.03, 0.64, x + 0.13, 0.7, MAIN)
    return scene


def ink(scene: Scene, rng: Rng) -> NDArray[np.uint8]:
    """The scene's outlines as pen strokes of uneven pressure on faintly shaded paper: (3 / 4 SIZE, SIZE, 3)."""
    strokes: MatLike = rasterise(wobble(scene, rng, 0.0011), SIZE, 4).edges.astype(np.float32) / 255
    pressure = cv2.resize(rng.uniform(0.72, 1, (24, 24)).astype(np.float32), (SIZE, SIZE))
    strokes = cv2.GaussianBlur(strokes, (0, 0), 0.8) * pressure
    shade = cv2.resize(
        rng.uniform(0.955, 1, (4, 4)).astype(np.float32),
        (SIZE, SIZE),
        interpolation=cv2.INTER_CUBIC,
    )
    paper = np.array([250, 247, 240], np.float32) * shade[..., None]
    drawn = (
        paper * (1 - strokes[..., None]) + np.array([38, 36, 44], np.float32) * strokes[..., None]
    )
    return np.clip(drawn, 0, 255).astype(np.uint8)


def main() -> None:
    """Write every sketch; the same strokes each time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wide = ink(lobby(np.random.default_rng(0)), np.random.default_rng(1))[: SIZE * 3 // 4]
    Image.fromarray(wide).quantize(64).save(FOLDER / "lobby.png", optimize=True)
    for name, subject, seed in (
        ("house", house, 12),
        ("room", living_room, 7),
        ("street", street, 3),
        ("cup", product("cup"), 11),
        ("hills", hills, 4),
    ):
        rng = np.random.default_rng(seed)
        Image.fromarray(ink(subject(rng), rng)).quantize(64).save(
            FOLDER / f"{name}.png", optimize=True
        )


if __name__ == "__main__":
    main()
