"""The run-centric half of the protocol, driven by the unmodified SDK."""

import asyncio
import base64
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from agent_sdk import ALL_MODES, ASSISTANT, Client, Line, async_sdk, said, sdk
from langgraph_sdk.errors import ConflictError, NotFoundError
from live_server import BrokenEngine, HeldEngine, LiveStudio, held, png, serving, until, with_engine

from graph.context import Context
from graph.settings import Settings
from tools.errors import WeightsMissing

INK = {"styles": [{"style": "ink"}]}
QUICK = {"style": "none"}
LONG = {"style": "none", "steps": 60}


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


@pytest.fixture
def client(studio: LiveStudio) -> Iterator[Client]:
    with sdk(studio) as client:
        yield client


def new_thread(client: Client) -> str:
    return str(client.threads.create()["thread_id"])


def step_until(engine: HeldEngine, true: Callable[[], object]) -> None:
    """Let the engine go on, step by step, until something has come true."""

    def stepped() -> object:
        engine.gate.release()
        return true()

    until(stepped)


def events(parts: list[Any], name: str) -> list[Any]:
    return [part.data for part in parts if part.event == name]


def test_a_render_in_all_modes(studio: LiveStudio, client: Client) -> None:
    thread_id = new_thread(client)
    created: dict[str, str] = {}
    parts = list(
        client.runs.stream(
            thread_id,
            ASSISTANT,
            input=said("a neon city at night"),
            context={"seed": 7, "steps": 3},
            stream_mode=ALL_MODES,
            on_run_created=created.update,
        )
    )
    run_id = created["run_id"]
    assert created["thread_id"] == thread_id
    assert parts[0].data == {"run_id": run_id, "attempt": 1}
    assert parts[-1].data == {"run_id": run_id, "status": "success"}
    ids = [tuple(map(int, part.id.split("-"))) for part in parts]
    assert ids == sorted(set(ids))

    updates = events(parts, "updates")
    nodes = [next(iter(update)) for update in updates]
    assert nodes[:4] == ["begin", "enhance_prompt", "retrieve_styles", "choose_style"]
    assert nodes[-1] == "critique"
    values = events(parts, "values")
    assert values[-1]["seed"] == 7
    assert values[-1]["styles"] == [{"style": "neon", "weight": 1.0}]
    tasks = events(parts, "tasks")
    assert len({task["id"] for task in tasks}) == len(tasks) / 2 == len(nodes)
    progress = [each for each in events(parts, "custom") if each["type"] == "progress"]
    assert [each["step"] for each in progress] == [1, 2, 3]
    ((message, about),) = events(parts, "messages")
    assert about["run_id"] == run_id
    assert values[-1]["messages"][-1] == message
    image = message["content"][1]["url"]
    assert studio.http.get(image).headers["content-type"] == "image/png"

    run = client.runs.get(thread_id, run_id)
    assert (run["status"], run["assistant_id"]) == (
        "success",
        client.assistants.search()[0]["assistant_id"],
    )
    assert client.threads.get_state(thread_id)["values"] == values[-1]


def test_a_question_is_asked_and_answered(client: Client) -> None:
    thread_id = new_thread(client)
    parts = list(
        client.runs.stream(
            thread_id,
            ASSISTANT,
            input=said("a city with ink"),
            context={"style": "ask"},
            version="v2",
        )
    )
    (question,) = parts[-1]["interrupts"]
    assert question["response_schema"]["required"] == ["styles"]
    assert {each["style"] for each in question["value"]["candidates"]} == {"ink", "neon"}
    (run,) = client.runs.list(thread_id)
    thread = client.threads.get(thread_id)
    assert (run["status"], thread["status"]) == ("success", "interrupted")
    ((asked,),) = thread["interrupts"].values()
    assert asked == question

    resumed = client.runs.wait(thread_id, ASSISTANT, command={"resume": {question["id"]: INK}})
    assert isinstance(resumed, dict)
    assert resumed["styles"] == [{"style": "ink", "weight": 1.0}]
    assert [m["id"] for m in resumed["messages"]] == ["turn-1-human", "turn-1-ai"]
    done = client.threads.get(thread_id)
    assert (done["status"], done["interrupts"]) == ("idle", {})
    with pytest.raises(ConflictError, match="not the question that waits"):
        client.runs.create(thread_id, ASSISTANT, command={"resume": {question["id"]: INK}})
    with pytest.raises(ConflictError):
        client.runs.create(thread_id, ASSISTANT, command={"resume": INK})


def test_a_review_is_approved(client: Client) -> None:
    """The buttons that chat UIs show: what they approve is the first candidate."""
    thread_id = new_thread(client)
    client.runs.wait(thread_id, ASSISTANT, input=said("a city with ink"), context={"style": "ask"})
    (asked,) = client.threads.get_state(thread_id)["interrupts"]
    (request,) = asked["value"]["action_requests"]
    (review,) = asked["value"]["review_configs"]
    assert request["name"] == review["action_name"]
    approval = {"decisions": [{"type": "approve"}]}
    values = client.runs.wait(thread_id, ASSISTANT, command={"resume": approval})
    assert [share["style"] for share in values["styles"]] == [request["args"]["style_id"]]


def test_a_page_finds_its_own_messages_again(client: Client) -> None:
    """Bug: React's `useStream` showed every message twice, for it knew its own by the id that it had given."""
    thread_id = new_thread(client)
    for sent in ({"id": "mine"}, {}, {"id": "mine"}, {"id": "other"}):
        given = {"messages": [{"type": "human", "content": "a cat", **sent}]}
        values = client.runs.wait(thread_id, ASSISTANT, input=given, context=QUICK)
    told = [message["id"] for message in values["messages"][::2]]
    assert told == ["mine", "turn-2-human", "turn-3-human", "other"]
    assert client.threads.get_state(thread_id)["values"]["messages"] == values["messages"]


def test_messages_add_up_and_the_sketch_stays(studio: LiveStudio, client: Client) -> None:
    """Three turns: a drawing as a data URL, none, and one that is there already."""
    thread_id = new_thread(client)
    drawing = base64.b64encode(png()).decode()
    first = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{drawing}"}}
    asked = [{"type": "text", "text": "a house"}, first]
    turns: list[Any] = [{"messages": [{"type": "human", "content": asked}]}, said("at night")]
    values: Any = {}
    for given in turns:
        values = client.runs.wait(thread_id, ASSISTANT, input=given, context=QUICK)
    sketch = values["messages"][0]["content"][1]
    assert studio.http.get(sketch["url"]).status_code == 200
    again = [{"type": "image", "url": sketch["url"]}, {"type": "text", "text": "by day"}]
    values = client.runs.wait(
        thread_id,
        ASSISTANT,
        input={"messages": [*values["messages"], ["user", again]]},
        context=QUICK,
    )
    told = [(m["id"], isinstance(m["content"], list)) for m in values["messages"]]
    assert told == [
        ("turn-1-human", True),
        ("turn-1-ai", True),
        ("turn-2-human", False),
        ("turn-2-ai", True),
        ("turn-3-human", False),
        ("turn-3-ai", True),
    ]
    assert urljoin(str(studio.http.base_url), f"/artifacts/{values['sketch']}") == sketch["url"]
    assert values["edge_map"] is not None


def test_a_connection_cut_in_the_middle_is_mended_by_the_sdk(context: Context) -> None:
    """The SDK comes back to `Location` with the last id: it hears every event once."""
    with held(context) as (studio, engine):
        line = Line(studio, b'"type":"progress"', marks=2)
        engine.gate.release(3)
        with line.open() as url, sdk(studio, url) as client:
            thread_id = new_thread(client)
            parts = []
            for part in client.runs.stream(
                thread_id,
                ASSISTANT,
                input=said("a cat"),
                context=QUICK,
                stream_mode=["custom", "updates"],
            ):
                parts.append(part)
                if line.cuts:
                    engine.gate.release(100)
            run = client.runs.list(thread_id)[0]
            whole = list(client.runs.join_stream(thread_id, run["run_id"]))
    assert line.cuts == 1
    assert [part.id for part in parts] == [part.id for part in whole]
    assert [part.event for part in parts] == [part.event for part in whole]
    assert parts[-1].event == "end"


def test_a_stream_is_joined_from_any_event(studio: LiveStudio, client: Client) -> None:
    """Also one of a run that came by the studio's own wire."""
    began = studio.chat("a cat", style="none")[0].data
    where = began["thread_id"], began["run_id"]
    whole = list(client.runs.join_stream(*where, stream_mode=ALL_MODES))
    assert {part.event for part in whole} == {
        "metadata",
        "values",
        "updates",
        "custom",
        "messages",
        "tasks",
        "end",
    }
    for place in (0, 3, len(whole) - 2, len(whole) - 1):
        after = list(
            client.runs.join_stream(*where, stream_mode=ALL_MODES, last_event_id=whole[place].id)
        )
        assert [part.id for part in after] == [part.id for part in whole[place + 1 :]]
    only_values = list(client.runs.join_stream(*where, stream_mode="values", last_event_id="-1"))
    assert {part.event for part in only_values} == {"metadata", "values", "end"}
    assert {part.id for part in only_values} < {part.id for part in whole}


def test_a_run_is_told_in_the_words_of_the_wire_it_came_by(
    studio: LiveStudio, client: Client
) -> None:
    began = studio.chat("a cat", style="none")[0].data
    url = f"/threads/{began['thread_id']}/runs/{began['run_id']}/stream"
    assert "event: node" in studio.http.get(url).text
    assert "event: updates" in studio.http.get(f"{url}?format=langgraph").text
    assert "event: updates" in studio.http.get(f"{url}?stream_mode=updates").text
    folded = {"stream_mode": '["updates","values"]'}  # as JavaScript's client says it
    assert "event: updates" in studio.http.get(url, params=folded).text
    thread_id = new_thread(client)
    run = client.runs.create(thread_id, ASSISTANT, input=said("a dog"), context=QUICK)
    url = f"/threads/{thread_id}/runs/{run['run_id']}/stream"
    client.runs.join(thread_id, run["run_id"])
    assert "event: values" in studio.http.get(url).text
    assert "event: node" in studio.http.get(f"{url}?format=studio").text


def test_a_replay_after_a_restart_says_the_same(context: Context) -> None:
    with serving(context) as studio, sdk(studio) as client:
        thread_id = new_thread(client)
        asked = list(
            client.runs.stream(
                thread_id,
                ASSISTANT,
                input=said("a city with ink"),
                context={"style": "ask"},
                stream_mode=ALL_MODES,
            )
        )
        run_id = asked[0].data["run_id"]
    with serving(context) as studio, sdk(studio) as client:
        assert list(client.runs.join_stream(thread_id, run_id)) == asked
        joined = client.runs.join(thread_id, run_id)
        assert joined["__interrupt__"] == events(asked, "values")[-1]["__interrupt__"]
        values = client.runs.wait(thread_id, ASSISTANT, command={"resume": "ink"})
        assert len(values["messages"]) == 2


def test_a_run_in_the_background_is_polled_joined_and_listed(context: Context) -> None:
    with held(context) as (studio, engine), sdk(studio) as client:
        thread_id = new_thread(client)
        run = client.runs.create(
            thread_id, ASSISTANT, input=said("a cat"), context=QUICK, metadata={"mine": 1}
        )
        where = thread_id, run["run_id"]
        until(lambda: client.runs.get(*where)["status"] == "running")
        assert client.threads.get(thread_id)["status"] == "busy"
        assert [r["run_id"] for r in client.runs.list(thread_id, status="running")] == [
            run["run_id"]
        ]
        engine.gate.release(100)
        values = client.runs.join(*where)
        assert values["messages"][-1]["type"] == "ai"
        done = client.runs.get(*where)
        assert (done["status"], done["metadata"]) == ("success", {"mine": 1})
        assert client.runs.list(thread_id, status="running") == []
        (short,) = client.runs.list(thread_id, select=["run_id"])
        assert short == {"run_id": run["run_id"]}
        client.runs.delete(*where)
        with pytest.raises(NotFoundError):
            client.runs.get(*where)
        assert len(client.threads.get_state(thread_id)["values"]["messages"]) == 2


def test_a_busy_thread_rejects_queues_and_gives_way(context: Context) -> None:
    with held(context) as (studio, engine), sdk(studio) as client:
        thread_id = new_thread(client)

        def start(message: str, strategy: Any) -> str:
            run = client.runs.create(
                thread_id,
                ASSISTANT,
                input=said(message),
                context=QUICK,
                multitask_strategy=strategy,
            )
            return str(run["run_id"])

        def status(run_id: str) -> str:
            return str(client.runs.get(thread_id, run_id)["status"])

        first = start("first", None)
        until(lambda: engine.requests)
        assert status(first) == "running"
        with pytest.raises(ConflictError, match="under way"):
            start("refused", "reject")
        second = start("second", "enqueue")
        assert status(second) == "pending"
        third = start("third", "interrupt")
        engine.gate.release(10_000)
        client.runs.join(thread_id, third)
        assert [status(run_id) for run_id in (first, second, third)] == [
            "interrupted",
            "interrupted",
            "success",
        ]
        messages = client.threads.get_state(thread_id)["values"]["messages"]
        assert [m["content"] for m in messages if m["type"] == "human"] == ["first", "third"]


def test_a_run_is_cancelled(context: Context) -> None:
    with held(context) as (studio, engine), sdk(studio) as client:
        thread_id = new_thread(client)
        run = client.runs.create(thread_id, ASSISTANT, input=said("a cat"), context=LONG)
        where = thread_id, run["run_id"]
        until(lambda: engine.requests)
        stopped = threading.Thread(target=lambda: client.runs.cancel(*where, wait=True))
        stopped.start()
        step_until(engine, lambda: not stopped.is_alive())
        parts = list(client.runs.join_stream(*where))
        assert parts[-1].data == {"run_id": run["run_id"], "status": "interrupted"}
        assert client.runs.get(*where)["status"] == "interrupted"
        state = client.threads.get_state(thread_id)
        assert (state["next"], state["interrupts"]) == (["generate_image"], [])
        with pytest.raises(NotFoundError, match="ended"):
            client.runs.cancel(*where)
        engine.gate.release(10_000)
        values = client.runs.wait(thread_id, ASSISTANT, input=None)
        assert values["messages"][-1]["type"] == "ai"  # it went on where it was stopped


def test_a_run_is_undone(context: Context) -> None:
    with held(context) as (studio, engine), sdk(studio) as client:
        thread_id = new_thread(client)
        run = client.runs.create(thread_id, ASSISTANT, input=said("a cat"), context=LONG)
        until(lambda: engine.requests)
        client.runs.cancel(thread_id, run["run_id"], action="rollback")
        step_until(engine, lambda: client.threads.get(thread_id)["status"] == "idle")
        assert client.runs.list(thread_id) == []
        assert client.threads.get_state(thread_id)["values"] == {}


def test_what_breaks_a_run_is_told(context: Context) -> None:
    broken = with_engine(context, BrokenEngine(error=WeightsMissing("the paper is out")))
    with serving(broken) as studio, sdk(studio) as client:
        thread_id = new_thread(client)
        parts = list(client.runs.stream(thread_id, ASSISTANT, input=said("a cat"), context=QUICK))
        assert [part.event for part in parts[-2:]] == ["error", "end"]
        assert parts[-2].data == {"error": "weights_missing", "message": "the paper is out"}
        assert client.threads.get(thread_id)["status"] == "error"
        assert client.runs.list(thread_id)[0]["status"] == "error"
        with pytest.raises(Exception, match="weights_missing: the paper is out"):
            client.runs.wait(thread_id, ASSISTANT, input=said("a dog"), context=QUICK)
        kept = client.runs.wait(
            thread_id, ASSISTANT, input=said("a dog"), context=QUICK, raise_error=False
        )
        assert kept["__error__"]["error"] == "weights_missing"


def test_a_secret_of_the_house_is_told_nowhere(context: Context) -> None:
    with serving(with_engine(context, BrokenEngine())) as studio, sdk(studio) as client:
        thread_id = new_thread(client)
        list(client.runs.stream(thread_id, ASSISTANT, input=said("a cat"), context=QUICK))
        state = studio.http.get(f"/threads/{thread_id}/state").text
        assert '"next":["generate_image"]' in state
        assert "secret" not in state + studio.http.get(f"/threads/{thread_id}/history").text


def test_runs_without_a_thread_make_one(client: Client) -> None:
    created: dict[str, Any] = {}
    parts = list(
        client.runs.stream(
            None, ASSISTANT, input=said("a cat"), context=QUICK, on_run_created=created.update
        )
    )
    assert parts[-1].event == "end"
    assert client.runs.get(created["thread_id"], created["run_id"])["status"] == "success"
    values = client.runs.wait(None, ASSISTANT, input=said("a cat"), context=QUICK)
    assert values["messages"][-1]["type"] == "ai"
    run = client.runs.create(None, ASSISTANT, input=said("a dog"), context=QUICK)
    assert client.runs.join(run["thread_id"], run["run_id"])


def test_a_run_that_is_sent_again_is_the_same_run(client: Client) -> None:
    headers = {"Idempotency-Key": "mine"}
    first, again = (
        client.runs.create(None, ASSISTANT, input=said("a cat"), context=QUICK, headers=headers)
        for _ in range(2)
    )
    assert first["run_id"] == again["run_id"]
    with pytest.raises(ConflictError, match="Idempotency-Key"):
        client.runs.create(None, ASSISTANT, input=said("a dog"), context=QUICK, headers=headers)


def test_if_not_exists_makes_the_thread(client: Client) -> None:
    thread_id = "3e7a1e3e-9a62-4c5e-8f5e-52f3a1b0c9d1"
    with pytest.raises(NotFoundError):
        client.runs.create(thread_id, ASSISTANT, input=said("a cat"), context=QUICK)
    for _ in range(2):
        client.runs.wait(
            thread_id, ASSISTANT, input=said("a cat"), context=QUICK, if_not_exists="create"
        )
    assert len(client.runs.list(thread_id)) == 2


@pytest.mark.parametrize(
    ("on_disconnect", "status"), [("cancel", "interrupted"), ("continue", "success")]
)
def test_a_reader_that_leaves(context: Context, on_disconnect: str, status: str) -> None:
    with held(context) as (studio, engine), sdk(studio) as client:
        thread_id = new_thread(client)
        body = {
            "assistant_id": ASSISTANT,
            "input": said("a cat"),
            "context": LONG,
            "on_disconnect": on_disconnect,
        }
        for kind in ("stream", "wait"):
            before = len(engine.requests)
            with (
                httpx2.Client(base_url=studio.http.base_url) as reader,
                reader.stream("POST", f"/threads/{thread_id}/runs/{kind}", json=body) as response,
            ):
                until(partial(lambda before: len(engine.requests) > before, before))
                run_url = response.headers["content-location"]
            if on_disconnect == "continue":
                engine.gate.release(60)
            step_until(
                engine,
                partial(lambda url: studio.http.get(url).json()["status"] == status, run_url),
            )


def test_headers_name_the_run(studio: LiveStudio, client: Client) -> None:
    thread_id = new_thread(client)
    body = {"assistant_id": ASSISTANT, "input": said("a cat"), "context": QUICK}
    origin = {"Origin": "http://localhost:3000"}
    answer = studio.http.post(f"/threads/{thread_id}/runs/stream", json=body, headers=origin)
    where = answer.headers["content-location"]
    assert re.fullmatch(rf"/threads/{thread_id}/runs/[0-9a-f-]{{36}}", where)
    assert answer.headers["location"].startswith(f"{where}/stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["access-control-allow-origin"] == origin["Origin"]
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"Content-Location", "Location"} <= set(exposed)
    foreign = studio.http.get("/ok", headers={"Origin": "https://example.com"})
    assert "access-control-allow-origin" not in foreign.headers


def test_pages_of_other_origins_may_be_let_in(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTISAN_CORS_ORIGINS", "https://example.com, https://example.org")
    read = Settings(_env_file=None).cors_origins
    assert read == ("https://example.com", "https://example.org")
    settings = context.settings.model_copy(update={"cors_origins": read})
    with serving(replace(context, settings=settings)) as studio:
        asked = {
            "Origin": "https://example.com",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        }
        answer = studio.http.options("/threads", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://example.com"


async def test_many_wait_at_once(context: Context) -> None:
    """Waiting runs, streams and a list share one server and one lane."""
    with serving(context) as studio:
        async with async_sdk(studio) as client:
            waits = [
                client.runs.wait(None, ASSISTANT, input=said(f"cat {n}"), context=QUICK)
                for n in range(4)
            ]
            values: Any = await asyncio.gather(*waits)
            texts = [each["messages"][0]["content"] for each in values]
            assert texts == [f"cat {n}" for n in range(4)]


async def test_runs_are_cancelled_by_the_dozen(context: Context) -> None:
    with held(context) as (studio, _):
        async with async_sdk(studio) as client:
            runs = [
                await client.runs.create(None, ASSISTANT, input=said("a cat"), context=QUICK)
                for _ in range(3)
            ]
            await client.runs.cancel_many(status="all")
            for run in runs:
                await client.runs.join(run["thread_id"], run["run_id"])
            with pytest.raises(NotFoundError):
                await client.runs.cancel_many(status="all")
