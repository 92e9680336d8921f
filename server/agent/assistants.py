"""The one assistant of the studio, and what the protocol says about the server itself."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Query

from graph.choice import StyleChoice
from graph.settings import VERSION
from server.agent.schemas import AssistantSearch, Input, RunContext
from server.agent.values import GRAPH, SHOWN
from server.deps import GraphDep
from server.problems import PROBLEMS
from tools.errors import InvalidRequest, NotFound

router = APIRouter(tags=["agent server"], responses=PROBLEMS)

# The namespace in which the reference server names the assistant of a graph.
ASSISTANT_ID = str(uuid.uuid5(uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8"), GRAPH))
NAMES = (GRAPH, ASSISTANT_ID)
SINCE = "2026-01-01T00:00:00+00:00"  # it has always been there

ASSISTANT: dict[str, Any] = {
    "assistant_id": ASSISTANT_ID,
    "graph_id": GRAPH,
    "name": GRAPH,
    "description": "A sketch and a sentence become a picture.",
    "config": {},
    "context": {},
    "metadata": {"created_by": "system"},
    "version": 1,
    "created_at": SINCE,
    "updated_at": SINCE,
}


def check_assistant(assistant_id: str) -> None:
    """Raises `InvalidRequest` (`unknown_assistant`)."""
    if assistant_id not in NAMES:
        raise InvalidRequest(
            f"There is no assistant {assistant_id[:60]!r}: its name is {GRAPH}.",
            code="unknown_assistant",
        )


@router.get("/ok")
async def ok() -> dict[str, bool]:
    """The process answers."""
    return {"ok": True}


@router.get("/info")
async def info() -> dict[str, Any]:
    """Which server this is, and what of the protocol it serves."""
    return {
        "version": VERSION,
        "flags": {"assistants": True, "crons": False, "langsmith": False, "store": True},
    }


@router.post("/assistants/search")
async def search(wanted: AssistantSearch) -> list[dict[str, Any]]:
    """List the assistants: there is one."""
    found = _found(wanted)[wanted.offset :][: wanted.limit]
    if wanted.select:
        return [{key: each[key] for key in wanted.select if key in each} for each in found]
    return found


@router.post("/assistants/count")
async def count(wanted: AssistantSearch) -> int:
    """Count the assistants that are meant."""
    return len(_found(wanted))


@router.get("/assistants/{assistant_id}")
async def get(assistant_id: str) -> dict[str, Any]:
    """Show an assistant, by its id or its name."""
    _find(assistant_id)
    return ASSISTANT


@router.get("/assistants/{assistant_id}/graph")
async def graph(
    assistant_id: str,
    graph: GraphDep,
    xray: Annotated[bool | int, Query(description="There are no subgraphs to look into.")] = False,  # noqa: ARG001
) -> dict[str, list[dict[str, Any]]]:
    """Show the graph as nodes and edges."""
    _find(assistant_id)
    return graph.get_graph().to_json()


@router.get("/assistants/{assistant_id}/schemas")
async def schemas(assistant_id: str) -> dict[str, Any]:
    """Show what a run takes and gives."""
    _find(assistant_id)
    message = {"type": "object", "title": "Message"}
    messages = {"type": "array", "items": message}
    state = {
        "title": "Values",
        "type": "object",
        "properties": {"messages": messages, **{key: {} for key in SHOWN}},
    }
    said = {"title": "Input", "type": "object", "properties": {"messages": messages}}
    return {
        "graph_id": GRAPH,
        "input_schema": {"anyOf": [said, Input.model_json_schema()]},
        "output_schema": state,
        "state_schema": state,
        "config_schema": RunContext.model_json_schema(),
        "context_schema": RunContext.model_json_schema(),
        "interrupt_schema": StyleChoice.model_json_schema(),
    }


@router.get("/assistants/{assistant_id}/subgraphs")
async def subgraphs(assistant_id: str) -> dict[str, Any]:
    """The graph has none."""
    _find(assistant_id)
    return {}


@router.get("/assistants/{assistant_id}/subgraphs/{namespace}")
async def subgraphs_below(assistant_id: str, namespace: str) -> dict[str, Any]:  # noqa: ARG001
    """The graph has none."""
    return await subgraphs(assistant_id)


@router.post("/assistants/{assistant_id}/versions")
async def versions(assistant_id: str) -> list[dict[str, Any]]:
    """List the versions of an assistant: there is one."""
    _find(assistant_id)
    return [ASSISTANT]


def _find(assistant_id: str) -> None:
    if assistant_id not in NAMES:
        raise NotFound(
            f"There is no assistant {assistant_id[:60]!r}: its name is {GRAPH}.",
            code="unknown_assistant",
        )


def _found(wanted: AssistantSearch) -> list[dict[str, Any]]:
    metadata = ASSISTANT["metadata"]
    meant = (
        wanted.graph_id in (None, GRAPH)
        and (wanted.name or "").lower() in GRAPH
        and (wanted.metadata or {}).items() <= metadata.items()
    )
    return [ASSISTANT] if meant else []
