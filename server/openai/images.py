"""`images/generations` and `images/edits`: words, and a sketch, become pictures."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent

from server.eventlog import Run
from server.events import artifact_url
from server.openai.pictures import Format, Picture, Shape, finish, read_size
from server.openai.renders import (
    OPENAI_STYLES,
    Desk,
    DeskDep,
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
    Usage,
    Word,
    openai_stream,
    refused,
    sse,
    timestamp,
    word_count,
)
from server.runs import new_seed
from server.schemas import SEED_MAX, Message
from tools.errors import NotFound
from tools.profiles import Profile

PICTURES_MAX = 10  # of one request
PARTIALS_MAX = 3

router = APIRouter(prefix="/v1/images", tags=["openai"], responses=ERRORS)


class ImageFields(BaseModel):
    """What both calls take; null is as good as left out."""

    model_config = ConfigDict(extra="forbid")

    prompt: Message
    model: Word | None = Field(None, description="A profile's name; any other is the default one.")
    n: int | None = Field(None, ge=1, le=PICTURES_MAX, description="With seeds that count up.")
    size: Word | None = Field(
        None,
        description="`auto`, or WIDTHxHEIGHT; the shape of a sketch wins. The answer says the true size.",
    )
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] | None = (
        Field(None, description="Accepted; `profile` and `steps` decide.")
    )
    background: Literal["auto", "opaque"] | None = None
    moderation: Literal["auto", "low"] | None = None
    output_format: Format | None = Field(None, description="png, if left out.")
    output_compression: int | None = Field(
        None, ge=0, le=100, description="Quality of jpeg and webp, 100 if left out."
    )
    response_format: Literal["b64_json", "url"] | None = Field(
        None, description="b64_json, if left out."
    )
    stream: bool | None = None
    partial_images: int | None = Field(None, ge=0, le=PARTIALS_MAX)
    user: Word | None = None
    safety_identifier: Word | None = None
    input_fidelity: Literal["high", "low"] | None = None

    style: Word | None = Field(
        None,
        description="`none`, `slug` or `slug:0.7,slug:0.3`; left out or `auto`, the words decide.",
    )
    seed: int | None = Field(None, ge=0, le=SEED_MAX)
    steps: int | None = Field(None, ge=1)
    profile: Word | None = None
    thread_id: Word | None = Field(None, description="Goes on with a thread and its sketch.")


class EditForm(ImageFields):
    """A sketch, what becomes of it, and images that show the style."""

    image: list[UploadFile] = Field([], description="The sketch.")
    images: list[UploadFile] = Field(
        [], alias="image[]", description="The sketch, then images that show the style."
    )
    mask: UploadFile | None = Field(None, description="Refused: the lines decide.")


class Made(BaseModel):
    """How a picture came about, and where it can be found again."""

    thread_id: str
    run_id: str
    url: str
    seed: int
    styles: list[dict[str, Any]]  # {"style", "weight"}
    fidelity: dict[str, float | None]
    profile: str
    versions: dict[str, str]  # of the release that made it: kind, name


class ImageData(BaseModel):
    """One picture."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str
    artisan: Made


class ImagesAnswer(BaseModel):
    """All pictures of a request."""

    created: int  # seconds since 1970
    data: list[ImageData]
    size: str  # px, the true one
    quality: str | None = None
    background: str = "opaque"
    output_format: Format
    usage: Usage


@dataclass(frozen=True, slots=True)
class Order:
    """A request, checked, and its images stored."""

    fields: ImageFields
    profile: Profile
    shape: Shape
    sketch: str | None  # artifact id
    style: str
    seed: int
    kind: Literal["image_generation", "image_edit"]


_ANSWER: dict[str, Any] = {
    "response_model": ImagesAnswer,
    "response_model_exclude_none": True,
    "responses": {
        200: {
            "description": "The pictures; with `stream`, server-sent events as they come about.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
}


@router.post("/generations", **_ANSWER)
async def generate(body: ImageFields, desk: DeskDep) -> ImagesAnswer | EventSourceResponse:
    """Render words, as `openai.images.generate` asks for it.

    A caller that leaves stops nothing: the renders end up on their threads. Sent again with the same
    `Idempotency-Key`, the request answers with the pictures of the first time.
    """
    return await _serve(await _order(body, [], "image_generation", desk), desk)


@router.post("/edits", **_ANSWER)
async def edit(
    form: Annotated[EditForm, Form(media_type="multipart/form-data")], desk: DeskDep
) -> ImagesAnswer | EventSourceResponse:
    """Render words on a sketch, as `openai.images.edit` asks for it; further images show the style.

    For the rest it is like `generations`.
    """
    images = [*form.image, *form.images]
    if not images:
        message = "There is no image: send the sketch as `image`."
        raise Refused(message, code="invalid_image", param="image")
    if form.mask is not None:
        message = "Masks are not supported: the lines of the sketch decide what goes where."
        raise Refused(message, code="unknown_field", param="mask")
    return await _serve(await _order(form, images, "image_edit", desk), desk)


async def _order(
    fields: ImageFields,
    images: list[UploadFile],
    kind: Literal["image_generation", "image_edit"],
    desk: Desk,
) -> Order:
    profile = await choose_profile(fields.profile, fields.model, desk)
    check_steps(fields.steps, profile)
    shape = read_size(fields.size, profile)
    style = fields.style or "auto"
    if style in OPENAI_STYLES and style not in desk.context.catalog.styles:
        style = "auto"
    if style == "ask":
        message = 'Nobody can be asked here: name a style, or say "auto" or "none".'
        raise Refused(message, code="invalid_choice", param="style")
    await check_style(style, desk)
    drawn = bool(images)
    if fields.thread_id is not None:
        if fields.n not in (None, 1):
            message = "A thread renders one picture at a time: leave out n, or thread_id."
            raise Refused(message, code="invalid_n", param="n")
        drawn = drawn or await _has_sketch(fields.thread_id, desk)
    sketch, style = await keep_images(images, style, "image", desk)
    await check_style(style, desk)
    seed = new_seed() if fields.seed is None else fields.seed
    if drawn:
        shape = Shape(shape.size, None)  # lines are not cut off
    return Order(fields, profile, shape, sketch, style, seed, kind)


async def _has_sketch(thread_id: str, desk: Desk) -> bool:
    try:
        thread = await desk.log.thread(thread_id)
    except NotFound as error:
        raise refused(error, "thread_id") from error
    return any(run.input.get("request", {}).get("sketch") for run in thread.runs)


async def _serve(order: Order, desk: Desk) -> ImagesAnswer | EventSourceResponse:
    first = await _begin(order, 0, order.seed, desk)  # what refuses the run refuses the request
    if order.fields.stream:
        return openai_stream(desk.runs, _events(order, first, desk))
    made = []
    async for run in _runs(order, first, desk):
        async for name, data in told(desk, run):
            if name == "result":
                made.append((await _picture(order, data["image_url"], desk), run, data))
    quality = order.fields.quality
    return ImagesAnswer(
        created=timestamp(),
        data=[_image_data(order, *each, desk) for each in made],
        size=_size(made[0][0]),
        quality=quality if quality in ("low", "medium", "high", "xhigh", "max") else None,
        output_format=order.fields.output_format or "png",
        usage=_usage(*(result for *_, result in made)),
    )


async def _runs(order: Order, first: Run, desk: Desk) -> AsyncIterator[Run]:
    """One run for each picture, begun when the one before has ended."""
    yield first
    for number in range(1, order.fields.n or 1):
        seed = (first.input["request"]["seed"] + number) % (SEED_MAX + 1)
        yield await _begin(order, number, seed, desk)


async def _begin(order: Order, number: int, seed: int, desk: Desk) -> Run:
    fields = order.fields
    sent = fields.model_dump(exclude={"image", "images", "mask"})
    return await begin(
        desk,
        order.profile,
        fields.thread_id,
        once(desk, number, order.kind, sent, order.sketch, order.style),
        message=fields.prompt,
        sketch=order.sketch,
        style=order.style,
        seed=seed,
        steps=fields.steps,
        size=order.shape.size,
    )


async def _events(order: Order, first: Run, desk: Desk) -> AsyncIterator[ServerSentEvent]:
    wanted = order.fields.partial_images or 0
    async for run in _runs(order, first, desk):
        shown = 0
        async for name, data in told(desk, run):
            if name == "result":
                picture = await _picture(order, data["image_url"], desk)
                more = {
                    "usage": _usage(data).model_dump(),
                    "revised_prompt": data["enhanced_prompt"],
                    "artisan": _made(picture, run, data, desk).model_dump(),
                }
                yield _event(order, "completed", picture, more)
            elif name == "progress" and data["preview_url"] and shown < wanted:
                if data["step"] * (wanted + 1) < data["total"] * (shown + 1):
                    continue  # they are spread over the render
                picture = await _picture(order, data["preview_url"], desk)
                yield _event(order, "partial_image", picture, {"partial_image_index": shown})
                shown += 1


def _event(order: Order, name: str, picture: Picture, more: Mapping[str, Any]) -> ServerSentEvent:
    quality = order.fields.quality
    data = {
        "type": f"{order.kind}.{name}",
        "b64_json": base64.b64encode(picture.data).decode(),
        "created_at": timestamp(),
        "size": _size(picture),
        "quality": "auto" if quality in (None, "standard", "hd") else quality,
        "background": "opaque",
        "output_format": order.fields.output_format or "png",
        **more,
    }
    return sse(data, data["type"])


def _image_data(
    order: Order, picture: Picture, run: Run, result: Mapping[str, Any], desk: Desk
) -> ImageData:
    made = _made(picture, run, result, desk)
    as_url = order.fields.response_format == "url"
    return ImageData(
        b64_json=None if as_url else base64.b64encode(picture.data).decode(),
        url=made.url if as_url else None,
        revised_prompt=result["enhanced_prompt"],
        artisan=made,
    )


def _made(picture: Picture, run: Run, result: Mapping[str, Any], desk: Desk) -> Made:
    return Made(
        thread_id=run.thread_id,
        run_id=run.run_id,
        url=desk.base_url + artifact_url(picture.artifact_id),
        seed=result["seed"],
        styles=result["styles"],
        fidelity=result["fidelity"],
        profile=result["profile"],
        versions=result.get("versions", {}),
    )


async def _picture(order: Order, url: str, desk: Desk) -> Picture:
    """The image that the studio serves at `url`, as the order wants it."""
    fields = order.fields
    quality = 100 if fields.output_compression is None else fields.output_compression
    return await asyncio.to_thread(
        finish,
        desk.context.artifacts,
        url.rpartition("/")[2],
        order.shape.aspect,
        fields.output_format or "png",
        quality,
    )


def _size(picture: Picture) -> str:
    return f"{picture.width}x{picture.height}"


def _usage(*results: Mapping[str, Any]) -> Usage:
    words = sum(word_count(result["enhanced_prompt"]) for result in results)
    details = {"text_tokens": words, "image_tokens": 0}
    return Usage(input_tokens=words, total_tokens=words, input_tokens_details=details)
