"""Start a run, hear of it, await it, stop it: the run-centric half of the protocol."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse

from server.agent.assistants import ASSISTANT_ID
from server.agent.desk import PROTOCOL, Desk, DeskDep, Unsupported, begin, read_modes
from server.agent.schemas import CancelMany, Limit, Offset, QueryList, RunBody
from server.agent.stream import Patience, locations, outcome, run_stream
from server.agent.wire import MODES, START, STATUS, read_place
from server.eventlog import Run
from server.problems import PROBLEMS
from tools.errors import NotFound

router = APIRouter(tags=["agent server"], responses=PROBLEMS)

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events of the chosen modes: `metadata` first, `end` at last. Their ids grow; "
        "come back to `Location` with `Last-Event-ID`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}
Action = Literal["interrupt", "rollback"]


@router.post(
    "/threads/{thread_id}/runs/stream", response_class=EventSourceResponse, responses=STREAM
)
async def stream(thread_id: str, body: RunBody, desk: DeskDep) -> EventSourceResponse:
    """Start a run on a thread and stream what its modes hear of it."""
    return _streamed(desk, await begin(desk, thread_id, body), body)


@router.post("/threads/{thread_id}/runs/wait", response_class=JSONResponse)
async def wait(thread_id: str, body: RunBody, desk: DeskDep) -> Response:
    """Start a run on a thread and answer with its values at the end, or its `__error__`."""
    return _awaited(desk, await begin(desk, thread_id, body), body)


@router.post("/threads/{thread_id}/runs")
async def create(thread_id: str, body: RunBody, desk: DeskDep) -> Response:
    """Start a run on a thread; it goes on by itself."""
    return _created(await begin(desk, thread_id, body))


@router.post("/runs/stream", response_class=EventSourceResponse, responses=STREAM)
async def stream_alone(body: RunBody, desk: DeskDep) -> EventSourceResponse:
    """Start a run on a thread of its own and stream what its modes hear of it."""
    return _streamed(desk, await begin(desk, None, body), body)


@router.post("/runs/wait", response_class=JSONResponse)
async def wait_alone(body: RunBody, desk: DeskDep) -> Response:
    """Start a run on a thread of its own and answer with its values at the end, or its `__error__`."""
    return _awaited(desk, await begin(desk, None, body), body)


@router.post("/runs")
async def create_alone(body: RunBody, desk: DeskDep) -> Response:
    """Start a run on a thread of its own; it goes on by itself."""
    return _created(await begin(desk, None, body))


@router.post("/runs/cancel", status_code=204)
async def cancel_many(body: CancelMany, desk: DeskDep, action: Action = "interrupt") -> None:
    """Stop the runs that are meant. 404 when none of them waits or is under way."""
    if not (body.run_ids or body.status):
        raise Unsupported("Say which runs: `run_ids`, or a `status`.", code="invalid_run_ids")
    meant = [
        run
        for run in await desk.log.active()
        if body.thread_id in (None, run.thread_id)
        and (not body.run_ids or run.run_id in body.run_ids)
        and body.status in (None, "all", STATUS[run.status])
    ]
    stopped = [await desk.runs.cancel(run, action) for run in meant]
    if not any(stopped):
        raise _nothing_to_cancel()


@router.post("/runs/batch")
@router.post("/runs/crons")
@router.post("/runs/crons/search")
@router.post("/runs/crons/count")
async def not_served() -> None:
    """Batches and schedules are not served."""
    raise Unsupported("Batches and schedules are not served: start the runs one by one.")


@router.post("/threads/{thread_id}/runs/crons")
async def not_served_on(thread_id: str) -> None:  # noqa: ARG001
    """Schedules are not served."""
    await not_served()


@router.get("/threads/{thread_id}/runs")
async def listing(
    thread_id: str,
    desk: DeskDep,
    limit: Limit = 10,
    offset: Offset = 0,
    status: Literal["pending", "running", "error", "success", "timeout", "interrupted"]
    | None = None,
    select: QueryList = None,
) -> list[dict[str, Any]]:
    """List the runs of a thread, newest first."""
    found = await desk.log.thread(thread_id)
    runs = [view(run) for run in reversed(found.runs)]
    meant = [run for run in runs if status in (None, run["status"])][offset:][:limit]
    return [picked(run, select) for run in meant]


@router.get("/threads/{thread_id}/runs/{run_id}")
async def get(thread_id: str, run_id: str, desk: DeskDep) -> dict[str, Any]:
    """Show a run."""
    return view(await desk.log.run(thread_id, run_id))


@router.delete("/threads/{thread_id}/runs/{run_id}", status_code=204)
async def delete(thread_id: str, run_id: str, desk: DeskDep) -> None:
    """Forget a run that has ended; what it did to the thread stays."""
    await desk.log.delete_run(await desk.log.run(thread_id, run_id))


@router.get("/threads/{thread_id}/runs/{run_id}/join", response_class=JSONResponse)
async def join(
    thread_id: str, run_id: str, desk: DeskDep, cancel_on_disconnect: bool = False
) -> Response:
    """Answer with the values at the end of a run, once it has ended."""
    run = await desk.log.run(thread_id, run_id)
    return Patience(desk, run, tied=cancel_on_disconnect)


async def join_stream(
    desk: Desk,
    run: Run,
    stream_mode: list[str] | None,
    last_event_id: str | None,
    *,
    cancel_on_disconnect: bool,
) -> EventSourceResponse:
    """Stream a run from behind `last_event_id`: what its own modes hear, unless others are named."""
    named = read_modes(stream_mode)
    modes = named or run.wire.get("stream_mode") or MODES
    after = read_place(last_event_id, await desk.runs.length(run))
    return run_stream(desk, run, modes, after, tied=cancel_on_disconnect, located=modes)


async def stop(desk: Desk, run: Run, action: Action, *, wait: bool) -> Response:
    """Stop a run; with `wait`, answer once it has stopped. 404 when it had ended before."""
    if not await desk.runs.cancel(run, action):
        raise _nothing_to_cancel()
    if wait:
        await outcome(desk, run)
    return JSONResponse({})


def came_by(run: Run) -> bool:
    """Whether a run came by this protocol."""
    return run.wire.get("protocol") == PROTOCOL


def view(run: Run) -> dict[str, Any]:
    """Return a run as the protocol shows it."""
    wire = run.wire
    kept = {key: wire[key] for key in ("config", "context", "stream_mode") if key in wire}
    return {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "assistant_id": ASSISTANT_ID,
        "created_at": run.created_at,
        "updated_at": run.ended_at or run.created_at,
        "status": STATUS[run.status],
        "metadata": wire.get("metadata", {}),
        "kwargs": {**kept, "input": run.input.get("request")},
        "multitask_strategy": wire.get("multitask_strategy", "enqueue"),
    }


def picked(whole: Mapping[str, Any], select: list[str] | None) -> dict[str, Any]:
    """Return what of an object is wanted."""
    return {key: value for key, value in whole.items() if not select or key in select}


def _streamed(desk: Desk, run: Run, body: RunBody) -> EventSourceResponse:
    modes = read_modes(body.stream_mode) or ["values"]
    return run_stream(desk, run, modes, START, tied=body.on_disconnect == "cancel", located=modes)


def _awaited(desk: Desk, run: Run, body: RunBody) -> Response:
    return Patience(desk, run, tied=body.on_disconnect == "cancel")


def _created(run: Run) -> Response:
    return JSONResponse(view(run), headers=locations(run))


def _nothing_to_cancel() -> NotFound:
    return NotFound("There is no run to cancel: it has ended.", code="run_ended")
