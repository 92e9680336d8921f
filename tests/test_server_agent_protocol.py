"""The thread-centric half of the protocol, driven by the unmodified SDK and by plain requests."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx2
import pytest
from agent_sdk import ASSISTANT, async_sdk, said, sdk
from langgraph_sdk.errors import UnprocessableEntityError
from live_server import LiveStudio, held, problem, serving, until

from graph.context import Context

ASK = {"configurable": {"style": "ask"}}
QUICK = {"configurable": {"style": "none"}}
CHANNELS = ["values", "updates", "messages", "lifecycle", "input", "tasks", "custom"]


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


@contextmanager
def hearing(
    studio: LiveStudio,
    thread_id: str,
    channels: list[str] = CHANNELS,
    last: str | None = None,
    **body: Any,
) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a thread, from behind `last`."""
    url = f"/threads/{thread_id}/stream/events"
    body, headers = {"channels": channels, **body}, {"Last-Event-ID": last} if last else {}
    with studio.http.stream("POST", url, json=body, headers=headers) as response:
        assert response.status_code == 200, response.read()
        yield _read(response)


def _read(response: httpx2.Response) -> Iterator[dict[str, Any]]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            event = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (str(event["seq"]), event["method"])
            yield event
            fields = {}


def command(studio: LiveStudio, thread_id: str, method: str, **params: Any) -> dict[str, Any]:
    body = {"id": 7, "method": method, "params": params}
    answer = studio.http.post(f"/threads/{thread_id}/commands", json=body)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    assert done["id"] == 7
    return done


def start(studio: LiveStudio, thread_id: str, message: str, config: Any) -> dict[str, Any]:
    done = command(
        studio, thread_id, "run.start", assistant_id=ASSISTANT, input=said(message), config=config
    )
    assert done["type"] == "success", done
    return done


def until_end(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """All events up to the end of a run."""
    told = []
    for event in events:
        told.append(event)
        if event["method"] == "lifecycle" and event["params"]["data"]["event"] != "running":
            return told
    raise AssertionError("the stream ended before its run")


def of(events: list[dict[str, Any]], method: str) -> list[Any]:
    return [event["params"]["data"] for event in events if event["method"] == method]


async def test_a_run_asks_is_answered_and_ends(context: Context) -> None:
    """The SDK's own projections, on a thread that its first command makes."""
    with serving(context) as studio:
        async with (
            async_sdk(studio) as client,
            client.threads.stream(assistant_id=ASSISTANT) as thread,
        ):
            await thread.run.start(input=said("a city with ink"), config=ASK)
            before = [values async for values in thread.values]
            assert before[-1]["matches"]
            assert thread.interrupted
            (asked,) = thread.interrupts
            assert {each["style"] for each in asked["value"]["candidates"]} == {"ink", "neon"}

            async def told() -> list[Any]:
                return [
                    each async for each in thread.interleave_projections(["messages", "progress"])
                ]

            telling = asyncio.create_task(told())
            await asyncio.sleep(0)
            await thread.run.respond({"styles": [{"style": "ink"}]})
            output = await thread.output
            assert [m["type"] for m in output["messages"]] == ["human", "ai"]
            *steps, (_, message) = await telling
            assert [each["payload"]["step"] for _, each in steps] == list(range(1, 7))
            assert await message.text == output["messages"][1]["content"][0]["text"]
            whole = await message.output
            assert whole.content[1]["url"] == output["messages"][1]["content"][1]["url"]
            assert (await client.threads.get(thread.thread_id))["status"] == "idle"


async def test_a_thread_is_taken_up_again(context: Context) -> None:
    """An old run's end is not taken for that of the next one; a question that waits is heard again."""
    with serving(context) as studio:
        async with async_sdk(studio) as client:
            thread_id = (await client.threads.create())["thread_id"]
            await client.runs.wait(
                thread_id, ASSISTANT, input=said("a cat"), context={"style": "none"}
            )
            async with client.threads.stream(thread_id, assistant_id=ASSISTANT) as thread:
                await thread.run.start(input=said("a city with ink"), config=ASK)
                async for _ in thread.values:
                    pass
            async with client.threads.stream(thread_id, assistant_id=ASSISTANT) as thread:
                async for _ in thread.values:
                    pass
                assert thread.interrupted
                await thread.run.respond("ink")
                output = await thread.output
                assert output["turn"] == 2
                assert len(output["messages"]) == 4


async def test_what_breaks_a_run_fails_its_output(context: Context) -> None:
    with held(context) as (studio, engine):
        async with (
            async_sdk(studio) as client,
            client.threads.stream(assistant_id=ASSISTANT) as thread,
        ):
            config = {"configurable": {"style": "none", "steps": 60}}
            started = await thread.run.start(input=said("a cat"), config=config)
            await asyncio.to_thread(until, lambda: engine.requests)
            await client.runs.cancel(thread.thread_id, started["run_id"])
            engine.gate.release(1)
            with pytest.raises(RuntimeError, match="cancelled"):
                await thread.output
            with pytest.raises(RuntimeError, match="invalid_argument"):
                await thread.run.start(input=said(""))


def test_one_stream_carries_run_after_run(studio: LiveStudio) -> None:
    """It opens before the thread is there, and every event has its own id and place."""
    thread_id = str(uuid.uuid4())
    with hearing(studio, thread_id) as events:
        start(studio, thread_id, "a city with ink", ASK)
        first = until_end(events)
        (asked,) = of(first, "input.requested")
        assert asked["value"] == asked["payload"]
        answered = command(
            studio,
            thread_id,
            "input.respond",
            namespace=[],
            interrupt_id=asked["interrupt_id"],
            response="ink",
        )
        second = until_end(events)
        start(studio, thread_id, "a cat", QUICK)
        third = until_end(events)
    runs = [first, second, third]
    assert [of(run, "lifecycle")[-1]["event"] for run in runs] == [
        "interrupted",
        "completed",
        "completed",
    ]
    assert [of(run, "lifecycle")[0]["event"] for run in runs] == ["running"] * 3
    assert answered["result"]["run_id"] in second[0]["event_id"]
    together = [event for run in runs for event in run]
    seqs = [event["seq"] for event in together]
    assert seqs == sorted(set(seqs))
    assert len({event["event_id"] for event in together}) == len(together)
    assert all("__interrupt__" not in values for values in of(together, "values"))
    parts = [each["event"] for each in of(third, "messages")]
    assert parts[0] == "message-start"
    assert parts[-1] == "message-finish"
    assert [list(update) for update in of(third, "updates")][-1] == ["critique"]

    with hearing(studio, thread_id, since=0) as events:
        again = [event for _ in runs for event in until_end(events)]
    assert again == together
    middle = len(first) + len(second) // 2
    with hearing(studio, thread_id, since=seqs[middle]) as events:
        rest = [*until_end(events), *until_end(events)]
    assert rest == together[middle + 1 :]


def test_a_stream_goes_on_behind_any_event(studio: LiveStudio) -> None:
    """By its place or by its id, as clients have it; also the stream in which each run has its own modes."""
    thread_id = str(uuid.uuid4())
    with hearing(studio, thread_id) as events:
        start(studio, thread_id, "a cat", QUICK)
        whole = until_end(events)
    for last in (str(whole[4]["seq"]), whole[4]["event_id"]):
        with hearing(studio, thread_id, last=last) as events:
            assert until_end(events) == whole[5:]
    with sdk(studio) as client:
        for message in ("a dog", "a bird"):
            client.runs.wait(thread_id, ASSISTANT, input=said(message), context={"style": "none"})
        parts: list[Any] = []
        with closing(client.threads.join_stream(thread_id, last_event_id="-1")) as stream:
            while sum(part.event == "run_done" for part in parts) < 3:
                parts.append(next(stream))
        ids = [int(part.id) for part in parts]
        assert ids == sorted(set(ids))
        with closing(client.threads.join_stream(thread_id, last_event_id=parts[9].id)) as stream:
            assert [next(stream) for _ in parts[10:]] == parts[10:]
        with pytest.raises(UnprocessableEntityError):
            list(client.threads.join_stream(thread_id, stream_mode="lifecycle"))


def test_a_reader_of_a_run_rolled_back_hears_all_of_the_next_one(context: Context) -> None:
    """Bug: the next run had the number of the one that was gone, so its first events passed for old ones."""
    thread_id = str(uuid.uuid4())
    with held(context) as (studio, engine):
        gone = start(studio, thread_id, "a cat", QUICK)["result"]["run_id"]
        with hearing(studio, thread_id) as events:
            while next(events)["method"] != "tasks":
                pass
            url = f"/threads/{thread_id}/runs/{gone}/cancel"
            studio.http.post(url, params={"action": "rollback"}).raise_for_status()
            engine.gate.release(10_000)
            last = until_end(events)[-1]["seq"]
        start(studio, thread_id, "a dog", QUICK)
        with hearing(studio, thread_id) as events:
            whole = until_end(events)
        with hearing(studio, thread_id, last=str(last)) as events:
            assert until_end(events) == whole
    assert whole[0]["seq"] > last


def test_a_stream_hears_its_channels_only(studio: LiveStudio) -> None:
    thread_id = str(uuid.uuid4())
    done = start(studio, thread_id, "a cat", QUICK)
    since = done["meta"]["applied_through_seq"]
    with hearing(studio, thread_id, ["custom:progress", "lifecycle"], since=since) as events:
        told = until_end(events)
    assert {event["method"] for event in told} == {"custom", "lifecycle"}
    assert {data["name"] for data in of(told, "custom")} == {"progress"}
    with hearing(studio, thread_id, ["custom", "lifecycle"], since=since) as events:
        assert {data["name"] for data in of(until_end(events), "custom")} == {
            "said",
            "progress",
            "result",
        }
    with hearing(studio, thread_id, namespaces=[[]], depth=0, since=since) as events:
        assert until_end(events)


def test_a_quick_run_is_heard_though_it_is_over(studio: LiveStudio) -> None:
    """By those whose command it was; whoever comes later hears only what is new."""
    thread_id = str(uuid.uuid4())
    run_id = start(studio, thread_id, "a cat", QUICK)["result"]["run_id"]
    studio.http.get(f"/threads/{thread_id}/runs/{run_id}/join")
    for channels in (["lifecycle", "input"], CHANNELS):
        with hearing(studio, thread_id, channels) as events:
            assert of(until_end(events), "lifecycle")[-1]["event"] == "completed"
    with hearing(studio, thread_id) as events:
        later = start(studio, thread_id, "a dog", QUICK)["result"]["run_id"]
        assert {event["event_id"].split(":")[0] for event in until_end(events)} == {later}


def test_a_run_in_the_line_is_told_in_its_turn(context: Context) -> None:
    with held(context) as (studio, engine):
        thread_id = str(uuid.uuid4())
        first = start(studio, thread_id, "first", QUICK)
        until(lambda: engine.requests)
        second = start(studio, thread_id, "second", QUICK)
        assert second["meta"] == first["meta"]  # the first still has something to say
        with hearing(studio, thread_id) as events:
            engine.gate.release(100)
            for each in (first, second):
                told = until_end(events)
                assert all(event["event_id"].startswith(each["result"]["run_id"]) for event in told)
        with sdk(studio) as client:
            state: Any = client.threads.get_state(thread_id)
            assert len(state["values"]["messages"]) == 4


def test_the_state_is_read_and_forked(studio: LiveStudio) -> None:
    thread_id = str(uuid.uuid4())
    with hearing(studio, thread_id) as events:
        start(studio, thread_id, "a cat", QUICK)
        until_end(events)
        state = command(studio, thread_id, "state.get", namespace=[], keys=["turn", "seed"])
        assert set(state["result"]["values"]) == {"turn", "seed"}
        listed = command(studio, thread_id, "state.listCheckpoints", limit=100)["result"]
        assert listed["checkpoints"][0]["id"] == state["result"]["checkpoint"]["id"]
        assert [each["step"] for each in listed["checkpoints"]][-1] == -1
        (page,) = command(
            studio,
            thread_id,
            "state.listCheckpoints",
            limit=1,
            before=listed["checkpoints"][1]["id"],
        )["result"]["checkpoints"]
        assert page == listed["checkpoints"][2]
        tree = command(studio, thread_id, "agent.getTree")["result"]["tree"]
        assert (tree["status"], tree["graph_name"]) == ("completed", ASSISTANT)
        end = listed["checkpoints"][0]["id"]
        for message in ("with a hat", "with a scarf"):
            forked = command(
                studio,
                thread_id,
                "state.fork",
                checkpoint_id=end,
                input=said(message),
                config=QUICK,
            )
            assert forked["result"]["thread_id"] == thread_id
            until_end(events)
    with sdk(studio) as client:
        values: Any = client.threads.get_state(thread_id)["values"]
        texts = [m["content"] for m in values["messages"] if m["type"] == "human"]
        assert texts == ["a cat", "with a scarf"]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("run.start", {"assistant_id": "other", "input": said("x")}, "invalid_argument"),
    ("run.start", {"input": {"messages": 7}}, "invalid_argument"),
    ("run.start", {"input": said("x"), "config": {"configurable": 7}}, "invalid_argument"),
    ("run.start", {"input": said("x"), "webhook": "http://x"}, "not_supported"),
    ("input.respond", {"interrupt_id": "0" * 32, "response": "ink"}, "no_such_interrupt"),
    ("input.respond", {"interrupt_id": "x", "response": "ink"}, "no_such_interrupt"),
    ("input.respond", {"response": "ink"}, "invalid_argument"),
    ("input.respond", {"responses": [7]}, "invalid_argument"),
    ("input.respond", {"responses": 7}, "invalid_argument"),
    ("state.get", {"namespace": ["sub"]}, "no_such_namespace"),
    ("state.get", {"keys": 7}, "invalid_argument"),
    ("state.listCheckpoints", {"limit": 0}, "invalid_argument"),
    ("state.fork", {"checkpoint_id": "nope"}, "no_such_checkpoint"),
    ("state.fork", {}, "no_such_checkpoint"),
    ("input.inject", {}, "unknown_command"),
    ("subscription.subscribe", {}, "unknown_command"),
    ("x" * 100, {}, "unknown_command"),
]


def test_a_command_that_cannot_be_done_is_answered(studio: LiveStudio) -> None:
    thread_id = str(uuid.uuid4())
    for method in ("state.get", "run.start", "input.respond"):
        done = command(studio, thread_id, method)
        assert (done["type"], done["error"]) == ("error", "invalid_argument")  # no thread yet
    with hearing(studio, thread_id) as events:
        start(studio, thread_id, "a city with ink", ASK)
        until_end(events)
    for method, params, error in REFUSED:
        done = command(studio, thread_id, method, **params)
        assert (done["type"], done["error"]) == ("error", error), (method, params, done)
        assert done["message"]
    assert studio.thread(thread_id)["status"] == "interrupted"
    assert (
        command(studio, "not-a-uuid", "run.start", input=said("x"))["error"] == "invalid_argument"
    )


def test_a_stream_of_nonsense_is_refused(studio: LiveStudio) -> None:
    thread_id = str(uuid.uuid4())
    url = f"/threads/{thread_id}/stream/events"
    for body, code in (
        ({"channels": ["noise"]}, "invalid_channels"),
        ({"channels": ["custom:"]}, "invalid_channels"),
        ({"channels": "values"}, "invalid_channels"),
        ({"channels": ["values"], "since": -1}, "invalid_since"),
        ({"channels": ["values"], "since": "soon"}, "invalid_since"),
        ({"channels": ["values"], "namespaces": [7]}, "invalid_namespaces"),
        ({}, "invalid_channels"),
        ([], "invalid_body"),
    ):
        problem(studio.http.post(url, json=body), 422, code)
    body = {"channels": ["values"]}
    problem(studio.http.post("/threads/nobody/stream/events", json=body), 404, "unknown_thread")
    for last in ("x", "-2", "1.5", "9" * 5000, f"{uuid.uuid4()}:1-1"):
        wrong = studio.http.post(url, json=body, headers={"Last-Event-ID": last})
        problem(wrong, 422, "invalid_last_event_id")
    for nonsense in ({}, {"id": 1}, {"id": None, "method": "state.get"}, {"id": 1, "method": 7}):
        answer = studio.http.post(f"/threads/{thread_id}/commands", json=nonsense)
        assert answer.status_code == 422, nonsense
