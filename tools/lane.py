"""One lane of blocking work off the event loop: models take turns, the loop stays free.

All of torch's work belongs here, loading and embedding included, for speed: GNU OpenMP counts the threads of every
thread that ever asked it for help, and once they are more than the cores it stops waiting actively between the
thousand small operations of a step. With a second such thread alive, a render took 1.7 times as long.

A thread that is stuck inside a model cannot be ended from outside. The lane gives it up, goes on with a new one,
and lets nothing count that the old one still does.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from tools.errors import Cancelled, EngineHung

T = TypeVar("T")

logger = logging.getLogger(__name__)

STEP_TIMEOUT_S = 120.0
JOB_TIMEOUT_S = 900.0
TICK_S = 1.0  # the longest between two looks at a job
STUCK_MAX = 3  # threads given up that have not come back; each holds its models in memory
OFTEN = 2  # jobs given up in a row that are no accident


class Stopped(threading.Event):
    """Set once nobody waits for the job any more. Looking at it is the job's sign of life."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def is_set(self) -> bool:
        """Whether to stop."""
        self.looks += 1
        return super().is_set()

    def check(self) -> None:
        """Raise `Cancelled` when it is time to stop."""
        if self.is_set():
            raise Cancelled("The run was cancelled.")


class GpuLane:
    """Runs one blocking job at a time on its own thread.

    The caller's context variables travel along, because LangGraph's stream writer looks itself up in them.
    When the awaiting task is cancelled the job is told through its `stopped` event and awaited, so the
    engine is free again when the cancellation comes out.
    """

    def __init__(
        self, step_timeout_s: float = STEP_TIMEOUT_S, job_timeout_s: float = JOB_TIMEOUT_S
    ) -> None:
        """How long a job may go without a sign of life: between two of them, and one that gives none."""
        self.generation = 0  # of the thread; who holds models of an earlier one must open them anew
        self._step_timeout_s = step_timeout_s
        self._job_timeout_s = job_timeout_s
        self._tick_s = min(TICK_S, step_timeout_s / 20, job_timeout_s / 20)
        self._in_a_row = 0  # jobs given up since one with signs of life came to its end
        self._given_up: list[threading.Thread] = []
        self._closed = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = self._begin_thread()

    async def run(self, job: Callable[[Stopped], T]) -> T:
        """Run `job(stopped)` on the lane; a job should `check` `stopped` at every step.

        Raises `EngineHung` when the job stands still for too long; a cancelled one comes out by then.
        """
        if self._closed:
            raise RuntimeError("the lane is closed")
        if self._stuck() >= STUCK_MAX:
            raise EngineHung(
                f"{STUCK_MAX} jobs are stuck in the models, and no more are begun: restart the studio."
            )
        stopped, work = Stopped(), Future[T]()
        self._jobs.put(partial(_carry_out, work, copy_context(), job, stopped))
        done = asyncio.wrap_future(work)
        try:
            await self._watch(work, done, stopped)
            result = done.result()
        finally:
            # They hold the error, its frames hold this one, and every tensor of the job.
            del work, done
        if stopped.looks:
            self._in_a_row = 0
        return result

    async def _watch(self, work: Future[T], done: asyncio.Future[T], stopped: Stopped) -> None:
        """Wait until `work` is done; give it up when it stands still."""
        cancelled = False
        looks, quiet_s = 0, 0.0
        while not done.done():
            try:
                await asyncio.wait([done], timeout=self._tick_s)
            except asyncio.CancelledError:
                cancelled = True
                stopped.set()
                work.cancel()  # one that has not begun never does
                continue
            # Ticks are counted, not the clock read: of the time that the whole process was stopped, or the
            # machine asleep, they see one tick at most.
            moved = stopped.looks != looks or not work.running()
            looks, quiet_s = stopped.looks, 0.0 if moved else quiet_s + self._tick_s
            patience_s = self._step_timeout_s if looks else self._job_timeout_s
            if quiet_s >= patience_s and not work.done():
                stopped.set()
                done.cancel()
                self._give_up(patience_s)
                if not cancelled:
                    raise EngineHung(
                        f"The models stood still for {patience_s:g} s and are opened anew: try again."
                        " If that happens often, restart the studio."
                    )
        if cancelled:
            if not done.cancelled():
                done.exception()  # seen, though nobody is left to tell
            raise asyncio.CancelledError

    def trouble(self) -> EngineHung | None:
        """What an operator should know: the models stand still again and again."""
        if self._in_a_row < OFTEN:
            return None
        return EngineHung(
            f"The models stood still {self._in_a_row} times in a row: restart the studio."
            " Where a step may take so long, raise ARTISAN_STEP_TIMEOUT_S."
        )

    def close(self) -> None:
        """Wait for the running job and let the thread go; a job that was given up is not waited for."""
        self._closed = True
        self._jobs.put(None)
        while self._thread.is_alive():  # another one, once the running job is given up
            self._thread.join(TICK_S)

    def _stuck(self) -> int:
        self._given_up = [thread for thread in self._given_up if thread.is_alive()]
        return len(self._given_up)

    def _give_up(self, patience_s: float) -> None:
        logger.error("a job stood still for %g s: its thread is given up", patience_s)
        self._in_a_row += 1
        self._given_up.append(self._thread)
        self.generation += 1
        self._thread = self._begin_thread()

    def _begin_thread(self) -> threading.Thread:
        name = f"gpu-lane_{self.generation}"
        # A daemon, for one that is stuck must not keep the process from ending.
        thread = threading.Thread(
            target=self._serve, args=(self.generation,), name=name, daemon=True
        )
        thread.start()
        return thread

    def _serve(self, generation: int) -> None:
        while self.generation == generation and (act := self._jobs.get()) is not None:
            act()
            del act  # it holds the outcome, and an error holds every tensor of its frames


def _carry_out(
    work: Future[T], context: Context, job: Callable[[Stopped], T], stopped: Stopped
) -> None:
    if not work.set_running_or_notify_cancel():
        return
    try:
        work.set_result(context.run(job, stopped))
    except BaseException as error:  # noqa: BLE001  it goes to who waits
        work.set_exception(error)
        del work  # the error's traceback holds this frame, which must not hold the error
