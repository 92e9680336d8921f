"""The report as one HTML file: what every part of the page shows. How it looks is in `templates/`."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evals.report import words
from evals.report.charts import (
    Chart,
    Shaded,
    Whisker,
    draw_histogram,
    draw_matrix,
    draw_plot,
    draw_whisker,
)
from evals.report.pictures import Pictures, Thumbnail
from evals.report.words import Changes, gist, plain, short, worst_first
from evals.runs import Header, Run
from evals.statistics import Change
from evals.suite import Drawing, Metric, Plot, Result
from evals.summary import Row, SuiteSummary

if TYPE_CHECKING:
    from jinja2 import Environment

    from evals.gate import GateRow

TEMPLATES = Path(__file__).parent / "templates"
WORST, BEST = 8, 4  # cases of a suite that are shown with their pictures
TEXT = 1200  # characters of one input or fact


@dataclass(frozen=True, slots=True)
class MetricView:
    """A metric in the summary and on its suite's page."""

    row: Row
    change: Change | None
    blind: Sequence[str]
    whisker: Whisker | None
    histogram: Chart | None


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case to look at."""

    anchor: str
    result: Result
    inputs: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    images: Sequence[Thumbnail]


@dataclass(frozen=True, slots=True)
class Listed:
    """A case in the table of all of them."""

    result: Result
    gist: str
    anchor: str | None  # of its pictures


@dataclass(frozen=True, slots=True)
class Group:
    """The means of a group of cases: a number per metric that has groups."""

    name: str
    cases: int
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class SuiteView:
    """A suite's page."""

    summary: SuiteSummary
    missing: int
    short_of: int  # gates that did not pass
    metrics: Sequence[MetricView]  # those that were measured
    unmeasured: Sequence[str]
    groups: Sequence[Group]
    grouped: Sequence[Metric]  # the columns of `groups`
    plots: Sequence[Chart]
    matrices: Sequence[Shaded]
    worst: Sequence[CaseView]
    best: Sequence[CaseView]
    listed: Sequence[Listed]
    scored: Sequence[Metric]  # the columns of `listed`


def page(
    run: Run,
    summaries: Mapping[str, SuiteSummary],
    changes: Changes | None,
    baseline: Header | None,
    gates: Sequence[GateRow],
    drawings: Mapping[str, Sequence[Drawing]],
) -> str:
    """The page. Every text in it is escaped; nothing in it reaches for the network."""
    shown = {name: _shown(run.results.get(name, ()), s) for name, s in summaries.items()}
    names = [
        file for pair in shown.values() for rs in pair for r in rs for file in r.images.values()
    ]
    pictures = Pictures.of(run.folder, names)
    suites = [
        _suite(
            run.results.get(name, ()),
            summary,
            (changes or {}).get(name, {}),
            [gate for gate in gates if gate.suite == name],
            drawings.get(name, ()),
            shown[name],
            pictures,
        )
        for name, summary in summaries.items()
    ]
    script = (TEMPLATES / "report.js").read_text("utf-8")
    return (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            baseline=baseline,
            missing=words.finished(run),
            verdict=words.verdict(run, summaries, changes, baseline, gates),
            unknown=[name for name in run.header.suites if name not in summaries],
            gates=sorted(gates, key=lambda gate: gate.passed),
            suites=suites,
            style=(TEMPLATES / "report.css").read_text("utf-8"),
            script=script,
            script_hash=script_hash(script),
        )
    )


def script_hash(script: str) -> str:
    """What a Content-Security-Policy calls a script that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def environment() -> Environment:
    """The templates, which escape every text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (words.number, words.signed, words.interval, words.count, words.duration):
        environment.globals[function.__name__] = function
    return environment


def _shown(
    results: Sequence[Result], summary: SuiteSummary
) -> tuple[Sequence[Result], Sequence[Result]]:
    """The worst cases, the worst first, and the best, the best first; no case is in both."""
    order = worst_first(results, summary.suite.metrics)
    return order[:WORST], order[WORST:][-BEST:][::-1]


def _suite(
    results: Sequence[Result],
    summary: SuiteSummary,
    changes: Mapping[str, Change],
    gates: Sequence[GateRow],
    drawings: Sequence[Drawing],
    shown: tuple[Sequence[Result], Sequence[Result]],
    pictures: Pictures,
) -> SuiteView:
    good = [r for r in results if r.error is None]
    worst, best = ([_case(result, pictures) for result in part] for part in shown)
    anchors = {view.result.case: view.anchor for view in (*worst, *best)}
    order = worst_first(results, summary.suite.metrics)
    left_out = {r.case for r in order}
    listed = [*summary.failed, *order, *(r for r in good if r.case not in left_out)]
    names = {name for r in good for name in r.scores}
    grouped = [row for row in summary.rows if len(row.groups) > 1]
    return SuiteView(
        summary,
        summary.wanted - summary.done - len(summary.failed),
        sum(not gate.passed for gate in gates),
        [_metric(r, good, changes.get(r.metric.name)) for r in summary.rows if r.estimate],
        [row.metric.name for row in summary.rows if row.estimate is None],
        _groups(good, grouped),
        [row.metric for row in grouped],
        [draw_plot(d) for d in drawings if isinstance(d, Plot)],
        [draw_matrix(d) for d in drawings if not isinstance(d, Plot)],
        worst,
        best,
        [Listed(r, gist(r), anchors.get(r.case)) for r in listed],
        [metric for metric in summary.suite.metrics if metric.name in names],
    )


def _metric(row: Row, results: Sequence[Result], change: Change | None) -> MetricView:
    name = row.metric.name
    values = [r.scores[name].value for r in results if name in r.scores]
    controls = {
        control: [r.controls[control][name] for r in results if name in r.controls.get(control, {})]
        for control in row.controls
    }
    return MetricView(
        row,
        change,
        words.blind(row),
        row.estimate and draw_whisker(row.estimate, row.controls, change and change.before),
        draw_histogram(values, controls, name) if len(values) > 1 else None,
    )


def _groups(results: Sequence[Result], rows: Sequence[Row]) -> list[Group]:
    """The groups of cases, the weakest in the first of the metrics `rows` first."""
    sizes = Counter(result.group for result in results)
    names = dict.fromkeys(group for row in rows for group in row.groups)
    groups = [Group(name, sizes[name], [row.groups.get(name) for row in rows]) for name in names]
    sign = -1 if rows and rows[0].metric.higher_is_better is False else 1

    def place(group: Group) -> tuple[bool, float]:
        first = group.values[0]
        return first is None, sign * (first or 0.0)

    return sorted(groups, key=place)


def _case(result: Result, pictures: Pictures) -> CaseView:
    return CaseView(
        f"{result.suite}--{hashlib.sha256(result.case.encode()).hexdigest()[:10]}",
        result,
        [(key, _text(value)) for key, value in result.inputs.items()],
        [(key, _text(value)) for key, value in result.facts.items()],
        [pictures.thumbnail(caption, name) for caption, name in result.images.items()],
    )


def _text(value: object) -> str:
    return short(plain(value), TEXT)
