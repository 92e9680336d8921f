"""A real studio on a loopback port, a reader of its streams, and engines that do as a test says.

Run as a program (`LIBRARY DATA_DIR PORT`) it is a studio in a process of its own, slow enough to be
stopped in the middle of a render.
"""

import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import httpx2
import uvicorn
from conftest import PaintedEngine, alone
from fastapi import FastAPI
from PIL import Image

from graph.context import Context, Studio
from graph.releases import Releases
from graph.settings import Settings
from server.app import create_app
from tools.imaging import ImageEngine, ImageRequest, OnStep

PATIENCE_S = 60  # for what must happen; a test that waits so long has failed


@dataclass(frozen=True)
class Event:
    """One event as a client reads it."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass
class HeldEngine(PaintedEngine):
    """Takes a step for every `gate.release()`."""

    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def before_step(self) -> None:
        assert self.gate.acquire(timeout=PATIENCE_S)


@dataclass
class BrokenEngine(PaintedEngine):
    """Fails with `error`."""

    error: Exception = field(default_factory=lambda: RuntimeError("secret of the house"))

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        raise self.error


@dataclass(frozen=True)
class LiveStudio:
    """A client of a running studio."""

    http: httpx2.Client

    @contextmanager
    def stream(self, method: str, url: str, **body: Any) -> Iterator[Iterator[Event]]:
        """The events of a stream that must begin well."""
        with self.http.stream(method, url, **body) as response:
            if response.status_code != 200:
                raise AssertionError(response.read().decode())
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["x-accel-buffering"] == "no"
            yield read_events(response)

    def chatting(
        self,
        message: str,
        sketch: bytes | None = None,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> Any:
        """Send a message and yield the stream of its events."""
        parts: dict[str, Any] = {
            name: (None, str(value)) for name, value in {"message": message, **fields}.items()
        }
        if sketch is not None:
            parts["sketch"] = ("sketch.png", sketch)
        return self.stream("POST", "/chat", files=parts, headers=headers)

    def chat(
        self,
        message: str,
        sketch: bytes | None = None,
        headers: dict[str, str] | None = None,
        **fields: Any,
    ) -> list[Event]:
        """Send a message and read all that comes of it."""
        with self.chatting(message, sketch, headers, **fields) as events:
            return list(events)

    def choosing(self, thread_id: str, interrupt_id: str, *styles: dict[str, Any]) -> Any:
        """Answer a question and yield the stream of its events."""
        body = {"interrupt_id": interrupt_id, "styles": list(styles)}
        return self.stream("POST", f"/chat/{thread_id}/choice", json=body)

    def choose(self, thread_id: str, interrupt_id: str, *styles: dict[str, Any]) -> httpx2.Response:
        """Answer a question and read all that comes of it."""
        body = {"interrupt_id": interrupt_id, "styles": list(styles)}
        return self.http.post(f"/chat/{thread_id}/choice", json=body)

    def replay(self, metadata: dict[str, Any], after: int | str | None = None) -> list[Event]:
        """Read a run again, from the event after `after`."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self.stream("GET", f"{run_url(metadata)}/stream", headers=headers) as events:
            return list(events)

    def thread(self, thread_id: str) -> dict[str, Any]:
        """The summary of a thread."""
        answer = self.http.get(f"/threads/{thread_id}")
        assert answer.status_code == 200, answer.text
        summary: dict[str, Any] = answer.json()
        return summary


def run_url(metadata: dict[str, Any]) -> str:
    return f"/threads/{metadata['thread_id']}/runs/{metadata['run_id']}"


def read_events(response: httpx2.Response) -> Iterator[Event]:
    """Read a stream as its wire format says; every event must have one line of each field.

    An event without an id leaves the last one standing.
    """
    fields: dict[str, str] = {}
    last = 0
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            assert name not in fields, f"two lines of {name}"
            fields[name] = value
        elif fields:
            last = int(fields.get("id", last))
            yield Event(last, fields["event"], json.loads(fields["data"]))
            fields = {}


def transcript(text: str) -> list[Event]:
    """The events of a stream that was read as a whole."""
    return list(read_events(httpx2.Response(200, text=text)))


def only(events: list[Event], name: str) -> dict[str, Any]:
    """The data of the one event called `name`."""
    (found,) = [event.data for event in events if event.name == name]
    return found


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a response is the refusal `code`, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert "Traceback" not in response.text
    return body


def png(width: int = 240, height: int = 160, **more: Any) -> bytes:
    """A line drawing."""
    image = Image.new("L", (width, height), 255)
    for x in range(width // 4, width * 3 // 4):
        for y in (height // 4, height // 2, height * 3 // 4):
            image.putpixel((x, y), 0)
    file = BytesIO()
    image.save(file, "PNG", **more)
    return file.getvalue()


def with_engine(context: Context, engine: ImageEngine) -> Context:
    """The same studio with another engine."""

    async def studio(name: str) -> Studio:
        return replace(await context.studio(name), engine=engine)

    return replace(context, studio=studio)


@contextmanager
def serving(context: Context, **more: Any) -> Iterator[LiveStudio]:
    """Serve a studio from a thread of its own, until the block ends."""

    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Releases]:
        yield alone(context)

    with serving_app(create_app(context.settings, opened, **more)) as studio:
        yield studio


@contextmanager
def serving_app(app: FastAPI) -> Iterator[LiveStudio]:
    """Serve an app from a thread of its own, until the block ends."""
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            until(lambda: server.started or not thread.is_alive())
            with httpx2.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as http:
                yield LiveStudio(http)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


@contextmanager
def held(context: Context, **more: Any) -> Iterator[tuple[LiveStudio, HeldEngine]]:
    """Serve a studio whose renders wait for the test, and let them all go when the block ends."""
    engine = HeldEngine()
    with serving(with_engine(context, engine), **more) as studio:
        try:
            yield studio, engine
        finally:
            engine.gate.release(10_000)


def until(true: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait for what must come true."""
    give_up = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)
