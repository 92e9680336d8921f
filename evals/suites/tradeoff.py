"""Geometry against style over the two scales that set them: do the defaults sit at the knee?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evals.drawings import FILE, load_drawings
from evals.pictures import edge_scores
from evals.renders import (
    drawings_of,
    drawn,
    references,
    render,
    request_for,
    seed_of,
    shipped_styles,
)
from evals.style_rank import likeness, open_judge
from evals.suite import Case, Drawing, Metric, Outcome, Plot, Result, Score, Series, Suite

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.subject import Subject

CONTROL = (0.4, 0.7, 1.0, 1.3)  # ControlNet conditioning scales
STYLE = (0.7, 1.0, 1.3)  # IP-Adapter scales
THUMB = 128  # px, of a render on the sheet

Floats = NDArray[np.float64]
Scales = tuple[float, float]  # of control and style


@cache
def cases() -> tuple[Case, ...]:
    """Every dev drawing in a style: the test drawings stay unseen by whoever moves a default."""
    return tuple(
        Case(
            drawing.name,
            {
                "drawing": drawing.name,
                "style": drawn(f"tradeoff {drawing.name}", shipped_styles(), 1)[0],
                "message": drawing.says,
                "seed": seed_of(drawing.name),
            },
            drawing.kind,
        )
        for drawing in drawings_of("dev")
    )


async def run(case: Case, subject: Subject) -> Outcome:
    """Render one drawing at every point of the grid and at the profile's defaults."""
    from PIL import Image

    inputs, profile = case.inputs, subject.profile
    style, message = inputs["style"], inputs["message"]
    default = (profile.control_scale, profile.style_scale)
    judge = await asyncio.to_thread(open_judge, subject.renders.folder.parent)
    shot = await request_for(
        subject,
        load_drawings()[inputs["drawing"]],
        [style],
        message,
        inputs["seed"],
        prompt=message,
    )

    def score(picture: Image.Image) -> dict[str, Score]:
        return {
            "f1_at_default": edge_scores(shot.lines, picture)["f1_2px"],
            "likeness_at_default": likeness(judge, picture, style),
        }

    pictures = {}
    for scales in sorted({default, *product(CONTROL, STYLE)}):
        pictures[scales] = await render(subject, shot.at(*scales))
    scores = {scales: score(picture) for scales, picture in pictures.items()}
    reference = references(subject, style)[0]
    impostors = {
        "sketch": shot.sketch,
        "reference": reference.resize(shot.sketch.size),
        "blank": Image.new("RGB", shot.sketch.size, "white"),
    }
    return Outcome(
        scores[default],
        {c: {m: s.value for m, s in score(picture).items()} for c, picture in impostors.items()},
        {
            "sketch": shot.sketch,
            "render at the defaults": pictures[default],
            f"control {CONTROL[0]} to {CONTROL[-1]} down, style {STYLE[0]} to {STYLE[-1]} across": _sheet(
                pictures
            ),
            "reference": reference,
        },
        {
            "default": list(default),
            "points": [
                [*scales, *(score.value for score in found.values())]
                for scales, found in scores.items()
            ],
        },
    )


def _sheet(pictures: Mapping[Scales, Image]) -> Image:
    from PIL import Image

    width, height = (THUMB * side // 256 for side in next(iter(pictures.values())).size)
    sheet = Image.new("RGB", (width * len(STYLE), height * len(CONTROL)))
    for (row, control), (column, style) in product(enumerate(CONTROL), enumerate(STYLE)):
        thumb = pictures[control, style].resize((width, height))
        sheet.paste(thumb, (column * width, row * height))
    return sheet


def surface(results: Sequence[Result]) -> tuple[list[Scales], Floats]:
    """The points of the grid, and (n, 2) mean geometry and style of each, over the drawings."""
    found: dict[Scales, list[list[float]]] = {}
    for result in results:
        for control, style, *scores in result.facts["points"]:
            found.setdefault((control, style), []).append(scores)
    return list(found), np.array([np.mean(scores, 0) for scores in found.values()])


def pareto(points: Floats) -> list[int]:
    """Rows of (n, 2) points that no other beats in both, by the first coordinate upwards."""
    return [
        i
        for i in np.argsort(points[:, 0], kind="stable").tolist()
        if not ((points >= points[i]).all(1) & (points > points[i]).any(1)).any()
    ]


def scaled(points: Floats) -> Floats:
    """(n, 2) points with the range of each coordinate as the unit; a coordinate without range is 1."""
    low, high = points.min(0), points.max(0)
    span = np.where(high > low, high - low, 1)
    return np.where(high > low, (points - low) / span, 1.0)


def knee(points: Floats) -> int:
    """The row of (n, 2) points that is nearest to having the best of both, in units of their ranges.

    It is the compromise solution of P. L. Yu, Management Science 19(8), 1973, and always on the Pareto front.
    """
    return int(np.hypot(*(1 - scaled(points)).T).argmin())


def figures(results: Sequence[Result]) -> Mapping[str, float]:
    """Where the defaults lie on the mean surface of all drawings. Raises `ValueError` for none."""
    if not results:
        raise ValueError("no results")
    scales, points = surface(results)
    default, best = scales.index(_default(results)), knee(points)
    units = scaled(points)
    return {
        "distance_to_knee": float(np.hypot(*(units[default] - units[best]))),
        "default_on_front": float(default in pareto(points)),
        "f1_at_knee": float(points[best, 0]),
        "likeness_at_knee": float(points[best, 1]),
    }


def _default(results: Sequence[Result]) -> Scales:
    control, style = results[0].facts["default"]
    return control, style


def drawings(results: Sequence[Result]) -> list[Drawing]:
    """The grid, its Pareto front, its knee and the defaults."""
    scales, points = surface(results)
    front, best, default = pareto(points), knee(points), scales.index(_default(results))

    def series(name: str, rows: Sequence[int], marks: str = "dots") -> Series:
        at = [(float(points[i, 0]), float(points[i, 1])) for i in rows]
        labels = [f"{scales[i][0]:g} / {scales[i][1]:g}" for i in rows]
        return Series(name, at, "line" if marks == "line" else "dots", labels)

    return [
        Plot(
            "What the lines cost the style",
            "geometry: F1 within 2 px",
            "style: likeness to the judge",
            [
                series("control / style", range(len(scales))),
                series("Pareto front", front, "line"),
                series("knee", [best]),
                series("defaults", [default]),
            ],
            "Up and to the right is better. The knee is the point nearest to having the best of both.",
        )
    ]


SUITE = Suite(
    name="tradeoff",
    measures="whether the default control and style scales sit where geometry and style balance",
    metrics=(
        Metric(
            "distance_to_knee",
            "way from the defaults to the knee of geometry and style, 1 being the range of either on the grid",
            "",
            False,
        ),
        Metric(
            "f1_at_default",
            "F1 of lines and edges within 2 px at the defaults",
            apart_from=("reference", "blank"),
        ),
        Metric(
            "likeness_at_default",
            "how much more like the style than like the library a render is to an independent judge",
            apart_from=("sketch", "blank"),
        ),
        Metric("default_on_front", "1 when no other point is better in both"),
        Metric("f1_at_knee", "F1 at the knee", higher_is_better=None),
        Metric("likeness_at_knee", "likeness at the knee", higher_is_better=None),
    ),
    datasets=(FILE,),
    cases=cases,
    run=run,
    quick=1,
    figures=figures,
    drawings=drawings,
)
