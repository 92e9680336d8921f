"""The life of runs against a model of it: whatever callers do, in whatever order, each run ends once."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from chaos import steady_studio
from conftest import alone, write_library
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from live_server import HeldEngine, with_engine
from test_server_runs import ask

from graph.build import build_graph, open_checkpointer
from graph.choice import StyleChoice, StyleShare
from graph.settings import Settings
from server.database import open_database
from server.eventlog import Event, EventLog, Run, Stop, Strategy
from server.runs import ABREAST, Runs
from tools.errors import Conflict, EngineBusy, NotFound

T = TypeVar("T")

MOST = 6
ENDS = {"success", "interrupted", "error", "cancelled"}
PLACES = st.integers(0, 99)  # of a run among those that were accepted
INK = StyleChoice(styles=[StyleShare(style="ink")])


class Lifecycle(RuleBasedStateMachine):
    """Callers who send, answer, cancel and delete, and a studio that is stopped and started."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        write_library(self.folder / "library")
        self.loop = asyncio.new_event_loop()
        self.accepted: dict[str, Run] = {}
        self.undone: set[str] = set()  # runs that shall leave no trace, or may
        self.ended: dict[str, str] = {}
        self.told: dict[str, list[Any]] = {}
        self.do(self.open())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def open(self) -> None:
        self.stack = AsyncExitStack()
        enter = self.stack.enter_async_context
        config = Settings(data_dir=self.folder / "var", library=self.folder / "library")
        self.engine = HeldEngine()
        context = with_engine(await enter(steady_studio(config)), self.engine)
        self.log = EventLog(await enter(open_database(config.data_dir)))
        saver = await enter(open_checkpointer(config.data_dir / "checkpoints.db"))
        self.runs = Runs(self.log, build_graph(saver), alone(context), MOST)
        await self.runs.take_up()

    async def close(self) -> None:
        closing = asyncio.create_task(self.runs.close())
        await asyncio.sleep(0)
        self.engine.gate.release(10_000)
        await closing
        await self.stack.aclose()

    @rule(
        style=st.sampled_from(["none", "ask"]),
        caller=st.sampled_from("ab"),
    )
    def begin(self, style: str, caller: str) -> None:
        self.send(self.runs.start(ask("a city with ink", style), None, caller=caller))

    @rule(
        at=PLACES,
        style=st.sampled_from(["none", "ask"]),
        strategy=st.sampled_from(["reject", "enqueue", "interrupt", "rollback"]),
    )
    def say_more(self, at: int, style: str, strategy: Strategy) -> None:
        before = self.pick(at)

        async def more() -> Run:
            present = [run for run in await self.log.active() if run.thread_id == before.thread_id]
            try:
                run = await self.runs.start(
                    ask("at night", style), before.thread_id, strategy=strategy
                )
            except Conflict:
                assert strategy == "reject"
                assert present
                raise
            if strategy == "rollback":
                self.undone.update(run.run_id for run in present)
            return run

        self.send(more())

    @rule(at=PLACES)
    def answer(self, at: int) -> None:
        before = self.pick(at)

        async def answer() -> Run:
            question = (await self.log.thread(before.thread_id)).question
            return await self.runs.answer(
                before.thread_id, question["id"] if question else "0" * 32, INK
            )

        self.send(answer())

    @rule(at=PLACES, how=st.sampled_from(["interrupt", "rollback"]))
    def cancel(self, at: int, how: Stop) -> None:
        run = self.pick(at)

        async def cancel() -> None:
            if await self.runs.cancel(run, how):
                assert run.run_id not in self.ended
                if how == "rollback":
                    self.undone.add(run.run_id)

        self.do(cancel())

    @rule(at=PLACES)
    def forget(self, at: int) -> None:
        run = self.pick(at)

        async def forget() -> None:
            thread = await self.log.thread(run.thread_id)
            cancelling = asyncio.create_task(self.runs.cancel_all(run.thread_id))
            await asyncio.sleep(0.01)
            self.engine.gate.release(500)
            await cancelling
            await self.runs.forget(run.thread_id)
            self.undone.update(each.run_id for each in thread.runs)

        try:
            self.do(forget())
        except NotFound:
            assert self.gone(run)

    @rule(steps=st.sampled_from([1, 5, 40]))
    def render(self, steps: int) -> None:
        self.engine.gate.release(steps)
        self.do(asyncio.sleep(0.02))

    @rule()
    def restart(self) -> None:
        self.do(self.close())
        self.do(self.open())

    def send(self, work: Coroutine[Any, Any, Run]) -> None:
        with suppress(Conflict, EngineBusy, NotFound):
            run = self.do(work)
            self.accepted[run.run_id] = run

    def pick(self, at: int) -> Run:
        """One of the runs so far, the first being made when there is none."""
        if not self.accepted:
            self.send(self.runs.start(ask(), None))
        return list(self.accepted.values())[at % len(self.accepted)]

    def gone(self, run: Run) -> bool:
        return any(
            each.run_id in self.undone
            for each in self.accepted.values()
            if each.thread_id == run.thread_id
        )

    @invariant()
    def the_log_agrees(self) -> None:
        self.do(self.check())

    async def check(self) -> None:
        active = await self.log.active()
        running = [run.thread_id for run in active if run.status == "running"]
        assert len(running) == len(set(running))
        assert len(running) <= ABREAST + sum(bool(run.stop) for run in active)
        assert sum(not run.stop for run in active) <= MOST
        for run in self.accepted.values():
            try:
                kept, events = await self.read(run)
            except NotFound:
                assert run.run_id in self.undone
                continue
            assert [event.id for event in events] == list(range(1, len(events) + 1))
            before = self.told.get(run.run_id, [])
            assert events[: len(before)] == before
            self.told[run.run_id] = events
            assert self.ended.setdefault(run.run_id, kept.status) == kept.status or (
                self.ended[run.run_id] not in ENDS
            )
            self.ended[run.run_id] = kept.status
            ends = [event for event in events if event.event == "end"]
            assert len(ends) == (kept.status in ENDS)
            if ends:
                assert events[-1] == ends[0]
                assert json.loads(ends[0].data) == {"status": kept.status}
                assert sum(event.event == "result" for event in events) == (
                    kept.status == "success"
                )
        self.ended = {run: status for run, status in self.ended.items() if status in ENDS}

    async def read(self, run: Run) -> tuple[Run, list[Event]]:
        """A run and its events at one moment."""
        while True:
            before = await self.log.run(run.thread_id, run.run_id)
            events = await self.log.events(run)
            if before == await self.log.run(run.thread_id, run.run_id):
                return before, events

    def teardown(self) -> None:
        async def finish() -> None:
            self.engine.gate.release(100_000)
            async with asyncio.timeout(60):
                for run in await self.log.active():
                    async for _ in self.runs.follow(run):
                        pass

        self.do(finish())
        self.do(self.check())
        self.do(self.close())
        self.loop.close()
        shutil.rmtree(self.folder)


def test_every_run_ends_once() -> None:
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
