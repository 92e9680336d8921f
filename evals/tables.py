"""What `./artisan eval` prints: runs, the gate and comparisons as tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from evals.gate import GateRow
    from evals.runs import Run
    from evals.statistics import Change, Estimate
    from evals.summary import SuiteSummary


def open_console() -> Console:
    """As wide as the terminal; where there is none, wide enough for every table."""
    wide = None if sys.stdout.isatty() else 160
    return Console(width=wide)


def title_of(run: Run) -> str:
    """A run in a line: what it is of, and whether cases are missing."""
    head = run.header
    done = sum(len(results) for results in run.results.values())
    wanted = sum(head.n.values())
    partial = f", PARTIAL: {done} of {wanted} cases" if run.partial else f", {done} cases"
    kind = "quick" if head.quick else "full"
    return f"{head.id}  {head.profile}, {kind}, seed {head.seed}{partial}, {', '.join(head.suites)}"


def print_summary(
    console: Console,
    run: Run,
    summaries: dict[str, SuiteSummary],
    changes: dict[str, dict[str, Change]] | None,
) -> None:
    """A row for every metric that was measured, and for every case that failed."""

    console.print(title_of(run), highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("suite", "metric"):
        table.add_column(title, no_wrap=True)
    for title in ("value", "95 % interval", "n", "controls", "since baseline"):
        table.add_column(title, justify="left" if title == "controls" else "right")
    for name, summary in summaries.items():
        for number, row in enumerate(summary.rows):
            if row.estimate is None:
                continue
            change = (changes or {}).get(name, {}).get(row.metric.name)
            controls = ", ".join(f"{c} {v:.3f}" for c, v in row.controls.items())
            table.add_row(
                name if number == 0 else "",
                row.metric.name,
                f"{row.estimate.value:.3f}",
                _interval(row.estimate),
                str(row.cases),
                controls,
                f"{change.difference.value:+.3f} {change.verdict}" if change else "",
            )
        for result in summary.failed:
            table.add_row(name, f"[red]failed[/] {result.case}", "", "", "", str(result.error))
    console.print(table, highlight=False)


def print_gate(console: Console, rows: list[GateRow]) -> None:
    """What fell short, and the verdict."""

    failed = [row for row in rows if not row.passed]
    for row in failed:
        value = "-" if row.value is None else f"{row.value:.3f}"
        line = f"{row.suite}.{row.metric} is {value}, wanted {row.wanted}: {row.why}"
        console.print(f"[red]short[/] {escape(line)}", highlight=False)
    verdict = "[green]passed[/]" if not failed else f"[red]not passed[/], {len(failed)} short"
    console.print(f"gate: {verdict} of {len(rows)} conditions", highlight=False)


def print_changes(
    console: Console, before: Run, after: Run, changes: dict[str, dict[str, Change]]
) -> None:
    """A row for every metric that both runs have."""

    console.print(f"{before.header.id} -> {after.header.id}", highlight=False)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("suite", "metric", "before", "after", "difference", "effect", "pairs", ""):
        table.add_column(title, no_wrap=True)
    for suite, found in changes.items():
        for metric, change in found.items():
            table.add_row(
                suite,
                metric,
                f"{change.before:.3f}",
                f"{change.after:.3f}",
                f"{change.difference.value:+.3f} ({_interval(change.difference)})",
                f"{change.effect:+.2f}",
                str(change.pairs),
                change.verdict,
            )
    console.print(table, highlight=False)


def _interval(estimate: Estimate) -> str:
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def near(file: Path) -> str:
    """A path as it is typed from here."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
