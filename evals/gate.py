"""The gate: what a run must reach, and must not lose, before its versions may serve anybody."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.runs import Run
from evals.statistics import Change, Estimate
from evals.suite import Metric
from evals.summary import SuiteSummary
from tools.errors import InvalidRequest

GATES = Path(__file__).parent / "gates.toml"
KEYS = {"min", "max", "slack"}
SLACK = 0.005  # where none is given: arithmetic differs a little from machine to machine


@dataclass(frozen=True, slots=True)
class Bound:
    """What one metric must reach."""

    suite: str
    metric: str
    minimum: float | None
    maximum: float | None
    slack: float  # loss against the baseline that is no regression, however sure


@dataclass(frozen=True, slots=True)
class Gates:
    """What `gates.toml` asks for."""

    required: tuple[str, ...]  # suites without which nothing is promoted
    bounds: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class GateRow:
    """One condition, and whether it holds."""

    suite: str
    metric: str
    wanted: str
    value: float | None
    passed: bool
    why: str


def load_gates(path: Path = GATES) -> Gates:
    """Read what must be reached. Raises `InvalidRequest`, which names the suite, the metric and the key."""
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        required = tuple(document.pop("required"))
        bounds = tuple(
            _bound(path, suite, metric, table)
            for suite, metrics in document.items()
            for metric, table in metrics.items()
        )
    except OSError as error:
        raise InvalidRequest(f"{path.name}: {error.strerror}.") from error
    except KeyError as error:
        raise InvalidRequest(f"{path.name}: {error} is missing.") from error
    except (tomllib.TOMLDecodeError, AttributeError, TypeError) as error:
        raise InvalidRequest(f"{path.name}: {error}.") from error
    return Gates(required, bounds)


def _bound(path: Path, suite: str, metric: str, table: Mapping[str, Any]) -> Bound:
    for key, value in table.items():
        if key not in KEYS or isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidRequest(
                f"{path.name}, [{suite}.{metric}]: {key} = {value!r}; a gate has min, max, slack, each a number."
            )
    return Bound(
        suite, metric, table.get("min"), table.get("max"), float(table.get("slack", SLACK))
    )


def judge(
    run: Run,
    summaries: Mapping[str, SuiteSummary],
    changes: Mapping[str, Mapping[str, Change]] | None,
    bounds: Sequence[Bound],
    required: Sequence[str],
) -> list[GateRow]:
    """Every condition for `run`, those that fail first.

    It must be whole, without a failed case, and have every suite of `required`; each bounded metric must be within
    its bounds; none may be surely worse than in the baseline by more than its slack. In a quick run a bound is
    broken when the whole 95 % interval lies outside it: a few cases cannot prove more.
    """
    rows = [_present(suite, summaries) for suite in required]
    rows += [_whole(summary) for summary in summaries.values()]
    for bound in bounds:
        if bound.suite in summaries:
            rows.append(_within(bound, summaries[bound.suite], run.header.quick))
    for suite, found in (changes or {}).items():
        if not summaries[suite].suite.cached:
            continue  # speeds: those of another machine, or of a busier hour, prove nothing
        for metric, change in found.items():
            slack = next((b.slack for b in bounds if (b.suite, b.metric) == (suite, metric)), SLACK)
            known = {row.metric.name: row.metric for row in summaries[suite].rows}
            rows.append(_kept(suite, known[metric], change, slack))
    return sorted(rows, key=lambda row: row.passed)


def _present(suite: str, summaries: Mapping[str, SuiteSummary]) -> GateRow:
    there = suite in summaries
    return GateRow(suite, "run", "run", None, there, "" if there else "this suite was not run")


def _whole(summary: SuiteSummary) -> GateRow:
    missing, failed = summary.wanted - summary.done - len(summary.failed), len(summary.failed)
    why = []
    if missing > 0:
        why.append(f"{missing} of {summary.wanted} cases were never run")
    if failed:
        why.append(f"{failed} failed, the first with: {summary.failed[0].error}")
    return GateRow(
        summary.suite.name,
        "cases",
        "all done",
        float(summary.done),
        not why,
        "; ".join(why) or f"{summary.done} of {summary.wanted}",
    )


def _within(bound: Bound, summary: SuiteSummary, quick: bool) -> GateRow:
    row = next((row for row in summary.rows if row.metric.name == bound.metric), None)
    wanted = " and ".join(
        f"{sign} {limit:g}"
        for sign, limit in (("≥", bound.minimum), ("≤", bound.maximum))
        if limit is not None
    )
    if row is None or row.estimate is None:
        return GateRow(bound.suite, bound.metric, wanted, None, False, "it was not measured")
    value, low, high = row.estimate
    best_low, best_high = (high, low) if quick else (value, value)
    short = bound.minimum is not None and best_low < bound.minimum
    over = bound.maximum is not None and best_high > bound.maximum
    interval = f"{value:.3f}, 95 % interval {low:.3f} to {high:.3f}, {row.cases} cases"
    return GateRow(bound.suite, bound.metric, wanted or "any", value, not (short or over), interval)


def _kept(suite: str, metric: Metric, change: Change, slack: float) -> GateRow:
    lost = change.verdict == "worse" and abs(change.difference.value) > slack
    if metric.higher_is_better is None:
        lost = False
    why = (
        f"{change.before:.3f} -> {change.after:.3f}, difference {_signed(change.difference)},"
        f" {change.pairs} pairs: {change.verdict}"
    )
    wanted = "no regression" + (f" beyond {slack:g}" if slack else "")
    return GateRow(suite, metric.name, wanted, change.after, not lost, why)


def _signed(difference: Estimate) -> str:
    value, low, high = difference
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
