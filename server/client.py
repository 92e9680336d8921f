"""The other end of the studio's HTTP interface: what the terminal speaks."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx2

from graph.settings import Settings
from graph.state import StyleWeight
from styles.index import Match
from tools.errors import AppError

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 30.0  # of silence: six heartbeats
RECONNECTS = 5  # in a row, until an event comes through again
RECONNECT_WAIT_S = 0.5  # before the first one; doubles each time
START_S = (
    120.0  # until a server answers at all, or a first search has its models; a disk may be cold
)
STOP_S = 15.0


class Unreachable(AppError):
    """No studio answers, or it went away in the middle."""

    code = "unreachable"
    retryable = True


class Refused(AppError):
    """The studio said no, in its own words."""

    def __init__(self, message: str, *, code: str, retryable: bool = False) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run, as `server.events` describes it."""

    name: str
    data: dict[str, Any]


def chat(
    http: httpx2.Client, fields: Mapping[str, str], sketch: Path | None = None
) -> Iterator[Event]:
    """Send a message, with a drawing, and yield the events of its run to the last.

    Raises `Refused` and `Unreachable`.
    """
    files = {name: (None, value.encode()) for name, value in fields.items()}
    drawing = {"sketch": (sketch.name, sketch.read_bytes())} if sketch else {}
    return _follow(http, "/chat", files={**files, **drawing})


def choose(
    http: httpx2.Client, thread_id: str, interrupt_id: str, styles: Sequence[StyleWeight]
) -> Iterator[Event]:
    """Answer the question of a run and yield the events of the run that goes on."""
    answer = {"interrupt_id": interrupt_id, "styles": list(styles)}
    return _follow(http, f"/chat/{thread_id}/choice", json=answer)


def cancel(http: httpx2.Client, thread_id: str, run_id: str) -> None:
    """Stop a run at its next step, if the studio can still be told."""
    with suppress(httpx2.TransportError):
        http.post(f"/threads/{thread_id}/runs/{run_id}/cancel", timeout=5)


def fetch(http: httpx2.Client, url: str) -> bytes:
    """Return what is served at `url`. Raises `Refused` and `Unreachable`."""
    try:
        return _checked(http.get(url)).content
    except httpx2.TransportError as error:
        raise _unreachable(http, error) from error


def search(http: httpx2.Client, query: str) -> list[Match]:
    """Return the styles that fit the words, best first. Raises `Refused` and `Unreachable`."""
    try:
        # The first search of a studio loads its models.
        answer = http.get("/styles/search", params={"q": query}, timeout=START_S)
    except httpx2.TransportError as error:
        raise _unreachable(http, error) from error
    matches: list[Match] = _checked(answer).json()["matches"]
    return matches


def _follow(http: httpx2.Client, path: str, **body: Any) -> Iterator[Event]:
    """Yield the events of the run that `body` starts, going on where a connection broke."""
    source: dict[str, Any] = {"url": path, "method": "POST", **body}
    known = False  # the run has told its name, so its log can be read again
    last_id, losses = "", 0
    while True:
        trouble: Exception | None = None
        try:
            with http.sse(**source) as stream:
                _checked(stream.response)
                for part in stream:
                    losses, last_id = 0, part.id or last_id
                    event = Event(part.event, json.loads(part.data))
                    if event.name == "metadata":
                        known, source = True, _log_of(event.data)
                    yield event
                    if event.name == "end":
                        return
        except httpx2.TransportError as error:
            trouble = error
        except Refused as error:
            if not (known and error.retryable):
                raise
            trouble = error
        if not known or losses == RECONNECTS:
            raise _unreachable(http, trouble)
        time.sleep(RECONNECT_WAIT_S * 2**losses)
        losses += 1
        source["headers"] = {"Last-Event-ID": last_id}


def _log_of(run: Mapping[str, Any]) -> dict[str, Any]:
    url = f"/threads/{run['thread_id']}/runs/{run['run_id']}/stream"
    return {"url": url, "params": {"format": "studio"}}


def _checked(response: httpx2.Response) -> httpx2.Response:
    """Raise `Refused` with the words of the problem+json, unless the answer is a success."""
    if response.is_success:
        return response
    response.read()
    try:
        problem = response.json()
        detail, code = problem["detail"], problem["code"]
    except (ValueError, KeyError, TypeError):
        where = response.request.url
        raise Refused(
            f"{where} answered {response.status_code}: is this an Artisan Studio?",
            code="not_a_studio",
            retryable=response.status_code >= 500,
        ) from None
    raise Refused(detail, code=code, retryable=bool(problem.get("retryable")))


def _unreachable(http: httpx2.Client, trouble: Exception | None) -> Unreachable:
    why = str(trouble) if trouble else "the stream ended too early"
    return Unreachable(f"The studio at {http.base_url} does not answer ({why or type(trouble)}).")


@contextmanager
def studio(server: str | None, settings: Settings) -> Iterator[httpx2.Client]:
    """Connect to the studio at `server`, or to the one that runs here, or else to one of our own.

    Our own is ready when the block begins and gone when it ends.
    Raises `Unreachable` when there is none to be had.
    """
    if server is not None:
        with httpx2.Client(base_url=server, timeout=TIMEOUT_S) as http:
            fetch(http, "/version")
            yield http
        return
    here = local_url(settings.host, settings.port)
    if is_studio(here):
        with _local(here) as http:
            yield http
        return
    with own_server() as url, _local(url) as http:
        yield http


def local_url(host: str, port: int) -> str:
    """The address at which this machine reaches a server that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_studio(url: str) -> bool:
    """Whether a studio answers at `url`; any other server does not count."""
    try:
        with _local(url) as http:
            found: bool = http.get("/version", timeout=5).json()["name"] == "Artisan Studio"
            return found
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def own_server() -> Iterator[str]:
    """Run a server of our own on a free port, and yield its address once it is ready.

    It works in the data directory of the settings, and stops when the block ends, and also when
    this process is killed: it watches its standard input, whose other end is ours.
    Raises `Refused` when its models do not open, `Unreachable` with its last words when it does
    not start.
    """
    port = _free_port()
    url = local_url("127.0.0.1", port)
    command = [sys.executable, "-m", "server", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [*command, "--until-stdin-closes"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        assert process.stdin is not None
        try:
            _await_ready(url, process, log)
            yield url
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(url: str, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    give_up = time.monotonic() + START_S
    with _local(url) as http:
        while process.poll() is None and time.monotonic() < give_up:
            try:
                fetch(http, "/readyz")
            except Unreachable:
                time.sleep(0.1)
            except Refused as error:
                if error.code != "not_ready":
                    raise
                time.sleep(0.1)
                give_up = time.monotonic() + START_S
            else:
                return
    log.seek(0)
    words = log.read().decode(errors="replace").strip().splitlines()[-12:]
    raise Unreachable("\n".join(["The studio did not start.", *words]))


def _local(url: str) -> httpx2.Client:
    """A client for this machine, which no proxy of the environment stands in front of."""
    return httpx2.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
