"""Bad input gets a problem+json with its own code, and the thread is as it was."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from live_server import LiveStudio, only, png, problem, serving, transcript
from PIL import Image

from graph.context import Context

Refusal = tuple[dict[str, Any], int, str]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png() -> bytes:
    """A few hundred bytes that claim 30,000 x 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def gif() -> bytes:
    file = BytesIO()
    Image.new("P", (64, 64)).save(file, "GIF")
    return file.getvalue()


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


FIELDS: dict[str, Refusal] = {
    "no message": ({"message": None}, 422, "invalid_message"),
    "empty message": ({"message": ""}, 422, "invalid_message"),
    "blank message": ({"message": " \n\t "}, 422, "invalid_message"),
    "2001 characters": ({"message": "x" * 2001}, 422, "invalid_message"),
    "NUL": ({"message": "a\x00b"}, 422, "invalid_message"),
    "escape": ({"message": "a\x1b[31mb"}, 422, "invalid_message"),
    "C1 control": ({"message": "a\x9bb"}, 422, "invalid_message"),
    "unknown thread": ({"thread_id": "0" * 32}, 404, "unknown_thread"),
    "thread id of another shape": ({"thread_id": "../../etc"}, 404, "unknown_thread"),
    "unknown style": ({"style": "nope"}, 422, "unknown_style"),
    "unknown style in a blend": ({"style": "neon:1,nope:1"}, 422, "unknown_style"),
    "unknown own reference": ({"style": f"artifact:{'0' * 64}"}, 422, "unknown_artifact"),
    "weight of nothing": ({"style": "neon:0"}, 422, "invalid_choice"),
    "weights of nothing": ({"style": "neon:0,ink:0"}, 422, "invalid_choice"),
    "negative weight": ({"style": "neon:-1,ink:2"}, 422, "invalid_choice"),
    "weight in words": ({"style": "neon:much"}, 422, "invalid_choice"),
    "weight that is no number": ({"style": "neon:nan"}, 422, "invalid_choice"),
    "style twice": ({"style": "neon,neon"}, 422, "invalid_choice"),
    "only a comma": ({"style": ","}, 422, "invalid_choice"),
    "style without end": ({"style": "neon," * 1000}, 422, "invalid_choice"),
    "unknown profile": ({"profile": "nope"}, 422, "unknown_profile"),
    "no steps": ({"steps": "0"}, 422, "invalid_steps"),
    "10000 steps": ({"steps": "10000"}, 422, "invalid_steps"),
    "steps in words": ({"steps": "ten"}, 422, "invalid_steps"),
    "size no multiple of 8": ({"size": "100"}, 422, "invalid_size"),
    "size 0": ({"size": "0"}, 422, "invalid_size"),
    "size 8": ({"size": "8"}, 422, "invalid_size"),
    "size beyond the profile": ({"size": "80000"}, 422, "invalid_size"),
    "seed -1": ({"seed": "-1"}, 422, "invalid_seed"),
    "seed 2^63": ({"seed": str(2**63)}, 422, "invalid_seed"),
    "seed 2^64": ({"seed": str(2**64)}, 422, "invalid_seed"),
    "seed of 5000 digits": ({"seed": "9" * 5000}, 422, "invalid_seed"),
    "unknown field": ({"colour": "red"}, 422, "unknown_field"),
    "sketch as text": ({"sketch": "a house"}, 422, "invalid_sketch"),
}

SKETCHES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "zero bytes": (lambda: b"", 422, "empty_upload"),
    "cut short": (lambda: png()[:100], 422, "broken_image"),
    "1x1": (lambda: png(1, 1), 422, "image_too_small"),
    "30000x30000": (huge_png, 413, "image_too_large"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "unsupported_image"),
    "GIF": (gif, 422, "unsupported_image"),
    "HTML named .png": (lambda: b"<!doctype html><p>hello", 422, "unsupported_image"),
}


def test_every_refusal_leaves_the_thread_as_it_was(studio: LiveStudio) -> None:
    """Bad fields and bad sketches, one after the other, on a thread that has a render."""
    thread_id = studio.chat("neon city", png(), style="neon")[0].data["thread_id"]
    before = studio.thread(thread_id)
    for name, (fields, status, code) in FIELDS.items():
        data = {"message": "again", "thread_id": thread_id, **fields}
        data = {key: value for key, value in data.items() if value is not None}
        try:
            problem(studio.http.post("/chat", data=data), status, code)
        except AssertionError as error:
            raise AssertionError(name) from error
    for name, (sketch, status, code) in SKETCHES.items():
        data = {"message": "again", "thread_id": thread_id}
        files = {"sketch": ("sketch.png", sketch())}
        try:
            problem(studio.http.post("/chat", data=data, files=files), status, code)
        except AssertionError as error:
            raise AssertionError(name) from error
    assert studio.thread(thread_id) == before


def as_cmyk() -> bytes:
    file = BytesIO()
    Image.open(BytesIO(png())).convert("CMYK").save(file, "JPEG")
    return file.getvalue()


def as_16_bit() -> bytes:
    file = BytesIO()
    Image.open(BytesIO(png())).convert("I").point(lambda v: v * 257).convert("I;16").save(
        file, "PNG"
    )
    return file.getvalue()


@pytest.mark.parametrize("sketch", [as_cmyk, as_16_bit])
def test_unusual_images_are_converted(studio: LiveStudio, sketch: Callable[[], bytes]) -> None:
    events = studio.chat("a house", sketch(), style="none")
    assert only(events, "result")["fidelity"]["geometry"] is not None


def test_an_upload_is_stored_anew(studio: LiveStudio) -> None:
    """What is kept is a PNG of the pixels: nothing that rode along with them."""
    polyglot = png() + b"<script>alert(1)</script>"
    thread_id = studio.chat("a house", polyglot, style="none")[0].data["thread_id"]
    kept = studio.http.get(studio.thread(thread_id)["sketch_url"])
    assert kept.headers["content-type"] == "image/png"
    assert b"script" not in kept.content


def test_a_body_that_is_no_form(studio: LiveStudio) -> None:
    problem(studio.http.post("/chat", json={"message": "a house"}), 422, "invalid_message")
    headers = {"content-type": "multipart/form-data"}
    problem(studio.http.post("/chat", content=b"x", headers=headers), 400, "broken_request")


def test_a_body_that_is_too_large(context: Context) -> None:
    settings = context.settings.model_copy(update={"max_upload_mb": 1})
    with serving(replace(context, settings=settings)) as studio:
        files = {"sketch": ("sketch.png", bytes(3 * 2**20))}
        declared = studio.http.post("/chat", data={"message": "a house"}, files=files)
        problem(declared, 413, "too_large")

        def parts() -> Iterator[bytes]:
            yield b'--b\r\ncontent-disposition: form-data; name="message"\r\n\r\n'
            for _ in range(48):
                yield b"x" * 2**16

        headers = {"content-type": "multipart/form-data; boundary=b"}
        counted = studio.http.post("/chat", content=parts(), headers=headers)
        assert counted.status_code in (400, 413)
        assert counted.headers["content-type"] == "application/problem+json"
        assert studio.http.get("/healthz").status_code == 200


CHOICES: dict[str, Refusal] = {
    "unknown style": ({"styles": [{"style": "nope", "weight": 1}]}, 422, "unknown_style"),
    "weight of nothing": ({"styles": [{"style": "ink", "weight": 0}]}, 422, "invalid_choice"),
    "weights of nothing": (
        {"styles": [{"style": "ink", "weight": 0}, {"style": "neon", "weight": 0}]},
        422,
        "invalid_choice",
    ),
    "negative weight": ({"styles": [{"style": "ink", "weight": -1}]}, 422, "invalid_choice"),
    "weight in words": ({"styles": [{"style": "ink", "weight": "much"}]}, 422, "invalid_choice"),
    "style twice": ({"styles": [{"style": "ink"}, {"style": "ink"}]}, 422, "invalid_choice"),
    "five styles": ({"styles": [{"style": "ink"}] * 5}, 422, "invalid_choice"),
    "no list": ({"styles": "ink"}, 422, "invalid_choice"),
    "no styles": ({"styles": None}, 422, "invalid_choice"),
    "unknown field": ({"colour": "red"}, 422, "unknown_field"),
    "no id": ({"interrupt_id": None}, 422, "invalid_interrupt_id"),
    "another id": ({"interrupt_id": "0" * 32}, 409, "stale_choice"),
    "id in numbers": ({"interrupt_id": 7}, 422, "invalid_interrupt_id"),
}


def test_a_wrong_answer_leaves_the_question_open(studio: LiveStudio) -> None:
    asked = studio.chat("a city with ink", style="ask")
    thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")
    url = f"/chat/{thread_id}/choice"
    before = studio.thread(thread_id)
    good = {"interrupt_id": question["id"], "styles": [{"style": "ink", "weight": 1}]}
    for name, (fields, status, code) in CHOICES.items():
        try:
            problem(studio.http.post(url, json={**good, **fields}), status, code)
        except AssertionError as error:
            raise AssertionError(name) from error
    json = {"content-type": "application/json"}
    problem(studio.http.post(url, content=b"{", headers=json), 422, "invalid_json")
    nan = b'{"interrupt_id": "x", "styles": [{"style": "ink", "weight": NaN}]}'
    problem(studio.http.post(url, content=nan, headers=json), 422, "invalid_choice")
    deep = studio.http.post(url, content=b"[" * 100_000, headers=json)
    assert deep.status_code in (400, 422)
    assert deep.headers["content-type"] == "application/problem+json"
    assert studio.thread(thread_id) == before

    answer = studio.http.post(url, json=good)
    assert only(transcript(answer.text), "end") == {"status": "success"}


def test_an_answer_to_a_question_nobody_asked(studio: LiveStudio) -> None:
    thread_id = studio.chat("neon city", style="none")[0].data["thread_id"]
    before = studio.thread(thread_id)
    problem(studio.choose(thread_id, "0" * 32, {"style": "ink"}), 409, "no_question")
    assert studio.thread(thread_id) == before
    problem(studio.choose("0" * 32, "0" * 32, {"style": "ink"}), 404, "unknown_thread")


def test_what_is_not_there(studio: LiveStudio) -> None:
    problem(studio.http.get("/nowhere"), 404, "not_found")
    for noun in ("artifacts", "styles", "threads"):
        problem(studio.http.get(f"/{noun}/..%2F..%2F..%2Fetc%2Fpasswd"), 404, "not_found")
    wrong = studio.http.put("/chat")
    problem(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"
