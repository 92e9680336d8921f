"""Keep JSON objects under a key: the protocol's store, in the studio's own database. It matches, it does not search."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from server.agent.desk import DeskDep, Unsupported
from server.agent.schemas import Item, ItemKey, ItemSearch, NamespaceSearch
from server.database import transaction
from server.eventlog import now
from server.problems import PROBLEMS

router = APIRouter(prefix="/store", tags=["agent server"], responses=PROBLEMS)

SEPARATOR = "."  # of labels, which hold none

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda held, wanted: held == wanted,
    "$ne": lambda held, wanted: held != wanted,
    "$gt": lambda held, wanted: held > wanted,
    "$gte": lambda held, wanted: held >= wanted,
    "$lt": lambda held, wanted: held < wanted,
    "$lte": lambda held, wanted: held <= wanted,
}


@router.put("/items", status_code=204)
async def put(item: Item, desk: DeskDep) -> None:
    """Keep an object under its key, in place of what was there."""
    if item.ttl is not None:
        raise Unsupported("ttl is not served here: delete the item when its time has come.")
    moment = now()
    row = (SEPARATOR.join(item.namespace), item.key, json.dumps(item.value), moment, moment)

    def write(db: sqlite3.Connection) -> None:
        with transaction(db, durable=True):
            db.execute(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET value = excluded.value, updated_at = excluded.updated_at",
                row,
            )

    await desk.log.database.call(write)


@router.get("/items")
async def get(
    desk: DeskDep,
    key: Annotated[str, Query(min_length=1, max_length=500)],
    namespace: Annotated[str, Query(max_length=2100)] = "",
) -> dict[str, Any] | None:
    """Show the object under a key of a namespace, whose labels stand between dots; null where there is none."""

    def read(db: sqlite3.Connection) -> dict[str, Any] | None:
        row = db.execute(
            "SELECT * FROM items WHERE namespace = ? AND key = ?", (namespace, key)
        ).fetchone()
        return _item(row) if row else None

    return await desk.log.database.call(read)


@router.delete("/items", status_code=204)
async def delete(item: ItemKey, desk: DeskDep) -> None:
    """Forget the object under a key."""

    def remove(db: sqlite3.Connection) -> None:
        with transaction(db, durable=True):
            db.execute(
                "DELETE FROM items WHERE namespace = ? AND key = ?",
                (SEPARATOR.join(item.namespace), item.key),
            )

    await desk.log.database.call(remove)


@router.post("/items/search")
async def search(wanted: ItemSearch, desk: DeskDep) -> dict[str, list[dict[str, Any]]]:
    """List the objects below a namespace whose fields are as `filter` says, the newest first."""
    if wanted.query:
        raise Unsupported("Items are not searched by meaning: use filter.")
    prefix = SEPARATOR.join(wanted.namespace_prefix)

    def read(db: sqlite3.Connection) -> list[dict[str, Any]]:
        rows = db.execute(
            "SELECT * FROM items WHERE ?1 = '' OR namespace = ?1"
            " OR substr(namespace, 1, length(?1) + 1) = ?1 || '.' ORDER BY updated_at DESC, namespace, key",
            (prefix,),
        )
        return [item for item in map(_item, rows) if _fits(item["value"], wanted.filter or {})]

    found = await desk.log.database.call(read)
    return {"items": found[wanted.offset :][: wanted.limit]}


@router.post("/namespaces")
async def namespaces(wanted: NamespaceSearch, desk: DeskDep) -> dict[str, list[list[str]]]:
    """List the namespaces that hold something."""

    def read(db: sqlite3.Connection) -> list[list[str]]:
        rows = db.execute("SELECT DISTINCT namespace FROM items ORDER BY namespace")
        return [name.split(SEPARATOR) if name else [] for (name,) in rows]

    found = [
        tuple(labels[: wanted.max_depth])
        for labels in await desk.log.database.call(read)
        if _begins(labels, wanted.prefix or [])
        and _begins(labels[::-1], (wanted.suffix or [])[::-1])
    ]
    distinct = [list(labels) for labels in dict.fromkeys(found)]
    return {"namespaces": distinct[wanted.offset :][: wanted.limit]}


def _item(row: tuple[str, str, str, str, str]) -> dict[str, Any]:
    namespace, key, value, created_at, updated_at = row
    return {
        "namespace": namespace.split(SEPARATOR) if namespace else [],
        "key": key,
        "value": json.loads(value),
        "created_at": created_at,
        "updated_at": updated_at,
    }


def _fits(value: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in value and _matches(value[name], each) for name, each in wanted.items())


def _matches(held: Any, wanted: Any) -> bool:
    if not (isinstance(wanted, dict) and wanted and wanted.keys() <= OPERATORS.keys()):
        return bool(held == wanted)
    try:
        return all(OPERATORS[name](held, operand) for name, operand in wanted.items())
    except TypeError:  # 3 > "a"
        return False


def _begins(labels: list[str], pattern: list[str]) -> bool:
    return len(labels) >= len(pattern) and all(
        wanted in ("*", label) for wanted, label in zip(pattern, labels, strict=False)
    )
