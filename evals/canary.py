"""Staging against production, by what `server/canary.py` wrote down of real renders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from evals.statistics import DRAWS, LEVEL, Estimate, Verdict, paired, verdict
from tools.versions import Versions

METRICS = {  # name: whether more is better
    "geometry": True,
    "invented": False,
    "style": True,
    "palette": False,
    "text": True,
    "seconds": False,
}


class Score(NamedTuple):
    """What is known of one render."""

    request: str  # the same for a run and its shadow
    shadow: bool
    versions: Versions
    values: Mapping[str, float]  # by metric, those that were measured
    failed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One metric on both sides."""

    metric: str
    how: Literal["shadow", "canary"]  # the same requests done again, or other threads
    production: float
    staging: float
    difference: Estimate  # staging - production
    cases: tuple[int, int]  # of production, of staging
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything there is to say of a staging release."""

    rows: tuple[Row, ...]
    renders: Mapping[str, int]  # "production", "canary", "shadow"
    failed: Mapping[str, int]  # "canary", "shadow": runs that staging broke


def read_scores(file: Path) -> list[Score]:
    """Every line that can be read, oldest first; none where there is no file."""
    found = []
    for line in file.read_text("utf-8", "replace").splitlines() if file.is_file() else ():
        try:
            found.append(_score(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError):  # cut short by a kill
            continue
    return found


def compare_releases(
    scores: Sequence[Score], production: Versions, staging: Versions
) -> Comparison:
    """Compare two releases by the scores of renders on exactly these.

    Shadows are paired with what they are the shadows of. Canaries are other threads than production's, which chance
    alone chose; renders of one thread count as independent, so where few threads render a lot, trust it less.
    """
    base = [s for s in scores if s.versions == production and not s.shadow]
    canary = [s for s in scores if s.versions == staging and not s.shadow]
    shadow = [s for s in scores if s.versions == staging and s.shadow]
    known = {s.request: s for s in base}
    pairs = [(known[s.request], s) for s in shadow if s.request in known and not s.failed]
    rows = []
    for metric, more in METRICS.items():
        both = [
            (a.values[metric], b.values[metric])
            for a, b in pairs
            if metric in a.values and metric in b.values
        ]
        if both:
            rows.append(_paired(metric, both, more))
    for metric, more in METRICS.items():
        before = [s.values[metric] for s in base if metric in s.values]
        after = [s.values[metric] for s in canary if metric in s.values]
        if before and after:
            rows.append(_unpaired(metric, before, after, more))
    return Comparison(
        tuple(rows),
        {"production": len(base), "canary": len(canary), "shadow": len(shadow)},
        {"canary": sum(s.failed for s in canary), "shadow": sum(s.failed for s in shadow)},
    )


def unpaired(before: Sequence[float], after: Sequence[float]) -> tuple[Estimate, bool]:
    """The difference of two means with its percentile bootstrap interval (B. Efron, 1979), and whether it is sure.

    Sure is what the interval says and a permutation test agrees with (p < 0.05; R. A. Fisher, 1935), which keeps a
    handful of renders from deciding anything. A fixed seed. Raises `ValueError` for no values.
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if not len(a) or not len(b):
        raise ValueError("no values")
    rng = np.random.default_rng(0)
    seen = float(b.mean() - a.mean())
    draws = [
        float(rng.choice(b, len(b)).mean() - rng.choice(a, len(a)).mean()) for _ in range(DRAWS)
    ]
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    both = np.concatenate([a, b])
    as_far = 0
    for _ in range(DRAWS):
        rng.shuffle(both)
        as_far += abs(both[len(a) :].mean() - both[: len(a)].mean()) >= abs(seen) - 1e-12
    sure = (low > 0 or high < 0) and (as_far + 1) / (DRAWS + 1) < 1 - LEVEL
    return Estimate(seen, float(low), float(high)), bool(sure)


def _paired(metric: str, both: Sequence[tuple[float, float]], more: bool) -> Row:
    before, after = zip(*both, strict=True)
    change = paired(before, after, more)
    cases = (change.pairs, change.pairs)
    return Row(
        metric, "shadow", change.before, change.after, change.difference, cases, change.verdict
    )


def _unpaired(metric: str, before: Sequence[float], after: Sequence[float], more: bool) -> Row:
    difference, sure = unpaired(before, after)
    return Row(
        metric,
        "canary",
        float(np.mean(before)),
        float(np.mean(after)),
        difference,
        (len(before), len(after)),
        verdict(difference, sure, more),
    )


def _score(line: dict[str, Any]) -> Score:
    values = {**line.get("fidelity", {}), "seconds": line.get("seconds")}
    return Score(
        request=line["request"],
        shadow=line["shadow"],
        versions=line["versions"],
        values={m: float(values[m]) for m in METRICS if values.get(m) is not None},
        failed="error" in line,
    )
