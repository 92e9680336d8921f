"""Judging by eye: pairs of pictures without names, the votes about them, and what the votes say.

`pairs_of` makes pairs of two runs, `style_pairs` of one run; `serve_judge` of `evals/judge_page.py` shows them.
Votes are lines of a JSONL file that only grows; an undone vote is a line more.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from evals.runs import IMAGES, Run
from evals.statistics import Estimate, share
from evals.suite import Result
from tools.errors import InvalidRequest

RENDER, SKETCH, REFERENCE = "render", "sketch", "reference"  # captions that suites give pictures
MATCH = "match"
QUESTIONS = {
    "style": "Which one is more in the style of the reference?",
    "sketch": "Which one keeps the lines of the sketch better?",
    "prefer": "Which one would you rather have?",
    MATCH: "Which reference is the picture in the style of?",
}

Choice = Literal[0, 1, 2]  # can't tell, the left one, the right one


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures side by side, and what is shown with them."""

    id: str  # the same for the same pictures, and says nothing of the sides
    case: str
    said: str  # the sentence the render was made for; empty when the case has none
    left: Path
    right: Path
    left_is: str  # a run's id, or "own" or "other" reference: never told to the judge
    right_is: str
    beside: Mapping[str, Path]  # by caption


@dataclass(frozen=True, slots=True)
class Vote:
    """What one judge said of one pair."""

    id: str  # of nothing but this vote
    judge: str
    pair: str
    question: str
    case: str
    left: str  # what the left one was
    right: str
    choice: Choice
    time: str  # ISO 8601, UTC

    @property
    def winner(self) -> str | None:
        """What the chosen one was; None for can't tell."""
        return {0: None, 1: self.left, 2: self.right}[self.choice]


@dataclass(frozen=True, slots=True)
class Tally:
    """What the votes for one thing against another come to."""

    question: str
    first: str
    second: str
    wins: int  # of the first
    losses: int
    ties: int  # can't tell
    judges: int
    rate: Estimate | None  # share of wins, with Wilson's interval; None without votes that count
    left: (
        Estimate | None
    )  # how often the left one was chosen: far from a half, a judge leans to a side


@dataclass(slots=True)
class Votes:
    """The votes about some pairs; one process at a time writes the file."""

    file: Path
    pairs: Sequence[Pair]
    question: str
    _cast: dict[str, Vote] = field(init=False)

    def __post_init__(self) -> None:
        self._cast = _read(self.file)

    def standing(self) -> list[Vote]:
        """The votes about these pairs and this question that were not undone, in the order they were given."""
        known = {pair.id for pair in self.pairs}
        return [v for v in self._cast.values() if v.pair in known and v.question == self.question]

    def left_for(self, judge: str) -> list[Pair]:
        """The pairs that `judge` has not voted on; the first is the one on the screen."""
        done = {vote.pair for vote in self.standing() if vote.judge == judge}
        return [pair for pair in self.pairs if pair.id not in done]

    def vote(self, judge: str, pair: str, choice: Choice) -> None:
        """Record a vote, on disk when this returns. Raises `InvalidRequest` when `pair` is not on the screen."""
        left = self.left_for(judge)
        if not left or left[0].id != pair:
            raise InvalidRequest("This pair is not on the screen.", code="stale_pair")
        shown = left[0]
        row = Vote(
            secrets.token_hex(8),
            judge,
            pair,
            self.question,
            shown.case,
            shown.left_is,
            shown.right_is,
            choice,
            _now(),
        )
        self._append(asdict(row))
        self._cast[row.id] = row

    def undo(self, judge: str) -> None:
        """Take back the last vote of `judge`. Raises `InvalidRequest` when there is none."""
        mine = [vote for vote in self.standing() if vote.judge == judge]
        if not mine:
            raise InvalidRequest("There is no vote to take back.", code="nothing_to_undo")
        self._append({"undo": mine[-1].id, "judge": judge, "time": _now()})
        del self._cast[mine[-1].id]

    def _append(self, row: Mapping[str, Any]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a kill cut the last line short
                    file.write(b"\n")
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_votes(file: Path) -> list[Vote]:
    """The votes of a file that were not undone. A line that a kill cut short is left out; no file has no votes."""
    return list(_read(file).values())


def _read(file: Path) -> dict[str, Vote]:
    votes: dict[str, Vote] = {}
    lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    for line in lines:
        try:
            row = json.loads(line)
            if "undo" in row:
                votes.pop(row["undo"], None)
            else:
                vote = Vote(**row)
                votes[vote.id] = vote
        except (ValueError, TypeError):
            continue
    return votes


def pairs_of(a: Run, b: Run, question: str, seed: int = 0) -> list[Pair]:
    """The renders that two runs made of the same cases, shuffled by `seed`, each run on the left in half of them.

    Left out is what needs no eye: pictures that are the same to the byte, and a pair that another suite shows too.
    Raises `InvalidRequest` when nothing is left.
    """
    if a.header.id == b.header.id:
        raise InvalidRequest(f"{a.header.id} cannot be held against itself: name two runs.")
    sides = (a.header.id, b.header.id)
    found = {}
    for suite in a.header.suites:
        theirs = {result.case: result for result in b.results.get(suite, ())}
        for own in a.results[suite]:
            if (other := theirs.get(own.case)) is None:
                continue
            first, second = _picture(a, own, RENDER), _picture(b, other, RENDER)
            if first is None or second is None or first.read_bytes() == second.read_bytes():
                continue
            beside = {c: p for c in (SKETCH, REFERENCE) if (p := _picture(a, own, c))}
            if question == "style" and REFERENCE not in beside:
                continue
            if question == "sketch" and SKETCH not in beside:
                continue
            pictures = sorted(_content(file) for file in (first, second))
            found[_id(*sides, *pictures)] = (own, first, second, beside)
    if not found:
        raise InvalidRequest(
            f"Runs {a.header.id} and {b.header.id} have no two renders of one case that differ and show what"
            " the question is about: run the suites that render (geometry, style_fidelity) for both."
        )
    order = _shuffled(sorted(found), f"{seed} {question}")
    return [
        _pair(name, *found[name], sides=sides, swapped=swapped, said=_sentence(found[name][0]))
        for name, swapped in order
    ]


def style_pairs(run: Run, seed: int = 0) -> list[Pair]:
    """Each render of a run between the reference it was made with and one of another style, shuffled by `seed`.

    Raises `InvalidRequest` when the run has no renders of two styles.
    """
    shown = {}
    for results in run.results.values():
        for result in results:
            render, own = _picture(run, result, RENDER), _picture(run, result, REFERENCE)
            if render and own:
                shown[_id(_content(render), _content(own))] = (result, render, own)
    found = {}
    for name, (result, render, own) in sorted(shown.items()):
        others = sorted({r for o, _, r in shown.values() if _style(o) != _style(result)})
        if others:
            other = random.Random(f"{seed} {name}").choice(others)
            found[_id(name, _content(other))] = (result, own, other, {RENDER: render})
    if not found:
        raise InvalidRequest(
            f"Run {run.header.id} has no renders with references of two styles: run style_fidelity first."
        )
    order = _shuffled(sorted(found), f"{seed} {MATCH}")
    sides = ("own", "other")
    return [  # the sentence may name the style
        _pair(name, *found[name], sides=sides, swapped=swapped, said="") for name, swapped in order
    ]


def tally(votes: Iterable[Vote]) -> list[Tally]:
    """What votes come to, for every question and every two things that were compared, the newer run first.

    The rate of an A/B question is of the votes that decided. That of `match` is of all votes: a style that cannot be
    told is not matched. Every vote counts as one, whoever gave it.
    """
    boxes: dict[tuple[str, str, str], list[Vote]] = {}
    for vote in votes:
        first, second = sorted((vote.left, vote.right), reverse=True)
        boxes.setdefault((vote.question, first, second), []).append(vote)
    return [_tally(*key, cast) for key, cast in boxes.items()]


def _tally(question: str, first: str, second: str, votes: Sequence[Vote]) -> Tally:
    winners = [vote.winner for vote in votes]
    decided = [vote for vote in votes if vote.choice]
    counted = winners if question == MATCH else [winner for winner in winners if winner]
    return Tally(
        question,
        first,
        second,
        winners.count(first),
        winners.count(second),
        winners.count(None),
        len({vote.judge for vote in votes}),
        share([winner == first for winner in counted]) if counted else None,
        share([vote.choice == 1 for vote in decided]) if decided else None,
    )


def told(result: Tally) -> str:
    """A tally in plain lines."""
    votes = result.wins + result.losses + result.ties
    rate = f"{_percent(result.rate)}" if result.rate else "no vote decided"
    if result.question == MATCH:
        head = f"style match by eye: {rate} (a guess gets 50 %)"
        parts = f"{result.wins} right, {result.losses} wrong, {result.ties} could not be told"
    else:
        head = f"{QUESTIONS.get(result.question, result.question)} {result.first} beats {result.second}: {rate}"
        parts = f"{result.wins} to {result.losses}, {result.ties} could not be told"
    judges = f"{result.judges} judge{'s' if result.judges != 1 else ''}"
    lines = [head, f"  {votes} votes of {judges}: {parts}"]
    if result.left and not result.left.low <= 0.5 <= result.left.high:
        lines.append(f"  beware: the left one was chosen {_percent(result.left)} of the time")
    return "\n".join(lines)


def _percent(estimate: Estimate) -> str:
    value, low, high = (f"{100 * x:.0f}" for x in estimate)
    return f"{value} % (95 % interval {low} to {high} %)"


def _shuffled(names: Sequence[str], seed: str) -> Iterator[tuple[str, bool]]:
    """The names in the order of `seed`, with whether the sides are swapped: in half of them, in no pattern."""
    rng = random.Random(seed)
    order = rng.sample(names, len(names))
    swapped = [place % 2 == 0 for place in range(len(names))]
    rng.shuffle(swapped)
    return zip(order, swapped, strict=True)


def _pair(
    name: str,
    result: Result,
    first: Path,
    second: Path,
    beside: Mapping[str, Path],
    *,
    sides: tuple[str, str],
    swapped: bool,
    said: str,
) -> Pair:
    pictures, names = ((second, first), sides[::-1]) if swapped else ((first, second), sides)
    return Pair(name, f"{result.suite}/{result.case}", said, *pictures, *names, beside)


def _picture(run: Run, result: Result, caption: str) -> Path | None:
    """The file of a result's picture; None when there is none, or the run was written without."""
    name = result.images.get(caption)
    if run.folder is None or name is None:
        return None
    file = run.folder / IMAGES / Path(name).name
    return file if file.is_file() else None


def _sentence(result: Result) -> str:
    texts = [result.inputs.get(key) for key in ("message", "prompt")]
    return next((text for text in texts if isinstance(text, str)), "")


def _style(result: Result) -> Any:
    return result.inputs.get("style") or result.group


def _content(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _id(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
