"""`images/generations` and `images/edits`, as the unmodified `openai` package and known front ends call them."""

import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from typing import Any

import httpx2
import openai
import pytest
from conftest import PaintedEngine, alone
from live_server import (
    BrokenEngine,
    HeldEngine,
    LiveStudio,
    held,
    png,
    serving,
    serving_app,
    until,
    with_engine,
)
from openai.types import ImagesResponse
from PIL import Image

from graph.context import Context
from graph.releases import Releases
from graph.settings import Settings
from server.app import create_app
from tools.errors import EngineFailed, WeightsMissing


@pytest.fixture
def engine() -> PaintedEngine:
    return PaintedEngine()


@pytest.fixture
def studio(context: Context, engine: PaintedEngine) -> Iterator[LiveStudio]:
    with serving(with_engine(context, engine)) as studio:
        yield studio


def client_of(studio: LiveStudio) -> openai.OpenAI:
    base_url = f"{studio.http.base_url}/v1"
    return openai.OpenAI(base_url=base_url, api_key="any", max_retries=0, timeout=60)


@pytest.fixture
def client(studio: LiveStudio) -> Iterator[openai.OpenAI]:
    with client_of(studio) as client:
        yield client


def decoded(b64_json: str | None) -> Image.Image:
    assert b64_json
    image = Image.open(BytesIO(base64.b64decode(b64_json)))
    image.load()
    return image


def pictures_of(answer: ImagesResponse) -> list[Any]:
    """What an answer holds; our own fields are on it as attributes, as the package has them."""
    assert answer.data
    return list(answer.data)


def size_of(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"


def refusal(response: httpx2.Response, status: int, code: str, param: str | None) -> dict[str, Any]:
    """Check that a response is a refusal as OpenAI's clients read it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param), error
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert error["message"]
    return error


def test_words_become_a_picture(client: openai.OpenAI, studio: LiveStudio) -> None:
    answer = client.images.generate(prompt="neon city at dusk", model="gpt-image-2")
    (picture,) = pictures_of(answer)
    image = decoded(picture.b64_json)
    assert image.format == "PNG"
    assert (answer.size, answer.output_format) == (size_of(image), "png")
    assert size_of(image) == "96x96"
    assert picture.url is None
    assert picture.revised_prompt
    assert "neon" in picture.revised_prompt
    assert answer.usage
    assert answer.usage.input_tokens == answer.usage.total_tokens > 3
    made = picture.artisan
    assert made["styles"] == [{"style": "neon", "weight": 1.0}]
    summary = studio.thread(made["thread_id"])
    assert summary["messages"] == ["neon city at dusk"]
    assert summary["results"][0]["run_id"] == made["run_id"]
    assert image.info["seed"] == str(made["seed"])
    assert set(made["fidelity"]) == {"geometry", "invented", "style", "palette", "text"}
    assert made["fidelity"]["geometry"] is None


def test_what_clients_send_unasked_is_taken(client: openai.OpenAI) -> None:
    answer = client.images.generate(
        prompt="a neon city",
        model="dall-e-3",
        n=1,
        size="1024x1024",
        quality="hd",
        background="opaque",
        moderation="low",
        response_format="b64_json",
        output_format="png",
        style="vivid",
        user="someone",
        stream=False,
    )
    assert answer.size == "96x96"


def test_a_null_is_as_good_as_nothing(studio: LiveStudio) -> None:
    fields = ("model", "n", "size", "quality", "background", "moderation", "output_format")
    more = ("output_compression", "response_format", "stream", "partial_images", "user", "style")
    body = {"prompt": "a neon city", **dict.fromkeys(fields + more)}
    answer = studio.http.post("/v1/images/generations", json=body)
    assert answer.status_code == 200, answer.text


def test_a_size_too_large_for_the_profile_still_says_the_shape(client: openai.OpenAI) -> None:
    for asked, made in {
        "auto": "96x96",
        "256x256": "256x256",
        "192x128": "192x128",
        "1024x1024": "96x96",
        "1536x1024": "96x64",
        "1024x1536": "64x96",
        "1792x1024": "96x55",
        "1024x1792": "55x96",
    }.items():
        more = {"style": "none"}
        answer = client.images.generate(prompt="a neon city", size=asked, extra_body=more)
        (picture,) = pictures_of(answer)
        image = decoded(picture.b64_json)
        assert (answer.size, size_of(image)) == (made, made), asked
        assert image.info["prompt"] == picture.revised_prompt


def test_a_sketch_keeps_its_own_shape(client: openai.OpenAI, engine: PaintedEngine) -> None:
    answer = client.images.edit(image=png(240, 160), prompt="a house", size="1024x1536")
    assert answer.size == "96x64" == size_of(decoded(pictures_of(answer)[0].b64_json))
    assert engine.requests[0].edges is not None


def test_further_images_show_the_style(
    client: openai.OpenAI, studio: LiveStudio, engine: PaintedEngine
) -> None:
    red, blue = (BytesIO(), BytesIO())
    Image.new("RGB", (32, 32), "red").save(red, "PNG")
    Image.new("RGB", (40, 32), "blue").save(blue, "JPEG")
    images = [("sketch.png", png()), ("red.png", red.getvalue()), ("blue.jpg", blue.getvalue())]
    answer = client.images.edit(image=images, prompt="a house", extra_body={"style": "ink:2"})
    made = pictures_of(answer)[0].artisan
    ink, *own = made["styles"]
    assert ink == {"style": "ink", "weight": 0.5}
    assert [share["weight"] for share in own] == [0.25, 0.25]
    colours = []
    for share in own:
        url = f"/artifacts/{share['style'].removeprefix('artifact:')}"
        colours.append(Image.open(BytesIO(studio.http.get(url).content)).getpixel((5, 5)))
    assert colours == [(255, 0, 0), (0, 0, 254)]
    (request,) = engine.requests
    assert request.style
    assert len(request.style.vectors) == 2 + 1 + 1

    answer = client.images.edit(image=images, prompt="a neon city")
    made = pictures_of(answer)[0].artisan
    assert [share["weight"] for share in made["styles"]] == [0.5, 0.5]


def test_the_same_reference_twice_counts_once(client: openai.OpenAI) -> None:
    images = [("a.png", png()), ("b.png", png(64, 64)), ("c.png", png(64, 64))]
    answer = client.images.edit(image=images, prompt="a house")
    made = pictures_of(answer)[0].artisan
    assert [share["weight"] for share in made["styles"]] == [1.0]


def test_an_unsure_style_is_settled_because_nobody_can_be_asked(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    question = studio.chat("a city")[-1]
    assert question.data == {"status": "interrupted"}
    answer = client.images.generate(prompt="a city")
    made = pictures_of(answer)[0].artisan
    assert made["styles"] == [{"style": "neon", "weight": 1.0}]


@pytest.mark.parametrize(("partial_images", "steps"), [(0, []), (1, [4]), (2, [2, 4]), (3, [2, 4])])
def test_a_stream_shows_the_render_coming_about(
    client: openai.OpenAI, partial_images: int, steps: list[int]
) -> None:
    """The painted engine takes 6 steps, and the studio shows the second and the fourth."""
    stream = client.images.generate(
        prompt="a neon city", stream=True, partial_images=partial_images, quality="low"
    )
    *partial, last = list(stream)
    assert [event.type for event in partial] == ["image_generation.partial_image"] * len(steps)
    for number, event in enumerate(partial):
        assert event.type == "image_generation.partial_image"
        assert event.partial_image_index == number
        assert event.size == size_of(decoded(event.b64_json))
        assert event.created_at > 0
        assert (event.quality, event.background, event.output_format) == ("low", "opaque", "png")
    assert last.type == "image_generation.completed"
    assert last.size == "96x96" == size_of(decoded(last.b64_json))
    assert (last.quality, last.background, last.output_format) == ("low", "opaque", "png")
    assert last.usage.total_tokens > 0
    assert last.usage.input_tokens_details.text_tokens == last.usage.input_tokens


def test_an_edit_streams_too(client: openai.OpenAI) -> None:
    stream = client.images.edit(
        image=png(), prompt="a house", stream=True, partial_images=1, extra_body={"seed": 7}
    )
    events = list(stream)
    assert [event.type for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    assert events[-1].model_extra
    assert events[-1].model_extra["artisan"]["seed"] == 7


def test_a_stream_is_server_sent_events_with_names(studio: LiveStudio) -> None:
    body = {"prompt": "a neon city", "stream": True, "partial_images": 1, "n": 2}
    response = studio.http.post("/v1/images/generations", json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = [
        dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        for block in response.text.strip().split("\n\n")
    ]
    kinds = ["partial_image", "completed"] * 2
    assert [block["event"] for block in blocks] == [f"image_generation.{kind}" for kind in kinds]
    assert [json.loads(block["data"])["type"] for block in blocks] == [b["event"] for b in blocks]


def test_the_first_bytes_of_a_stream_do_not_wait_for_the_render(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sse.PING_S", 0.05)
    body = {"prompt": "a neon city", "stream": True}
    with (
        held(context) as (studio, _),
        studio.http.stream("POST", "/v1/images/generations", json=body) as response,
    ):
        assert next(response.iter_lines()).startswith(":")


@pytest.mark.parametrize(("form", "magic"), [("jpeg", b"\xff\xd8\xff"), ("webp", b"RIFF")])
def test_other_file_formats(client: openai.OpenAI, form: Any, magic: bytes) -> None:
    small, large = (
        client.images.edit(
            image=png(),
            prompt="a neon city",
            output_format=form,
            output_compression=quality,
            extra_body={"seed": 5, "style": "neon"},
        )
        for quality in (10, 95)
    )
    files = [base64.b64decode(pictures_of(answer)[0].b64_json or "") for answer in (small, large)]
    assert all(file.startswith(magic) for file in files)
    assert len(files[0]) < len(files[1])
    assert large.output_format == form


@pytest.mark.parametrize("form", ["png", "jpeg"])
def test_a_url_leads_to_the_picture(client: openai.OpenAI, studio: LiveStudio, form: Any) -> None:
    answer = client.images.generate(
        prompt="a neon city", response_format="url", output_format=form, size="1536x1024"
    )
    (picture,) = pictures_of(answer)
    assert picture.b64_json is None
    assert picture.url
    assert picture.url.startswith(f"{str(studio.http.base_url).rstrip('/')}/artifacts/")
    found = httpx2.get(picture.url)
    assert found.headers["content-type"] == f"image/{form}"
    assert size_of(Image.open(BytesIO(found.content))) == "96x64"


def test_several_pictures_count_their_seeds_up(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt="a neon city", n=3, extra_body={"seed": 2**63 - 2})
    made = [picture.artisan for picture in pictures_of(answer)]
    assert [each["seed"] for each in made] == [2**63 - 2, 2**63 - 1, 0]
    assert len({each["thread_id"] for each in made}) == 3
    assert len({picture.b64_json for picture in pictures_of(answer)}) == 3
    again = client.images.generate(prompt="a neon city", extra_body={"seed": 0})
    assert pictures_of(again)[0].b64_json == pictures_of(answer)[2].b64_json


def test_a_thread_goes_on_with_its_sketch(client: openai.OpenAI, studio: LiveStudio) -> None:
    first = client.images.edit(image=png(), prompt="a neon city")
    thread_id = pictures_of(first)[0].artisan["thread_id"]
    more = {"thread_id": thread_id}
    second = client.images.generate(prompt="warmer", size="1024x1024", extra_body=more)
    made = pictures_of(second)[0].artisan
    assert made["thread_id"] == thread_id
    assert made["fidelity"]["geometry"] is not None
    assert second.size == "96x64"
    assert studio.thread(thread_id)["messages"] == ["a neon city", "warmer"]
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt="warmer", n=2, extra_body=more)
    assert (caught.value.code, caught.value.param) == ("invalid_n", "n")
    with pytest.raises(openai.NotFoundError) as lost:
        client.images.generate(prompt="warmer", extra_body={"thread_id": "0" * 32})
    assert (lost.value.code, lost.value.param) == ("unknown_thread", "thread_id")


def test_a_model_may_be_a_profile(context: Context) -> None:
    slow = context.profiles["starter"].model_copy(update={"name": "slow", "steps": 9})
    engine = PaintedEngine()

    def known(name: str) -> Any:
        return context.studio("starter")

    profiles = {**context.profiles, "slow": slow}
    two = replace(context, profiles=profiles, studio=known)
    with serving(with_engine(two, engine)) as studio, client_of(studio) as client:
        assert [model.id for model in client.models.list()] == ["starter", "slow"]
        assert client.models.retrieve("slow").object == "model"
        for model, profile in (("slow", None), ("gpt-image-2", "slow")):
            answer = client.images.generate(
                prompt="a neon city", model=model, extra_body={"profile": profile}
            )
            assert pictures_of(answer)[0].artisan["profile"] == "slow"
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("gpt-image-2")
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


PROMPT = "a neon city"
REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no prompt": ({"prompt": None}, "invalid_prompt", "prompt"),
    "blank prompt": ({"prompt": " \n"}, "invalid_prompt", "prompt"),
    "long prompt": ({"prompt": "x" * 2001}, "invalid_prompt", "prompt"),
    "10 MB of prompt": ({"prompt": "x" * 10_000_000}, "invalid_prompt", "prompt"),
    "prompt of a number": ({"prompt": 7}, "invalid_prompt", "prompt"),
    "prompt of a list": ({"prompt": ["a"]}, "invalid_prompt", "prompt"),
    "surrogate": ({"prompt": "a\ud800b"}, "invalid_prompt", "prompt"),
    "surrogate in the model": ({"model": "\ud800"}, "invalid_model", "model"),
    "surrogate in the thread": ({"thread_id": "\udfff"}, "invalid_thread_id", "thread_id"),
    "surrogate in the style": ({"style": "\ud800"}, "invalid_choice", "style"),
    "surrogate in a name": ({"\ud800": 1}, "invalid_body", None),
    "10 MB of model": ({"model": "x" * 10_000_000}, "invalid_model", "model"),
    "n of 0": ({"n": 0}, "invalid_n", "n"),
    "n of 11": ({"n": 11}, "invalid_n", "n"),
    "n in words": ({"n": "two"}, "invalid_n", "n"),
    "n of a half": ({"n": 1.5}, "invalid_n", "n"),
    "n of a NaN": ({"n": float("nan")}, "invalid_n", "n"),
    "infinite n": ({"n": float("inf")}, "invalid_n", "n"),
    "size of nothing": ({"size": ""}, "invalid_size", "size"),
    "size in words": ({"size": "large"}, "invalid_size", "size"),
    "size 0x0": ({"size": "0x0"}, "invalid_size", "size"),
    "size beyond the profile": ({"size": "2000x2000"}, "invalid_size", "size"),
    "size no multiple of 8": ({"size": "100x100"}, "invalid_size", "size"),
    "size 8x8": ({"size": "8x8"}, "invalid_size", "size"),
    "a thread of a picture": ({"size": "512x16"}, "invalid_size", "size"),
    "size of digits without end": ({"size": "9" * 300 + "x1"}, "invalid_size", "size"),
    "digits that are not ours": ({"size": "٢٥٦x٢٥٦"}, "invalid_size", "size"),
    "quality": ({"quality": "best"}, "invalid_quality", "quality"),
    "transparent": ({"background": "transparent"}, "invalid_background", "background"),
    "moderation": ({"moderation": "none"}, "invalid_moderation", "moderation"),
    "gif": ({"output_format": "gif"}, "invalid_output_format", "output_format"),
    "svg": ({"output_format": "svg"}, "invalid_output_format", "output_format"),
    "compression": (
        {"output_compression": 101},
        "invalid_output_compression",
        "output_compression",
    ),
    "response format": ({"response_format": "json"}, "invalid_response_format", "response_format"),
    "partial images": ({"partial_images": 4}, "invalid_partial_images", "partial_images"),
    "stream": ({"stream": "often"}, "invalid_stream", "stream"),
    "seed -1": ({"seed": -1}, "invalid_seed", "seed"),
    "seed 2^63": ({"seed": 2**63}, "invalid_seed", "seed"),
    "seed of a NaN": ({"seed": float("nan")}, "invalid_seed", "seed"),
    "no steps": ({"steps": 0}, "invalid_steps", "steps"),
    "10000 steps": ({"steps": 10000}, "invalid_steps", "steps"),
    "unknown profile": ({"profile": "nope"}, "unknown_profile", "profile"),
    "unknown style": ({"style": "nope"}, "unknown_style", "style"),
    "style of a weight of nothing": ({"style": "neon:0"}, "invalid_choice", "style"),
    "unknown reference": ({"style": f"artifact:{'0' * 64}"}, "unknown_artifact", "style"),
    "asking": ({"style": "ask"}, "invalid_choice", "style"),
    "frames of a gif": ({"frame_count": 4}, "unknown_field", "frame_count"),
    "unknown field": ({"colour": "red"}, "unknown_field", "colour"),
}


def test_every_refusal_names_its_parameter(
    studio: LiveStudio, client: openai.OpenAI, engine: PaintedEngine
) -> None:
    url, headers = "/v1/images/generations", {"content-type": "application/json"}
    for name, (fields, code, param) in REFUSED.items():
        content = json.dumps({"prompt": PROMPT, **fields})
        try:
            refusal(studio.http.post(url, content=content, headers=headers), 400, code, param)
        except AssertionError as error:
            raise AssertionError(name) from error
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(prompt=PROMPT, size="2000x2000")
    assert (caught.value.code, caught.value.param) == ("invalid_size", "size")
    assert "64 to 512 px" in caught.value.message
    assert engine.requests == []


def test_a_body_that_is_no_object(studio: LiveStudio) -> None:
    url, headers = "/v1/images/generations", {"content-type": "application/json"}
    deep = b'{"prompt": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    for content, code in {
        b"{": "invalid_json",
        b"[]": "invalid_body",
        b"7": "invalid_body",
        b"null": "invalid_body",
        b"": "invalid_body",
        b'{"prompt": "\xff"}': "broken_request",
        deep: "broken_request",
        b'{"prompt": "a", "seed": 1e999}': "invalid_seed",
    }.items():
        param = "seed" if code == "invalid_seed" else None
        refusal(studio.http.post(url, content=content, headers=headers), 400, code, param)
    refusal(studio.http.post(url, data={"prompt": "a"}), 400, "invalid_body", None)


def test_an_edit_that_cannot_be(
    studio: LiveStudio, client: openai.OpenAI, engine: PaintedEngine
) -> None:
    url = "/v1/images/edits"
    form = {"prompt": "a house"}
    refusal(studio.http.post(url, data=form), 400, "invalid_image", "image")
    refusal(studio.http.post(url, data={**form, "image": "x"}), 400, "invalid_image", "image")
    for sketch, status, code in (
        (b"", 400, "empty_upload"),
        (b"<svg/>", 400, "unsupported_image"),
        (png()[:90], 400, "broken_image"),
        (png(8, 8), 400, "image_too_small"),
        (png(17_000, 20), 413, "image_too_large"),
    ):
        answer = studio.http.post(url, data=form, files={"image": ("a.png", sketch)})
        refusal(answer, status, code, "image")
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=png(), mask=png(), prompt="a house")
    assert (caught.value.code, caught.value.param) == ("unknown_field", "mask")
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=[png()] * 6, prompt="a house")
    assert (caught.value.code, caught.value.param) == ("too_many_images", "image")
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=[png(), png()], prompt="a house", extra_body={"style": "none"})
    assert (caught.value.code, caught.value.param) == ("invalid_choice", "style")
    assert engine.requests == []
    headers = {"content-type": "multipart/form-data"}
    refusal(studio.http.post(url, content=b"x", headers=headers), 400, "broken_request", None)


def test_a_blank_sheet_is_the_callers_fault(client: openai.OpenAI) -> None:
    sheet = BytesIO()
    Image.new("RGB", (64, 64), "white").save(sheet, "PNG")
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=sheet.getvalue(), prompt="a house")
    assert caught.value.code == "blank_sketch"


def test_what_is_not_there_or_too_large(context: Context) -> None:
    settings = context.settings.model_copy(update={"max_upload_mb": 1})
    with serving(replace(context, settings=settings)) as studio:
        refusal(studio.http.get("/v1/nothing"), 404, "not_found", None)
        wrong = studio.http.get("/v1/images/generations")
        refusal(wrong, 405, "method_not_allowed", None)
        assert wrong.headers["allow"] == "POST"
        large = studio.http.post("/v1/images/generations", json={"prompt": "x" * 2_000_000})
        refusal(large, 413, "too_large", None)
        elsewhere = studio.http.get("/nothing")
        assert elsewhere.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (EngineFailed("The engine fell over."), openai.InternalServerError, "engine_failed"),
        (WeightsMissing("Run: pull"), openai.InternalServerError, "weights_missing"),
        (RuntimeError("secret of the house"), openai.InternalServerError, "internal"),
    ],
)
def test_a_render_that_fails(
    context: Context, error: Exception, kind: type[openai.APIStatusError], code: str
) -> None:
    with (
        serving(with_engine(context, BrokenEngine(error=error))) as studio,
        client_of(studio) as client,
    ):
        with pytest.raises(kind) as caught:
            client.images.generate(prompt="a neon city")
        assert caught.value.code == code
        assert caught.value.status_code == (503 if code == "weights_missing" else 500)
        retry = caught.value.response.headers["x-should-retry"]
        assert retry == ("true" if code == "engine_failed" else "false")

        stream = client.images.generate(prompt="a neon city", stream=True)
        with pytest.raises(openai.APIError) as broken:
            list(stream)
        assert isinstance(broken.value.body, dict)
        assert broken.value.body["code"] == code
        assert broken.value.message == broken.value.body["message"]
        assert "secret" not in str(broken.value.body)


def test_a_full_studio_says_when_to_come_back(context: Context) -> None:
    with held(context, runs_max=1) as (studio, engine), client_of(studio) as client:
        with studio.chatting("a neon city", style="none") as events:
            next(events)
        with pytest.raises(openai.InternalServerError) as caught:
            client.images.generate(prompt="a neon city")
        assert (caught.value.status_code, caught.value.code) == (503, "engine_busy")
        assert int(caught.value.response.headers["retry-after"]) > 0
        assert caught.value.response.headers["x-should-retry"] == "true"
        engine.gate.release(1000)


def test_a_request_sent_again_with_its_key_is_the_same_run(
    client: openai.OpenAI, engine: PaintedEngine
) -> None:
    key = {"Idempotency-Key": "8e03978e"}
    first, again = (
        client.images.edit(image=png(), prompt="a neon city", n=2, extra_headers=key)
        for _ in range(2)
    )
    assert first.data == again.data
    assert len(engine.requests) == 2
    seeds = [picture.artisan["seed"] for picture in pictures_of(first)]
    assert seeds[1] == (seeds[0] + 1) % 2**63
    with pytest.raises(openai.ConflictError) as caught:
        client.images.edit(image=png(), prompt="a neon city", n=1, extra_headers=key)
    assert caught.value.code == "idempotency_mismatch"
    client.images.edit(
        image=png(), prompt="a neon city", n=2, extra_headers={"Idempotency-Key": "x"}
    )
    assert len(engine.requests) == 4


def test_a_caller_that_leaves_stops_nothing(context: Context) -> None:
    """What it waited for is there when it asks again with the same key."""
    url, body = "/v1/images/generations", b'{"prompt": "a neon city"}'
    headers = {"host": "studio", "content-type": "application/json", "idempotency-key": "k"}
    with held(context) as (studio, engine):
        address = (studio.http.base_url.host, studio.http.base_url.port)
        with socket.create_connection(address) as caller:
            lines = [f"POST {url} HTTP/1.1", f"content-length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            caller.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            until(lambda: engine.requests)
        engine.gate.release(100)
        answer = studio.http.post(url, content=body, headers=headers)
        assert answer.status_code == 200
        assert len(engine.requests) == 1


def test_a_stream_whose_reader_leaves_stops_nothing(context: Context) -> None:
    with held(context) as (studio, engine):
        body, headers = {"prompt": "a neon city", "stream": True}, {"Idempotency-Key": "k"}
        url = "/v1/images/generations"
        with studio.http.stream("POST", url, json=body, headers=headers) as response:
            assert response.status_code == 200
        engine.gate.release(100)
        text = studio.http.post(url, json=body, headers=headers).text
        assert "image_generation.completed" in text
        assert len(engine.requests) == 1


def test_a_server_that_stops_says_so_to_a_stream(context: Context) -> None:
    engine = HeldEngine()

    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Releases]:
        yield alone(with_engine(context, engine))

    app = create_app(context.settings, opened)

    @app.post("/stop")
    async def stop() -> None:
        app.state.runs.stopping.set()

    with serving_app(app) as studio:
        body = {"prompt": "a neon city", "stream": True}
        with studio.http.stream("POST", "/v1/images/generations", json=body) as response:
            assert studio.http.post("/stop").status_code == 200
            lines = [line[6:] for line in response.iter_lines() if line.startswith("data: ")]
        engine.gate.release(100)
    assert [json.loads(line)["error"]["code"] for line in lines] == ["engine_busy"]


@pytest.mark.parametrize("host", ["studio.example:81", "[::1]:8000", 'a"><b>'])
def test_links_lead_to_where_the_caller_came_from(studio: LiveStudio, host: str) -> None:
    body = {"prompt": "a neon city", "response_format": "url"}
    answer = studio.http.post("/v1/images/generations", json=body, headers={"host": host})
    if "<" in host:
        assert answer.status_code < 500
        return
    assert answer.json()["data"][0]["url"].startswith(f"http://{host}/artifacts/")


def test_what_open_webui_sends(studio: LiveStudio) -> None:
    """Its image engine "openai": no stream, base64 back, and never a null."""
    body = {"model": "starter", "prompt": PROMPT, "n": 1, "size": "512x512"}
    body["response_format"] = "b64_json"
    headers = {"authorization": "Bearer sk-none", "x-openwebui-user-name": "Ada"}
    answer = studio.http.post("/v1/images/generations", json=body, headers=headers)
    assert size_of(decoded(answer.json()["data"][0]["b64_json"])) == "512x512"
    assert answer.json()["data"][0].get("url") is None

    form = {"model": "None", "prompt": PROMPT, "n": "1", "response_format": "b64_json"}
    for field in ("image", "image[]"):
        files = [(field, ("0f.png", png(), "image/png"))]
        answer = studio.http.post("/v1/images/edits", data=form, files=files)
        assert size_of(decoded(answer.json()["data"][0]["b64_json"])) == "96x64"


def test_what_librechat_sends(studio: LiveStudio) -> None:
    """Its tool for agents reads `data[0].b64_json` and nothing else."""
    body = {"model": "gpt-image-2.5-flare", "prompt": PROMPT, "n": 1, "background": "auto"}
    body |= {"output_format": "webp", "output_compression": 100, "quality": "auto", "size": "auto"}
    answer = studio.http.post("/v1/images/generations", json=body)
    assert decoded(answer.json()["data"][0]["b64_json"]).format == "WEBP"

    form = {"model": "gpt-image-2.5-flare", "prompt": PROMPT, "quality": "auto", "size": "auto"}
    files = [("image[]", (name, png(), "image/png")) for name in ("a.png", "b.png")]
    answer = studio.http.post("/v1/images/edits", data=form, files=files)
    assert size_of(decoded(answer.json()["data"][0]["b64_json"])) == "96x64"


async def test_the_async_client_works_too(studio: LiveStudio) -> None:
    base_url = f"{studio.http.base_url}/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key="any") as client:
        answer = await client.images.generate(prompt=PROMPT)
        assert answer.size == "96x96"
        stream = await client.images.generate(prompt=PROMPT, stream=True)
        assert [event.type async for event in stream] == ["image_generation.completed"]
