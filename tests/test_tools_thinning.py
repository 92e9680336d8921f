"""Thinning by words does what thinning by pixels does."""

import cv2
import numpy as np
import pytest
from cv2.typing import MatLike
from numpy.typing import NDArray

from tools.thinning import thin


def thin_by_pixels(mask: MatLike) -> NDArray[np.uint8]:
    """Guo and Hall's conditions written down as in the paper, one byte to the pixel."""
    grid = np.pad((mask != 0).astype(np.uint8), 1)
    idle = turn = 0
    while idle < 2:
        p2, p3, p4, p5 = grid[:-2, 1:-1], grid[:-2, 2:], grid[1:-1, 2:], grid[2:, 2:]
        p6, p7, p8, p9 = grid[2:, 1:-1], grid[2:, :-2], grid[1:-1, :-2], grid[:-2, :-2]
        joins = (1 - p2) & (p3 | p4)
        for here, one, two in ((p4, p5, p6), (p6, p7, p8), (p8, p9, p2)):
            joins = joins + ((1 - here) & (one | two))
        first = (p9 | p2) + (p3 | p4) + (p5 | p6) + (p7 | p8)
        second = (p2 | p3) + (p4 | p5) + (p6 | p7) + (p8 | p9)
        few = np.minimum(first, second)
        side = (p2 | p3 | (1 - p5)) & p4 if turn else (p6 | p7 | (1 - p9)) & p8
        peeled = grid[1:-1, 1:-1] & (joins == 1) & (few >= 2) & (few <= 3) & (side == 0)
        grid[1:-1, 1:-1] -= peeled.astype(np.uint8)
        idle = 0 if peeled.any() else idle + 1
        turn = 1 - turn
    return grid[1:-1, 1:-1]


def blots(height: int, width: int, share: float, seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.2)
    return np.asarray(smooth > np.quantile(smooth, 1 - share), np.uint8)


@pytest.mark.parametrize("width", [1, 7, 63, 64, 65, 127, 128, 200])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 1])
def test_it_equals_the_paper_at_every_word_boundary(width: int, share: float) -> None:
    for height in (1, 9, 40):
        mask = blots(height, width, share, seed=height * width)
        assert (thin(mask) == thin_by_pixels(mask)).all()


def pieces_and_holes(mask: NDArray[np.uint8]) -> tuple[int, int]:
    outside = np.pad(1 - mask, 1, constant_values=1)
    return (
        cv2.connectedComponents(mask, connectivity=8)[0],
        cv2.connectedComponents(outside, connectivity=4)[0],
    )


@pytest.mark.parametrize("seed", range(5))
def test_pieces_and_holes_stay_as_many(seed: int) -> None:
    mask = blots(150, 170, 0.5, seed)
    lines = thin(mask)
    assert pieces_and_holes(lines) == pieces_and_holes(mask)
    assert lines.sum() < mask.sum() / 2
    assert (lines <= mask).all()
    assert (thin(lines) == lines).all()
