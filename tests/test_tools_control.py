"""What the ControlNet is shown: shapes that lines enclose, gaps or not."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tools.control import control_image, enclosed_shapes

INSIDE, OUTSIDE = (32, 32), (4, 4)


def square(gap: int = 0) -> NDArray[np.uint8]:
    lines = np.zeros((64, 64), np.uint8)
    cv2.rectangle(lines, (16, 16), (48, 48), 255, 1)
    lines[16, 30 : 30 + gap] = 0
    return lines


@pytest.mark.parametrize(("gap", "apart"), [(0, True), (1, True), (5, True), (14, False)])
def test_a_small_gap_does_not_let_a_shape_run_out(gap: int, *, apart: bool) -> None:
    shapes = enclosed_shapes(square(gap))
    assert (shapes[INSIDE] != shapes[OUTSIDE]) == apart


def test_a_strip_too_narrow_for_the_ball_is_a_shape_of_its_own() -> None:
    lines = square()
    lines[20, 16:49] = 255
    shapes = enclosed_shapes(lines)
    assert len({shapes[18, 30], shapes[INSIDE], shapes[OUTSIDE]}) == 3


def test_corners_belong_to_their_shape() -> None:
    lines = np.zeros((64, 64), np.uint8)
    cv2.line(
        lines, (0, 63), (63, 20), 255, 1
    )  # leaves two sharp wedges, lower right and upper left
    assert set(np.unique(enclosed_shapes(lines))) == {0, 1, 2}


def test_pixels_of_a_shape_share_a_code_and_lines_have_none() -> None:
    image = control_image(square())
    assert image.shape == (64, 64, 3)
    assert (image[..., 0] == square()).all()
    assert (image[square() > 0][:, 1:] == 0).all()
    assert len(np.unique(image[17:48, 17:48].reshape(-1, 3), axis=0)) == 1
    assert image[OUTSIDE][1] > image[INSIDE][1] > 0  # the larger area has the larger code


def test_a_page_without_lines_is_one_shape_and_a_black_page_none() -> None:
    assert set(np.unique(enclosed_shapes(np.zeros((32, 48), np.uint8)))) == {1}
    assert set(np.unique(enclosed_shapes(np.full((32, 48), 255, np.uint8)))) == {0}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_shape_crosses_a_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = np.zeros((64, 80), np.uint8)
    for _ in range(rng.integers(1, 9)):
        a, b = rng.integers(-10, 90, (2, 2)).tolist()
        cv2.line(lines, a, b, 255, int(rng.integers(1, 4)))
    shapes = enclosed_shapes(lines)
    assert ((shapes == 0) == (lines > 0)).all()
    _, areas = cv2.connectedComponents((lines == 0).astype(np.uint8), connectivity=4)
    for shape in range(1, int(shapes.max()) + 1):
        assert len(np.unique(areas[shapes == shape])) == 1
