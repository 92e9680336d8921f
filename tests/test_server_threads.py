"""Watching a run again: from any event, after a crash, and by ids that are wrong."""

import signal
import uuid
from pathlib import Path

import httpx2
import pytest
from chaos import MortalStudio
from live_server import Event, held, only, problem, run_url, serving

from graph.context import Context
from server.sse import RETRY_MS


def test_a_run_is_replayed_from_any_event(context: Context) -> None:
    with serving(context) as studio:
        events = studio.chat("neon city at dusk")
        metadata = events[0].data
        assert studio.replay(metadata) == events
        assert studio.replay(metadata, after=0) == events
        for after in (1, 5, len(events) - 1):
            assert studio.replay(metadata, after) == events[after:]
        done = studio.http.get(
            f"{run_url(metadata)}/stream", headers={"Last-Event-ID": str(len(events))}
        )
        assert (done.status_code, done.content) == (204, b"")


def test_a_run_is_picked_up_in_the_middle(context: Context) -> None:
    with held(context) as (studio, engine):
        seen: list[Event] = []
        with studio.chatting("neon city at dusk", style="none") as events:
            engine.gate.release(2)
            while sum(event.name == "progress" for event in seen) < 2:
                seen.append(next(events))
        metadata = seen[0].data
        url = f"{run_url(metadata)}/stream"
        headers = {"Last-Event-ID": str(seen[-1].id)}
        with studio.stream("GET", url, headers=headers) as events:
            engine.gate.release(100)
            rest = list(events)
        assert [event.id for event in [*seen, *rest]] == list(range(1, rest[-1].id + 1))
        assert rest[-1].name == "end"
        assert studio.replay(metadata) == [*seen, *rest]


def test_many_watch_one_run(context: Context) -> None:
    with (
        held(context) as (studio, engine),
        studio.chatting("neon city at dusk", style="none") as first,
    ):
        metadata = next(first).data
        with (
            studio.stream("GET", f"{run_url(metadata)}/stream") as second,
            studio.stream("GET", f"{run_url(metadata)}/stream?format=studio") as third,
        ):
            engine.gate.release(100)
            told = list(second)
            assert list(third) == told
        assert list(first) == told[1:]


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "999999", "9" * 5000, "1e1"])
def test_an_event_id_that_cannot_be_is_refused(context: Context, last: str) -> None:
    with serving(context) as studio:
        metadata = studio.chat("a neon city", style="none")[0].data
        answer = studio.http.get(f"{run_url(metadata)}/stream", headers={"Last-Event-ID": last})
        problem(answer, 422, "invalid_last_event_id")


def test_unknown_ids_are_not_found(context: Context) -> None:
    with serving(context) as studio:
        mine = studio.chat("a neon city", style="none")[0].data
        other = studio.chat("a neon city", style="none")[0].data
        for thread_id in (uuid.uuid4().hex, "x", "..%5C..%5Cetc", "%00", "a" * 5000):
            problem(studio.http.get(f"/threads/{thread_id}"), 404, "unknown_thread")
            url = f"/threads/{thread_id}/runs/{mine['run_id']}"
            problem(studio.http.get(f"{url}/stream"), 404, "unknown_thread")
            problem(studio.http.post(f"{url}/cancel"), 404, "unknown_thread")
        for run_id in (other["run_id"], uuid.uuid4().hex, "x"):
            url = f"/threads/{mine['thread_id']}/runs/{run_id}"
            problem(studio.http.get(f"{url}/stream"), 404, "unknown_run")
            problem(studio.http.post(f"{url}/cancel"), 404, "unknown_run")
        unknown = studio.http.get(f"{run_url(mine)}/stream", params={"format": "other"})
        problem(unknown, 422, "invalid_format")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_a_studio_that_is_stopped_leaves_no_stream_open(
    context: Context, tmp_path: Path, name: str
) -> None:
    """A reader is told when to come back, the process exits, and the next one goes on with the run."""
    log = tmp_path / "log"
    mortal = MortalStudio(context.settings.library, context.settings.data_dir, log)
    studio = mortal.start()
    seen: list[Event] = []
    try:
        with studio.chatting("a neon city", style="none", steps=60) as events:
            while sum(event.name == "progress" for event in seen) < 3:
                seen.append(next(events))
            mortal.send(signal.Signals[name])
            seen.extend(events)
    except httpx2.TransportError:
        assert name == "SIGKILL", log.read_text()
    else:
        assert seen.pop() == Event(seen[-1].id, "retry", {"retry_ms": RETRY_MS})
    assert seen[-1].name == "progress"
    assert mortal.wait() in (0, -signal.SIGTERM, -signal.SIGKILL), log.read_text()
    assert "Traceback" not in log.read_text()

    metadata = seen[0].data
    with serving(context) as studio:
        events = studio.replay(metadata, after=seen[-1].id)
        assert [event.id for event in events] == [
            seen[-1].id + number for number in range(1, len(events) + 1)
        ]
        assert [event.name for event in events][-2:] == ["result", "end"]
        assert [e.data["attempt"] for e in events if e.name == "metadata"] == [2]
        assert studio.replay(metadata)[: len(seen)] == seen
        thread_id = metadata["thread_id"]
        assert studio.thread(thread_id)["runs"][0]["status"] == "success"
        again = studio.chat("a neon city", thread_id=thread_id, style="none")
        assert only(again, "end") == {"status": "success"}


def test_a_question_outlives_the_server(context: Context) -> None:
    with serving(context) as studio:
        asked = studio.chat("a city with ink", style="ask")
    with serving(context) as studio:
        assert studio.replay(asked[0].data) == asked
        answer = studio.choose(
            asked[0].data["thread_id"], only(asked, "interrupt")["id"], {"style": "ink"}
        )
        assert '"style":"ink"' in answer.text
        assert '{"status":"success"}' in answer.text
