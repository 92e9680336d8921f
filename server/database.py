"""The studio's SQLite file: its tables, and the one thread that may touch them."""

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

from tools.disk import check_writable, writing
from tools.errors import Conflict

T = TypeVar("T")

VERSIONS = (  # each brings a file of the version before it up to date
    """
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
""",
    """
CREATE TABLE requests (
    idempotency_key TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs
) WITHOUT ROWID;
""",
    """
ALTER TABLE threads ADD COLUMN updated_at TEXT NOT NULL DEFAULT '';
ALTER TABLE threads ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
UPDATE threads SET updated_at = created_at;
ALTER TABLE runs ADD COLUMN caller TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN wire TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN stop TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN part TEXT;
CREATE INDEX runs_by_status ON runs (status);
CREATE INDEX threads_by_update ON threads (updated_at);
CREATE TABLE uploads (
    artifact_id TEXT PRIMARY KEY,
    created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE items (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
""",
    """
ALTER TABLE threads ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET number = rowid;
UPDATE threads SET begun = (SELECT coalesce(max(number), 0) FROM runs WHERE runs.thread_id = threads.thread_id);
""",
)


class Database:
    """A connection and the thread that owns it, so calls keep their order."""

    def __init__(
        self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, folder: Path
    ) -> None:
        self._connection = connection
        self._thread = thread
        self._folder = folder

    async def call(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `job(connection)` returns. Raises `DiskFailed` for what the disk refuses."""
        loop = asyncio.get_running_loop()
        with writing(self._folder):
            return await loop.run_in_executor(self._thread, job, self._connection)


@contextmanager
def transaction(db: sqlite3.Connection, *, durable: bool) -> Iterator[None]:
    """All or nothing; `durable` outlives a power cut, for a disk sync; anything outlives the process."""
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def wipe(db: sqlite3.Connection) -> None:
    """Let no file hold what was deleted. The file is written anew: pages that were split keep copies in their gaps."""
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@asynccontextmanager
async def open_database(data_dir: Path) -> AsyncIterator[Database]:
    """Open `studio.db` in `data_dir`, made when missing. One process at a time.

    Raises `DiskFailed` where it cannot be written, and `Conflict` (`data_dir_in_use`), for a second studio would take
    up the runs of the first. The lock is the kernel's own: it outlasts a stopped process (SIGSTOP) and not a dead one,
    so it needs no lease and no fencing token.
    """
    await asyncio.to_thread(check_writable, data_dir)
    with (data_dir / "studio.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another studio works in {data_dir}: stop it, or set ARTISAN_DATA_DIR.",
                code="data_dir_in_use",
            ) from error
        with ThreadPoolExecutor(1, thread_name_prefix="database") as thread:
            loop = asyncio.get_running_loop()
            connection = await loop.run_in_executor(thread, _connect, data_dir / "studio.db")
            try:
                yield Database(connection, thread, data_dir)
            finally:
                await loop.run_in_executor(thread, connection.close)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(VERSIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN;{script}PRAGMA user_version = {number};COMMIT;")
    return connection
