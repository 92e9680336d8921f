"""Is it alive, is it ready, what is it."""

import asyncio
import logging

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from graph.context import Context
from graph.settings import VERSION
from server.problems import RETRY_AFTER_S, problem
from tools.errors import AppError

router = APIRouter(tags=["operations"])

logger = logging.getLogger(__name__)

NAME = "Artisan Studio"


async def open_models(context: Context) -> AppError | None:
    """Open the models of the default profile ahead of the first render; return why that failed."""
    try:
        await context.studio(context.settings.profile)
    except AppError as error:
        return error
    except Exception:
        logger.exception("the profile %s does not open", context.settings.profile)
        return AppError("The models cannot be opened. It has been logged.")
    return None


@router.get("/")
async def home() -> dict[str, str]:
    """Say where things are."""
    return {"name": NAME, "version": VERSION, "docs": "/api/docs", "openapi": "/openapi.json"}


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get(
    "/readyz", responses={503: {"description": "The models are not open, or runs cannot begin."}}
)
async def readyz(request: Request) -> Response:
    """The models of the default profile work, and runs can begin; where opening failed, every look tries again."""
    state = request.app.state
    opening: asyncio.Task[AppError | None] = state.opening
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    if not opening.done():
        detail = "The models are being opened."
        return problem(503, "not_ready", detail, retryable=True, headers=headers)
    if error := opening.result():
        state.opening = asyncio.create_task(open_models(state.releases.context))
        return problem(503, error.code, error.message, retryable=True, headers=headers)
    if error := state.releases.context.lane.trouble() or state.runs.trouble:
        return problem(503, error.code, error.message, retryable=True, headers=headers)
    return JSONResponse({"status": "ready"})


@router.get("/version")
async def version() -> dict[str, str]:
    """Which studio this is."""
    return {"name": NAME, "version": VERSION}
