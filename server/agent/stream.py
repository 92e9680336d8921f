"""A run as the protocol streams it, and a run awaited to its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from server.agent.desk import Desk, snapshot_at
from server.agent.values import shown
from server.agent.wire import ALWAYS, Place, Translator
from server.eventlog import Run
from server.sse import PING_S, RETRY_MS, stream_response
from tools.errors import EngineBusy


def run_url(run: Run) -> str:
    """Where a run is."""
    return f"/threads/{run.thread_id}/runs/{run.run_id}"


def locations(run: Run, after: str = "/stream", modes: Collection[str] = ()) -> dict[str, str]:
    """Return the headers that name a run, and where to hear the rest of it after a cut connection."""
    query = urlencode({"stream_mode": list(modes)}, doseq=True) if modes else ""
    where = f"{run_url(run)}{after}"
    return {"Content-Location": run_url(run), "Location": f"{where}?{query}" if query else where}


def run_stream(
    desk: Desk,
    run: Run,
    modes: Collection[str],
    after: Place,
    *,
    tied: bool,
    located: Collection[str] = (),
) -> EventSourceResponse:
    """Stream what `modes` hear of `run`, from behind `after` to its `end`.

    A run that is `tied` to its reader stops when that one leaves. `located` are the modes that a reader who comes back
    must name.
    """

    async def lines() -> AsyncIterator[ServerSentEvent]:
        translator, last = Translator(run, desk.base_url), ""
        async for event in desk.runs.follow(run):
            for number, part in enumerate(translator.tell(event), start=1):
                place = Place(event.id, number)
                if place > after and part.mode in (ALWAYS, *modes):
                    yield _line(part.event, part.data, str(place))
            last = event.event
        if last != "end":
            yield ServerSentEvent(retry=RETRY_MS, sep="\n")  # no event: its reader sees none of it

    async def left(_: Message) -> None:
        if not desk.runs.stopping.is_set():
            await desk.runs.cancel(run)

    response = stream_response(desk.runs, lines(), **locations(run, modes=located))
    if tied:
        response.client_close_handler_callable = left
    return response


async def outcome(desk: Desk, run: Run) -> dict[str, Any]:
    """Return the values at the end of `run`, with its question under `__interrupt__`; or its `__error__`.

    Raises `EngineBusy` when the server stops before.
    """
    translator, last = Translator(run, desk.base_url), ""
    async for event in desk.runs.follow(run):
        translator.tell(event)
        last = event.event
    if last == "end" and translator.fault:
        return {"__error__": translator.fault}
    if last == "end" and translator.values:
        asked = translator.interrupts
        return {**translator.values, **({"__interrupt__": asked} if asked else {})}
    if desk.runs.stopping.is_set():
        raise EngineBusy("The studio is stopping: ask again in a moment.")
    return shown((await snapshot_at(desk, run.thread_id)).values, desk.base_url)


class Patience(Response):
    """The outcome of a run as JSON, once there is one; until then a space now and then, for proxies drop silence.

    A server that stops breaks the answer off, so that nobody takes it for the outcome.
    """

    media_type = "application/json"

    def __init__(self, desk: Desk, run: Run, *, tied: bool) -> None:
        """A run that is `tied` to its caller stops when that one leaves."""
        self.status_code = 200
        self.background = None
        self.body = b""
        self._desk, self._run, self._tied = desk, run, tied
        self.init_headers(locations(run, "/join"))
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        waiting = asyncio.create_task(outcome(self._desk, self._run))
        leaving = asyncio.create_task(_left(receive))
        try:
            while not waiting.done() and not leaving.done():
                done, _ = await asyncio.wait(
                    {waiting, leaving}, timeout=PING_S, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    await send(_body(b" ", more=True))
            if leaving.done() and self._tied and not self._desk.runs.stopping.is_set():
                await self._desk.runs.cancel(self._run)
            if waiting.done():
                with suppress(EngineBusy):
                    await send(_body(json.dumps(waiting.result()).encode(), more=False))
        finally:
            waiting.cancel()
            leaving.cancel()


def _line(event: str, data: Any, number: str) -> ServerSentEvent:
    return ServerSentEvent(
        json.dumps(data, separators=(",", ":")), event=event, id=number, sep="\n"
    )


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
