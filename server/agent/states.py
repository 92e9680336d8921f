"""A thread's state, now and at every checkpoint; and a change of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from langgraph.errors import InvalidUpdateError
from langgraph.types import StateSnapshot

from graph.travel import ORDER, writer
from server.agent.assistants import ASSISTANT_ID
from server.agent.desk import Desk, DeskDep, check_idle, config_at, read_changes, snapshot_at
from server.agent.given import read_edit
from server.agent.runs import picked
from server.agent.schemas import Checkpoint, HistoryQuery, Limit, QueryList, StateAt, StateUpdate
from server.agent.values import ASK, GRAPH, question, shown, shown_update
from server.problems import PROBLEMS
from tools.errors import InvalidRequest

router = APIRouter(prefix="/threads/{thread_id}", tags=["agent server"], responses=PROBLEMS)


@router.get("/state")
async def state(thread_id: str, desk: DeskDep, select: QueryList = None) -> dict[str, Any]:
    """Show a thread's state."""
    await desk.log.check_thread(thread_id)
    return picked(view(desk, await snapshot_at(desk, thread_id), thread_id), select)


@router.post("/state")
async def update(thread_id: str, body: StateUpdate, desk: DeskDep) -> dict[str, Any]:
    """Change a thread's state, as if the node `as_node` had; 409 while a run is under way.

    A question that waited is dropped: the thread goes on, with a run without input, from the change.
    """
    await check_idle(desk, thread_id)
    named = body.checkpoint.checkpoint_id if body.checkpoint else None
    snapshot = await snapshot_at(desk, thread_id, named or body.checkpoint_id)
    changes = await read_changes(desk, read_edit(body.values), snapshot)
    if body.as_node is not None:
        _check_node(body.as_node, snapshot)
    try:
        node = body.as_node or writer(snapshot.next)
        config = await desk.graph.aupdate_state(snapshot.config, changes, as_node=node)
    except InvalidUpdateError as error:
        raise InvalidRequest(
            "It is not clear whose change this is: name a node in `as_node`.",
            code="invalid_as_node",
        ) from error
    await desk.log.drop_question(thread_id)
    made = _checkpoint(config["configurable"]["checkpoint_id"], thread_id)
    return {"checkpoint": made, "configurable": made, "checkpoint_id": made["checkpoint_id"]}


@router.get("/state/{checkpoint_id}")
async def state_at(
    thread_id: str, checkpoint_id: str, desk: DeskDep, select: QueryList = None
) -> dict[str, Any]:
    """Show a thread's state at a checkpoint."""
    await desk.log.check_thread(thread_id)
    snapshot = await snapshot_at(desk, thread_id, checkpoint_id)
    return picked(view(desk, snapshot, thread_id), select)


@router.post("/state/checkpoint")
async def state_at_checkpoint(thread_id: str, body: StateAt, desk: DeskDep) -> dict[str, Any]:
    """Show a thread's state at a checkpoint."""
    await desk.log.check_thread(thread_id)
    snapshot = await snapshot_at(desk, thread_id, body.checkpoint.checkpoint_id)
    return view(desk, snapshot, thread_id)


@router.get("/history")
async def past(
    thread_id: str,
    desk: DeskDep,
    limit: Limit = 10,
    before: Annotated[str | None, Query(max_length=100)] = None,
) -> list[dict[str, Any]]:
    """Show a thread's checkpoints, newest first."""
    return await history(desk, thread_id, HistoryQuery(limit=limit, before=before))


@router.post("/history")
async def past_of(thread_id: str, body: HistoryQuery, desk: DeskDep) -> list[dict[str, Any]]:
    """Show a thread's checkpoints, newest first."""
    return await history(desk, thread_id, body)


async def history(desk: Desk, thread_id: str, wanted: HistoryQuery) -> list[dict[str, Any]]:
    """Return the checkpoints that are wanted, newest first. Raises `NotFound` (`unknown_thread`)."""
    await desk.log.check_thread(thread_id)
    before = wanted.before
    if isinstance(before, Checkpoint):
        before = before.checkpoint_id
    named = wanted.checkpoint.checkpoint_id if wanted.checkpoint else None
    found: list[dict[str, Any]] = []
    async for snapshot in desk.graph.aget_state_history(
        config_at(thread_id, named), before=config_at(thread_id, before) if before else None
    ):
        each = view(desk, snapshot, thread_id)
        if (wanted.metadata or {}).items() <= each["metadata"].items():
            found.append(each)
        if len(found) == wanted.limit:
            break
    return found


def view(desk: Desk, snapshot: StateSnapshot, thread_id: str) -> dict[str, Any]:
    """Return a state as the protocol shows it."""
    here, before = _id_of(snapshot.config), _id_of(snapshot.parent_config)
    metadata = dict(snapshot.metadata or {})
    return {
        "values": shown(snapshot.values, desk.base_url),
        "next": list(snapshot.next),
        "tasks": [_task(task, desk.base_url) for task in snapshot.tasks],
        "interrupts": [asked(interrupt) for interrupt in snapshot.interrupts],
        "metadata": {
            **{key: metadata[key] for key in ("source", "step", "parents") if key in metadata},
            **({"run_id": metadata["run"]} if "run" in metadata else {}),
            "thread_id": thread_id,
            "graph_id": GRAPH,
            "assistant_id": ASSISTANT_ID,
        },
        "created_at": snapshot.created_at,
        "checkpoint": here and _checkpoint(here, thread_id),
        "parent_checkpoint": before and _checkpoint(before, thread_id),
        "checkpoint_id": here,
        "parent_checkpoint_id": before,
    }


def asked(interrupt: Any) -> dict[str, Any]:
    """Return one of LangGraph's interrupts as the protocol shows it."""
    return question(
        {
            "id": interrupt.id,
            "value": interrupt.value,
            "response_schema": interrupt.response_schema,
        }
    )


def _check_node(node: str, snapshot: StateSnapshot) -> None:
    """A change may stand in for a node that has been, and for the one that asks; not for what others need."""
    if node not in ORDER:
        raise InvalidRequest(
            f"There is no node {node[:60]!r}: choose among {', '.join(ORDER)}.", code="unknown_node"
        )
    done = ORDER[: ORDER.index(snapshot.next[0])] if snapshot.next else ORDER
    asks = snapshot.next == (ASK,) == (node,)
    if node not in done and not asks:
        raise InvalidRequest(
            f"{node} has not had its turn here: choose among {', '.join(done) or 'earlier checkpoints'}.",
            code="node_not_reached",
        )


def _task(task: Any, base_url: str) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": None if task.error is None else "It failed: its run says why.",
        "interrupts": [asked(interrupt) for interrupt in task.interrupts],
        "checkpoint": None,
        "state": None,
        "result": shown_update(task.result, base_url) if task.result else None,
    }


def _id_of(config: Any) -> str | None:
    return ((config or {}).get("configurable") or {}).get("checkpoint_id")


def _checkpoint(checkpoint_id: str, thread_id: str) -> dict[str, Any]:
    return {"thread_id": thread_id, "checkpoint_ns": "", "checkpoint_id": checkpoint_id}
