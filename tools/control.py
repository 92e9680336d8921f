"""What the starter's ControlNet is shown: the lines, and the shapes that the lines enclose."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

REACH = 3  # px: a gap in a line twice as wide still closes its shape


def control_image(lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An edge map (height, width) of 0 or 255 to RGB (height, width, 3): lines, size of the shape, its height.

    Red is the edge map. Green and blue are constant over each area that lines enclose: the logarithm of its
    share of the picture, and how high in the picture its middle lies. A small network can see from one pixel what
    it would otherwise have to trace along the lines: which pixels belong together.
    """
    height, width = lines.shape
    shapes = enclosed_shapes(lines)
    share = np.bincount(shapes.ravel()) / (height * width)
    rows = np.bincount(shapes.ravel(), np.repeat(np.arange(height), width))
    middle = rows / np.maximum(share * height * width, 1)
    size = np.clip(255 * (1 + np.log10(np.maximum(share, 1e-6)) / 4), 0, 255).astype(np.uint8)
    rise = np.clip(32 + 223 * middle / height, 0, 255).astype(np.uint8)
    size[0] = rise[0] = 0  # the lines themselves
    return np.dstack([lines, size[shapes], rise[shapes]])


def enclosed_shapes(lines: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Which area each pixel lies in: (height, width), 0 on the lines, areas from 1.

    Areas are grown from what stays apart when every line is drawn thick, so that small gaps do not let one area run
    out into another, as a ball does that is too big for the gap. Areas too narrow for the ball are kept as they are.
    """
    free = (lines < 128).astype(np.uint8)
    count, narrow = cv2.connectedComponents(free, connectivity=4)
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * REACH + 1, 2 * REACH + 1))
    thick = cv2.dilate(1 - free, ball)
    _, cores = cv2.connectedComponents(1 - thick, connectivity=4)
    around = np.zeros(int(cores.max()) + 1, np.int32)  # the narrow area that each core lies in
    around[cores] = narrow
    main = np.zeros(count, np.int32)  # the largest core of each narrow area, 0 for none
    by_size = 1 + np.argsort(np.bincount(cores.ravel())[1:], kind="stable")
    main[around[by_size]] = by_size
    nearest = _nearest(cores)
    grown = np.where(around[nearest] == narrow, nearest, main[narrow])
    shapes = np.where(free > 0, np.where(grown > 0, grown + count, narrow), 0)
    _, numbers = np.unique(shapes, return_inverse=True)
    found: NDArray[np.int32] = numbers.reshape(lines.shape).astype(np.int32)
    return found if not free.all() else found + 1


def _nearest(cores: MatLike) -> MatLike:
    """The core nearest to each pixel, 0 where there is none at all."""
    if not cores.any():
        return cores
    outside = (cores == 0).astype(np.uint8)
    _, sites = cv2.distanceTransformWithLabels(
        outside, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(int(sites.max()) + 1, np.int32)
    label_of[sites[outside == 0]] = cores[outside == 0]
    return label_of[sites]
