"""The lane: one job at a time, stoppable, with the caller's context, and never stuck for ever."""

import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial

import pytest
from conftest import ROOT

from tools.errors import Cancelled, EngineHung
from tools.lane import OFTEN, STUCK_MAX, GpuLane, Stopped

WHO: ContextVar[str] = ContextVar("WHO")
STEP_S = 0.4  # what the impatient lane waits for a step


@pytest.fixture
def lane() -> Iterator[GpuLane]:
    lane = GpuLane()
    yield lane
    lane.close()


@pytest.fixture
def impatient() -> Iterator[GpuLane]:
    lane = GpuLane(STEP_S, job_timeout_s=1000)
    yield lane
    lane.close()


class Stuck:
    """A job whose second step does not end before the test lets it go."""

    def __init__(self) -> None:
        self.begun, self.free, self.over = (threading.Event() for _ in range(3))
        self.steps = 0

    def __call__(self, stopped: Stopped) -> str:
        try:
            stopped.check()
            self.begun.set()
            assert self.free.wait(60)
            stopped.check()
            self.steps += 1
            return "nobody waits for this"
        finally:
            self.over.set()


async def test_a_job_sees_the_context_of_its_caller(lane: GpuLane) -> None:
    WHO.set("caller")
    assert await lane.run(lambda _: WHO.get()) == "caller"


@pytest.mark.parametrize("cancels", [1, 2])
async def test_a_cancelled_caller_comes_back_when_the_engine_has_stopped(
    lane: GpuLane, cancels: int
) -> None:
    """Bug: cancelling asyncio's own future succeeded at once, the engine still painting; so did a second cancel."""
    begun, told, steps = threading.Event(), threading.Event(), []

    def job(stopped: Stopped) -> None:
        for number in range(10_000_000):
            stopped.check()
            steps.append(number)
            begun.set()
            if number:
                assert told.wait(10)

    task = asyncio.create_task(lane.run(job))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(cancels):
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()
    told.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(steps) == 2, "it was in its second step when it was told"
    assert await lane.run(lambda _: "free") == "free"


async def test_a_job_cancelled_in_the_queue_never_runs(lane: GpuLane) -> None:
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


async def test_an_error_of_the_job_comes_out_unchanged_and_is_not_kept(lane: GpuLane) -> None:
    """An error holds every tensor of its frames."""

    class Tensor:
        """As big as a model's activations."""

    held: list[weakref.ref[Tensor]] = []

    def job(_: Stopped) -> None:
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise KeyError("mine")

    gc.disable()  # what only a collection would free stays as long as the next one does
    try:
        with pytest.raises(KeyError, match="mine") as caught:
            await lane.run(job)
        del caught
        await asyncio.sleep(0.05)
        assert held[0]() is None
    finally:
        gc.enable()


async def test_a_job_that_stands_still_is_given_up_and_nothing_of_it_counts(
    impatient: GpuLane,
) -> None:
    stuck = Stuck()
    with pytest.raises(EngineHung, match="stood still") as error:
        await impatient.run(stuck)
    assert (error.value.code, error.value.retryable, error.value.status) == (
        "engine_hung",
        True,
        503,
    )
    generation = impatient.generation
    assert (
        await impatient.run(lambda _: threading.current_thread().name) == f"gpu-lane_{generation}"
    )
    stuck.free.set()
    await asyncio.to_thread(stuck.over.wait, 10)
    assert stuck.steps == 0, "a job that was given up went on"
    assert await impatient.run(lambda _: "free") == "free"
    assert impatient.generation == generation == 1


async def test_whoever_waits_behind_a_stuck_job_has_their_turn(impatient: GpuLane) -> None:
    """Waiting is not standing still, however long it takes."""
    stuck, order = Stuck(), []

    def job(number: int, _: Stopped) -> int:
        order.append(number)
        return number

    first = asyncio.create_task(impatient.run(stuck))
    others = [asyncio.create_task(impatient.run(partial(job, number))) for number in range(3)]
    outcomes = await asyncio.gather(first, *others, return_exceptions=True)
    assert isinstance(outcomes[0], EngineHung)
    assert outcomes[1:] == order == [0, 1, 2]
    stuck.free.set()


async def test_every_look_is_a_sign_of_life(impatient: GpuLane) -> None:
    def job(stopped: Stopped) -> str:
        for _ in range(10):
            stopped.check()
            time.sleep(STEP_S / 5)
        return "slow"

    assert await impatient.run(job) == "slow"


async def test_a_job_without_steps_has_its_own_patience(impatient: GpuLane) -> None:
    await impatient.run(lambda _: time.sleep(STEP_S * 2))
    hasty = GpuLane(step_timeout_s=1000, job_timeout_s=STEP_S)
    gate = threading.Event()
    with pytest.raises(EngineHung):
        await hasty.run(lambda _: gate.wait(60))
    gate.set()
    hasty.close()


async def test_the_cancel_of_a_stuck_job_comes_out(impatient: GpuLane) -> None:
    stuck = Stuck()
    task = asyncio.create_task(impatient.run(stuck))
    await asyncio.to_thread(stuck.begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await impatient.run(lambda _: "free") == "free"
    stuck.free.set()


async def test_what_happens_again_and_again_is_told_and_has_an_end(impatient: GpuLane) -> None:
    """Stuck threads hold their models: no more are begun until they come back."""
    others = set(threading.enumerate())
    jobs = [Stuck() for _ in range(STUCK_MAX)]
    for number, stuck in enumerate(jobs, start=1):
        with pytest.raises(EngineHung):
            await impatient.run(stuck)
        assert (impatient.trouble() is not None) == (number >= OFTEN)
    with pytest.raises(EngineHung, match="restart the studio"):
        await impatient.run(lambda _: "one more")
    for stuck in jobs:
        stuck.free.set()
        await asyncio.to_thread(stuck.over.wait, 10)
    await asyncio.to_thread(_until_only, "gpu-lane_3", others)
    assert await impatient.run(lambda _: "loaded") == "loaded"
    assert impatient.trouble() is not None, "no step was done yet"
    await impatient.run(Stopped.check)
    assert impatient.trouble() is None


def _until_only(name: str, others: set[threading.Thread]) -> None:
    """Wait until no thread of a lane is alive but the one called `name`, and `others`."""
    for thread in set(threading.enumerate()) - others:
        if thread.name.startswith("gpu-lane") and thread.name != name:
            thread.join(10)
            assert not thread.is_alive()


STOPPED_PROCESS = f"""
import asyncio, threading, time
from tools.errors import EngineHung
from tools.lane import GpuLane

def steps(stopped):
    for number in range(4):
        stopped.check()
        time.sleep({STEP_S / 5})
        print(number, flush=True)
        for _ in range(10):  # there is some of the step to come when the process goes on
            time.sleep({STEP_S / 50})
    return "done"

def stuck(stopped):
    stopped.check()
    threading.Event().wait()

async def main():
    lane = GpuLane({STEP_S})
    print(await lane.run(steps), flush=True)
    try:
        await lane.run(stuck)
    except EngineHung as error:
        print(error.code, flush=True)
    lane.close()

asyncio.run(main())
"""


def test_time_in_which_the_process_was_stopped_does_not_count() -> None:
    """A laptop asleep is no hung engine. And a thread that is stuck for ever does not keep the process from ending."""
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED_PROCESS], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        seen = [child.stdout.readline().strip() for _ in range(2)]
        child.send_signal(signal.SIGSTOP)
        time.sleep(STEP_S * 5)
        child.send_signal(signal.SIGCONT)
        try:
            rest, _ = child.communicate(timeout=30)
        finally:
            child.kill()
    assert child.returncode == 0
    seen += rest.split()
    assert seen == [*map(str, range(4)), "done", "engine_hung"]


async def test_a_closed_lane_says_so(lane: GpuLane) -> None:
    lane.close()
    with pytest.raises(RuntimeError):
        await lane.run(lambda _: "late")


async def test_cancelled_is_what_a_told_job_raises() -> None:
    stopped = Stopped()
    stopped.check()
    stopped.set()
    with pytest.raises(Cancelled):
        stopped.check()
    assert stopped.looks == 2
