"""The command line against a real studio: what it prints, saves, asks, and how it fails."""

import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from conftest import NODES, ROOT
from live_server import BrokenEngine, HeldEngine, LiveStudio, png, serving, until, with_engine
from PIL import Image
from rich.console import Console

from graph.context import Context
from graph.settings import Settings
from server import cli, client, terminal
from server.client import Refused, Unreachable
from styles.index import Match
from tools.errors import EngineFailed

WORDS = "gold lobby luxury"  # three tags of the style "deco": a strong match
CANDIDATES = [
    Match(style="deco", name="Art Deco", score=0.9, band="strong", reason="gold", image_url="/1"),
    Match(style="ink", name="Ink", score=0.4, band="possible", reason="paper", image_url="/2"),
]


@pytest.fixture
def url(context: Context) -> Iterator[str]:
    with serving(context) as studio:
        yield str(studio.http.base_url)


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    path = tmp_path / "my drawing.png"
    path.write_bytes(png())
    return path


@pytest.fixture
def artisan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line without a terminal; answers exit code, output, complaints."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["artisan", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def own_folders(monkeypatch: pytest.MonkeyPatch, context: Context) -> Settings:
    """The environment of a person with the library and data of `context`, and a free port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    monkeypatch.setenv("ARTISAN_LIBRARY", str(context.settings.library))
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(context.settings.data_dir))
    monkeypatch.setenv("ARTISAN_PORT", port)
    return context.settings


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "server", *map(str, words)]


def start(*words: object, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(*words),
        cwd=ROOT,
        env={**os.environ, **environment},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs the suite in the background has Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


# Painting


def test_render_shows_every_step_and_saves_the_picture(
    artisan: Any, url: str, drawing: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new folder" / "lobby.png"
    code, said, complaints = artisan("render", drawing, WORDS, "-o", out, "--server", url)
    assert (code, complaints) == (0, "")
    nodes = re.findall(r"^(\w+) +[\d.]+ m?s +\S", said, re.MULTILINE)
    assert nodes == NODES
    assert re.search(r"geometry +\d+%", said)
    assert re.search(r"style used +deco 100%", said)
    assert f"saved {out}" in said
    assert "\x1b" not in said, "a log is no place for escape codes"
    assert picture(out).format == "PNG"


def test_the_seed_it_prints_makes_the_same_picture_again(
    artisan: Any, url: str, drawing: Path, tmp_path: Path
) -> None:
    first, again, other = (tmp_path / f"{name}.png" for name in ("first", "again", "other"))
    _, said, _ = artisan("render", drawing, WORDS, "-o", first, "--server", url)
    seed = re.search(r"seed +(\d+)", said)
    assert seed
    artisan("render", drawing, WORDS, "-o", again, "--server", url, "--seed", seed[1])
    artisan("render", drawing, WORDS, "-o", other, "--server", url, "--seed", "1")
    pictures = [picture(path).tobytes() for path in (first, again, other)]
    assert pictures[0] == pictures[1]
    assert pictures[0] != pictures[2]


def test_the_suffix_names_the_format(artisan: Any, url: str, drawing: Path, tmp_path: Path) -> None:
    for suffix, kind in ((".webp", "WEBP"), (".JPG", "JPEG")):
        out = tmp_path / f"out{suffix}"
        assert artisan("render", drawing, WORDS, "-o", out, "--server", url)[0] == 0
        assert picture(out).format == kind


def test_without_a_terminal_the_best_style_answers_the_question(
    artisan: Any, url: str, drawing: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    line = ("render", drawing, WORDS, "--style", "ask", "-o", out, "--server", url)
    code, said, _ = artisan(*line)
    assert code == 0
    assert "Which style?" not in said
    assert re.search(r"style used +deco 100%", said)


def test_on_a_terminal_the_person_chooses(url: str, drawing: Path, tmp_path: Path) -> None:
    """The whole command under a pseudo-terminal; the second of the list is wanted."""
    out = tmp_path / "out.png"
    words = "gold lobby ink"
    line = command("render", drawing, words, "--style", "ask", "-o", out, "--server", url)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(
        line, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            said = read_until(ours, b"Number")
            os.write(ours, b"2\n")
            said += read_until(ours, b"saved ")
            assert process.wait(60) == 0
        finally:
            process.kill()
            os.close(ours)
    screen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode())
    second = re.search(r"^ +2 +(\w+)", screen, re.MULTILINE)
    assert second
    assert re.search(rf"style used +{second[1].lower()} 100%", screen)
    assert "▀" in screen, "the picture is shown where the terminal can"
    assert out.exists()


def test_ctrl_c_cancels_the_run(context: Context, drawing: Path, tmp_path: Path) -> None:
    engine = HeldEngine()
    with serving(with_engine(context, engine)) as studio:
        out = tmp_path / "out.png"
        line = ("render", drawing, WORDS, "-o", out, "--server", studio.http.base_url)
        with start(*line) as process:
            try:
                until(lambda: engine.requests)
                process.send_signal(signal.SIGINT)
                _, complaints = process.communicate(timeout=60)
            finally:
                process.kill()
                engine.gate.release(100)
        assert process.returncode == 130
        assert "Traceback" not in complaints
        (run,) = runs_of(context)
        until(lambda: run_status(studio, run) == "cancelled")
        assert not out.exists()


# What goes wrong


def test_a_refusal_is_said_in_the_words_of_the_studio(
    artisan: Any, url: str, drawing: Path, tmp_path: Path
) -> None:
    line = ("render", drawing, WORDS, "-o", tmp_path / "out.png", "--server", url)
    code, _, complaints = artisan(*line, "--style", "nonesuch")
    assert code == 2
    assert "nonesuch" in complaints
    code, _, complaints = artisan(*line, "--steps", "100000")
    assert code == 2
    assert "100000" in complaints


@pytest.mark.parametrize(
    ("error", "message"),
    [(EngineFailed("The brush broke."), "The brush broke."), (RuntimeError("secret"), "logged")],
)
def test_a_run_that_fails_says_why(
    artisan: Any, context: Context, drawing: Path, tmp_path: Path, error: Exception, message: str
) -> None:
    out = tmp_path / "out.png"
    with serving(with_engine(context, BrokenEngine(error=error))) as studio:
        code, _, complaints = artisan(
            "render", drawing, WORDS, "-o", out, "--server", studio.http.base_url
        )
    assert code == 2
    assert message in complaints
    assert "secret" not in complaints
    assert not out.exists()


def test_a_picture_that_could_not_be_saved_is_not_begun(
    artisan: Any, drawing: Path, tmp_path: Path
) -> None:
    nowhere = "http://127.0.0.1:9"
    code, _, complaints = artisan("render", drawing, WORDS, "-o", "out.gif", "--server", nowhere)
    assert (code, "out.gif" in complaints) == (2, True)
    line = ("render", drawing, WORDS, "-o", drawing / "out.png", "--server", nowhere)
    code, _, complaints = artisan(*line)
    assert (code, "cannot be written" in complaints) == (2, True)


def test_no_studio_there(artisan: Any, drawing: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
    line = ("render", drawing, WORDS, "-o", tmp_path / "out.png", "--server", nowhere)
    code, _, complaints = artisan(*line)
    assert code == 2
    assert nowhere in complaints
    assert "Traceback" not in complaints


def test_a_server_that_is_no_studio(artisan: Any, drawing: Path, tmp_path: Path) -> None:
    with scripted([]) as (elsewhere, _):
        assert not client.is_studio(elsewhere)
        line = ("render", drawing, WORDS, "-o", tmp_path / "out.png", "--server", elsewhere)
        code, _, complaints = artisan(*line)
    assert code == 2
    assert "is this an Artisan Studio?" in complaints


# A stream that breaks


def sse(number: int, name: str, **data: Any) -> bytes:
    return f"id: {number}\r\nevent: {name}\r\ndata: {json.dumps(data)}\r\n\r\n".encode()


METADATA = sse(1, "metadata", run_id="r", thread_id="t", attempt=1)
NODE = sse(2, "node", node="begin", status="finished", elapsed_ms=1, text="line\u2028separator")
END = sse(3, "end", status="success")


def test_a_stream_goes_on_where_it_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RECONNECT_WAIT_S", 0.01)
    half = NODE[: len(NODE) // 2]
    with scripted([METADATA + half, NODE + half, b"", END]) as (url, seen), connected(url) as http:
        events = list(client.chat(http, {"message": "hello"}))
    assert [event.name for event in events] == ["metadata", "node", "end"]
    assert events[1].data["text"] == "line\u2028separator"
    log = "/threads/t/runs/r/stream?format=studio"
    assert seen == [("/chat", None), (log, "1"), (log, "2"), (log, "2")]


def test_what_was_never_acknowledged_is_not_sent_twice() -> None:
    with (
        scripted([b"", METADATA]) as (url, seen),
        connected(url) as http,
        pytest.raises(Unreachable),
    ):
        list(client.chat(http, {"message": "hello"}))
    assert seen == [("/chat", None)]


def test_it_gives_up_on_a_studio_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RECONNECT_WAIT_S", 0.01)
    losses = [METADATA, *[b""] * client.RECONNECTS]
    with scripted(losses) as (url, seen), connected(url) as http, pytest.raises(Unreachable):
        list(client.chat(http, {"message": "hello"}))
    assert len(seen) == len(losses)


# Asking, showing


def asked(monkeypatch: pytest.MonkeyPatch, typed: str) -> tuple[list[str], str]:
    monkeypatch.setattr(sys, "stdin", StringIO(typed))
    screen = StringIO()
    styles = terminal.ask(Console(file=screen, width=100), CANDIDATES)
    return [style["style"] for style in styles], screen.getvalue()


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [("1\n", ["deco"]), ("\n", ["deco"]), ("2\n", ["ink"]), ("0\n", []), ("9\nx\n2\n", ["ink"])],
)
def test_the_list_is_numbered(
    monkeypatch: pytest.MonkeyPatch, typed: str, chosen: list[str]
) -> None:
    styles, screen = asked(monkeypatch, typed)
    assert styles == chosen
    assert re.search(r"1 +Art Deco +0\.90 +strong +gold", screen)
    assert re.search(r"2 +Ink +0\.40 +possible +paper", screen)
    assert re.search(r"0 +no style", screen)


def test_the_best_of_nothing_is_no_style() -> None:
    assert [style["style"] for style in terminal.take_best(CANDIDATES)] == ["deco"]
    assert terminal.take_best([]) == []


def test_side_by_side_keeps_both_shapes() -> None:
    render = png(192, 128)
    sheet = Image.open(BytesIO(terminal.side_by_side(png(600, 600), render)))
    assert sheet.height == 128
    assert sheet.width > 2 * 192
    right = sheet.crop((sheet.width - 192, 0, sheet.width, 128))
    assert right.tobytes() == Image.open(BytesIO(render)).convert("RGB").tobytes()
    left = sheet.crop((0, 0, 192, 128)).convert("L").point(lambda value: 255 - value)
    box = left.getbbox()
    assert box is not None
    assert 32 <= box[0] < box[2] <= 160, "a square drawing stays square: 128 px wide, in the middle"


def test_a_missing_score_is_a_dash() -> None:
    fidelity: Any = {"geometry": 0.934, "invented": None, "style": 0.5, "palette": 12.345}
    shown = [terminal.score(fidelity, key) for key in ("geometry", "invented", "style", "palette")]
    assert shown == ["93%", "-", "0.50", "12.35"]


# The library


def test_the_library_from_the_shell(
    artisan: Any, own_folders: Settings, context: Context, tmp_path: Path
) -> None:
    code, said, _ = artisan("styles", "list")
    assert code == 0
    assert [line.split("\t")[0] for line in said.splitlines()] == ["deco", "ink", "neon"]

    mine = tmp_path / "red-sand"
    mine.mkdir()
    toml = (own_folders.library / "deco" / "style.toml").read_text()
    (mine / "style.toml").write_text(toml.replace('"Deco"', '"Red Sand"'))
    (mine / "guide.md").write_text("Stand in the desert.")
    Image.new("RGB", (32, 32), "#a03010").save(mine / "reference-1.png")
    assert artisan("styles", "add", mine)[:2] == (0, "added red-sand\n")
    assert context.catalog.reload()
    assert context.catalog.get("red-sand").name == "Red Sand"
    assert context.catalog.get("red-sand").guide == "Stand in the desert."

    words = (
        "--name",
        "Blue Hour",
        "--description",
        "Everything after sunset.",
        "--tags",
        "blue,dusk",
    )
    assert artisan("styles", "add", mine / "reference-1.png", *words)[0] == 0
    assert "blue-hour\tBlue Hour\tblue, dusk" in artisan("styles", "list")[1]


def test_a_style_that_cannot_be_added(
    artisan: Any, own_folders: Settings, drawing: Path, tmp_path: Path
) -> None:
    code, _, complaints = artisan("styles", "add", own_folders.library / "deco")
    assert (code, "deco" in complaints) == (2, True)
    page = tmp_path / "page.png"
    page.write_text("<html>")
    words = ("--name", "Page", "--description", "No picture at all.", "--tags", "html")
    code, _, complaints = artisan("styles", "add", page, *words)
    assert (code, "page.png" in complaints) == (2, True)
    code, _, complaints = artisan("styles", "add", drawing)
    assert (code, "--name" in complaints) == (2, True)
    assert artisan("styles", "list")[1].count("\n") == 3


def test_search_from_the_shell(artisan: Any, url: str, own_folders: Settings) -> None:
    code, said, _ = artisan("styles", "search", "neon night", "--server", url)
    assert code == 0
    assert said.splitlines()[0].split("\t")[:3] == ["neon", "0.90", "strong"]


def test_a_studio_that_runs_here_is_used(
    artisan: Any, context: Context, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTISAN_PORT", url.rsplit(":", 1)[1].strip("/"))
    assert artisan("styles", "search", "neon night")[1].startswith("neon\t")


# The server


def test_serve_stops_when_the_one_that_started_it_is_gone(own_folders: Settings) -> None:
    with start("serve", "--until-stdin-closes") as process:
        assert process.stdin
        assert process.stdout
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.stdin.close()
        assert process.wait(60) != 0, "ended by a signal"


def test_serve_says_which_port_is_taken(artisan: Any, own_folders: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, complaints = artisan("serve", "--port", port)
    assert code == 2
    assert f"127.0.0.1:{port}" in complaints
    assert "--port" in complaints


def test_serve_names_the_setting_that_is_wrong(
    artisan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTISAN_PORT", "eight thousand")
    code, _, complaints = artisan("serve")
    assert code == 2
    assert "ARTISAN_PORT" in complaints


def test_a_start_that_fails_for_a_known_reason_is_one_message(
    context: Context, own_folders: Settings, url: str
) -> None:
    """`url` serves the same data directory already."""
    with start("serve", "--port", "0") as process:
        _, complaints = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "ARTISAN_DATA_DIR" in complaints
    assert "Traceback" not in complaints


@pytest.mark.parametrize(
    ("variable", "value", "error", "words"),
    [
        ("ARTISAN_PROFILE", "nonesuch", Refused, "nonesuch"),
        ("ARTISAN_LIBRARY", "/no/library", Unreachable, "/no/library: no styles here"),
    ],
)
def test_a_studio_of_our_own_that_does_not_start_tells_why(
    monkeypatch: pytest.MonkeyPatch,
    own_folders: Settings,
    variable: str,
    value: str,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(error, match=words), client.own_server():
        pytest.fail("it started")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("studio.local", "http://studio.local:80"),
    ],
)
def test_local_url(host: str, url: str) -> None:
    assert client.local_url(host, 80) == url


@pytest.mark.timeout(400)
def test_demo_from_nothing_to_a_picture(own_folders: Settings, tmp_path: Path) -> None:
    """The shipped models, a server of its own, and nothing left behind."""
    with start("demo", "--yes", ARTISAN_LIBRARY=str(ROOT / "styles" / "library")) as process:
        said, complaints = process.communicate(timeout=380)
    assert process.returncode == 0, complaints
    assert re.search(r"geometry +\d+%", said)
    assert "saved out/demo.png\n" in said
    render = picture(ROOT / "out" / "demo.png")
    sheet = picture(ROOT / "out" / "demo-side-by-side.png")
    assert sheet.width > 2 * render.width
    assert sheet.height == render.height


# Helpers


def picture(path: Path) -> Image.Image:
    return Image.open(BytesIO(path.read_bytes()))


@contextmanager
def scripted(answers: list[bytes]) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """A server that gives each request the next answer and hangs up; then 404 for whatever comes.

    Yields its address and the (path, Last-Event-ID) of every request.
    """
    seen: list[tuple[str, str | None]] = []
    rest = iter(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Last-Event-ID"]))
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            self.close_connection = True
            answer = next(rest, None)
            if answer is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Content-Length", str(len(answer) + (END not in answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def connected(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=10, trust_env=False) as http:
        yield http


def read_until(terminal: int, wanted: bytes, patience_s: float = 60) -> bytes:
    """Read a pseudo-terminal until it has shown `wanted`."""
    said = b""
    give_up = time.monotonic() + patience_s
    while wanted not in said:
        assert time.monotonic() < give_up, said.decode()
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 65536)
    return said


def runs_of(context: Context) -> list[tuple[str, str]]:
    """(thread, run) of every run in the event log."""
    import sqlite3

    with sqlite3.connect(context.settings.data_dir / "studio.db") as log:
        return list(log.execute("SELECT thread_id, run_id FROM runs"))


def run_status(studio: LiveStudio, run: tuple[str, str]) -> str:
    thread_id, run_id = run
    runs = {found["run_id"]: found["status"] for found in studio.thread(thread_id)["runs"]}
    return str(runs[run_id])
