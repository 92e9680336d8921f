"""Runs: tasks of the server that write to the event log; whoever watches only reads it."""

import asyncio
import logging
import math
import secrets
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import anyio
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained, is_invalid_resume
from langgraph.runtime import RunControl
from langgraph.types import Command

from graph.build import Graph
from graph.checkpoints import forget_pass, forget_thread
from graph.choice import StyleChoice
from graph.context import Context
from graph.releases import Releases
from graph.state import Request, State
from graph.travel import rewind
from server.canary import Canary
from server.eventlog import Event, EventLog, Once, Run, Stop, Strategy, as_event, now
from server.events import MODES, End, Fault, Metadata, Narrator, Queue, Status, Told
from server.line import Line
from tools.disk import disk_failure
from tools.errors import AppError, EngineBusy, InvalidRequest
from tools.versions import Versions

T = TypeVar("T")
Heard = Callable[[Run, Event], None]  # must be quick: the loop waits for it

logger = logging.getLogger(__name__)

RUNS_MAX = 32  # waiting and under way
ABREAST = 2  # under way: one renders while the next one's words are being written
ATTEMPTS = 5  # processes that may die over one run
GUESS_S = 5.0  # that a run takes, until one has been measured
MEASURED = 8  # newest runs whose pace foretells the next one's turn
RETRY_S = 2.0  # until the disk is asked again
GAVE_UP = "The studio stopped too often during this render: send the message again."


@dataclass(slots=True)
class Live:
    """A run that waits or is under way, and what it has told; a watcher waits for `grown`, new after every event."""

    run: Run
    events: list[Event] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    place: int = 0  # in the line, as last told
    ending: bool = False  # its outcome is decided
    versions: Versions = field(default_factory=dict)  # of the release it is on

    def publish(self, *events: Event) -> None:
        self.events.extend(events)
        self.grown.set()
        self.grown = asyncio.Event()


class Runs:
    """Starts, drives, cancels and replays runs."""

    def __init__(
        self,
        log: EventLog,
        graph: Graph,
        releases: Releases,
        most: int,
        heard: Sequence[Heard] = (),
        canary: Canary | None = None,
    ) -> None:
        """At most `most` runs wait and are under way at once; each in `heard` is told of every event that counts."""
        self._log = log
        self._graph = graph
        self._releases = releases
        self._unfinished = releases.context.unfinished
        self._data_dir = releases.context.settings.data_dir
        self._most = most
        self._heard = heard
        self._canary = canary
        self._live: dict[str, Live] = {}
        self._line = Line()
        self._took: deque[float] = deque(maxlen=MEASURED)  # seconds
        self._admitting = asyncio.Lock()
        self._control = RunControl()
        self._later: asyncio.Task[None] | None = None
        self.trouble: AppError | None = None  # why the line does not move
        self.accepted = asyncio.Event()  # new after every run that is accepted
        self.stopping = anyio.Event()  # set it and watchers leave; runs go on until `close`

    async def start(
        self,
        request: Request,
        thread_id: str | None,
        once: Once | None = None,
        *,
        checkpoint_id: str | None = None,
        **how: Any,
    ) -> Run:
        """Accept a new message, on a new thread when there is none; or return the run that `once` started.

        With `checkpoint_id` the thread goes on from there instead of from its end. `how` is `accept`'s.
        """
        given: dict[str, Any] = {"request": dict(request)}
        if checkpoint_id is not None:
            given["from"] = checkpoint_id
        return await self.accept(given, thread_id, once=once, **how)

    async def answer(
        self,
        thread_id: str,
        interrupt_id: str,
        choice: StyleChoice,
        once: Once | None = None,
        **how: Any,
    ) -> Run:
        """Accept a run that continues the thread from its question; or return the run that `once` started.

        Of two answers at once one is a `Conflict`.
        """
        given = {"answer": {interrupt_id: choice.model_dump()}}
        return await self.accept(given, thread_id, answers=interrupt_id, once=once, **how)

    async def fork(
        self, thread_id: str, checkpoint_id: str, changes: Mapping[str, Any], **how: Any
    ) -> Run:
        """Accept a run that does again what followed a checkpoint of the thread, with `changes` to its state."""
        return await self.accept(
            {"from": checkpoint_id, "changes": dict(changes)}, thread_id, **how
        )

    async def accept(
        self,
        given: Mapping[str, Any],
        thread_id: str | None,
        *,
        answers: str | None = None,
        once: Once | None = None,
        caller: str = "",
        strategy: Strategy = "enqueue",
        wire: Mapping[str, Any] | None = None,
        new_thread: bool | None = None,
    ) -> Run:
        """Put a run on disk and in the line; it begins by itself when its turn comes.

        `caller` is whose turn it takes, `strategy` says what becomes of the thread's present run, `wire` is kept with
        the run for the wire that it came by. `new_thread` makes a thread of the given id.
        Raises what `EventLog.begin` does, and `EngineBusy` when the server stops; then nothing has changed.
        """
        if self.stopping.is_set():
            raise EngineBusy("The studio is stopping: send this again in a moment.")
        fresh = thread_id is None if new_thread is None else new_thread
        run = Run(
            thread_id or str(uuid.uuid4()),
            str(uuid.uuid4()),
            "queued",
            given,
            now(),
            caller=caller,
            wire=wire or {},
        )
        first = as_event(1, Told("metadata", _metadata(run, 1)))
        live = self._live[run.run_id] = Live(run, [first])

        async def begin() -> Run:
            try:
                begun = await self._log.begin(
                    run,
                    first,
                    new_thread=fresh,
                    answers=answers,
                    most=self._most,
                    once=once,
                    strategy=strategy,
                )
            except BaseException:
                del self._live[run.run_id]
                raise
            if begun.run is not run:
                del self._live[run.run_id]
                return begun.run
            self._hear(run, first)
            for other in begun.displaced:
                self._halt(other, strategy if strategy == "rollback" else "interrupt")
            self._line.join(run)
            self._announce()
            await self._admit()
            return live.run

        return await _unbroken(begin())  # a run on disk is always in the line, or has its task

    async def take_up(self) -> int:
        """Go on with every run that its process left, from its last finished node; say how many there were."""
        left = await self._log.active()
        self._unfinished.keep_only({run.thread_id for run in left})
        for run in left:
            live = self._live[run.run_id] = Live(run, await self._log.events(run))
            if run.stop:
                await self._end(live, "cancelled", [], None)
            elif run.status == "queued":
                self._line.join(run)
            else:
                await self._again(live)
        await self._admit()
        return len(left)

    async def _again(self, live: Live) -> None:
        attempt = 1 + sum(event.event == "metadata" for event in live.events)
        if attempt > ATTEMPTS:
            fault = Fault(code="gave_up", message=GAVE_UP, retryable=True)
            await self._end(live, "error", [Told("error", fault)], None)
            return
        await self._tell(live, Told("metadata", _metadata(live.run, attempt)))
        self._drive_on(live)

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

    async def cancel(self, run: Run, how: Stop = "interrupt") -> bool:
        """Stop `run` at its next step, or before its turn; its stream says when. False: it has ended, and stays so.

        With "rollback" the run, its checkpoints and its events are gone after its end. A crash does not forget it.
        """
        if not await self._log.stop(run, how):
            return False
        self._halt(run, how)
        await self._admit()
        return True

    async def cancel_all(self, thread_id: str) -> None:
        """Cancel what a thread has waiting and under way, and wait for its end.

        Raises `NotFound` (`unknown_thread`).
        """
        thread = await self._log.thread(thread_id)
        for run in thread.runs:
            if run.ended_at is None and await self.cancel(run):
                async for _ in self.follow(run):
                    pass

    async def forget(self, thread_id: str) -> None:
        """Delete a thread: its runs, events, checkpoints and saves.

        Raises `NotFound` (`unknown_thread`), and `Conflict` (`thread_busy`) while a run waits or is under way on it.
        """
        await self._log.forget_thread(thread_id)
        await forget_thread(self._graph, thread_id)
        self._unfinished.drop(thread_id)

    @property
    def idle(self) -> bool:
        """Whether no run waits or is under way."""
        return not self._live

    async def usher(self) -> None:
        """Let every watcher go once the server stops."""
        await self.stopping.wait()
        self._announce()
        for live in self._live.values():
            live.grown.set()

    async def close(self, grace_s: float = 0.0) -> None:
        """Take no new work; stop every run after its present node, or after `grace_s` seconds at its present step.

        The log keeps them open, and the next start goes on with them.
        """
        self.stopping.set()
        self._control.request_drain("the server stops")
        tasks = [live.task for live in self._live.values() if live.task]
        if self._later:
            tasks.append(self._later)
        if tasks and grace_s:
            await asyncio.wait(tasks, timeout=grace_s)
        for task in tasks:
            _cancel(task)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _announce(self) -> None:
        self.accepted.set()
        self.accepted = asyncio.Event()

    def _halt(self, run: Run, how: Stop) -> None:
        live = self._live.get(run.run_id)
        if live is None or live.ending or live.run.stop:
            return
        live.run = replace(live.run, stop=how)
        if live.task:  # which must have begun, or it would never end its run
            asyncio.get_running_loop().call_soon(_cancel, live.task)
        elif self._line.leave(run):
            live.ending = True
            live.task = asyncio.create_task(self._end(live, "cancelled", [], None))

    async def _admit(self) -> None:
        """Let the next in line begin, and tell the others where they stand; where the disk refuses, later."""
        try:
            async with self._admitting:
                await self._admit_next()
                await self._tell_places()
            self.trouble = None
        except Exception as error:
            logger.exception("the line does not move")
            told = disk_failure(error, self._data_dir) or error
            self.trouble = (
                told
                if isinstance(told, AppError)
                else AppError("Runs cannot begin. It has been logged.")
            )
            self._later = asyncio.create_task(self._admit_later())

    async def _admit_later(self) -> None:
        await asyncio.sleep(RETRY_S)
        await self._admit()

    async def _admit_next(self) -> None:
        while not self.stopping.is_set():
            working = [live for live in self._live.values() if live.task]
            room = ABREAST - sum(not live.ending for live in working)
            run = self._line.next({live.run.thread_id for live in working}) if room > 0 else None
            if run is None:
                return
            live = self._live[run.run_id]
            try:
                live.run = replace(await self._log.promote(run), stop=live.run.stop)
            except BaseException:
                self._line.join(run)
                raise
            if not self.stopping.is_set():  # else the next start goes on with it
                self._drive_on(live)

    async def _tell_places(self) -> None:
        for place, run in enumerate(self._line.order(), start=1):
            live = self._live[run.run_id]
            if live.place != place:
                eta_ms = round(1000 * self._pace() * math.ceil(place / ABREAST))
                await self._tell(live, Told("queue", Queue(position=place, eta_ms=eta_ms)))
                live.place = place

    def _pace(self) -> float:
        """Seconds that a run takes."""
        return sum(self._took) / len(self._took) if self._took else GUESS_S

    def _drive_on(self, live: Live) -> None:
        live.task = asyncio.create_task(self._drive(live), name=f"run {live.run.run_id}")

    async def _drive(self, live: Live) -> None:
        began = time.monotonic()
        question: str | None = None
        last: list[Told] = []
        try:
            status, told = await self._play_out(live)
            last.append(told)
            if status == "interrupted":
                question = told.data["id"]
        except asyncio.CancelledError:
            if self.stopping.is_set():
                return  # the next start deals with it
            status = "cancelled"
        except GraphDrained:
            return
        except Exception as error:  # noqa: BLE001  whatever breaks a run ends it, in the log
            status = "error"
            last.append(Told("error", self._fault(error, live.run)))
            if is_invalid_resume(error):  # the graph has kept its question
                question = next(iter(live.run.input["answer"]))
        else:
            self._took.append(time.monotonic() - began)
        self._releases.let_go(live.versions)
        await self._end(live, status, last, question)

    async def _play_out(self, live: Live) -> tuple[Status, Told]:
        """Play a run; where it fails on the release on trial, go on with the one that serves."""
        try:
            return await self._play(live)
        except Exception as error:
            trial = self._canary and self._canary.is_trial(live.versions)
            if not trial or is_invalid_resume(error) or isinstance(error, GraphDrained):
                raise
            failed, versions = error, live.versions
        attempt = 1 + sum(event.event == "metadata" for event in live.events)
        await self._tell(live, Told("metadata", _metadata(live.run, attempt)))
        ended = await self._play(live, self._releases.serving)
        if self._canary:
            self._canary.broke(live.run, versions, failed)
        return ended

    async def _play(self, live: Live, context: Context | None = None) -> tuple[Status, Told]:
        """Drive the graph to its end or its question, telling what happens; on `context`, or the one that is due."""
        run = live.run
        narrator = Narrator()
        config = _config(run)
        kept = await self._graph.aget_state(config)
        if kept.values:
            narrator.recall(cast(State, kept.values), kept.interrupts)
        if (kept.metadata or {}).get("run") == run.run_id:  # an earlier process had come so far
            given = None
            if not kept.tasks:
                return narrator.ending()
        else:
            given, config = await self._opening(run, config)
        # It holds the models while the run needs them.
        context = context or await self._context_of(run, given, config)
        live.versions = context.versions
        parts = cast(
            AsyncGenerator[Any, None],
            self._graph.astream(
                given,
                config,
                context=context,
                stream_mode=MODES,
                version="v2",
                durability="sync",
                control=self._control,
            ),
        )
        async with aclosing(parts):  # else a cancelled pass might go on writing after its run's end
            async for part in parts:
                for told in narrator.tell(part):
                    await _unbroken(self._tell(live, told))
        return narrator.ending()

    async def _opening(self, run: Run, config: RunnableConfig) -> tuple[Any, RunnableConfig]:
        """What the graph is given to begin with, and where on the thread it begins."""
        if "answer" in run.input:
            return Command(resume=run.input["answer"]), config
        if "from" in run.input:
            config = _config(run, run.input["from"])
        if changes := run.input.get("changes"):
            moment = await self._graph.aget_state(config)
            values, node = rewind(changes, moment.next)
            config = await self._graph.aupdate_state(config, values, node)
            config = {**config, "metadata": {"run": run.run_id}}
        return run.input.get("request"), config

    async def _context_of(self, run: Run, given: Any, config: RunnableConfig) -> Context:
        """What a pass may use: where `begin` comes first what serves its thread, else the release it began with."""
        if isinstance(given, dict):
            return self._canary.begin(run.thread_id) if self._canary else self._releases.serving
        moment = await self._graph.aget_state(config)
        begun = moment.next and moment.next[0] not in ("__start__", "begin")
        return await self._releases.pinned(moment.values.get("versions") if begun else None)

    async def _tell(self, live: Live, told: Told) -> None:
        event = as_event(len(live.events) + 1, told)
        await self._log.append(live.run, event)
        live.publish(event)
        self._hear(live.run, event)

    def _hear(self, run: Run, *events: Event) -> None:
        for event in events:
            for hear in self._heard:
                try:
                    hear(run, event)
                except Exception:  # whoever listens must never break a run
                    logger.exception("run %s: a listener failed at %s", run.run_id, event.event)

    async def _end(
        self, live: Live, status: Status, last: Sequence[Told], question: str | None
    ) -> None:
        live.ending = True
        told = [*last, Told("end", End(status=status))]
        events = [as_event(len(live.events) + i, t) for i, t in enumerate(told, start=1)]
        self._unfinished.drop(live.run.thread_id)  # before the thread's next run may begin
        await _unbroken(self._finish(live, status, events, question))

    async def _finish(
        self, live: Live, status: Status, last: list[Event], question: str | None
    ) -> None:
        """Outcome and end become visible together, so whoever sees them may act at once.

        Where the disk refuses, watchers learn from memory that the run failed, and the disk is asked again.
        """
        try:
            await self._record(live.run, status, last, question)
        except Exception as error:  # noqa: BLE001  a watcher must never wait for ever
            told = len(live.events)
            fault = Told("error", self._fault(error, live.run))
            last = [as_event(told + 1, fault), as_event(told + 2, Told("end", End(status="error")))]
            live.publish(*last)
            self._hear(live.run, *last)
            live.task = asyncio.create_task(self._record_later(live, last))
            await self._admit()
            return
        live.publish(*last)
        self._hear(live.run, *last)
        del self._live[live.run.run_id]
        await self._admit()

    async def _record(
        self, run: Run, status: Status, last: list[Event], question: str | None
    ) -> None:
        if run.stop == "rollback":
            await forget_pass(self._graph, run.thread_id, run.run_id)
            await self._log.forget_run(run)
        else:
            await self._log.finish(run, status, last, question)

    async def _record_later(self, live: Live, last: list[Event]) -> None:
        """Until it is on disk that a run failed, its thread stays busy; a new process takes the run up again."""
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                await self._record(live.run, "error", last, None)
            except Exception as error:  # noqa: BLE001
                logger.warning("the outcome of run %s is not on disk: %s", live.run.run_id, error)
            else:
                break
        del self._live[live.run.run_id]
        await self._admit()

    def _fault(self, error: Exception, run: Run) -> Fault:
        if is_invalid_resume(error):
            error = InvalidRequest(
                "This choice no longer fits: choose again.", code="invalid_choice"
            )
        told = disk_failure(error, self._data_dir) or error
        if isinstance(told, AppError):
            return Fault(code=told.code, message=told.message, retryable=told.retryable)
        logger.error("run %s failed", run.run_id, exc_info=error)
        message = "Something broke in the studio. It has been logged."
        return Fault(code="internal", message=message, retryable=False)


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel `task` once: a second time would break off what it tidies up."""
    if not task.cancelling():
        task.cancel()


def _config(run: Run, checkpoint_id: str | None = None) -> RunnableConfig:
    place = {"thread_id": run.thread_id}
    if checkpoint_id is not None:
        place |= {"checkpoint_id": checkpoint_id, "checkpoint_ns": ""}
    return {"configurable": place, "metadata": {"run": run.run_id}}


def _metadata(run: Run, attempt: int) -> Metadata:
    return Metadata(run_id=run.run_id, thread_id=run.thread_id, attempt=attempt)


def new_seed() -> int:
    """A random seed that JavaScript, too, reads to the last digit, and those of further attempts."""
    return secrets.randbits(52)


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
