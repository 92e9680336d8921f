"""Does a render keep the lines of the sketch, and add none?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from evals.drawings import FILE, load_drawings, straight_lines
from evals.pictures import (
    TOLERANCES,
    edge_scores,
    invented_lines,
    overlay,
    straightness,
    warp,
)
from evals.renders import (
    Shot,
    drawings_of,
    drawn,
    references,
    render,
    request_for,
    seed_of,
    shipped_styles,
)
from evals.suite import Case, Drawing, Metric, Outcome, Plot, Result, Score, Series, Suite, partner

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.subject import Subject

STYLES_EACH = 2  # of every drawing
MOMENTS = ("", ", at dusk", ", in the rain", ", on a bright morning", ", in autumn", ", at night")
LONG = 12  # hundredths of the longer side, from which a straight stroke can be called crooked
WARP = 6  # px, of the warped control
IMPOSTORS = ("shuffled", "warped", "reference", "blank")


@cache
def cases() -> tuple[Case, ...]:
    """Every test drawing in some styles, with a moment said or not."""
    return tuple(
        Case(
            f"{drawing.name} in {style}",
            {
                "drawing": drawing.name,
                "style": style,
                "message": drawing.says + drawn(f"{drawing.name} {style}", MOMENTS, 1)[0],
                "seed": seed_of(f"{drawing.name} {style}"),
            },
            drawing.kind,
        )
        for drawing in drawings_of("test")
        for style in drawn(drawing.name, shipped_styles(), STYLES_EACH)
    )


async def run(case: Case, subject: Subject) -> Outcome:
    """Render the drawing as the product would at its first try, and hold the lines against it."""
    from PIL import Image

    drawing = case.inputs["drawing"]
    stranger = partner(case, cases(), lambda other: _fits(drawing, other)).inputs["drawing"]
    shot, other = [await _shot(case, name, subject) for name in (drawing, stranger)]
    picture = await render(subject, shot)
    reference = references(subject, case.inputs["style"])[0]
    controls = {
        "shuffled": _scores(other.lines, picture, stranger),
        "warped": _scores(shot.lines, warp(picture, WARP), drawing),
        "sketch": _scores(shot.lines, shot.sketch, drawing),
        "reference": _scores(shot.lines, reference.resize(picture.size), drawing),
        "blank": _scores(shot.lines, Image.new("RGB", picture.size, "white"), drawing),
    }
    return Outcome(
        _scores(shot.lines, picture, drawing),
        {name: {m: s.value for m, s in of.items()} for name, of in controls.items()},
        {
            "sketch": shot.sketch,
            "kept green, missing red, invented amber": overlay(shot.lines, picture),
            "render": picture,
            "reference": reference,
        },
        {"prompt": shot.request.prompt, "control_scale": shot.request.control_scale},
    )


async def _shot(case: Case, name: str, subject: Subject) -> Shot:
    style, message, seed = (case.inputs[key] for key in ("style", "message", "seed"))
    return await request_for(subject, load_drawings()[name], [style], message, seed)


def _fits(name: str, other: Case) -> bool:
    """Whether another drawing is on a sheet of the same shape."""
    theirs = other.inputs["drawing"]
    return bool(theirs != name and load_drawings()[theirs].sheet == load_drawings()[name].sheet)


def _scores(lines: Image, picture: Image, drawing: str) -> dict[str, Score]:
    scores = edge_scores(lines, picture)
    pieces = straight_lines(load_drawings()[drawing], LONG) * max(picture.size) / 100
    crooked = straightness(pieces, picture)
    if crooked is not None:
        scores["straightness"] = crooked
    scores["invented_lines"] = invented_lines(lines, picture)
    return scores


def drawings(results: Sequence[Result]) -> list[Drawing]:
    """Scores over the tolerance, beside those of the impostors."""

    def curve(name: str, metric: str, control: str = "") -> Series:
        points = []
        for tolerance in TOLERANCES:
            key = f"{metric}_{tolerance}px"
            values = [r.controls[control][key] if control else r.scores[key].value for r in results]
            points.append((float(tolerance), float(np.mean(values))))
        return Series(name, points)

    series = [
        curve("recall", "recall"),
        curve("precision", "precision"),
        curve("F1", "f1"),
        *(curve(f"F1, {control}", "f1", control) for control in ("warped", "shuffled")),
    ]
    return [
        Plot(
            "Lines found within so many px",
            "tolerance, px",
            "share",
            series,
            f"A render moved about by up to {WARP} px, and another drawing's lines, must lie well below.",
        )
    ]


def _metric(name: str, tolerance: int, says: str) -> Metric:
    return Metric(f"{name}_{tolerance}px", says.format(tolerance), apart_from=IMPOSTORS)


F1 = "agreement of the drawing's lines and the render's edges within {} px"
RECALL = "share of the drawing's lines that the render has an edge for within {} px"
PRECISION = "share of the render's edges that the drawing has a line for within {} px"

SUITE = Suite(
    name="geometry",
    measures="whether a render keeps the lines of the sketch where they were drawn, and adds none",
    metrics=(
        _metric("f1", 2, F1),
        _metric("recall", 2, RECALL),
        _metric("precision", 2, PRECISION),
        Metric(
            "straightness",
            "how far edges stray from the straight lines that were drawn",
            "px",
            False,
            IMPOSTORS,
        ),
        Metric(
            "invented_lines",
            "straight lines that nobody drew, for every px of line that somebody did",
            "px/px",
            False,
            ("shuffled", "warped", "reference"),
        ),
        Metric("chamfer", "mean way from a line to the nearest edge", "px", False, IMPOSTORS),
        *(
            _metric(name, tolerance, says)
            for tolerance in TOLERANCES
            if tolerance != 2
            for name, says in (("f1", F1), ("recall", RECALL), ("precision", PRECISION))
        ),
    ),
    datasets=(FILE,),
    cases=cases,
    run=run,
    quick=10,
    drawings=drawings,
)
