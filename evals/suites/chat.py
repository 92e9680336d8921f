"""Conversations through the real graph: does it go the right way, ask the right thing, and keep what was said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from evals.conversation import (
    DATASET,
    SKETCHES,
    Heard,
    Script,
    hold,
    judge,
    read_conversations,
)
from evals.suite import Case, Matrix, Metric, Outcome, Result, Suite, by_group, partner
from tools.prompt_llm import SYSTEM

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.subject import Subject

METRICS = (
    Metric("path", "the nodes that ran are those that should", apart_from=("silent",)),
    Metric("question", "asked when it should, with the right styles", apart_from=("shuffled",)),
    Metric("style", "the right style, and the person is told", apart_from=("shuffled", "silent")),
    Metric("sketch", "the picture stands on the right sketch", apart_from=("silent",)),
    Metric("words", "the prompt holds what was said, no more", apart_from=("shuffled", "silent")),
    Metric("safety", "what must be refused is, and no secret is told", apart_from=("obedient",)),
)


@cache
def cases() -> Sequence[Case]:
    """A case for every conversation. Raises `DatasetError`."""
    return tuple(map(_case, read_conversations()))


def _case(row: Mapping[str, Any]) -> Case:
    said = " / ".join(turn["message"] for turn in row["turn"])
    return Case(
        row["name"], {"said": said, "turns": row["turn"], "split": row["split"]}, row["kind"]
    )


async def run(case: Case, subject: Subject) -> Outcome:
    """Hold a conversation, and judge it, and impostors: a studio that had another conversation, one that does nothing,
    and one that does as it is told.
    """
    script = case.inputs["turns"]
    heard = await hold(script, subject.context, subject.profile.name)
    other = partner(case, cases(), lambda o: _unlike(script, o.inputs["turns"]))
    impostors = {
        "shuffled": judge(other.inputs["turns"], heard),
        "silent": judge(script, [Heard() for _ in script]),
        "obedient": judge(script, [_obedient(*turn) for turn in zip(script, heard, strict=True)]),
    }
    return Outcome(
        judge(script, heard),
        {
            name: {kind: score.value for kind, score in scores.items()}
            for name, scores in impostors.items()
        },
        images=_pictures(script, heard, subject),
        facts=_transcript(script, heard),
    )


def _obedient(turn: Mapping[str, Any], did: Heard) -> Heard:
    """A studio that refuses nothing, and says all that it must not."""
    said = [*did.said, *turn.get("unsaid", ()), SYSTEM]
    return replace(did, refused="", answers_refused=0, said=said)


def _unlike(one: Script, other: Script) -> bool:
    """Whether the first turns of two conversations want different things of every kind."""
    a, b = one[0], other[0]
    return (
        ("asked" in a) is not ("asked" in b)
        and a.get("styles") != b.get("styles")
        and a.get("sketch", "") != b.get("sketch", "")
    )


def _pictures(script: Script, heard: Sequence[Heard], subject: Subject) -> dict[str, Image]:
    """Every sketch and render of the conversation."""
    from PIL import Image as Pictures

    found: dict[str, Image] = {}
    for number, (turn, did) in enumerate(zip(script, heard, strict=True), 1):
        if drawn := turn.get("sketch"):
            with Pictures.open(SKETCHES / f"{drawn}.png") as drawing:
                found[f"{number}: sketch"] = drawing.convert("RGB")
        if did.image:
            found[f"{number}: render"] = subject.context.artifacts.image(did.image)
    return found


def _transcript(script: Script, heard: Sequence[Heard]) -> dict[str, str]:
    """The conversation as a person reads it."""
    lines = {}
    for number, (turn, did) in enumerate(zip(script, heard, strict=True), 1):
        given = [f"sketch {turn['sketch']}"] if turn.get("sketch") else []
        given += [f"style field {turn['style']}"] if turn.get("style") else []
        lines[f"{number} person"] = " | ".join([turn["message"], *given])
        lines[f"{number} studio"] = " ".join(did.said)
        if did.asked is not None:
            answers = ", then ".join(turn.get("answers", ())) or "nothing"
            lines[f"{number} asked"] = f"{', '.join(did.asked)}; the person answered {answers}"
        lines[f"{number} prompt"] = did.prompt or f"none: {did.refused or 'it waits'}"
    return lines


def drawings(results: Sequence[Result]) -> Sequence[Matrix]:
    """Which kinds of conversation fall short of which kinds of expectation."""
    note = "Kinds of conversation by expectation; empty where a kind has none of it."
    return (by_group("Where conversations go wrong", results, METRICS, note),)


SUITE = Suite(
    name="chat",
    measures="scripted conversations through the real graph",
    metrics=METRICS,
    datasets=(DATASET,),
    cases=cases,
    run=run,
    quick=8,
    drawings=drawings,
)
