"""Runs without HTTP: what must hold whatever happens in the middle."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from conftest import alone
from live_server import BrokenEngine, HeldEngine, with_engine
from PIL import Image

from graph.build import build_graph, open_checkpointer
from graph.choice import StyleChoice, StyleShare
from graph.context import Context
from graph.state import Request
from server.database import open_database
from server.eventlog import Event, EventLog, Run
from server.runs import ATTEMPTS, Runs
from tools.errors import EngineFailed
from tools.imaging import ImageRequest, OnStep


def ask(message: str = "a neon city", style: str = "none") -> Request:
    return Request(
        message=message,
        sketch=None,
        style=style,
        seed=7,
        steps=None,
        size=None,
        profile="starter",
    )


@dataclass
class CountingEngine(HeldEngine):
    """Counts its steps, and what renders begin from."""

    steps: int = 0
    begun_from: list[bytes | None] = field(default_factory=list)

    def before_step(self) -> None:
        super().before_step()
        self.steps += 1

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        self.begun_from.append(saved)
        return super().generate(request, on_step, saved)


@pytest.fixture
async def log(context: Context) -> AsyncIterator[EventLog]:
    async with open_database(context.settings.data_dir) as database:
        yield EventLog(database)


@asynccontextmanager
async def opened(context: Context, log: EventLog) -> AsyncIterator[Runs]:
    """Runs on checkpoints in the studio's folder."""
    async with open_checkpointer(context.settings.data_dir / "checkpoints.db") as saver:
        runs = Runs(log, build_graph(saver), alone(context), 8)
        yield runs
        await runs.close()


@pytest.fixture
async def runs(context: Context, log: EventLog) -> AsyncIterator[Runs]:
    async with opened(context, log) as runs:
        yield runs


async def follow(runs: Runs, run: Run, after: int = 0) -> list[Event]:
    return [event async for event in runs.follow(run, after)]


def status(events: list[Event]) -> str:
    assert events[-1].event == "end"
    return str(json.loads(events[-1].data)["status"])


async def test_a_cancel_at_any_moment_leaves_a_whole_log(runs: Runs, log: EventLog) -> None:
    """Memory and disk tell the same, without a gap, and the outcome is the one on record."""
    outcomes = set()
    for delay_ms in range(0, 120, 6):
        run = await runs.start(ask(), None)
        watching = asyncio.create_task(follow(runs, run))
        await asyncio.sleep(delay_ms / 1000)
        await runs.cancel(run)
        await runs.cancel(run)
        events = await watching
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        assert await log.events(run) == events
        kept = await log.run(run.thread_id, run.run_id)
        assert kept.status == status(events)
        outcomes.add(kept.status)
        await runs.cancel(run)
        assert (await log.run(run.thread_id, run.run_id)).status == kept.status
    assert "cancelled" in outcomes
    assert outcomes <= {"cancelled", "success"}


async def test_an_answer_the_graph_refuses_keeps_the_question(runs: Runs, log: EventLog) -> None:
    """A style may vanish between the check of an answer and its use."""
    asked = await runs.start(ask("a city with ink", "ask"), None)
    assert status(await follow(runs, asked)) == "interrupted"
    question = (await log.thread(asked.thread_id)).question
    assert question is not None

    vanished = StyleChoice(styles=[StyleShare(style="vanished")])
    events = await follow(runs, await runs.answer(asked.thread_id, question["id"], vanished))
    assert status(events) == "error"
    assert json.loads(events[-2].data)["code"] == "invalid_choice"
    assert (await log.thread(asked.thread_id)).question == question

    there = StyleChoice(styles=[StyleShare(style="ink")])
    events = await follow(runs, await runs.answer(asked.thread_id, question["id"], there))
    assert status(events) == "success"


class FullDisk(EventLog):
    """A log whose disk takes no outcome until there is space."""

    space = False

    async def finish(self, *given: Any, **more: Any) -> None:
        if not self.space:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        await super().finish(*given, **more)


async def test_a_full_disk_lets_nobody_wait_for_ever(context: Context, log: EventLog) -> None:
    """What is not on disk is not called a success, and the next start tells the outcome."""
    async with opened(context, FullDisk(log.database)) as runs:
        run = await runs.start(ask(), None)
        events = await follow(runs, run)
        assert status(events) == "error"
        assert json.loads(events[-2].data)["code"] == "disk_full"
        assert await follow(runs, run) == events
        assert await follow(runs, run, after=len(events)) == []
        assert (await log.run(run.thread_id, run.run_id)).status == "running"
    async with opened(context, log) as runs:
        assert await runs.take_up() == 1
        events = await follow(runs, run)
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        assert status(events) == "success"
        assert events[-2].event == "result"
        assert await runs.take_up() == 0


async def test_space_is_all_that_a_full_disk_takes(
    context: Context, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What watchers were told is what is on record, and the thread is free again."""
    monkeypatch.setattr("server.runs.RETRY_S", 0.01)
    disk = FullDisk(log.database)
    async with opened(context, disk) as runs:
        run = await runs.start(ask(), None)
        told = await follow(runs, run)
        behind = await runs.start(ask(), run.thread_id)
        assert behind.status == "queued"
        disk.space = True
        assert status(await follow(runs, behind)) == "success"
        assert await log.events(run) == told
        assert (await log.run(run.thread_id, run.run_id)).status == "error"


async def stop_after(runs: Runs, run: Run, engine: HeldEngine, steps: int) -> list[Event]:
    """What was told of `run` when the process stopped, `steps` steps into its render."""
    engine.gate.release(steps)
    told: list[Event] = []
    async for event in runs.follow(run):
        told.append(event)
        if event.event == "progress" and json.loads(event.data)["step"] == steps:
            break
    closing = asyncio.create_task(runs.close())
    await asyncio.sleep(0)
    engine.gate.release(100)
    await closing
    return told


async def test_a_run_goes_on_after_the_last_save_of_its_render(
    context: Context, log: EventLog
) -> None:
    async with opened(context, log) as runs:
        whole = await follow(runs, await runs.start(ask(), None))
    engine = HeldEngine()
    async with opened(with_engine(context, engine), log) as runs:
        run = await runs.start(ask(), None)
        told = await stop_after(runs, run, engine, 5)
    async with opened(context, log) as runs:
        assert await runs.take_up() == 1
        events = await follow(runs, run)
    assert events[: len(told)] == told
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert status(events) == "success"
    steps = [json.loads(e.data)["step"] for e in events if e.event == "progress"]
    assert steps[:5] == [1, 2, 3, 4, 5]
    assert all(step >= 5 for step in steps[5:])  # what was saved is not done again
    begun = [json.loads(e.data) for e in events if e.event == "node"]
    assert sum(node["node"] == "enhance_prompt" for node in begun) == 2  # started and finished
    same = ("artifact_id", "seed", "styles", "enhanced_prompt", "fidelity")
    results = [json.loads(told[-2].data) for told in (whole, events)]
    assert [results[0][key] for key in same] == [results[1][key] for key in same]
    assert list((context.settings.data_dir / "unfinished").iterdir()) == []


async def test_an_answer_that_a_stop_cut_off_is_carried_out(
    context: Context, log: EventLog
) -> None:
    engine = HeldEngine()
    async with opened(with_engine(context, engine), log) as runs:
        asked = await runs.start(ask("a city with ink", "ask"), None)
        question = json.loads((await follow(runs, asked))[-2].data)
        choice = StyleChoice(styles=[StyleShare(style="ink")])
        run = await runs.answer(asked.thread_id, question["id"], choice)
        await stop_after(runs, run, engine, 2)
    async with opened(context, log) as runs:
        assert await runs.take_up() == 1
        events = await follow(runs, run)
    assert status(events) == "success"
    assert [s["style"] for s in json.loads(events[-2].data)["styles"]] == ["ink"]


async def test_a_run_whose_processes_keep_dying_is_given_up(
    context: Context, log: EventLog
) -> None:
    async with opened(context, log) as runs:
        run = await runs.start(ask(), None)
    for attempt in range(2, ATTEMPTS + 1):
        async with opened(context, log) as runs:
            assert await runs.take_up() == 1
            told = [json.loads(e.data) for e in await log.events(run) if e.event == "metadata"]
            assert told[-1]["attempt"] == attempt
    async with opened(context, log) as runs:
        assert await runs.take_up() == 1
        events = await follow(runs, run)
        assert status(events) == "error"
        assert json.loads(events[-2].data)["code"] == "gave_up"
        assert await runs.take_up() == 0


async def test_a_fault_that_may_pass_is_said_to_be_one(context: Context, log: EventLog) -> None:
    engine = BrokenEngine(error=EngineFailed("The render broke."))
    async with opened(with_engine(context, engine), log) as runs:
        events = await follow(runs, await runs.start(ask(), None))
    assert json.loads(events[-2].data) == {
        "code": "engine_failed",
        "message": "The render broke.",
        "retryable": True,
    }


async def test_watchers_are_let_go_when_the_server_stops(runs: Runs) -> None:
    usher = asyncio.create_task(runs.usher())
    run = await runs.start(ask(), None)
    watching = asyncio.create_task(follow(runs, run))
    await asyncio.sleep(0)
    runs.stopping.set()
    events = await watching
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    await usher


async def test_a_render_goes_on_behind_the_step_at_which_the_server_stopped(
    context: Context, log: EventLog
) -> None:
    """Saves every four steps would lose up to three of them."""
    engine, second = CountingEngine(), CountingEngine()
    engine.gate.release(5)
    second.gate.release(10_000)
    async with opened(with_engine(context, engine), log) as runs:
        request = ask()
        request["steps"] = 60
        run = await runs.start(request, None)
        async for event in runs.follow(run):
            if event.event == "progress" and json.loads(event.data)["step"] == 5:
                break
        closing = asyncio.create_task(runs.close())
        while not closing.done():
            await asyncio.sleep(0.05)
            engine.gate.release()
        assert 5 < engine.steps < 60
    async with opened(with_engine(context, second), log) as runs:
        assert await runs.take_up() == 1
        events = [event async for event in runs.follow(run)]
    assert events[-1].event == "end"
    assert second.begun_from == [str(engine.steps).encode()]
    assert second.steps == 60 - engine.steps
