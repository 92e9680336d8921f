"""Do scores tell right from wrong, and do they mean what they say: ROC, precision and recall, calibration error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

BINS = 10  # of a reliability diagram

Points = list[tuple[float, float]]


class Bin(NamedTuple):
    """Answers of like score: what the scores promised, and what came true."""

    predicted: float  # mean score, 0..1
    observed: float  # share that was right
    answers: int


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Probability that one of (n,) positive scores outranks one of (m,) negative ones; ties count half.

    The area under the ROC curve, by the Mann-Whitney statistic. Raises `ValueError` when either is empty.
    """
    high, low = _both(positive, negative)
    low.sort()
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.sum() / (2 * len(high) * len(low)))


def roc(positive: ArrayLike, negative: ArrayLike) -> Points:
    """(false accepts, true accepts) as shares, a point for each bar that a score could set, from (0, 0) to (1, 1).

    Raises `ValueError` when either is empty.
    """
    high, low = _both(positive, negative)
    true, false = _accepted(high, low)
    return [(0.0, 0.0), *zip((false / len(low)).tolist(), (true / len(high)).tolist(), strict=True)]


def precision_recall(positive: ArrayLike, negative: ArrayLike) -> Points:
    """(recall, precision), a point for each bar that a score could set, the highest bar first.

    Raises `ValueError` when either is empty.
    """
    high, low = _both(positive, negative)
    true, false = _accepted(high, low)
    return list(zip((true / len(high)).tolist(), (true / (true + false)).tolist(), strict=True))


def average_precision(positive: ArrayLike, negative: ArrayLike) -> float:
    """Precision at every bar, weighted by the recall that the bar adds. Raises `ValueError` when either is empty."""
    recall, precision = np.array(precision_recall(positive, negative)).T
    return float(np.diff(recall, prepend=0.0) @ precision)


def reliability(scores: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[Bin]:
    """A reliability diagram of (n,) scores 0..1 and whether each answer was right, in bins of like size.

    Equal scores stay together, so there may be fewer bins than asked for. Raises `ValueError` for no scores.
    """
    p, y = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    if not len(p):
        raise ValueError("no scores")
    edges = np.unique(np.sort(p)[np.arange(1, bins) * len(p) // bins])
    owner = np.searchsorted(edges, p, "right")
    count = np.bincount(owner, minlength=len(edges) + 1)
    sums = np.bincount(owner, p, len(count)), np.bincount(owner, y, len(count))
    return [
        Bin(float(said / n), float(came / n), int(n))
        for said, came, n in zip(*sums, count, strict=True)
        if n
    ]


def calibration_error(diagram: list[Bin]) -> float:
    """Expected calibration error, 0..1: the mean distance of what was promised from what came true, by answers.

    With bins of equal mass (Nguyen and O'Connor, 2015). Raises `ValueError` for no bins.
    """
    if not diagram:
        raise ValueError("no bins")
    total = sum(b.answers for b in diagram)
    return sum(b.answers * abs(b.predicted - b.observed) for b in diagram) / total


def _accepted(high: Floats, low: Floats) -> tuple[Floats, Floats]:
    """How many of each lie at or above every score that occurs, the highest first."""
    bars = np.unique(np.concatenate([high, low]))[::-1]
    return tuple(  # type: ignore[return-value]
        (len(part) - np.searchsorted(np.sort(part), bars, "left")).astype(np.float64)
        for part in (high, low)
    )


def _both(positive: ArrayLike, negative: ArrayLike) -> tuple[Floats, Floats]:
    high, low = np.array(positive, np.float64), np.array(negative, np.float64)
    if not len(high) or not len(low):
        raise ValueError("a curve needs positives and negatives")
    return high, low
