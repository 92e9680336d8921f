"""Threads, their state and their past, driven by the unmodified SDK."""

import uuid
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from agent_sdk import ASSISTANT, Client, said, sdk
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError
from live_server import LiveStudio, held, only, serving, until

from graph.context import Context

QUICK = {"style": "none", "seed": 3}


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


def render(client: Client, thread_id: str, message: str, **context: Any) -> Any:
    return client.runs.wait(thread_id, ASSISTANT, input=said(message), context={**QUICK, **context})


def state_of(client: Client, thread_id: str, **more: Any) -> Any:
    return client.threads.get_state(thread_id, **more)


def ids(threads: list[Any]) -> list[str]:
    return [thread["thread_id"] for thread in threads]


def test_the_assistant(client: Client) -> None:
    (assistant,) = client.assistants.search()
    assert client.assistants.count() == 1
    for name in (ASSISTANT, assistant["assistant_id"]):
        assert client.assistants.get(name) == assistant
        nodes = {node["id"] for node in client.assistants.get_graph(name)["nodes"]}
        assert {"__start__", "choose_style", "generate_image"} <= nodes
        schemas = client.assistants.get_schemas(name)
        assert set(schemas["context_schema"]["properties"]) == {
            "style",
            "seed",
            "steps",
            "size",
            "profile",
            "sketch",
        }
        assert client.assistants.get_subgraphs(name) == {}
    assert client.assistants.search(graph_id="other") == []
    assert client.assistants.search(metadata={"created_by": "me"}) == []
    with pytest.raises(NotFoundError):
        client.assistants.get("other")


def test_a_new_thread_is_empty(studio: LiveStudio, client: Client) -> None:
    own = str(uuid.uuid4())
    thread = client.threads.create(thread_id=own, metadata={"who": "me"})
    assert thread["thread_id"] == own
    assert (thread["status"], thread["values"]) == ("idle", None)
    state = state_of(client, own)
    assert (state["values"], state["next"], state["checkpoint"]) == ({}, [], None)
    assert client.threads.get_history(own) == []
    assert studio.thread(own)["messages"] == []
    with pytest.raises(ConflictError):
        client.threads.create(thread_id=own)
    again = client.threads.create(thread_id=own, if_exists="do_nothing")
    assert again["metadata"] == {"who": "me"}


def test_threads_are_found_by_what_is_noted_on_them(client: Client) -> None:
    first, second, third = (
        client.threads.create(metadata={"n": n, "who": {"name": "me"}})["thread_id"]
        for n in range(3)
    )
    assert set(ids(client.threads.search(metadata={"who": {"name": "me"}}))) == {
        first,
        second,
        third,
    }
    assert ids(client.threads.search(metadata={"n": 1})) == [second]
    assert client.threads.search(metadata={"n": 9}) == []
    assert client.threads.count(metadata={"n": 1}) == 1
    noted = client.threads.update(third, metadata={"n": 1})
    assert noted["metadata"] == {"n": 1, "who": {"name": "me"}}
    assert client.threads.update(third, metadata={"m": 1}, return_minimal=True) is None
    assert ids(client.threads.search(metadata={"n": 1})) == [third, second]
    assert ids(client.threads.search(ids=[first])) == [first]
    ordered = ids(client.threads.search(sort_by="thread_id", sort_order="asc"))
    assert ordered == sorted(ordered)
    assert ids(client.threads.search(limit=1, offset=1)) == ids(client.threads.search())[1:2]
    (short,) = client.threads.search(ids=[first], select=["thread_id", "status"])
    assert short == {"thread_id": first, "status": "idle"}


def test_a_thread_that_has_run_says_whose_it_is(studio: LiveStudio, client: Client) -> None:
    """As UIs look for their own threads; also those of the studio's own wire."""
    thread_id = new_thread(client)
    assert client.threads.search(metadata={"graph_id": ASSISTANT}) == []
    values = render(client, thread_id, "a cat")
    (found,) = client.threads.search(metadata={"graph_id": ASSISTANT}, status="idle")
    assert (found["thread_id"], found["values"]) == (thread_id, values)
    began = studio.chat("a city with ink", style="ask")[0].data
    (waiting,) = client.threads.search(status="interrupted")
    assert waiting["thread_id"] == began["thread_id"]
    assert waiting["metadata"]["assistant_id"] == client.assistants.get(ASSISTANT)["assistant_id"]
    assert client.threads.count(status="interrupted") == 1


def test_one_thread_speaks_both_wires(studio: LiveStudio, client: Client) -> None:
    """A question asked by one is answered by the other, and both show the same turns."""
    asked = studio.chat("a city with ink", style="ask")
    thread_id = asked[0].data["thread_id"]
    thread = client.threads.get(thread_id)
    ((question,),) = thread["interrupts"].values()
    assert question["id"] == only(asked, "interrupt")["id"]
    client.runs.wait(thread_id, ASSISTANT, command={"resume": {question["id"]: "ink"}})
    client.runs.wait(thread_id, ASSISTANT, input=said("a city of ink"), context={"style": "ask"})
    waiting = studio.thread(thread_id)
    assert waiting["messages"] == ["a city with ink", "a city of ink"]
    answer = studio.choose(thread_id, waiting["interrupt"]["id"])
    assert '{"status":"success"}' in answer.text
    summary = studio.thread(thread_id)
    assert [run["status"] for run in summary["runs"]] == [
        "interrupted",
        "success",
        "interrupted",
        "success",
    ]
    values = client.threads.get(thread_id)["values"]
    assert [m["type"] for m in values["messages"]] == ["human", "ai"] * 2
    shown = [m["content"][1]["url"] for m in values["messages"][1::2]]
    home = str(studio.http.base_url).rstrip("/")
    assert shown == [home + result["image_url"] for result in summary["results"]]


def test_history_goes_back_and_pages(client: Client) -> None:
    thread_id = new_thread(client)
    render(client, thread_id, "a cat")
    whole = client.threads.get_history(thread_id, limit=100)
    assert [state["metadata"]["step"] for state in whole] == list(range(len(whole) - 2, -2, -1))
    assert whole[0]["next"] == []
    assert whole[-1]["next"] == ["__start__"]
    for newer, older in pairwise(whole):
        assert newer["parent_checkpoint"] == older["checkpoint"]
    (first,) = client.threads.get_history(thread_id, limit=1)
    assert first == whole[0]
    before: Any = whole[2]["checkpoint"]
    assert client.threads.get_history(thread_id, limit=2, before=before) == whole[3:5]
    as_javascript_says_it: Any = {"configurable": before}
    assert client.threads.get_history(thread_id, before=as_javascript_says_it) == whole[3:13]
    assert client.threads.get_history(thread_id, checkpoint=before) == [whole[2]]
    assert client.threads.get_history(thread_id, metadata={"step": 0}) == [whole[-2]]
    place = whole[3]["checkpoint"]
    for state in (
        state_of(client, thread_id, checkpoint=place),
        state_of(client, thread_id, checkpoint_id=place["checkpoint_id"]),
    ):
        assert state["values"] == whole[3]["values"]
        assert state["next"] == whole[3]["next"]


def checkpoint_before(client: Client, thread_id: str, node: str) -> Any:
    """The newest checkpoint from which `node` comes next."""
    history = client.threads.get_history(thread_id, limit=100)
    return next(state["checkpoint"] for state in history if state["next"] == [node])


def test_a_run_is_done_again_from_a_checkpoint(client: Client) -> None:
    thread_id = new_thread(client)
    first = render(client, thread_id, "a cat", style="neon")
    place = checkpoint_before(client, thread_id, "generate_image")
    again = client.runs.wait(thread_id, ASSISTANT, checkpoint=place)
    assert again["attempts"] == first["attempts"]
    changed = client.runs.wait(
        thread_id,
        ASSISTANT,
        command={"update": {"seed": 4, "styles": [{"style": "ink"}, {"style": "deco"}]}},
        checkpoint_id=place["checkpoint_id"],
    )
    assert changed["styles"] == [
        {"style": "ink", "weight": 0.5},
        {"style": "deco", "weight": 0.5},
    ]
    assert changed["attempts"][0]["seed"] == 4
    assert changed["attempts"][0]["image"] != first["attempts"][0]["image"]
    assert [m["id"] for m in changed["messages"]] == ["turn-1-human", "turn-1-ai"]
    later = client.runs.wait(thread_id, ASSISTANT, command={"update": {"seed": 5}})
    assert (later["attempts"][0]["seed"], later["styles"]) == (5, changed["styles"])
    assert [m["id"] for m in later["messages"]] == ["turn-1-human", "turn-1-ai"]
    for nothing in ({}, {"command": {"update": {"message": "a dog"}}}):
        with pytest.raises(UnprocessableEntityError, match="nothing to go on with"):
            client.runs.create(thread_id, ASSISTANT, **nothing)


def test_another_message_is_sent_from_a_checkpoint(client: Client) -> None:
    """What was said after it is no longer on the thread's line, but in its history."""
    thread_id = new_thread(client)
    render(client, thread_id, "a cat")
    end = state_of(client, thread_id)["checkpoint"]
    render(client, thread_id, "with a hat")
    values = client.runs.wait(
        thread_id, ASSISTANT, input=said("with a scarf"), context=QUICK, checkpoint=end
    )
    texts = [m["content"] for m in values["messages"] if m["type"] == "human"]
    assert texts == ["a cat", "with a scarf"]
    assert state_of(client, thread_id)["values"] == values


def test_the_state_is_changed_and_the_thread_goes_on(client: Client) -> None:
    thread_id = new_thread(client)
    render(client, thread_id, "a city with ink", style="ask")
    made = client.threads.update_state(
        thread_id,
        {"styles": [{"style": "deco"}], "message": "a golden city", "seed": None, "steps": None},
        as_node="choose_style",
    )
    state = state_of(client, thread_id)
    assert state["checkpoint"] == made["checkpoint"]
    assert (state["next"], state["interrupts"]) == (["extract_edges"], [])
    assert client.threads.get(thread_id)["status"] == "idle"  # nobody waits for an answer now
    values = client.runs.wait(thread_id, ASSISTANT, input=None)
    assert values["styles"] == [{"style": "deco", "weight": 1.0}]
    assert [m["type"] for m in values["messages"]] == ["human", "ai"]
    assert values["messages"][0]["content"] == "a golden city"


def test_the_state_is_changed_at_every_checkpoint(client: Client) -> None:
    """Also at the newest one when it is named: LangGraph wants its namespace then."""
    thread_id = new_thread(client)
    render(client, thread_id, "a city with ink", style="ask")
    places = client.threads.get_history(thread_id, limit=100)
    for place in places[:-1]:
        for values in ({}, {"seed": 4}):
            made = client.threads.update_state(
                thread_id, values, checkpoint_id=place["checkpoint_id"]
            )
            state = state_of(client, thread_id)
            assert state["checkpoint"] == made["checkpoint"]
            assert state["next"] == place["next"]


IMPOSSIBLE: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"turn": 7}, {}, "unknown_field"),
    ({"attempts": []}, {}, "unknown_field"),
    ({"style": "nope"}, {}, "unknown_style"),
    ({"styles": [{"style": "nope"}]}, {}, "unknown_style"),
    ({"steps": 10**6}, {}, "invalid_steps"),
    ({"size": 72000}, {}, "invalid_size"),
    ({"profile": "nope"}, {}, "unknown_profile"),
    ({"sketch": "f" * 64}, {}, "unknown_artifact"),
    ({"message": ""}, {}, "invalid_message"),
    ({"seed": -1}, {}, "invalid_seed"),
    ({"seed": 1}, {"as_node": "nope"}, "unknown_node"),
    ({"seed": 1}, {"as_node": "__start__"}, "unknown_node"),
    ({"seed": 1}, {"as_node": "generate_image"}, "node_not_reached"),
    ({"seed": 1}, {"as_node": "critique"}, "node_not_reached"),
]


def test_a_change_that_no_node_could_have_made_is_refused(client: Client) -> None:
    thread_id = new_thread(client)
    with pytest.raises(UnprocessableEntityError, match="nothing to change"):
        client.threads.update_state(thread_id, {"seed": 1})
    render(client, thread_id, "a city with ink", style="ask")
    before = state_of(client, thread_id)
    for values, more, code in IMPOSSIBLE:
        with pytest.raises(UnprocessableEntityError) as refusal:
            client.threads.update_state(thread_id, values, **more)
        assert refusal.value.code == code, values
    assert state_of(client, thread_id) == before
    assert client.threads.get(thread_id)["status"] == "interrupted"


def test_a_busy_thread_is_not_changed_nor_copied(context: Context) -> None:
    with held(context) as (studio, engine), sdk(studio) as client:
        thread_id = new_thread(client)
        client.runs.create(thread_id, ASSISTANT, input=said("a cat"), context=QUICK)
        until(lambda: engine.requests)
        with pytest.raises(ConflictError):
            client.threads.update_state(thread_id, {"seed": 1})
        with pytest.raises(ConflictError):
            client.runs.create(thread_id, ASSISTANT, input=None)
        with pytest.raises(ConflictError):
            client.threads.copy(thread_id)
        assert len(client.threads.search()) == 1


def test_a_copy_goes_its_own_way(studio: LiveStudio, client: Client) -> None:
    """With its past, its open question and its runs, on both wires."""
    thread_id = new_thread(client)
    render(client, thread_id, "a cat")
    render(client, thread_id, "a city with ink", style="ask")
    client.threads.update(thread_id, metadata={"n": 1})
    copied = client.threads.copy(thread_id)
    fresh = copied["thread_id"]
    assert fresh != thread_id
    assert (copied["status"], copied["metadata"]["n"]) == ("interrupted", 1)
    own, other = (client.threads.get_history(each, limit=100) for each in (thread_id, fresh))
    assert [state["values"] for state in own] == [state["values"] for state in other]
    own_runs, runs = client.runs.list(thread_id), client.runs.list(fresh)
    assert len(runs) == 2
    assert {run["run_id"] for run in runs}.isdisjoint(run["run_id"] for run in own_runs)
    assert {s["metadata"]["run_id"] for s in other} == {run["run_id"] for run in runs}
    parts = list(client.runs.join_stream(fresh, runs[0]["run_id"]))
    assert parts[0].data["run_id"] == runs[0]["run_id"]

    answered = client.runs.wait(fresh, ASSISTANT, command={"resume": "ink"})
    assert len(answered["messages"]) == 4
    assert client.threads.get(thread_id)["status"] == "interrupted"
    assert len(studio.thread(fresh)["results"]) == 2
    assert len(studio.thread(thread_id)["results"]) == 1


def test_a_thread_is_deleted(client: Client) -> None:
    thread_id = new_thread(client)
    values = render(client, thread_id, "a cat")
    assert client.threads.delete(thread_id) is None
    with pytest.raises(NotFoundError):
        client.threads.get(thread_id)
    made = client.threads.create(thread_id=thread_id)
    assert made["values"] is None
    assert values["messages"]


def test_unknown_places_are_not_found(client: Client) -> None:
    thread_id = new_thread(client)
    render(client, thread_id, "a cat")
    other: Any = {"checkpoint_id": "1f000000-0000-6000-8000-000000000000", "checkpoint_ns": ""}
    calls: list[Callable[[], Any]] = [
        lambda: state_of(client, thread_id, checkpoint=other),
        lambda: state_of(client, thread_id, checkpoint_id="nope"),
        lambda: client.runs.create(thread_id, ASSISTANT, input=said("x"), checkpoint=other),
        lambda: client.runs.create(thread_id, ASSISTANT, checkpoint_id="nope"),
        lambda: client.threads.update_state(thread_id, {"seed": 1}, checkpoint=other),
    ]
    for call in calls:
        with pytest.raises(NotFoundError) as refusal:
            call()
        assert refusal.value.code == "unknown_checkpoint"
    unknown = str(uuid.uuid4())
    calls = [
        lambda: client.threads.get(unknown),
        lambda: client.threads.get_state(unknown),
        lambda: client.threads.get_history(unknown),
        lambda: client.threads.update(unknown, metadata={}),
        lambda: client.threads.update_state(unknown, {}),
        lambda: client.threads.copy(unknown),
        lambda: client.runs.list(unknown),
        lambda: client.runs.create(unknown, ASSISTANT, input=said("a cat")),
    ]
    for call in calls:
        with pytest.raises(NotFoundError) as refusal:
            call()
        assert refusal.value.code == "unknown_thread"
    assert len(client.runs.list(thread_id)) == 1
