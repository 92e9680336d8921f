"""Datasets: TOML and JSONL files of `evals/datasets`, checked before any work starts."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.errors import InvalidRequest

FOLDER = Path(__file__).parent / "datasets"
SPLITS = ("dev", "test")

Row = Mapping[str, Any]


class DatasetError(InvalidRequest):
    """A dataset is missing or malformed; the message names the file and the line."""

    code = "broken_dataset"


def read_rows(name: str, table: str, fields: Mapping[str, type]) -> list[dict[str, Any]]:
    """The rows of a dataset: `[[table]]` of a TOML file, or every line of a JSONL file.

    Each has all of `fields`, of these types, and nothing else but what ends in `?` in `fields`, which may be missing.
    Every row also gets `"line"`, where it stands. Raises `DatasetError`, which names the file and the line.
    """
    file = FOLDER / name
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise DatasetError(f"{name}: {error.strerror}; it belongs in evals/datasets.") from error
    except UnicodeDecodeError as error:
        line = text_before(file, error.start).count("\n") + 1
        raise DatasetError(f"{name}, line {line}: this is not UTF-8.") from error
    rows = _jsonl(name, text) if file.suffix == ".jsonl" else _toml(name, text, table)
    if not rows:
        raise DatasetError(f"{name}: there is no row ([[{table}]]) in it.")
    for row in rows:
        _check(name, row, fields)
    return rows


def text_before(file: Path, byte: int) -> str:
    """What stands before a byte of a file, damaged or not."""
    return file.read_bytes()[:byte].decode("utf-8", "replace")


def _toml(name: str, text: str, table: str) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"{name}: {error}.") from error
    rows = document.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{name}: {table!r} must be a list of tables, [[{table}]].")
    starts = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if re.fullmatch(rf"\s*\[\[\s*{re.escape(table)}\s*\]\]\s*(#.*)?", line)
    ]
    if len(starts) != len(rows):
        raise DatasetError(f"{name}: write every row as a table of its own, [[{table}]].")
    return [{**row, "line": line} for row, line in zip(rows, starts, strict=True)]


def _jsonl(name: str, text: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{name}, line {number}: {error}.") from error
        if not isinstance(row, dict):
            raise DatasetError(f"{name}, line {number}: a row is a JSON object, not {line[:40]!r}.")
        rows.append({**row, "line": number})
    return rows


def _check(name: str, row: Row, fields: Mapping[str, type]) -> None:
    known = {field.removesuffix("?"): kind for field, kind in fields.items()}
    where = f"{name}, line {row['line']}"
    for field, kind in fields.items():
        if field.endswith("?"):
            continue
        if field not in row:
            raise DatasetError(f"{where}: {field!r} is missing.")
        if kind is str and isinstance(row[field], str) and not row[field].strip():
            raise DatasetError(f"{where}: {field!r} is empty.")
    for field, value in row.items():
        if field == "line":
            continue
        if field not in known:
            raise DatasetError(f"{where}: {field!r} is unknown; a row has {', '.join(known)}.")
        if not isinstance(value, known[field]) or isinstance(value, bool) is not (
            known[field] is bool
        ):
            raise DatasetError(
                f"{where}: {field!r} must be {known[field].__name__}, not {value!r:.60}."
            )


def row_id(*parts: object) -> str:
    """A short id of a row's content: it survives rows that come and go before it."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:10]


def dataset_hash(names: Sequence[str]) -> str:
    """Twelve characters that name the exact content of some datasets. Raises `DatasetError`."""
    digest = hashlib.sha256()
    for name in names:
        try:
            content = (FOLDER / name).read_bytes()
        except OSError as error:
            raise DatasetError(
                f"{name}: {error.strerror}; it belongs in evals/datasets."
            ) from error
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]
