"""One lane of blocking work off the event loop: models take turns, the loop stays free.

All of torch's work belongs here, loading and embedding included, for speed: GNU OpenMP counts the threads of every
thread that ever asked it for help, and once they are more than the cores it stops waiting actively between the
thousand small operations of a step. With a second such thread alive, a render took 1.7 times as long.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


class GpuLane:
    """Runs one blocking job at a time on its own thread.

    The caller's context variables travel along, because LangGraph's stream writer looks itself up in them.
    When the awaiting task is cancelled the job is told through its `stopped` event and awaited, so the
    engine is free again when the cancellation comes out.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gpu-lane")

    async def run(self, job: Callable[[threading.Event], T]) -> T:
        """Run `job(stopped)` on the lane; a job should look at `stopped` at every step and raise `Cancelled`."""
        stopped = threading.Event()
        work = self._thread.submit(copy_context().run, job, stopped)
        done = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            stopped.set()
            if not work.cancel():  # it has begun: the engine is busy until it looks at `stopped`
                await asyncio.wait([done])
                done.exception()  # seen, though nobody is left to tell
            raise

    def close(self) -> None:
        """Wait for the running job and let the thread go."""
        self._thread.shutdown(wait=True, cancel_futures=True)
