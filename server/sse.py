"""A run as a server-sent event stream."""

import json
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent

from server.eventlog import Run
from server.runs import Runs

PING_S = 5  # proxies drop silent streams
SEND_TIMEOUT_S = 15  # a reader that takes nothing for so long is gone
RETRY_MS = 2000  # that a new process takes to be there
GRACE_S = 2  # for streams to close cleanly when the server stops

EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "For `Last-Event-ID`."},
        "event": {"type": "string"},
        "data": {"type": "string", "description": "JSON in one line."},
        "retry": {"type": "string", "description": "ms"},
    },
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, each with an integer id and JSON data: `metadata`, "
        "`queue` while it waits for its turn, `node`, `progress`, then `interrupt`, `result` or `error`, "
        "and `end` at last. A server that stops says `retry`: come back with `Last-Event-ID`.",
        "content": {"text/event-stream": {"schema": EVENT}},
    }
}


def event_stream(runs: Runs, run: Run, after: int = 0) -> EventSourceResponse:
    """Stream the events of `run` with an id above `after`; a reader that leaves stops nothing."""

    async def lines() -> AsyncIterator[ServerSentEvent]:
        last = ""
        async for event in runs.follow(run, after):
            last = event.event
            yield ServerSentEvent(event.data, event=event.event, id=str(event.id), sep="\n")
        if last != "end":
            yield farewell()

    return stream_response(runs, lines())


def farewell() -> ServerSentEvent:
    """The last event of a stream whose server stops before the run's end: when to come back."""
    data = json.dumps({"retry_ms": RETRY_MS})
    return ServerSentEvent(data, event="retry", retry=RETRY_MS, sep="\n")


def stream_response(
    runs: Runs, lines: AsyncIterator[ServerSentEvent], **headers: str
) -> EventSourceResponse:
    """Send `lines` as they come, with a heartbeat, until they end or the server stops."""
    return EventSourceResponse(
        lines,
        headers=headers,
        ping=PING_S,
        send_timeout=SEND_TIMEOUT_S,
        sep="\n",
        shutdown_event=runs.stopping,
        shutdown_grace_period=GRACE_S,
    )
