"""What a run is given, as callers of the protocol write it: messages with pictures in them, and answers."""

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from graph.choice import StyleChoice, parse_style
from graph.context import Context
from graph.state import Request
from server.agent.schemas import Input, RunBody, RunContext, StateEdit
from server.wishes import checked_request
from tools.errors import InvalidRequest, NotFound
from tools.images import decode_upload

ID_MAX = 100  # characters of a message's id
INTERRUPT = re.compile(r"[0-9a-f]{32}")  # id of a question

# Whatever a caller calls this server: an artifact's name is its content, wherever it lies.
_ARTIFACT = re.compile(r"(?:https?://[^/]+)?/artifacts/([0-9a-f]{64})")
_DATA_URL = re.compile(r"data:[^,]{0,100};base64,")
_OURS = re.compile(r"turn-[0-9]+-(human|ai)")
_FIELDS = frozenset(RunContext.model_fields)


async def read_request(body: RunBody, context: Context) -> Request:
    """Return what the `input`, `context` and `config` of a run ask for; what stands first there wins.

    The picture of the message is stored. Raises `RequestValidationError`, and `InvalidRequest` or
    `WeightsMissing` for what the studio cannot do.
    """
    given = body.input
    if not isinstance(given, dict):
        raise _wrong("input", 'must be an object: {"messages": [...]}')
    picture: bytes | str | None = None
    message_id: str | None = None
    if given.get("messages"):
        text, picture, message_id = _last_message(given["messages"])
        given = {**given, "message": text}
    wishes = {
        **{key: value for key, value in body.configurable.items() if key in _FIELDS},
        **(body.context or {}),
    }
    try:
        RunContext.model_validate(_told(wishes))
        asked = Input.model_validate({**_told(wishes), **_told(given)})
    except ValidationError as error:
        raise _invalid(error) from error
    request = await checked_request(asked.message, asked, context)
    request["message_id"] = message_id
    if picture is not None:
        request["sketch"] = await asyncio.to_thread(_keep, picture, context)
    elif asked.sketch is not None:
        request["sketch"] = await check_sketch(asked.sketch, context)
    return request


def read_edit(values: Mapping[str, Any] | None) -> StateEdit:
    """Read a change of a thread's state. Raises `RequestValidationError`."""
    try:
        return StateEdit.model_validate(values or {})
    except ValidationError as error:
        raise _invalid(error) from error


def read_answer(
    resume: Any, candidates: Sequence[Mapping[str, Any]]
) -> tuple[str | None, StyleChoice]:
    """Read the answer to a style question, in any of the ways in which callers say it.

    {"styles": [{"style", "weight"}]}, a list of those or of slugs, "slug:0.7,slug:0.3", "none", {"style_id"},
    {"decisions": [...]} of a review, where approval takes the first of `candidates`; each may stand under the id of
    its question, which is returned too. Raises `InvalidRequest` (`invalid_choice`).
    """
    match resume:
        case dict() if len(resume) == 1 and INTERRUPT.fullmatch(next(iter(resume))):
            ((interrupt_id, answer),) = resume.items()
            return interrupt_id, _choice(answer, candidates)
        case _:
            return None, _choice(resume, candidates)


async def check_sketch(artifact_id: str, context: Context) -> str:
    """Return the id of a stored image. Raises `InvalidRequest` (`unknown_artifact`, `unsupported_image`)."""
    try:
        await asyncio.to_thread(context.artifacts.image, artifact_id)
    except NotFound as error:
        raise InvalidRequest(error.message, code=error.code) from error
    return artifact_id


def _choice(answer: Any, candidates: Sequence[Mapping[str, Any]]) -> StyleChoice:
    match answer:
        case str():
            choice = parse_style(answer)
            if choice is None:
                raise _unclear(answer)
            return choice
        case list():
            shares = [{"style": each} if isinstance(each, str) else each for each in answer]
        case {"styles": list(styles)}:
            return _choice(styles, candidates)
        case {"decisions": [decision]}:
            return _decided(decision, candidates)
        case {"style_id": str(style)}:
            return _choice(style, candidates)
        case {"style": str()}:
            shares = [answer]
        case _:
            raise _unclear(answer)
    try:
        return StyleChoice.model_validate({"styles": shares})
    except ValidationError as error:
        raise InvalidRequest(
            f"The answer is no choice of styles: {error.errors()[0]['msg']}.", code="invalid_choice"
        ) from error


def _decided(decision: Any, candidates: Sequence[Mapping[str, Any]]) -> StyleChoice:
    match decision:
        case {"type": "approve"}:
            return _choice([candidates[0]["style"]] if candidates else [], candidates)
        case {"type": "edit", "edited_action": {"args": {"style_id": str(style)}}}:
            return _choice(style, candidates)
        case {"type": "reject"}:
            return StyleChoice(styles=[])
        case _:
            raise _unclear({"decisions": [decision]})


def _last_message(messages: Any) -> tuple[str, bytes | str | None, str | None]:
    """The text of the last human message, its picture (bytes, or the id of an artifact) and its id."""
    human = [
        (content, message)
        for message in _listed(messages)
        for role, content in [_role_and_content(message)]
        if role in ("human", "user")
    ]
    if not human:
        raise _wrong("messages", "holds no human message")
    content, message = human[-1]
    texts: list[str] = []
    pictures: list[bytes | str] = []
    for block in _listed(content):
        match block:
            case str(text) | {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "image" | "image_url"}:
                pictures.append(_picture(block))
            case _:
                raise _wrong("messages", "may hold text and images only")
    if len(pictures) > 1:
        raise InvalidRequest(
            f"{len(pictures)} images in one message: send one, the sketch.", code="too_many_images"
        )
    return "\n".join(texts), pictures[0] if pictures else None, _id_of(message)


def _id_of(message: Any) -> str | None:
    """The id that a page knows a message by, which finds it again by that; one of ours is no new name."""
    match message:
        case {"id": str(given)} if 0 < len(given) <= ID_MAX and not _OURS.fullmatch(given):
            return given
    return None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _role_and_content(message: Any) -> tuple[Any, Any]:
    match message:
        case str():
            return "human", message
        case [str(role), content]:
            return role, content
        case {"content": content}:
            return message.get("type") or message.get("role"), content
        case _:
            raise _wrong("messages", "holds something that is no message")


def _picture(block: Mapping[str, Any]) -> bytes | str:
    match block:
        case {"base64": str(encoded)} | {"data": str(encoded)}:
            return _decoded(encoded)
        case {"url": str(url)} | {"image_url": str(url)} | {"image_url": {"url": str(url)}} if (
            found := _ARTIFACT.fullmatch(url)
        ):
            return found[1]
        case {"url": str(url)} | {"image_url": str(url)} | {"image_url": {"url": str(url)}} if (
            found := _DATA_URL.match(url)
        ):
            return _decoded(url[found.end() :])
        case _:
            raise InvalidRequest(
                "An image must come with the message, as base64 or a data URL, or be one of this studio's own "
                "(/artifacts/...): nothing is fetched.",
                code="remote_image",
            )


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            "The image is not in base64: encode it again.", code="broken_image"
        ) from error


def _keep(picture: bytes | str, context: Context) -> str:
    if isinstance(picture, bytes):
        return context.artifacts.put_image(decode_upload(picture))
    try:
        context.artifacts.image(picture)
    except NotFound as error:
        raise InvalidRequest(error.message, code=error.code) from error
    return picture


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    """In JSON, null is another word for leaving something out."""
    return {key: value for key, value in fields.items() if value is not None}


def _wrong(field: str, what: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": what}])


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError(
        [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
    )


def _unclear(answer: Any) -> InvalidRequest:
    return InvalidRequest(
        f"{str(answer)[:80]!r} is no answer to a style question: send "
        '{"styles": [{"style": "slug", "weight": 1}]}, a slug, or "none".',
        code="invalid_choice",
    )
