"""Calibration arithmetic against cases worked out by hand, and that its numbers reach the product."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals import calibrate
from evals.calibrate import (
    FALSE_ACCEPTS,
    LIKELY,
    QUERIES,
    SURE,
    Answers,
    area,
    fit_background,
    fit_metric,
    fit_numbers,
    fit_platt,
    fit_strong,
    fitted_intervals,
    refit_intervals,
)
from evals.data import dataset_hash
from styles.calibration import Calibration, load_calibration, save_calibration

ROOT = Path(__file__).parents[1]


def answers(cosine: float, rival: float, right: float, count: int, seed: int) -> Answers:
    """Answers about some cosines, of which a share is right."""
    rng = np.random.default_rng(seed)
    return Answers(
        rng.normal(cosine, 0.05, count),
        rng.normal(rival, 0.05, count),
        (rng.random(count) < right).astype(np.int64),
    )


@pytest.fixture
def kinds() -> dict[str, Answers]:
    """Queries that are mostly right, and three kinds of text that no style fits."""
    return {
        QUERIES: answers(0.55, 0.3, 0.95, 300, 0),
        "plain": answers(0.2, 0.1, 0, 80, 1),
        "hard": answers(0.4, 0.5, 0, 80, 2),
        "near": answers(0.45, 0.35, 0, 40, 3),
    }


def test_platt_finds_the_curve_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(0, 1, 20_000)
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-12 * (cosines - 0.4)))).astype(float)
    slope, midpoint = fit_platt(cosines, labels)
    assert slope == pytest.approx(12, rel=0.05)
    assert midpoint == pytest.approx(0.4, abs=0.01)


def test_leads_are_over_the_nearest_look_or_the_background() -> None:
    found = Answers(np.array([0.6, 0.2]), np.array([0.3, -0.3]), np.array([1, 0]))
    assert found.leads(0.1).tolist() == pytest.approx([0.3, 0.1])
    assert found.leads(0.4).tolist() == pytest.approx([0.2, -0.2])


def test_the_background_silences_rivals_of_unrelated_words(kinds: dict[str, Answers]) -> None:
    far = Answers(np.full(80, 0.2), np.full(80, -0.3), np.zeros(80, np.int64))
    fitted = fit_background(
        {**kinds, "plain": far}
    )  # far from every style, farther from every look
    assert far.leads(fitted).max() < kinds[QUERIES].leads(fitted).min()
    assert far.leads(-1).min() > np.median(kinds[QUERIES].leads(-1))


def test_the_floor_keeps_out_what_it_says(kinds: dict[str, Answers]) -> None:
    numbers: dict[str, Any] = fit_numbers(kinds)
    fitted = Calibration(**numbers, image_slope=1.0, image_midpoint=0.0)

    def scores(kind: str) -> list[float]:
        of = kinds[kind]
        return [fitted.text_score(c, r) for c, r in zip(of.cosines, of.rivals, strict=True)]

    above = {kind: np.mean(np.array(scores(kind)) >= fitted.floor) for kind in kinds}
    assert max(above["plain"], above["hard"]) <= FALSE_ACCEPTS + 1 / 80
    assert above[QUERIES] > 0.9
    everything = [
        (s, r == 1) for k, of in kinds.items() for s, r in zip(scores(k), of.ranks, strict=True)
    ]
    taken = [right for score, right in everything if score >= fitted.strong]
    assert fitted.strong >= fitted.floor
    assert np.mean(taken) >= SURE


def test_a_score_is_the_share_of_first_matches_that_are_right(kinds: dict[str, Answers]) -> None:
    fitted = fit_numbers({**kinds, QUERIES: answers(0.55, 0.3, 0.7, 3000, 0)})
    lead = answers(0.55, 0.3, 0.7, 3000, 4).leads(fitted["background"])
    said = 1 / (1 + np.exp(-fitted["text_slope"] * (lead - fitted["text_midpoint"])))
    assert said.mean() == pytest.approx(0.7, abs=0.03)


def test_strong_is_the_lowest_sure_score() -> None:
    scores = np.array([0.2, 0.7, 0.8, 0.9])
    assert fit_strong(np.array([False, False, True, True]), scores, 0.1) == 0.8
    assert fit_strong(np.array([True, True, True, True]), scores, 0.75) == 0.75
    assert fit_strong(np.array([False, False, False, False]), scores, 0.1) == 1


def test_a_style_is_not_taken_unasked_where_it_is_hardly_likelier_than_not() -> None:
    """Many right answers far above would pay for the wrong ones near the bar."""
    scores, right = np.array([0.5, *[0.99] * 20]), np.array([False, *[True] * 20])
    assert fit_strong(right, scores, 0.4) == LIKELY


def test_refits_hold_the_fit_and_narrow_with_more_rows(
    kinds: dict[str, Answers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "REFITS", 40)
    many = {kind: of.take(np.repeat(np.arange(len(of.ranks)), 8)) for kind, of in kinds.items()}
    few, more, fitted = refit_intervals(kinds), refit_intervals(many), fit_numbers(kinds)
    assert few.keys() == fitted.keys()
    for name in ("floor", "text_midpoint"):
        low, high = few[name]
        assert low <= fitted[name] <= high
        assert more[name][1] - more[name][0] < high - low


def test_an_area_lies_in_its_interval() -> None:
    value, low, high = area(np.arange(5.0, 25), np.arange(0.0, 20))
    assert low < value < high
    assert area(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == (1, 1, 1)


def test_the_metric_weighs_down_what_differs_within_an_owner() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, [1, 0.1, 0.1], (400, 3)) + np.repeat([[0, 0, 0], [0, 3, 0]], 200, 0)
    metric = fit_metric(vectors.astype(np.float32), np.repeat([4, 7], 200))
    assert metric == pytest.approx(metric.T)
    assert metric[0, 0] < 0.8 * metric[1, 1]


def test_what_is_written_is_read_with_its_data_and_intervals(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    shipped = json.loads((ROOT / "models/calibration.json").read_text("utf-8"))["starter"]
    encoder = f"starter/{shipped['encoder']}"
    fitted = replace(load_calibration(ROOT / "models/calibration.json", encoder), floor=0.25)
    save_calibration(file, encoder, fitted, "0123456789ab", {"floor": (0.2, 0.3)})
    assert load_calibration(file, encoder) == fitted
    assert fitted_intervals(file, encoder) == {"floor": (0.2, 0.3)}
    assert json.loads(file.read_text("utf-8"))["starter"]["data"] == "0123456789ab"
    assert fitted_intervals(tmp_path / "none.json", encoder) == {}


def test_the_shipped_numbers_come_from_the_shipped_datasets() -> None:
    shipped = json.loads((ROOT / "models/calibration.json").read_text("utf-8"))["starter"]
    assert shipped["data"] == dataset_hash(calibrate.DATA), (
        "a dataset has changed: run `./artisan eval calibrate --write`"
    )
    for name, (low, high) in shipped["intervals"].items():
        assert low <= shipped[name] <= high


def test_the_retrieval_evals_import_nothing_heavy() -> None:
    program = (
        "import sys, evals.calibrate, evals.queries, evals.ranking, evals.confidence\n"
        "heavy = {'torch', 'chromadb', 'langgraph', 'diffusers', 'transformers', 'onnxruntime', 'cv2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"
