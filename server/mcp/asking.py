"""The studio's style question as MCP's elicitation: a form that the client shows to its user."""

from collections.abc import Sequence
from typing import Any

from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, ConfigDict, ValidationError

from graph.choice import StyleChoice, parse_style
from styles.index import Match
from tools.errors import InvalidRequest

FIELD = "style"
NONE = "none"


class Asked(BaseModel):
    """The question that a client's second request answers.

    It comes back from the client unsealed: it says no more than `choose` would, and is checked like it.
    """

    model_config = ConfigDict(extra="forbid")

    thread_id: str
    run_id: str
    interrupt_id: str


def recall(state: str) -> Asked:
    """Read what came back. Raises `InvalidRequest` (`invalid_request_state`)."""
    try:
        return Asked.model_validate_json(state)
    except ValidationError as error:
        raise InvalidRequest(
            "The requestState is not one of this studio: call `render` anew.",
            code="invalid_request_state",
        ) from error


def can_ask(call: ServerRequestContext[Any, Any]) -> bool:
    """Whether the client shows forms; one that names no kind of elicitation shows them."""
    declared = call.session.client_capabilities
    kinds = declared.elicitation if declared else None
    return kinds is not None and (kinds.form is not None or kinds.url is None)


def asks_by_answer(call: ServerRequestContext[Any, Any]) -> bool:
    """Whether a question is the answer to the call, and the user's reply a second call."""
    return call.protocol_version in MODERN_PROTOCOL_VERSIONS


def question(asked: Asked, candidates: Sequence[Match]) -> InputRequiredResult:
    """The question as the answer to a call."""
    request = ElicitRequest(params=_form(candidates))
    return InputRequiredResult(
        input_requests={FIELD: request}, request_state=asked.model_dump_json()
    )


async def ask(
    call: ServerRequestContext[Any, Any], candidates: Sequence[Match]
) -> StyleChoice | None:
    """Ask in the middle of the call, as protocols before 2026 do; None where nobody chose."""
    form = _form(candidates)
    try:
        reply = await call.session.elicit_form(
            form.message, form.requested_schema, related_request_id=call.request_id
        )
    except MCPError:  # the client cannot after all
        return None
    return picked(reply)


def picked(reply: object) -> StyleChoice | None:
    """What the user chose; None where the form was declined or put aside.

    Raises `InvalidRequest` for what names no style.
    """
    if not isinstance(reply, ElicitResult) or reply.action != "accept":
        return None
    return parse_style(str((reply.content or {}).get(FIELD, "")))


def _form(candidates: Sequence[Match]) -> ElicitRequestFormParams:
    lines = [f"{match['style']}: {match['name']} ({match['reason']})" for match in candidates]
    return ElicitRequestFormParams(
        message="\n".join(["Which style shall the picture have?", *lines, f"{NONE}: words alone"]),
        requested_schema={
            "type": "object",
            "properties": {
                FIELD: {
                    "type": "string",
                    "title": "Style",
                    "enum": [*(match["style"] for match in candidates), NONE],
                }
            },
            "required": [FIELD],
        },
    )
