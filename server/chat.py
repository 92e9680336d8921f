"""Say something, and answer when the studio asks."""

import asyncio
import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Form, Header
from sse_starlette import EventSourceResponse

from graph.choice import StyleChoice, parse_style, settle
from graph.context import Context
from graph.state import Request
from server.artifacts import keep_upload
from server.deps import ContextDep, LogDep, RunsDep
from server.eventlog import Once
from server.problems import PROBLEMS
from server.runs import new_seed
from server.schemas import ChatForm, ChoiceBody
from server.sse import STREAM, event_stream
from server.styles import refresh
from tools.errors import InvalidRequest, NotFound
from tools.packs import open_pack
from tools.profiles import Profile

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=200, description="Makes it safe to send the request again."),
]

router = APIRouter(tags=["chat"], responses=PROBLEMS)


@router.post("/chat", response_class=EventSourceResponse, responses=STREAM)
async def chat(
    form: Annotated[ChatForm, Form(media_type="multipart/form-data")],
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    idempotency_key: IdempotencyKey = None,
) -> EventSourceResponse:
    """Render a message, with a sketch or on the thread's sketch, and stream what happens.

    A message to a thread that waits for an answer drops the question and begins a new turn. Sent again with the same
    `Idempotency-Key`, it streams the run that it began the first time. 503 when a file of the profile's models is
    missing or altered; the answer says which, and what mends it.
    """
    if form.thread_id is not None:
        await log.check_thread(form.thread_id)
    name = form.profile or context.settings.profile
    profile = context.profile(name)
    _check_bounds(form, profile)
    await asyncio.to_thread(open_pack, profile, context.settings.models_dir)
    await _check_choice(parse_style(form.style), context)
    sketch = await keep_upload(form.sketch, context) if form.sketch else None
    once = _once(idempotency_key, form.model_dump(exclude={"sketch"}), sketch)
    request = Request(
        message=form.message,
        sketch=sketch,
        style=form.style,
        seed=new_seed() if form.seed is None else form.seed,
        steps=form.steps,
        size=form.size,
        profile=name,
    )
    return event_stream(runs, await runs.start(request, form.thread_id, once))


@router.post("/chat/{thread_id}/choice", response_class=EventSourceResponse, responses=STREAM)
async def choose(
    thread_id: str,
    body: ChoiceBody,
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    idempotency_key: IdempotencyKey = None,
) -> EventSourceResponse:
    """Answer a thread's question; a new run on the thread goes on from there.

    Sent again with the same `Idempotency-Key`, it streams the run that it began the first time. 409 when the question
    is no longer the one that waits, or nobody asked.
    """
    await log.check_thread(thread_id)
    choice = StyleChoice(styles=body.styles)
    await _check_choice(choice, context)
    once = _once(idempotency_key, thread_id, body.model_dump())
    return event_stream(runs, await runs.answer(thread_id, body.interrupt_id, choice, once))


def _once(key: str | None, *sent: object) -> Once | None:
    if key is None:
        return None
    return Once(key, hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest())


def _check_bounds(form: ChatForm, profile: Profile) -> None:
    if form.steps is not None and form.steps > profile.steps_max:
        raise InvalidRequest(
            f"{form.steps} steps: the profile {profile.name} takes 1 to {profile.steps_max}.",
            code="invalid_steps",
        )
    if form.size is not None and form.size > profile.size_max:
        raise InvalidRequest(
            f"{form.size} px: the profile {profile.name} takes up to {profile.size_max}.",
            code="invalid_size",
        )


async def _check_choice(choice: StyleChoice | None, context: Context) -> None:
    """A style that is not there makes the request wrong, not its address."""
    if choice is None:
        return
    await refresh(context)
    try:
        settle(choice, context)
    except NotFound as error:
        raise InvalidRequest(error.message, code=error.code) from error
