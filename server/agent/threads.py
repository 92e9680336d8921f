"""Make, find, note on and copy threads."""

import json
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Body, Header, Response
from fastapi.responses import JSONResponse

from graph.checkpoints import copy_thread, forget_thread
from server.agent.assistants import ASSISTANT_ID
from server.agent.desk import Desk, DeskDep, Unsupported, config_at
from server.agent.runs import picked
from server.agent.schemas import ThreadCreate, ThreadFilter, ThreadPatch, ThreadSearch
from server.agent.states import asked
from server.agent.values import GRAPH, shown
from server.eventlog import Thread
from server.problems import PROBLEMS
from tools.errors import Conflict

router = APIRouter(prefix="/threads", tags=["agent server"], responses=PROBLEMS)

Status = Literal["idle", "busy", "interrupted", "error"]


class Row(NamedTuple):
    """A thread at a glance."""

    thread_id: str
    created_at: str
    updated_at: str
    metadata: dict[str, Any]
    status: Status


@router.post("")
async def create(
    desk: DeskDep, wanted: Annotated[ThreadCreate, Body(default_factory=ThreadCreate)]
) -> Response:
    """Make an empty thread. 409 when there is one of this id, unless `if_exists` is `do_nothing`."""
    if wanted.supersteps or wanted.ttl:
        raise Unsupported("supersteps and ttl are not served here: leave them out.")
    thread_id = wanted.thread_id or str(uuid.uuid4())
    try:
        await desk.log.make_thread(thread_id, wanted.metadata or {})
    except Conflict:
        if wanted.if_exists != "do_nothing":
            raise
    return JSONResponse(await whole(desk, thread_id))


@router.patch("/{thread_id}")
async def note(
    thread_id: str, body: ThreadPatch, desk: DeskDep, prefer: Annotated[str, Header()] = ""
) -> Response:
    """Note on a thread what its callers want to find again."""
    if body.ttl:
        raise Unsupported("ttl is not served here: leave it out.")
    await desk.log.note_on_thread(thread_id, body.metadata)
    if "return=minimal" in prefer:
        return Response(status_code=204)
    return JSONResponse(await whole(desk, thread_id))


@router.post("/search")
async def search(body: ThreadSearch, desk: DeskDep) -> list[dict[str, Any]]:
    """List the threads that are meant, the one that changed last first."""
    if body.extract:
        raise Unsupported("extract is not served here: use select.")
    rows = await _meant(desk, body)
    if body.sort_by or body.sort_order:
        key = (body.sort_by or "updated_at").removeprefix("state_")
        rows.sort(key=lambda row: str(getattr(row, key)), reverse=body.sort_order != "asc")
    page = rows[body.offset :][: body.limit]
    return [picked(await whole(desk, row.thread_id), body.select) for row in page]


@router.post("/count")
async def count(body: ThreadFilter, desk: DeskDep) -> int:
    """Count the threads that are meant."""
    return len(await _meant(desk, body))


@router.post("/prune")
async def not_served() -> None:
    """Threads are deleted one by one."""
    raise Unsupported("Pruning is not served: delete the threads one by one.")


@router.post("/{thread_id}/copy")
async def copy(thread_id: str, desk: DeskDep) -> dict[str, Any]:
    """Copy a thread with its past, its runs and its open question. 409 while a run is under way."""
    thread, fresh = await desk.log.thread(thread_id), str(uuid.uuid4())
    runs = {run.run_id: str(uuid.uuid4()) for run in thread.runs}
    await copy_thread(desk.graph, thread_id, fresh, runs)
    try:
        await desk.log.copy_thread(thread_id, fresh, runs)
    except BaseException:
        await forget_thread(desk.graph, fresh)
        raise
    return await whole(desk, fresh)


async def whole(desk: Desk, thread_id: str) -> dict[str, Any]:
    """Return a thread as the protocol shows it. Raises `NotFound` (`unknown_thread`)."""
    return await view(await desk.log.thread(thread_id), desk)


async def view(thread: Thread, desk: Desk) -> dict[str, Any]:
    """Return a thread as the protocol shows it."""
    snapshot = await desk.graph.aget_state(config_at(thread.thread_id))
    waiting = thread.question["id"] if thread.question else None
    interrupts = {
        task.id: [asked(interrupt) for interrupt in task.interrupts]
        for task in snapshot.tasks
        if any(interrupt.id == waiting for interrupt in task.interrupts)
    }
    return {
        "thread_id": thread.thread_id,
        "created_at": thread.created_at,
        "updated_at": thread.updated_at,
        "metadata": _metadata(thread.metadata, begun=bool(thread.runs)),
        "status": status_of(thread),
        "config": {},
        "values": shown(snapshot.values, desk.base_url) or None,
        "interrupts": interrupts,
    }


def status_of(thread: Thread) -> Status:
    """Where a thread stands; `interrupted` waits for an answer."""
    if thread.question:
        return "interrupted"
    states = [run.status for run in thread.runs]
    if "running" in states or "queued" in states:
        return "busy"
    return "error" if states and states[-1] == "error" else "idle"


async def _meant(desk: Desk, wanted: ThreadFilter) -> list[Row]:
    if wanted.values:
        raise Unsupported("values are not searched here: use metadata, status or ids.")
    metadata = wanted.metadata or {}
    return [
        row
        for row in await desk.log.database.call(_rows)
        if metadata.items() <= row.metadata.items()
        and wanted.status in (None, row.status)
        and (wanted.ids is None or row.thread_id in wanted.ids)
    ]


def _rows(db: sqlite3.Connection) -> list[Row]:
    """Every thread, the one that changed last first; its status as `status_of` says it."""
    rows = db.execute(
        "SELECT thread_id, created_at, updated_at, metadata, CASE"
        " WHEN EXISTS (SELECT 1 FROM questions q WHERE q.thread_id = t.thread_id AND status = 'open')"
        "  THEN 'interrupted'"
        " WHEN EXISTS (SELECT 1 FROM runs r WHERE r.thread_id = t.thread_id AND ended_at IS NULL) THEN 'busy'"
        " ELSE (SELECT CASE status WHEN 'error' THEN 'error' ELSE 'idle' END FROM runs r"
        "  WHERE r.thread_id = t.thread_id ORDER BY rowid DESC LIMIT 1) END"
        " FROM threads t ORDER BY updated_at DESC, rowid DESC"
    )
    return [
        Row(
            thread_id,
            created_at,
            updated_at,
            _metadata(json.loads(noted), begun=status is not None),
            status or "idle",
        )
        for thread_id, created_at, updated_at, noted, status in rows
    ]


def _metadata(noted: Mapping[str, Any], *, begun: bool) -> dict[str, Any]:
    """A thread that has had a run says whose it was, for UIs that look for their own."""
    return {**({"graph_id": GRAPH, "assistant_id": ASSISTANT_ID} if begun else {}), **noted}
