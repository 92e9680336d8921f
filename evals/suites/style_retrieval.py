"""Do words and pictures find the style that they mean, and do words that mean none find none?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from evals.data import row_id
from evals.queries import (
    OFF_TOPIC,
    PICTURES,
    TEXTS,
    ImageQuery,
    image_queries,
    off_topic,
    style_queries,
)
from evals.ranking import DEPTHS, score_ranking
from evals.suite import (
    Case,
    Drawing,
    Matrix,
    Metric,
    Outcome,
    Plot,
    Result,
    Score,
    Series,
    Suite,
    partner,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.subject import Subject
    from styles.index import Match

APART = ("shuffled",)
REAL = "style query"  # the control of `refused`: what a text that does mean a style gets


def cases() -> list[Case]:
    """The test split: texts and pictures that mean a style, and texts that mean none. Raises `DatasetError`."""
    texts = [
        Case(row_id("text", q.text), {"text": q.text, "style": q.style}, q.kind)
        for q in style_queries("test")
    ]
    pictures = [
        Case(
            row_id("picture", q.style, q.seed, q.mood),
            {"seed": q.seed, "mood": q.mood, "style": q.style},
            "picture in another light" if q.mood else "picture",
        )
        for q in image_queries("test")
    ]
    others = [
        Case(row_id("text", q.text), {"text": q.text, "style": None}, f"no match: {q.kind}")
        for q in off_topic("test")
    ]
    meant = [_with(case, "other", "style", _other_style(case), texts) for case in texts + pictures]
    return meant + [_with(case, "beside", "text", lambda _: True, texts) for case in others]


def _other_style(case: Case) -> Callable[[Case], bool]:
    return lambda other: bool(other.inputs["style"] != case.inputs["style"])


def _with(
    case: Case, name: str, field: str, differs: Callable[[Case], bool], texts: Sequence[Case]
) -> Case:
    """The case with an input more, which another row gives it for its control."""
    found = partner(case, texts, differs).inputs[field]
    return Case(case.id, {**case.inputs, name: found}, case.group)


async def run(case: Case, subject: Subject) -> Outcome:
    """Search as the studio does, and score the ranking, or the refusal."""
    wanted = case.inputs["style"]
    if wanted is None:
        return await _refusal(case.inputs["text"], case.inputs["beside"], subject)
    picture = None
    if "seed" in case.inputs:
        query = ImageQuery(wanted, case.inputs["seed"], case.inputs["mood"])
        picture = await asyncio.to_thread(query.paint)
    found = await _search(subject, case.inputs.get("text", ""), picture)
    ranked = [match["style"] for match in found]
    shuffled = score_ranking(ranked, case.inputs["other"])
    return Outcome(
        scores=score_ranking(ranked, wanted),
        controls={"shuffled": {name: score.value for name, score in shuffled.items()}},
        images={"query": picture, f"found: {ranked[0]}": _reference(subject, ranked[0])}
        if picture and ranked
        else {},
        facts={"wanted": wanted, "found": ranked, **_first(found)},
    )


async def _refusal(text: str, beside: str, subject: Subject) -> Outcome:
    found = await _search(subject, text)
    real = _refused(await _search(subject, beside))
    return Outcome(
        scores={"refused": _refused(found)},
        controls={REAL: {"refused": real.value}},
        facts={"found": [match["style"] for match in found], **_first(found)},
    )


async def _search(subject: Subject, text: str, picture: Image | None = None) -> list[Match]:
    """What the node that retrieves styles gets."""
    from nodes.retrieve_styles import MATCHES

    # On the lane: torch gives every thread that uses it workers of its own, which then share the cores.
    return await subject.context.lane.run(
        lambda _: subject.studio.index.search(text, MATCHES, picture)
    )


def _refused(found: Sequence[Match]) -> Score:
    """1 when nothing is above the floor, so that the render would be text only."""
    near = [match for match in found if match["band"] != "weak"]
    if near:
        first = near[0]
        return Score(0.0, f"{first['style']} is {first['band']} at {first['score']:.2f}")
    if not found:
        return Score(1.0, "nothing was found")
    return Score(1.0, f"the nearest, {found[0]['style']}, is weak at {found[0]['score']:.2f}")


def _first(found: Sequence[Match]) -> dict[str, Any]:
    return {"score": found[0]["score"], "band": found[0]["band"]} if found else {}


def _reference(subject: Subject, slug: str) -> Image:
    from PIL import Image

    with Image.open(subject.context.catalog.get(slug).references[0]) as image:
        return image.convert("RGB")


def drawings(results: Sequence[Result]) -> list[Drawing]:
    """What is taken for what, and which kinds of query are hard."""
    meant = [r for r in results if "wanted" in r.facts]
    if not meant:
        return []
    return [_kinds(meant), *(_confusion(part, title) for part, title in _sorts(meant) if part)]


def _sorts(meant: Sequence[Result]) -> list[tuple[list[Result], str]]:
    return [
        (
            [r for r in meant if "text" in r.inputs],
            "Texts: the style that was meant, and the first that was found",
        ),
        (
            [r for r in meant if "seed" in r.inputs],
            "Pictures: the style they show, and the first that was found",
        ),
    ]


def _kinds(meant: Sequence[Result]) -> Plot:
    def share(kind: str, k: int) -> float:
        values = [r.scores[f"recall@{k}"].value for r in meant if r.group == kind]
        return sum(values) / len(values)

    kinds = sorted({r.group for r in meant}, key=lambda kind: (share(kind, 1), kind))
    series = [
        Series(
            "found first" if k == 1 else f"among the first {k}",
            [(number, share(kind, k)) for number, kind in enumerate(kinds)],
            "dots",
            kinds,
        )
        for k in DEPTHS
    ]
    return Plot(
        "Queries whose style is found, by kind",
        "kind of query, the hardest first",
        "share of the queries",
        series,
        f"Hardest: {kinds[0]}, {share(kinds[0], 1):.0%} found first.",
    )


def _confusion(meant: Sequence[Result], title: str) -> Matrix:
    wrong = Counter(
        (r.facts["wanted"], r.facts["found"][0])
        for r in meant
        if r.facts["found"] and r.facts["found"][0] != r.facts["wanted"]
    )
    right = Counter(r.facts["wanted"] for r in meant if r.facts["found"][:1] == [r.facts["wanted"]])
    slugs = sorted({slug for pair in wrong for slug in pair} | {r.facts["wanted"] for r in meant})
    values = [
        [float(right[row] if row == column else wrong[row, column]) for column in slugs]
        for row in slugs
    ]
    often = [f"{a} for {b} ({n})" for (b, a), n in wrong.most_common(3)]
    note = f"Taken most often: {', '.join(often)}." if often else "No style is taken for another."
    return Matrix(title, slugs, slugs, values, note)


SUITE = Suite(
    name="style_retrieval",
    measures="Whether words and pictures find the style that they mean, and words that mean none find none.",
    metrics=(
        Metric("recall@1", "the style that was meant comes first", apart_from=APART),
        Metric("recall@3", "it is among the first three", apart_from=APART),
        Metric("recall@5", "it is among the first five", apart_from=APART),
        Metric("mrr", "one over its rank", apart_from=APART),
        Metric("ndcg@5", "its gain among the first five, discounted by rank", apart_from=APART),
        Metric("refused", "nothing is above the floor for words that no style fits", apart_from=(REAL,)),
    ),
    datasets=(TEXTS, PICTURES, OFF_TOPIC),
    cases=cases,
    run=run,
    quick=80,
    drawings=drawings,
)  # fmt: skip
