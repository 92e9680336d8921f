"""What a suite is: cases, what is done with each, and scores that give their reason. Plain data."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.subject import Subject

JSON = Any  # a plain JSON value


@dataclass(frozen=True, slots=True)
class Score:
    """What a scorer says of one output."""

    value: float  # finite
    reason: str  # why it is this value, in a line a person can read


@dataclass(frozen=True, slots=True)
class Case:
    """One question to the studio; its id names the same question in every run, whatever n and seed."""

    id: str
    inputs: Mapping[str, JSON]
    group: str = ""  # what results are also told by: a kind of query, a style


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case."""

    scores: Mapping[str, Score]  # by metric
    # What the same scorers say of impostors: control ("shuffled", "sketch", "reference", "blank") -> metric -> value.
    controls: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)  # by caption, shown side by side
    facts: Mapping[str, JSON] = field(
        default_factory=dict
    )  # what `figures`, `plots` and a reader need


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome as it is stored, one JSON line."""

    suite: str
    case: str
    group: str
    scores: Mapping[str, Score]
    controls: Mapping[str, Mapping[str, float]]
    images: Mapping[str, str]  # by caption, the file's name in the run's folder of images
    facts: Mapping[str, JSON]
    inputs: Mapping[str, JSON]
    elapsed_s: float
    error: str | None = None  # what went wrong; then there are no scores


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a suite reports."""

    name: str
    says: str  # what it measures, in a line
    unit: str = ""
    higher_is_better: bool | None = True  # None: neither, it only describes
    apart_from: tuple[str, ...] = ()  # controls that it must tell from the real thing


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one kind in a plot."""

    name: str
    points: Sequence[tuple[float, float]]
    marks: Literal["line", "dots", "steps"] = "line"
    labels: Sequence[str] = ()  # of the points, where they have names


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart of two axes."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    note: str = ""  # what to see in it
    diagonal: bool = False  # also draw y = x


@dataclass(frozen=True, slots=True)
class Matrix:
    """A table of shaded cells, such as a confusion."""

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]  # (rows, columns)
    note: str = ""


Drawing = Plot | Matrix
Run = Callable[[Case, "Subject"], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Suite:
    """One page of the report."""

    name: str
    measures: str  # in a line
    metrics: tuple[Metric, ...]  # of scores and of figures, the most telling first
    datasets: tuple[str, ...]  # files of evals/datasets that it reads
    cases: Callable[[], Sequence[Case]]  # all of them; raises `DatasetError`; opens no model
    run: Run
    quick: int  # cases of a quick run
    figures: Callable[[Sequence[Result]], Mapping[str, float]] = lambda _: {}  # of all together
    drawings: Callable[[Sequence[Result]], Sequence[Drawing]] = lambda _: ()
    full: int | None = None  # cases of a full run; None: all
    cached: bool = True  # equal inputs give equal outcomes, so that one need not be had twice
    abreast: int = 1  # cases at the same time


def choose(cases: Sequence[Case], n: int | None, seed: int) -> list[Case]:
    """The first `n` cases of a shuffle by `seed` that takes turns between the groups; None: all.

    A smaller `n` of the same seed is a part of a larger one, so a quick run can be paired with a full one.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: _draw(f"{seed}:{case.id}")):
        groups[case.group].append(case)
    order = sorted(groups, key=lambda group: _draw(f"{seed}::{group}"))
    turns = zip_longest(*(groups[group] for group in order))
    return [case for case in chain.from_iterable(turns) if case is not None][:n]


def by_group(
    title: str, results: Sequence[Result], metrics: Sequence[Metric], note: str = ""
) -> Matrix:
    """The mean of every metric in every group of cases; no number where no case of a group has one."""
    groups = sorted({result.group for result in results})

    def cell(group: str, metric: str) -> float:
        found = [r.scores[metric].value for r in results if r.group == group and metric in r.scores]
        return fmean(found) if found else math.nan

    names = [metric.name for metric in metrics]
    return Matrix(title, groups, names, [[cell(g, name) for name in names] for g in groups], note)


def partner(case: Case, cases: Sequence[Case], differs: Callable[[Case], bool]) -> Case:
    """The case whose sketch, or style, stands in for this one's in the shuffled control: the same in every run.

    Raises `ValueError` when none differs.
    """
    others = [other for other in cases if other.id != case.id and differs(other)]
    if not others:
        raise ValueError(f"nothing to shuffle {case.id} with")
    return min(others, key=lambda other: _draw(f"{case.id}|{other.id}"))


def _draw(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
