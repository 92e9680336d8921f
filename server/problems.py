"""Every refusal in one shape: RFC 9457 problem+json with a stable `code`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

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
    """Let every error of `app` leave as problem+json."""

    @app.exception_handler(AppError)
    async def app_error(_: Request, error: AppError) -> ProblemResponse:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, EngineBusy) else None
        return problem(
            error.status, error.code, error.message, retryable=error.retryable, headers=headers
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> ProblemResponse:
        return _invalid(error.errors())

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> ProblemResponse:
        status = error.status_code
        code = _CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
        return problem(status, code, _DETAILS.get(status, error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def internal(_: Request, __: Exception) -> ProblemResponse:
        # Starlette logs the exception; the caller learns nothing of it.
        return problem(500, "internal", "Something broke in the studio. It has been logged.")


def _invalid(faults: Sequence[Mapping[str, Any]]) -> ProblemResponse:
    """The code is `invalid_<field>` of the first fault, or `unknown_field`. Echoes no input."""
    place, *path = (str(step) for step in faults[0]["loc"])
    if place == "path":
        return problem(404, _CODES[404], _DETAILS[404])
    errors = [
        {"field": ".".join(map(str, fault["loc"][1:])), "message": fault["msg"]} for fault in faults
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
    return problem(422, code, detail, errors=errors)
