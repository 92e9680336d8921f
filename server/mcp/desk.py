"""Serves the tools: a call becomes a run, and what the run tells becomes the answer."""

import asyncio
import base64
import binascii
import json
import logging
import re
import secrets
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import anyio
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    ImageContent,
    InputRequiredResult,
    ResourceLink,
    TextContent,
)
from pydantic import BaseModel, ValidationError
from starlette.requests import Request as HTTPRequest

from graph.choice import StyleChoice
from graph.context import Context
from graph.releases import Releases
from server import styles, threads
from server.deps import caller_of
from server.eventlog import EventLog, Run
from server.events import artifact_url
from server.mcp import asking
from server.mcp.tools import (
    ARGUMENTS,
    Choose,
    ReadThread,
    Render,
    Rendering,
    SearchStyles,
    StyleQuestion,
)
from server.runs import Runs
from server.styles import StyleMatch
from server.wishes import check_choice, checked_request
from styles.index import Match
from tools.artifacts import Artifact
from tools.errors import AppError, Cancelled, Conflict, InvalidRequest
from tools.images import decode_upload

logger = logging.getLogger(__name__)

Call = ServerRequestContext[Any, Any]
Answer = CallToolResult | InputRequiredResult

SEED_BITS = 32  # of our own choice: a model repeats it, and JavaScript reads it, to the last digit
GLANCE_MAX = 600_000  # bytes; the official client takes 1 MiB, of base64 and text
GLANCE_SIDE = 1024  # px
LEFT = "mcp.left"  # key of the ASGI scope, once the caller has closed the connection

_ARTIFACT = re.compile(r"[0-9a-f]{64}")
_DATA_URL = re.compile(r"data:[^,]{0,100};base64,")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where calls are served."""

    releases: Releases
    log: EventLog
    runs: Runs

    @property
    def context(self) -> Context:
        """Of the release that serves now; a session may outlive it."""
        return self.releases.context

    async def serve(self, call: Call, params: CallToolRequestParams) -> Answer:
        """Answer a call; a failure is an answer too, with what the caller may know of it.

        Raises `MCPError` for a tool that does not exist.
        """
        if params.name not in ARGUMENTS:
            known = ", ".join(ARGUMENTS)
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name[:60]!r}: use {known}.")
        try:
            arguments = ARGUMENTS[params.name].model_validate(params.arguments or {})
        except ValidationError as error:
            return _refuse("invalid_arguments", _faults(error))
        try:
            if params.request_state is not None:
                return await self._go_on(params, call)
            return await self._serve(arguments, call)
        except AppError as error:
            return _refuse(error.code, error.message, retryable=error.retryable)
        except MCPError:
            raise
        except Exception:
            logger.exception("the tool %s failed", params.name)
            return _refuse("internal", "Something broke in the studio. It has been logged.")

    async def _serve(self, arguments: BaseModel, call: Call) -> Answer:
        match arguments:
            case Render():
                return await self._conduct(self._render(arguments, call), call)
            case Choose(thread_id=thread_id, interrupt_id=interrupt_id):
                choice = StyleChoice(styles=arguments.styles)
                answering = self._answer(thread_id, interrupt_id, choice, call)
                return await self._conduct(answering, call)
            case SearchStyles(query=query, k=k):
                found = await styles.search(query, self.context, k)
                return _tell(call, found)
            case ReadThread(thread_id=thread_id):
                return await self._read(thread_id, call)
        raise AssertionError(arguments)

    async def _render(self, arguments: Render, call: Call) -> Run:
        """Begin the run that `POST /chat` would."""
        if arguments.thread_id is not None:
            await self.log.check_thread(arguments.thread_id)
        request = await checked_request(arguments.message, arguments, self.context)
        if arguments.seed is None:
            request["seed"] = secrets.randbits(SEED_BITS)
        if arguments.sketch:
            request["sketch"] = await asyncio.to_thread(_keep, arguments.sketch, self.context)
        return await self.runs.start(request, arguments.thread_id, caller=caller_of(_http(call)))

    async def _answer(
        self, thread_id: str, interrupt_id: str, choice: StyleChoice, call: Call
    ) -> Run:
        await self.log.check_thread(thread_id)
        await check_choice(choice, self.context)
        caller = caller_of(_http(call))
        return await self.runs.answer(thread_id, interrupt_id, choice, caller=caller)

    async def _conduct(self, beginning: Coroutine[Any, Any, Run], call: Call) -> Answer:
        """Answer with what comes of a run; when the caller cancels the call, the run stops."""
        begun = asyncio.create_task(beginning)
        try:
            return await self._outcome(await asyncio.shield(begun), call)
        except asyncio.CancelledError:
            if self._called_off(call):
                with anyio.CancelScope(shield=True), suppress(AppError):
                    await self.runs.cancel(await begun)
            raise

    def _called_off(self, call: Call) -> bool:
        """Whether it was the caller who cancelled, and not the server that stops.

        Before 2026 a caller says so, or ends the session; one that only loses the connection stops nothing (but an hour
        half gone without a word ends a session too). Since then closing the connection is how a call is cancelled.
        """
        if asking.asks_by_answer(call):
            return LEFT in _http(call).scope
        return not self.runs.stopping.is_set()

    async def _outcome(self, run: Run, call: Call) -> Answer:
        name, data = await self._follow(run, call)
        if name == "result":
            made = {**data, "status": "done", "thread_id": run.thread_id, "run_id": run.run_id}
            return await self._show(call, Rendering.model_validate(made), data["artifact_id"])
        asked = asking.Asked(thread_id=run.thread_id, run_id=run.run_id, interrupt_id=data["id"])
        if not asking.can_ask(call):
            return _tell(call, _put(asked, data["candidates"]))
        if asking.asks_by_answer(call):
            return asking.question(asked, data["candidates"])
        choice = await asking.ask(call, data["candidates"])
        return await self._chosen(asked, choice, data["candidates"], call)

    async def _follow(self, run: Run, call: Call) -> tuple[str, dict[str, Any]]:
        """Report the steps of a run, and return its `result` or its `interrupt`.

        Raises `AppError` where it ends otherwise.
        """
        last: tuple[str, dict[str, Any]] = ("", {})
        before = step = total = 0  # `before`: in attempts that were not good enough
        async for event in self.runs.follow(run):
            data = json.loads(event.data)
            match event.event:
                case "progress":
                    before += total if data["step"] <= step else 0
                    step, total = data["step"], data["total"]
                    message = f"step {step} of {total}, {data['eta_ms'] / 1000:.0f} s left"
                    await call.session.report_progress(before + step, before + total, message)
                case "result" | "interrupt":
                    last = event.event, data
                case "error":
                    raise _failure(data["code"], data["message"], retryable=data["retryable"])
                case "end" if data["status"] == "cancelled":
                    raise Cancelled("The render was cancelled.")
                case "end":
                    return last
        message = f"The studio stops; it paints on when it is back: read thread {run.thread_id}."
        raise _failure("stopping", message, retryable=True)

    async def _go_on(self, params: CallToolRequestParams, call: Call) -> Answer:
        """Serve the second call, which brings the user's reply to the question of the first."""
        asked = asking.recall(params.request_state or "")
        choice = asking.picked((params.input_responses or {}).get(asking.FIELD))
        question = (await self.log.thread(asked.thread_id)).question
        if question is None or question["id"] != asked.interrupt_id:
            raise Conflict("The question is no longer open: read the thread.", code="stale_choice")
        return await self._chosen(asked, choice, question["candidates"], call)

    async def _chosen(
        self,
        asked: asking.Asked,
        choice: StyleChoice | None,
        candidates: Sequence[Match],
        call: Call,
    ) -> Answer:
        if choice is None:
            return _tell(call, _put(asked, candidates))
        answering = self._answer(asked.thread_id, asked.interrupt_id, choice, call)
        return await self._conduct(answering, call)

    async def _read(self, thread_id: str, call: Call) -> Answer:
        summary = await threads.thread(thread_id, self.log)
        if not summary.results:
            return _tell(call, summary)
        return await self._show(call, summary, summary.results[-1]["artifact_id"])

    async def _show(self, call: Call, answer: BaseModel, artifact_id: str) -> CallToolResult:
        """Answer with a picture: as an image, and as a link to it."""
        picture = await asyncio.to_thread(self.context.artifacts.get, artifact_id)
        link = ResourceLink(
            uri=_base(call) + artifact_url(artifact_id),
            name=f"{artifact_id[:12]}.png",
            mime_type=picture.media_type,
            size=len(picture.data),
        )
        return _tell(call, answer, await asyncio.to_thread(_glance, picture), link)


def _glance(picture: Artifact) -> ImageContent:
    """The picture itself, or where that is too much for a client to take in one piece, a smaller one."""
    data, media_type = picture.data, picture.media_type
    if len(data) > GLANCE_MAX:
        smaller = decode_upload(data)
        smaller.thumbnail((GLANCE_SIDE, GLANCE_SIDE))
        jpeg = BytesIO()
        smaller.save(jpeg, "JPEG", quality=90)
        data, media_type = jpeg.getvalue(), "image/jpeg"
    return ImageContent(data=base64.b64encode(data).decode(), mime_type=media_type)


def _keep(sketch: str, context: Context) -> str:
    """Store a sketch that came as text, or find it, and return its artifact id.

    Blocking. Raises `InvalidRequest` (`invalid_sketch`), and as `decode_upload` and `ArtifactStore.image` do.
    """
    sketch = sketch.strip()
    if _ARTIFACT.fullmatch(sketch):
        context.artifacts.image(sketch)
        return sketch
    try:
        data = base64.b64decode("".join(_DATA_URL.sub("", sketch, 1).split()), validate=True)
    except binascii.Error as error:
        raise InvalidRequest(
            "The sketch is neither an image in base64 nor an artifact_id; web addresses are not "
            "fetched: send the image itself.",
            code="invalid_sketch",
        ) from error
    return context.artifacts.put_image(decode_upload(data))


def _put(asked: asking.Asked, candidates: Sequence[Match]) -> Rendering:
    """The question as the model reads it, where nobody else could be asked."""
    return Rendering(
        status="question",
        thread_id=asked.thread_id,
        run_id=asked.run_id,
        question=StyleQuestion(
            interrupt_id=asked.interrupt_id, candidates=[StyleMatch(**c) for c in candidates]
        ),
    )


def _tell(call: Call, answer: BaseModel, *pictures: ContentBlock) -> CallToolResult:
    """Say it twice, for clients that show a model only the text."""
    structured = _located(answer.model_dump(mode="json", exclude_unset=True), _base(call))
    text = TextContent(text=json.dumps(structured, ensure_ascii=False))
    return CallToolResult(content=[text, *pictures], structured_content=structured)


def _refuse(code: str, message: str, *, retryable: bool = False) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(text=f"{message} ({code})")],
        structured_content={"code": code, "message": message, "retryable": retryable},
        is_error=True,
    )


def _failure(code: str, message: str, *, retryable: bool) -> AppError:
    error = AppError(message, code=code)
    error.retryable = retryable
    return error


def _faults(error: ValidationError) -> str:
    """What is wrong with which argument; echoes no input."""
    faults = [(".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors()[:3]]
    return "; ".join(": ".join(filter(None, fault)) for fault in faults) + "."


def _base(call: Call) -> str:
    """Where the caller found us."""
    return str(_http(call).base_url).rstrip("/")


def _http(call: Call) -> HTTPRequest:
    assert isinstance(call.request, HTTPRequest)  # as it is on this transport
    return call.request


def _located(value: Any, base: str) -> Any:
    """The same JSON with whole addresses, which a client can open."""
    match value:
        case dict():
            return {
                key: base + inner
                if key.endswith("_url") and isinstance(inner, str)
                else _located(inner, base)
                for key, inner in value.items()
            }
        case list():
            return [_located(inner, base) for inner in value]
        case _:
            return value
