"""The wiring: which node follows which, and what a process opens to run them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy

from graph.context import Context, Studio
from graph.settings import Settings
from graph.state import Request, State
from nodes.begin import begin
from nodes.choose_style import choose_style
from nodes.critique import critique
from nodes.enhance_prompt import enhance_prompt
from nodes.extract_edges import extract_edges
from nodes.generate_image import generate_image
from nodes.retrieve_styles import retrieve_styles
from styles.calibration import load_calibration
from styles.catalog import Catalog
from styles.index import StyleIndex
from tools.artifacts import ArtifactStore
from tools.diffusion import open_engine
from tools.disk import writing
from tools.encoders import open_encoder
from tools.errors import EngineBusy, EngineFailed
from tools.lane import GpuLane
from tools.profiles import load_profiles
from tools.prompts import open_prompt_writer
from tools.unfinished import UnfinishedRenders

Graph = CompiledStateGraph[State, Context, Request, State]

RECURSION_LIMIT = 50  # nodes in one run; LangGraph's own limit is ten thousand
# What passes by itself within seconds. An engine that hung, or has no memory left, has cost its time already.
AGAIN = RetryPolicy(retry_on=lambda error: type(error) in (EngineBusy, EngineFailed))


def build_graph(checkpointer: BaseCheckpointSaver[str] | None = None) -> Graph:
    """Wire the nodes; without a checkpointer the graph can be drawn and run, but it cannot ask."""
    graph = StateGraph(State, context_schema=Context, input_schema=Request)
    graph.add_node("begin", begin)
    graph.add_node("enhance_prompt", enhance_prompt, retry_policy=AGAIN)
    graph.add_node("retrieve_styles", retrieve_styles, retry_policy=AGAIN)
    graph.add_node("choose_style", choose_style)
    graph.add_node("extract_edges", extract_edges, retry_policy=AGAIN)
    graph.add_node("generate_image", generate_image, retry_policy=AGAIN)
    graph.add_node("critique", critique, retry_policy=AGAIN)
    graph.add_edge(START, "begin")
    graph.add_edge("begin", "enhance_prompt")
    graph.add_edge("enhance_prompt", "retrieve_styles")
    graph.add_edge("retrieve_styles", "choose_style")
    graph.add_edge("choose_style", "extract_edges")
    graph.add_edge("extract_edges", "generate_image")
    graph.add_edge("generate_image", "critique")
    graph.add_conditional_edges(
        "critique",
        lambda state: "retry" if state["retry"] else "done",
        {"retry": "generate_image", "done": END},
    )
    compiled = graph.compile(checkpointer=checkpointer, name="artisan")
    return compiled.with_config(recursion_limit=RECURSION_LIMIT)


def make_graph() -> Graph:
    """The graph for LangGraph's own tools to draw; to run it needs the server's `Context`."""
    return build_graph()


@asynccontextmanager
async def open_checkpointer(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    """Open the checkpoints at `path`, made when missing; open one per process and file.

    Reads back plain JSON values and LangGraph's own types only: a blob that names any other
    constructor comes back as the data it holds, and pickle is refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    async with aiosqlite.connect(path) as connection:
        serde = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
        saver = AsyncSqliteSaver(connection, serde=serde)
        await saver.setup()
        try:
            yield saver
        finally:
            # A cancelled pass may still be writing. Closed between its write and its commit, the file stays locked.
            async with saver.lock:
                await connection.rollback()
                await connection.close()


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Open what the nodes need; models load when a run first asks for their profile.

    Raises `CatalogError` for a broken style library, and what `load_profiles` raises.
    """
    catalog = Catalog(settings.library, settings.data_dir / "styles")

    def open_studio(name: str) -> Studio:
        profile, models = context.profile(name), settings.models_dir
        encoder = open_encoder(profile, models)
        calibration = load_calibration(models / "calibration.json", encoder.name)
        folder = settings.data_dir / "index"
        with writing(folder):
            index = StyleIndex(encoder, catalog, folder, calibration)
        return Studio(profile, open_engine(profile, models), encoder, index)

    async def studio(name: str) -> Studio:
        profile = context.profile(name)
        # The first profile of a pack opens it for all of them.
        opener = next(p.name for p in context.profiles.values() if p.pack == profile.pack)
        return replace(await opened(opener), profile=profile)

    key, lane = settings.llm_api_key, GpuLane(settings.step_timeout_s, settings.load_timeout_s)
    opened = opened_once(open_studio, lane)
    context = Context(
        settings=settings,
        profiles=load_profiles(settings.models_dir / "profiles.toml"),
        artifacts=ArtifactStore(settings.data_dir / "artifacts"),
        unfinished=UnfinishedRenders(settings.data_dir / "unfinished"),
        catalog=catalog,
        prompts=open_prompt_writer(
            settings.llm_base_url,
            key.get_secret_value() if key else None,
            settings.llm_model,
            settings.llm_timeout_s,
        ),
        lane=lane,
        studio=studio,
    )
    try:
        yield context
    finally:
        await asyncio.to_thread(context.lane.close)


def opened_once(
    open_studio: Callable[[str], Studio], lane: GpuLane
) -> Callable[[str], Awaitable[Studio]]:
    """Make a blocking opener asynchronous: each studio is opened once, on the lane, and shared.

    A failure goes to everyone who waits, and the next caller tries again. What was opened before the lane gave up a
    job is opened anew: the job may hold it for ever.
    """
    opening: dict[str, asyncio.Task[Studio]] = {}
    generation = lane.generation

    async def studio(name: str) -> Studio:
        nonlocal generation
        if generation != lane.generation:
            generation = lane.generation
            for stale in [known for known, task in opening.items() if task.done()]:
                del opening[stale]
        if name not in opening:
            # A task of its own: a cancelled run must not stop the models that others wait for.
            opening[name] = asyncio.create_task(lane.run(lambda _: open_studio(name)))
        task = opening[name]
        try:
            return await asyncio.shield(task)
        except Exception:
            if opening.get(name) is task:
                del opening[name]
            raise

    return studio
