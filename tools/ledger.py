"""The registry's SQLite file: what was registered, and an append-only log of all that was done since."""

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from tools.disk import writing
from tools.versions import KINDS, Kind

Alias = Literal["production", "staging", "previous"]
Deed = Literal["register", "promote", "refuse", "rollback", "unalias"]
Aliases = Mapping[str, Mapping[str, str]]  # kind, alias: what it names, where it names something

PATIENCE_S = 30.0  # with another process that writes
TABLES = """
CREATE TABLE versions (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    created TEXT NOT NULL,
    note TEXT NOT NULL,
    source TEXT NOT NULL,
    card TEXT NOT NULL
);
CREATE TABLE log (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    version TEXT,
    alias TEXT,
    before TEXT,
    reason TEXT NOT NULL,
    forced INTEGER NOT NULL,
    detail TEXT NOT NULL
);
"""
GUARD = """
CREATE TRIGGER {table}_stay_{number} BEFORE {change} BEGIN
    SELECT RAISE(ABORT, 'the {table} of the registry can only grow');
END;
"""
SELECT_VERSIONS = """
SELECT name, kind, created, note, source, card, (
    SELECT json_extract(detail, '$.run') FROM log
    WHERE version = versions.name AND json_extract(detail, '$.run') IS NOT NULL ORDER BY number DESC LIMIT 1
) FROM versions ORDER BY created DESC, name
"""
SELECT_ALIASES = """
SELECT kind, alias, version FROM log WHERE number IN (
    SELECT max(number) FROM log WHERE alias IS NOT NULL GROUP BY kind, alias
)
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version."""

    name: str  # "starter@ab12cd34ef56"
    kind: Kind
    created: str  # ISO 8601, UTC
    note: str
    source: str  # the folder it was copied from
    card: str  # path of its model card in its folder; "": it has none
    eval_run: str | None = None  # the newest that was made of it


@dataclass(frozen=True, slots=True)
class Action:
    """A line of the log."""

    action: Deed
    kind: Kind
    version: str | None  # None: the alias names nothing any more
    alias: Alias | None = None
    before: str | None = None  # what the alias named
    reason: str = ""
    forced: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)
    time: str = ""  # ISO 8601, UTC; the ledger writes it
    number: int = 0  # from 1; the ledger gives it


class Ledger:
    """Versions and log in `folder`/registry.db. Every call is blocking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "registry.db"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes in the folder, made where it is missing. Raises `DiskFailed`."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def append(self, *actions: Action, version: Version | None = None) -> None:
        """Add lines to the log, and `version` to the versions: all or nothing, and on the disk. Only while `alone`."""
        with closing(self._connect()) as db:
            if not db.execute("PRAGMA user_version").fetchone()[0]:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(
                    f"BEGIN;{TABLES}{''.join(_guards())}PRAGMA user_version = 1;COMMIT;"
                )
            db.execute(
                "BEGIN IMMEDIATE"
            )  # a connection that is closed before its COMMIT has done nothing
            if version:
                row = (version.name, version.kind, version.created, version.note, version.source)
                db.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)", (*row, version.card))
            for action in actions:
                _insert(db, action)
            db.execute("COMMIT")

    def versions(self) -> list[Version]:
        """Every registered version, newest first."""
        return [Version(*row) for row in self._rows(SELECT_VERSIONS)]

    def aliases(self) -> Aliases:
        """What each alias of each kind names."""
        found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        for kind, alias, name in self._rows(SELECT_ALIASES):
            if name is not None:
                found[kind][alias] = name
        return found

    def log(self) -> list[Action]:
        """Every line, oldest first."""
        return [_action(*row) for row in self._rows("SELECT * FROM log ORDER BY number")]

    def last(self) -> int:
        """The number of the newest line; 0 where there is none."""
        return sum(number or 0 for (number,) in self._rows("SELECT max(number) FROM log"))

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        if not self._file.is_file():
            return []
        with writing(self.folder), closing(self._connect()) as db:
            made = db.execute("PRAGMA user_version").fetchone()[0]
            return db.execute(query).fetchall() if made else []

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, timeout=PATIENCE_S, isolation_level=None)
        db.execute("PRAGMA synchronous = FULL")
        return db


def now() -> str:
    """The present moment as the ledger writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _guards() -> Iterator[str]:
    """Triggers that refuse every change but a new row; `INSERT OR REPLACE` would fire no other one."""
    for table, key in (("versions", "name"), ("log", "number")):
        again = f"INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608
        changes = (f"UPDATE ON {table}", f"DELETE ON {table}", again)
        for number, change in enumerate(changes):
            yield GUARD.format(table=table, number=number, change=change)


def _action(number: int, time: str, *row: Any) -> Action:
    *what, forced, detail = row
    return replace(
        Action(*what), forced=bool(forced), detail=json.loads(detail), time=time, number=number
    )


def _insert(db: sqlite3.Connection, action: Action) -> None:
    row = (
        now(),
        action.action,
        action.kind,
        action.version,
        action.alias,
        action.before,
        action.reason,
        action.forced,
        json.dumps(dict(action.detail)),
    )
    db.execute(
        "INSERT INTO log (time, action, kind, version, alias, before, reason, forced, detail)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
