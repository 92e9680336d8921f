"""Runs that wait: fair turns, one run per thread, and what becomes of a run that gives way."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_server import HeldEngine, with_engine
from test_server_runs import ask, follow, opened, status

from graph.choice import StyleChoice, StyleShare
from graph.context import Context
from server.database import open_database
from server.eventlog import Event, EventLog, Run, now
from server.line import Line
from server.runs import ABREAST, Runs
from tools.errors import Conflict, EngineBusy, NotFound

numbers = itertools.count()


def waiting(caller: str, thread: str | None = None) -> Run:
    number = next(numbers)
    return Run(thread or f"t{number}", f"{caller}{number}", "queued", {}, now(), caller=caller)


def test_callers_take_turns() -> None:
    line = Line()
    for caller in "aaaabbc":
        line.join(waiting(caller))
    assert "".join(run.caller for run in line.order()) == "abcabaa"
    served = [line.next(()) for _ in range(3)]
    assert "".join(run.caller for run in served if run) == "abc"
    line.join(waiting("c"))
    line.join(waiting("d"))
    assert "".join(run.caller for run in line.order()) == "dabcaa"


def test_a_busy_thread_lets_others_pass_and_keeps_its_own_order() -> None:
    line = Line()
    first, second, other = waiting("a", "t"), waiting("a", "t"), waiting("b")
    for run in (first, second, other):
        line.join(run)
    assert line.next({"t"}) == other
    assert line.next({"t"}) is None
    assert (line.next(()), line.next(()), line.next(())) == (first, second, None)


@given(st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=40))
def test_nobody_is_passed_twice_by_the_same_caller(events: list[str]) -> None:
    """Between the arrival of a caller's next run and its turn, every other caller has one run more at most."""
    line = Line()
    passed: dict[str, dict[str, int]] = {}
    for caller in [*events, *[""] * len(events)]:
        if caller:
            run = waiting(caller)
            if not any(other.caller == caller for other in line.order()):
                passed[run.run_id] = {}
            line.join(run)
        elif served := line.next(()):
            passed.pop(served.run_id, None)
            for counts in passed.values():
                counts[served.caller] = counts.get(served.caller, 0) + 1
                assert counts[served.caller] <= 2
    assert len(line) == 0


@asynccontextmanager
async def studio(context: Context) -> AsyncIterator[tuple[Runs, EventLog, HeldEngine]]:
    """Runs whose renders wait for the test."""
    engine = HeldEngine()
    async with open_database(context.settings.data_dir) as database:
        log = EventLog(database)
        async with opened(with_engine(context, engine), log) as runs:
            try:
                yield runs, log, engine
            finally:
                engine.gate.release(10_000)


async def until_told(runs: Runs, run: Run, name: str, **data: object) -> Event:
    async for event in runs.follow(run):
        if event.event == name and json.loads(event.data).items() >= data.items():
            return event
    raise AssertionError(f"{name} {data} was never told")


async def rendering(runs: Runs, run: Run) -> None:
    await until_told(runs, run, "node", node="generate_image", status="started")


async def test_runs_wait_and_are_told_where_they_stand(context: Context) -> None:
    async with studio(context) as (runs, _, engine):
        begun = [await runs.start(ask(), None, caller="a") for _ in range(ABREAST)]
        third = await runs.start(ask(), None, caller="a")
        fourth = await runs.start(ask(), None, caller="a")
        other = await runs.start(ask(), None, caller="b")
        assert [run.status for run in (*begun, third)] == ["running"] * ABREAST + ["queued"]
        await until_told(runs, other, "queue", position=1)
        await until_told(runs, third, "queue", position=2)
        await until_told(runs, fourth, "queue", position=3)
        engine.gate.release(10_000)
        every = [await follow(runs, run) for run in (*begun, third, fourth, other)]
        assert {status(events) for events in every} == {"success"}
        assert [e.event for e in every[0][:2]] == ["metadata", "node"]  # it never waited
        places = [
            [json.loads(e.data)["position"] for e in events if e.event == "queue"]
            for events in every[-3:]
        ]
        assert [steps[:2] for steps in places] == [[1, 2], [2, 3], [1]]
        for events in every:
            assert [event.id for event in events] == list(range(1, len(events) + 1))


async def test_messages_of_a_thread_are_answered_one_after_the_other(context: Context) -> None:
    async with studio(context) as (runs, log, engine):
        first = await runs.start(ask("a neon city"), None)
        second = await runs.start(ask("a city with ink"), first.thread_id)
        third = await runs.start(ask("gold"), first.thread_id)
        with pytest.raises(Conflict):
            await runs.start(ask(), first.thread_id, strategy="reject")
        await rendering(runs, first)
        assert [run.status for run in (second, third)] == ["queued", "queued"]
        engine.gate.release(10_000)
        for run in (first, second, third):
            assert status(await follow(runs, run)) == "success"
        thread = await log.thread(first.thread_id)
        assert [result["prompt"] for result in thread.results] == [
            "a neon city",
            "a city with ink",
            "gold",
        ]


async def test_a_message_behind_a_question_drops_it(context: Context) -> None:
    async with studio(context) as (runs, log, engine):
        engine.gate.release(10_000)
        asked = await runs.start(ask("a city with ink", "ask"), None)
        behind = await runs.start(ask("a neon city"), asked.thread_id)
        assert status(await follow(runs, asked)) == "interrupted"
        assert status(await follow(runs, behind)) == "success"
        assert (await log.thread(asked.thread_id)).question is None


async def test_a_message_may_stop_the_one_before(context: Context) -> None:
    async with studio(context) as (runs, log, engine):
        first = await runs.start(ask("a neon city"), None)
        waits = await runs.start(ask("a city"), first.thread_id)
        await rendering(runs, first)
        second = await runs.start(ask("gold"), first.thread_id, strategy="interrupt")
        engine.gate.release(10_000)
        ends = [status(await follow(runs, run)) for run in (first, waits, second)]
        assert ends == ["cancelled", "cancelled", "success"]
        assert [run.status for run in (await log.thread(first.thread_id)).runs] == ends


async def test_a_message_may_undo_the_one_before(context: Context) -> None:
    """What was undone is nowhere: not in the log, not in the thread's memory, not in its checkpoints."""
    async with studio(context) as (runs, log, engine):
        engine.gate.release(1000)
        first = await runs.start(ask("a neon city"), None)
        assert status(await follow(runs, first)) == "success"
        while engine.gate.acquire(blocking=False):
            pass
        undone = await runs.start(ask("a house of glass"), first.thread_id)
        await rendering(runs, undone)
        watching = asyncio.create_task(follow(runs, undone))
        last = await runs.start(ask("gold"), first.thread_id, strategy="rollback")
        engine.gate.release(10_000)
        assert status(await watching) == "cancelled"
        assert status(await follow(runs, last)) == "success"
        thread = await log.thread(first.thread_id)
        assert [run.run_id for run in thread.runs] == [first.run_id, last.run_id]
        with pytest.raises(NotFound):
            await log.run(first.thread_id, undone.run_id)
        state = await runs._graph.aget_state({"configurable": {"thread_id": first.thread_id}})
        assert state.values["messages"] == ["a neon city", "gold"]
        assert state.values["turn"] == 2


async def test_an_answer_that_is_undone_leaves_the_question(context: Context) -> None:
    async with studio(context) as (runs, log, engine):
        asked = await runs.start(ask("a city with ink", "ask"), None)
        question = json.loads((await follow(runs, asked))[-2].data)
        ink = StyleChoice(styles=[StyleShare(style="ink")])
        answer = await runs.answer(asked.thread_id, question["id"], ink)
        await rendering(runs, answer)
        watching = asyncio.create_task(follow(runs, answer))
        assert await runs.cancel(answer, "rollback")
        engine.gate.release(10_000)
        assert status(await watching) == "cancelled"
        assert (await log.thread(asked.thread_id)).question == question
        neon = StyleChoice(styles=[StyleShare(style="neon")])
        events = await follow(runs, await runs.answer(asked.thread_id, question["id"], neon))
        assert status(events) == "success"
        assert json.loads(events[-2].data)["styles"] == [{"style": "neon", "weight": 1.0}]


async def test_a_run_that_waits_can_be_cancelled(context: Context) -> None:
    async with studio(context) as (runs, _, engine):
        begun = [await runs.start(ask(), None) for _ in range(ABREAST)]
        waits = await runs.start(ask(), None)
        assert await runs.cancel(waits)
        assert status(await follow(runs, waits)) == "cancelled"
        assert not await runs.cancel(waits)
        engine.gate.release(10_000)
        for run in begun:
            assert status(await follow(runs, run)) == "success"
        assert len(engine.requests) == ABREAST


async def test_a_full_studio_refuses_and_is_free_again(context: Context) -> None:
    async with studio(context) as (runs, _, engine):
        begun = [await runs.start(ask(), None) for _ in range(8)]
        with pytest.raises(EngineBusy):
            await runs.start(ask(), None)
        await runs.cancel(begun[-1])
        begun[-1] = await runs.start(ask(), None)
        engine.gate.release(10_000)
        for run in begun:
            assert status(await follow(runs, run)) == "success"


async def test_a_stop_forgets_neither_the_line_nor_a_cancel(context: Context) -> None:
    """A cancel that was accepted holds, though the process dies before the run's end is on disk."""
    async with studio(context) as (runs, log, engine):
        begun = [await runs.start(ask(), None) for _ in range(ABREAST)]
        line = [await runs.start(ask(), None, caller=caller) for caller in "aab"]
        await rendering(runs, begun[0])
        await log.stop(begun[0], "interrupt")
        await log.stop(line[0], "rollback")
        closing = asyncio.create_task(runs.close())
        await asyncio.sleep(0)
        engine.gate.release(10_000)
        await closing
    async with studio(context) as (runs, log, engine):
        engine.gate.release(10_000)
        assert await runs.take_up() == ABREAST + 3
        assert status(await follow(runs, begun[0])) == "cancelled"
        for run in (*begun[1:], *line[1:]):
            assert status(await follow(runs, run)) == "success"
        with pytest.raises(NotFound):
            await log.run(line[0].thread_id, line[0].run_id)


async def test_a_server_that_stops_takes_no_new_work(context: Context) -> None:
    async with studio(context) as (runs, log, _):
        runs.stopping.set()
        with pytest.raises(EngineBusy, match="stopping"):
            await runs.start(ask(), None)
        assert await log.active() == []
