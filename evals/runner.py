"""Run suites: cases one after another or a few abreast, cached by content, resumed where a run was cut off."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from evals.data import dataset_hash
from evals.runs import IMAGES, Header, Run, State, append, new_id, read_run, write_header
from evals.subject import Subject, code_hash, open_subject
from evals.suite import Case, Outcome, Result, Score, Suite, choose
from tools.errors import AppError, Conflict, InvalidRequest

if TYPE_CHECKING:
    from PIL.Image import Image

    from graph.settings import Settings

log = logging.getLogger(__name__)

IMAGE_QUALITY = 90  # WebP, of the pictures in a report


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do; made, and so checked, before any work."""

    suites: tuple[Suite, ...]
    cases: Mapping[str, Sequence[Case]]  # by suite
    datasets: Mapping[str, str]  # by suite, the hash of what it reads
    seed: int
    quick: bool


@dataclass(frozen=True, slots=True)
class Done:
    """A case is finished: what a progress bar needs to know."""

    result: Result
    cached: bool


@dataclass(frozen=True, slots=True)
class Folders:
    """Where evals keep things."""

    root: Path
    runs: Path
    cases: Path  # outcomes by what they depend on
    pictures: Path  # by their content


def folders(settings: Settings) -> Folders:
    """The folders of the evals of a studio, `evals` in its data folder."""
    root = settings.data_dir / "evals"
    return Folders(root, root / "runs", root / "cases", root / "pictures")


def plan(
    suites: Mapping[str, Suite], names: Sequence[str], *, n: int | None, seed: int, quick: bool
) -> Plan:
    """Read the datasets of the suites called `names`, all when there are none, and choose the cases.

    Raises `InvalidRequest` for an unknown suite or no cases, `DatasetError` for a malformed dataset.
    """
    for name in names:
        if name not in suites:
            raise InvalidRequest(f"There is no suite {name!r}: choose of {', '.join(suites)}.")
    if n is not None and n < 1:
        raise InvalidRequest(f"--n is how many cases each suite gets, at least 1, not {n}.")
    chosen = tuple(suites[name] for name in dict.fromkeys(names or suites))
    cases = {}
    for suite in chosen:
        everything = suite.cases()
        ids = [case.id for case in everything]
        if len(set(ids)) < len(ids):
            raise InvalidRequest(f"{suite.name}: two cases have one id; a row is there twice.")
        cases[suite.name] = choose(everything, n or (suite.quick if quick else suite.full), seed)
    return Plan(chosen, cases, _hashes(chosen), seed, quick)


async def run(
    settings: Settings,
    planned: Plan,
    told: Callable[[Done], None],
    *,
    resume: str | None = None,
    fresh: bool = False,
) -> Run:
    """Run what is planned under the profile of `settings`, telling of every finished case, and return the run.

    A case that fails is a result with an error, and the run goes on. `resume` is the id of a run of the same plan that
    was cut off; with `fresh` nothing is taken from earlier runs. Whatever ends it, what was done is on disk.
    Raises what `open_subject` raises, and `Conflict` when the run to be resumed is of something else.
    """
    place = folders(settings)
    earlier = read_run(place.runs / resume) if resume else None
    before = earlier.header.elapsed_s if earlier else 0.0
    started = time.monotonic()
    # Nothing that was rendered before is used in a fresh run, nor left behind by it.
    place.root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="fresh-", dir=place.root)) if fresh else place.root
    try:
        async with open_subject(settings, scratch) as subject:
            header = _header(settings, subject, planned)
            header = _continued(earlier.header, header) if earlier else header
            folder = place.runs / header.id
            write_header(folder, header)
            desk = _Desk(subject, header, place, None if fresh else place.cases)
            state: State = "stopped"
            try:
                for suite in planned.suites:
                    known = earlier.results[suite.name] if earlier else ()
                    done = {result.case for result in known if result.error is None}
                    todo = [case for case in planned.cases[suite.name] if case.id not in done]
                    async with aclosing(_outcomes(suite, todo, desk)) as outcomes:
                        async for finished in outcomes:
                            _link(finished.result, place.pictures, folder / IMAGES)
                            append(folder, finished.result)
                            told(finished)
                state = "finished"
            finally:
                spent = round(before + time.monotonic() - started, 1)
                write_header(folder, replace(header, state=state, elapsed_s=spent))
    finally:
        if fresh:
            _remove(scratch)
    return _ordered(read_run(folder), planned)


def plan_again(suites: Mapping[str, Suite], header: Header) -> Plan:
    """The plan of a run that goes on. Raises `DatasetError`; `InvalidRequest` when a suite of it is gone."""
    if gone := [name for name in header.suites if name not in suites]:
        raise InvalidRequest(
            f"Run {header.id} cannot go on: there is no suite {gone[0]!r} any more."
        )
    chosen = tuple(suites[name] for name in header.suites)
    cases = {s.name: choose(s.cases(), header.n[s.name], header.seed) for s in chosen}
    return Plan(chosen, cases, _hashes(chosen), header.seed, header.quick)


def _hashes(suites: Sequence[Suite]) -> dict[str, str]:
    return {suite.name: dataset_hash(suite.datasets) for suite in suites}


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the cases of one run are worked on with."""

    subject: Subject
    header: Header
    place: Folders
    cache: Path | None  # None: nothing is remembered

    def memory(self, suite: Suite, case: Case) -> Path | None:
        """Where the outcome of a case is remembered, by all that it depends on: its data, the code, what is tested."""
        if self.cache is None or not suite.cached:
            return None
        parts = [
            suite.name,
            case.id,
            dict(case.inputs),
            self.header.datasets[suite.name],
            dict(self.header.versions),
            self.subject.profile.model_dump(mode="json"),
        ]
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]
        return self.cache / f"{key}.json"


async def _outcomes(suite: Suite, cases: Sequence[Case], desk: _Desk) -> AsyncGenerator[Done]:
    """What becomes of every case, as it is done; at most `suite.abreast` at the same time."""
    places = asyncio.Semaphore(suite.abreast)

    async def one(case: Case) -> Done:
        async with places:
            file = desk.memory(suite, case)
            if file and (known := _load(file, desk.place.pictures)):
                return Done(known, True)
            result = await _result(suite, case, desk.subject, desk.place.pictures)
            if file and result.error is None:
                _save(file, result)
            return Done(result, False)

    tasks = [asyncio.create_task(one(case)) for case in cases]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for waiting in tasks:
            waiting.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _result(suite: Suite, case: Case, subject: Subject, pictures: Path) -> Result:
    start = time.perf_counter()
    error, outcome = None, Outcome({})
    try:
        outcome = await suite.run(case, subject)
        _check(outcome.scores)
    except AppError as failed:
        error, outcome = failed.message, Outcome({})
    except Exception as failed:
        log.exception("%s: case %s broke", suite.name, case.id)
        error, outcome = f"{type(failed).__name__}: {failed}", Outcome({})
    return Result(
        suite=suite.name,
        case=case.id,
        group=case.group,
        scores=dict(outcome.scores),
        controls={c: dict(v) for c, v in outcome.controls.items()},
        images={title: _keep(image, pictures) for title, image in outcome.images.items()},
        facts=dict(outcome.facts),
        inputs=dict(case.inputs),
        elapsed_s=round(time.perf_counter() - start, 3),
        error=error,
    )


def _check(scores: Mapping[str, Score]) -> None:
    """Raise `ValueError` for a score that is no number: it would poison every mean."""
    for name, score in scores.items():
        if not -1e12 < score.value < 1e12:
            raise ValueError(f"{name} is {score.value}")


def _header(settings: Settings, subject: Subject, planned: Plan) -> Header:
    return Header(
        id=new_id(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        suites=tuple(suite.name for suite in planned.suites),
        profile=settings.profile,
        n={suite.name: len(planned.cases[suite.name]) for suite in planned.suites},
        seed=planned.seed,
        quick=planned.quick,
        versions=versions(subject),
        datasets=planned.datasets,
        machine=f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    )


def versions(subject: Subject) -> dict[str, str]:
    """Names of everything that is under test."""
    from styles.index import digest

    studio = subject.studio
    library = sorted(
        f"{slug} {digest(style)}" for slug, style in subject.context.catalog.styles.items()
    )
    return {
        **subject.context.versions,
        "engine": studio.engine.name,
        "encoder": studio.encoder.name,
        "library": _short("\n".join(library)),
        "code": code_hash(),
    }


def _continued(old: Header, new: Header) -> Header:
    """The header of a run that goes on. Raises `Conflict` when it was of something else."""
    for name in ("suites", "profile", "n", "seed", "quick", "versions", "datasets"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            raise Conflict(
                f"Run {old.id} cannot go on: its {name} was {was}, and is {now}. Start a new one."
            )
    return replace(old, state="running")


def _ordered(done: Run, planned: Plan) -> Run:
    """The same run with its results in the order of the cases, whichever was done first."""
    results = {}
    for suite in planned.suites:
        known = {r.case: r for r in done.results[suite.name]}
        results[suite.name] = tuple(
            known[case.id] for case in planned.cases[suite.name] if case.id in known
        )
    return replace(done, results=results)


def _keep(image: Image, pictures: Path) -> str:
    """Store a picture by its content, and return its file's name."""
    from io import BytesIO

    content = BytesIO()
    image.convert("RGB").save(content, "WEBP", quality=IMAGE_QUALITY)
    name = f"{hashlib.sha256(content.getvalue()).hexdigest()[:24]}.webp"
    file = pictures / name
    if not file.exists():
        pictures.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(f".{os.getpid()}.half")
        half.write_bytes(content.getvalue())
        half.replace(file)
    return name


def _link(result: Result, pictures: Path, images: Path) -> None:
    """Give a run's folder its pictures, without a second copy where the disk can do that."""
    import shutil

    for name in result.images.values():
        images.mkdir(exist_ok=True)
        try:
            os.link(pictures / name, images / name)
        except FileExistsError:
            continue
        except OSError:
            shutil.copyfile(pictures / name, images / name)


def _load(file: Path, pictures: Path) -> Result | None:
    """A stored result; None where there is none, or it or one of its pictures is damaged."""
    try:
        row = json.loads(file.read_text("utf-8"))
        known = Result(**{**row, "scores": {k: Score(**v) for k, v in row["scores"].items()}})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return known if all((pictures / name).is_file() for name in known.images.values()) else None


def _save(file: Path, result: Result) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(f".{os.getpid()}.half")
    half.write_text(json.dumps(asdict(result), allow_nan=False), "utf-8")
    half.replace(file)


def _remove(folder: Path) -> None:
    import shutil

    with suppress(OSError):
        shutil.rmtree(folder)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
