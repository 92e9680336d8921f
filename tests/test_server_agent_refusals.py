"""Bad input on the addresses of the protocol: a problem+json with its own code, and nothing has happened."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from agent_sdk import ASSISTANT, Client, said, sdk
from live_server import LiveStudio, problem, serving

from graph.context import Context

JSON = {"Content-Type": "application/json"}
RUN = {"assistant_id": ASSISTANT, "input": said("a cat"), "context": {"style": "none"}}


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


@pytest.fixture
def client(studio: LiveStudio) -> Iterator[Client]:
    with sdk(studio) as client:
        yield client


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "no assistant": ({"assistant_id": None}, "invalid_assistant_id"),
    "unknown assistant": ({"assistant_id": "other"}, "unknown_assistant"),
    "assistant of another type": ({"assistant_id": {"a": 1}}, "invalid_assistant_id"),
    "input of another type": ({"input": 7}, "invalid_input"),
    "no input": ({"input": None}, "invalid_input"),
    "unknown mode": ({"stream_mode": "everything"}, "unsupported_stream_mode"),
    "checkpoints mode": ({"stream_mode": ["values", "checkpoints"]}, "unsupported_stream_mode"),
    "mode of another type": ({"stream_mode": {"a": 1}}, "invalid_stream_mode"),
    "unknown strategy": ({"multitask_strategy": "hope"}, "invalid_multitask_strategy"),
    "unknown if_not_exists": ({"if_not_exists": "x"}, "invalid_if_not_exists"),
    "unknown on_disconnect": ({"on_disconnect": "x"}, "invalid_on_disconnect"),
    "webhook": ({"webhook": "http://127.0.0.1:1/"}, "unsupported"),
    "later": ({"after_seconds": 5}, "unsupported"),
    "feedback": ({"feedback_keys": ["good"]}, "unsupported"),
    "static interrupts": ({"interrupt_before": "*"}, "unsupported"),
    "more static interrupts": ({"interrupt_after": ["begin"]}, "unsupported"),
    "goto": ({"input": None, "command": {"goto": "critique"}}, "unsupported"),
    "both": ({"command": {"resume": "ink", "update": {"seed": 1}}}, "unsupported"),
    "command of another type": ({"command": "resume"}, "invalid_command"),
    "context of another type": ({"context": [1]}, "invalid_context"),
    "unknown wish": ({"context": {"styel": "ink"}}, "unknown_field"),
    "wish of another type": ({"context": {"steps": "many"}}, "invalid_steps"),
    "config of another type": ({"config": 7}, "invalid_config"),
    "configurable of another type": ({"config": {"configurable": [1]}}, "invalid_config"),
    "too much config": ({"config": {"tags": ["x" * 70_000]}}, "invalid_config"),
    "too much metadata": ({"metadata": {"a": "x" * 70_000}}, "invalid_metadata"),
    "deep metadata": ({"metadata": nested(40)}, "invalid_body"),
    "half a character": ({"metadata": {"a": "\ud800"}}, "invalid_body"),
    "half a character in a name": ({"context": {"\udfff": 1}}, "invalid_body"),
    "checkpoint of another graph": (
        {"checkpoint": {"checkpoint_id": "1", "checkpoint_ns": "sub"}},
        "invalid_checkpoint",
    ),
}


def test_a_run_that_cannot_be_is_refused(studio: LiveStudio, client: Client) -> None:
    thread_id = client.threads.create()["thread_id"]
    for kind in ("/stream", "/wait", ""):
        for name, (wrong, code) in BODIES.items():
            url = f"/threads/{thread_id}/runs{kind}"
            body: Any = {key: value for key, value in {**RUN, **wrong}.items() if value is not None}
            answer = studio.http.post(url, content=json.dumps(body), headers=JSON)
            assert answer.json()["code"] == code, (name, answer.text)
            problem(answer, 422, code)
    assert client.runs.list(thread_id) == []
    assert studio.http.post("/runs", json={**RUN, "on_completion": "delete"}).status_code == 422
    assert studio.http.post("/runs", json={**RUN, "input": None}).status_code == 422
    resumed = {**RUN, "input": None, "command": {"resume": "ink"}}
    problem(studio.http.post(f"/threads/{thread_id}/runs", json=resumed), 409, "no_question")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b'{"assistant_id": "artisan", "input": {"message": NaN}}',
        b'{"assistant_id": "artisan", "metadata": {"a": -Infinity}}',
        b'{"assistant_id": "artisan", "metadata": {"a": ' + b"[" * 100_000 + b"}}",
        b'{"assistant_id": "artisan", "metadata": {"a": ' + b"1" * 5000 + b"}}",
        b"\xff\xfe",
    ],
)
def test_a_body_that_cannot_be_read_is_refused(studio: LiveStudio, body: bytes) -> None:
    for method, url in (
        ("POST", "/runs/stream"),
        ("POST", "/threads/search"),
        ("POST", "/threads/count"),
        ("PUT", "/store/items"),
        ("POST", "/threads/x/commands"),
        ("POST", "/assistants/search"),
    ):
        answer = studio.http.request(method, url, content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, (url, answer.text)
        assert isinstance(answer.json()["detail"], str)


def test_threads_that_cannot_be_are_refused(studio: LiveStudio, client: Client) -> None:
    for body, code in (
        ({"thread_id": "../../etc"}, "invalid_thread_id"),
        ({"thread_id": 7}, "invalid_thread_id"),
        ({"metadata": [1]}, "invalid_metadata"),
        ({"if_exists": "x"}, "invalid_if_exists"),
        ({"supersteps": [{}]}, "unsupported"),
        ({"ttl": 5}, "unsupported"),
    ):
        problem(studio.http.post("/threads", json=body), 422, code)
    for search, code in (
        ({"limit": 0}, "invalid_limit"),
        ({"limit": 10**9}, "invalid_limit"),
        ({"offset": -1}, "invalid_offset"),
        ({"status": "asleep"}, "invalid_status"),
        ({"sort_by": "beauty"}, "invalid_sort_by"),
        ({"values": {"turn": 1}}, "unsupported"),
        ({"extract": {"a": "b"}}, "unsupported"),
    ):
        problem(studio.http.post("/threads/search", json=search), 422, code)
    assert client.threads.search() == []
    unknown = {**RUN, "if_not_exists": "create"}
    problem(studio.http.post("/threads/x/runs", json=unknown), 422, "invalid_thread_id")
    thread_id = client.threads.create()["thread_id"]
    problem(studio.http.get(f"/threads/{thread_id}/history?limit=0"), 422, "invalid_limit")
    history = {"before": {"checkpoint_ns": "sub"}}
    problem(studio.http.post(f"/threads/{thread_id}/history", json=history), 422, "invalid_before")


def test_a_place_in_a_stream_that_cannot_be_is_refused(studio: LiveStudio, client: Client) -> None:
    thread_id = client.threads.create()["thread_id"]
    client.runs.wait(thread_id, ASSISTANT, input=said("a cat"), context={"style": "none"})
    url = f"/threads/{thread_id}/runs/{client.runs.list(thread_id)[0]['run_id']}/stream"
    for last in ("999-1", "-2", "x", "1.5", "1-x", "9" * 5000):
        answer = studio.http.get(url, headers={"Last-Event-ID": last})
        problem(answer, 422, "invalid_last_event_id")
    problem(studio.http.get(f"{url}?stream_mode=noise"), 422, "unsupported_stream_mode")
    problem(studio.http.get(f"{url}?format=noise"), 422, "invalid_format")
    cancel = url.replace("/stream", "/cancel")
    problem(studio.http.post(f"{cancel}?action=hope"), 422, "invalid_action")
    problem(studio.http.post(f"{cancel}?wait=0&action=interrupt"), 404, "run_ended")


def test_what_is_not_served_says_so(studio: LiveStudio) -> None:
    for url in (
        "/runs/batch",
        "/runs/crons",
        "/runs/crons/search",
        "/threads/x/runs/crons",
        "/threads/prune",
    ):
        problem(studio.http.post(url, json={}), 422, "unsupported")
    for method, url in (("DELETE", "/assistants/artisan"), ("PATCH", "/assistants/artisan")):
        problem(studio.http.request(method, url), 405, "method_not_allowed")
    problem(studio.http.post("/runs/cancel", json={}), 422, "invalid_run_ids")
    problem(studio.http.post("/runs/cancel", json={"status": "all"}), 404, "run_ended")
    assert studio.http.get("/ok").json() == {"ok": True}
    assert studio.http.get("/info").json()["flags"]["assistants"] is True


def test_the_page_of_the_interface_shows_the_protocol(studio: LiveStudio) -> None:
    page = studio.http.get("/api/docs")
    assert page.status_code == 200
    assert "/threads/{thread_id}/stream/events" in page.text
