"""Calibration arithmetic against cases worked out by hand."""

import numpy as np
import pytest

from evals.calibrate import (
    area,
    auroc,
    fit_background,
    fit_metric,
    fit_platt,
    hits,
    leads,
    pairs,
    share,
    text_rows,
)


def test_platt_finds_the_curve_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(0, 1, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-12 * (cosines - 0.4)))).astype(float)
    slope, midpoint = fit_platt(cosines, labels)
    assert slope == pytest.approx(12, rel=0.05)
    assert midpoint == pytest.approx(0.4, abs=0.01)


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([2.0, 3.0]), np.array([1.0])) == 1
    assert auroc(np.array([1.0]), np.array([1.0])) == 0.5
    assert auroc(np.array([0.0, 2.0]), np.array([1.0])) == 0.5


def test_pairs_take_the_true_style_and_the_nearest_other() -> None:
    ranks = [[("b", 0.9), ("a", 0.8), ("c", 0.1)], [("a", 0.3), ("b", 0.2)]]
    cosines, labels = pairs([("q", "a"), ("off", None)], ranks)
    found = sorted(zip(cosines.tolist(), labels.tolist(), strict=True))
    assert found == [(0.3, 0.0), (0.8, 1.0), (0.9, 0.0)]
    assert hits([("q", "a")], ranks[:1], 1).tolist() == [False]
    assert hits([("q", "a")], ranks[:1], 2).tolist() == [True]


def test_intervals_hold_the_number() -> None:
    value, low, high = share(np.arange(100) < 90)
    assert (value, round(low, 3), round(high, 3)) == (0.9, 0.826, 0.945)
    value, low, high = area(np.arange(5.0, 25), np.arange(0.0, 20))
    assert low < value < high


def test_the_background_silences_rivals_of_unrelated_words() -> None:
    queries = ([[("a", 0.6)], [("a", 0.55)]], np.array([0.3, 0.2]))
    plain = ([[("a", 0.2)]], np.array([-0.3]))  # far from every style, farther from every look
    hard = ([[("a", 0.5)]], np.array([0.7]))
    assert leads(*plain, 0.4)[0][0][1] == pytest.approx(-0.2)
    background = fit_background([queries, plain, hard])
    assert leads(*plain, background)[0][0][1] < min(f[0][1] for f in leads(*queries, background))


def test_the_metric_weighs_down_what_differs_within_an_owner() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, [1, 0.1, 0.1], (400, 3)) + np.repeat([[0, 0, 0], [0, 3, 0]], 200, 0)
    metric = fit_metric(vectors.astype(np.float32), np.repeat([4, 7], 200))
    assert metric == pytest.approx(metric.T)
    assert metric[0, 0] < 0.8 * metric[1, 1]


def test_queries_name_no_style_they_mean() -> None:
    queries, plain, hard = text_rows()
    assert len(queries) >= 200
    assert len(plain) >= 100
    assert len(hard) >= 50
    for text, style in queries:
        assert style is not None
        words = set(style.split("-")) - {"and", "e"}
        said = set(text.lower().replace(",", " ").replace(".", " ").split())
        assert not words <= said, (text, style)
