"""The graph end to end, on a real SQLite checkpointer and a painted engine."""

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from conftest import NODES, RULES, HashingEncoder, PaintedEngine, painted_step
from langgraph.checkpoint.serde.jsonplus import EXT_CONSTRUCTOR_POS_ARGS, JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.errors import is_invalid_resume
from langgraph.types import Command, Interrupt
from PIL import Image
from pydantic import ValidationError

from graph.build import (
    Graph,
    build_graph,
    make_graph,
    open_checkpointer,
    open_context,
)
from graph.context import Context, Studio
from graph.opening import opened_once
from graph.state import Request
from tools.errors import EngineBusy, EngineFailed, InvalidRequest, NotFound, WeightsMissing
from tools.imaging import ImageRequest, OnStep
from tools.lane import GpuLane
from tools.prompts import PromptBrief, PromptDraft

ROOT = Path(__file__).parent.parent
THREAD: Any = {"configurable": {"thread_id": "t"}}


def ask(message: str = "neon city at dusk", sketch: str | None = None, **more: Any) -> Request:
    """A request with the studio's defaults."""
    request: dict[str, Any] = {
        "message": message,
        "sketch": sketch,
        "style": "",
        "seed": 7,
        "steps": None,
        "size": None,
        "profile": "starter",
    }
    return Request(**{**request, **more})  # type: ignore[typeddict-item]


@dataclass
class Seen:
    """What a run streamed."""

    nodes: list[str] = field(default_factory=list)
    said: dict[str, list[str]] = field(default_factory=dict)
    progress: list[dict[str, Any]] = field(default_factory=list)
    interrupts: list[Interrupt] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)


async def run(
    graph: Graph, context: Context, given: Request | Command[Any] | None, thread: Any = THREAD
) -> Seen:
    """Run one turn to its end or its question."""
    seen = Seen()
    stream: AsyncIterator[Any] = graph.astream(
        given,
        thread,
        context=context,
        stream_mode=["updates", "custom"],
        version="v2",
        durability="async",
    )
    async for part in stream:
        if part["type"] == "custom" and part["data"]["type"] == "said":
            seen.said.setdefault(part["data"]["node"], []).append(part["data"]["text"])
        elif part["type"] == "custom":
            seen.progress.append(part["data"])
        else:
            seen.nodes += [name for name in part["data"] if name != "__interrupt__"]
            seen.interrupts += part["data"].get("__interrupt__", ())
    seen.state = (await graph.aget_state(thread)).values
    return seen


@pytest.fixture
async def graph(tmp_path: Path) -> AsyncIterator[Graph]:
    async with open_checkpointer(tmp_path / "checkpoints.sqlite") as saver:
        yield build_graph(saver)


async def swap(context: Context, **parts: Any) -> Context:
    """The same context whose studio has other parts."""
    studio = replace(await context.studio("starter"), **parts)

    async def open_studio(name: str) -> Studio:
        return {"starter": studio}[name]

    return replace(context, studio=open_studio)


async def engine_of(context: Context) -> PaintedEngine:
    engine = (await context.studio("starter")).engine
    assert isinstance(engine, PaintedEngine)
    return engine


async def test_a_sketch_and_a_sentence_become_a_render(
    graph: Graph, context: Context, sketch: str
) -> None:
    seen = await run(graph, context, ask("neon city", sketch))
    assert seen.nodes == NODES
    assert set(seen.said) == set(NODES)
    assert seen.state["styles"] == [{"style": "neon", "weight": 1.0}]
    (attempt,) = seen.state["attempts"]
    render = context.artifacts.image(attempt["image"])
    assert render.size == (attempt["width"], attempt["height"]) == (96, 64)
    assert attempt["fidelity"]["geometry"] > 0.9
    assert attempt["fidelity"]["style"] > 0.5
    assert attempt["fidelity"]["palette"] is not None
    assert attempt["fidelity"]["text"] is not None
    assert attempt["prompt"].endswith("neon style")


async def test_every_step_is_told_and_a_few_are_shown(
    graph: Graph, context: Context, sketch: str
) -> None:
    seen = await run(graph, context, ask(sketch=sketch, style="none", steps=20))
    assert [event["step"] for event in seen.progress] == list(range(1, 21))
    assert {event["total"] for event in seen.progress} == {20}
    shown = [event for event in seen.progress if event["preview"]]
    assert [event["step"] for event in shown] == [4, 8, 12, 16]
    assert all(context.artifacts.exists(event["preview"]) for event in shown)


async def test_the_render_carries_its_recipe(graph: Graph, context: Context, sketch: str) -> None:
    seen = await run(graph, context, ask(sketch=sketch, style="ink:3,deco:1", seed=2**63 - 1))
    attempt = seen.state["attempts"][0]
    text = context.artifacts.image(attempt["image"]).info
    assert text["prompt"] == attempt["prompt"]
    assert text["seed"] == str(2**63 - 1)
    assert json.loads(text["styles"]) == [
        {"style": "ink", "weight": 0.75},
        {"style": "deco", "weight": 0.25},
    ]
    assert (text["profile"], text["engine"], text["steps"]) == ("starter", "painted/1", "6")


async def test_equal_requests_give_the_same_artifact(
    graph: Graph, context: Context, sketch: str
) -> None:
    images = []
    for thread, seed in (("a", 7), ("b", 7), ("c", 8)):
        where = {"configurable": {"thread_id": thread}}
        seen = await run(graph, context, ask(sketch=sketch, seed=seed), where)
        images.append(seen.state["attempts"][0]["image"])
    assert images[0] == images[1] != images[2]


async def test_the_shape_of_the_sketch_is_kept(graph: Graph, context: Context) -> None:
    """The canvas is a multiple of 8, the sketch is not: what is added is cut off again."""
    paper = Image.new("RGB", (317, 100), "white")
    paper.paste("black", (40, 40, 280, 44))
    sketch = context.artifacts.put_image(paper)
    seen = await run(graph, context, ask(sketch=sketch, size=320))
    canvas, attempt = seen.state["canvas"], seen.state["attempts"][0]
    assert (canvas["width"] % 8, canvas["height"] % 8) == (0, 0)
    assert attempt["width"] / attempt["height"] == pytest.approx(317 / 100, rel=0.01)
    assert context.artifacts.image(seen.state["edge_map"]).size == (320, canvas["height"])


async def test_without_a_sketch_the_words_alone_shape_it(graph: Graph, context: Context) -> None:
    seen = await run(graph, context, ask())
    assert seen.nodes == NODES
    assert seen.state["edge_map"] is None
    fidelity = seen.state["attempts"][0]["fidelity"]
    assert fidelity["geometry"] is None
    assert fidelity["invented"] is None
    assert "No sketch" in seen.said["extract_edges"][0]
    assert (await engine_of(context)).requests[0].edges is None


async def test_below_the_floor_the_render_is_text_only(
    graph: Graph, context: Context, sketch: str
) -> None:
    seen = await run(graph, context, ask("a quiet harbour", sketch))
    assert seen.nodes == NODES
    assert not seen.interrupts
    assert seen.state["styles"] == []
    assert "text only" in seen.said["retrieve_styles"][0]
    fidelity = seen.state["attempts"][0]["fidelity"]
    assert fidelity["style"] is None
    assert fidelity["palette"] is None
    assert (await engine_of(context)).requests[0].style is None


async def test_a_blend_gives_every_reference_its_share(graph: Graph, context: Context) -> None:
    own = context.artifacts.put_image(Image.new("RGB", (40, 40), "teal"))
    await run(graph, context, ask(style=f"ink:1,artifact:{own}:3"))
    engine = await engine_of(context)
    mix = engine.requests[0].style
    assert mix is not None
    assert mix.weights == pytest.approx((0.125, 0.125, 0.75))
    seen = [engine.embed_style(Image.new("RGB", (9, 9), colour)) for colour in ("#303030", "teal")]
    assert [vector.tolist() for vector in mix.vectors] == [
        pytest.approx(vector.tolist()) for vector in (seen[0], seen[0], seen[1])
    ]


async def test_a_question_outlives_the_process(
    tmp_path: Path, context: Context, sketch: str
) -> None:
    file = tmp_path / "checkpoints.sqlite"
    async with open_checkpointer(file) as saver:
        seen = await run(build_graph(saver), context, ask(sketch=sketch, style="ask"))
    assert seen.nodes == NODES[:3]
    (question,) = seen.interrupts
    assert question.value["kind"] == "style_selection"
    assert [match["style"] for match in question.value["candidates"]] == ["neon"]
    assert question.response_schema is not None
    assert list(question.response_schema["properties"]) == ["styles"]
    answer = {"styles": [{"style": "ink", "weight": 1}, {"style": "deco", "weight": 3}]}
    async with open_checkpointer(file) as saver:
        seen = await run(build_graph(saver), context, Command(resume={question.id: answer}))
    assert seen.nodes == NODES[3:]
    assert seen.said["choose_style"] == ["25% Ink, 75% Deco: your choice."]
    assert seen.state["styles"] == [
        {"style": "ink", "weight": 0.25},
        {"style": "deco", "weight": 0.75},
    ]


@pytest.mark.parametrize(
    ("message", "style", "chosen"),
    [
        ("neon city", "", "neon"),
        ("neon harbour", "", "asks"),
        ("a quiet harbour", "", "nothing"),
        ("neon city", "auto", "neon"),
        ("neon harbour", "auto", "neon"),
        ("a quiet harbour", "auto", "nothing"),
        ("neon city", "ask", "asks"),
        ("a quiet harbour", "ask", "asks"),
        ("neon city", "none", "nothing"),
        ("neon city", "deco", "deco"),
    ],
)
async def test_who_chooses_the_style(
    graph: Graph, context: Context, message: str, style: str, chosen: str
) -> None:
    seen = await run(graph, context, ask(message, style=style))
    styles = [share["style"] for share in seen.state["styles"]]
    assert ("asks" if seen.interrupts else styles[0] if styles else "nothing") == chosen


async def test_an_unknown_style_stops_before_any_work(graph: Graph, context: Context) -> None:
    with pytest.raises(NotFound):
        await run(graph, context, ask(style="decco"))
    assert not (await engine_of(context)).requests


async def test_no_style_is_an_answer(graph: Graph, context: Context) -> None:
    """Where nothing is near, a person who wants to choose is offered the least far."""
    seen = await run(graph, context, ask("a quiet harbour", style="ask"))
    (question,) = seen.interrupts
    assert len(question.value["candidates"]) == 3
    assert {match["band"] for match in question.value["candidates"]} == {"weak"}
    seen = await run(graph, context, Command(resume={question.id: {"styles": []}}))
    assert seen.nodes == NODES[3:]
    assert seen.state["styles"] == []


@pytest.mark.parametrize(
    "answer",
    [
        "neon",
        {},
        {"styles": "neon"},
        {"styles": [{"style": "neon", "weight": 0}]},
        {"styles": [{"style": "neon", "weight": float("nan")}]},
        {"styles": [{"style": "neon", "weight": 1, "image": "x"}]},
        {"styles": [{"style": "neon"}, {"style": "neon"}]},
        {"styles": [{"style": "no-such-style"}]},
        {"styles": [{"style": "artifact:" + "0" * 64}]},
        {"styles": [{"style": "artifact:../../etc/passwd"}]},
        {"styles": [{"style": slug} for slug in ("neon", "ink", "deco", "a", "b")]},
    ],
)
async def test_a_wrong_answer_leaves_the_question_open(
    graph: Graph, context: Context, answer: Any
) -> None:
    (question,) = (await run(graph, context, ask(style="ask"))).interrupts
    with pytest.raises(ValidationError) as refused:
        await run(graph, context, Command(resume={question.id: answer}))
    assert is_invalid_resume(refused.value)
    snapshot = await graph.aget_state(THREAD)
    assert [pending.id for pending in snapshot.interrupts] == [question.id]
    good = {"styles": [{"style": "deco"}]}
    seen = await run(graph, context, Command(resume={question.id: good}))
    assert seen.state["styles"] == [{"style": "deco", "weight": 1.0}]


async def test_a_new_turn_forgets_what_the_last_one_made(
    graph: Graph, context: Context, sketch: str
) -> None:
    await run(graph, context, ask("neon city", sketch))
    seen = await run(graph, context, ask("a quiet harbour", style="ask"))
    state = seen.state
    assert seen.interrupts
    assert state["turn"] == 2
    assert state["messages"] == ["neon city", "a quiet harbour"]
    assert "harbour" in state["enhancement"]["prompt"]
    forgotten = ("styles", "style_reason", "attempts", "edge_map", "retry")
    assert not any(state[key] for key in forgotten)
    assert state["canvas"] == {"width": 0, "height": 0, "box": []}


class Speechless:
    """A prompt writer that breaks."""

    rules = RULES

    async def write(self, brief: PromptBrief) -> PromptDraft:
        raise InvalidRequest("no words")


async def test_a_turn_that_fails_leaves_nothing_of_the_last(
    graph: Graph, context: Context, sketch: str
) -> None:
    await run(graph, context, ask("neon city", sketch))
    with pytest.raises(InvalidRequest):
        await run(graph, replace(context, prompts=Speechless()), ask("a quiet harbour"))
    state = (await graph.aget_state(THREAD)).values
    assert state["enhancement"]["prompt"] == ""
    assert state["matches"] == state["styles"] == state["attempts"] == []


async def test_a_follow_up_reuses_the_sketch_and_the_style(
    graph: Graph, context: Context, sketch: str
) -> None:
    first = await run(graph, context, ask("neon city", sketch, style="ink"))
    then = await run(graph, context, ask("warmer, please"))
    assert then.state["sketch"] == sketch
    assert then.state["edge_map"] == first.state["edge_map"]
    assert then.state["styles"] == [{"style": "ink", "weight": 1.0}]
    assert "neon city" in then.state["enhancement"]["prompt"]
    other = await run(graph, context, ask("gold lobby"))
    assert other.state["styles"] == [{"style": "deco", "weight": 1.0}]


async def test_a_new_sketch_replaces_the_old_one(
    graph: Graph, context: Context, sketch: str
) -> None:
    await run(graph, context, ask(sketch=sketch))
    paper = Image.new("RGB", (100, 200), "white")
    paper.paste("black", (20, 20, 24, 180))
    portrait = context.artifacts.put_image(paper)
    seen = await run(graph, context, ask(sketch=portrait))
    assert seen.state["sketch"] == portrait
    assert seen.state["attempts"][0]["height"] > seen.state["attempts"][0]["width"]


class Careless(PaintedEngine):
    """Keeps none of the lines at first, then most, then some."""

    def paint(self, request: ImageRequest) -> Image.Image:
        assert request.edges is not None
        share = {0: 0.0, 1: 0.6, 2: 0.3}[len(self.requests) - 1]
        edges = Image.new("L", request.edges.size)
        edges.paste(request.edges.crop((0, 0, int(edges.width * share), edges.height)))
        return super().paint(replace(request, edges=edges))


async def test_slipped_geometry_is_tried_again_and_the_best_is_kept(
    graph: Graph, context: Context, sketch: str
) -> None:
    engine = Careless()
    seen = await run(graph, await swap(context, engine=engine), ask(sketch=sketch))
    assert seen.nodes == [*NODES, *["generate_image", "critique"] * 2]
    scales = [request.control_scale for request in engine.requests]
    assert scales == sorted(set(scales))
    assert len(scales) == 3
    assert scales[-1] <= context.profiles["starter"].control_scale_max
    assert len({request.seed for request in engine.requests}) == 3
    kept = [attempt["fidelity"]["geometry"] for attempt in seen.state["attempts"]]
    assert kept[1] > kept[2] > kept[0]
    assert seen.state["best"] == 1
    assert seen.state["retry"] is False
    assert ["once more" in text for text in seen.said["critique"]] == [True, True, False]
    assert "attempt 2 of 3" in seen.said["critique"][-1]


async def test_good_geometry_is_not_tried_again(
    graph: Graph, context: Context, sketch: str
) -> None:
    seen = await run(graph, context, ask(sketch=sketch))
    assert len((await engine_of(context)).requests) == 1
    assert seen.state["retry"] is False


class Faulty(PaintedEngine):
    """Fails with the given errors before it works."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def paint(self, request: ImageRequest) -> Image.Image:
        if self.errors:
            raise self.errors.pop(0)
        return super().paint(request)


async def test_a_fault_that_may_pass_is_tried_again(graph: Graph, context: Context) -> None:
    engine = Faulty(EngineBusy("The engine is busy."))
    seen = await run(graph, await swap(context, engine=engine), ask())
    assert len(engine.requests) == 2
    assert seen.state["attempts"]


@pytest.mark.parametrize("error", [InvalidRequest("no"), ValueError("a bug")])
async def test_a_fault_that_stays_is_not_tried_again(
    graph: Graph, context: Context, error: Exception
) -> None:
    engine = Faulty(error)
    with pytest.raises(type(error)):
        await run(graph, await swap(context, engine=engine), ask())
    assert len(engine.requests) == 1
    assert (await graph.aget_state(THREAD)).next == ("generate_image",)


class Endless(PaintedEngine):
    """Steps until it is stopped, and says how far it came."""

    steps_done = 0
    stopped = False

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        try:
            for number in range(1, 10_000_000):
                self.steps_done = number
                on_step(painted_step(number, 10_000_000, Image.new("RGB", (8, 8))))
        finally:
            self.stopped = True
        raise EngineFailed("nobody stopped it")


async def test_a_cancelled_run_frees_the_engine(graph: Graph, context: Context) -> None:
    engine = Endless()
    stream: Any = graph.astream(
        ask(),
        THREAD,
        context=await swap(context, engine=engine),
        stream_mode="custom",
        version="v2",
    )

    async def follow() -> None:
        async with aclosing(stream):
            async for part in stream:
                if part["data"]["type"] == "progress":
                    started.set()

    started = asyncio.Event()
    task = asyncio.create_task(follow())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.stopped, "the cancel came out before the engine was free"
    assert await context.lane.run(lambda stopped: "free") == "free"
    assert (await graph.aget_state(THREAD)).next == ("generate_image",)
    seen = await run(graph, context, None)
    assert seen.nodes[0] == "generate_image"


async def test_the_state_is_plain_json(
    tmp_path: Path, graph: Graph, context: Context, sketch: str
) -> None:
    await run(graph, context, ask(sketch=sketch))
    seen = await run(graph, context, ask("brush", style="ask"))
    answer = {seen.interrupts[0].id: {"styles": [{"style": "ink"}]}}
    await run(graph, context, Command(resume=answer))
    count = 0
    async for saved in graph.checkpointer.alist(THREAD):  # type: ignore[union-attr]
        values = saved.checkpoint["channel_values"]
        assert json.loads(json.dumps(values)) == values
        for _, channel, value in saved.pending_writes or []:
            if channel != "__interrupt__":
                assert json.loads(json.dumps(value)) == value
        count += 1
    assert count > 2 * len(NODES)
    assert str(tmp_path) not in json.dumps((await graph.aget_state(THREAD)).values)


def hostile(folder: Path) -> bytes:
    """A checkpoint value that asks the reader to import `os` and call `mkdir`."""
    call = ormsgpack.packb(("os", "mkdir", (str(folder),)))
    return ormsgpack.packb(ormsgpack.Ext(EXT_CONSTRUCTOR_POS_ARGS, call))


async def test_a_hostile_checkpoint_runs_nothing(tmp_path: Path, context: Context) -> None:
    proof, victim = tmp_path / "proof", tmp_path / "victim"
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(("msgpack", hostile(proof)))
    assert proof.is_dir(), "the blob is harmless, so this test proves nothing"

    file = tmp_path / "checkpoints.sqlite"
    async with open_checkpointer(file) as saver:
        await run(build_graph(saver), context, ask(style="ask"))
    with sqlite3.connect(file) as database:
        database.execute("UPDATE writes SET type = 'msgpack', value = ?", (hostile(victim),))
        (blob,) = database.execute(
            "SELECT checkpoint FROM checkpoints ORDER BY checkpoint_id DESC"
        ).fetchone()
        checkpoint = ormsgpack.unpackb(blob)
        checkpoint["channel_values"]["message"] = ormsgpack.Ext(
            EXT_CONSTRUCTOR_POS_ARGS, ormsgpack.packb(("os", "mkdir", (str(victim),)))
        )
        database.execute("UPDATE checkpoints SET checkpoint = ?", (ormsgpack.packb(checkpoint),))
    async with open_checkpointer(file) as saver:
        snapshot = await build_graph(saver).aget_state(THREAD)
        assert snapshot.values["message"] == [str(victim)]
        assert [item async for item in saver.alist(None)]
    assert not victim.exists()


async def test_a_pickled_checkpoint_is_refused(tmp_path: Path, context: Context) -> None:
    file = tmp_path / "checkpoints.sqlite"
    async with open_checkpointer(file) as saver:
        await run(build_graph(saver), context, ask(style="ask"))
    with sqlite3.connect(file) as database:
        database.execute("UPDATE checkpoints SET type = 'pickle'")
    async with open_checkpointer(file) as saver:
        with pytest.raises(NotImplementedError):
            await build_graph(saver).aget_state(THREAD)


async def test_checkpoints_are_written_ahead(tmp_path: Path) -> None:
    async with open_checkpointer(tmp_path / "new" / "checkpoints.sqlite") as saver:
        assert isinstance(saver, AsyncSqliteSaver)
        async with saver.conn.execute("PRAGMA journal_mode") as cursor:
            assert await cursor.fetchone() == ("wal",)
        await saver.adelete_thread("never seen")


async def test_models_work_on_the_lane_only(
    graph: Graph, context: Context, sketch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second thread that torch has worked on makes every render slower; see tools/lane.py."""
    threads: dict[str, set[str]] = {}

    def watched(owner: type, name: str) -> None:
        work = getattr(owner, name)

        def watch(*args: Any) -> Any:
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return work(*args)

        monkeypatch.setattr(owner, name, watch)

    watched(PaintedEngine, "generate")
    watched(PaintedEngine, "embed_style")
    watched(HashingEncoder, "embed_image")
    await run(graph, context, ask("neon city", sketch))
    lane = {"gpu-lane_0"}
    assert threads == {"embed_style": lane, "generate": lane, "embed_image": lane}


async def test_models_open_once_for_everyone(context: Context) -> None:
    """A cancelled caller does not stop the models that another one waits for."""
    ready, calls = threading.Event(), []
    expected = await context.studio("starter")

    def open_studio(name: str) -> Studio:
        calls.append(name)
        ready.wait(10)
        return expected

    studio = opened_once(open_studio, GpuLane())
    first, second = (asyncio.create_task(_wait_for(studio("starter"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    ready.set()
    assert await second is expected
    assert await studio("starter") is expected
    assert calls == ["starter"]


async def _wait_for(studio: Awaitable[Studio]) -> Studio:
    return await studio


async def test_models_that_failed_to_open_are_tried_again(context: Context) -> None:
    expected = await context.studio("starter")
    outcomes: list[Exception | Studio] = [WeightsMissing("run ./artisan models pull"), expected]

    def open_studio(name: str) -> Studio:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    studio = opened_once(open_studio, GpuLane())
    with pytest.raises(WeightsMissing):
        await studio("starter")
    assert await studio("starter") is expected


async def test_a_context_opens_without_any_weights(context: Context, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("profiles.toml", "prompts.toml"):
        shutil.copy(ROOT / "models" / name, models)
    settings = context.settings.model_copy(update={"models_dir": models})
    async with open_context(settings) as opened:
        assert set(opened.catalog.styles) == {"neon", "ink", "deco"}
        assert opened.artifacts.exists(opened.artifacts.put(b"x", "image/png"))
        with pytest.raises(WeightsMissing):
            await opened.studio("starter")
        with pytest.raises(InvalidRequest) as refused:
            await opened.studio("no-such-profile")
    assert refused.value.code == "unknown_profile"
    with pytest.raises(RuntimeError):
        await opened.lane.run(lambda stopped: "the lane is closed")


def test_the_drawing_is_the_design() -> None:
    edges = {
        (edge.source, edge.target, edge.conditional) for edge in make_graph().get_graph().edges
    }
    way = ["__start__", *NODES]
    assert edges == {
        *((source, target, False) for source, target in pairwise(way)),
        ("critique", "generate_image", True),
        ("critique", "__end__", True),
    }
    drawing = make_graph().get_graph().draw_mermaid()
    assert "choose_style --> extract_edges" in drawing
    assert "critique -. &nbsp;retry&nbsp; .-> generate_image" in drawing


def test_langgraph_json_names_the_graph() -> None:
    graphs = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    assert graphs == {"artisan": "./graph/build.py:make_graph"}
