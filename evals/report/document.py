"""The report as data: everything but the pictures, for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from evals.report.words import Changes, finished, verdict
from evals.runs import Header, Run
from evals.statistics import Change, Estimate
from evals.suite import Drawing
from evals.summary import Row, SuiteSummary

if TYPE_CHECKING:
    from evals.gate import GateRow


def document(
    run: Run,
    summaries: Mapping[str, SuiteSummary],
    changes: Changes | None,
    baseline: Header | None,
    gates: Sequence[GateRow],
    drawings: Mapping[str, Sequence[Drawing]],
) -> dict[str, Any]:
    """The report as plain JSON values; a number that is not finite is null."""
    missing = finished(run)
    told = {
        "verdict": verdict(run, summaries, changes, baseline, gates),
        "passed": all(gate.passed for gate in gates) if gates else None,
        "partial": bool(missing),
        "missing": missing,
        "header": asdict(run.header),
        "baseline": asdict(baseline) if baseline else None,
        "gates": [asdict(gate) for gate in gates],
        "suites": {
            name: _suite(summary, (changes or {}).get(name, {}), drawings.get(name, ()))
            for name, summary in summaries.items()
        },
    }
    return {key: _json(value) for key, value in told.items()}


def _suite(
    summary: SuiteSummary, changes: Mapping[str, Change], drawings: Sequence[Drawing]
) -> dict[str, Any]:
    return {
        "measures": summary.suite.measures,
        "wanted": summary.wanted,
        "done": summary.done,
        "failed": [
            {"case": r.case, "group": r.group, "inputs": r.inputs, "error": r.error}
            for r in summary.failed
        ],
        "metrics": {row.metric.name: _metric(row, changes) for row in summary.rows},
        "drawings": [asdict(drawing) for drawing in drawings],
    }


def _metric(row: Row, changes: Mapping[str, Change]) -> dict[str, Any]:
    change = changes.get(row.metric.name)
    return {
        "says": row.metric.says,
        "unit": row.metric.unit,
        "higher_is_better": row.metric.higher_is_better,
        "estimate": _estimate(row.estimate),
        "cases": row.cases,
        "controls": row.controls,
        "told_apart": row.told_apart,
        "groups": row.groups,
        "change": change and {**change._asdict(), "difference": _estimate(change.difference)},
    }


def _estimate(estimate: Estimate | None) -> dict[str, float] | None:
    return estimate and estimate._asdict()


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
