"""Means with their uncertainty, and whether one run is better than another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

DRAWS = 2000  # bootstrap samples
LEVEL = 0.95  # of every interval
CHUNK = 4_000_000  # numbers drawn at a time
EXACT = 12  # pairs up to which every sign is tried

Verdict = Literal["better", "worse", "can't tell"]


class Estimate(NamedTuple):
    """A number from a sample, and the 95 % interval about it."""

    value: float
    low: float
    high: float


class Change(NamedTuple):
    """What became of a metric between two runs, over the cases that both have."""

    before: float
    after: float
    difference: Estimate  # after - before
    effect: float  # standardised; 0.2 small, 0.5 medium, 0.8 large (J. Cohen, 1988); infinite without spread
    pairs: int
    verdict: Verdict


def mean(values: ArrayLike) -> Estimate:
    """The mean of (n,) values with its percentile bootstrap interval (B. Efron, 1979); a fixed seed, so equal values
    give equal intervals. Raises `ValueError` for no values.
    """
    x = np.asarray(values, np.float64)
    if not len(x):
        raise ValueError("no values")
    means: list[float] = []
    per_chunk = max(1, CHUNK // len(x))
    rng = np.random.default_rng(0)
    while len(means) < DRAWS:
        rows = rng.integers(0, len(x), (min(per_chunk, DRAWS - len(means)), len(x)))
        means += x[rows].mean(1).tolist()
    return Estimate(float(x.mean()), *_interval(means))


def resamples(count: int, draws: int = 200) -> Iterator[Rows]:
    """Rows 0 .. `count` - 1 drawn with replacement, `draws` times, the same ones every time."""
    rng = np.random.default_rng(0)
    for _ in range(draws):
        yield rng.integers(0, count, count)


def bootstrap(value: float, drawn: Sequence[float]) -> Estimate:
    """`value` with the interval of what resamples gave in its place; those that are not finite are left out."""
    finite = [x for x in drawn if math.isfinite(x)]
    return Estimate(value, *(_interval(finite) if finite else (value, value)))


def paired(before: Sequence[float], after: Sequence[float], higher_is_better: bool) -> Change:
    """Compare two scores of the same cases, in the same order.

    The effect is Cohen's d_z: the mean difference over the standard deviation of the differences. It is better, or
    worse, when the interval excludes no change and a sign-flip permutation test agrees (p < 0.05), which keeps a
    handful of cases from deciding anything. Raises `ValueError` for no cases.
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    delta = b - a
    difference = mean(delta)
    sure = (difference.low > 0 or difference.high < 0) and _flip_p(delta) < 1 - LEVEL
    return Change(
        float(a.mean()),
        float(b.mean()),
        difference,
        effect_size(delta),
        len(delta),
        verdict(difference, sure, higher_is_better),
    )


def effect_size(differences: Floats) -> float:
    """Cohen's d_z of (n,) paired differences; 0 when nothing changed, infinite when all changed alike."""
    middle, spread = float(differences.mean()), float(differences.std())
    if spread < 1e-12:
        return 0.0 if abs(middle) < 1e-12 else math.copysign(math.inf, middle)
    return middle / spread


def verdict(difference: Estimate, sure: bool, higher_is_better: bool) -> Verdict:
    """In one word."""
    if not sure:
        return "can't tell"
    return "better" if (difference.value > 0) is higher_is_better else "worse"


def share(hits: ArrayLike) -> Estimate:
    """The share of (n,) hits, with Wilson's interval (E. B. Wilson, 1927), which is honest near 0 and 1.

    Raises `ValueError` for none.
    """
    x = np.asarray(hits, np.float64)
    if not len(x):
        raise ValueError("no hits and no misses")
    n, p, z = len(x), float(x.mean()), 1.959964
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return Estimate(p, max(0.0, middle - reach), min(1.0, middle + reach))


def _flip_p(differences: Floats) -> float:
    """Two-sided p of the mean under random signs (R. A. Fisher, 1935): every one for few pairs, else 10,000."""
    n, seen = len(differences), abs(float(differences.sum()))
    if n <= EXACT:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differences) >= seen - 1e-12).mean())
    rng = np.random.default_rng(0)
    above = 0
    for _ in range(10):
        signs = rng.choice([-1.0, 1.0], (1000, n))
        above += int((np.abs(signs @ differences) >= seen - 1e-12).sum())
    return (above + 1) / 10_001


def _interval(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(np.asarray(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return float(low), float(high)
