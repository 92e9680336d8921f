"""Go back: the moments of a thread, and another render from any of them."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from server.agent.desk import config_at
from server.deps import CallerDep, ContextDep, GraphDep, LogDep, RunsDep
from server.problems import PROBLEMS
from server.schemas import SEED_MAX, SIZE_MIN, Wish
from server.sse import STREAM, event_stream
from server.wishes import checked_request
from tools.errors import InvalidRequest, NotFound

LISTED = 200  # checkpoints of one answer; a turn makes about ten

router = APIRouter(tags=["threads"], responses=PROBLEMS)


class Moment(BaseModel):
    """A checkpoint: the thread as it was between two nodes."""

    checkpoint_id: str
    created_at: str  # ISO 8601, UTC
    run_id: str | None  # that came so far
    turn: int  # counts the messages of the thread, from 1
    next: str | None  # the node that followed; None: the turn was done


class Moments(BaseModel):
    """The moments of a thread, newest first."""

    checkpoints: list[Moment]


class ForkBody(BaseModel):
    """A moment, and what shall be otherwise from there on; nothing: the very same again."""

    model_config = ConfigDict(extra="forbid")

    checkpoint_id: str = Field(min_length=1, max_length=100)
    style: str | None = Field(None, max_length=400, description="As in `POST /chat`.")
    seed: int | None = Field(None, ge=0, le=SEED_MAX)
    steps: int | None = Field(None, ge=1)
    size: int | None = Field(None, ge=SIZE_MIN, multiple_of=8)


@router.get("/threads/{thread_id}/checkpoints")
async def checkpoints(
    thread_id: str,
    log: LogDep,
    graph: GraphDep,
    limit: Annotated[int, Query(ge=1, le=LISTED)] = LISTED,
) -> Moments:
    """List the moments to which the thread can go back, newest first."""
    await log.check_thread(thread_id)
    history = graph.aget_state_history(config_at(thread_id), limit=limit)
    return Moments(
        checkpoints=[
            Moment(
                checkpoint_id=moment.config["configurable"]["checkpoint_id"],
                created_at=moment.created_at or "",
                run_id=(moment.metadata or {}).get("run"),
                turn=moment.values.get("turn", 0),
                next=moment.next[0] if moment.next else None,
            )
            async for moment in history
        ]
    )


@router.post("/chat/{thread_id}/fork", response_class=EventSourceResponse, responses=STREAM)
async def fork(
    thread_id: str,
    body: ForkBody,
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    graph: GraphDep,
    caller: CallerDep,
) -> EventSourceResponse:
    """Do again what followed a moment of the thread, in another style, say; the thread goes on from the new render.

    With no change the render is the same, bit for bit.
    """
    await log.check_thread(thread_id)
    moment = await graph.aget_state(config_at(thread_id, body.checkpoint_id))
    changes = body.model_dump(exclude={"checkpoint_id"}, exclude_none=True)
    if moment.created_at is None:
        raise NotFound(
            f"This thread has no checkpoint {body.checkpoint_id[:60]!r}: list them, and take one.",
            code="unknown_checkpoint",
        )
    if not moment.next and not changes:
        raise InvalidRequest(
            "Nothing followed this checkpoint: take an earlier one, or change something.",
            code="nothing_follows",
        )
    wish = Wish.model_validate({**changes, "profile": moment.values.get("profile")})
    await checked_request(moment.values.get("message", ""), wish, context)
    run = await runs.fork(thread_id, body.checkpoint_id, changes, caller=caller)
    return event_stream(runs, run)
