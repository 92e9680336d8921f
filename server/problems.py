"""Every refusal in one shape: RFC 9457 problem+json with a stable `code`; OpenAI's own on the OpenAI wire."""

import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from server.openai.shapes import PREFIX, openai_error, param_of
from tools.disk import disk_failure
from tools.errors import AppError, EngineBusy

RETRY_AFTER_S = 5  # of a studio that is full; about the time of a render


class Problem(BaseModel):
    """A refusal. `code` is stable; `detail` is for people and may change."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    retryable: bool = False
    errors: list[dict[str, str]] = []  # {"field", "message"} of each wrong field


class ProblemResponse(JSONResponse):
    """A `Problem` on the wire."""

    media_type = "application/problem+json"


_CONTENT = {ProblemResponse.media_type: {"schema": Problem.model_json_schema()}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request was refused and changed nothing.", "content": _CONTENT},
    "5XX": {"description": "The studio cannot do it now, or failed.", "content": _CONTENT},
}

_CODES = {400: "broken_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_FIELD_CODES = {"style": "invalid_choice", "styles": "invalid_choice"}  # as `graph.choice` says it
_DETAILS = {
    400: "The body cannot be read: send it as the content type says.",
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The request is larger than the studio accepts: send less, or smaller images.",
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    retryable: bool = False,
    errors: Sequence[dict[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """Return the response that refuses a request."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        retryable=retryable,
        errors=list(errors),
    )
    exclude = None if errors else {"errors"}
    return ProblemResponse(body.model_dump(exclude=exclude), status, headers)


def speak_problems(app: FastAPI) -> None:
    """Let every error of `app` leave in the words of the wire that its request came by."""

    @app.exception_handler(AppError)
    async def app_error(request: Request, error: AppError) -> Response:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, EngineBusy) else None
        return _refusal(
            request,
            error.status,
            error.code,
            error.message,
            param=param_of(error),
            retryable=error.retryable,
            headers=headers,
        )

    @app.exception_handler(OSError)
    @app.exception_handler(sqlite3.Error)
    async def refused_by_disk(request: Request, error: Exception) -> Response:
        failure = disk_failure(error, request.app.state.releases.context.settings.data_dir)
        if failure is None:
            raise error
        return await app_error(request, failure)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return _invalid(request, error.errors())

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        status = error.status_code
        code = _CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
        detail = _DETAILS.get(status, error.detail)
        headers = (status == 405 and _allowed(request)) or error.headers
        return _refusal(request, status, code, detail, headers=headers)

    @app.exception_handler(Exception)
    async def internal(request: Request, __: Exception) -> Response:
        # Starlette logs the exception; the caller learns nothing of it.
        detail = "Something broke in the studio. It has been logged."
        return _refusal(request, 500, "internal", detail)


def _allowed(request: Request) -> dict[str, str] | None:
    """Every method of the most literal address that fits; a route by itself knows only its own."""
    paths: dict[str, Any] = request.app.openapi()["paths"]
    fitting = [path for path in paths if compile_path(path)[0].match(request.url.path)]
    if not fitting:
        return None
    methods = paths[min(fitting, key=lambda path: path.count("{"))]
    return {"Allow": ", ".join(sorted(method.upper() for method in methods))}


def _refusal(
    request: Request, status: int, code: str, detail: str, *, param: str | None = None, **more: Any
) -> Response:
    if request.url.path.startswith(PREFIX):
        more.pop("errors", None)
        return openai_error(status, code, detail, param=param, **more)
    return problem(status, code, detail, **more)


def _invalid(request: Request, faults: Sequence[Mapping[str, Any]]) -> Response:
    """The code is `invalid_<field>` of the first fault, or `unknown_field`. Echoes no values."""
    place, *path = (str(step)[:80] for step in faults[0]["loc"])
    if place == "path":
        return _refusal(request, 404, _CODES[404], _DETAILS[404])
    errors = [
        {"field": ".".join(str(step)[:80] for step in fault["loc"][1:]), "message": fault["msg"]}
        for fault in faults
    ]
    field = path[0].lower().replace("-", "_") if path else place
    match faults[0]["type"]:
        case "json_invalid":
            code = "invalid_json"
        case "extra_forbidden":
            code = "unknown_field"
        case _:
            code = _FIELD_CODES.get(field, f"invalid_{field}")
    detail = "; ".join(": ".join(filter(None, error.values())) for error in errors[:3])
    param = path[0] if path and code != "invalid_json" else None
    return _refusal(request, 422, code, detail, errors=errors, param=param)
