"""The wiring: which node follows which, on which checkpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import RetryPolicy

from graph.context import Context
from graph.opening import open_releases
from graph.settings import Settings
from graph.state import Request, State
from nodes.begin import begin
from nodes.choose_style import choose_style
from nodes.critique import critique
from nodes.enhance_prompt import enhance_prompt
from nodes.extract_edges import extract_edges
from nodes.generate_image import generate_image
from nodes.retrieve_styles import retrieve_styles
from tools.errors import EngineBusy, EngineFailed

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
    """Open what the nodes need, on the release that is in production. Raises what `open_releases` does."""
    async with open_releases(settings) as releases:
        yield releases.serving
