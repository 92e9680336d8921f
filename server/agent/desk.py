"""From a checked body to a run on a thread: what all routes of the protocol share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot
from pydantic import TypeAdapter, ValidationError

from graph.build import Graph
from graph.choice import StyleChoice, parse_style, settle
from graph.context import Context
from graph.travel import READ_FIRST_BY
from server.agent.assistants import check_assistant
from server.agent.given import check_sketch, read_answer, read_edit, read_request
from server.agent.schemas import RunBody, StateEdit, ThreadId
from server.agent.wire import MODES
from server.deps import CallerDep, ContextDep, GraphDep, LogDep, RunsDep
from server.eventlog import EventLog, Run
from server.runs import Runs
from server.schemas import Wish
from server.wishes import IdempotencyKey, check_bounds, check_choice, once_of
from tools.errors import Conflict, InvalidRequest, NotFound

PROTOCOL = "langgraph"  # in `Run.wire`: the protocol that the run came by
SILENT = ("tools", "lifecycle")  # of which a graph without tools and subgraphs tells nothing
NULLABLE = ("steps", "size")  # None there: the profile's default
THREAD_ID: TypeAdapter[str] = TypeAdapter(ThreadId)
MODES_KNOWN = (*MODES, "messages", *SILENT)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a call of this protocol works with."""

    context: Context
    log: EventLog
    runs: Runs
    graph: Graph
    caller: str
    base_url: str  # of this server, as the caller reached it; ends without a slash
    key: str | None  # the caller's `Idempotency-Key`


def _desk(
    request: Request,
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    graph: GraphDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
) -> Desk:
    base_url = str(request.base_url).rstrip("/")
    return Desk(context, log, runs, graph, caller, base_url, idempotency_key)


DeskDep = Annotated[Desk, Depends(_desk)]


class Unsupported(InvalidRequest):
    """The protocol has it, the studio has not."""

    code = "unsupported"


async def begin(desk: Desk, thread_id: str | None, body: RunBody) -> Run:
    """Start the run that `body` asks for, on a new thread when there is none.

    Raises what `read_request` and `Runs.accept` do, `NotFound` (`unknown_thread`, `unknown_checkpoint`), `Unsupported`.
    """
    check_assistant(body.assistant_id)
    _check_served(body, thread_id)
    how: dict[str, Any] = {
        "caller": desk.caller,
        "once": once_of(desk.key, thread_id, body.model_dump()),
        "strategy": body.multitask_strategy or "enqueue",
        "wire": _memory(body),
    }
    create = body.if_not_exists == "create"
    if thread_id is not None and not (create and body.input is not None):
        await desk.log.check_thread(thread_id)
    if thread_id is not None and body.place is not None:
        await snapshot_at(desk, thread_id, body.place)
    if body.command and body.command.resume is not None:
        return await _answer(desk, _known(thread_id), body, how)
    if body.input is None:
        return await _go_on(desk, _known(thread_id), body, how)
    request = await read_request(body, desk.context)
    if thread_id is not None and create:
        await make_if_missing(desk.log, thread_id)
    return await desk.runs.start(request, thread_id, checkpoint_id=body.place, **how)


async def make_if_missing(log: EventLog, thread_id: str) -> None:
    """Make an empty thread, unless it is there. Raises `InvalidRequest` (`invalid_thread_id`)."""
    try:
        THREAD_ID.validate_python(thread_id)
    except ValidationError as error:
        raise InvalidRequest(
            f"{thread_id[:60]!r} cannot name a thread: choose a UUID.", code="invalid_thread_id"
        ) from error
    try:
        await log.make_thread(thread_id, {})
    except Conflict as error:
        if error.code != "thread_exists":
            raise


def read_modes(stream_mode: str | list[str] | None) -> list[str]:
    """Return the modes that are named; none where nobody chose. Raises `Unsupported`."""
    modes = [stream_mode] if isinstance(stream_mode, str) else stream_mode or []
    modes = [mode for mode in modes if mode]
    for mode in modes:
        if mode not in MODES_KNOWN:
            raise Unsupported(
                f"stream_mode {mode[:40]!r}: choose among {', '.join(MODES_KNOWN)}.",
                code="unsupported_stream_mode",
            )
    return modes


async def snapshot_at(
    desk: Desk, thread_id: str, checkpoint_id: str | None = None
) -> StateSnapshot:
    """Return the state of a thread, at its end or at a checkpoint; an empty one where there is none yet.

    Raises `NotFound` (`unknown_checkpoint`).
    """
    snapshot = await desk.graph.aget_state(config_at(thread_id, checkpoint_id))
    if checkpoint_id is not None and snapshot.created_at is None:
        raise NotFound(
            f"There is no checkpoint {checkpoint_id[:60]!r} on this thread: read its history.",
            code="unknown_checkpoint",
        )
    return snapshot


def config_at(thread_id: str, checkpoint_id: str | None = None) -> RunnableConfig:
    """Return LangGraph's name for a place on a thread."""
    place = {"thread_id": thread_id}
    if checkpoint_id is not None:
        place |= {"checkpoint_id": checkpoint_id, "checkpoint_ns": ""}
    return {"configurable": place}


async def check_idle(desk: Desk, thread_id: str) -> None:
    """Raises `Conflict` (`thread_busy`) while a run waits or is under way: the thread's end is not yet known."""
    thread = await desk.log.thread(thread_id)
    if any(run.ended_at is None for run in thread.runs):
        raise Conflict(
            "A render is under way on this thread: wait for its end, or cancel it.",
            code="thread_busy",
        )


async def read_changes(desk: Desk, edit: StateEdit, snapshot: StateSnapshot) -> dict[str, Any]:
    """Return `edit` as writes to the state of `snapshot`.

    Raises `InvalidRequest` for what the profile or the library cannot do, and where there is no turn to change yet.
    """
    state = snapshot.values
    if "message" not in state or "__start__" in snapshot.next:
        raise InvalidRequest(
            "There is nothing to change here yet: choose a checkpoint inside a turn.",
            code="nothing_to_change",
        )
    sent = edit.model_dump(exclude_unset=True, exclude={"styles"})
    changes = {key: value for key, value in sent.items() if value is not None or key in NULLABLE}
    settled = {key: state[key] for key in ("steps", "size", "profile")} | changes
    check_bounds(
        Wish(steps=settled["steps"], size=settled["size"]), desk.context.profile(settled["profile"])
    )
    await check_choice(parse_style(edit.style), desk.context)
    begun = "begin" not in snapshot.next  # then the message is already one of the thread's
    if begun and edit.message is not None:
        changes["messages"] = [*state["messages"][:-1], edit.message]
    if edit.sketch is not None:
        await check_sketch(edit.sketch, desk.context)
    if begun and edit.sketch is not None:
        changes["sketches"] = [*state.get("sketches", [])[:-1], edit.sketch]
    if edit.styles is not None:
        choice = StyleChoice(styles=edit.styles)
        await check_choice(choice, desk.context)
        changes["styles"] = settle(choice, desk.context)
    return changes


async def _answer(desk: Desk, thread_id: str, body: RunBody, how: Mapping[str, Any]) -> Run:
    thread = await desk.log.thread(thread_id)
    asked = thread.question or {"id": "", "candidates": []}
    assert body.command is not None
    named, choice = read_answer(body.command.resume, asked["candidates"])
    await check_choice(choice, desk.context)
    return await desk.runs.answer(thread_id, named or asked["id"], choice, **how)


async def _go_on(desk: Desk, thread_id: str, body: RunBody, how: Mapping[str, Any]) -> Run:
    """Do again what followed a checkpoint, or what a stop cut off; changed, where `command.update` says so."""
    if body.place is None:
        await check_idle(desk, thread_id)
    snapshot = await snapshot_at(desk, thread_id, body.place)
    changes = {}
    if body.command and body.command.update:
        changes = await read_changes(desk, read_edit(body.command.update), snapshot)
    if not snapshot.next and not changes.keys() & READ_FIRST_BY.keys():
        raise InvalidRequest(
            "There is nothing to go on with here: send an input, or the checkpoint to go on from.",
            code="invalid_input",
        )
    checkpoint_id = snapshot.config["configurable"]["checkpoint_id"]
    return await desk.runs.fork(thread_id, checkpoint_id, changes, **how)


def _check_served(body: RunBody, thread_id: str | None) -> None:
    """Refuse what would otherwise be quietly left undone."""
    command = body.command
    wanted = {
        "webhook": body.webhook,
        "after_seconds": body.after_seconds,
        "feedback_keys": body.feedback_keys,
        "interrupt_before": body.interrupt_before,
        "interrupt_after": body.interrupt_after,
        "command.goto": command and command.goto,
        "command.update beside command.resume": command and command.resume and command.update,
        "on_completion=delete": body.on_completion == "delete" and thread_id is None,
    }
    for name, value in wanted.items():
        if value:
            raise Unsupported(f"{name} is not served here: leave it out.")
    read_modes(body.stream_mode)


def _known(thread_id: str | None) -> str:
    if thread_id is None:
        raise InvalidRequest("A run without a thread needs an input.", code="invalid_input")
    return thread_id


def _memory(body: RunBody) -> dict[str, Any]:
    """What the protocol must know of a run when it is asked later; pictures stay out of it."""
    return {
        "protocol": PROTOCOL,
        "stream_mode": read_modes(body.stream_mode),
        "metadata": body.metadata or {},
        "multitask_strategy": body.multitask_strategy or "enqueue",
        "config": body.config.model_dump(exclude_unset=True) if body.config else {},
        "context": body.context or {},
    }
