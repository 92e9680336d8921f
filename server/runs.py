"""Runs: tasks of the server that write to the event log; whoever watches only reads it."""

import asyncio
import logging
import secrets
import uuid
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import anyio
from langchain_core.runnables import RunnableConfig
from langgraph.errors import is_invalid_resume
from langgraph.types import Command

from graph.build import Graph
from graph.choice import StyleChoice
from graph.context import Context
from graph.state import Request, State
from server.eventlog import Event, EventLog, Once, Run, as_event, now
from server.events import MODES, End, Fault, Metadata, Narrator, Status, Told
from tools.errors import AppError, InvalidRequest

T = TypeVar("T")

logger = logging.getLogger(__name__)

RUNS_MAX = 32  # under way at once; they take turns at the engine, so more would wait for minutes
ATTEMPTS = 5  # processes that may die over one run
GAVE_UP = "The studio stopped too often during this render: send the message again."


@dataclass(slots=True)
class Live:
    """A run under way, and what it has told; a watcher waits for `grown`, new after every event."""

    run: Run
    events: list[Event] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    ending: bool = False  # its outcome is decided

    def publish(self, *events: Event) -> None:
        self.events.extend(events)
        self.grown.set()
        self.grown = asyncio.Event()


class Runs:
    """Starts, drives, cancels and replays runs."""

    def __init__(self, log: EventLog, graph: Graph, context: Context, most: int) -> None:
        """At most `most` runs are under way at once."""
        self._log = log
        self._graph = graph
        self._context = context
        self._most = most
        self._live: dict[str, Live] = {}
        self.stopping = anyio.Event()  # set it and watchers leave; runs go on until `close`

    async def start(self, request: Request, thread_id: str | None, once: Once | None = None) -> Run:
        """Start a run with a new message, on a new thread when there is none; or return the run that `once` started.

        Raises what `EventLog.begin` does; then nothing has changed.
        """
        return await self._accept(thread_id, {"request": dict(request)}, None, once)

    async def take_up(self) -> int:
        """Go on with every run that its process left, from its last finished node; say how many there were."""
        left = await self._log.running()
        self._context.unfinished.keep_only({run.thread_id for run in left})
        for run in left:
            events = await self._log.events(run)
            attempt = 1 + sum(event.event == "metadata" for event in events)
            live = self._live[run.run_id] = Live(run, events)
            if attempt > ATTEMPTS:
                fault = Fault(code="gave_up", message=GAVE_UP, retryable=True)
                await self._end(live, "error", [("error", fault)], None)
                continue
            await self._tell(live, ("metadata", _metadata(run, attempt)))
            live.task = asyncio.create_task(self._drive(live), name=f"run {run.run_id}")
        return len(left)

    async def answer(
        self, thread_id: str, interrupt_id: str, choice: StyleChoice, once: Once | None = None
    ) -> Run:
        """Start a run that continues the thread from its question; or return the run that `once` started.

        Raises what `EventLog.begin` does; of two answers at once one is a `Conflict`.
        """
        given = {"answer": {interrupt_id: choice.model_dump()}}
        return await self._accept(thread_id, given, interrupt_id, once)

    async def follow(self, run: Run, after: int = 0) -> AsyncIterator[Event]:
        """Yield the events of `run` with an id above `after`, then the new ones as they come.

        Ends after `end`, and before only when the server stops.
        """
        live = self._live.get(run.run_id)
        if live is None:
            for event in (await self._log.events(run))[after:]:
                yield event
            return
        while True:
            grown = live.grown
            for event in live.events[after:]:
                yield event
                after = event.id
            last = live.events[-1]
            if self.stopping.is_set() or (last.event == "end" and last.id <= after):
                return
            await grown.wait()

    async def length(self, run: Run) -> int:
        """Return the id of the newest event of `run`."""
        live = self._live.get(run.run_id)
        return live.events[-1].id if live else len(await self._log.events(run))

    def cancel(self, run: Run) -> None:
        """Stop `run` at its next step; its stream says when. One that has ended stays as it is."""
        live = self._live.get(run.run_id)
        if live and live.task and not live.ending and not live.task.cancelling():
            live.task.cancel()

    async def usher(self) -> None:
        """Let every watcher go once the server stops."""
        await self.stopping.wait()
        for live in self._live.values():
            live.grown.set()

    async def close(self) -> None:
        """Stop every run where it is. The log keeps them open, for the next start to deal with."""
        self.stopping.set()
        tasks = [live.task for live in self._live.values() if live.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(
        self,
        thread_id: str | None,
        given: Mapping[str, Any],
        answers: str | None,
        once: Once | None,
    ) -> Run:
        run = Run(thread_id or uuid.uuid4().hex, uuid.uuid4().hex, "running", given, now())
        first = as_event(1, ("metadata", _metadata(run, 1)))
        live = self._live[run.run_id] = Live(run, [first])

        async def begin() -> Run:
            try:
                begun = await self._log.begin(
                    run,
                    first,
                    new_thread=thread_id is None,
                    answers=answers,
                    most=self._most,
                    once=once,
                )
            except BaseException:
                del self._live[run.run_id]
                raise
            if begun is run:
                live.task = asyncio.create_task(self._drive(live), name=f"run {run.run_id}")
            else:
                del self._live[run.run_id]
            return begun

        return await _unbroken(begin())  # a run on disk always has its task

    async def _drive(self, live: Live) -> None:
        question: str | None = None
        last: list[Told] = []
        try:
            status, told = await self._play(live)
            last.append(told)
            if status == "interrupted":
                question = told[1]["id"]
        except asyncio.CancelledError:
            if self.stopping.is_set():
                return  # the next start deals with it
            status = "cancelled"
        except Exception as error:  # noqa: BLE001  whatever breaks a run ends it, in the log
            status = "error"
            last.append(("error", _fault(error, live.run)))
            if is_invalid_resume(error):  # the graph has kept its question
                question = next(iter(live.run.input["answer"]))
        await self._end(live, status, last, question)

    async def _play(self, live: Live) -> tuple[Status, Told]:
        """Drive the graph to its end or its question, telling what happens."""
        run = live.run
        given: Any = run.input.get("request") or Command(resume=run.input["answer"])
        narrator = Narrator()
        config: RunnableConfig = {
            "configurable": {"thread_id": run.thread_id},
            "metadata": {"run": run.run_id},
        }
        kept = await self._graph.aget_state(config)
        if (kept.metadata or {}).get("run") == run.run_id:  # an earlier process had come so far
            given = None
            narrator.recall(cast(State, kept.values), kept.interrupts)
            if not kept.tasks:
                return narrator.ending()
        parts: AsyncIterator[Any] = self._graph.astream(
            given,
            config,
            context=self._context,
            stream_mode=MODES,
            version="v2",
            durability="sync",
        )
        async for part in parts:
            for told in narrator.tell(part):
                await _unbroken(self._tell(live, told))
        return narrator.ending()

    async def _tell(self, live: Live, told: Told) -> None:
        event = as_event(len(live.events) + 1, told)
        await self._log.append(live.run, event)
        live.publish(event)

    async def _end(
        self, live: Live, status: Status, last: Sequence[Told], question: str | None
    ) -> None:
        live.ending = True
        told = [*last, ("end", End(status=status))]
        events = [as_event(len(live.events) + i, t) for i, t in enumerate(told, start=1)]
        self._context.unfinished.drop(live.run.thread_id)  # before the thread's next run may begin
        await _unbroken(self._finish(live, status, events, question))

    async def _finish(
        self, live: Live, status: Status, last: list[Event], question: str | None
    ) -> None:
        """Outcome and end become visible together, so whoever sees them may act at once.

        Where the disk refuses, watchers learn of it from memory, and the next start ends the run.
        """
        try:
            await self._log.finish(live.run, status, last, question)
        except Exception as error:  # noqa: BLE001  a watcher must never wait for ever
            told = len(live.events)
            fault = as_event(told + 1, ("error", _fault(error, live.run)))
            live.publish(fault, as_event(told + 2, ("end", End(status="error"))))
        else:
            live.publish(*last)
            del self._live[live.run.run_id]


def _metadata(run: Run, attempt: int) -> Metadata:
    return Metadata(run_id=run.run_id, thread_id=run.thread_id, attempt=attempt)


def new_seed() -> int:
    """A random seed, 0 .. 2**63 - 1."""
    return secrets.randbits(63)


def _fault(error: Exception, run: Run) -> Fault:
    if is_invalid_resume(error):
        error = InvalidRequest("This choice no longer fits: choose again.", code="invalid_choice")
    if isinstance(error, AppError):
        return Fault(code=error.code, message=error.message, retryable=error.retryable)
    logger.error("run %s failed", run.run_id, exc_info=error)
    message = "Something broke in the studio. It has been logged."
    return Fault(code="internal", message=message, retryable=False)


async def _unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end even when the caller is cancelled; then pass the cancellation on."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen, though there is nobody left to tell
        raise
