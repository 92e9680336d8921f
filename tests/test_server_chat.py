"""What a conversation looks like on the wire."""

import threading
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise

import pytest
from conftest import NODES
from live_server import (
    BrokenEngine,
    LiveStudio,
    held,
    only,
    png,
    problem,
    run_url,
    serving,
    transcript,
    until,
    with_engine,
)
from PIL import Image

from graph.context import Context
from tools.errors import WeightsMissing


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


def test_a_sketch_and_a_sentence_become_a_render(studio: LiveStudio) -> None:
    events = studio.chat("neon city at dusk", png(), style="auto", seed=7)

    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [events[0].name, *(e.name for e in events[-2:])] == ["metadata", "result", "end"]
    metadata = events[0].data
    assert metadata["attempt"] == 1
    assert only(events, "end") == {"status": "success"}

    nodes = [event.data for event in events if event.name == "node"]
    assert [n["node"] for n in nodes if n["status"] == "started"] == NODES
    assert [n["node"] for n in nodes if n["status"] == "finished"] == NODES
    assert all(n["text"] and n["elapsed_ms"] >= 0 for n in nodes if n["status"] == "finished")
    by_node = {n["node"]: n["text"] for n in nodes if n["status"] == "finished"}
    assert "neon" in by_node["choose_style"].lower()

    steps = [event.data for event in events if event.name == "progress"]
    assert [s["step"] for s in steps] == list(range(1, 7))
    assert {s["total"] for s in steps} == {6}
    assert {s["node"] for s in steps} == {"generate_image"}
    assert all(isinstance(s["eta_ms"], int) and s["eta_ms"] >= 0 for s in steps)
    assert steps[-1]["eta_ms"] == 0
    previews = [s["preview_url"] for s in steps if s["preview_url"]]
    assert 1 <= len(previews) < len(steps)
    assert studio.http.get(previews[0]).headers["content-type"] == "image/png"

    result = only(events, "result")
    assert result["prompt"] == "neon city at dusk"
    assert result["styles"] == [{"style": "neon", "weight": 1.0}]
    assert "neon" in result["enhanced_prompt"]
    assert result["seed"] == 7
    assert result["profile"] == "starter"
    assert (result["width"], result["height"]) == (96, 64)
    assert set(result["fidelity"]) == {"geometry", "invented", "style", "palette", "text"}
    assert result["elapsed_ms"] >= 0
    assert result["image_url"] == f"/artifacts/{result['artifact_id']}"
    assert studio.http.get(result["image_url"]).content.startswith(b"\x89PNG")


def test_the_first_event_does_not_wait_for_the_render(context: Context) -> None:
    with held(context) as (studio, _), studio.chatting("neon city at dusk") as events:
        first = next(events)
        assert first.name == "metadata"
        assert studio.thread(first.data["thread_id"])["status"] == "busy"


def test_a_silent_render_keeps_its_stream_alive(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.sse.PING_S", 0.05)
    with (
        held(context) as (studio, _),
        studio.http.stream("POST", "/chat", data={"message": "a neon city"}) as response,
    ):
        comments = (line for line in response.iter_lines() if line.startswith(":"))
        assert "ping" in next(comments)


def test_without_seed_each_message_has_its_own(studio: LiveStudio) -> None:
    seeds = {only(studio.chat("a neon city", style="none"), "result")["seed"] for _ in range(3)}
    assert len(seeds) == 3
    assert all(0 <= seed <= 2**53 - 1 for seed in seeds), "JavaScript reads no larger number"


def test_the_largest_seed_is_taken(studio: LiveStudio) -> None:
    events = studio.chat("a neon city", style="none", seed=2**63 - 1)
    assert only(events, "result")["seed"] == 2**63 - 1


def test_steps_and_size_are_obeyed(studio: LiveStudio) -> None:
    events = studio.chat("a neon city", style="none", steps=3, size=64)
    assert only(events, "result")["width"] == 64
    assert [e.data["total"] for e in events if e.name == "progress"] == [3, 3, 3]


def test_several_styles_are_blended(studio: LiveStudio) -> None:
    events = studio.chat("a house", style="neon:3,ink:1")
    assert only(events, "result")["styles"] == [
        {"style": "neon", "weight": 0.75},
        {"style": "ink", "weight": 0.25},
    ]


def test_a_message_of_several_lines_is_taken(studio: LiveStudio) -> None:
    events = studio.chat("a house\r\n\tby the sea", style="none")
    assert only(events, "result")["prompt"] == "a house\n\tby the sea"


def test_every_event_is_one_line_of_data(studio: LiveStudio) -> None:
    odd = "a house\nby\u2028the\u2029sea\u0085 日本"
    text = studio.http.post(
        "/chat", data={"message": odd.replace("\u0085", ""), "style": "none"}
    ).text
    lines = [line for line in text.split("\n") if line.startswith("data: ")]
    assert len(lines) == len(transcript(text))
    assert len(text.splitlines()) == len(text.split("\n")) - 1


def test_a_follow_up_uses_the_sketch_and_style_of_its_thread(studio: LiveStudio) -> None:
    first = studio.chat("neon city", png(), style="neon")
    thread_id = first[0].data["thread_id"]
    second = studio.chat("warmer, at night", thread_id=thread_id)

    assert second[0].data["thread_id"] == thread_id
    assert second[0].data["run_id"] != first[0].data["run_id"]
    result = only(second, "result")
    assert result["fidelity"]["geometry"] is not None
    assert (result["width"], result["height"]) == (96, 64)
    assert result["styles"] == [{"style": "neon", "weight": 1.0}]
    summary = studio.thread(thread_id)
    assert summary["messages"] == ["neon city", "warmer, at night"]
    assert summary["status"] == "idle"
    assert [run["status"] for run in summary["runs"]] == ["success", "success"]
    assert [r["artifact_id"] for r in summary["results"]] == [
        only(first, "result")["artifact_id"],
        result["artifact_id"],
    ]


def test_without_a_sketch_the_words_alone_decide(studio: LiveStudio) -> None:
    result = only(studio.chat("a neon city", style="none"), "result")
    assert result["fidelity"]["geometry"] is None
    assert result["styles"] == []


def test_the_studio_asks_and_goes_on_with_the_answer(studio: LiveStudio) -> None:
    asked = studio.chat("a city with ink", png(), style="ask")
    assert [event.name for event in asked[-2:]] == ["interrupt", "end"]
    assert only(asked, "end") == {"status": "interrupted"}
    question = only(asked, "interrupt")
    assert question["kind"] == "style_selection"
    assert {"neon", "ink"} == {c["style"] for c in question["candidates"]}
    fields = {"style", "name", "score", "band", "reason", "image_url"}
    assert all(set(candidate) == fields for candidate in question["candidates"])
    thread_id = asked[0].data["thread_id"]
    summary = studio.thread(thread_id)
    assert (summary["status"], summary["interrupt"]) == ("interrupted", question)

    answer = studio.choose(thread_id, question["id"], {"style": "ink", "weight": 2})
    assert answer.status_code == 200
    events = transcript(answer.text)
    assert events[0].data["thread_id"] == thread_id
    assert events[0].data["run_id"] != asked[0].data["run_id"]
    assert [events[0].name, *(e.name for e in events[-2:])] == ["metadata", "result", "end"]
    started = [e.data["node"] for e in events if e.name == "node" and e.data["status"] == "started"]
    assert started == NODES[3:]
    result = only(events, "result")
    assert result["styles"] == [{"style": "ink", "weight": 1.0}]
    assert result["prompt"] == "a city with ink"
    summary = studio.thread(thread_id)
    assert (summary["status"], summary["interrupt"]) == ("idle", None)
    assert [run["message"] for run in summary["runs"]] == ["a city with ink", None]


def test_no_style_is_an_answer(studio: LiveStudio) -> None:
    asked = studio.chat("a city with ink", style="ask")
    answer = studio.choose(asked[0].data["thread_id"], only(asked, "interrupt")["id"])
    assert only(transcript(answer.text), "result")["styles"] == []


def test_a_new_message_drops_the_question(studio: LiveStudio) -> None:
    asked = studio.chat("a city with ink", style="ask")
    thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")

    events = studio.chat("a gold lobby", thread_id=thread_id, style="auto")
    assert only(events, "result")["styles"] == [{"style": "deco", "weight": 1.0}]
    late = studio.choose(thread_id, question["id"], {"style": "ink"})
    problem(late, 409, "stale_choice")
    assert studio.thread(thread_id)["messages"] == ["a city with ink", "a gold lobby"]


def test_an_answer_counts_once(studio: LiveStudio) -> None:
    asked = studio.chat("a city with ink", style="ask")
    thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")
    assert studio.choose(thread_id, question["id"], {"style": "ink"}).status_code == 200
    problem(studio.choose(thread_id, question["id"], {"style": "neon"}), 409, "stale_choice")
    problem(studio.choose(thread_id, "0" * 32, {"style": "neon"}), 409, "no_question")
    assert len(studio.thread(thread_id)["results"]) == 1


def test_of_two_answers_at_once_one_wins(studio: LiveStudio) -> None:
    asked = studio.chat("a city with ink", style="ask")
    thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")
    ready, answers = threading.Barrier(2), []

    def answer(style: str) -> None:
        ready.wait()
        answers.append(studio.choose(thread_id, question["id"], {"style": style}))

    rivals = [threading.Thread(target=answer, args=(style,)) for style in ("ink", "neon")]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    won, lost = sorted(answers, key=lambda response: response.status_code)
    assert won.status_code == 200
    problem(lost, 409, "stale_choice")
    assert len(studio.thread(thread_id)["results"]) == 1


def test_a_thread_renders_one_message_at_a_time(context: Context) -> None:
    with held(context) as (studio, engine):
        with studio.chatting("a neon city", style="none") as events:
            metadata = next(events).data
            another = {
                "message": "another",
                "thread_id": metadata["thread_id"],
                "multitask_strategy": "reject",
            }
            busy = studio.http.post("/chat", data=another)
            problem(busy, 409, "thread_busy")
            engine.gate.release(100)
            assert list(events)[-1].data == {"status": "success"}
        assert studio.thread(metadata["thread_id"])["messages"] == ["a neon city"]
        studio.chat("another", thread_id=metadata["thread_id"], style="none")


def test_of_two_messages_at_once_one_is_refused(context: Context) -> None:
    with held(context) as (studio, engine):
        engine.gate.release(100)
        thread_id = studio.chat("a neon city", style="none")[0].data["thread_id"]
        while engine.gate.acquire(blocking=False):
            pass
        ready, answers = threading.Barrier(2), []

        def send() -> None:
            ready.wait()
            data = {"message": "again", "thread_id": thread_id, "style": "none"}
            data["multitask_strategy"] = "reject"
            with studio.http.stream("POST", "/chat", data=data) as response:
                answers.append(response.status_code)

        rivals = [threading.Thread(target=send) for _ in range(2)]
        for rival in rivals:
            rival.start()
        for rival in rivals:
            rival.join()
        assert sorted(answers) == [200, 409]


def test_a_full_studio_says_when_to_come_back(context: Context) -> None:
    with held(context, runs_max=2) as (studio, engine):
        threads = []
        for _ in range(2):
            with studio.chatting("a neon city", style="none") as events:
                threads.append(next(events).data["thread_id"])
        full = studio.http.post("/chat", data={"message": "a third"})
        assert problem(full, 503, "engine_busy")["retryable"] is True
        assert int(full.headers["retry-after"]) > 0
        engine.gate.release(100)
        until(lambda: all(studio.thread(t)["status"] == "idle" for t in threads))
        assert only(studio.chat("a third", style="none"), "end") == {"status": "success"}


def test_a_reader_that_leaves_stops_nothing(context: Context) -> None:
    with held(context) as (studio, engine):
        with studio.chatting("a neon city", png(), style="none") as events:
            metadata = next(events).data
        engine.gate.release(100)
        until(lambda: studio.thread(metadata["thread_id"])["status"] == "idle")
        events = studio.replay(metadata)
        assert [event.name for event in events[-2:]] == ["result", "end"]


def test_cancelling_stops_the_render(context: Context) -> None:
    with held(context) as (studio, engine):
        with studio.chatting("a neon city", style="none") as events:
            metadata = next(events).data
            engine.gate.release()
            while next(events).name != "progress":
                pass
            answer = studio.http.post(f"{run_url(metadata)}/cancel")
            assert (answer.status_code, answer.json()["status"]) == (202, "cancelling")
            engine.gate.release()
            rest = list(events)
        assert [event.name for event in rest] == ["end"]
        assert rest[0].data == {"status": "cancelled"}
        again = studio.http.post(f"{run_url(metadata)}/cancel")
        assert (again.status_code, again.json()["status"]) == (202, "cancelled")
        assert studio.thread(metadata["thread_id"])["runs"][0]["status"] == "cancelled"

        engine.gate.release(100)
        events = studio.chat("a gold lobby", thread_id=metadata["thread_id"], style="none")
        assert only(events, "end") == {"status": "success"}


def test_the_fault_of_an_engine_has_its_code(context: Context) -> None:
    engine = BrokenEngine(error=WeightsMissing("Run: ./artisan models pull sd15"))
    with serving(with_engine(context, engine)) as studio:
        events = studio.chat("a neon city", style="none")
        assert [event.name for event in events[-2:]] == ["error", "end"]
        assert only(events, "error") == {
            "code": "weights_missing",
            "message": "Run: ./artisan models pull sd15",
            "retryable": False,
        }
        assert only(events, "end") == {"status": "error"}
        assert studio.thread(events[0].data["thread_id"])["status"] == "error"


def test_what_nobody_foresaw_is_logged_not_told(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(with_engine(context, BrokenEngine())) as studio:
        events = studio.chat("a neon city", style="none")
    assert only(events, "error")["code"] == "internal"
    assert "secret" not in str(events)
    assert "secret of the house" in caplog.text


def test_a_blank_sheet_is_said_to_be_one(studio: LiveStudio) -> None:
    sheet = BytesIO()
    Image.new("RGB", (64, 64), "white").save(sheet, "PNG")
    events = studio.chat("a neon city", sheet.getvalue(), style="none")
    assert only(events, "error")["code"] == "blank_sketch"
    assert only(events, "end") == {"status": "error"}


def test_ids_never_skip_or_turn_back(studio: LiveStudio) -> None:
    events = studio.chat("neon city at dusk", png())
    assert all(after.id == before.id + 1 for before, after in pairwise(events))


def test_a_message_sent_again_with_its_key_is_the_same_run(context: Context) -> None:
    again = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    with serving(context) as studio:
        first = studio.chat("a neon city", png(), headers=again, style="none")
        assert studio.chat("a neon city", png(), headers=again, style="none") == first
        other = studio.chat("a neon city", png(), headers={"Idempotency-Key": "x"}, style="none")
        assert other[0].data["run_id"] != first[0].data["run_id"]
        for change in ({"style": "auto"}, {"seed": 3}, {"thread_id": first[0].data["thread_id"]}):
            files = {
                name: (None, str(value))
                for name, value in {"message": "a neon city", "style": "none", **change}.items()
            }
            answer = studio.http.post("/chat", files=files, headers=again)
            problem(answer, 409, "idempotency_mismatch")
        for bad in ("", "k" * 201):
            answer = studio.http.post("/chat", files=files, headers={"Idempotency-Key": bad})
            assert answer.status_code == 422
    with serving(context) as studio:
        assert studio.chat("a neon city", png(), headers=again, style="none") == first
        assert len(studio.thread(first[0].data["thread_id"])["runs"]) == 1


def test_an_answer_sent_again_with_its_key_is_the_same_run(context: Context) -> None:
    with held(context) as (studio, engine):
        asked = studio.chat("a city with ink", style="ask")
        thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")["id"]
        body = {"interrupt_id": question, "styles": [{"style": "ink"}]}
        url, key = f"/chat/{thread_id}/choice", {"Idempotency-Key": "k"}
        with (
            studio.stream("POST", url, json=body, headers=key) as one,
            studio.stream("POST", url, json=body, headers=key) as two,
        ):
            engine.gate.release(100)
            assert list(one) == list(two)
        assert len(engine.requests) == 1
        problem(studio.http.post(url, json=body), 409, "stale_choice")
        other = {"interrupt_id": question, "styles": []}
        problem(studio.http.post(url, json=other, headers=key), 409, "idempotency_mismatch")
