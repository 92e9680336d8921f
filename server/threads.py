"""Read a thread, watch a run, stop a run."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from server.deps import LogDep, RunsDep
from server.eventlog import Run, Thread
from server.events import artifact_url
from server.problems import PROBLEMS
from server.sse import STREAM, event_stream
from tools.errors import InvalidRequest

router = APIRouter(prefix="/threads/{thread_id}", tags=["threads"], responses=PROBLEMS)


class RunSummary(BaseModel):
    """One execution on a thread."""

    run_id: str
    status: Literal["running", "success", "interrupted", "error", "cancelled"]
    message: str | None  # None: it answered a question
    created_at: str  # ISO 8601, UTC
    ended_at: str | None


class ThreadSummary(BaseModel):
    """A conversation and all that came of it, oldest first."""

    thread_id: str
    created_at: str
    status: Literal["idle", "busy", "interrupted", "error"]  # interrupted: waits for an answer
    messages: list[str]
    sketch_url: str | None
    runs: list[RunSummary]
    results: list[dict[str, Any]]  # as in the event `result`, with the `run_id`
    interrupt: dict[str, Any] | None  # the question that waits, as in the event `interrupt`


@router.get("")
async def thread(thread_id: str, log: LogDep) -> ThreadSummary:
    """Say where a thread stands and what it has made."""
    found = await log.thread(thread_id)
    requests = [run.input["request"] for run in found.runs if "request" in run.input]
    sketches = [request["sketch"] for request in requests if request["sketch"]]
    return ThreadSummary(
        thread_id=found.thread_id,
        created_at=found.created_at,
        status=_status(found),
        messages=[request["message"] for request in requests],
        sketch_url=artifact_url(sketches[-1]) if sketches else None,
        runs=[
            RunSummary(
                run_id=run.run_id,
                status=run.status,
                message=run.input["request"]["message"] if "request" in run.input else None,
                created_at=run.created_at,
                ended_at=run.ended_at,
            )
            for run in found.runs
        ],
        results=[dict(result) for result in found.results],
        interrupt=dict(found.question) if found.question else None,
    )


@router.get(
    "/runs/{run_id}/stream",
    response_class=EventSourceResponse,
    responses={**STREAM, 204: {"description": "The run has ended, and all of it has been read."}},
)
async def watch(
    thread_id: str,
    run_id: str,
    log: LogDep,
    runs: RunsDep,
    format: Literal["studio"] = "studio",  # noqa: A002, ARG001  the name on the wire; one so far
    last_event_id: Annotated[int, Header(ge=0)] = 0,
) -> Response:
    """Replay a run from the event after `Last-Event-ID`, then follow it until it ends."""
    run = await log.run(thread_id, run_id)
    length = await runs.length(run)
    if last_event_id > length:
        raise InvalidRequest(
            f"Last-Event-ID {last_event_id}: this run has told {length} events so far.",
            code="invalid_last_event_id",
        )
    if last_event_id == length and run.status != "running":
        return Response(status_code=204)  # tells an EventSource to stop reconnecting
    return event_stream(runs, run, last_event_id)


@router.post("/runs/{run_id}/cancel", status_code=202)
async def cancel(thread_id: str, run_id: str, log: LogDep, runs: RunsDep) -> dict[str, str]:
    """Stop a run at its next step, where its stream ends. One that has ended stays as it is."""
    run: Run = await log.run(thread_id, run_id)
    runs.cancel(run)
    return {"run_id": run_id, "status": "cancelling" if run.status == "running" else run.status}


def _status(found: Thread) -> Literal["idle", "busy", "interrupted", "error"]:
    if found.question:
        return "interrupted"
    match found.runs[-1].status:
        case "running":
            return "busy"
        case "error":
            return "error"
        case _:
            return "idle"
