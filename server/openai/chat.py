"""`chat/completions`: a conversation in any chat front end becomes renders."""

import re
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from graph.choice import parse_style
from server.eventlog import Run, Thread
from server.openai.chores import chore_answer
from server.openai.conversation import (
    Conversation,
    Turn,
    ask,
    decode_image,
    link,
    message,
    offered,
    read,
    read_choice,
    whole_message,
)
from server.openai.renders import (
    Desk,
    DeskDep,
    answer,
    begin,
    check_steps,
    check_style,
    choose_profile,
    keep_images,
    once,
    told,
)
from server.openai.shapes import (
    ERRORS,
    Refused,
    Word,
    openai_stream,
    refused,
    sse,
    timestamp,
    word_count,
)
from server.schemas import SEED_MAX, SIZE_MIN
from tools.errors import NotFound
from tools.profiles import Profile

ALT_TEXT = 80  # characters

router = APIRouter(prefix="/v1/chat", tags=["openai"], responses=ERRORS)


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool | None = None


class ChatBody(BaseModel):
    """A conversation; what only language models understand (temperature, tools, ...) is left alone."""

    messages: list[Turn] = Field(min_length=1)
    model: Word | None = Field(None, description="A profile's name; any other is the default one.")
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None

    style: Word = Field(
        "",
        description="Empty: asks when not sure. `auto` never asks, `ask` always does, `none` is text only, `slug` "
        "or `slug:0.7,slug:0.3` decides.",
    )
    seed: int | None = Field(None, ge=0, le=SEED_MAX)
    steps: int | None = Field(None, ge=1)
    size: int | None = Field(None, ge=SIZE_MIN, multiple_of=8, description="px of the long side.")
    profile: Word | None = None
    thread_id: Word | None = Field(None, description="Left out, the history says.")


class ChatUsage(BaseModel):
    """What clients add up; a word counts as a token."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Answer(BaseModel):
    """What the studio says. `images` are those in `content`, for clients that look there."""

    role: Literal["assistant"] = "assistant"
    content: str
    images: list[dict[str, Any]] | None = None  # {"type": "image_url", "image_url": {"url"}}


class Choice(BaseModel):
    """The one answer there is."""

    index: int = 0
    message: Answer
    finish_reason: Literal["stop"] = "stop"


class Where(BaseModel):
    """Where the conversation is kept."""

    thread_id: str
    run_id: str


class Completion(BaseModel):
    """An answer as a whole."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int  # seconds since 1970
    model: str
    choices: list[Choice]
    usage: ChatUsage
    artisan: Where | None = None  # None: nothing was rendered


Delta = dict[str, Any]  # {"content"} with or without {"images"}


@router.post(
    "/completions",
    response_model=Completion,
    response_model_exclude_none=True,
    responses={
        200: {
            "description": "The answer; with `stream`, in pieces as server-sent events, and `[DONE]` at last.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def complete(body: ChatBody, desk: DeskDep) -> Completion | EventSourceResponse:
    """Render the last message of a conversation, on the image that came with it or on the sketch from before.

    Where the studio asks for a style, the answer is a list, and the next message may be a number or a name of it. What
    front ends ask behind the person's back (titles, tags) is answered without a render. A caller that leaves stops
    nothing. Sent again with the same `Idempotency-Key`, the request answers with the run of the first time.
    """
    profile = await choose_profile(body.profile, body.model, desk)
    orders = [turn.text for turn in body.messages if turn.role in ("system", "developer")]
    for prompt in (*orders, body.messages[-1].text):
        if words := chore_answer(prompt):
            return await _reply(body, desk, profile.name, _say(words), None)
    talk = read(body.messages)
    thread = await _thread(body.thread_id, talk, desk)
    offer = offered(thread.question if thread else None, talk.reply)
    chosen = read_choice(talk.text, offer, desk.context.catalog)
    if thread and thread.question and chosen is None and re.fullmatch(r"#?\d+\.?", talk.text):
        again = ask(thread.question["candidates"], thread.thread_id, desk.base_url)
        return await _reply(body, desk, profile.name, _say(again), None)
    run = await _run(body, profile, talk, thread, chosen, desk)
    deltas = _tell(run, desk, progress=bool(body.stream))
    return await _reply(body, desk, profile.name, deltas, run)


async def _thread(thread_id: str | None, talk: Conversation, desk: Desk) -> Thread | None:
    """The thread that the caller names, else the one that the history links to, if it is still there."""
    try:
        named = thread_id or talk.thread_id
        return await desk.log.thread(named) if named else None
    except NotFound as error:
        if thread_id:
            raise refused(error, "thread_id") from error
        return None


async def _run(
    body: ChatBody,
    profile: Profile,
    talk: Conversation,
    thread: Thread | None,
    chosen: str | None,
    desk: Desk,
) -> Run:
    """The run of the last message: an answer to the open question, or a turn of its own."""
    check_steps(body.steps, profile)
    if body.size is not None and body.size > profile.size_max:
        text = f"{body.size} px: the profile {profile.name} takes up to {profile.size_max}."
        raise Refused(text, code="invalid_size", param="size")
    wish = talk.wish if chosen else None  # an answer to a question that is closed: asked anew
    style = chosen if chosen and wish else body.style
    await check_style(style, desk)
    drawn = talk.images if thread else talk.images or talk.drawn
    sketch, style = await keep_images([decode_image(url) for url in drawn], style, "messages", desk)
    await check_style(style, desk)
    sent = body.model_dump(exclude={"stream", "stream_options"})
    same = once(desk, 0, "chat", sent)
    choice = parse_style(chosen) if chosen else None
    if thread and thread.question and choice and not talk.images:
        return await answer(desk, thread.thread_id, thread.question["id"], choice, same)
    return await begin(
        desk,
        profile,
        thread.thread_id if thread else None,
        same,
        message=message(wish or talk.text) if thread or wish else whole_message(talk),
        sketch=sketch,
        style=style,
        seed=body.seed,
        steps=body.steps,
        size=body.size,
    )


async def _tell(run: Run, desk: Desk, *, progress: bool) -> AsyncIterator[Delta]:
    """What a person reads of a run: the style, how far it is, the picture or the question."""
    searched = parse_style(run.input.get("request", {}).get("style", "none")) is None
    found = ""
    attempts = 0
    async for name, data in told(desk, run):
        match name:
            case "node" if (data["node"], data["status"]) == ("retrieve_styles", "finished"):
                found = data["text"] if searched else ""
            case "node" if (data["node"], data["status"]) == ("choose_style", "finished"):
                yield {"content": f"{data['text']}\n\n"}
            case "node" if progress and (data["node"], data["status"]) == (
                "generate_image",
                "started",
            ):
                yield {"content": ", once more" if attempts else "Rendering"}
                attempts += 1
            case "progress" if progress and data["preview_url"]:
                yield {"content": f" {100 * data['step'] // data['total']}%"}
            case "interrupt":
                yield {"content": ask(data["candidates"], run.thread_id, desk.base_url)}
            case "result":
                url = desk.base_url + data["image_url"]
                alt = re.sub(r"[\[\]\s]+", " ", data["prompt"])[:ALT_TEXT].strip()
                kept = data["fidelity"]["geometry"]
                lines = "" if kept is None else f", {kept:.0%} of your lines kept"
                facts = f"{data['width']}x{data['height']} px, seed {data['seed']}{lines}."
                why = f" {found}" if found and not data["styles"] else ""  # it is text only
                space = "\n\n" if progress else ""
                yield {
                    "content": f"{space}![{alt}]({link(url, run.thread_id)})\n\n{facts}{why}",
                    "images": [{"type": "image_url", "image_url": {"url": url}}],
                }


async def _say(text: str) -> AsyncIterator[Delta]:
    yield {"content": text}


async def _reply(
    body: ChatBody, desk: Desk, model: str, deltas: AsyncIterator[Delta], run: Run | None
) -> Completion | EventSourceResponse:
    where = Where(thread_id=run.thread_id, run_id=run.run_id) if run else None
    completion_id = f"chatcmpl-{run.run_id if run else uuid.uuid4()}"
    asked = sum(word_count(turn.text) for turn in body.messages)
    if body.stream:
        usage = body.stream_options is not None and bool(body.stream_options.include_usage)
        lines = _chunks(deltas, completion_id, model, where, asked if usage else None)
        return openai_stream(desk.runs, lines)
    said = [delta async for delta in deltas]
    content = "".join(delta["content"] for delta in said)
    images = [image for delta in said for image in delta.get("images", ())]
    return Completion(
        id=completion_id,
        created=timestamp(),
        model=model,
        choices=[Choice(message=Answer(content=content, images=images or None))],
        usage=_usage(asked, content),
        artisan=where,
    )


async def _chunks(
    deltas: AsyncIterator[Delta],
    completion_id: str,
    model: str,
    where: Where | None,
    asked: int | None,
) -> AsyncIterator[ServerSentEvent]:
    """The pieces of a streamed answer; `asked` words are accounted for in one of their own."""
    head: dict[str, Any] = {
        "id": completion_id,
        "object": "chat.completion.chunk",
        "created": timestamp(),
        "model": model,
    }
    if asked is not None:
        head["usage"] = None
    if where:
        head["artisan"] = where.model_dump()

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> ServerSentEvent:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return sse({**head, "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    content = ""
    async for delta in deltas:
        content += delta["content"]
        yield chunk(delta)
    yield chunk({}, "stop")
    if asked is not None:
        yield sse({**head, "choices": [], "usage": _usage(asked, content).model_dump()})
    yield ServerSentEvent("[DONE]", sep="\n")


def _usage(asked: int, content: str) -> ChatUsage:
    said = word_count(content)
    return ChatUsage(prompt_tokens=asked, completion_tokens=said, total_tokens=asked + said)
