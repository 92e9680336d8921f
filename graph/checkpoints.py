"""What LangGraph's SQLite saver leaves to its users: undoing a pass, copying a thread, deleting one for good."""

import re
from collections.abc import Mapping
from typing import Any, cast

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph

from tools.disk import SQLITE_USED

Graph = CompiledStateGraph[Any, Any, Any, Any]  # with an AsyncSqliteSaver
INTERRUPT = (
    "__interrupt__"  # the channel of a question; whatever else is there answers or follows it
)


async def forget_pass(graph: Graph, thread_id: str, run_id: str) -> None:
    """Delete what run `run_id` wrote on its thread; the thread is where it was before the run, question and all."""
    saver = cast(AsyncSqliteSaver, graph.checkpointer)
    mine = (
        "SELECT checkpoint_id FROM checkpoints"
        " WHERE thread_id = ? AND json_extract(CAST(metadata AS TEXT), '$.run') = ?"
    )
    async with saver.lock:
        for table in ("writes", "checkpoints"):
            await saver.conn.execute(
                f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id IN ({mine})",  # noqa: S608
                (thread_id, thread_id, run_id),
            )
        await saver.conn.execute(
            "DELETE FROM writes WHERE thread_id = ? AND channel != ? AND checkpoint_id ="
            " (SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = ?)",
            (thread_id, INTERRUPT, thread_id),
        )
        await saver.conn.commit()


async def copy_thread(graph: Graph, source: str, target: str, runs: Mapping[str, str]) -> None:
    """Copy every checkpoint of thread `source` to the new thread `target`; `runs` maps its runs to their copies."""
    saver = cast(AsyncSqliteSaver, graph.checkpointer)
    async with saver.lock:
        await saver.conn.execute(
            "INSERT INTO checkpoints SELECT ?, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint,"
            " metadata FROM checkpoints WHERE thread_id = ?",
            (target, source),
        )
        await saver.conn.execute(
            "INSERT INTO writes (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type,"
            " value) SELECT ?, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value"
            " FROM writes WHERE thread_id = ?",
            (target, source),
        )
        await saver.conn.executemany(
            "UPDATE checkpoints SET metadata = CAST(json_set(CAST(metadata AS TEXT), '$.run', ?) AS BLOB)"
            " WHERE thread_id = ? AND json_extract(CAST(metadata AS TEXT), '$.run') = ?",
            [(copied, target, own) for own, copied in runs.items()],
        )
        await saver.conn.commit()


async def forget_thread(graph: Graph, thread_id: str) -> None:
    """Delete every checkpoint of a thread; until `wipe`, free pages of the file may hold words of it."""
    await cast(AsyncSqliteSaver, graph.checkpointer).adelete_thread(thread_id)


async def wipe(graph: Graph) -> None:
    """Let the file hold nothing that was deleted, by writing it anew."""
    saver = cast(AsyncSqliteSaver, graph.checkpointer)
    async with saver.lock:
        await saver.conn.commit()
        await saver.conn.execute("VACUUM")
        await saver.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def named_in(graph: Graph, pattern: re.Pattern[bytes]) -> set[str]:
    """Return every match of `pattern` in what the checkpoints hold."""
    saver = cast(AsyncSqliteSaver, graph.checkpointer)
    found: set[str] = set()
    async with (
        saver.lock,
        saver.conn.execute(
            "SELECT checkpoint FROM checkpoints UNION ALL SELECT value FROM writes"
        ) as rows,
    ):
        async for (blob,) in rows:
            found.update(match.decode() for match in pattern.findall(blob or b""))
    return found


async def size(graph: Graph) -> int:
    """Return how many bytes the checkpoints take, free pages of their file apart."""
    saver = cast(AsyncSqliteSaver, graph.checkpointer)
    async with saver.lock, saver.conn.execute(SQLITE_USED) as rows:
        row = await rows.fetchone()
    return int(row[0]) if row else 0
