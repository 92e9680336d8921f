"""What the service adds to a render: requests through a real server, in turns with the bare engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from evals.suite import Case, Matrix, Metric, Outcome, Result, Score, Suite
from evals.timing import bare_render, own_studio, seconds, timed_request
from graph.travel import ORDER

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from PIL.Image import Image

    from evals.subject import Subject

TIMES = 40  # there are no more cases than that
Bench = tuple["httpx2.Client", "Callable[[], Image]"]


def cases() -> Sequence[Case]:
    """One pair of a request and a bare render each."""
    return tuple(Case(f"pair-{number}", {"seed": number}) for number in range(TIMES))


async def run(case: Case, subject: Subject) -> Outcome:
    """Time a request and the same render by the engine alone, the one first as often as the other."""
    http, bare = await subject.share("latency", lambda: _bench(subject))
    seed, profile = case.inputs["seed"], subject.profile.name

    async def engine() -> float:
        return await subject.context.lane.run(lambda _: seconds(bare))

    alone = await engine() if seed % 2 else None
    timed = await asyncio.to_thread(timed_request, http, seed, profile=profile)
    alone = (alone or await engine()) * timed.renders
    wall = timed.wall_s
    scores = {
        "overhead_ratio": Score(wall / alone, f"{wall:.2f} s against {alone:.2f} s"),
        "outside_share": Score(timed.outside_s / wall, f"{timed.outside_s * 1000:.0f} ms"),
        "first_event_share": Score(
            timed.first_event_s / wall, f"{timed.first_event_s * 1000:.0f} ms"
        ),
    }
    if timed.first_preview_s is not None:
        scores["first_preview_share"] = Score(
            timed.first_preview_s / wall, f"{timed.first_preview_s:.2f} s"
        )
    facts = {**asdict(timed), "outside_s": timed.outside_s, "bare_s": alone}
    return Outcome(scores, facts=facts)


@asynccontextmanager
async def _bench(subject: Subject) -> AsyncIterator[Bench]:
    """A warm server with the models and the library of the subject, and a warm engine."""
    settings = subject.context.settings
    with ExitStack() as stack:
        http = await asyncio.to_thread(
            stack.enter_context,
            own_studio(
                ARTISAN_MODELS_DIR=str(settings.models_dir), ARTISAN_LIBRARY=str(settings.library)
            ),
        )
        bare = await subject.context.lane.run(
            lambda _: bare_render(subject.studio.engine, subject.profile, subject.context.catalog)
        )
        await asyncio.to_thread(timed_request, http, TIMES, profile=subject.profile.name)
        yield http, bare


def figures(results: Sequence[Result]) -> Mapping[str, float]:
    """Of every node the median and the 95th percentile of its share of the request."""
    found = {}
    for node in ORDER:
        shares = [_share(result, node) for result in results]
        found[f"{node}_p50"] = median(shares)
        found[f"{node}_p95"] = float(np.quantile(shares, 0.95))
    return found


def _share(result: Result, node: str) -> float:
    spent: float = result.facts["nodes_ms"].get(node, 0.0) / 1000 / result.facts["wall_s"]
    return spent


def drawings(results: Sequence[Result]) -> Sequence[Matrix]:
    """Where the time goes, by node."""
    if not results:
        return ()
    spent = [[float(r.facts["nodes_ms"].get(node, 0.0)) for r in results] for node in ORDER]
    table = [[median(times), float(np.quantile(times, 0.95))] for times in spent]
    outside = [1000 * r.facts["outside_s"] for r in results]
    table.append([median(outside), float(np.quantile(outside, 0.95))])
    note = "Milliseconds on the machine of this run: compare the shares, not these."
    return (
        Matrix(
            "Where the time goes, ms", [*ORDER, "outside the nodes"], ["p50", "p95"], table, note
        ),
    )


SUITE = Suite(
    name="latency",
    measures="what the service adds to a render, as ratios within one run",
    metrics=(
        Metric("overhead_ratio", "the whole request over the bare engine's render", "x", False),
        Metric("outside_share", "HTTP, events and checkpoints: what no node took", "", False),
        Metric("first_event_share", "until the first event", "of the request", False),
        Metric("first_preview_share", "until the first preview", "of the request", False),
        *(
            Metric(f"{node}_{which}", f"{node}, {words}", "of the request", None)
            for node in ORDER
            for which, words in (("p50", "median"), ("p95", "95th percentile"))
        ),
    ),
    datasets=(),
    cases=cases,
    run=run,
    quick=3,
    full=20,
    figures=figures,
    drawings=drawings,
    cached=False,
)
