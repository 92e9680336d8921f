"""The lane: one job at a time, stoppable, with the caller's context."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from tools.errors import Cancelled
from tools.lane import GpuLane

WHO: ContextVar[str] = ContextVar("WHO")


async def test_a_job_sees_the_context_of_its_caller() -> None:
    lane = GpuLane()
    WHO.set("caller")
    assert await lane.run(lambda _: WHO.get()) == "caller"
    lane.close()


async def test_a_cancelled_caller_comes_back_when_the_engine_has_stopped() -> None:
    """Bug: cancelling asyncio's own future succeeded at once, with the engine still painting."""
    lane = GpuLane()
    begun, ended = threading.Event(), threading.Event()

    def job(stopped: threading.Event) -> None:
        begun.set()
        assert stopped.wait(10)
        ended.set()
        raise Cancelled("stopped")

    task = asyncio.create_task(lane.run(job))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert await lane.run(lambda _: "free") == "free"
    lane.close()


async def test_a_job_cancelled_in_the_queue_never_runs() -> None:
    lane = GpuLane()
    gate = threading.Event()
    ran: list[str] = []
    first = asyncio.create_task(lane.run(lambda _: gate.wait(10)))
    second = asyncio.create_task(lane.run(lambda _: ran.append("second")))
    await asyncio.sleep(0.05)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.set()
    await first
    assert await lane.run(lambda _: "next") == "next"
    assert ran == []
    lane.close()


async def test_an_error_of_the_job_comes_out_unchanged() -> None:
    lane = GpuLane()

    def job(_: threading.Event) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await lane.run(job)
    lane.close()
