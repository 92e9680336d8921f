"""Does the prompt change the picture in the way it says?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from evals.data import SPLITS, DatasetError, read_rows, row_id
from evals.drawings import FILE as DRAWINGS
from evals.drawings import load_drawings
from evals.pictures import NOTICEABLE, Channel, channel
from evals.renders import Shot, drawn, render, request_for, seed_of, shipped_styles
from evals.suite import (
    Case,
    Drawing,
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

FILE = "prompts_paired.toml"
SIGNS = {"more": 1.0, "less": -1.0}
IMPOSTORS = ("shuffled", "blank")


@cache
def load_pairs() -> tuple[Mapping[str, Any], ...]:
    """The rows of the dataset. Raises `DatasetError`."""
    fields: dict[str, type] = {
        "drawing": str,
        "from": str,
        "to": str,
        "kind": str,
        "channel": str,
        "way": str,
        "split": str,
        "where?": list,
    }
    rows = read_rows(FILE, "pair", fields)
    for row in rows:
        where = f"{FILE}, line {row['line']}"
        if row["drawing"] not in load_drawings():
            raise DatasetError(f"{where}: there is no drawing {row['drawing']!r} in {DRAWINGS}.")
        if row["channel"] not in get_args(Channel):
            raise DatasetError(f"{where}: channel is one of {', '.join(get_args(Channel))}.")
        if row["way"] not in SIGNS:
            raise DatasetError(f"{where}: way is one of {', '.join(SIGNS)}.")
        if row["split"] not in SPLITS:
            raise DatasetError(f"{where}: split is one of {', '.join(SPLITS)}.")
        if len(row.get("where", [0] * 4)) != 4:
            raise DatasetError(f"{where}: where is [left, top, right, bottom], in hundredths.")
    return tuple(rows)


@cache
def cases() -> tuple[Case, ...]:
    """Every test pair, in a style that goes with it by lot."""
    found = []
    for row in load_pairs():
        if row["split"] == "test":
            name = f"{row['drawing']}: {row['from']} -> {row['to']}"
            inputs = {key: value for key, value in row.items() if key not in ("line", "split")}
            inputs |= {"style": drawn(name, shipped_styles(), 1)[0], "seed": seed_of(name)}
            found.append(Case(f"{row['drawing']} {row_id(name)}", inputs, row["kind"]))
    return tuple(found)


async def run(case: Case, subject: Subject) -> Outcome:
    """Render both prompts from the same noise, lines and style, and see what moved."""
    from PIL import Image

    before, after = [await _shot(case, case.inputs[end], subject) for end in ("from", "to")]
    pictures = (await render(subject, before), await render(subject, after))
    other = partner(case, cases(), lambda other: _wish(other) != _wish(case))
    paper = Image.new("RGB", pictures[0].size, "white")
    controls = {
        "shuffled": change_scores(pictures, other.inputs),
        "blank": change_scores((paper, paper), case.inputs),
    }
    return Outcome(
        change_scores(pictures, case.inputs),
        {name: {m: s.value for m, s in of.items()} for name, of in controls.items()},
        {"sketch": before.sketch, case.inputs["from"]: pictures[0], case.inputs["to"]: pictures[1]},
        {"prompts": [before.request.prompt, after.request.prompt]},
    )


async def _shot(case: Case, message: str, subject: Subject) -> Shot:
    inputs = case.inputs
    drawing = load_drawings()[inputs["drawing"]]
    return await request_for(subject, drawing, [inputs["style"]], message, inputs["seed"])


def _wish(case: Case) -> tuple[str, str]:
    return case.inputs["channel"], case.inputs["way"]


def change_scores(pictures: tuple[Image, Image], wish: Mapping[str, Any]) -> dict[str, Score]:
    """How far a pair of RGB pictures moved the way that `wish` names: its `channel`, `way` and, if any, `where`.

    `where` is left, top, right, bottom in hundredths of the picture's longer side.
    """
    where = None
    if "where" in wish:
        longer = max(pictures[0].size)
        sides = [longer / side / 100 for side in pictures[0].size]
        where = [min(1.0, at * side) for at, side in zip(wish["where"], 2 * sides, strict=True)]
    was, now = (channel(picture, wish["channel"], where) for picture in pictures)
    shift = SIGNS[wish["way"]] * (now - was)
    reason = f"{wish['channel']} from {was:.1f} to {now:.1f}, where {wish['way']} was asked for"
    return {
        "moved": Score(float(shift > NOTICEABLE), reason),
        "shift": Score(shift, reason),
    }


def drawings(results: Sequence[Result]) -> list[Drawing]:
    """How far each kind of pair moves the picture."""
    kinds = sorted({result.group for result in results})
    points = [
        (float(kinds.index(result.group)), result.scores["shift"].value) for result in results
    ]
    means = [
        (float(i), float(np.mean([r.scores["shift"].value for r in results if r.group == kind])))
        for i, kind in enumerate(kinds)
    ]
    return [
        Plot(
            "How far words move a picture",
            "kind of pair",
            "shift the way that was asked for, CIE L*a*b*",
            [Series("pairs", points, "dots"), Series("mean of a kind", means, "dots", kinds)],
            f"Below {NOTICEABLE} nobody would notice; below 0 the picture went the other way.",
        )
    ]


SUITE = Suite(
    name="text_fidelity",
    measures="whether the prompt changes the picture in the way it says",
    metrics=(
        Metric(
            "moved",
            "share of pairs of prompts whose pictures differ noticeably the way they should",
            apart_from=IMPOSTORS,
        ),
        Metric("shift", "how far the picture moved that way", "CIE L*a*b*", apart_from=IMPOSTORS),
    ),
    datasets=(FILE, DRAWINGS),
    cases=cases,
    run=run,
    quick=6,
    drawings=drawings,
)
