"""What the starter's ControlNet is shown: the lines, and the shapes that the lines enclose."""

import cv2
import numpy as np
from numpy.typing import NDArray


def control_image(lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An edge map (height, width) of 0 or 255 to RGB (height, width, 3): lines, size of the shape, its height.

    Red is the edge map. Green and blue are constant over each area that lines enclose: the logarithm of its
    share of the picture, and how high in the picture its middle lies. A small network can see from one pixel what
    it would otherwise have to trace along the lines: which pixels belong together.
    """
    height, width = lines.shape
    _, labels, stats, centres = cv2.connectedComponentsWithStats(
        (lines < 128).astype(np.uint8), connectivity=4
    )
    share = stats[:, cv2.CC_STAT_AREA] / (height * width)
    size = np.clip(255 * (1 + np.log10(np.maximum(share, 1e-6)) / 4), 0, 255).astype(np.uint8)
    rise = np.clip(32 + 223 * centres[:, 1] / height, 0, 255).astype(np.uint8)
    size[0] = rise[0] = 0  # the lines themselves
    return np.dstack([lines, size[labels], rise[labels]])
