"""Say something, and answer when the studio asks."""

from typing import Annotated

from fastapi import APIRouter, Form
from sse_starlette import EventSourceResponse

from graph.choice import StyleChoice
from server.artifacts import keep_upload
from server.deps import CallerDep, ContextDep, LogDep, RunsDep
from server.problems import PROBLEMS
from server.schemas import ChatForm, ChoiceBody
from server.sse import STREAM, event_stream
from server.wishes import IdempotencyKey, check_choice, checked_request, once_of

router = APIRouter(tags=["chat"], responses=PROBLEMS)


@router.post("/chat", response_class=EventSourceResponse, responses=STREAM)
async def chat(
    form: Annotated[ChatForm, Form(media_type="multipart/form-data")],
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
) -> EventSourceResponse:
    """Render a message, with a sketch or on the thread's sketch, and stream what happens.

    A message to a thread that waits for an answer drops the question and begins a new turn. Sent again with the same
    `Idempotency-Key`, it streams the run that it began the first time. 503 when a file of the profile's models is
    missing or altered; the answer says which, and what mends it.
    """
    if form.thread_id is not None:
        await log.check_thread(form.thread_id)
    request = await checked_request(form.message, form, context)
    if form.sketch:
        request["sketch"] = await keep_upload(form.sketch, context)
    once = once_of(idempotency_key, form.model_dump(exclude={"sketch"}), request["sketch"])
    run = await runs.start(
        request, form.thread_id, once, caller=caller, strategy=form.multitask_strategy
    )
    return event_stream(runs, run)


@router.post("/chat/{thread_id}/choice", response_class=EventSourceResponse, responses=STREAM)
async def choose(
    thread_id: str,
    body: ChoiceBody,
    context: ContextDep,
    log: LogDep,
    runs: RunsDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
) -> EventSourceResponse:
    """Answer a thread's question; a new run on the thread goes on from there.

    Sent again with the same `Idempotency-Key`, it streams the run that it began the first time. 409 when the question
    is no longer the one that waits, or nobody asked.
    """
    await log.check_thread(thread_id)
    choice = StyleChoice(styles=body.styles)
    await check_choice(choice, context)
    once = once_of(idempotency_key, thread_id, body.model_dump())
    run = await runs.answer(thread_id, body.interrupt_id, choice, once, caller=caller)
    return event_stream(runs, run)
