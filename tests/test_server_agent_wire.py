"""What a row of the log becomes in the protocol, and where a reader goes on."""

import json
from typing import Any

import pytest

from server.agent.values import messages, shown, shown_update
from server.agent.wire import Part, Place, Translator, read_place
from server.eventlog import Event, Run
from tools.errors import InvalidRequest

RUN = Run("thread", "run", "running", {}, "2026-01-01T00:00:00.000+00:00")
REPLY = {"turn": 1, "text": "Ink: your choice.", "image": "b" * 64, "width": 96, "height": 64}
HOME = "http://studio"
QUESTION = {"id": "q", "kind": "style_selection", "candidates": []}


def row(number: int, event: str, data: dict[str, Any], part: Any = None) -> Event:
    return Event(number, event, json.dumps(data), None if part is None else json.dumps(part))


def node(number: int, name: str, status: str, part: Any = None, text: str = "") -> Event:
    data = {"node": name, "status": status, "elapsed_ms": 1, "text": text}
    return row(number, "node", data, part)


PASS = [
    row(1, "metadata", {"run_id": "run", "thread_id": "thread", "attempt": 1}),
    row(2, "queue", {"position": 1, "eta_ms": 5}),
    node(3, "begin", "started", {"task": "t1", "values": {"message": "a cat", "style": "ask"}}),
    node(
        4,
        "begin",
        "finished",
        {"task": "t1", "update": {"turn": 1, "messages": ["a cat"], "sketches": ["a" * 64]}},
        "Message 1.",
    ),
    node(5, "critique", "started", {"task": "t2"}),
    node(6, "critique", "finished", {"task": "t2", "update": {"best": 0, "replies": [REPLY]}}),
    row(7, "end", {"status": "success"}),
]


def told(rows: list[Event], *modes: str) -> list[Part]:
    translator = Translator(RUN, HOME)
    return [part for each in rows for part in translator.tell(each) if part.mode in ("", *modes)]


def test_values_are_the_sum_of_all_updates() -> None:
    values = [part.data for part in told(PASS, "values") if part.event == "values"]
    assert values[0] == {"messages": [], "style": "ask"}
    assert [each.get("turn") for each in values] == [None, 1, 1]
    assert [len(each["messages"]) for each in values] == [0, 1, 2]
    assert values[-1]["best"] == 0
    assert all("message" not in each and "replies" not in each for each in values)


def test_an_update_carries_the_one_message_that_it_added() -> None:
    updates = [part.data for part in told(PASS, "updates") if part.event == "updates"]
    assert [list(each) for each in updates] == [["begin"], ["critique"]]
    (human,) = updates[0]["begin"]["messages"]
    (answer,) = updates[1]["critique"]["messages"]
    assert (human["type"], human["id"]) == ("human", "turn-1-human")
    assert human["content"][1] == {
        "type": "image",
        "url": f"{HOME}/artifacts/{'a' * 64}",
        "mime_type": "image/png",
    }
    assert (answer["type"], answer["id"]) == ("ai", "turn-1-ai")
    assert answer["content"][0] == {"type": "text", "text": "Ink: your choice."}


def test_the_answer_is_a_message_of_its_own_in_both_message_modes() -> None:
    (pair,) = [part for part in told(PASS, "messages-tuple") if part.event == "messages"]
    message, about = pair.data
    assert message["id"] == "turn-1-ai"
    assert about["langgraph_node"] == "critique"
    whole = [(part.event, part.data) for part in told(PASS, "messages")][1:-1]
    assert whole == [
        ("messages/metadata", {"turn-1-ai": {"metadata": about}}),
        ("messages/complete", [message]),
    ]


def test_every_stream_begins_with_metadata_and_ends_with_end() -> None:
    for mode in ("values", "tasks", "custom", "nothing"):
        parts = told(PASS, mode)
        assert parts[0] == Part("", "metadata", {"run_id": "run", "attempt": 1})
        assert parts[-1] == Part("", "end", {"run_id": "run", "status": "success"})


def test_tasks_and_custom_events() -> None:
    tasks = [part.data for part in told(PASS, "tasks")][1:-1]
    assert [(task["id"], task["name"], "result" in task) for task in tasks] == [
        ("t1", "begin", False),
        ("t1", "begin", True),
        ("t2", "critique", False),
        ("t2", "critique", True),
    ]
    custom = [part.data for part in told(PASS, "custom")][1:-1]
    assert custom == [
        {"type": "queue", "position": 1, "eta_ms": 5},
        {"type": "said", "node": "begin", "text": "Message 1."},
    ]


def test_a_run_taken_up_by_another_process_shows_its_values_again() -> None:
    again = row(5, "metadata", {"run_id": "run", "thread_id": "thread", "attempt": 2})
    state = {"turn": 1, "messages": ["a cat"]}
    rows = [*PASS[:4], again, node(6, "critique", "started", {"task": "t3", "values": state})]
    parts = told(rows, "values")
    assert [part.event for part in parts] == ["metadata", "values", "values", "metadata", "values"]
    assert parts[3].data["attempt"] == 2
    assert parts[-1].data == shown(state, HOME)


@pytest.mark.parametrize("part", [None, {"task": "t", "interrupts": None}])
def test_a_question_is_told_in_three_modes(part: Any) -> None:
    asked = {"id": "q", "value": {"kind": "style_selection", "candidates": []}}
    if part:
        part = {**part, "interrupts": [{**asked, "response_schema": {"type": "object"}}]}
    rows = [row(1, "interrupt", QUESTION, part), row(2, "end", {"status": "interrupted"})]
    parts = told(rows, "values", "updates", "tasks")
    assert [each.event for each in parts] == ["updates", "values", "tasks", "end"]
    (question,) = parts[0].data["__interrupt__"]
    assert parts[1].data["__interrupt__"] == [question]
    assert parts[2].data["interrupts"] == [question]
    assert question["id"] == "q"
    assert question["value"]["kind"] == "style_selection"
    assert question["value"]["action_requests"][0]["args"] == {"style_id": "none"}
    assert parts[3].data["status"] == "success"


def test_rows_from_before_there_were_parts_are_still_told() -> None:
    rows = [node(1, "begin", "started"), node(2, "begin", "finished")]
    assert [part.event for part in told(rows, "updates", "values", "tasks")] == [
        "tasks",
        "updates",
        "tasks",
        "values",
    ]
    assert told(rows, "updates")[0].data == {"begin": None}


def test_messages_keep_their_ids_and_a_sketch_stands_where_it_came() -> None:
    state = {
        "messages": ["old", "drawn", "same", "new"],
        "sketches": ["a" * 64, "a" * 64, "b" * 64],
        "replies": [{**REPLY, "turn": 2}, {**REPLY, "turn": 4}],
    }
    told_ones = messages(state, HOME)
    assert [message["id"] for message in told_ones] == [
        "turn-1-human",
        "turn-2-human",
        "turn-2-ai",
        "turn-3-human",
        "turn-4-human",
        "turn-4-ai",
    ]
    pictured = [m["id"] for m in told_ones if isinstance(m["content"], list)]
    assert pictured == ["turn-2-human", "turn-2-ai", "turn-4-human", "turn-4-ai"]
    assert messages({"messages": ["old"]}, HOME)[0]["content"] == "old"
    assert shown({}, HOME) == {}
    assert shown_update({}, HOME) is None


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        (None, Place(0, 0)),
        ("", Place(0, 0)),
        ("-1", Place(0, 0)),
        ("0", Place(0, 10**9)),
        ("3-2", Place(3, 2)),
        ("7", Place(7, 10**9)),
    ],
)
def test_a_reader_goes_on_behind_the_event_it_names(sent: str | None, place: Place) -> None:
    assert read_place(sent, 7) == place


@pytest.mark.parametrize("sent", ["8-1", "-2", "x", "1.5", "1-", "1-2-3", "9" * 5000, "１-1"])
def test_an_event_id_that_cannot_be_is_refused(sent: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_place(sent, 7)
    assert refusal.value.code == "invalid_last_event_id"
