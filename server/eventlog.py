"""Threads, runs and their events on disk: what is told here survives the process."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from server.database import Database, transaction, wipe
from server.events import Status, Told
from tools.disk import SQLITE_USED
from tools.errors import Conflict, EngineBusy, InvalidRequest, NotFound

THREAD_ID = re.compile("[0-9A-Za-z][0-9A-Za-z_-]{0,99}")  # it names files too
Strategy = Literal["reject", "enqueue", "interrupt", "rollback"]  # where the thread is busy
Stop = Literal[
    "", "interrupt", "rollback"
]  # whether a run shall end before its end, and leave no trace

DROP = "UPDATE questions SET status = 'dropped' WHERE thread_id = ? AND status = 'open'"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's log."""

    id: int  # 1, 2, 3, ... within the run
    event: str
    data: str  # JSON in one line of ASCII
    part: str | None = None  # JSON: what the graph said with it, for the wires that speak LangGraph


@dataclass(frozen=True, slots=True)
class Run:
    """One execution on a thread."""

    thread_id: str
    run_id: str
    status: Literal["queued", "running"] | Status
    input: Mapping[
        str, Any
    ]  # {"request": Request}, {"answer": {interrupt id: StyleChoice}} or {"fork": Fork}
    created_at: str  # ISO 8601, UTC
    ended_at: str | None = None
    caller: str = ""  # whose turn it takes
    wire: Mapping[str, Any] = field(
        default_factory=dict
    )  # what the wire it came by remembers of it
    stop: Stop = ""


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a request that is sent again the same request."""

    key: str  # the caller's `Idempotency-Key`
    digest: str  # of all that was sent


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that is on disk, and those on its thread that give way to it."""

    run: Run
    displaced: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation and all that came of it, oldest first."""

    thread_id: str
    created_at: str
    updated_at: str
    metadata: Mapping[str, Any]  # the callers' own notes
    runs: tuple[Run, ...]
    results: tuple[Mapping[str, Any], ...]  # data of `result` events, with the `run_id`
    question: Mapping[str, Any] | None  # data of the `interrupt` event that waits for an answer


def as_event(number: int, told: Told) -> Event:
    """Give a told event its place in the log. Raises `ValueError` for NaN, for JSON has none."""
    return Event(
        number, told.event, _dump(told.data), None if told.part is None else _dump(told.part)
    )


def now() -> str:
    """The present moment as the log writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class EventLog:
    """An append-only log of runs."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def begin(
        self,
        run: Run,
        first: Event,
        *,
        new_thread: bool,
        answers: str | None,
        most: int,
        once: Once | None = None,
        strategy: Strategy = "enqueue",
    ) -> Begun:
        """Put a run and its first event on disk, all or nothing; or find the run that `once` began before.

        `answers` names the question it answers; without one the thread's open question is dropped.
        Raises `NotFound` (`unknown_thread`), `Conflict` (`thread_busy`, `stale_choice`, `no_question`,
        `idempotency_mismatch`), `EngineBusy` when `most` runs wait or are under way.
        """

        def begin(db: sqlite3.Connection) -> Begun:
            with transaction(db, durable=True):
                if earlier := once and _begun(db, once):
                    return Begun(earlier)
                if new_thread:
                    _insert_thread(db, run.thread_id, {})
                else:
                    _thread_row(db, run.thread_id)
                displaced = _displace(db, run, strategy)
                if answers is not None:
                    _take_question(db, run.thread_id, answers)
                elif not _active(db, run.thread_id):
                    _drop_question(db, run)
                _insert_run(db, run)
                (active,) = db.execute(
                    "SELECT count(*) FROM runs WHERE ended_at IS NULL AND stop = ''"
                ).fetchone()
                if active > most:
                    message = "The studio has as many renders waiting as it takes: try later."
                    raise EngineBusy(message)
                _insert_event(db, run, first)
                if once:
                    row = (once.key, once.digest, run.run_id)
                    db.execute("INSERT INTO requests VALUES (?, ?, ?)", row)
                return Begun(run, displaced)

        return await self.database.call(begin)

    async def promote(self, run: Run) -> Run:
        """Let a queued run begin; a new message drops what its thread was asked meanwhile."""

        def promote(db: sqlite3.Connection) -> Run:
            with transaction(db, durable=False):
                _drop_question(db, run)
                db.execute(
                    "UPDATE runs SET status = 'running' WHERE run_id = ? AND status = 'queued'",
                    (run.run_id,),
                )
                return _run_row(db, run.thread_id, run.run_id)

        return await self.database.call(promote)

    async def append(self, run: Run, event: Event) -> None:
        """Add `event` to a run that waits or is under way."""

        def append(db: sqlite3.Connection) -> None:
            with transaction(db, durable=False):
                _insert_event(db, run, event)

        await self.database.call(append)

    async def stop(self, run: Run, how: Stop) -> bool:
        """Write down that `run` shall stop, so that no crash forgets it; False when it has ended."""

        def stop(db: sqlite3.Connection) -> bool:
            with transaction(db, durable=True):
                done = db.execute(
                    "UPDATE runs SET stop = ? WHERE run_id = ? AND ended_at IS NULL",
                    (how, run.run_id),
                )
                return bool(done.rowcount)

        return await self.database.call(stop)

    async def finish(
        self, run: Run, status: Status, events: Sequence[Event], question: str | None
    ) -> None:
        """End a run with its last events, and leave `question` open, in one stroke."""

        def finish(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                for event in events:
                    _insert_event(db, run, event)
                moment = now()
                db.execute(
                    "UPDATE runs SET status = ?, ended_at = ? WHERE run_id = ? AND ended_at IS NULL",
                    (status, moment, run.run_id),
                )
                _touch(db, run.thread_id, moment)
                if question is not None:
                    db.execute(
                        "INSERT INTO questions VALUES (?, ?, ?, 'open')"
                        " ON CONFLICT DO UPDATE SET status = 'open'",
                        (run.thread_id, question, run.run_id),
                    )

        await self.database.call(finish)

    async def forget_run(self, run: Run) -> None:
        """Undo a run: nothing of it stays, and the question that it answered or dropped is open again."""

        def forget(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                _delete_runs(db, "run_id = ?", run.run_id)
                _reopen_question(db, run.thread_id)

        await self.database.call(forget)

    async def delete_run(self, run: Run) -> None:
        """Delete a run that has ended; what it did to the thread stays. Raises `Conflict` (`thread_busy`)."""

        def delete(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                if any(each.run_id == run.run_id for each in _active(db, run.thread_id)):
                    raise _busy()
                _delete_runs(db, "run_id = ?", run.run_id)

        await self.database.call(delete)

    async def drop_question(self, thread_id: str) -> None:
        """Let the thread's open question, if there is one, wait no longer."""

        def drop(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                db.execute(DROP, (thread_id,))

        await self.database.call(drop)

    async def numbered(self, thread_id: str) -> list[tuple[int, Run]]:
        """Every run of a thread with its number, which no later one ever has; oldest first."""

        def numbered(db: sqlite3.Connection) -> list[tuple[int, Run]]:
            rows = db.execute(
                "SELECT * FROM runs WHERE thread_id = ? ORDER BY number", (thread_id,)
            )
            return [(row[-1], _as_run(row)) for row in rows]

        return await self.database.call(numbered)

    async def active(self) -> list[Run]:
        """The runs that have not ended, oldest first."""

        def active(db: sqlite3.Connection) -> list[Run]:
            return [
                _as_run(row)
                for row in db.execute("SELECT * FROM runs WHERE ended_at IS NULL ORDER BY rowid")
            ]

        return await self.database.call(active)

    async def events(self, run: Run) -> list[Event]:
        """Every event of `run` so far, in order."""

        def events(db: sqlite3.Connection) -> list[Event]:
            rows = db.execute(
                "SELECT id, event, data, part FROM events WHERE run_id = ? ORDER BY id",
                (run.run_id,),
            )
            return [Event(*row) for row in rows]

        return await self.database.call(events)

    async def run(self, thread_id: str, run_id: str) -> Run:
        """Raises `NotFound` (`unknown_thread`, `unknown_run`)."""
        return await self.database.call(lambda db: _run_row(db, thread_id, run_id))

    async def thread(self, thread_id: str) -> Thread:
        """Raises `NotFound` (`unknown_thread`)."""
        return await self.database.call(lambda db: _read_thread(db, thread_id))

    async def check_thread(self, thread_id: str) -> None:
        """Raises `NotFound` (`unknown_thread`)."""
        await self.database.call(lambda db: _thread_row(db, thread_id))

    async def make_thread(self, thread_id: str, metadata: Mapping[str, Any]) -> None:
        """Make an empty thread. Raises `Conflict` (`thread_exists`)."""

        def make(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                try:
                    _insert_thread(db, thread_id, metadata)
                except sqlite3.IntegrityError as error:
                    message = f"There is a thread {thread_id[:60]!r} already: choose another id."
                    raise Conflict(message, code="thread_exists") from error

        await self.database.call(make)

    async def note_on_thread(self, thread_id: str, metadata: Mapping[str, Any]) -> None:
        """Add `metadata` to what the thread's callers have noted. Raises `NotFound` (`unknown_thread`)."""

        def note(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                *_, kept = _thread_row(db, thread_id)
                row = (_dump({**json.loads(kept), **metadata}), now(), thread_id)
                db.execute(
                    "UPDATE threads SET metadata = ?, updated_at = ? WHERE thread_id = ?", row
                )

        await self.database.call(note)

    async def named(self, pattern: re.Pattern[str], thread_id: str | None = None) -> set[str]:
        """Return every match of `pattern` in what is kept of a thread, or of all, and in the callers' items."""

        def named(db: sqlite3.Connection) -> set[str]:
            if thread_id is None:
                rows = db.execute(
                    "SELECT input FROM runs UNION ALL SELECT data FROM events UNION ALL"
                    " SELECT part FROM events WHERE part IS NOT NULL UNION ALL SELECT value FROM items"
                )
            else:
                rows = db.execute(
                    "SELECT input FROM runs WHERE thread_id = :t UNION ALL"
                    " SELECT data FROM events WHERE thread_id = :t UNION ALL"
                    " SELECT part FROM events WHERE part IS NOT NULL AND thread_id = :t",
                    {"t": thread_id},
                )
            return {match for (text,) in rows for match in pattern.findall(text)}

        return await self.database.call(named)

    async def note_upload(self, artifact_id: str) -> None:
        """Remember that somebody has brought an artifact, and may name it soon."""

        def note(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?)", (artifact_id, now()))

        await self.database.call(note)

    async def uploads(self, since: str) -> set[str]:
        """Return the artifacts that were brought since then, and forget of the others that they were."""

        def uploads(db: sqlite3.Connection) -> set[str]:
            with transaction(db, durable=False):
                db.execute("DELETE FROM uploads WHERE created_at < ?", (since,))
            return {row[0] for row in db.execute("SELECT artifact_id FROM uploads")}

        return await self.database.call(uploads)

    async def size(self) -> int:
        """Return how many bytes the log takes, free pages of its file apart."""
        return await self.database.call(lambda db: int(db.execute(SQLITE_USED).fetchone()[0]))

    async def idle_threads(self, before: str | None = None) -> list[str]:
        """Return the threads on which nothing is under way, oldest change first; those unchanged since `before`."""

        def idle(db: sqlite3.Connection) -> list[str]:
            rows = db.execute(
                "SELECT thread_id FROM threads WHERE updated_at < ? AND thread_id NOT IN"
                " (SELECT thread_id FROM runs WHERE ended_at IS NULL) ORDER BY updated_at, rowid",
                (before or now(),),
            )
            return [row[0] for row in rows]

        return await self.database.call(idle)

    async def copy_thread(self, source: str, target: str, runs: Mapping[str, str]) -> None:
        """Copy a thread with those of its runs that `runs` maps to their copies, and its open question.

        Raises `NotFound` (`unknown_thread`), `Conflict` (`thread_busy`).
        """

        def copy(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                *_, metadata = _thread_row(db, source)
                if _active(db, source):
                    raise _busy()
                _insert_thread(db, target, json.loads(metadata))
                for own, copied in runs.items():
                    _copy_run(db, own, copied, target)
                db.execute(
                    "UPDATE threads SET begun = (SELECT begun FROM threads WHERE thread_id = ?)"
                    " WHERE thread_id = ?",
                    (source, target),
                )

        await self.database.call(copy)

    async def forget_thread(self, thread_id: str) -> None:
        """Delete a thread and all its runs; until `wipe`, free pages of the file may hold words of them.

        Raises `NotFound` (`unknown_thread`), `Conflict` (`thread_busy`).
        """

        def forget(db: sqlite3.Connection) -> None:
            with transaction(db, durable=True):
                _thread_row(db, thread_id)
                if _active(db, thread_id):
                    raise _busy()
                _delete_runs(db, "thread_id = ?", thread_id)
                db.execute("DELETE FROM threads WHERE thread_id = ?", (thread_id,))

        await self.database.call(forget)

    async def wipe(self) -> None:
        """Let the file hold nothing that was deleted."""
        await self.database.call(wipe)


def _dump(data: Mapping[str, Any]) -> str:
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


def _busy() -> Conflict:
    return Conflict(
        "A render is under way on this thread: wait for its end, or cancel it.", code="thread_busy"
    )


def _insert_thread(db: sqlite3.Connection, thread_id: str, metadata: Mapping[str, Any]) -> None:
    if not THREAD_ID.fullmatch(thread_id):
        message = f"{thread_id[:60]!r} is no thread id: take up to 100 letters, digits, - and _."
        raise InvalidRequest(message, code="invalid_thread_id")
    moment = now()
    db.execute(
        "INSERT INTO threads (thread_id, created_at, updated_at, metadata) VALUES (?, ?, ?, ?)",
        (thread_id, moment, moment, _dump(metadata)),
    )


def _touch(db: sqlite3.Connection, thread_id: str, moment: str) -> None:
    db.execute("UPDATE threads SET updated_at = ? WHERE thread_id = ?", (moment, thread_id))


def _insert_run(db: sqlite3.Connection, run: Run) -> None:
    """Its number is one that its thread has never given, or a reader would miss it behind a run rolled back."""
    db.execute("UPDATE threads SET begun = begun + 1 WHERE thread_id = ?", (run.thread_id,))
    db.execute(
        "INSERT INTO runs (run_id, thread_id, status, input, created_at, caller, wire, number)"
        " SELECT ?, thread_id, ?, ?, ?, ?, ?, begun FROM threads WHERE thread_id = ?",
        (
            run.run_id,
            run.status,
            _dump(run.input),
            run.created_at,
            run.caller,
            _dump(run.wire),
            run.thread_id,
        ),
    )
    _touch(db, run.thread_id, run.created_at)


def _insert_event(db: sqlite3.Connection, run: Run, event: Event) -> None:
    db.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)",
        (run.run_id, event.id, run.thread_id, event.event, event.data, event.part),
    )


def _copy_run(db: sqlite3.Connection, own: str, copied: str, thread_id: str) -> None:
    db.execute(
        "INSERT INTO runs SELECT ?, ?, status, input, created_at, ended_at, caller, wire, stop, number"
        " FROM runs WHERE run_id = ?",
        (copied, thread_id, own),
    )
    db.execute(
        "INSERT INTO events SELECT ?, id, ?, event, CASE event"
        " WHEN 'metadata' THEN json_set(data, '$.run_id', ?, '$.thread_id', ?) ELSE data END, part FROM events"
        " WHERE run_id = ?",
        (copied, thread_id, copied, thread_id, own),
    )
    db.execute(
        "INSERT INTO questions SELECT ?, interrupt_id, ?, status FROM questions WHERE run_id = ?",
        (thread_id, copied, own),
    )


def _delete_runs(db: sqlite3.Connection, where: str, value: str) -> None:
    chosen = f"SELECT run_id FROM runs WHERE {where}"  # noqa: S608  `where` is ours
    for table in ("events", "questions", "requests"):
        db.execute(f"DELETE FROM {table} WHERE run_id IN ({chosen})", (value,))  # noqa: S608
    db.execute(f"DELETE FROM runs WHERE {where}", (value,))  # noqa: S608


def _active(db: sqlite3.Connection, thread_id: str) -> list[Run]:
    rows = db.execute(
        "SELECT * FROM runs WHERE thread_id = ? AND ended_at IS NULL ORDER BY rowid",
        (thread_id,),
    )
    return [_as_run(row) for row in rows]


def _displace(db: sqlite3.Connection, run: Run, strategy: Strategy) -> tuple[Run, ...]:
    """Make room for `run` on its thread, as `strategy` says; return the runs that must stop."""
    others = _active(db, run.thread_id)
    if strategy == "enqueue" or not others:
        return ()
    if strategy == "reject":
        raise _busy()
    db.execute(
        "UPDATE runs SET stop = ? WHERE thread_id = ? AND ended_at IS NULL",
        (strategy, run.thread_id),
    )
    return tuple(others)


def _begun(db: sqlite3.Connection, once: Once) -> Run | None:
    row = db.execute(
        "SELECT digest, runs.* FROM requests JOIN runs USING (run_id) WHERE idempotency_key = ?",
        (once.key,),
    ).fetchone()
    if row is None:
        return None
    if row[0] != once.digest:
        raise Conflict(
            "This Idempotency-Key came with another request before: use a new one.",
            code="idempotency_mismatch",
        )
    return _as_run(row[1:])


def _drop_question(db: sqlite3.Connection, run: Run) -> None:
    if "answer" not in run.input:
        db.execute(DROP, (run.thread_id,))


def _take_question(db: sqlite3.Connection, thread_id: str, interrupt_id: str) -> None:
    taken = db.execute(
        "UPDATE questions SET status = 'answered'"
        " WHERE thread_id = ? AND interrupt_id = ? AND status = 'open'",
        (thread_id, interrupt_id),
    )
    if taken.rowcount:
        return
    known = db.execute(
        "SELECT 1 FROM questions WHERE thread_id = ? AND (interrupt_id = ? OR status = 'open')",
        (thread_id, interrupt_id),
    )
    if known.fetchone():
        raise Conflict(
            "This is not the question that waits for an answer: read the thread again.",
            code="stale_choice",
        )
    raise Conflict("Nobody asked: this thread has no question.", code="no_question")


def _reopen_question(db: sqlite3.Connection, thread_id: str) -> None:
    """Open the question in which the thread's last run ended, if it did."""
    db.execute(
        "UPDATE questions SET status = 'open' WHERE run_id = ("
        "SELECT run_id FROM runs WHERE thread_id = ? ORDER BY rowid DESC LIMIT 1"
        ") AND run_id IN (SELECT run_id FROM runs WHERE ended_at IS NOT NULL)",
        (thread_id,),
    )


def _run_row(db: sqlite3.Connection, thread_id: str, run_id: str) -> Run:
    _thread_row(db, thread_id)
    row = db.execute(
        "SELECT * FROM runs WHERE thread_id = ? AND run_id = ?", (thread_id, run_id)
    ).fetchone()
    if row is None:
        raise NotFound(
            f"There is no run {run_id[:60]!r} on this thread: check the id.", code="unknown_run"
        )
    return _as_run(row)


def _thread_row(db: sqlite3.Connection, thread_id: str) -> tuple[str, str, str]:
    row = db.execute(
        "SELECT created_at, updated_at, metadata FROM threads WHERE thread_id = ?", (thread_id,)
    ).fetchone()
    if row is None:
        raise NotFound(
            f"There is no thread {thread_id[:60]!r}: send the message without one to begin it.",
            code="unknown_thread",
        )
    return row[0], row[1], row[2]


def _read_thread(db: sqlite3.Connection, thread_id: str) -> Thread:
    created_at, updated_at, metadata = _thread_row(db, thread_id)
    runs = db.execute("SELECT * FROM runs WHERE thread_id = ? ORDER BY rowid", (thread_id,))
    results = db.execute(
        "SELECT run_id, data FROM runs JOIN events USING (run_id)"
        " WHERE runs.thread_id = ? AND event = 'result' ORDER BY runs.rowid",
        (thread_id,),
    )
    asked = db.execute(
        "SELECT data FROM questions JOIN events USING (run_id)"
        " WHERE questions.thread_id = ? AND status = 'open' AND event = 'interrupt'",
        (thread_id,),
    ).fetchone()
    return Thread(
        thread_id=thread_id,
        created_at=created_at,
        updated_at=updated_at,
        metadata=json.loads(metadata),
        runs=tuple(map(_as_run, runs)),
        results=tuple({"run_id": run_id, **json.loads(data)} for run_id, data in results),
        question=json.loads(asked[0]) if asked else None,
    )


def _as_run(row: tuple[Any, ...]) -> Run:
    run_id, thread_id, status, given, created_at, ended_at, caller, wire, stop, _ = row
    return Run(
        thread_id,
        run_id,
        status,
        json.loads(given),
        created_at,
        ended_at,
        caller,
        json.loads(wire),
        stop,
    )
