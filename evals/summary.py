"""What a run comes to: means with intervals, controls beside them, and what changed since another run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.runs import Run
from evals.statistics import (
    Change,
    Estimate,
    bootstrap,
    effect_size,
    mean,
    paired,
    resamples,
    verdict,
)
from evals.suite import Metric, Result, Suite
from tools.errors import InvalidRequest

PAIRS = 6  # fewer can prove nothing: `evals.statistics.paired`


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of a suite."""

    metric: Metric
    estimate: Estimate | None  # None: no case gave a score
    cases: int
    controls: Mapping[str, float]  # mean of each impostor
    groups: Mapping[str, float]  # mean of each group of cases
    told_apart: Mapping[
        str, bool
    ]  # of `metric.apart_from`, from `PAIRS` cases up: whether it is surely worse


@dataclass(frozen=True, slots=True)
class SuiteSummary:
    """One suite's part of the report."""

    suite: Suite
    rows: tuple[Row, ...]
    wanted: int  # cases asked for
    done: int  # cases that gave scores
    failed: tuple[Result, ...]


def summarise(run: Run, suites: Mapping[str, Suite]) -> dict[str, SuiteSummary]:
    """The summary of every suite of a run, by name."""
    return {
        name: _summary(suites[name], run.results.get(name, ()), run.header.n[name])
        for name in run.header.suites
        if name in suites
    }


def _summary(suite: Suite, results: Sequence[Result], wanted: int) -> SuiteSummary:
    good = [r for r in results if r.error is None]
    figures = _figures(suite, good)
    rows = tuple(_row(metric, good, figures) for metric in suite.metrics)
    return SuiteSummary(suite, rows, wanted, len(good), tuple(r for r in results if r.error))


def _figures(suite: Suite, results: Sequence[Result]) -> dict[str, Estimate]:
    if not results:
        return {}
    values = _figures_of(suite, results)
    drawn = [_figures_of(suite, [results[i] for i in rows]) for rows in resamples(len(results))]
    return {
        name: bootstrap(value, [figures[name] for figures in drawn if name in figures])
        for name, value in values.items()
    }


def _figures_of(suite: Suite, results: Sequence[Result]) -> Mapping[str, float]:
    """The figures of a suite; none where the results are too few for them."""
    try:
        return suite.figures(results)
    except ValueError:
        return {}


def _row(metric: Metric, results: Sequence[Result], figures: Mapping[str, Estimate]) -> Row:
    scored = [r for r in results if metric.name in r.scores]
    values = [r.scores[metric.name].value for r in scored]
    estimate = mean(values) if values else figures.get(metric.name)
    controls: dict[str, float] = {}
    apart: dict[str, bool] = {}
    for control in dict.fromkeys(c for r in scored for c in r.controls):
        pairs = [
            (r.controls[control][metric.name], r.scores[metric.name].value)
            for r in scored
            if metric.name in r.controls.get(control, {})
        ]
        if not pairs:
            continue
        theirs, own = zip(*pairs, strict=True)
        controls[control] = float(np.mean(theirs))
        if control in metric.apart_from and len(pairs) >= PAIRS:
            better = paired(theirs, own, metric.higher_is_better is not False)
            apart[control] = better.verdict == "better"
    names = dict.fromkeys(r.group for r in scored if r.group)
    groups = {
        name: float(np.mean([r.scores[metric.name].value for r in scored if r.group == name]))
        for name in names
    }
    return Row(metric, estimate, len(values) or len(results), controls, groups, apart)


def compare(before: Run, after: Run, suites: Mapping[str, Suite]) -> dict[str, dict[str, Change]]:
    """suite -> metric -> what changed, over the cases that both runs have.

    Raises `InvalidRequest` when a suite read other data in one run than in the other.
    """
    check_comparable(before, after.header.datasets)
    return {
        name: _changes(suites[name], before.results[name], after.results[name])
        for name in after.header.suites
        if name in before.header.suites and name in suites
    }


def check_comparable(before: Run, datasets: Mapping[str, str]) -> None:
    """Raise `InvalidRequest` when a suite reads other data now (by suite, its hash) than it did before."""
    for suite, now in datasets.items():
        was = before.header.datasets.get(suite, now)
        if was != now:
            raise InvalidRequest(
                f"{suite}: run {before.header.id} read the datasets {was}, and now they are {now}. Scores of other"
                " data cannot be compared: run both on the same, or compare with `--baseline none`."
            )


def _changes(suite: Suite, before: Sequence[Result], after: Sequence[Result]) -> dict[str, Change]:
    known = {r.case: r for r in before if r.error is None}
    pairs = [(known[r.case], r) for r in after if r.error is None and r.case in known]
    figures = _figure_changes(suite, pairs)
    found = {}
    for metric in suite.metrics:
        both = [(a, b) for a, b in pairs if metric.name in a.scores and metric.name in b.scores]
        if both:
            found[metric.name] = paired(
                [a.scores[metric.name].value for a, _ in both],
                [b.scores[metric.name].value for _, b in both],
                metric.higher_is_better is not False,
            )
        elif metric.name in figures:
            found[metric.name] = figures[metric.name]
    return found


def _figure_changes(suite: Suite, pairs: Sequence[tuple[Result, Result]]) -> dict[str, Change]:
    """The changes of figures of all results together: the cases are resampled in pairs."""

    def both(rows: Iterable[int]) -> tuple[Mapping[str, float], Mapping[str, float]]:
        a, b = zip(*(pairs[i] for i in rows), strict=True)
        return _figures_of(suite, a), _figures_of(suite, b)

    if not pairs:
        return {}
    was, now = both(range(len(pairs)))
    drawn = [both(rows) for rows in resamples(len(pairs))]
    better = {metric.name: metric.higher_is_better is not False for metric in suite.metrics}
    found = {}
    for name in was.keys() & now.keys() & better.keys():
        deltas = [b[name] - a[name] for a, b in drawn if name in a and name in b]
        deltas = [delta for delta in deltas if math.isfinite(delta)]
        difference = bootstrap(now[name] - was[name], deltas)
        sure = difference.low > 0 or difference.high < 0
        # The resamples spread as the figure does; a single case spreads sqrt(n) times as wide.
        effect = effect_size(np.asarray(deltas or [0.0])) / math.sqrt(len(pairs))
        word = verdict(difference, sure, better[name])
        found[name] = Change(was[name], now[name], difference, effect, len(pairs), word)
    return found
