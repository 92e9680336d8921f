"""Does a render look like the style's references, without copying what is on them?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from evals.drawings import FILE, load_drawings
from evals.pictures import leak
from evals.renders import (
    drawings_of,
    drawn,
    references,
    render,
    request_for,
    seed_of,
    shipped_styles,
)
from evals.style_rank import distances, likeness, open_judge, rank1
from evals.suite import Case, Drawing, Matrix, Metric, Outcome, Result, Score, Suite, partner

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.subject import Subject
    from training.judge import Judge

DRAWINGS_EACH = 4  # of every style
NEITHER = ("shuffled", "sketch", "blank")  # impostors that do not have the style


@cache
def cases() -> tuple[Case, ...]:
    """Every style of the library on some test drawings; the words say what is drawn and nothing else."""
    known = load_drawings()
    names = [drawing.name for drawing in drawings_of("test")]
    return tuple(
        Case(
            f"{style} on {name}",
            {
                "drawing": name,
                "style": style,
                "message": known[name].says,
                "seed": seed_of(f"{style} {name}"),
            },
            style,
        )
        for style in shipped_styles()
        for name in drawn(style, names, DRAWINGS_EACH)
    )


async def run(case: Case, subject: Subject) -> Outcome:
    """Render with the reference alone to tell the style, and ask the product's scorer and a judge of his own mind."""
    from PIL import Image

    inputs = case.inputs
    style, message = inputs["style"], inputs["message"]
    drawing = load_drawings()[inputs["drawing"]]
    shot = await request_for(subject, drawing, [style], message, inputs["seed"], prompt=message)
    picture = await render(subject, shot)
    judge = await asyncio.to_thread(open_judge, subject.renders.folder.parent)
    stranger = partner(case, cases(), lambda other: bool(other.inputs["style"] != style))

    def score() -> tuple[dict[str, Score], dict[str, dict[str, float]]]:
        def of(image: Image.Image, wanted: str) -> dict[str, Score]:
            return style_scores(image, shot.lines, wanted, judge, subject)

        size = picture.size
        controls = {
            "shuffled": of(picture, stranger.inputs["style"]),
            "sketch": of(shot.sketch, style),
            "reference": of(references(subject, style)[0].resize(size), style),
            "blank": of(Image.new("RGB", size, "white"), style),
        }
        return of(picture, style), {
            c: {m: s.value for m, s in x.items()} for c, x in controls.items()
        }

    scores, controls = await subject.context.lane.run(lambda _: score())
    return Outcome(
        scores,
        controls,
        {
            "sketch": shot.sketch,
            "render": picture,
            "reference": references(subject, style)[0],
        },
        {
            "looks_like": list(distances(judge, picture))[:3],
            "prompt": shot.request.prompt,
            "style_scale": shot.request.style_scale,
        },
    )


def style_scores(
    picture: Image, lines: Image, style: str, judge: Judge, subject: Subject
) -> dict[str, Score]:
    """How much a picture is in a style. Blocking: runs the encoder.

    Similarity and palette are what critique measures. The judge is not the encoder that conditioned the render.
    """
    from graph.fidelity import measure
    from graph.state import StyleWeight

    images = references(subject, style)
    share = StyleWeight(style=style, weight=1)
    found = measure(picture, None, [share], "", subject.studio, subject.context)
    near, far = found["style"], found["palette"]
    assert near is not None
    assert far is not None
    return {
        "similarity": Score(near, f"cosine {near:.2f} with the mean of {len(images)} references"),
        "palette": Score(far, f"{far:.0f} from the palettes of {len(images)} references"),
        "rank1": rank1(judge, picture, style),
        "likeness": likeness(judge, picture, style),
        "leak": leak(lines, picture, images),
    }


def figures(results: Sequence[Result]) -> Mapping[str, float]:
    """The style that fares worst counts too."""
    by_style: dict[str, list[float]] = {}
    for result in results:
        by_style.setdefault(result.group, []).append(result.scores["rank1"].value)
    return {"styles_recognised": float(np.mean([np.mean(v) >= 0.5 for v in by_style.values()]))}


def drawings(results: Sequence[Result]) -> list[Drawing]:
    """Which style the judge takes for which."""
    styles = sorted({result.group for result in results})
    seen = sorted({*styles, *(result.facts["looks_like"][0] for result in results)})
    counts = np.zeros((len(styles), len(seen)))
    for result in results:
        counts[styles.index(result.group), seen.index(result.facts["looks_like"][0])] += 1
    shares = counts / counts.sum(1, keepdims=True)
    return [
        Matrix(
            "What a render in a style looks like to the judge",
            styles,
            seen,
            shares.tolist(),
            "Rows are the styles asked for; a perfect pack has ones where row and column agree.",
        )
    ]


SUITE = Suite(
    name="style_fidelity",
    measures="whether a render looks like the style's references, without copying what is on them",
    metrics=(
        Metric(
            "rank1",
            "share of renders that an independent judge takes for the style asked for",
            apart_from=NEITHER,
        ),
        Metric(
            "likeness",
            "how much nearer to the style than to the middle style of the library, to that judge",
            apart_from=NEITHER,
        ),
        Metric(
            "similarity",
            "cosine of render and references to the studio's encoder, as CLIP-I is",
            apart_from=NEITHER,
        ),
        Metric("palette", "distance of the colours from the references'", "CIE76", False, NEITHER),
        Metric(
            "leak",
            "share of a reference's layout that stands in the render, beyond chance",
            "",
            False,
            ("reference",),
        ),
        Metric(
            "styles_recognised", "share of the styles that are recognised at least every other time"
        ),
    ),
    datasets=(FILE,),
    cases=cases,
    run=run,
    quick=12,
    figures=figures,
    drawings=drawings,
)
