"""Do the floor and the bands of the calibration in use tell what fits from what does not?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.confidence import (
    auroc,
    average_precision,
    calibration_error,
    precision_recall,
    reliability,
    roc,
)
from evals.data import row_id
from evals.queries import NO_MATCH, OFF_TOPIC, TEXTS, off_topic, style_queries
from evals.suite import Case, Drawing, Metric, Outcome, Plot, Result, Score, Series, Suite, partner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.subject import Subject

STEPS = 101  # floors that the plot of floors tries


def cases() -> list[Case]:
    """The texts of the test split, those that mean a style and those that mean none. Raises `DatasetError`."""
    found = []
    for query in style_queries("test") + off_topic("test"):
        inputs = {"text": query.text, "style": query.style, "kind": query.kind}
        group = query.kind if query.style else f"no match: {query.kind}"
        found.append(Case(row_id("text", query.text), inputs, group))
    return [
        Case(case.id, {**case.inputs, "other": _other(case, found)}, case.group) for case in found
    ]


def _other(case: Case, found: Sequence[Case]) -> str | None:
    style: str | None = partner(case, found, lambda _: True).inputs["style"]
    return style


async def run(case: Case, subject: Subject) -> Outcome:
    """Search as the studio does, and say whether it was right to accept or to refuse."""
    from evals.calibrate import fitted_intervals
    from nodes.retrieve_styles import MATCHES

    index, settings = subject.studio.index, subject.context.settings
    found = await asyncio.to_thread(index.search, case.inputs["text"], MATCHES)
    wanted, other = case.inputs["style"], case.inputs["other"]
    score, band = (found[0]["score"], found[0]["band"]) if found else (0.0, "weak")
    first = found[0]["style"] if found else "nothing"
    meaning = f"{wanted} was meant" if wanted else "no style was meant"
    reason = f"{first} is {band} at {score:.3f}, {meaning}"
    return Outcome(
        scores={
            "decision": Score(_decided(band, wanted), reason),
            "safe": Score(_safe(band, first, wanted), reason),
        },
        controls={
            "shuffled": {"decision": _decided(band, other), "safe": _safe(band, first, other)}
        },
        facts={
            "kind": case.inputs["kind"] if wanted is None else "",
            "score": score,
            "band": band,
            "right": first == wanted,
            "floor": index.calibration.floor,
            "strong": index.calibration.strong,
            "encoder": index.encoder.name,
            "intervals": fitted_intervals(
                settings.models_dir / "calibration.json", index.encoder.name
            ),
        },
    )


def _decided(band: str, wanted: str | None) -> float:
    return float((band != "weak") == bool(wanted))


def _safe(band: str, first: str, wanted: str | None) -> float:
    return float(band != "strong" or first == wanted)


@dataclass(frozen=True, slots=True)
class _Answers:
    """The first match of every text, as arrays of one length."""

    scores: NDArray[np.float64]
    bands: NDArray[np.str_]
    right: NDArray[np.bool_]
    kinds: NDArray[np.str_]  # "": a style query

    @classmethod
    def of(cls, results: Sequence[Result]) -> _Answers:
        facts = [r.facts for r in results]
        return cls(
            np.array([f["score"] for f in facts], np.float64),
            np.array([f["band"] for f in facts], str),
            np.array([f["right"] for f in facts], bool),
            np.array([f["kind"] for f in facts], str),
        )

    @property
    def queries(self) -> NDArray[np.float64]:
        """The scores of the texts that mean a style."""
        return self._of(self.kinds == "")

    def others(self, kind: str | None = None) -> NDArray[np.float64]:
        """The scores of the texts that mean none, of one kind or of all."""
        return self._of(self.kinds == kind if kind else self.kinds != "")

    def _of(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.scores[rows]
        return found


def figures(results: Sequence[Result]) -> dict[str, float]:
    """What only all answers together can tell; a figure for which there are no texts is left out."""
    if not results:
        return {}
    answers = _Answers.of(results)
    accepted, strong = answers.bands != "weak", answers.bands == "strong"
    found = {
        "ece": calibration_error(reliability(answers.scores, answers.right)),
        "floor": float(results[0].facts["floor"]),
        "strong": float(results[0].facts["strong"]),
        "margin": float(results[0].facts["strong"] - results[0].facts["floor"]),
    }
    if strong.any():
        found["strong_right"] = float(answers.right[strong].mean())
    if not len(answers.queries):
        return found
    found["accepts"] = float(accepted[answers.kinds == ""].mean())
    found["sure"] = float(strong[answers.kinds == ""].mean())
    if len(answers.others()):
        found["average_precision"] = average_precision(answers.queries, answers.others())
    for kind in NO_MATCH:
        if len(others := answers.others(kind)):
            found[f"auroc_{kind}"] = auroc(answers.queries, others)
            found[f"false_accepts_{kind}"] = float(accepted[answers.kinds == kind].mean())
    return found


def drawings(results: Sequence[Result]) -> list[Drawing]:
    """ROC, precision and recall, the reliability diagram, and what other floors would do."""
    answers = _Answers.of(results)
    kinds = [kind for kind in NO_MATCH if len(answers.others(kind))]
    if not len(answers.queries) or not kinds:
        return []
    facts = results[0].facts
    return [
        _floors(answers, kinds, facts),
        Plot(
            "Accepting a text, at every floor (ROC)",
            "share of the texts without a style that are accepted",
            "share of the style queries that are accepted",
            [Series(kind, roc(answers.queries, answers.others(kind)), "steps") for kind in kinds],
            diagonal=True,
        ),
        Plot(
            "Precision and recall of accepting, at every floor",
            "recall: share of the style queries that are accepted",
            "precision: share of what is accepted that means a style",
            [Series(kind, precision_recall(answers.queries, answers.others(kind))) for kind in kinds],
            "Precision also depends on how many texts of each sort the dataset holds.",
        ),
        _promises(answers),
    ]  # fmt: skip


def _floors(answers: _Answers, kinds: Sequence[str], facts: Any) -> Plot:
    floors = np.linspace(0, 1, STEPS).tolist()

    def above(scores: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [(floor, float((scores >= floor).mean())) for floor in floors]

    bands = ", ".join(
        f"{name} {facts[name]:.3f}" + _between(facts["intervals"].get(name))
        for name in ("floor", "strong")
    )
    return Plot(
        "What is accepted, at every floor",
        "floor",
        "share that is accepted",
        [
            Series("style query", above(answers.queries)),
            *(Series(f"no match: {kind}", above(answers.others(kind))) for kind in kinds),
            Series("floor in use", [(facts["floor"], 0.0), (facts["floor"], 1.0)]),
            Series("strong in use", [(facts["strong"], 0.0), (facts["strong"], 1.0)]),
        ],
        f"{facts['encoder']}: {bands}.",
    )


def _between(interval: Sequence[float] | None) -> str:
    return f" ({interval[0]:.3f} to {interval[1]:.3f} when refitted)" if interval else ""


def _promises(answers: _Answers) -> Plot:
    diagram = reliability(answers.scores, answers.right)
    return Plot(
        "What a score promises, and what comes true",
        "score of the first match",
        "share that was the style that was meant",
        [
            Series(
                "texts by score",
                [(b.predicted, b.observed) for b in diagram],
                "dots",
                [f"{b.answers} texts" for b in diagram],
            )
        ],
        f"Expected calibration error {calibration_error(diagram):.3f}.",
        diagonal=True,
    )


_FALSE = "share of {} that are accepted"

SUITE = Suite(
    name="threshold",
    measures="Whether the floor and the bands tell what fits from what does not, and scores mean what they say.",
    metrics=(
        Metric("decision", "a style query is accepted, any other text refused", apart_from=("shuffled",)),
        Metric("safe", "nothing wrong is taken without a question", apart_from=("shuffled",)),
        Metric("accepts", "share of the style queries above the floor"),
        Metric("false_accepts_plain", _FALSE.format("texts without a word of design"), higher_is_better=False),
        Metric("false_accepts_hard", _FALSE.format("looks that the library does not hold"), higher_is_better=False),
        Metric("false_accepts_near", _FALSE.format("texts that only touch a style"), higher_is_better=False),
        Metric("strong_right", "of what is taken without a question, the share that is right"),
        Metric("sure", "share of the style queries that are taken without a question", higher_is_better=None),
        Metric("auroc_plain", "probability that a query outscores a text off the topic"),
        Metric("auroc_hard", "probability that a query outscores a look not held"),
        Metric("auroc_near", "probability that a query outscores a text that only touches a style"),
        Metric("average_precision", "precision over all floors, all texts without a style together"),
        Metric("margin", "how far the strong band begins above the floor", higher_is_better=None),
        Metric("ece", "distance of what scores promise from what comes true", higher_is_better=False),
        Metric("floor", "score below which nothing is offered unasked", higher_is_better=None),
        Metric("strong", "score from which a style is taken without a question", higher_is_better=None),
    ),
    datasets=(TEXTS, OFF_TOPIC),
    cases=cases,
    run=run,
    quick=240,
    figures=figures,
    drawings=drawings,
)  # fmt: skip
