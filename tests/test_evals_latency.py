"""Timing a real server: the parts add up, the bench opens once, and the shares are of the request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import NODES
from live_server import serving

import evals.suites.latency as latency
from evals.subject import RenderCache, Subject
from evals.suite import Result
from evals.timing import Timed, bare_render, timed_request
from graph.context import Context


def test_the_parts_of_a_request_add_up(context: Context) -> None:
    with serving(context) as studio:
        timed = timed_request(studio.http, 3, style="neon", profile="starter", steps="10")
    assert list(timed.nodes_ms) == NODES
    assert timed.first_preview_s is not None
    assert 0 < timed.first_event_s < timed.first_preview_s < timed.wall_s
    assert timed.outside_s == pytest.approx(timed.wall_s - sum(timed.nodes_ms.values()) / 1000)


def test_a_request_that_fails_is_no_measurement(context: Context) -> None:
    with serving(context) as studio, pytest.raises(Exception, match="woodcut"):
        timed_request(studio.http, 3, style="woodcut", profile="starter")


async def test_the_bare_render_is_the_services_own_work(context: Context) -> None:
    """Equal in everything a render's time depends on."""
    studio = await context.studio("starter")
    with serving(context) as live:
        timed_request(live.http, 1, style="neon", profile="starter")
    bare_render(studio.engine, studio.profile, context.catalog, style="neon")()
    through, alone = studio.engine.requests[0], studio.engine.requests[-1]  # type: ignore[attr-defined]
    for field in ("width", "height", "steps", "guidance_scale", "control_scale", "style_scale"):
        assert getattr(through, field) == getattr(alone, field), field
    assert through.style is not None
    assert alone.style is not None
    assert len(through.style.vectors) == len(alone.style.vectors)


async def test_the_cases_of_a_suite_share_what_is_dear(context: Context, tmp_path: Path) -> None:
    opened: list[str] = []

    @asynccontextmanager
    async def dear() -> AsyncIterator[int]:
        opened.append("open")
        yield len(opened)
        opened.append("closed")

    studio = await context.studio("starter")
    subject = Subject(context, studio, RenderCache(tmp_path, studio.engine.name))
    async with subject._closing:
        assert [await subject.share("x", dear) for _ in range(3)] == [1, 1, 1]
    assert opened == ["open", "closed"]


def test_nodes_are_told_as_shares_of_their_own_request() -> None:
    def result(wall_s: float, critique_ms: float) -> Result:
        timed = Timed(wall_s, 0.1, 0.5, {"begin": 10.0, "critique": critique_ms})
        facts = {**asdict(timed), "outside_s": timed.outside_s}
        return Result("latency", f"{wall_s}", "", {}, {}, {}, facts, {}, wall_s)

    results = [result(1, 100), result(2, 400), result(4, 1200)]
    figures = latency.figures(results)
    assert figures["critique_p50"] == pytest.approx(0.2)
    assert figures["critique_p95"] == pytest.approx(0.29)
    assert figures["generate_image_p95"] == 0
    assert {metric.name for metric in latency.SUITE.metrics} >= figures.keys()
    (table,) = latency.drawings(results)
    assert dict(zip(table.rows, table.values, strict=True))["critique"][0] == 400
