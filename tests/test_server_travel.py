"""Going back on a thread: the same render again, and another one from the same moment."""

from typing import Any

import httpx2
import pytest
from live_server import Event, LiveStudio, only, png, problem, serving, transcript

from graph.context import Context
from graph.travel import ORDER, rewind

SAME = ("artifact_id", "seed", "styles", "prompt", "enhanced_prompt", "fidelity")


def moments(studio: LiveStudio, thread_id: str) -> dict[str | None, str]:
    """The newest checkpoint before each node; None: the end."""
    found = studio.http.get(f"/threads/{thread_id}/checkpoints").json()["checkpoints"]
    assert [m["created_at"] for m in found] == sorted(
        (m["created_at"] for m in found), reverse=True
    )
    return {m["next"]: m["checkpoint_id"] for m in reversed(found)}


def fork(studio: LiveStudio, thread_id: str, checkpoint_id: str, **changes: Any) -> list[Event]:
    answer = forking(studio, thread_id, checkpoint_id=checkpoint_id, **changes)
    assert answer.status_code == 200, answer.text
    return transcript(answer.text)


def forking(studio: LiveStudio, thread_id: str, **body: Any) -> httpx2.Response:
    return studio.http.post(f"/chat/{thread_id}/fork", json=body)


def test_a_render_is_made_again_from_every_moment(context: Context) -> None:
    with serving(context) as studio:
        first = studio.chat("a neon city", png(), style="none")
        thread_id, result = first[0].data["thread_id"], only(first, "result")
        places = moments(studio, thread_id)
        assert set(ORDER) < set(places)
        for node in ORDER:
            again = only(fork(studio, thread_id, places[node]), "result")
            assert [again[key] for key in SAME] == [result[key] for key in SAME]
        thread = studio.thread(thread_id)
        assert thread["messages"] == ["a neon city"]
        assert len(thread["results"]) == 1 + len(ORDER)
        assert moments(studio, thread_id).keys() == places.keys()


@pytest.mark.parametrize("node", [*ORDER[1:], None])
def test_another_style_from_any_moment(context: Context, node: str | None) -> None:
    with serving(context) as studio:
        first = studio.chat("a neon city", png(), style="none", seed=5)
        thread_id = first[0].data["thread_id"]
        events = fork(studio, thread_id, moments(studio, thread_id)[node], style="ink")
        result = only(events, "result")
        assert result["styles"] == [{"style": "ink", "weight": 1.0}]
        assert result["seed"] == 5
        assert result["artifact_id"] != only(first, "result")["artifact_id"]
        other = only(fork(studio, thread_id, moments(studio, thread_id)[None], seed=6), "result")
        assert (other["seed"], other["styles"]) == (6, result["styles"])


def test_a_fork_is_forked(context: Context) -> None:
    """LangGraph would take the change for one by `critique`, which ran last."""
    with serving(context) as studio:
        first = studio.chat("a neon city", style="none")
        thread_id = first[0].data["thread_id"]
        fork(studio, thread_id, moments(studio, thread_id)[None], seed=5)
        changed = moments(studio, thread_id)["generate_image"]
        again = fork(studio, thread_id, changed, steps=2)
        assert only(again, "result")["seed"] == 5
        assert sum(event.name == "progress" for event in again) == 2


def test_a_fork_may_ask(context: Context) -> None:
    with serving(context) as studio:
        first = studio.chat("a city with ink", style="none")
        thread_id = first[0].data["thread_id"]
        asked = only(
            fork(studio, thread_id, moments(studio, thread_id)[None], style="ask"), "interrupt"
        )
        assert asked["candidates"]
        answer = transcript(studio.choose(thread_id, asked["id"], {"style": "ink"}).text)
        assert only(answer, "result")["styles"] == [{"style": "ink", "weight": 1.0}]


def test_a_conversation_goes_on_from_the_fork(context: Context) -> None:
    with serving(context) as studio:
        first = studio.chat("a neon city", style="none")
        thread_id = first[0].data["thread_id"]
        end = moments(studio, thread_id)[None]
        studio.chat("with gold", thread_id=thread_id, style="none")
        fork(studio, thread_id, end, style="ink")
        last = studio.chat("at night", thread_id=thread_id, style="none")
        assert "gold" not in only(last, "result")["enhanced_prompt"]
        assert "neon" in only(last, "result")["enhanced_prompt"]


def test_what_is_wrong_is_said_before_anything_begins(context: Context) -> None:
    with serving(context) as studio:
        thread_id = studio.chat("a neon city", style="none")[0].data["thread_id"]
        end = moments(studio, thread_id)[None]
        other = studio.chat("a city", style="none")[0].data["thread_id"]
        runs = len(studio.thread(thread_id)["runs"])
        wrong: list[tuple[int, str, str, dict[str, Any]]] = [
            (404, "unknown_thread", "nowhere", {"checkpoint_id": end}),
            (404, "unknown_checkpoint", thread_id, {"checkpoint_id": "nothing"}),
            (422, "invalid_checkpoint_id", thread_id, {"checkpoint_id": ""}),
            (404, "unknown_checkpoint", other, {"checkpoint_id": end, "style": "ink"}),
            (422, "nothing_follows", thread_id, {"checkpoint_id": end}),
            (422, "unknown_style", thread_id, {"checkpoint_id": end, "style": "vanished"}),
            (422, "invalid_steps", thread_id, {"checkpoint_id": end, "steps": 10_000}),
            (422, "invalid_size", thread_id, {"checkpoint_id": end, "size": 4096}),
            (422, "invalid_seed", thread_id, {"checkpoint_id": end, "seed": -1}),
            (422, "unknown_field", thread_id, {"checkpoint_id": end, "mood": "dark"}),
            (422, "invalid_checkpoint_id", thread_id, {}),
        ]
        for status, code, address, body in wrong:
            problem(forking(studio, address, **body), status, code)
        assert len(studio.thread(thread_id)["runs"]) == runs
        problem(studio.http.get("/threads/nowhere/checkpoints"), 404, "unknown_thread")


def test_what_changes_is_read_by_the_first_node_that_reads_it() -> None:
    untried = {"attempts": [], "best": 0, "retry": False}
    assert rewind({"style": "ink"}, ["begin"]) == ({"style": "ink"}, None)
    assert rewind({"style": "ink"}, ["retrieve_styles"]) == ({"style": "ink"}, "enhance_prompt")
    assert rewind({"style": "ink"}, ["critique"]) == ({**untried, "style": "ink"}, "enhance_prompt")
    assert rewind({"seed": 1, "style": ""}, [])[1] == "enhance_prompt"
    assert rewind({"seed": 1}, ["critique"]) == ({**untried, "seed": 1}, "extract_edges")
    assert rewind({"size": 64}, []) == ({**untried, "size": 64}, "choose_style")
    assert rewind({"messages": []}, []) == ({"messages": []}, "critique")
