"""Eval runs on disk: a header, a line for every finished case, and the pictures. A killed run keeps what it had."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from evals.suite import Result, Score
from tools.errors import InvalidRequest, NotFound

HEADER, CASES, IMAGES = "run.json", "cases.jsonl", "images"

State = Literal["running", "finished", "stopped"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a run is of."""

    id: str
    created: str  # ISO 8601, UTC
    suites: tuple[str, ...]
    profile: str
    n: Mapping[str, int]  # cases of each suite
    seed: int
    quick: bool
    versions: Mapping[
        str, str
    ]  # of the engine, the code, the library, and of the parts of the release
    datasets: Mapping[str, str]  # by suite, the hash of what it read
    machine: str
    state: State = "running"
    elapsed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run and its results, in the order of the cases."""

    header: Header
    results: Mapping[str, tuple[Result, ...]]  # by suite
    folder: Path | None = field(default=None, compare=False)  # None: a baseline, without pictures

    @property
    def partial(self) -> bool:
        """Whether cases are missing."""
        return any(len(self.results.get(s, ())) < count for s, count in self.header.n.items())


def new_id() -> str:
    """Sorts by time, and two of one second differ."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def write_header(folder: Path, header: Header) -> None:
    """Put the header in place of an earlier one, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f"{HEADER}.half"
    half.write_text(json.dumps(asdict(header), indent=1) + "\n", "utf-8")
    half.replace(folder / HEADER)


def append(folder: Path, result: Result) -> None:
    """Add a line for a finished case, on disk when this returns. A line that a kill cut short stays one of its own."""
    line = json.dumps(asdict(result), allow_nan=False).encode() + b"\n"
    with (folder / CASES).open("a+b") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read_run(folder: Path) -> Run:
    """A run as far as it came; a line that a kill cut short is left out. Raises `NotFound`, `InvalidRequest`."""
    try:
        header = _header(json.loads((folder / HEADER).read_text("utf-8")))
    except OSError as error:
        raise NotFound(
            f"There is no eval run {folder.name!r}: `./artisan eval list` names them."
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidRequest(f"{folder.name}/{HEADER} is damaged: run the eval again.") from error
    found: dict[tuple[str, str], Result] = {}
    file = folder / CASES
    for line in file.read_text("utf-8", "replace").splitlines() if file.is_file() else ():
        try:
            result = _result(json.loads(line))
        except (ValueError, TypeError, KeyError):
            continue
        found[result.suite, result.case] = result
    results = {s: tuple(r for r in found.values() if r.suite == s) for s in header.suites}
    return Run(header, results, folder)


def list_runs(runs: Path) -> list[Run]:
    """Every run that can be read, newest first."""
    found = []
    for folder in sorted(runs.glob("*/"), reverse=True):
        try:
            found.append(read_run(folder))
        except (NotFound, InvalidRequest):
            continue
    return found


def save_baseline(file: Path, run: Run, with_facts: Collection[str]) -> None:
    """Write a run as one JSON file of bare scores: what a later one is compared with.

    Facts are kept of the suites `with_facts`, whose figures are made of them.
    """

    def bare(result: Result) -> dict[str, Any]:
        scores = {name: Score(score.value, "") for name, score in result.scores.items()}
        facts = result.facts if result.suite in with_facts else {}
        return asdict(
            replace(
                result, scores=scores, controls={}, facts=facts, images={}, inputs={}, elapsed_s=0.0
            )
        )

    lines = [f' "header": {json.dumps(asdict(run.header))}']
    for suite, results in run.results.items():
        body = ",\n  ".join(json.dumps(bare(r), separators=(",", ":")) for r in results)
        lines.append(f" {json.dumps(suite)}: [\n  {body}\n ]")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def read_baseline(file: Path) -> Run:
    """What `save_baseline` wrote. Raises `NotFound`, `InvalidRequest`."""
    try:
        document = json.loads(file.read_text("utf-8"))
        header = _header(document.pop("header"))
        results = {suite: tuple(map(_result, rows)) for suite, rows in document.items()}
    except OSError as error:
        raise NotFound(
            f"There is no baseline {file.name!r}: `./artisan eval list` names them."
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidRequest(f"The baseline {file.name} is damaged.") from error
    return Run(header, results)


def _header(document: dict[str, Any]) -> Header:
    return Header(**{**document, "suites": tuple(document["suites"])})


def _result(row: dict[str, Any]) -> Result:
    scores = {name: Score(**score) for name, score in row["scores"].items()}
    return Result(**{**row, "scores": scores})
