"""What is deleted is gone, and what is still named stays."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conftest import alone
from live_server import held, only, png, problem, serving
from PIL import Image
from test_server_runs import ask, follow

from graph.build import Graph, build_graph, open_checkpointer
from graph.checkpoints import size
from graph.context import Context
from server.database import open_database
from server.eventlog import EventLog
from server.retention import sweep
from server.runs import Runs
from tools.errors import Conflict

WORD = "zebrafinch"  # of a message, and nowhere else


def holding(folder: Path, *words: str) -> list[str]:
    """Every file of the folder with one of `words` in its bytes."""
    needles = [word.encode() for word in words]
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def test_a_deleted_thread_leaves_nothing_behind(context: Context) -> None:
    folder = context.settings.data_dir
    with serving(context) as studio:
        asked = studio.chat(f"a {WORD} with ink", png(), style="ask")
        gone = asked[0].data["thread_id"]
        studio.choose(gone, only(asked, "interrupt")["id"], {"style": "ink"})
        studio.chat(f"the {WORD} at night", thread_id=gone, style="ask")
        stays = studio.chat("a neon city", png(), style="none")[0].data["thread_id"]
        assert holding(folder, WORD, gone)

        assert studio.http.delete(f"/threads/{gone}").status_code == 204
        assert holding(folder, WORD, gone) == []
        problem(studio.http.get(f"/threads/{gone}"), 404, "unknown_thread")
        problem(studio.http.delete(f"/threads/{gone}"), 404, "unknown_thread")
        kept = studio.thread(stays)
        for url in (
            kept["results"][0]["image_url"],
            kept["sketch_url"],
        ):  # both drew the same sketch
            assert studio.http.get(url).status_code == 200
    assert holding(folder, WORD, gone) == []


def test_a_thread_is_deleted_in_the_middle_of_its_render(context: Context) -> None:
    folder = context.settings.data_dir
    with held(context) as (studio, engine):
        with studio.chatting(f"a {WORD}", style="none") as events:
            thread_id = next(events).data["thread_id"]
            engine.gate.release(5)
            while next(events).name != "progress":
                pass
            engine.gate.release(100)
            assert studio.http.delete(f"/threads/{thread_id}").status_code == 204
            assert list(events)[-1].name == "end"
        assert holding(folder, WORD, thread_id) == []


@asynccontextmanager
async def opened(context: Context) -> AsyncIterator[tuple[Runs, EventLog, Graph]]:
    async with (
        open_database(context.settings.data_dir) as database,
        open_checkpointer(context.settings.data_dir / "checkpoints.db") as saver,
    ):
        log, graph = EventLog(database), build_graph(saver)
        runs = Runs(log, graph, alone(context), 8)
        yield runs, log, graph
        await runs.close()


async def made(runs: Runs, words: str) -> str:
    run = await runs.start(ask(words), None)
    await follow(runs, run)
    return run.thread_id


def limited(context: Context, **limits: float) -> Context:
    from dataclasses import replace

    return replace(context, settings=context.settings.model_copy(update=limits))


async def test_old_threads_and_orphans_go(context: Context) -> None:
    async with opened(context) as (runs, log, graph):
        old, new = await made(runs, "an old city"), await made(runs, "a neon city")
        orphan = context.artifacts.put_image(Image.new("L", (9, 9)), {"prompt": "nobody's"})
        arrived = context.artifacts.put(png(), "image/png")
        brought = context.artifacts.put(png(64, 48), "image/png")
        await log.note_upload(brought)
        await sweep(runs, log, graph, limited(context, keep_days=0, keep_mb=0))
        assert not context.artifacts.exists(orphan)
        assert context.artifacts.exists(brought)
        assert context.artifacts.exists(arrived)
        path = next(context.settings.data_dir.glob(f"artifacts/*/{arrived}.*"))
        os.utime(path, (0, 0))
        await sweep(runs, log, graph, limited(context, keep_days=0, keep_mb=0))
        assert not context.artifacts.exists(arrived)
        for thread_id in (old, new):
            (result,) = (await log.thread(thread_id)).results
            assert context.artifacts.exists(result["artifact_id"])

        day = limited(context, keep_days=1, keep_mb=0)
        await sweep(runs, log, graph, day)
        assert await log.idle_threads() == [old, new]
        await log.database.call(
            lambda db: db.execute(
                "UPDATE threads SET updated_at = '2020' WHERE thread_id = ?", (old,)
            )
        )
        await sweep(runs, log, graph, day)
        assert await log.idle_threads() == [new]


async def test_the_oldest_go_until_the_rest_is_small_enough(context: Context) -> None:
    async with opened(context) as (runs, log, graph):
        threads = [await made(runs, f"city {number}") for number in range(4)]
        await asyncio.sleep(0.01)  # the log counts milliseconds
        await log.note_on_thread(threads[0], {"seen": "again"})
        left = [*threads[1:], threads[0]]
        await sweep(runs, log, graph, limited(context, keep_mb=1000))
        assert await log.idle_threads() == left
        many = context.artifacts.put(os.urandom(3 * 2**20), "image/png")
        await runs.start(ask(f"like artifact:{many}"), left[-1])
        await asyncio.sleep(0)
        await sweep(runs, log, graph, limited(context, keep_mb=2))
        assert context.artifacts.exists(many)  # its thread was busy


async def test_a_render_takes_little_room(context: Context) -> None:
    """200 KB of events and checkpoints at most, besides the artifacts."""
    async with opened(context) as (runs, log, graph):
        thread_id = await made(runs, "a neon city at night")
        before = await log.size() + await size(graph)
        renders = 5
        for _ in range(renders):
            run = await runs.start(ask("another one, please"), thread_id)
            await follow(runs, run)
        assert (await log.size() + await size(graph) - before) / renders <= 200 * 1024


async def test_whoever_comes_back_in_time_keeps_the_thread(context: Context) -> None:
    """Between the sweep's look and its deletion a new message may come; the sweep cancels nothing."""
    async with opened(context) as (runs, log, _):
        thread_id = await made(runs, "a neon city")
        run = await runs.start(ask("another"), thread_id)
        with pytest.raises(Conflict):
            await runs.forget(thread_id)
        await follow(runs, run)
        assert (await log.run(thread_id, run.run_id)).status == "success"
