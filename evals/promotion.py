"""Whether a registered version may serve everybody: its eval run against that of what serves now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.gate import GateRow, judge, load_gates
from evals.progress import Bar
from evals.runner import plan, run
from evals.suites import SUITES
from evals.summary import compare, summarise

if TYPE_CHECKING:
    from evals.runs import Run
    from graph.settings import Settings

SEED = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said."""

    passed: bool
    table: str  # every condition that fell short, or one line that says that none did
    run: str  # id of the eval run that belongs to the version
    detail: Mapping[str, Any]  # JSON, for the log


def judge_version(settings: Settings, candidate: Path, production: Path) -> Verdict:
    """Run the required suites, quick, on two folders of models, and hold the candidate to the gate and to production.

    What was run before on the same versions is taken from the cache. Blocking, minutes.
    Raises what `evals.runner.run` raises: the models of the candidate may not even open.
    """
    gates = load_gates()
    before, after = (
        _evaluated(settings, models, gates.required) for models in (production, candidate)
    )
    summaries = summarise(after, SUITES)
    rows = judge(after, summaries, compare(before, after, SUITES), gates.bounds, gates.required)
    short = [row for row in rows if not row.passed]
    return Verdict(
        passed=not short,
        table=_table(rows, short),
        run=after.header.id,
        detail={
            "baseline_run": before.header.id,
            "conditions": len(rows),
            "short": [f"{row.suite}.{row.metric}: {row.why}" for row in short],
        },
    )


def release_of(name: str, settings: Settings) -> Path:
    """The folder of models that an alias, or production with the version called `name` in its place, stands for.

    Raises `NotFound` for an unknown version.
    """
    from tools.registry import Registry

    registry = Registry(settings.data_dir / "registry", settings.models_dir)
    return registry.folder_of(registry.release(name))


def _evaluated(settings: Settings, models: Path, suites: tuple[str, ...]) -> Run:
    planned = plan(SUITES, suites, n=None, seed=SEED, quick=True)
    with Bar(planned) as bar:
        under_test = settings.model_copy(update={"models_dir": models})
        return asyncio.run(run(under_test, planned, bar.told))


def _table(rows: list[GateRow], short: list[GateRow]) -> str:
    if not short:
        return f"the gate is passed: {len(rows)} of {len(rows)} conditions hold"
    lines = [f"the gate is not passed: {len(short)} of {len(rows)} conditions fall short"]
    width = max(len(f"{row.suite}.{row.metric}") for row in short)
    for row in short:
        value = "-" if row.value is None else f"{row.value:.3f}"
        name = f"{row.suite}.{row.metric}"
        lines.append(f"  {name:{width}}  {value:>8}  wanted {row.wanted}: {row.why}")
    return "\n".join(lines)
