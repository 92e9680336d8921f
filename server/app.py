"""The application: one context, one event log, one set of runs, and the routes that share them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from graph.build import build_graph, open_checkpointer, open_context
from graph.context import Context
from graph.settings import Settings
from server import artifacts, chat, docs, health, styles, threads
from server.eventlog import open_log
from server.limits import BodyLimit
from server.problems import speak_problems
from server.runs import RUNS_MAX, Runs

logger = logging.getLogger(__name__)

OpenContext = Callable[[Settings], AbstractAsyncContextManager[Context]]


def create_app(
    settings: Settings, open_context: OpenContext = open_context, runs_max: int = RUNS_MAX
) -> FastAPI:
    """Return the studio under `settings`; all its state lives in `settings.data_dir`.

    `runs_max` runs may be under way at once. Starting the app raises `Conflict`
    (`data_dir_in_use`) when another process serves the same folder.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            open_log(settings.data_dir) as log,
            open_context(settings) as context,
            open_checkpointer(settings.data_dir / "checkpoints.db") as checkpointer,
        ):
            runs = Runs(log, build_graph(checkpointer), context, runs_max)
            if orphans := await runs.take_up():
                logger.warning("went on with %d runs that the last stop had interrupted", orphans)
            app.state.log, app.state.context, app.state.runs = log, context, runs
            app.state.opening = asyncio.create_task(health.open_models(context))
            usher = asyncio.create_task(runs.usher())
            try:
                yield
            finally:
                await runs.close()
                await asyncio.gather(usher, app.state.opening)

    app = FastAPI(
        title=health.NAME,
        version=health.VERSION,
        summary="A sketch and a sentence become a picture.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, limit=settings.max_upload_mb * 2**20)
    speak_problems(app)
    for noun in (chat, threads, artifacts, styles, health, docs):
        app.include_router(noun.router)
    return app
