"""Curves and calibration errors: worked out by hand, and properties that always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.confidence import (
    Bin,
    auroc,
    average_precision,
    calibration_error,
    precision_recall,
    reliability,
    roc,
)

SCORES = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=30)


def test_auroc_counts_ties_half() -> None:
    assert auroc([2.0, 3.0], [1.0]) == 1
    assert auroc([1.0], [1.0]) == 0.5
    assert auroc([0.0, 2.0], [1.0]) == 0.5
    with pytest.raises(ValueError, match="positives and negatives"):
        auroc([], [1.0])


def test_the_curves_of_four_texts() -> None:
    queries, others = [0.9, 0.6], [0.7, 0.1]
    assert roc(queries, others) == [(0, 0), (0, 0.5), (0.5, 0.5), (0.5, 1), (1, 1)]
    found = precision_recall(queries, others)
    assert found == [(0.5, 1.0), (0.5, 0.5), (1.0, pytest.approx(2 / 3)), (1.0, 0.5)]
    assert average_precision(queries, others) == pytest.approx(0.5 + 0.5 * 2 / 3)


@given(SCORES, SCORES)
def test_auroc_is_the_area_under_the_roc_curve(
    positive: list[float], negative: list[float]
) -> None:
    curve = np.array(roc(positive, negative))
    assert (np.diff(curve, axis=0) >= 0).all()
    assert auroc(positive, negative) == pytest.approx(np.trapezoid(curve[:, 1], curve[:, 0]))
    assert auroc(negative, positive) == pytest.approx(1 - auroc(positive, negative))
    squeezed = auroc(np.array(positive) ** 3, np.array(negative) ** 3)
    assert squeezed == pytest.approx(auroc(positive, negative))


@given(SCORES, SCORES)
def test_average_precision_lies_between_chance_and_perfect(
    positive: list[float], negative: list[float]
) -> None:
    found = average_precision(positive, negative)
    assert 0 < found <= 1 + 1e-12
    assert (found > 1 - 1e-9) == (min(positive) > max(negative))


def test_calibration_error_of_scores_that_promise_too_much() -> None:
    right = [True] * 6 + [False] * 4
    assert reliability([0.5] * 10, right) == [Bin(0.5, 0.6, 10)]
    assert calibration_error(reliability([0.9] * 10, right)) == pytest.approx(0.3)
    assert calibration_error(reliability([0.6] * 10, right)) == pytest.approx(0, abs=1e-12)
    two = reliability([0.2] * 5 + [0.8] * 5, [False] * 5 + [True] * 5, bins=2)
    assert [b.answers for b in two] == [5, 5]
    assert calibration_error(two) == pytest.approx(0.2)


def test_bins_hold_like_many_answers() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(1000) ** 4
    sizes = [b.answers for b in reliability(scores, rng.random(1000) < scores)]
    assert sizes == [100] * 10


def test_honest_scores_have_a_small_error() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(20_000)
    assert calibration_error(reliability(scores, rng.random(20_000) < scores)) < 0.02
    assert calibration_error(reliability(scores, rng.random(20_000) < scores**3)) > 0.2


@given(SCORES, st.integers(0, 1000))
def test_the_order_of_the_answers_does_not_matter(scores: list[float], seed: int) -> None:
    right = [score > 0.4 for score in scores]
    order = np.random.default_rng(seed).permutation(len(scores))
    shuffled = reliability(np.array(scores)[order], np.array(right)[order], bins=4)
    plain = reliability(scores, right, bins=4)
    assert [b.answers for b in shuffled] == [b.answers for b in plain]
    assert calibration_error(shuffled) == pytest.approx(calibration_error(plain))
    assert 0 <= calibration_error(plain) <= 1
