"""The noise a render begins with."""

import cv2
import numpy as np
import pytest

from tools.sampling import LOW, calm_noise

SHAPE = (6, 64, 48)


@pytest.mark.parametrize("low", [0.0, 0.3, 1.0])
def test_low_frequencies_are_scaled_and_the_rest_stays(low: float) -> None:
    white, calm = calm_noise(SHAPE, 5, 1.0).numpy(), calm_noise(SHAPE, 5, low).numpy()
    assert calm.shape == SHAPE
    assert calm.dtype == np.float32
    assert calm.std() == pytest.approx(1, abs=0.05)
    for before, after in zip(white, calm, strict=True):
        slow = cv2.GaussianBlur(before, (0, 0), LOW)
        assert np.allclose(after, before - (1 - low) * slow, atol=1e-5)


def test_a_seed_gives_its_own_noise_each_time() -> None:
    assert calm_noise(SHAPE, 5, 0.3).equal(calm_noise(SHAPE, 5, 0.3))
    assert not calm_noise(SHAPE, 5, 0.3).equal(calm_noise(SHAPE, 6, 0.3))
