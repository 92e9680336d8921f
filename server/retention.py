"""What the studio keeps, and for how long: threads by age, everything by size, artifacts while somebody names them."""

import asyncio
import logging
import math
import re
import time
from collections.abc import Set
from datetime import UTC, datetime, timedelta

from graph.build import Graph
from graph.checkpoints import named_in, size, wipe
from graph.context import Context
from server.eventlog import EventLog
from server.runs import Runs
from tools.errors import Conflict, NotFound

logger = logging.getLogger(__name__)

EVERY_S = 3600.0
UPLOAD_S = 86_400.0  # that an upload waits for the message that uses it
ARRIVAL_S = 5.0  # between the storing of a sketch and the beginning of its run
ARTIFACT_ID = "[0-9a-f]{64}"


async def keep_tidy(runs: Runs, log: EventLog, graph: Graph, context: Context) -> None:
    """Sweep now and then, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await sweep(runs, log, graph, context)
        except Exception:
            logger.exception("the sweep broke off; the next one tries again")


async def sweep(runs: Runs, log: EventLog, graph: Graph, context: Context) -> None:
    """Delete the threads that are too old, then the oldest ones until the rest is small enough, and every orphan.

    A thread on which a run waits or is under way stays. Limits: `keep_days` and `keep_mb` of the settings.
    """
    settings, forgotten = context.settings, 0
    if settings.keep_days:
        for thread_id in await log.idle_threads(before=_ago(86_400 * settings.keep_days)):
            forgotten += await _forget_idle(thread_id, runs)
    await _sweep_artifacts(log, graph, context)
    if settings.keep_mb:
        for thread_id in await log.idle_threads():
            if await _size_mb(log, graph, context) <= settings.keep_mb:
                break
            forgotten += await _forget_idle(thread_id, runs)
            await _sweep_artifacts(log, graph, context)
    if forgotten:
        logger.info("deleted %d threads, too old or over the size that is kept", forgotten)
        await _wipe(log, graph)


async def forget_thread(
    thread_id: str, runs: Runs, log: EventLog, graph: Graph, context: Context
) -> None:
    """Delete a thread, what it has under way, and the artifacts that nothing else names.

    No file keeps a word of it. Raises what `Runs.forget` does.
    """
    own = await log.named(re.compile(ARTIFACT_ID), thread_id)
    await runs.cancel_all(thread_id)
    await runs.forget(thread_id)
    await _sweep_artifacts(log, graph, context, own)
    await _wipe(log, graph)


async def _forget_idle(thread_id: str, runs: Runs) -> bool:
    """Delete a thread, unless somebody came back to it, or deleted it, meanwhile."""
    try:
        await runs.forget(thread_id)
    except (Conflict, NotFound):
        return False
    return True


async def _sweep_artifacts(
    log: EventLog, graph: Graph, context: Context, own: Set[str] = frozenset()
) -> None:
    """Delete what nothing names, such as the picture of a run that was cancelled as it came out.

    Uploads wait for the message that uses them. What is younger than a run that is under way may be that run's; what
    has come just now may belong to a run that is about to begin, unless it is a finished picture. `own` are those of
    a thread that is no more: for them it is enough that nothing else names them.
    """
    stored = await asyncio.to_thread(lambda: list(context.artifacts.stored()))
    begun = [datetime.fromisoformat(run.created_at).timestamp() for run in await log.active()]
    kept = await _named(log, graph) | await log.uploads(since=_ago(UPLOAD_S))
    for artifact_id, status in stored:
        if artifact_id in kept:
            continue
        arrived = status.st_mtime < time.time() - ARRIVAL_S
        dead = status.st_mtime < min(begun, default=math.inf) and (
            arrived or context.artifacts.has_recipe(artifact_id)
        )
        if dead or artifact_id in own:
            await asyncio.to_thread(context.artifacts.remove, artifact_id)


async def _wipe(log: EventLog, graph: Graph) -> None:
    await log.wipe()
    await wipe(graph)


def _ago(seconds: float) -> str:
    moment = datetime.now(UTC) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds")


async def _named(log: EventLog, graph: Graph) -> set[str]:
    told = await log.named(re.compile(ARTIFACT_ID))
    return told | await named_in(graph, re.compile(ARTIFACT_ID.encode()))


async def _size_mb(log: EventLog, graph: Graph, context: Context) -> float:
    """What artifacts, events and checkpoints take, in MiB."""
    stored = await asyncio.to_thread(lambda: list(context.artifacts.stored()))
    files = sum(status.st_size for _, status in stored)
    return (files + await log.size() + await size(graph)) / 2**20
