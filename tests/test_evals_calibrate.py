"""Calibration arithmetic against cases worked out by hand."""

import numpy as np
import pytest

from evals.calibrate import auroc, fit_platt, pairs, recall, text_rows


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
    assert recall([("q", "a")], ranks[:1], 1) == 0
    assert recall([("q", "a")], ranks[:1], 2) == 1


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
