"""Read a thread, watch a run, stop a run: addresses that the studio shares with the Agent Server protocol."""

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel
from sse_starlette import EventSourceResponse

from server.agent import runs as agent_runs
from server.agent import threads as agent_threads
from server.agent.desk import DeskDep
from server.agent.schemas import QueryList
from server.deps import ContextDep, GraphDep, LogDep, RunsDep
from server.eventlog import EventLog, Thread
from server.events import artifact_url
from server.problems import PROBLEMS
from server.retention import forget_thread
from server.sse import STREAM, event_stream
from tools.errors import InvalidRequest

router = APIRouter(prefix="/threads/{thread_id}", tags=["threads"], responses=PROBLEMS)


class RunSummary(BaseModel):
    """One execution on a thread."""

    run_id: str
    status: Literal["queued", "running", "success", "interrupted", "error", "cancelled"]
    message: str | None  # None: it answered a question, or went back to a checkpoint
    versions: dict[str, str] | None  # of the release that made its result; None: it has none
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


class ThreadView(ThreadSummary):
    """The same, with what the Agent Server protocol says of a thread."""

    updated_at: str
    metadata: dict[str, Any]  # the callers' own notes
    values: dict[str, Any] | None  # the state; None before the first run
    interrupts: dict[str, list[dict[str, Any]]]  # by task
    config: dict[str, Any]


@router.get("")
async def show(thread_id: str, desk: DeskDep) -> ThreadView:
    """Say where a thread stands and what it has made."""
    found = await desk.log.thread(thread_id)
    protocol = await agent_threads.view(found, desk)
    return ThreadView.model_validate({**protocol, **_summary(found).model_dump()})


@router.delete("", status_code=204)
async def delete(
    thread_id: str, runs: RunsDep, log: LogDep, graph: GraphDep, context: ContextDep
) -> None:
    """Delete a thread for good: its runs, events, checkpoints, and the pictures that no other thread names.

    What is under way is cancelled first. 409 when a new run comes in meanwhile.
    """
    await forget_thread(thread_id, runs, log, graph, context)


async def thread(thread_id: str, log: EventLog) -> ThreadSummary:
    """Say where a thread stands and what it has made. Raises `NotFound` (`unknown_thread`)."""
    return _summary(await log.thread(thread_id))


def _summary(found: Thread) -> ThreadSummary:
    requests = [run.input["request"] for run in found.runs if "request" in run.input]
    sketches = [request["sketch"] for request in requests if request["sketch"]]
    made_by = {result["run_id"]: result.get("versions") for result in found.results}
    return ThreadSummary(
        thread_id=found.thread_id,
        created_at=found.created_at,
        status=agent_threads.status_of(found),
        messages=[request["message"] for request in requests],
        sketch_url=artifact_url(sketches[-1]) if sketches else None,
        runs=[
            RunSummary(
                run_id=run.run_id,
                status=run.status,
                message=run.input["request"]["message"] if "request" in run.input else None,
                versions=made_by.get(run.run_id),
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
    desk: DeskDep,
    runs: RunsDep,
    format: Literal["studio", "langgraph"] | None = None,  # noqa: A002  the name on the wire
    stream_mode: QueryList = None,
    cancel_on_disconnect: bool | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Replay a run from the event after `Last-Event-ID`, then follow it until it ends.

    In the studio's words or in those of the Agent Server protocol: as `format` says, else as the protocol's own
    parameters do, else as the run came.
    """
    run = await desk.log.run(thread_id, run_id)
    asked = stream_mode is not None or cancel_on_disconnect is not None
    if format == "langgraph" or (format is None and (asked or agent_runs.came_by(run))):
        return await agent_runs.join_stream(
            desk, run, stream_mode, last_event_id, cancel_on_disconnect=bool(cancel_on_disconnect)
        )
    length = await runs.length(run)
    after = _last_event(last_event_id, length)
    if after == length and run.status not in ("queued", "running"):
        return Response(status_code=204)  # tells an EventSource to stop reconnecting
    return event_stream(runs, run, after)


@router.post("/runs/{run_id}/cancel", status_code=202)
async def cancel(
    thread_id: str,
    run_id: str,
    desk: DeskDep,
    wait: bool | None = None,
    action: agent_runs.Action | None = None,
) -> Any:
    """Stop a run at its next step, where its stream ends. One that has ended stays as it is.

    In the Agent Server protocol, which says `wait` or `action`, that is a 404.
    """
    run = await desk.log.run(thread_id, run_id)
    if wait is not None or action is not None:
        return await agent_runs.stop(desk, run, action or "interrupt", wait=bool(wait))
    cancelling = await desk.runs.cancel(run)
    return {"run_id": run_id, "status": "cancelling" if cancelling else run.status}


def _last_event(sent: str | None, length: int) -> int:
    if sent is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", sent) or int(sent) > length:
        raise InvalidRequest(
            f"Last-Event-ID {sent[:40]!r}: this run has told {length} events so far.",
            code="invalid_last_event_id",
        )
    return int(sent)
