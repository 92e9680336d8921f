"""What callers of the Agent Server protocol send, with its bounds.

Fields that are not named here are ignored, as the reference server does; what is named and cannot be done is refused.
"""

import json
import math
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from graph.choice import StyleShare
from server.eventlog import Strategy
from server.schemas import Message, Wish

DEPTH_MAX = 32  # of nested JSON
NOTES_MAX = 65_536  # characters of JSON that are kept with a thread, a run or an item
PAGE_MAX = 1000


def _plain(value: Any) -> Any:
    """Refuse what JSON cannot say again: NaN, lone surrogates, and nesting that no writer follows."""
    waiting = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise PydanticCustomError("too_deep", "is nested too deeply")
        match part:
            case float() if not math.isfinite(part):
                raise PydanticCustomError("not_finite", "holds a number that JSON has not")
            case str() if not _whole(part):
                raise PydanticCustomError("surrogate", "holds half of a character")
            case dict():
                waiting += [(each, depth + 1) for pair in part.items() for each in pair]
            case list():
                waiting += [(each, depth + 1) for each in part]
    return value


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _small(value: Any) -> Any:
    said = value.model_dump() if isinstance(value, BaseModel) else value
    if len(json.dumps(said)) > NOTES_MAX:
        raise PydanticCustomError("too_large", "is too large to keep: send less")
    return value


def _unfolded(values: Any) -> Any:
    """A list in a query comes one value to a parameter, or as JSON in one, as JavaScript's client writes it."""
    if not isinstance(values, list):
        return values
    unfolded: list[Any] = []
    for value in values:
        try:
            more = json.loads(value) if str(value).startswith("[") else [value]
        except ValueError:
            more = [value]
        unfolded.extend(more)
    return unfolded


def _named(value: Any) -> Any:
    """JavaScript's client names a checkpoint as LangChain's config does."""
    match value:
        case {"configurable": dict(place)}:
            return place
    return value


QueryList = Annotated[list[str] | None, BeforeValidator(_unfolded), Query()]
Notes = Annotated[dict[str, Any], AfterValidator(_small)]
Limit = Annotated[int, Field(ge=1, le=PAGE_MAX)]
Offset = Annotated[int, Field(ge=0, le=2**53)]
ThreadId = Annotated[
    str,
    Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", description="A UUID."),
]


class Body(BaseModel):
    """A JSON body, whose numbers are numbers: true is no 1."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def plain(cls, value: Any) -> Any:
        return _plain(value)


class RunContext(Wish):
    """The `context` of a run: how to render."""

    sketch: str | None = Field(None, description="Artifact id of the drawing.")


class Input(RunContext):
    """The `input` of a run as the studio itself says it."""

    model_config = ConfigDict(extra="ignore")

    message: Message


class StateEdit(Wish):
    """What may be changed in a thread's state, each for itself."""

    message: Message | None = None
    sketch: str | None = Field(None, description="Artifact id of the drawing.")
    styles: Annotated[list[StyleShare], Field(max_length=4)] | None = None


class Checkpoint(BaseModel):
    """A place in a thread's past."""

    checkpoint_id: str | None = Field(None, max_length=100)
    checkpoint_ns: Literal[""] | None = ""  # the graph has no subgraphs


class RunConfig(BaseModel):
    """LangChain's own way to say how to render; what else stands in it is kept and not read."""

    model_config = ConfigDict(extra="allow")

    configurable: dict[str, Any] | None = None


class CommandBody(BaseModel):
    """Instead of an input: the answer to a question, or a change of the state."""

    resume: Any = None
    update: dict[str, Any] | None = None
    goto: Any = None


class RunBody(Body):
    """A run, and how to hear of it."""

    assistant_id: str = Field(max_length=100, description="`artisan`, or its id.")
    input: Any = Field(
        None,
        description='`{"messages": [...]}`: the last human message, with the sketch as an image block.',
    )
    command: CommandBody | None = None
    context: Notes | None = None
    config: Annotated[RunConfig, AfterValidator(_small)] | None = None
    metadata: Notes | None = None
    stream_mode: str | list[str] | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: str | None = Field(None, max_length=100)
    multitask_strategy: Strategy | None = None
    if_not_exists: Literal["create", "reject"] | None = None
    on_disconnect: Literal["cancel", "continue"] | None = None
    on_completion: Literal["delete", "keep"] | None = None
    interrupt_before: Literal["*"] | list[str] | None = None
    interrupt_after: Literal["*"] | list[str] | None = None
    feedback_keys: list[str] | None = None
    webhook: str | None = None
    after_seconds: float | None = None

    @property
    def configurable(self) -> dict[str, Any]:
        """The values that `config` sets."""
        return (self.config and self.config.configurable) or {}

    @property
    def place(self) -> str | None:
        """The checkpoint from which the run goes on; None: the thread's end."""
        configured = self.configurable.get("checkpoint_id")
        named = self.checkpoint.checkpoint_id if self.checkpoint else None
        place = named or self.checkpoint_id or configured
        return None if place is None else str(place)


class ThreadCreate(Body):
    """A thread to make."""

    thread_id: ThreadId | None = None
    metadata: Notes | None = None
    if_exists: Literal["raise", "do_nothing"] | None = None
    supersteps: list[Any] | None = None
    ttl: Any = None


class ThreadPatch(Body):
    """What a caller notes on a thread."""

    metadata: Notes
    ttl: Any = None


class ThreadFilter(Body):
    """Which threads are meant."""

    metadata: dict[str, Any] | None = None
    values: dict[str, Any] | None = None
    status: Literal["idle", "busy", "interrupted", "error"] | None = None
    ids: list[str] | None = None


class ThreadSearch(ThreadFilter):
    """Which threads, in which order, and what of them."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: (
        Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"] | None
    ) = None
    sort_order: Literal["asc", "desc"] | None = None
    select: list[str] | None = None
    extract: dict[str, str] | None = None


class StateUpdate(Body):
    """A change of a thread's state."""

    values: dict[str, Any] | None = None
    as_node: str | None = Field(None, max_length=100)
    checkpoint: Checkpoint | None = None
    checkpoint_id: str | None = Field(None, max_length=100)


class StateAt(Body):
    """A checkpoint to show."""

    checkpoint: Checkpoint


class HistoryQuery(Body):
    """Which checkpoints of a thread."""

    limit: Limit = 10
    before: Annotated[str | Checkpoint | None, BeforeValidator(_named)] = None
    metadata: dict[str, Any] | None = None
    checkpoint: Checkpoint | None = None


class CancelMany(Body):
    """Which runs to stop."""

    thread_id: str | None = None
    run_ids: list[str] | None = None
    status: Literal["pending", "running", "all"] | None = None


class AssistantSearch(Body):
    """Which assistants."""

    metadata: dict[str, Any] | None = None
    graph_id: str | None = None
    name: str | None = None
    limit: Limit = 10
    offset: Offset = 0
    select: list[str] | None = None


class Command(Body):
    """One command of the thread-centric protocol."""

    id: int | str
    method: str = Field(max_length=100)
    params: dict[str, Any] | None = None


class Response(BaseModel):
    """An answer to a question."""

    interrupt_id: str = Field(max_length=100)
    response: Any = None


class StateGet(BaseModel):
    """What of a thread's state to show."""

    namespace: list[str] = []
    keys: list[str] | None = None


class Subscription(Body):
    """What of a thread's events to hear."""

    channels: Annotated[list[str], Field(max_length=100)]
    namespaces: list[list[str]] | None = None
    depth: int | None = None
    since: Annotated[int, Field(ge=0, le=2**53)] | None = None


Label = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^.\x00]+$")]
Namespace = Annotated[list[Label], Field(max_length=20)]
Key = Annotated[str, Field(min_length=1, max_length=500)]


class Item(Body):
    """Something to keep under a key."""

    namespace: Namespace
    key: Key
    value: Notes
    index: bool | list[str] | None = None
    ttl: float | None = None


class ItemKey(Body):
    """Where something is kept."""

    namespace: Namespace
    key: Key


class ItemSearch(Body):
    """Which items."""

    namespace_prefix: Namespace = []
    filter: dict[str, Any] | None = None
    limit: Limit = 10
    offset: Offset = 0
    query: str | None = None


class NamespaceSearch(Body):
    """Which namespaces; `*` stands for any label."""

    prefix: Namespace | None = None
    suffix: Namespace | None = None
    max_depth: Annotated[int, Field(ge=1, le=20)] | None = None
    limit: Limit = 100
    offset: Offset = 0
