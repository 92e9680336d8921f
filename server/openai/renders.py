"""From a checked wish to a run, and from a run to its end: what pictures and chat share."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, UploadFile

from graph import state
from graph.choice import OWN_REFERENCE, STYLES_MAX, StyleChoice, parse_style
from graph.context import Context
from server.artifacts import keep_upload
from server.deps import CallerDep, ContextDep, LogDep, RunsDep
from server.eventlog import EventLog, Once, Run
from server.openai.shapes import Refused, refused
from server.runs import Runs, new_seed
from server.schemas import Wish
from server.wishes import IdempotencyKey, check_bounds, check_choice, once_of
from tools.errors import (
    AppError,
    Cancelled,
    EngineBusy,
    InvalidRequest,
    status_of,
)
from tools.packs import open_pack
from tools.profiles import Profile

OPENAI_STYLES = ("vivid", "natural")  # what `style` meant to models that are retired by now


@dataclass(frozen=True, slots=True)
class Desk:
    """What a call of this wire works with."""

    context: Context
    log: EventLog
    runs: Runs
    caller: str
    base_url: str  # of this server, as the caller reached it; ends without a slash
    key: str | None  # the caller's `Idempotency-Key`


def _desk(
    request: Request,
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
) -> Desk:
    base_url = str(request.base_url).rstrip("/")
    return Desk(context, log, runs, caller, base_url, idempotency_key)


DeskDep = Annotated[Desk, Depends(_desk)]


class RunFailed(AppError):
    """What ended a run, as its log tells it."""

    def __init__(self, fault: dict[str, Any]) -> None:
        super().__init__(fault["message"], code=fault["code"])
        self.retryable = fault["retryable"]
        self.status = status_of(self.code) or (500 if self.retryable else 400)


async def choose_profile(name: str | None, model: str | None, desk: Desk) -> Profile:
    """Return the profile called `name`, else the one that `model` names, else the default one.

    Raises `Refused` (`unknown_profile`), and `WeightsMissing` when its models are not all there.
    """
    context = desk.context
    named_so = model if model in context.profiles else context.settings.profile
    try:
        profile = context.profile(name or named_so or context.settings.profile)
    except InvalidRequest as error:
        raise refused(error, "profile") from error
    await asyncio.to_thread(open_pack, profile, context.settings.models_dir)
    return profile


def check_steps(steps: int | None, profile: Profile) -> None:
    """Raises `Refused` (`invalid_steps`) for more than the profile takes."""
    try:
        check_bounds(Wish(steps=steps), profile)
    except InvalidRequest as error:
        raise refused(error, "steps") from error


async def check_style(style: str, desk: Desk) -> None:
    """Raises `Refused` (`invalid_choice`, `unknown_style`, `unknown_artifact`)."""
    try:
        await check_choice(parse_style(style), desk.context)
    except InvalidRequest as error:
        raise refused(error, "style") from error


async def keep_images(
    images: Sequence[UploadFile], style: str, param: str, desk: Desk
) -> tuple[str | None, str]:
    """Store the first image as the sketch and the others as style references, which join `style`.

    Returns the sketch's artifact id and the style. Raises `Refused`, about `param`, for an image that
    `keep_upload` refuses and for too many of them; about `style`, where it forbids the references.
    """
    if len(images) > 1 + STYLES_MAX:
        raise Refused(
            f"{len(images)} images: the first is the sketch, and up to {STYLES_MAX} more show the style.",
            code="too_many_images",
            param=param,
        )
    if len(images) > 1 and style == "none":
        raise Refused(
            'The style "none" wants no reference images: send the sketch alone, or leave the style out.',
            code="invalid_choice",
            param="style",
        )
    try:
        kept = [await keep_upload(image, desk.context) for image in images]
    except AppError as error:
        raise refused(error, param) from error
    references = dict.fromkeys(OWN_REFERENCE + artifact_id for artifact_id in kept[1:])
    if references:
        named = style if parse_style(style) is not None else ""
        style = ",".join(filter(None, [named, *references]))
    return (kept[0] if kept else None), style


async def begin(
    desk: Desk,
    profile: Profile,
    thread_id: str | None,
    once: Once | None,
    *,
    message: str,
    sketch: str | None,
    style: str,
    seed: int | None,
    steps: int | None,
    size: int | None,
) -> Run:
    """Start the run of a message, or return the one that `once` started. Raises as `Runs.start` does."""
    request = state.Request(
        message=message,
        sketch=sketch,
        style=style,
        seed=new_seed() if seed is None else seed,
        steps=steps,
        size=size,
        profile=profile.name,
    )
    return await desk.runs.start(request, thread_id, once, caller=desk.caller)


async def answer(
    desk: Desk, thread_id: str, interrupt_id: str, choice: StyleChoice, once: Once | None
) -> Run:
    """Start the run that goes on with an answer. Raises as `Runs.answer` does."""
    return await desk.runs.answer(thread_id, interrupt_id, choice, once, caller=desk.caller)


def once(desk: Desk, number: int, *sent: object) -> Once | None:
    """What makes the run `number` (from 0) of a request the same run when all of it is sent again."""
    if desk.key is None or number == 0:
        return once_of(desk.key, *sent)
    return once_of(hashlib.sha256(f"{desk.key}\n{number}".encode()).hexdigest(), *sent)


async def told(desk: Desk, run: Run) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield the events of `run` by name and data until it has its result, or its question.

    Raises `RunFailed`, `Cancelled`, and `EngineBusy` when the server stops: the run itself goes on.
    """
    fault: dict[str, Any] | None = None
    async for event in desk.runs.follow(run):
        data = json.loads(event.data)
        match event.event:
            case "error":
                fault = data
            case "end" if fault:
                raise RunFailed(fault)
            case "end" if data["status"] == "cancelled":
                raise Cancelled("This render was cancelled.")
            case "end":
                return
            case name:
                yield name, data
    raise EngineBusy("The studio is stopping: send this again in a moment.")
