"""Threads, runs and their events on disk: what is told here survives the process."""

import asyncio
import fcntl
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from server.events import Status, Told
from tools.errors import Conflict, EngineBusy, NotFound

T = TypeVar("T")

SCHEMA = """
CREATE TABLE threads (
    thread_id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL
);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    thread_id TEXT NOT NULL REFERENCES threads,
    status TEXT NOT NULL,
    input TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT
);
CREATE INDEX runs_of_thread ON runs (thread_id);
CREATE UNIQUE INDEX one_running_per_thread ON runs (thread_id) WHERE status = 'running';
CREATE TABLE events (
    run_id TEXT NOT NULL REFERENCES runs,
    id INTEGER NOT NULL,
    thread_id TEXT NOT NULL,
    event TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (run_id, id)
) WITHOUT ROWID;
CREATE TABLE questions (
    thread_id TEXT NOT NULL,
    interrupt_id TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs,
    status TEXT NOT NULL,
    PRIMARY KEY (thread_id, interrupt_id)
) WITHOUT ROWID;
"""

SINCE_2 = """
CREATE TABLE requests (
    idempotency_key TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs
) WITHOUT ROWID;
PRAGMA user_version = 2;
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's log."""

    id: int  # 1, 2, 3, ... within the run
    event: str
    data: str  # JSON in one line of ASCII


@dataclass(frozen=True, slots=True)
class Run:
    """One execution on a thread."""

    thread_id: str
    run_id: str
    status: Literal["running"] | Status
    input: Mapping[str, Any]  # {"request": Request} or {"answer": {interrupt id: StyleChoice}}
    created_at: str  # ISO 8601, UTC
    ended_at: str | None = None


@dataclass(frozen=True, slots=True)
class Once:
    """What makes a request that is sent again the same request."""

    key: str  # the caller's `Idempotency-Key`
    digest: str  # of all that was sent


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation and all that came of it, oldest first."""

    thread_id: str
    created_at: str
    runs: tuple[Run, ...]
    results: tuple[Mapping[str, Any], ...]  # data of `result` events, with the `run_id`
    question: Mapping[str, Any] | None  # data of the `interrupt` event that waits for an answer


def as_event(number: int, told: Told) -> Event:
    """Give a told event its place in the log. Raises `ValueError` for NaN, for JSON has none."""
    name, data = told
    return Event(number, name, json.dumps(data, allow_nan=False, separators=(",", ":")))


def now() -> str:
    """The present moment as the log writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class EventLog:
    """An append-only log in SQLite. One thread owns the connection, so calls keep their order."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._db = connection
        self._thread = thread

    async def begin(
        self,
        run: Run,
        first: Event,
        *,
        new_thread: bool,
        answers: str | None,
        most: int,
        once: Once | None = None,
    ) -> Run:
        """Put a run and its first event on disk, all or nothing, and return it; or the run that `once` began before.

        `answers` names the question it answers; without one the thread's open question is dropped.
        Raises `NotFound` (`unknown_thread`), `Conflict` (`thread_busy`, `stale_choice`, `no_question`,
        `idempotency_mismatch`), `EngineBusy` when `most` runs are under way.
        """
        return await self._call(lambda: self._begin(run, first, new_thread, answers, most, once))

    async def append(self, run: Run, event: Event) -> None:
        """Add `event` to a run that is under way."""
        await self._call(lambda: self._append(run, event))

    async def finish(
        self, run: Run, status: Status, events: Sequence[Event], question: str | None
    ) -> None:
        """End a run with its last events, and leave `question` open, in one stroke."""
        await self._call(lambda: self._finish(run, status, events, question))

    async def running(self) -> list[Run]:
        """The runs that have not ended, oldest first."""
        return await self._call(self._running)

    async def events(self, run: Run) -> list[Event]:
        """Every event of `run` so far, in order."""
        return await self._call(lambda: self._events(run))

    async def run(self, thread_id: str, run_id: str) -> Run:
        """Raises `NotFound` (`unknown_thread`, `unknown_run`)."""
        return await self._call(lambda: self._run(thread_id, run_id))

    async def thread(self, thread_id: str) -> Thread:
        """Raises `NotFound` (`unknown_thread`)."""
        return await self._call(lambda: self._read_thread(thread_id))

    async def check_thread(self, thread_id: str) -> None:
        """Raises `NotFound` (`unknown_thread`)."""
        await self._call(lambda: self._thread_made(thread_id))

    async def _call(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[None]:
        """`durable` outlives a power cut, for a disk sync; anything outlives the process."""
        self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _begin(
        self,
        run: Run,
        first: Event,
        new_thread: bool,
        answers: str | None,
        most: int,
        once: Once | None,
    ) -> Run:
        with self._transaction(durable=True):
            if earlier := once and self._begun(once):
                return earlier
            if new_thread:
                values = (run.thread_id, run.created_at)
                self._db.execute("INSERT INTO threads VALUES (?, ?)", values)
            else:
                self._thread_made(run.thread_id)
            self._close_question(run.thread_id, answers)
            try:
                self._db.execute(
                    "INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL)",
                    (run.run_id, run.thread_id, run.status, json.dumps(run.input), run.created_at),
                )
            except sqlite3.IntegrityError as error:
                raise Conflict(
                    "A render is under way on this thread: wait for its end, or cancel it.",
                    code="thread_busy",
                ) from error
            (running,) = self._db.execute(
                "SELECT count(*) FROM runs WHERE status = 'running'"
            ).fetchone()
            if running > most:
                raise EngineBusy("The studio has as many renders waiting as it takes: try later.")
            self._insert(run, first)
            if once:
                self._db.execute(
                    "INSERT INTO requests VALUES (?, ?, ?)", (once.key, once.digest, run.run_id)
                )
        return run

    def _begun(self, once: Once) -> Run | None:
        row = self._db.execute(
            "SELECT digest, runs.* FROM requests JOIN runs USING (run_id)"
            " WHERE idempotency_key = ?",
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

    def _close_question(self, thread_id: str, answers: str | None) -> None:
        if answers is None:
            self._db.execute(
                "UPDATE questions SET status = 'dropped' WHERE thread_id = ? AND status = 'open'",
                (thread_id,),
            )
            return
        closed = self._db.execute(
            "UPDATE questions SET status = 'answered'"
            " WHERE thread_id = ? AND interrupt_id = ? AND status = 'open'",
            (thread_id, answers),
        )
        if closed.rowcount:
            return
        known = self._db.execute(
            "SELECT 1 FROM questions WHERE thread_id = ? AND (interrupt_id = ? OR status = 'open')",
            (thread_id, answers),
        )
        if known.fetchone():
            raise Conflict(
                "This is not the question that waits for an answer: read the thread again.",
                code="stale_choice",
            )
        raise Conflict("Nobody asked: this thread has no question.", code="no_question")

    def _append(self, run: Run, event: Event) -> None:
        with self._transaction(durable=False):
            self._insert(run, event)

    def _finish(
        self, run: Run, status: Status, events: Sequence[Event], question: str | None
    ) -> None:
        with self._transaction(durable=True):
            self._end(run, status, events)
            if question is not None:
                self._db.execute(
                    "INSERT INTO questions VALUES (?, ?, ?, 'open')"
                    " ON CONFLICT DO UPDATE SET status = 'open'",
                    (run.thread_id, question, run.run_id),
                )

    def _end(self, run: Run, status: Status, events: Sequence[Event]) -> None:
        for event in events:
            self._insert(run, event)
        self._db.execute(
            "UPDATE runs SET status = ?, ended_at = ? WHERE run_id = ? AND status = 'running'",
            (status, now(), run.run_id),
        )

    def _insert(self, run: Run, event: Event) -> None:
        self._db.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            (run.run_id, event.id, run.thread_id, event.event, event.data),
        )

    def _running(self) -> list[Run]:
        rows = self._db.execute("SELECT * FROM runs WHERE status = 'running' ORDER BY rowid")
        return [_as_run(row) for row in rows]

    def _events(self, run: Run) -> list[Event]:
        rows = self._db.execute(
            "SELECT id, event, data FROM events WHERE run_id = ? ORDER BY id", (run.run_id,)
        )
        return [Event(*row) for row in rows]

    def _run(self, thread_id: str, run_id: str) -> Run:
        self._thread_made(thread_id)
        row = self._db.execute(
            "SELECT * FROM runs WHERE thread_id = ? AND run_id = ?", (thread_id, run_id)
        ).fetchone()
        if row is None:
            raise NotFound(
                f"There is no run {run_id[:60]!r} on this thread: check the id.",
                code="unknown_run",
            )
        return _as_run(row)

    def _thread_made(self, thread_id: str) -> str:
        row = self._db.execute(
            "SELECT created_at FROM threads WHERE thread_id = ?", (thread_id,)
        ).fetchone()
        if row is None:
            raise NotFound(
                f"There is no thread {thread_id[:60]!r}: send the message without one to begin it.",
                code="unknown_thread",
            )
        return str(row[0])

    def _read_thread(self, thread_id: str) -> Thread:
        created_at = self._thread_made(thread_id)
        runs = self._db.execute(
            "SELECT * FROM runs WHERE thread_id = ? ORDER BY rowid", (thread_id,)
        )
        results = self._db.execute(
            "SELECT run_id, data FROM runs JOIN events USING (run_id)"
            " WHERE runs.thread_id = ? AND event = 'result' ORDER BY runs.rowid",
            (thread_id,),
        )
        asked = self._db.execute(
            "SELECT data FROM questions JOIN events USING (run_id)"
            " WHERE questions.thread_id = ? AND status = 'open' AND event = 'interrupt'",
            (thread_id,),
        ).fetchone()
        return Thread(
            thread_id=thread_id,
            created_at=created_at,
            runs=tuple(map(_as_run, runs)),
            results=tuple({"run_id": run_id, **json.loads(data)} for run_id, data in results),
            question=json.loads(asked[0]) if asked else None,
        )


@asynccontextmanager
async def open_log(data_dir: Path) -> AsyncIterator[EventLog]:
    """Open the log in `data_dir`, made when missing. One process at a time.

    Raises `Conflict` (`data_dir_in_use`), for a second studio would end the runs of the first.
    """
    await asyncio.to_thread(data_dir.mkdir, parents=True, exist_ok=True)
    with (data_dir / "studio.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another studio works in {data_dir}: stop it, or set ARTISAN_DATA_DIR.",
                code="data_dir_in_use",
            ) from error
        with ThreadPoolExecutor(1, thread_name_prefix="event-log") as thread:
            loop = asyncio.get_running_loop()
            connection = await loop.run_in_executor(thread, _connect, data_dir / "studio.db")
            try:
                yield EventLog(connection, thread)
            finally:
                await loop.run_in_executor(thread, connection.close)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN;{SCHEMA}{SINCE_2}COMMIT;")
    elif version == 1:
        connection.executescript(f"BEGIN;{SINCE_2}COMMIT;")
    return connection


def _as_run(row: tuple[Any, ...]) -> Run:
    run_id, thread_id, status, given, created_at, ended_at = row
    return Run(thread_id, run_id, status, json.loads(given), created_at, ended_at)
