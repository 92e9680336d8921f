"""The report as Markdown: for a pull request, a terminal, a note."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evals.report.words import (
    Changes,
    blind,
    count,
    duration,
    finished,
    gist,
    interval,
    number,
    short,
    signed,
    verdict,
    worst_first,
)
from evals.runs import Header, Run
from evals.statistics import Change
from evals.summary import Row, SuiteSummary

if TYPE_CHECKING:
    from evals.gate import GateRow

WORST = 5  # cases told of every suite
MARKUP = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")


def markdown(
    run: Run,
    summaries: Mapping[str, SuiteSummary],
    changes: Changes | None,
    baseline: Header | None,
    gates: Sequence[GateRow],
) -> str:
    """The verdict, the gates, every metric, every failed case, and the worst of the others."""
    head = run.header
    lines = [f"# Eval run {_cell(head.id)}", ""]
    lines += [f"**{_cell(verdict(run, summaries, changes, baseline, gates))}**", ""]
    if missing := finished(run):
        lines += [f"> **PARTIAL.** {missing}", ""]
    kind, cases = "quick" if head.quick else "full", count(sum(head.n.values()), "case")
    where = f"{duration(head.elapsed_s)} on {_cell(head.machine)}, {_cell(head.created)}"
    lines += [f"Profile {_cell(head.profile)}, {kind}, seed {head.seed}, {cases}, {where}.", ""]
    if gates:
        rows = [
            (
                "passed" if gate.passed else "NOT PASSED",
                f"{gate.suite}.{gate.metric}",
                gate.wanted,
                number(gate.value),
                gate.why,
            )
            for gate in sorted(gates, key=lambda gate: gate.passed)
        ]
        lines += ["## Gates", "", *_table(("", "gate", "wanted", "value", "why"), rows), ""]
    for name, summary in summaries.items():
        lines += _suite(run, summary, (changes or {}).get(name, {}))
    return "\n".join(lines).rstrip() + "\n"


def _suite(run: Run, summary: SuiteSummary, changes: Mapping[str, Change]) -> list[str]:
    suite = summary.suite
    missing = summary.wanted - summary.done - len(summary.failed)
    state = [f"{summary.done} of {count(summary.wanted, 'case')} scored"]
    state += [f"**{len(summary.failed)} failed**"] if summary.failed else []
    state += [f"**{missing} never run**"] if missing > 0 else []
    lines = [f"## {_cell(suite.name)}", "", f"{_cell(suite.measures)}. {', '.join(state)}.", ""]
    if summary.failed:
        failed = [(r.case, r.group, gist(r), short(r.error or "", 300)) for r in summary.failed]
        lines += ["Failed:", "", *_table(("case", "group", "asked", "error"), failed), ""]
    rows = [_row(row, changes) for row in summary.rows]
    lines += _table(("metric", "value", "95 % interval", "n", "controls", "change"), rows)
    if worst := worst_first(run.results.get(suite.name, ()), suite.metrics)[:WORST]:
        told = [
            (
                r.case,
                r.group,
                gist(r),
                "; ".join(f"{m} {number(s.value)}" for m, s in r.scores.items()),
            )
            for r in worst
        ]
        lines += ["", "The worst:", "", *_table(("case", "group", "asked", "scores"), told)]
    return [*lines, ""]


def _row(row: Row, changes: Mapping[str, Change]) -> tuple[str, ...]:
    metric, change = row.metric, changes.get(row.metric.name)
    unseen = blind(row)
    controls = [
        f"{name} {number(v)}" + (" (not told apart)" if name in unseen else "")
        for name, v in row.controls.items()
    ]
    return (
        metric.name,
        number(row.estimate.value, metric.unit) if row.estimate else "not measured",
        interval(row.estimate) if row.estimate else "",
        str(row.cases),
        ", ".join(controls),
        f"{signed(change.difference.value)} {change.verdict}" if change else "",
    )


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *([_cell(text) for text in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(text: str) -> str:
    """Text as text: nothing in it is Markdown or HTML, and it stays on its line."""
    return MARKUP.sub(r"\\\g<0>", " ".join(text.split()))
