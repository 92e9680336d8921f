"""What every answer of the OpenAI wire is made of: its errors, its usage, its streams."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import Response
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from server.runs import Runs
from server.sse import stream_response
from tools.errors import AppError

PREFIX = "/v1/"  # of every path of this wire

Word = Annotated[str, Field(max_length=400)]


class ErrorDetail(BaseModel):
    """Why a request was refused. `code` is stable; `message` is for people and may change."""

    message: str
    type: str  # "invalid_request_error" or "server_error"
    param: str | None
    code: str


class ErrorBody(BaseModel):
    """An error as OpenAI's clients read it."""

    error: ErrorDetail


class Usage(BaseModel):
    """What clients add up. Nothing is billed here, so a word counts as a token and a picture as none."""

    input_tokens: int
    output_tokens: int = 0
    total_tokens: int
    input_tokens_details: dict[str, int]


class Refused(AppError):
    """A refusal that knows which parameter it is about."""

    status = 400

    def __init__(self, message: str, *, code: str, param: str, status: int = 400) -> None:
        super().__init__(message, code=code)
        self.param = param
        self.status = status


def refused(error: AppError, param: str) -> Refused:
    """Return `error` as one about `param`."""
    return Refused(error.message, code=error.code, param=param, status=error.status)


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request was refused and changed nothing.", "model": ErrorBody},
    "5XX": {"description": "The studio cannot do it now, or failed.", "model": ErrorBody},
}


def openai_error(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    retryable: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that refuses a request of this wire; OpenAI says 400 where we say 422."""
    status = 400 if status == 422 else status
    return Response(
        json.dumps(_body(status, code, message, param)),
        status,
        # The clients send again whatever failed with 409 or 5xx, unless this header knows better.
        {**(headers or {}), "x-should-retry": json.dumps(retryable)},
        media_type="application/json",
    )


def openai_stream(runs: Runs, lines: AsyncIterator[ServerSentEvent]) -> EventSourceResponse:
    """Stream `lines`; what fails in the middle is their last event."""

    async def told() -> AsyncIterator[ServerSentEvent]:
        try:
            async for line in lines:
                yield line
        except AppError as error:
            yield sse(_body(error.status, error.code, error.message, param_of(error)))

    return stream_response(runs, told())


def sse(data: Mapping[str, Any], event: str | None = None) -> ServerSentEvent:
    """An event with JSON data, in one line of ASCII."""
    return ServerSentEvent(json.dumps(data, separators=(",", ":")), event=event, sep="\n")


def param_of(error: AppError) -> str | None:
    """The parameter that `error` is about, where it knows."""
    return error.param if isinstance(error, Refused) else None


def word_count(text: str) -> int:
    """Words, for want of tokens."""
    return len(text.split())


def timestamp() -> int:
    """The present moment, in seconds since 1970."""
    return int(time.time())


def _body(status: int, code: str, message: str, param: str | None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    detail = ErrorDetail(message=message, type=kind, param=param, code=code)
    return ErrorBody(error=detail).model_dump()
