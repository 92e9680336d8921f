"""What callers of the protocol mean: answers and messages in all their spellings."""

import base64
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from live_server import png

from graph.context import Context
from graph.state import Request
from server.agent.given import read_answer, read_request
from server.agent.schemas import RunBody
from tools.errors import AppError, InvalidRequest

CANDIDATES = [{"style": "ink"}, {"style": "neon"}]
QUESTION = "0123456789abcdef0123456789abcdef"
DRAWING = base64.b64encode(png()).decode()


def edited(style: str) -> dict[str, Any]:
    action = {"name": "choose_style", "args": {"style_id": style}}
    return {"decisions": [{"type": "edit", "edited_action": action}]}


@pytest.mark.parametrize(
    ("resume", "styles"),
    [
        ("ink", ["ink"]),
        ("ink:1,deco:1", ["ink", "deco"]),
        (["neon", {"style": "ink", "weight": 3}], ["neon", "ink"]),
        ({"style_id": "deco"}, ["deco"]),
        ({"style": "deco", "weight": 2}, ["deco"]),
        ({"styles": [{"style": "ink", "weight": 0.5}]}, ["ink"]),
        ("none", []),
        ([], []),
        ({"styles": []}, []),
        ({"decisions": [{"type": "approve"}]}, ["ink"]),
        ({"decisions": [{"type": "reject", "message": "no"}]}, []),
        (edited("neon"), ["neon"]),
        (edited("none"), []),
    ],
)
def test_an_answer_in_any_words(resume: Any, styles: list[str]) -> None:
    for given, named in ((resume, None), ({QUESTION: resume}, QUESTION)):
        interrupt_id, choice = read_answer(given, CANDIDATES)
        assert interrupt_id == named
        assert [share.style for share in choice.styles] == styles


@pytest.mark.parametrize(
    "resume",
    [
        True,
        7,
        "",
        "auto",
        "ask",
        "two words",
        {},
        {"styles": "ink"},
        {"styles": [7]},
        {"styles": [{"style": "ink", "weight": 0}]},
        [{"style": "ink"}] * 5,
        {"decisions": []},
        {"decisions": [{"type": "approve"}] * 2},
        {"decisions": [{"type": "edit"}]},
        {"decisions": [{"type": "respond", "message": "ink"}]},
        {QUESTION: {}},
        {QUESTION: "ink", QUESTION[::-1]: "ink"},
    ],
)
def test_what_is_no_answer_is_refused(resume: Any) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_answer(resume, CANDIDATES)
    assert refusal.value.code == "invalid_choice"


async def read(context: Context, given: Any, /, **more: Any) -> Request:
    body = RunBody(assistant_id="artisan", input=given, **more)
    return await read_request(body, context)


TEXT = {"type": "text", "text": "a cat"}


@pytest.mark.parametrize(
    "given",
    [
        {"messages": "a cat"},
        {"messages": ["a dog", "a cat"]},
        {"messages": ["user", "a cat"]},
        {"messages": [["user", "a cat"]]},
        {"messages": {"role": "user", "content": "a cat"}},
        {
            "messages": [
                {"type": "human", "content": [TEXT], "id": "1"},
                {"type": "ai", "content": "ok"},
            ]
        },
        {"messages": [{"role": "user", "content": ["a cat"]}], "anything": {"else": 1}},
        {"message": "a cat"},
    ],
)
async def test_the_last_human_message_counts(context: Context, given: Any) -> None:
    request = await read(context, given)
    assert (request["message"], request["sketch"]) == ("a cat", None)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "base64": DRAWING, "mime_type": "image/png"},
        {"type": "image", "source_type": "base64", "data": DRAWING, "mimeType": "image/png"},
        {"type": "image", "url": f"data:image/png;base64,{DRAWING}"},
        {"type": "image_url", "image_url": {"url": f"data:;base64,{DRAWING}"}},
        {"type": "image_url", "image_url": f"data:image/jpeg;base64,{DRAWING}"},
    ],
)
async def test_a_picture_in_the_message_is_the_sketch(context: Context, block: Any) -> None:
    given = {"messages": [{"role": "user", "content": [TEXT, block]}]}
    sketch = (await read(context, given))["sketch"]
    assert sketch is not None
    assert context.artifacts.image(sketch).size == (240, 160)
    for home in ("", "http://127.0.0.1:8000", "https://studio.example"):
        again = {"type": "image", "url": f"{home}/artifacts/{sketch}"}
        given = {"messages": [{"role": "user", "content": [again, TEXT]}]}
        assert (await read(context, given))["sketch"] == sketch
    assert (await read(context, {"message": "x"}, context={"sketch": sketch}))["sketch"] == sketch


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("m-1", "m-1"), (None, None), (7, None), ("", None), ("x" * 101, None), ("turn-1-ai", None)],
)
async def test_a_message_keeps_the_id_that_its_page_gave_it(
    context: Context, sent: Any, kept: str | None
) -> None:
    message = {"role": "user", "content": "a cat", "id": sent}
    assert (await read(context, {"messages": [message]}))["message_id"] == kept


async def test_the_input_wins_over_the_context_and_that_over_the_config(context: Context) -> None:
    config = {"configurable": {"seed": 1, "steps": 1, "style": "ink", "thread_id": "x"}}
    request = await read(
        context,
        {"message": "a cat", "seed": 3, "style": None},
        context={"seed": 2, "steps": 2, "size": None},
        config=config,
    )
    assert (request["seed"], request["steps"], request["style"]) == (3, 2, "ink")
    assert request["size"] is None
    assert request["profile"] == "starter"


def image(**block: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [TEXT, {"type": "image", **block}]}]}


@pytest.mark.parametrize(
    ("given", "more", "code"),
    [
        (image(url="http://127.0.0.1/cat.png"), {}, "remote_image"),
        (image(url="https://example.com/cat.png"), {}, "remote_image"),
        (image(url="file:///etc/passwd"), {}, "remote_image"),
        (image(url="/artifacts/../../etc/passwd"), {}, "remote_image"),
        (image(file_id="1"), {}, "remote_image"),
        (image(base64="not base64"), {}, "broken_image"),
        (image(base64="é"), {}, "broken_image"),
        (image(base64=""), {}, "empty_upload"),
        (image(base64=base64.b64encode(b"GIF89a").decode()), {}, "unsupported_image"),
        (image(url=f"/artifacts/{'f' * 64}"), {}, "unknown_artifact"),
        ({"message": "a cat"}, {"context": {"sketch": "f" * 64}}, "unknown_artifact"),
        ({"message": "a cat"}, {"context": {"style": "nope"}}, "unknown_style"),
        ({"message": "a cat"}, {"context": {"profile": "nope"}}, "unknown_profile"),
        ({"message": "a cat"}, {"context": {"steps": 10**6}}, "invalid_steps"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "base64": DRAWING}] * 2}]},
            {},
            "too_many_images",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused(
    context: Context, given: Any, more: Any, code: str
) -> None:
    with pytest.raises(AppError) as refusal:
        await read(context, given, **more)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("given", "more", "field"),
    [
        ("a cat", {}, "input"),
        ([], {}, "input"),
        ({}, {}, "message"),
        ({"messages": []}, {}, "message"),
        ({"messages": [7]}, {}, "messages"),
        ({"messages": [{"role": "assistant", "content": "a cat"}]}, {}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, {}, "messages"),
        ({"messages": [{"role": "user", "content": {"text": "a cat"}}]}, {}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, {}, "message"),
        ({"message": "x" * 2001}, {}, "message"),
        ({"message": "a cat"}, {"context": {"styel": "ink"}}, "styel"),
        ({"message": "a cat"}, {"context": {"seed": "many"}}, "seed"),
        ({"message": "a cat"}, {"config": {"configurable": {"seed": -1}}}, "seed"),
    ],
)
async def test_what_has_the_wrong_shape_is_refused(
    context: Context, given: Any, more: Any, field: str
) -> None:
    with pytest.raises(RequestValidationError) as refusal:
        await read(context, given, **more)
    assert refusal.value.errors()[0]["loc"] == ("body", field)
