"""Edge maps of scenes as people draw them: what is left after `tools/edges.py` has traced the drawing."""

from dataclasses import replace

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from tools.edges import extract_edges
from tools.errors import InvalidRequest
from tools.thinning import thin
from training.world import Raster, Rng, Scene, rasterise, wobble

SIZE = 256  # px
INKED = 90  # coverage, of 255, from which a pixel of an outline counts
FARTHEST = 1.2  # px that a hand strays from the outline
TRACED = 0.15  # share of sketches that are the edges of a photograph, where there is a picture


def clean_lines(scene: Scene) -> NDArray[np.uint8]:
    """Every visible outline of `scene`, one pixel wide: (SIZE, SIZE) of 0 or 255."""
    return _thinned(rasterise(scene, SIZE))


def sketch_lines(
    scene: Scene, rng: Rng, picture: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The edge map of one person's drawing of `scene`: (SIZE, SIZE) of 0 or 255.

    Mostly clean lines; some by an unsteady hand, thick, hatched, broken or with parts left out. With `picture`, an
    RGB render (SIZE, SIZE, 3), it is now and then the edges of that.
    """
    if picture is not None and rng.random() < TRACED:
        try:
            return np.asarray(extract_edges(Image.fromarray(picture)))
        except InvalidRequest:  # a picture without a contour
            return clean_lines(scene)
    if rng.random() < 0.4:
        scene = _unsteady(scene, rng)
    raster = rasterise(scene, SIZE)
    lines = _thinned(raster)
    if rng.random() < 0.15:
        lines = _without_strokes(raster, lines, rng)
    if rng.random() < 0.15:
        lines[_hatching(raster, rng)] = 255
    if rng.random() < 0.25:
        lines[_gaps(rng)] = 0
    if rng.random() < 0.12:
        w, h = rng.integers(16, 60, 2)
        x, y = rng.integers(0, SIZE - 16, 2)
        lines[y : y + h, x : x + w] = 0
    if rng.random() < 0.2:
        width = int(rng.integers(2, 4))
        pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        lines = cv2.dilate(lines, pen).astype(np.uint8)
    return lines


def _thinned(raster: Raster) -> NDArray[np.uint8]:
    lines: NDArray[np.uint8] = thin((raster.edges > INKED).astype(np.uint8)) * np.uint8(255)
    return lines


def _unsteady(scene: Scene, rng: Rng) -> Scene:
    """`scene` by another hand than the picture's, at most `FARTHEST` from it."""
    shaky = wobble(replace(scene, bend=None), rng, rng.uniform(0.2, 0.5) / SIZE, 26)
    if shaky.bend is None:
        return scene
    stray = np.clip(shaky.bend, -FARTHEST / SIZE, FARTHEST / SIZE)
    return replace(scene, bend=stray if scene.bend is None else scene.bend + stray)


def _without_strokes(raster: Raster, lines: MatLike, rng: Rng) -> NDArray[np.uint8]:
    """Leave out the lines inside one or two shapes' surroundings, as a hurried hand does."""
    left = lines.copy()
    names = np.unique(raster.shapes)
    for name in rng.choice(names, min(2, len(names)), replace=False):
        inside = (raster.shapes == name).astype(np.uint8)
        if inside.mean() < 0.08:
            left[cv2.dilate(inside, np.ones((3, 3), np.uint8)) > 0] = 0
    return left.astype(np.uint8)


def _hatching(raster: Raster, rng: Rng) -> NDArray[np.bool_]:
    """Parallel strokes inside one to three shapes of middling size."""
    names, areas = np.unique(raster.shapes, return_counts=True)
    middling = names[(areas > 400) & (areas < 14000)]
    if not len(middling):
        return np.zeros(raster.shapes.shape, bool)
    chosen = rng.choice(middling, min(len(middling), int(rng.integers(1, 4))), replace=False)
    angle, period = rng.uniform(0, np.pi), rng.uniform(7, 14)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    across = x * np.cos(angle) + y * np.sin(angle)
    return np.isin(raster.shapes, chosen) & (across % period < 1)


def _gaps(rng: Rng) -> NDArray[np.bool_]:
    """Spots of a few pixels where the pen left the paper."""
    spots = np.zeros((SIZE, SIZE), np.uint8)
    for x, y in rng.integers(0, SIZE, (int(rng.integers(20, 90)), 2)):
        cv2.circle(spots, (int(x), int(y)), int(rng.integers(1, 4)), 1, -1)
    return spots > 0
