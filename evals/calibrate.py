"""Fit the scores and the bands of style retrieval on the dev split of the datasets, and report on the test split.

`./artisan eval calibrate [--profile P] [--write]`. The metric is fitted on the styles' own texts and the foreign
looks, never on the datasets. The curve is fitted to the first match of every text, so that a score is the share of
first matches that are right; texts that only touch a style (`near`) have a say in the strong band alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.confidence import auroc, calibration_error, reliability
from evals.data import dataset_hash
from evals.queries import (
    OFF_TOPIC,
    PICTURES,
    TEXTS,
    ImageQuery,
    Split,
    TextQuery,
    image_queries,
    off_topic,
    style_queries,
)
from evals.statistics import LEVEL, Estimate, bootstrap, resamples, share

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from graph.settings import Settings
    from styles.calibration import Calibration
    from styles.catalog import Catalog
    from styles.index import StyleIndex
    from styles.vectors import Matrix
    from tools.encoding import StyleEncoder

    Floats = NDArray[np.float64]
    Rows = NDArray[np.int64]

DATA = (TEXTS, OFF_TOPIC, PICTURES)
QUERIES = "queries"  # beside the kinds of text that no style fits
REFUSED = ("plain", "hard")  # kinds that the floor keeps out, and the curve is fitted to
FALSE_ACCEPTS = 0.03  # of each of them that the floor may let through
SURE = 0.9  # share of right answers from which a style is taken without a question
LIKELY = 2 / 3  # the least score of a style taken without asking: twice as likely right as wrong
SHRINK = 1.0  # of the metric towards plain cosines, in mean variances
DEPTH = 8  # styles looked at for each query
REFITS = 200  # of resampled rows, for the intervals
OTHER_LANGUAGES = "language"  # the kind of query that no English encoder can be asked to know


@dataclass(frozen=True, slots=True)
class Answers:
    """What the index answers to queries of one kind, before any score: arrays of one length."""

    cosines: Floats  # of the first match
    rivals: Floats  # of the nearest foreign look
    ranks: Rows  # of the style that was meant, from 1; 0: not among the first `DEPTH`, or none was meant

    def leads(self, background: float) -> Floats:
        """How much nearer the first match is than the nearest foreign look, or than words that mean nothing."""
        return self.cosines - np.maximum(self.rivals, background)

    def take(self, rows: Rows) -> Answers:
        """Some of the rows, in that order."""
        return Answers(self.cosines[rows], self.rivals[rows], self.ranks[rows])


@dataclass(frozen=True, slots=True)
class Fit:
    """A calibration, and how far it can be trusted."""

    calibration: Calibration
    intervals: Mapping[
        str, tuple[float, float]
    ]  # 95 %, of each number when refitted on resampled dev rows
    report: Mapping[str, Estimate]  # what it achieves on the test split
    data: str  # hash of the datasets


def fit_metric(vectors: Matrix, owners: Rows) -> Matrix:
    """(dim, dim) metric that weighs down the directions in which words for the same look differ.

    The inverse root of the covariance within owners, shrunk: within-class covariance normalisation (Hatch 2006).
    """
    _, owners = np.unique(owners, return_inverse=True)
    sums = np.zeros((owners.max() + 1, vectors.shape[1]))
    np.add.at(sums, owners, vectors)
    spread = vectors - (sums / np.bincount(owners)[:, None])[owners]
    variances, axes = np.linalg.eigh(spread.T @ spread / len(vectors))
    weights = (variances + SHRINK * variances.mean()) ** -0.5
    return np.asarray((axes * (weights / weights.max())) @ axes.T, np.float16).astype(np.float32)


def known_texts(catalog: Catalog) -> tuple[list[str], Rows]:
    """Every text of the styles and of the foreign looks, and the number of the one it belongs to."""
    from styles.foreign import load_looks
    from styles.index import style_texts

    groups = [style_texts(style) for style in catalog.styles.values()]
    groups += [[look.name, *look.texts] for look in load_looks()]
    owners = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return [text for group in groups for text in group], owners


def fit_platt(evidence: Floats, right: ArrayLike) -> tuple[float, float]:
    """(slope, midpoint) of the logistic curve of greatest likelihood, by Newton's method; (n,) each."""
    x = np.stack([evidence, np.ones_like(evidence)], 1)
    y, w = np.asarray(right, np.float64), np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        w = w + np.linalg.solve(hessian, x.T @ (y - p))
    return float(w[0]), float(-w[1] / w[0])


def fit_background(answers: Mapping[str, Answers]) -> float:
    """The background that best keeps queries above each kind of text that is to be refused."""

    def worst(background: float) -> float:
        queries = answers[QUERIES].leads(background)
        return min(auroc(queries, answers[kind].leads(background)) for kind in REFUSED)

    return float(max(np.arange(0, 0.8, 0.02), key=worst))


def fit_numbers(answers: Mapping[str, Answers]) -> dict[str, float]:
    """The numbers of a `Calibration` that texts decide, fitted to the answers to each kind of text."""
    background = fit_background(answers)
    leads = {kind: found.leads(background) for kind, found in answers.items()}
    fitted = (QUERIES, *REFUSED)
    slope, midpoint = fit_platt(
        np.concatenate([leads[kind] for kind in fitted]),
        np.concatenate([answers[kind].ranks == 1 for kind in fitted]),
    )
    scores = {kind: 1 / (1 + np.exp(-slope * (lead - midpoint))) for kind, lead in leads.items()}
    floor = max(float(np.quantile(scores[kind], 1 - FALSE_ACCEPTS)) for kind in REFUSED)
    right = np.concatenate([answers[kind].ranks == 1 for kind in scores])
    return {
        "text_slope": slope,
        "text_midpoint": midpoint,
        "background": background,
        "floor": floor,
        "strong": fit_strong(right, np.concatenate(list(scores.values())), floor),
    }


def fit_strong(right: NDArray[np.bool_], scores: Floats, floor: float) -> float:
    """The lowest score from `floor` up, from which on `SURE` of all first matches are right; 1 when there is none.

    Not below `LIKELY`: that most matches above a bar are right must not hide that those just above it are not.
    """
    least = max(floor, LIKELY)
    for bar in np.sort([least, *scores[scores >= least]]):
        if right[scores >= bar].mean() >= SURE:
            return float(bar)
    return 1.0


def answer_texts(index: StyleIndex, queries: Sequence[TextQuery]) -> Answers:
    """What the index answers to texts. Blocking: embeds them."""
    found = [index.find(query.text, DEPTH) for query in queries]
    return _answers(
        [of.styles for of in found], [q.style for q in queries], [of.rival for of in found]
    )


def answer_pictures(index: StyleIndex, queries: Sequence[ImageQuery]) -> Answers:
    """What the index answers to pictures, which have no rivals. Blocking: paints and embeds them."""
    vectors = [np.array(index.encoder.embed_image(q.paint()), np.float32) for q in queries]
    found = [index.nearest(vector, DEPTH, of_image=True) for vector in vectors]
    return _answers(found, [query.style for query in queries], [0.0] * len(queries))


def _answers(
    found: Sequence[Sequence[tuple[str, float]]],
    wanted: Sequence[str | None],
    rivals: Sequence[float],
) -> Answers:
    orders = [[slug for slug, _ in ranked] for ranked in found]
    ranks = [o.index(w) + 1 if w in o else 0 for o, w in zip(orders, wanted, strict=True)]
    cosines = np.array([ranked[0][1] for ranked in found], np.float64)
    return Answers(cosines, np.array(rivals, np.float64), np.array(ranks, np.int64))


def calibrate(encoder: StyleEncoder, catalog: Catalog) -> Fit:
    """Fit on the dev split, and report on the test split. Blocking, about a minute. Raises `DatasetError`."""
    from styles.calibration import Calibration, mark
    from styles.foreign import load_looks
    from styles.index import StyleIndex

    texts = {split: _by_kind(split) for split in ("dev", "test")}
    pictures = {split: image_queries(split) for split in ("dev", "test")}
    known, owners = known_texts(catalog)
    vectors = np.array([encoder.embed_query(text) for text in known], np.float32)
    blank = Calibration(
        text_slope=1.0,
        text_midpoint=0.0,
        background=0.0,
        image_slope=1.0,
        image_midpoint=0.0,
        floor=0.0,
        strong=1.0,
        metric=fit_metric(vectors, owners),
        looks=load_looks(),
        known=dict(zip(map(mark, known), vectors, strict=True)),
    )
    with tempfile.TemporaryDirectory() as folder:
        index = StyleIndex(encoder, catalog, Path(folder), blank)
        dev, test = (
            {kind: answer_texts(index, queries) for kind, queries in texts[split].items()}
            for split in ("dev", "test")
        )
        seen, shown = (answer_pictures(index, pictures[split]) for split in ("dev", "test"))
    image_slope, image_midpoint = fit_platt(seen.cosines, seen.ranks == 1)
    fitted: dict[str, Any] = fit_numbers(dev)
    calibration = replace(blank, **fitted, image_slope=image_slope, image_midpoint=image_midpoint)
    english = np.array([q.kind != OTHER_LANGUAGES for q in texts["test"][QUERIES]])
    plain = np.array([q.mood is None for q in pictures["test"]])
    report = _report(calibration, test, english) | {
        "picture R@1": share(shown.ranks[plain] == 1),
        "picture R@1, another light": share(shown.ranks[~plain] == 1),
    }
    return Fit(calibration, refit_intervals(dev), report, dataset_hash(DATA))


def _by_kind(split: Split) -> dict[str, list[TextQuery]]:
    others = off_topic(split)
    kinds = {kind: [q for q in others if q.kind == kind] for kind in (*REFUSED, "near")}
    return {QUERIES: style_queries(split)} | kinds


def refit_intervals(answers: Mapping[str, Answers]) -> dict[str, tuple[float, float]]:
    """95 % intervals of the fitted numbers: each kind's rows are drawn anew, and everything is fitted to them."""
    rng = np.random.default_rng(0)
    refits = []
    for _ in range(REFITS):
        drawn = {
            kind: found.take(rng.integers(0, len(found.ranks), len(found.ranks)))
            for kind, found in answers.items()
        }
        refits.append(fit_numbers(drawn))
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    found = {name: np.quantile([refit[name] for refit in refits], ends) for name in refits[0]}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}


def _report(
    calibration: Calibration, answers: Mapping[str, Answers], english: NDArray[np.bool_]
) -> dict[str, Estimate]:
    """What a calibration achieves; `english` says which of the style queries are."""
    found = {kind: _scores(calibration, of) for kind, of in answers.items()}
    queries, ranks = found[QUERIES], answers[QUERIES].ranks
    scores = np.concatenate(list(found.values()))
    right = np.concatenate([of.ranks == 1 for of in answers.values()])
    sure = scores >= calibration.strong

    def error(rows: Rows) -> float:
        return calibration_error(reliability(scores[rows], right[rows]))

    return {
        "text R@1": share(ranks == 1),
        "text R@1, English": share(ranks[english] == 1),
        "text R@3": share((ranks > 0) & (ranks <= 3)),
        "AUROC plain off-topic": area(queries, found["plain"]),
        "AUROC hard negatives": area(queries, found["hard"]),
        "AUROC near misses": area(queries, found["near"]),
        "queries above the floor": share(queries >= calibration.floor),
        "English queries above the floor": share(queries[english] >= calibration.floor),
        "plain off-topic above the floor": share(found["plain"] >= calibration.floor),
        "hard negatives above the floor": share(found["hard"] >= calibration.floor),
        "near misses above the floor": share(found["near"] >= calibration.floor),
        "queries in the strong band": share(queries >= calibration.strong),
        "strong answers that are right": share(right[sure]) if sure.any() else Estimate(0, 0, 1),
        "calibration error": bootstrap(
            error(np.arange(len(scores))), [error(rows) for rows in resamples(len(scores))]
        ),
    }


def _scores(calibration: Calibration, answers: Answers) -> Floats:
    leads = answers.leads(calibration.background)
    return 1 / (1 + np.exp(-calibration.text_slope * (leads - calibration.text_midpoint)))


def area(positive: Floats, negative: Floats) -> Estimate:
    """AUROC with its bootstrap interval."""
    both, n = np.concatenate([positive, negative]), len(positive)

    drawn = [
        auroc(both[rows[rows < n]], both[rows[rows >= n]])
        for rows in resamples(len(both))
        if (rows < n).any() and (rows >= n).any()
    ]
    return bootstrap(auroc(positive, negative), drawn)


def calibrate_profile(settings: Settings, write: bool) -> str:
    """Calibrate the profile that `settings` names, and say how well it does.

    With `write` the numbers go where the product reads them. Blocking, about a minute.
    Raises `DatasetError`, and `WeightsMissing` for a profile that is not installed.
    """
    from styles.calibration import numbers, save_calibration
    from styles.catalog import Catalog
    from tools.encoders import open_encoder
    from tools.profiles import load_profiles

    models = settings.models_dir
    encoder = open_encoder(load_profiles(models / "profiles.toml")[settings.profile], models)
    fit = calibrate(encoder, Catalog(settings.library))
    fitted = numbers(fit.calibration)
    table = fit.report.items()
    lines = [f"{encoder.name}, fitted on dev, data {fit.data}"]
    lines += [f"  {name:16} {value:9.5f}{_interval(fit, name)}" for name, value in fitted.items()]
    lines += ["on test"]
    lines += [f"  {name:34} {e.value:6.3f}   {e.low:.3f} to {e.high:.3f}" for name, e in table]
    if write:
        file = models / "calibration.json"
        save_calibration(file, encoder.name, fit.calibration, fit.data, fit.intervals)
        lines += [f"written to {file.name} and the vectors beside it"]
    return "\n".join(lines)


def _interval(fit: Fit, name: str) -> str:
    if name not in fit.intervals:
        return ""
    low, high = fit.intervals[name]
    return f"   {low:.5f} to {high:.5f} when refitted"


def fitted_intervals(path: Path, encoder: str) -> dict[str, tuple[float, float]]:
    """What `calibration.json` says of how far the numbers of an encoder can be trusted; empty where it says nothing."""
    try:
        table = json.loads(path.read_text("utf-8"))
        found = table[encoder.split("/")[0]]["intervals"]
        return {name: (float(low), float(high)) for name, (low, high) in found.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
