"""The thread-centric half of the protocol: commands to a thread, and all that its runs say on one stream."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from server.agent.assistants import ASSISTANT_ID
from server.agent.channels import CHANNELS, NAMED, Teller, first_seq, hears, seq_of
from server.agent.desk import THREAD_ID, Desk, DeskDep, Unsupported, begin, snapshot_at
from server.agent.following import Unheard, past_runs, rows
from server.agent.runs import STREAM, picked
from server.agent.schemas import (
    Command,
    HistoryQuery,
    QueryList,
    Response,
    RunBody,
    StateGet,
    Subscription,
)
from server.agent.states import history
from server.agent.threads import status_of
from server.agent.values import GRAPH, shown
from server.agent.wire import ALWAYS, MODES, Translator
from server.eventlog import Run
from server.problems import PROBLEMS
from server.sse import RETRY_MS, stream_response
from tools.errors import AppError, Conflict, InvalidRequest, NotFound

router = APIRouter(prefix="/threads/{thread_id}", tags=["agent server"], responses=PROBLEMS)

LastEventId = Annotated[str | None, Header()]
EVENT_ID = re.compile(r"([0-9a-f-]{36}):([0-9]{1,9})-([0-9]{1,9})")
RESPONSES = TypeAdapter(list[Response])
ERRORS = {  # the protocol's word for a refusal
    "no_question": "no_such_interrupt",
    "stale_choice": "no_such_interrupt",
    "unknown_checkpoint": "no_such_checkpoint",
    "unknown_namespace": "no_such_namespace",
    "unknown_command": "unknown_command",
    "unsupported": "not_supported",
}
TREE = {"idle": "completed", "busy": "running", "interrupted": "interrupted", "error": "failed"}


def _unheard(request: Request) -> Unheard:
    unheard: Unheard = request.app.state.unheard
    return unheard


UnheardDep = Annotated[Unheard, Depends(_unheard)]


@router.post("/commands")
async def command(
    thread_id: str, body: Command, desk: DeskDep, unheard: UnheardDep
) -> dict[str, Any]:
    """Do what a command says; a refusal is an answer too."""
    try:
        run_command = COMMANDS.get(body.method)
        if run_command is None:
            known = ", ".join(COMMANDS)
            raise InvalidRequest(
                f"There is no command {body.method[:60]!r}: use {known}.", code="unknown_command"
            )
        done = await run_command(desk, thread_id, body.params or {})
    except AppError as error:
        kind = ERRORS.get(error.code)
        if kind is None:
            kind = "invalid_argument" if error.status in (404, 422) else "unknown_error"
        return _refused(body, kind, error.message)
    except (RequestValidationError, ValidationError) as error:
        fault = error.errors()[0]
        where = ".".join(str(step) for step in fault["loc"])
        return _refused(body, "invalid_argument", f"{where}: {fault['msg']}")
    answer = {"type": "success", "id": body.id}
    if not isinstance(done, Run):
        return {**answer, "result": done}
    unheard.add(done)
    result = {"run_id": done.run_id, "thread_id": done.thread_id}
    return {**answer, "result": result, "meta": {"applied_through_seq": await _before(desk, done)}}


@router.post("/stream/events", response_class=EventSourceResponse, responses=STREAM)
async def events(
    thread_id: str,
    body: Subscription,
    desk: DeskDep,
    unheard: UnheardDep,
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """Stream what the runs of a thread say on some channels, for as long as the reader stays.

    It begins behind `Last-Event-ID` or `since`, else with the run that is under way or waits for an answer. The thread
    may be one that its first command will make.
    """
    for channel in body.channels:
        if channel not in CHANNELS and not (channel.startswith(NAMED) and channel != NAMED):
            raise InvalidRequest(
                f"There is no channel {channel[:60]!r}: choose among {', '.join(CHANNELS)} and {NAMED}<name>.",
                code="invalid_channels",
            )
    try:
        THREAD_ID.validate_python(thread_id)
    except ValidationError:
        await desk.log.check_thread(thread_id)
    since = body.since if last_event_id is None else await _seq(desk, thread_id, last_event_id)
    channels = body.channels if _hears_root(body.namespaces) else []
    lines = _lines(desk, thread_id, channels, since, unheard)
    return stream_response(desk.runs, lines)


@router.get("/stream", response_class=EventSourceResponse, responses=STREAM)
async def runs_of_thread(
    thread_id: str,
    desk: DeskDep,
    unheard: UnheardDep,
    stream_mode: QueryList = None,
    last_event_id: LastEventId = None,
) -> EventSourceResponse:
    """Stream the runs of a thread, each in its own modes, for as long as the reader stays.

    It begins behind `Last-Event-ID`, else with the run that is under way or waits for an answer.
    """
    await desk.log.check_thread(thread_id)
    if stream_mode not in (None, ["run_modes"]):
        raise Unsupported("stream_mode: only run_modes is served here.")
    since = None if last_event_id is None else await _seq(desk, thread_id, last_event_id)
    past = await past_runs(desk, thread_id, since, unheard, watches=False)
    return stream_response(desk.runs, _modes_of_runs(desk, thread_id, since, past))


async def _modes_of_runs(
    desk: Desk, thread_id: str, since: int | None, past: set[str]
) -> AsyncIterator[ServerSentEvent]:
    translator: Translator | None = None
    async for number, run, event in rows(desk, thread_id, past):
        if translator is None or translator.run is not run:
            translator = Translator(run, desk.base_url)
        modes = (ALWAYS, *(run.wire.get("stream_mode") or MODES))
        for place, part in enumerate(translator.tell(event), start=1):
            seq = seq_of(number, event.id, place)
            if seq > (since or 0) and part.mode in modes:
                name = "run_done" if part.event == "end" else part.event
                data = json.dumps(part.data, separators=(",", ":"))
                yield ServerSentEvent(data, event=name, id=str(seq), sep="\n")
    yield ServerSentEvent(retry=RETRY_MS, sep="\n")


async def _seq(desk: Desk, thread_id: str, last_event_id: str) -> int:
    """Read where a reader was: a sequence number, the `event_id` of an event, or -1 for the beginning."""
    if last_event_id == "-1":
        return 0
    if re.fullmatch(r"[0-9]{1,16}", last_event_id):
        return int(last_event_id)
    if found := EVENT_ID.fullmatch(last_event_id):
        for number, run in await desk.log.numbered(thread_id):
            if run.run_id == found[1]:
                return seq_of(number, int(found[2]), int(found[3]))
    raise InvalidRequest(
        f"Last-Event-ID {last_event_id[:60]!r}: send back an id of this thread's own events.",
        code="invalid_last_event_id",
    )


async def _lines(
    desk: Desk, thread_id: str, channels: list[str], since: int | None, unheard: Unheard
) -> AsyncIterator[ServerSentEvent]:
    watches = set(channels) <= {"lifecycle", "input"}
    past = await past_runs(desk, thread_id, since, unheard, watches=watches)
    teller: Teller | None = None
    async for number, run, event in rows(desk, thread_id, past):
        if teller is None or teller.run is not run:
            teller = Teller(number, run, desk.base_url)
        for said in teller.tell(event):
            if said.seq > (since or 0) and hears(channels, said.channel):
                data = json.dumps(teller.envelope(said), separators=(",", ":"))
                yield ServerSentEvent(data, event=said.method, id=str(said.seq), sep="\n")
        if event.event == "end":
            unheard.told(run, watches=watches)
    yield ServerSentEvent(retry=RETRY_MS, sep="\n")  # no event: its reader sees none of it


async def _before(desk: Desk, run: Run) -> int:
    """A sequence number before all that the thread still has to say."""
    numbered = await desk.log.numbered(run.thread_id)
    open_ones = [
        number for number, each in numbered if each.run_id == run.run_id or not each.ended_at
    ]
    return first_seq(open_ones[0]) if open_ones else 0


async def _start(desk: Desk, thread_id: str, params: Mapping[str, Any]) -> Run:
    wanted = {"assistant_id": ASSISTANT_ID, "if_not_exists": "create", **params}
    return await begin(desk, thread_id, RunBody.model_validate(wanted))


async def _respond(desk: Desk, thread_id: str, params: Mapping[str, Any]) -> Run:
    answers = RESPONSES.validate_python(params.get("responses") or [params])
    asked = (await desk.log.thread(thread_id)).question or {"id": ""}
    resume = {answer.interrupt_id: answer.response for answer in answers}
    if resume.keys() != {asked["id"]}:
        raise Conflict(
            "This is not the question that waits for an answer: read the thread again.",
            code="stale_choice",
        )
    command = {"resume": resume, "update": params.get("update"), "goto": params.get("goto")}
    kept = {key: params[key] for key in ("config", "metadata") if key in params}
    return await _start(desk, thread_id, {"command": command, **kept})


async def _fork(desk: Desk, thread_id: str, params: Mapping[str, Any]) -> Run:
    await snapshot_at(desk, thread_id, str(params.get("checkpoint_id")))
    return await _start(desk, thread_id, params)


async def _state(desk: Desk, thread_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
    await desk.log.check_thread(thread_id)
    wanted = StateGet.model_validate(params)
    if wanted.namespace:
        raise NotFound(
            "The graph has no subgraphs: leave namespace empty.", code="unknown_namespace"
        )
    snapshot = await snapshot_at(desk, thread_id)
    values = picked(shown(snapshot.values, desk.base_url), wanted.keys)
    here = snapshot.config["configurable"].get("checkpoint_id")
    return {"values": values, **({"checkpoint": {"id": here, "ns": ""}} if here else {})}


async def _checkpoints(desk: Desk, thread_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
    known = {key: params[key] for key in ("limit", "before") if params.get(key) is not None}
    found = await history(desk, thread_id, HistoryQuery.model_validate(known))
    return {
        "checkpoints": [
            {
                "id": each["checkpoint_id"],
                "timestamp": each["created_at"],
                "step": each["metadata"].get("step"),
                "metadata": each["metadata"],
            }
            for each in found
        ]
    }


async def _tree(desk: Desk, thread_id: str, _: Mapping[str, Any]) -> dict[str, Any]:
    status = TREE[status_of(await desk.log.thread(thread_id))]
    return {"tree": {"namespace": [], "status": status, "graph_name": GRAPH, "children": []}}


COMMANDS: Mapping[
    str, Callable[[Desk, str, Mapping[str, Any]], Awaitable[Run | dict[str, Any]]]
] = {
    "run.start": _start,
    "input.respond": _respond,
    "state.get": _state,
    "state.listCheckpoints": _checkpoints,
    "state.fork": _fork,
    "agent.getTree": _tree,
}


def _refused(body: Command, kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "id": body.id, "error": kind, "message": message}


def _hears_root(namespaces: list[list[str]] | None) -> bool:
    """Whether the graph itself is among the namespaces: it has no subgraphs, so all is said there."""
    return not namespaces or [] in namespaces
