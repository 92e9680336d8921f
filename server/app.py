"""The application: one context, one event log, one set of runs, and the routes that share them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from graph.build import build_graph, open_checkpointer
from graph.opening import open_releases
from graph.releases import Releases
from graph.settings import VERSION, Settings
from server import artifacts, chat, docs, health, models, styles, threads, travel
from server.agent import assistants, protocol, states, store
from server.agent import runs as agent_runs
from server.agent import threads as agent_threads
from server.agent.following import Unheard
from server.canary import Canary
from server.database import open_database
from server.eventlog import EventLog
from server.limits import BodyLimit
from server.mcp import endpoint as mcp
from server.openai import chat as openai_chat
from server.openai import images as openai_images
from server.openai import models as openai_models
from server.problems import speak_problems
from server.retention import keep_tidy
from server.runs import RUNS_MAX, Runs
from tools.disk import check_writable
from tools.errors import InvalidRequest

if TYPE_CHECKING:
    from server.tracing import Tracing

logger = logging.getLogger(__name__)

LOOPBACK = (
    r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"  # pages served on this machine
)

OpenReleases = Callable[[Settings], AbstractAsyncContextManager[Releases]]


def create_app(
    settings: Settings, open_releases: OpenReleases = open_releases, runs_max: int = RUNS_MAX
) -> FastAPI:
    """Return the studio under `settings`; all its state lives in `settings.data_dir`.

    `runs_max` runs may wait and be under way at once. Starting the app raises `DiskFailed` when the folder cannot
    be written, `Conflict` (`data_dir_in_use`) when another process serves it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(check_writable, settings.data_dir)
        async with (
            open_database(settings.data_dir) as database,
            open_releases(settings) as releases,
            open_checkpointer(settings.data_dir / "checkpoints.db") as checkpointer,
        ):
            log = EventLog(database)
            graph = build_graph(checkpointer)
            canary = Canary(releases, graph, settings.data_dir, settings.canary, settings.shadow)
            tracing = _open_tracing(settings)
            heard = [canary.hear, *([tracing.hear] if tracing else [])]
            runs = Runs(log, graph, releases, runs_max, heard, canary)
            if orphans := await runs.take_up():
                logger.warning("went on with %d runs that the last stop had interrupted", orphans)
            app.state.log, app.state.releases, app.state.runs = log, releases, runs
            app.state.canary = canary
            app.state.graph, app.state.unheard = graph, Unheard()
            app.state.opening = asyncio.create_task(health.open_models(releases.context))
            usher = asyncio.create_task(runs.usher())
            tidier = asyncio.create_task(keep_tidy(runs, log, graph, releases.context))
            follower = asyncio.create_task(models.keep_up(releases))
            trial = asyncio.gather(canary.keep_up(), canary.cast_shadows(runs))
            async with mcp.open_sessions(releases, log, runs) as app.state.mcp:
                try:
                    yield
                finally:
                    trial.cancel()
                    await runs.close(settings.grace_s)
                    tidier.cancel()
                    follower.cancel()
                    await asyncio.gather(usher, app.state.opening)
                    await asyncio.gather(trial, return_exceptions=True)
                    if tracing:
                        await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title=health.NAME,
        version=VERSION,
        summary="A sketch and a sentence become a picture.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(BodyLimit, limit=settings.max_upload_mb * 2**20)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_origin_regex=LOOPBACK,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Content-Location", "Location", "Mcp-Session-Id"],
    )
    speak_problems(app)
    for noun in (chat, threads, travel, artifacts, styles, models, health, docs):
        app.include_router(noun.router)
    for noun in (assistants, agent_threads, states, agent_runs, protocol, store):
        app.include_router(noun.router)
    for noun in (openai_images, openai_chat, openai_models):
        app.include_router(noun.router)
    app.router.routes.append(mcp.route(settings))
    return app


def _open_tracing(settings: Settings) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    try:
        from server.tracing import Tracing
    except ImportError as error:
        raise InvalidRequest(
            "ARTISAN_OTLP_ENDPOINT is set, and OpenTelemetry's exporter is not installed. This installs it:"
            " .venv/bin/uv pip install --python .venv/bin/python -c constraints.txt -r pyproject.toml --extra otlp"
        ) from error
    return Tracing(settings.otlp_endpoint, content=settings.trace_content)
