"""A run as a server-sent event stream."""

from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse, ServerSentEvent

from server.eventlog import Run
from server.runs import Runs

PING_S = 5  # proxies drop silent streams
SEND_TIMEOUT_S = 15  # a reader that takes nothing for so long is gone
GRACE_S = 2  # for streams to close cleanly when the server stops

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events, each with an integer id and JSON data: `metadata`, "
        "`node`, `progress`, then `interrupt`, `result` or `error`, and `end` at last.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def event_stream(runs: Runs, run: Run, after: int = 0) -> EventSourceResponse:
    """Stream the events of `run` with an id above `after`; a reader that leaves stops nothing."""

    async def lines() -> AsyncIterator[ServerSentEvent]:
        async for event in runs.follow(run, after):
            yield ServerSentEvent(event.data, event=event.event, id=str(event.id), sep="\n")

    return EventSourceResponse(
        lines(),
        ping=PING_S,
        send_timeout=SEND_TIMEOUT_S,
        sep="\n",
        shutdown_event=runs.stopping,
        shutdown_grace_period=GRACE_S,
    )
