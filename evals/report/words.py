"""What a run comes to in words: numbers as a reader wants them, the verdict, and which cases to look at first."""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from evals.runs import Header, Run
from evals.statistics import Change, Estimate
from evals.suite import Metric, Result
from evals.summary import Row, SuiteSummary

if TYPE_CHECKING:
    from evals.gate import GateRow

Changes = Mapping[str, Mapping[str, Change]]


def number(value: float | None, unit: str = "") -> str:
    """Three digits where they say something: 0.912, 3.46, 12.3, 76, 1,234; a dash for nothing."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size > 1 else 3
    if size > 1 and float(value).is_integer():
        digits = 0
    text = f"{value:,.{digits}f}".replace("-", "−")
    return f"{text}\N{NARROW NO-BREAK SPACE}{unit}" if unit else text


def signed(value: float) -> str:
    """A difference, always with its sign."""
    return ("+" if value > 0 else "") + number(value)


def interval(estimate: Estimate) -> str:
    """The 95 % interval."""
    return f"{number(estimate.low)} to {number(estimate.high)}"


def count(n: int, one: str, many: str = "") -> str:
    """`1 case`, `2 cases`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """As one says it: 12 s, 3 min 20 s, 1 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def short(text: str, limit: int) -> str:
    """`text` on one line, at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def plain(value: object) -> str:
    """A JSON value to be read: text as it is, the rest as JSON, with numbers of at most four decimals."""
    return value if isinstance(value, str) else json.dumps(_rounded(value), ensure_ascii=False)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value


def gist(result: Result, limit: int = 96) -> str:
    """What a case asked, in a line: its texts, or all of its inputs when it has none."""
    texts = [value for value in result.inputs.values() if isinstance(value, str)]
    return short(" · ".join(texts or map(plain, result.inputs.values())), limit)


def blind(row: Row) -> list[str]:
    """The controls that a metric had to tell from the real thing, and could not."""
    return [control for control, told in row.told_apart.items() if not told]


def finished(run: Run) -> str:
    """What is missing in a run; empty when nothing is."""
    done = sum(len(results) for results in run.results.values())
    wanted = sum(run.header.n.values())
    left = f"{done:,} of {wanted:,} cases were done"
    if run.header.state == "finished" and not run.partial:
        return ""
    if run.header.state == "running":
        how = "It was still running when this was written, or was killed"
    elif run.header.state == "stopped":
        how = "It was stopped"
    else:
        how = "Cases are missing"
    return f"{how}: {left}. Every number below is of those alone."


def verdict(
    run: Run,
    summaries: Mapping[str, SuiteSummary],
    changes: Changes | None,
    baseline: Header | None,
    gates: Sequence[GateRow],
) -> str:
    """The run in one sentence."""
    parts = [_gates(gates), _changed(changes, baseline)]
    if failed := sum(len(summary.failed) for summary in summaries.values()):
        parts.append(f"{count(failed, 'case')} failed")
    if unseeing := sum(bool(blind(row)) for s in summaries.values() for row in s.rows):
        verb = "does" if unseeing == 1 else "do"
        parts.append(f"{count(unseeing, 'metric')} {verb} not tell a control from the real thing")
    if finished(run):
        parts.insert(0, "This run is partial")
    text = "; ".join(part for part in parts if part)
    return text[0].upper() + text[1:] + "."


def _gates(gates: Sequence[GateRow]) -> str:
    short_of = [gate for gate in gates if not gate.passed]
    if not gates:
        return "no gate was checked"
    if not short_of:
        return f"all {len(gates)} gates passed" if len(gates) > 1 else "the gate passed"
    return f"{len(short_of)} of {count(len(gates), 'gate')} not passed"


def _changed(changes: Changes | None, baseline: Header | None) -> str:
    if changes is None or baseline is None:
        return "there is no baseline to compare with"
    verdicts = Counter(change.verdict for of in changes.values() for change in of.values())
    if not verdicts:
        return "nothing in common with the baseline"
    better, worse, unsure = verdicts["better"], verdicts["worse"], verdicts["can't tell"]
    if not better and not worse:
        return "no metric is surely better or worse than in the baseline"
    return (
        f"{count(better, 'metric is', 'metrics are')} better than in the baseline, {worse} worse,"
        f" {unsure} undecided"
    )


def worst_first(results: Sequence[Result], metrics: Sequence[Metric]) -> list[Result]:
    """The results that have scores, the worst at the beginning.

    A case stands in a metric where it stands among all cases, from 0, the worst, to 1; equal values share a place. The
    first metric that a case has decides, the following ones among equals.
    """
    directed = [metric for metric in metrics if metric.higher_is_better is not None]
    good = [result for result in results if result.error is None]
    values = {
        metric.name: sorted(_oriented(r, metric) for r in good if metric.name in r.scores)
        for metric in directed
    }

    def standing(result: Result) -> list[float]:
        places = []
        for metric in directed:
            if metric.name in result.scores:
                known, value = values[metric.name], _oriented(result, metric)
                middle = (bisect_left(known, value) + bisect_right(known, value)) / 2
                places.append(middle / len(known))
        return places

    return sorted((r for r in good if r.scores), key=standing)


def _oriented(result: Result, metric: Metric) -> float:
    value = result.scores[metric.name].value
    return value if metric.higher_is_better else -value
