"""The unmodified LangGraph SDK, pointed at a studio; and a line to it that a test can cut."""

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from langgraph_sdk import get_client, get_sync_client
from live_server import PATIENCE_S, LiveStudio

ASSISTANT = "artisan"
ALL_MODES = ["values", "updates", "custom", "messages-tuple", "tasks"]
Client = Any  # the SDK's own types are too narrow for what it takes and gives


@contextmanager
def sdk(studio: LiveStudio, url: str | None = None) -> Iterator[Client]:
    """The SDK's client of a studio."""
    with get_sync_client(url=url or str(studio.http.base_url), api_key=None) as client:
        yield client


@asynccontextmanager
async def async_sdk(studio: LiveStudio) -> AsyncIterator[Client]:
    """The SDK's asynchronous client of a studio."""
    async with get_client(url=str(studio.http.base_url), api_key=None) as client:
        yield client


def said(message: str, **more: Any) -> dict[str, Any]:
    """The input of a run."""
    return {"messages": [{"role": "user", "content": message, **more}]}


class Line:
    """A connection to a studio that breaks off after `marks` have gone through, once."""

    def __init__(self, studio: LiveStudio, mark: bytes, marks: int) -> None:
        self._there = ("127.0.0.1", studio.http.base_url.port)
        self._mark, self._marks = mark, marks
        self.cuts = 0

    @contextmanager
    def open(self) -> Iterator[str]:
        """Listen; yield the address that clients are to use."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=self._serve, args=[listener], daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join(PATIENCE_S)

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                threading.Thread(target=self._carry, args=[here], daemon=True).start()

    def _carry(self, here: socket.socket) -> None:
        with here, socket.create_connection(self._there) as there:
            back = threading.Thread(target=_pump, args=[here, there], daemon=True)
            back.start()
            seen = b""
            with suppress(OSError):
                while data := there.recv(65536):
                    seen += data
                    here.sendall(data)
                    if not self.cuts and seen.count(self._mark) >= self._marks:
                        self.cuts += 1
                        break
            for end in (here, there):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            back.join(PATIENCE_S)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
