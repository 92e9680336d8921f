"""Intervals and verdicts: right on average, and slow to decide from little."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.statistics import bootstrap, effect_size, mean, paired, resamples, share

values = st.lists(st.floats(-100, 100), min_size=1, max_size=40)


@given(values)
def test_a_mean_lies_in_its_interval(x: list[float]) -> None:
    value, low, high = mean(x)
    assert value == pytest.approx(np.mean(x))
    assert min(x) - 1e-9 <= low <= high <= max(x) + 1e-9


def test_the_interval_of_a_mean_holds_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        _, low, high = mean(rng.normal(3, 2, 40))
        inside += low <= 3 <= high
    assert 0.90 <= inside / 300 <= 0.98


def test_more_cases_make_a_narrower_interval() -> None:
    x = np.random.default_rng(2).normal(0, 1, 400)
    few, many = mean(x[:25]), mean(x)
    assert many.high - many.low < (few.high - few.low) / 2


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean([])


def test_equal_runs_cannot_be_told_apart() -> None:
    change = paired([0.1, 0.9, 0.5], [0.1, 0.9, 0.5], higher_is_better=True)
    assert change.verdict == "can't tell"
    assert change.difference == (0, 0, 0)
    assert change.effect == 0


@pytest.mark.parametrize(("higher", "word"), [(True, "better"), (False, "worse")])
def test_a_clear_rise_is_told_by_what_is_wanted(higher: bool, word: str) -> None:
    rng = np.random.default_rng(3)
    before = rng.uniform(0, 1, 30)
    after = before + 0.1 + rng.normal(0, 0.02, 30)
    change = paired(before.tolist(), after.tolist(), higher)
    assert change.verdict == word
    assert change.difference.value == pytest.approx(0.1, abs=0.02)
    assert change.effect > 2


def test_a_handful_of_cases_decides_nothing() -> None:
    assert paired([0.0] * 5, [1.0] * 5, higher_is_better=True).verdict == "can't tell"
    assert paired([0.0] * 6, [1.0] * 6, higher_is_better=True).verdict == "better"


def test_pairing_sees_what_the_spread_of_the_cases_hides() -> None:
    rng = np.random.default_rng(4)
    hard = rng.uniform(0, 1, 40)  # cases differ far more than the runs do
    change = paired(hard.tolist(), (hard + 0.02).tolist(), higher_is_better=True)
    assert change.verdict == "better"
    assert change.effect == math.inf


def test_runs_that_differ_by_chance_are_seldom_told_apart() -> None:
    rng = np.random.default_rng(5)
    verdicts = [
        paired(rng.normal(0, 1, 20).tolist(), rng.normal(0, 1, 20).tolist(), True).verdict
        for _ in range(200)
    ]
    assert sum(verdict != "can't tell" for verdict in verdicts) <= 20


def test_the_effect_is_the_mean_over_the_deviation() -> None:
    assert effect_size(np.array([1.0, 3.0])) == pytest.approx(2.0)
    assert effect_size(np.array([-0.5, -0.5])) == -math.inf


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(87, 100, 0.790, 0.922), (0, 20, 0.0, 0.161), (20, 20, 0.839, 1.0)],
)
def test_wilsons_interval(hits: int, n: int, low: float, high: float) -> None:
    """Figures of Wilson's formula, worked out by hand."""
    found = share([1] * hits + [0] * (n - hits))
    assert found.value == hits / n
    assert found.low == pytest.approx(low, abs=1e-3)
    assert found.high == pytest.approx(high, abs=1e-3)


def test_an_interval_of_resamples_leaves_out_what_is_no_number() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    drawn = [float(np.ptp(x[rows])) or math.nan for rows in resamples(4)]
    assert any(map(math.isnan, drawn))
    value, low, high = bootstrap(3.0, drawn)
    assert (value, high) == (3.0, 3.0)
    assert 1 <= low <= 3
    assert bootstrap(3.0, []) == (3.0, 3.0, 3.0)


def test_resamples_are_the_same_every_time() -> None:
    first, second = (np.stack(list(resamples(5, 20))) for _ in range(2))
    assert (first == second).all()
    assert len({tuple(rows) for rows in first}) > 10
    assert first.min() == 0
    assert first.max() == 4
