"""The studio as an MCP server, called by the official client over HTTP, in both of its protocols."""

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from conftest import PaintedEngine, painted_step
from live_server import (
    PATIENCE_S,
    BrokenEngine,
    LiveStudio,
    png,
    problem,
    serving,
    with_engine,
)
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    ImageContent,
    ResourceLink,
    TextContent,
)
from PIL import Image

from graph.context import Context
from tools.errors import EngineFailed
from tools.imaging import ImageRequest, OnStep

era = pytest.mark.parametrize("mode", ["auto", "legacy"])  # the newest protocol, and the handshake
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "1"},
}


@asynccontextmanager
async def client(studio: LiveStudio, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    async with Client(
        f"{studio.http.base_url.copy_with(path='/mcp')}", mode=mode, **more
    ) as opened:
        yield opened


def image(result: CallToolResult) -> Image.Image:
    """The one picture of an answer."""
    (found,) = [part for part in result.content if isinstance(part, ImageContent)]
    picture = Image.open(BytesIO(base64.b64decode(found.data)))
    assert picture.get_format_mimetype() == found.mime_type
    return picture


def told(result: CallToolResult) -> dict[str, Any]:
    """What an answer says, which it must say in text too."""
    text = result.content[0]
    assert isinstance(text, TextContent)
    assert not result.is_error, text.text
    structured: dict[str, Any] = result.structured_content
    assert json.loads(text.text) == structured
    return structured


def refused(result: CallToolResult, code: str) -> str:
    """The words of a refusal."""
    (text,) = result.content
    assert isinstance(text, TextContent)
    assert result.is_error, text.text
    assert result.structured_content["code"] == code, text.text
    assert result.structured_content["message"] in text.text
    return text.text


def drawing(**more: Any) -> str:
    return base64.b64encode(png(**more)).decode()


async def soon(true: Callable[[], object]) -> None:
    """Wait for what must come true, while the client goes on."""
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110  it comes true in another thread
            await asyncio.sleep(0.01)


def statuses(studio: LiveStudio, thread_id: str) -> list[str]:
    return [run["status"] for run in studio.thread(thread_id)["runs"]]


@era
async def test_the_tools_explain_themselves(context: Context, mode: str) -> None:
    with serving(context) as studio:
        async with client(studio, mode) as mcp:
            assert mcp.server_info
            assert mcp.server_info.title == "Artisan Studio"
            tools = {tool.name: tool for tool in (await mcp.list_tools()).tools}

    assert set(tools) == {"render", "choose", "search_styles", "read_thread"}
    for tool in tools.values():
        assert tool.description
        assert tool.output_schema
        for name, argument in tool.input_schema["properties"].items():
            assert argument.get("description"), f"{tool.name}.{name} is not explained"
    assert tools["render"].input_schema["required"] == ["message"]
    for name, tool in tools.items():
        assert tool.annotations
        assert tool.annotations.read_only_hint == (name in ("search_styles", "read_thread"))


@era
async def test_render_shows_its_steps_and_the_picture(context: Context, mode: str) -> None:
    steps: list[tuple[float, float | None, str | None]] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total, message))

    arguments = {"message": "gold lobby luxury", "sketch": drawing(), "seed": 7, "style": "auto"}
    with serving(context) as studio:
        async with client(studio, mode) as mcp:
            result = await mcp.call_tool("render", arguments, progress_callback=step)
        made = told(result)
        thread = studio.thread(made["thread_id"])
        link = result.content[2]
        assert isinstance(link, ResourceLink)
        stored = studio.http.get(link.uri).content

    assert [(progress, total) for progress, total, _ in steps] == [(n, 6) for n in range(1, 7)]
    assert steps[0][2]
    assert steps[0][2].startswith("step 1 of 6")
    assert image(result).size == (96, 64)
    assert base64.b64decode(result.content[1].data) == stored  # type: ignore[union-attr]
    assert (link.mime_type, link.size) == ("image/png", len(stored))
    assert made["status"] == "done"
    assert made["seed"] == 7
    assert made["styles"] == [{"style": "deco", "weight": 1.0}]
    assert made["fidelity"]["geometry"] > 0.9
    assert made["image_url"] == link.uri
    assert thread["runs"][0]["run_id"] == made["run_id"]


async def test_every_further_attempt_counts_on(context: Context) -> None:
    """A picture that lost its lines is tried again; the progress never goes back."""

    class Blind(PaintedEngine):
        def paint(self, request: ImageRequest) -> Image.Image:
            return super().paint(replace(request, edges=None))

    steps: list[float] = []

    async def step(progress: float, total: float | None, message: str | None) -> None:
        steps.append(progress)

    arguments = {"message": "gold lobby luxury", "sketch": drawing(), "style": "auto"}
    with serving(with_engine(context, Blind())) as studio:
        async with client(studio) as mcp:
            told(await mcp.call_tool("render", arguments, progress_callback=step))

    assert steps == [*range(1, 19)]  # two retries


async def test_a_thread_goes_on_with_its_sketch(context: Context) -> None:
    with serving(context) as studio:
        async with client(studio) as mcp:
            url = f"data:image/png;base64,{drawing()}"
            first = told(
                await mcp.call_tool("render", {"message": "a house", "sketch": url, "style": "ink"})
            )
            again = {"message": "warmer", "style": "ink", "thread_id": first["thread_id"]}
            second = told(await mcp.call_tool("render", again))
            stored = studio.thread(first["thread_id"])["sketch_url"].rpartition("/")[2]
            other = {"message": "a house", "style": "none", "sketch": stored}
            third = told(await mcp.call_tool("render", other))
        thread = studio.thread(first["thread_id"])

    assert second["thread_id"] == first["thread_id"]
    assert thread["messages"] == ["a house", "warmer"]
    assert all(made["fidelity"]["geometry"] is not None for made in (first, second, third))
    assert third["thread_id"] != first["thread_id"]
    assert first["seed"] < 2**32  # short enough to be repeated


@era
async def test_a_question_is_put_to_the_model_and_answered_with_choose(
    context: Context, mode: str
) -> None:
    with serving(context) as studio:
        async with client(studio, mode) as mcp:
            asked = await mcp.call_tool("render", {"message": "gold", "style": "ask"})
            question = told(asked)
            answer = {
                "thread_id": question["thread_id"],
                "interrupt_id": question["question"]["interrupt_id"],
                "styles": [{"style": "ink", "weight": 3}, {"style": "deco"}],
            }
            chosen = await mcp.call_tool("choose", answer)
            late = await mcp.call_tool("choose", answer)

    assert question["status"] == "question"
    assert len(asked.content) == 1
    candidate = question["question"]["candidates"][0]
    assert candidate["style"] == "deco"
    assert candidate["image_url"].startswith("http://127.0.0.1:")
    assert told(chosen)["styles"] == [
        {"style": "ink", "weight": 0.75},
        {"style": "deco", "weight": 0.25},
    ]
    assert image(chosen).size == (96, 96)
    refused(late, "stale_choice")


@dataclass
class User:
    """Answers what the client asks, always the same way."""

    reply: ElicitResult
    asked: list[ElicitRequestParams]

    async def __call__(
        self, context: ClientRequestContext, params: ElicitRequestParams
    ) -> ElicitResult:
        self.asked.append(params)
        return self.reply


@era
async def test_a_client_that_shows_forms_asks_its_user(context: Context, mode: str) -> None:
    user = User(ElicitResult(action="accept", content={"style": "ink"}), [])
    with serving(context) as studio:
        async with client(studio, mode, elicitation_callback=user) as mcp:
            result = await mcp.call_tool("render", {"message": "gold", "style": "ask"})

    assert told(result)["styles"] == [{"style": "ink", "weight": 1.0}]
    image(result)
    (params,) = user.asked
    assert params.mode == "form"
    assert params.requested_schema["properties"]["style"]["enum"] == ["deco", "none"]
    assert "Deco (you said gold)" in params.message


@era
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_does_not_choose_leaves_the_question_open(
    context: Context, mode: str, action: Any
) -> None:
    user = User(ElicitResult(action=action), [])
    with serving(context) as studio:
        async with client(studio, mode, elicitation_callback=user) as mcp:
            question = told(await mcp.call_tool("render", {"message": "gold", "style": "ask"}))
        thread = studio.thread(question["thread_id"])

    assert question["status"] == "question"
    assert thread["interrupt"]["id"] == question["question"]["interrupt_id"]
    assert thread["status"] == "interrupted"


@era
async def test_a_reply_that_names_no_style_is_refused(context: Context, mode: str) -> None:
    user = User(ElicitResult(action="accept", content={"style": "a b"}), [])
    with serving(context) as studio:
        async with client(studio, mode, elicitation_callback=user) as mcp:
            result = await mcp.call_tool("render", {"message": "gold", "style": "ask"})
    refused(result, "invalid_choice")


async def test_a_made_up_state_is_refused(context: Context) -> None:
    with serving(context) as studio:
        async with client(studio) as mcp:
            for state in ("", "{}", "[1]", '{"thread_id": 1}', "x" * 5000):
                made_up = await mcp.call_tool("render", {"message": "x"}, request_state=state)
                refused(made_up, "invalid_request_state")


async def test_search_and_read(context: Context) -> None:
    with serving(context) as studio:
        async with client(studio) as mcp:
            found = told(await mcp.call_tool("search_styles", {"query": "gold lobby", "k": 2}))
            made = told(await mcp.call_tool("render", {"message": "a cup", "style": "ink"}))
            read = await mcp.call_tool("read_thread", {"thread_id": made["thread_id"]})

    assert [match["style"] for match in found["matches"]] == ["deco", "ink"]
    thread = told(read)
    assert thread["messages"] == ["a cup"]
    assert thread["results"][0]["artifact_id"] == made["artifact_id"]
    assert thread["results"][0]["image_url"] == made["image_url"]
    assert image(read).size == (96, 96)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [  # tool, arguments, code, words
    ("render", {}, "invalid_arguments", "message: Field required"),
    ("render", {"message": " "}, "invalid_arguments", "say what the picture should show"),
    ("render", {"message": "x", "size": 65}, "invalid_arguments", "size: "),
    ("render", {"message": "x", "colour": "red"}, "invalid_arguments", "colour: "),
    ("render", {"message": "x", "steps": 1000}, "invalid_steps", "1 to 60"),
    ("render", {"message": "x", "size": 4096}, "invalid_size", "up to 512"),
    ("render", {"message": "x", "profile": "huge"}, "unknown_profile", "starter"),
    ("render", {"message": "x", "style": "rococo"}, "unknown_style", "rococo"),
    ("render", {"message": "x", "style": ","}, "invalid_choice", "no style"),
    ("render", {"message": "x", "thread_id": "nope"}, "unknown_thread", "nope"),
    ("render", {"message": "x", "sketch": "aGVsbG8="}, "unsupported_image", "PNG"),
    ("render", {"message": "x", "sketch": "data:image/png;base64,?"}, "invalid_sketch", "64"),
    ("render", {"message": "x", "sketch": "0" * 64}, "unknown_artifact", "0000"),
    ("choose", {"thread_id": "nope"}, "invalid_arguments", "interrupt_id: Field required"),
    (
        "choose",
        {"thread_id": "nope", "interrupt_id": "x", "styles": []},
        "unknown_thread",
        "nope",
    ),
    ("search_styles", {"query": "x", "k": 0}, "invalid_arguments", "k: "),
    ("read_thread", {"thread_id": "nope"}, "unknown_thread", "nope"),
]


async def test_what_cannot_be_is_refused_in_words(context: Context) -> None:
    with serving(context) as studio:
        async with client(studio) as mcp:
            for tool, arguments, code, words in REFUSED:
                assert words in refused(await mcp.call_tool(tool, arguments), code)


async def test_no_address_is_fetched(context: Context) -> None:
    with serving(context) as studio:
        url = f"{studio.http.base_url}styles/ink/references/1"  # which has a picture
        async with client(studio) as mcp:
            result = await mcp.call_tool("render", {"message": "x", "sketch": url})
    assert "not fetched" in refused(result, "invalid_sketch")


async def test_an_unknown_tool_is_an_error_of_the_protocol(context: Context) -> None:
    with serving(context) as studio:
        async with client(studio) as mcp:
            with pytest.raises(MCPError, match="read_thread"):
                await mcp.call_tool("paint", {})


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (EngineFailed("The engine ran out of memory."), "engine_failed", "out of memory"),
        (RuntimeError("secret of the house"), "internal", "It has been logged"),
    ],
)
async def test_a_render_that_fails_says_what_one_may_know(
    context: Context, error: Exception, code: str, words: str
) -> None:
    with serving(with_engine(context, BrokenEngine(error=error))) as studio:
        async with client(studio) as mcp:
            result = await mcp.call_tool("render", {"message": "x", "style": "none"})
    said = refused(result, code)
    assert words in said
    assert "secret" not in said
    assert result.structured_content["retryable"] == (code == "engine_failed")


async def test_a_fault_of_ours_stays_ours(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(artifact_id: str) -> None:
        raise OSError("/secret/place")

    with serving(context) as studio:
        async with client(studio) as mcp:
            monkeypatch.setattr(type(context.artifacts), "image", broken)
            result = await mcp.call_tool("render", {"message": "x", "sketch": "0" * 64})
    assert "secret" not in refused(result, "internal")


@dataclass
class LongEngine(PaintedEngine):
    """Takes steps until it is told that it is enough, or to stop."""

    enough: threading.Event = field(default_factory=threading.Event)
    step: int = 0

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        image, self.step = self.paint(request), 0
        while not self.enough.wait(0.02):
            self.step += 1
            on_step(painted_step(self.step, 100_000, image))
        return image


@contextmanager
def painting_long(context: Context, **more: Any) -> Iterator[tuple[LiveStudio, LongEngine]]:
    engine = LongEngine()
    with serving(with_engine(context, engine), **more) as studio:
        try:
            yield studio, engine
        finally:
            engine.enough.set()


@asynccontextmanager
async def under_way(
    mcp: Client, engine: LongEngine
) -> AsyncIterator[tuple[str, asyncio.Task[CallToolResult]]]:
    """A thread with a picture, and a call in the middle of its second one."""
    moved = asyncio.Event()

    async def step(progress: float, total: float | None, message: str | None) -> None:
        moved.set()

    engine.enough.set()
    made = told(await mcp.call_tool("render", {"message": "x", "style": "none"}))
    engine.enough.clear()
    more = {"message": "y", "style": "none", "thread_id": made["thread_id"]}
    call = asyncio.create_task(mcp.call_tool("render", more, progress_callback=step))
    await asyncio.wait_for(moved.wait(), PATIENCE_S)
    yield made["thread_id"], call
    call.cancel()


async def test_a_studio_that_is_full_says_so(context: Context) -> None:
    with painting_long(context, runs_max=1) as (studio, engine):
        async with client(studio) as mcp, under_way(mcp, engine) as (_, call):
            result = await mcp.call_tool("render", {"message": "z", "style": "none"})
            engine.enough.set()
            told(await call)
    refused(result, "engine_busy")
    assert result.structured_content["retryable"]


@era
async def test_a_cancelled_call_stops_its_run(context: Context, mode: str) -> None:
    with painting_long(context) as (studio, engine):
        async with client(studio, mode) as mcp, under_way(mcp, engine) as (thread_id, call):
            call.cancel()
            await soon(lambda: statuses(studio, thread_id) == ["success", "cancelled"])


async def test_a_run_that_another_stops_ends_the_call(context: Context) -> None:
    with painting_long(context) as (studio, engine):
        async with client(studio) as mcp, under_way(mcp, engine) as (thread_id, call):
            run = studio.thread(thread_id)["runs"][-1]
            studio.http.post(f"/threads/{thread_id}/runs/{run['run_id']}/cancel")
            refused(await call, "cancelled")


async def test_a_lost_connection_stops_nothing(context: Context) -> None:
    """The handshake protocol has its own word for a cancelled call; a broken connection is none."""
    headers = {"Accept": "application/json, text/event-stream"}
    with painting_long(context) as (studio, engine):
        async with client(studio) as mcp:
            engine.enough.set()
            made = told(await mcp.call_tool("render", {"message": "x", "style": "none"}))
            engine.enough.clear()
        more = {"message": "y", "style": "none", "thread_id": made["thread_id"]}
        params = {"name": "render", "arguments": more, "_meta": {"progressToken": 1}}

        opened = studio.http.post("/mcp", json=rpc("initialize", HELLO, 1), headers=headers)
        headers["Mcp-Session-Id"] = opened.headers["Mcp-Session-Id"]
        studio.http.post("/mcp", json=rpc("notifications/initialized"), headers=headers)
        with studio.http.stream(
            "POST", "/mcp", json=rpc("tools/call", params, 2), headers=headers
        ) as stream:
            assert any("notifications/progress" in line for line in stream.iter_lines())

        lost_at = engine.step
        await soon(lambda: engine.step > lost_at + 20)
        engine.enough.set()
        await soon(lambda: statuses(studio, made["thread_id"]) == ["success", "success"])
        async with client(studio) as mcp:
            read = await mcp.call_tool("read_thread", {"thread_id": made["thread_id"]})
    assert len(told(read)["results"]) == 2
    image(read)


def rpc(method: str, params: dict[str, Any] | None = None, number: int | None = None) -> Any:
    message = {"jsonrpc": "2.0", "method": method, "id": number, "params": params}
    return {key: value for key, value in message.items() if value is not None}


@era
async def test_a_server_that_stops_loses_no_run(context: Context, mode: str) -> None:
    """Its calls are cut off, which must not look as if the callers had cancelled them."""
    settings = context.settings.model_copy(update={"grace_s": 0.0})
    context = replace(context, settings=settings)
    engine = LongEngine()
    async with AsyncExitStack() as stack:
        with serving(with_engine(context, engine)) as studio:
            mcp = await stack.enter_async_context(client(studio, mode))
            thread_id, _ = await stack.enter_async_context(under_way(mcp, engine))
        with serving(context) as studio:
            await soon(lambda: statuses(studio, thread_id) == ["success", "success"])


def test_a_stranger_is_turned_away(context: Context) -> None:
    """A web page must not reach the studio of who looks at it, nor by a name bound to it (DNS rebinding)."""
    with serving(context) as studio:
        for name in ("evil.example", "evil.example:8000", "", "127.0.0.1.evil.example"):
            answer = studio.http.post("/mcp", json=rpc("ping"), headers={"Host": name})
            problem(answer, 421, "unknown_host")
        for origin in ("http://evil.example", "https://127.0.0.2.evil.example", "null"):
            answer = studio.http.post("/mcp", json=rpc("ping"), headers={"Origin": origin})
            problem(answer, 403, "foreign_origin")


@pytest.mark.parametrize(
    ("host", "name", "origin"),
    [
        ("127.0.0.1", "localhost:8000", "http://localhost:5173"),
        ("127.0.0.1", "[::1]:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "192.168.1.7:8000", "http://192.168.1.7:8000"),
        ("Studio.lan", "studio.lan:8000", "https://studio.lan"),
        ("127.0.0.1", "127.0.0.1:8000", "https://app.example"),
    ],
)
def test_who_is_ours_is_let_in(context: Context, host: str, name: str, origin: str) -> None:
    context = replace(
        context,
        settings=context.settings.model_copy(
            update={"host": host, "cors_origins": ("https://app.example",)}
        ),
    )
    headers = {"Host": name, "Origin": origin, "Accept": "application/json, text/event-stream"}
    with serving(context) as studio:
        answer = studio.http.post("/mcp", json=rpc("initialize", HELLO, 1), headers=headers)
    assert answer.status_code == 200, answer.text


async def test_a_body_over_the_limit_is_refused(context: Context) -> None:
    settings = context.settings.model_copy(update={"max_upload_mb": 1})
    with serving(replace(context, settings=settings)) as studio:
        body = rpc("tools/call", {"name": "render", "arguments": {"sketch": "A" * 2**20}}, 1)
        problem(studio.http.post("/mcp", json=body), 413, "too_large")
        problem(studio.http.post("/mcp", content=iter([b"x" * 2**19] * 3)), 413, "too_large")


async def test_a_large_picture_is_shown_smaller_and_linked_whole(context: Context) -> None:
    class Noise(PaintedEngine):
        def paint(self, request: ImageRequest) -> Image.Image:
            noise = np.random.default_rng(0).integers(0, 256, (request.height, request.width, 3))
            return Image.fromarray(noise.astype(np.uint8))

    with serving(with_engine(context, Noise())) as studio:
        async with client(studio, "legacy") as mcp:
            arguments = {"message": "x", "style": "none", "size": 512}
            result = await mcp.call_tool("render", arguments)
        whole = Image.open(BytesIO(studio.http.get(told(result)["image_url"]).content))
    assert (whole.format, whole.size) == ("PNG", (512, 512))
    assert image(result).format == "JPEG"
