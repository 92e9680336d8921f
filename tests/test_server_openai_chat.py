"""`chat/completions`, as the unmodified `openai` package and known chat front ends call it."""

import base64
import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx2
import openai
import pytest
from conftest import PaintedEngine
from live_server import BrokenEngine, LiveStudio, held, png, serving, with_engine
from PIL import Image

from graph.context import Context
from tools.errors import WeightsMissing

URL = "/v1/chat/completions"
Messages = list[dict[str, Any]]


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


def data_url(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


def user(text: str, *images: bytes) -> dict[str, Any]:
    parts: Messages = [{"type": "text", "text": text}]
    parts += [{"type": "image_url", "image_url": {"url": data_url(image)}} for image in images]
    return {"role": "user", "content": parts if images else text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def ask(client: openai.OpenAI, messages: Messages, **more: Any) -> Any:
    """The whole answer; it joins `messages`, as chat front ends do it."""
    create: Any = client.chat.completions.create
    answer = create(model="starter", messages=messages, extra_body=more)
    messages.append(assistant(answer.choices[0].message.content))
    return answer


def streamed(client: openai.OpenAI, messages: Messages, **more: Any) -> Iterator[Any]:
    """The chunks of an answer."""
    create: Any = client.chat.completions.create
    chunks: Iterator[Any] = create(model="gpt-5", messages=messages, stream=True, **more)
    return chunks


def said(answer: Any) -> str:
    text: str = answer.choices[0].message.content
    return text


def link_of(text: str) -> str:
    """The one image of an answer."""
    (url,) = re.findall(r"!\[[^\]]*\]\((\S+)\)", text)
    return str(url)


def thread_of(answer: Any) -> str:
    thread_id: str = answer.artisan["thread_id"]
    return thread_id


def styles_of(studio: LiveStudio, answer: Any) -> dict[str, float]:
    result = studio.thread(thread_of(answer))["results"][-1]
    assert result["run_id"] == answer.artisan["run_id"]
    return {share["style"]: round(share["weight"], 3) for share in result["styles"]}


def test_a_sketch_and_a_sentence_become_a_picture(
    client: openai.OpenAI, studio: LiveStudio, engine: PaintedEngine
) -> None:
    stream = streamed(
        client, [user("neon city\nat [dusk]", png())], stream_options={"include_usage": True}
    )
    *chunks, usage = list(stream)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in (*chunks, usage)}) == 1
    assert {chunk.model for chunk in chunks} == {"starter"}
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + [
        "stop"
    ]

    text = "".join(delta.content or "" for delta in deltas)
    assert text.startswith(
        "100% Neon: you said city, neon.\n\nRendering 33% 66%\n\n![neon city at dusk]("
    )
    url = link_of(text)
    assert url.startswith(f"{studio.http.base_url}/artifacts/")
    picture = httpx2.get(url)
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(BytesIO(picture.content)).size == (96, 64)
    images = [image for delta in deltas for image in (delta.model_extra or {}).get("images", [])]
    assert images == [{"type": "image_url", "image_url": {"url": url.partition("#")[0]}}]
    assert re.search(r"\n96x64 px, seed \d+, \d+% of your lines kept\.$", text)
    assert engine.requests[0].edges is not None

    assert usage.choices == []
    assert usage.usage
    assert usage.usage.total_tokens == usage.usage.prompt_tokens + usage.usage.completion_tokens
    assert usage.usage.prompt_tokens == 4


def test_an_answer_as_a_whole(client: openai.OpenAI, studio: LiveStudio) -> None:
    answer = ask(client, [user("a neon city", png())], style="ink", seed=7, steps=3, size=64)
    assert answer.object == "chat.completion"
    assert answer.choices[0].finish_reason == "stop"
    text = said(answer)
    assert text.startswith("100% Ink: as you asked.\n\n![a neon city](http")
    assert "Rendering" not in text
    assert "px, seed 7" in text
    assert (
        answer.choices[0].message.images[0]["image_url"]["url"] == link_of(text).partition("#")[0]
    )
    assert answer.usage.completion_tokens == len(text.split())
    assert studio.thread(thread_of(answer))["messages"] == ["a neon city"]


def test_a_stream_ends_with_done(studio: LiveStudio) -> None:
    body = {"messages": [user("a neon city")], "stream": True, "style": "none"}
    response = studio.http.post(URL, json=body)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n") if line and not line.startswith(":")]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert all("usage" not in json.loads(line[6:]) for line in lines[:-1])


def test_a_conversation_keeps_its_thread_and_sketch(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    talk = [user("a neon city", png())]
    first = ask(client, talk, style="neon")
    talk.append(user("warmer"))
    second = ask(client, talk)
    assert thread_of(second) == thread_of(first)
    assert "of your lines kept" in said(second)
    assert styles_of(studio, second) == {"neon": 1.0}
    assert studio.thread(thread_of(first))["messages"] == ["a neon city", "warmer"]


def test_conversations_that_begin_alike_are_two(client: openai.OpenAI) -> None:
    first, second = (ask(client, [user("a neon city")], style="none") for _ in range(2))
    assert thread_of(first) != thread_of(second)


def test_the_newest_link_leads_on(client: openai.OpenAI) -> None:
    """A conversation that was pasted into another goes on with the thread of its last picture."""
    one, two = [user("a neon city")], [user("a gold lobby")]
    ask(client, one, style="none")
    thread_id = thread_of(ask(client, two, style="none"))
    assert thread_of(ask(client, [*one, *two, user("warmer")], style="none")) == thread_id


def test_a_conversation_whose_thread_is_lost_begins_anew_with_all_of_it(
    studio: LiveStudio,
) -> None:
    lost = ("", "0" * 32, "..%2F..%2Fetc", "%00", "%ED%A0%80", "\ud800", "x" * 100_000)
    headers = {"content-type": "application/json"}
    for thread_id in lost:
        link = f"![a](http://studio.example/artifacts/{'0' * 64}#thread={thread_id})"
        talk = [user("a neon city", png()), assistant(link), user("7"), user("warmer")]
        body = json.dumps({"messages": talk, "style": "none"})
        answer = studio.http.post(URL, content=body, headers=headers)
        assert answer.status_code == 200, (thread_id[:60], answer.text)
        thread = studio.thread(answer.json()["artisan"]["thread_id"])
        assert thread["messages"] == ["a neon city\nwarmer"]
        assert thread["sketch_url"]


def test_a_history_too_long_for_a_message_loses_its_oldest(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    talk = [user("x" * 1990), user("a neon city"), user("warmer")]
    answer = ask(client, talk, style="none")
    assert studio.thread(thread_of(answer))["messages"] == ["a neon city\nwarmer"]


def test_a_thread_may_be_named(client: openai.OpenAI) -> None:
    first = ask(client, [user("a neon city", png())], style="neon")
    second = ask(client, [user("warmer")], thread_id=thread_of(first))
    assert thread_of(second) == thread_of(first)
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, [user("warmer")], thread_id="0" * 32)
    assert (caught.value.code, caught.value.param) == ("unknown_thread", "thread_id")


def test_further_images_show_the_style(client: openai.OpenAI, studio: LiveStudio) -> None:
    red = BytesIO()
    Image.new("RGB", (32, 32), "red").save(red, "PNG")
    answer = ask(client, [user("a house", png(), red.getvalue())])
    (style,) = styles_of(studio, answer)
    assert style.startswith("artifact:")


def test_a_look_that_the_library_lacks_is_named(client: openai.OpenAI) -> None:
    text = said(ask(client, [user("a rococo mirror")]))
    assert text.startswith("No style, the words alone")
    assert text.endswith(
        "You seem to mean Rococo, which is not in the library: the render will be text only."
    )


OFFER = """\
Which style shall it be?

1. [Ink]({base}/styles/ink/references/1#thread={thread}): you said ink
2. [Neon]({base}/styles/neon/references/1#thread={thread}): you said city

Answer with a number or a name, several to blend them (1, 2), or none."""


def asked(client: openai.OpenAI, studio: LiveStudio) -> tuple[Messages, str]:
    """A conversation in which the studio has just asked for a style, and its thread."""
    talk = [user("a city with ink", png())]
    answer = ask(client, talk)
    base = str(studio.http.base_url).rstrip("/")
    assert said(answer) == OFFER.format(base=base, thread=thread_of(answer))
    assert studio.thread(thread_of(answer))["status"] == "interrupted"
    return talk, thread_of(answer)


def test_the_next_message_answers_the_question(client: openai.OpenAI, studio: LiveStudio) -> None:
    for words, styles in (
        ("2", {"neon": 1.0}),
        (" #2. ", {"neon": 1.0}),
        ("Ink", {"ink": 1.0}),
        ("DECO!", {"deco": 1.0}),
        ("1, 2", {"ink": 0.5, "neon": 0.5}),
        ("1 and deco", {"ink": 0.5, "deco": 0.5}),
        ("1, ink", {"ink": 1.0}),
        ("none", {}),
        ("auto", {"ink": 1.0}),
    ):
        talk, thread_id = asked(client, studio)
        talk.append(user(words))
        answer = ask(client, talk)
        assert thread_of(answer) == thread_id, words
        assert styles_of(studio, answer) == styles, words
        assert link_of(said(answer))
        thread = studio.thread(thread_id)
        assert (thread["messages"], thread["status"]) == (["a city with ink"], "idle")


def test_an_answer_on_a_named_thread_needs_no_history(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    _, thread_id = asked(client, studio)
    answer = ask(client, [user("2")], thread_id=thread_id)
    assert styles_of(studio, answer) == {"neon": 1.0}


def test_other_words_are_a_new_message(client: openai.OpenAI, studio: LiveStudio) -> None:
    talk, thread_id = asked(client, studio)
    talk.append(user("a gold lobby in ink"))
    ask(client, talk, style="auto")
    thread = studio.thread(thread_id)
    assert thread["messages"] == ["a city with ink", "a gold lobby in ink"]
    assert thread["results"][-1]["prompt"] == "a gold lobby in ink"


def test_a_number_that_is_not_in_the_list_is_asked_again(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    talk, thread_id = asked(client, studio)
    question = talk[-1]["content"]
    talk.append(user("7"))
    assert said(ask(client, talk)) == question
    assert studio.thread(thread_id)["status"] == "interrupted"
    talk.append(user("2"))
    assert styles_of(studio, ask(client, talk)) == {"neon": 1.0}


def test_an_answer_that_is_given_again_renders_again(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    """Front ends offer to regenerate an answer, and to edit the message that it answers."""
    talk, thread_id = asked(client, studio)
    first = ask(client, [*talk, user("2")])
    again = ask(client, [*talk, user("2")])
    other = ask(client, [*talk, user("1")])
    assert {thread_of(answer) for answer in (first, again, other)} == {thread_id}
    assert link_of(said(first)) != link_of(said(again))
    assert styles_of(studio, other) == {"ink": 1.0}
    prompts = [result["prompt"] for result in studio.thread(thread_id)["results"]]
    assert prompts == ["a city with ink"] * 3
    assert "of your lines kept" in said(other)


def test_an_answer_with_a_new_sketch_is_a_turn_on_it(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    talk, thread_id = asked(client, studio)
    answer = ask(client, [*talk, user("2", png(160, 160))])
    assert "96x96 px" in said(answer)
    assert styles_of(studio, answer) == {"neon": 1.0}
    assert studio.thread(thread_id)["status"] == "idle"


def test_a_number_means_nothing_where_nobody_asked(
    client: openai.OpenAI, studio: LiveStudio
) -> None:
    answer = ask(client, [user("7")], style="none")
    assert studio.thread(thread_of(answer))["messages"] == ["7"]


HISTORY = """\
### Chat History:
<chat_history>
USER: a **lighthouse** on a cliff at night, with [stars]
ASSISTANT: 100% Ink: as you asked. ![a lighthouse](http://studio/artifacts/0#thread=1)
</chat_history>"""

TASK = "### Task:\n{task}\n### Output:\nJSON format: {json}\n\n" + HISTORY

CHORES = {
    "Open WebUI, title": (
        TASK.format(
            task="Generate a concise title summarizing the chat history.",
            json='{ "title": "your concise title here" }',
        ),
        {"title": "a lighthouse on a cliff"},
    ),
    "Open WebUI, tags": (
        TASK.format(
            task="Generate 1-3 broad tags categorizing the main themes of the chat history",
            json='{ "tags": ["tag1", "tag2", "tag3"] }',
        ),
        {"tags": ["Art", "Images"]},
    ),
    "Open WebUI, follow-ups": (
        TASK.format(
            task="Suggest 3-5 relevant follow-up questions or prompts",
            json='{ "follow_ups": ["Question 1?", "Question 2?"] }',
        ),
        {"follow_ups": ["The same at night", "Warmer colours", "The same in another style"]},
    ),
    "Open WebUI, search": (
        TASK.format(
            task="Analyze the chat history to determine the necessity of generating search queries",
            json='{ "queries": ["query1", "query2"] }',
        ),
        {"queries": []},
    ),
    "Open WebUI, image prompt": (
        TASK.format(
            task="Generate a detailed prompt for am image generation task",
            json='{\n    "prompt": "Your detailed description here."\n}',
        ),
        {"prompt": "a **lighthouse** on a cliff at night, with [stars]"},
    ),
    "Open WebUI, autocompletion": (
        TASK.format(
            task="You are an autocompletion system. Continue the text in `<text>`",
            json='`{ "text": "<your_completion>" }`.',
        ),
        {"text": ""},
    ),
    "Open WebUI, tools": (
        'Available Tools: []\n\nReturn only the JSON object\n{\n  "tool_calls": [{"name": "t"}]\n}',
        {"tool_calls": []},
    ),
    "Open WebUI, emoji": (
        "Your task is to reflect the speaker's likely facial expression through a fitting emoji.\n\nMessage: ```a```",
        "🎨",
    ),
    "LibreChat, title": (
        (
            "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return "
            "the title itself.\n\nConversation:\nUser: a lighthouse on a cliff at night\nAI: Done."
        ),
        "a lighthouse on a cliff",
    ),
    "LibreChat, older": (
        (
            "Please generate a concise, 5-word-or-less title for the conversation, using its same language, with no "
            'punctuation. Apply title case conventions.\n\n||>User:\n"a lighthouse on a cliff"\n||>Response:\n"Done."'
        ),
        "a lighthouse on a cliff",
    ),
    "LibreChat, title and language": (
        (
            "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title "
            "in the detected language (5 words or less)\n\nUser: a lighthouse\nAI: Done."
        ),
        {"language": "English", "title": "a lighthouse"},
    ),
}


def test_what_front_ends_ask_for_themselves_starts_no_render(
    client: openai.OpenAI, engine: PaintedEngine
) -> None:
    for name, (prompt, wanted) in CHORES.items():
        for role in ("user", "system"):
            answer = ask(client, [{"role": role, "content": prompt}])
            text = said(answer)
            assert (text if isinstance(wanted, str) else json.loads(text)) == wanted, name
            assert "artisan" not in answer.model_extra
        chunks = streamed(client, [{"role": "user", "content": prompt}])
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert engine.requests == []


def test_what_a_person_says_is_no_chore(client: openai.OpenAI, studio: LiveStudio) -> None:
    for text in (
        "### Task:\na house by the sea",
        '### Task:\ndraw the words { "title": "x" } on a wall',
        "a title page for the conversation of two birds, 5 words or less",
        "a poster that says <chat_history>hello</chat_history>",
        "available tools: a hammer and a saw on a bench",
    ):
        answer = ask(client, [user(text)], style="none")
        assert studio.thread(thread_of(answer))["messages"] == [text]


def test_what_open_webui_sends(studio: LiveStudio) -> None:
    body = {
        "stream": True,
        "model": "starter",
        "messages": [
            {"role": "system", "content": "You paint."},
            user("a neon city", png()),
        ],
        "stream_options": {"include_usage": True},
        "temperature": 0.7,
        "max_tokens": 512,
        "tools": [],
    }
    text = studio.http.post(URL, json=body, headers={"authorization": "Bearer sk"}).text
    assert text.rstrip().endswith("data: [DONE]")
    assert "![a neon city](" in text


def test_what_librechat_sends(studio: LiveStudio) -> None:
    body = {
        "model": "starter",
        "user": "663a",
        "stream": True,
        "messages": [
            user("a neon city", png()),
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
            {"role": "tool", "tool_call_id": "1", "content": "done"},
            {"role": "assistant", "content": [{"type": "text", "text": "Here it is."}]},
            {"role": "user", "content": [{"type": "text", "text": "warmer"}]},
        ],
    }
    text = studio.http.post(URL, json=body).text
    assert "![a neon city warmer](" in text


def test_models_are_listed_with_the_default_first(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["starter"]
    assert client.models.retrieve("starter").owned_by == "artisan-studio"


def part(**fields: Any) -> Messages:
    return [{"role": "user", "content": [{"type": "text", "text": "a house"}, fields]}]


def image_part(url: Any) -> Messages:
    return part(type="image_url", image_url={"url": url})


REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "no messages": ({"messages": []}, "invalid_messages", "messages"),
    "messages of a string": ({"messages": "a house"}, "invalid_messages", "messages"),
    "messages of numbers": ({"messages": [1]}, "invalid_messages", "messages"),
    "null": ({"messages": None}, "invalid_messages", "messages"),
    "a role of a number": ({"messages": [{"role": 1}]}, "invalid_messages", "messages"),
    "nobody speaks": ({"messages": [assistant("hello")]}, "invalid_messages", "messages"),
    "no words": ({"messages": [user(" ")]}, "invalid_messages", "messages"),
    "content of nothing": ({"messages": [{"role": "user"}]}, "invalid_messages", "messages"),
    "content of a number": (
        {"messages": [{"role": "user", "content": 1}]},
        "invalid_messages",
        "messages",
    ),
    "2001 characters": ({"messages": [user("x" * 2001)]}, "invalid_messages", "messages"),
    "10 MB": ({"messages": [user("x" * 10_000_000)]}, "invalid_messages", "messages"),
    "surrogate": ({"messages": [user("a\ud800b")]}, "invalid_messages", "messages"),
    "NUL": ({"messages": [user("a\0b")]}, "invalid_messages", "messages"),
    "image of a number": ({"messages": image_part(1)}, "invalid_messages", "messages"),
    "image without a URL": (
        {"messages": part(type="image_url", image_url={})},
        "invalid_messages",
        "messages",
    ),
    "image elsewhere": (
        {"messages": image_part("http://169.254.169.254/latest")},
        "invalid_image_url",
        "messages",
    ),
    "image in a file": (
        {"messages": image_part("file:///etc/passwd")},
        "invalid_image_url",
        "messages",
    ),
    "image in plain": (
        {"messages": image_part("data:image/png,abc")},
        "invalid_image_url",
        "messages",
    ),
    "no base64": (
        {"messages": image_part("data:image/png;base64,@@@")},
        "invalid_image_url",
        "messages",
    ),
    "no ASCII": ({"messages": image_part("data:;base64,ä\ud800")}, "invalid_image_url", "messages"),
    "empty image": ({"messages": image_part("data:image/png;base64,")}, "empty_upload", "messages"),
    "no image": ({"messages": image_part(data_url(b"<svg/>"))}, "unsupported_image", "messages"),
    "half an image": ({"messages": image_part(data_url(png()[:90]))}, "broken_image", "messages"),
    "n of 2": ({"n": 2}, "invalid_n", "n"),
    "stream": ({"stream": "often"}, "invalid_stream", "stream"),
    "stream options": ({"stream_options": 7}, "invalid_stream_options", "stream_options"),
    "style": ({"style": "nope"}, "unknown_style", "style"),
    "style of a NaN": ({"style": float("nan")}, "invalid_choice", "style"),
    "seed": ({"seed": -1}, "invalid_seed", "seed"),
    "steps": ({"steps": 10_000}, "invalid_steps", "steps"),
    "size": ({"size": 8000}, "invalid_size", "size"),
    "profile": ({"profile": "nope"}, "unknown_profile", "profile"),
}


def test_every_refusal_names_its_parameter(
    client: openai.OpenAI, studio: LiveStudio, engine: PaintedEngine
) -> None:
    headers = {"content-type": "application/json"}
    for name, (fields, code, param) in REFUSED.items():
        content = json.dumps({"messages": [user("a house")], **fields})
        response = studio.http.post(URL, content=content, headers=headers)
        assert response.status_code == 400, (name, response.text)
        error = response.json()["error"]
        assert (error["code"], error["param"]) == (code, param), (name, error)
        assert error["message"], name
    large = image_part(data_url(png(17_000, 20)))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, large)
    assert (caught.value.status_code, caught.value.code) == (413, "image_too_large")
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, image_part("https://example.com/a.png"))
    assert "fetches nothing" in refused.value.message
    deep = b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    assert studio.http.post(URL, content=deep, headers=headers).status_code == 400
    assert engine.requests == []


def test_a_render_that_fails_in_the_middle(context: Context) -> None:
    engine = BrokenEngine(error=WeightsMissing("Run: ./artisan models pull sd15"))
    with serving(with_engine(context, engine)) as studio, client_of(studio) as client:
        with pytest.raises(openai.APIError) as caught:
            list(streamed(client, [user("a neon city")]))
        assert caught.value.message == "Run: ./artisan models pull sd15"
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["code"] == "weights_missing"
        with pytest.raises(openai.InternalServerError) as whole:
            ask(client, [user("a neon city")])
        assert (whole.value.status_code, whole.value.code) == (503, "weights_missing")


def test_the_first_words_do_not_wait_for_the_render(context: Context) -> None:
    with held(context) as (studio, engine), client_of(studio) as client:
        stream = streamed(client, [user("a neon city")])
        first = next(stream)
        assert first.choices[0].delta.role == "assistant"
        assert first.artisan["thread_id"]
        engine.gate.release(100)
        assert "![" in "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_a_request_sent_again_with_its_key_is_the_same_run(
    client: openai.OpenAI, studio: LiveStudio, engine: PaintedEngine
) -> None:
    def send(messages: Messages, key: str) -> Any:
        create: Any = client.chat.completions.create
        return create(model="a", messages=messages, extra_headers={"Idempotency-Key": key})

    talk, _ = asked(client, studio)
    for messages, key in (([user("a neon city")], "1"), ([*talk, user("2")], "2")):
        first, again = send(messages, key), send(messages, key)
        assert first.artisan == again.artisan
        assert said(first) == said(again)
    assert len(engine.requests) == 2
    with pytest.raises(openai.ConflictError) as caught:
        send([user("a gold lobby")], "1")
    assert caught.value.code == "idempotency_mismatch"
