"""The report of an eval run: a page to read, Markdown to paste, JSON for programs, JUnit for CI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evals.runs import Header, Run
from evals.suite import Drawing
from evals.summary import SuiteSummary

if TYPE_CHECKING:
    from evals.gate import GateRow
    from evals.report.words import Changes


def write_report(
    run: Run,
    summaries: Mapping[str, SuiteSummary],
    changes: Changes | None,
    baseline: Header | None,
    gates: Sequence[GateRow],
    out: Path,
) -> list[Path]:
    """Write `report.html`, `report.md`, `report.json` and `junit.xml` into the folder `out`, and return their paths.

    `changes` and `baseline` are None when there is nothing to compare with. The page holds all it needs, pictures
    included. Raises `OSError` when a file cannot be written.
    """
    from evals.report.document import document
    from evals.report.junit import junit
    from evals.report.markdown import markdown
    from evals.report.page import page

    drawings = {name: _drawings(run, summary) for name, summary in summaries.items()}
    everything = document(run, summaries, changes, baseline, gates, drawings)
    texts = {
        "report.html": page(run, summaries, changes, baseline, gates, drawings),
        "report.md": markdown(run, summaries, changes, baseline, gates),
        "report.json": json.dumps(everything, indent=1, allow_nan=False) + "\n",
        "junit.xml": junit(run, summaries, gates),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        # Half a surrogate pair, which JSON may hold, has no UTF-8.
        (out / name).write_text(text, "utf-8", errors="replace")
    return [out / name for name in texts]


def _drawings(run: Run, summary: SuiteSummary) -> Sequence[Drawing]:
    good = [r for r in run.results.get(summary.suite.name, ()) if r.error is None]
    if not good:
        return ()
    try:
        return summary.suite.drawings(good)
    except ValueError:  # too few results for it, as in `evals.summary`
        return ()
