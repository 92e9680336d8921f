"""What a render is worth, and when it is worth another try."""

from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.runtime import Runtime
from PIL import Image, ImageDraw

from graph.context import Context
from graph.state import Attempt, Fidelity, Reply, Update
from nodes.critique import critique

SIZE = (96, 64)
EARLIER = Reply(turn=1, text="Neon: your choice.", image="0" * 64, width=96, height=64)


def lines(*boxes: tuple[int, int, int, int]) -> Image.Image:
    """An edge map of rectangles."""
    edges = Image.new("L", SIZE)
    for box in boxes:
        ImageDraw.Draw(edges).rectangle(box, outline=255)
    return edges


HOUSE = lines((10, 20, 50, 60), (60, 8, 88, 40))
OTHER = lines((30, 5, 40, 15), (2, 40, 20, 44))


def render(edges: Image.Image, ground: str = "#e010c0") -> Image.Image:
    """A render that keeps exactly these lines."""
    image = Image.new("RGB", SIZE, ground)
    image.paste("black", mask=edges)
    return image


def attempt(context: Context, image: Image.Image, geometry: float | None = None) -> Attempt:
    fidelity = Fidelity(geometry=geometry, invented=None, style=None, palette=None, text=None)
    return Attempt(
        image=context.artifacts.put_image(image),
        width=SIZE[0],
        height=SIZE[1],
        prompt="",
        seed=0,
        control_scale=1.0,
        fidelity=fidelity,
    )


async def judge(
    context: Context,
    *attempts: Attempt,
    edges: Image.Image | None = HOUSE,
    style: str = "",
    replies: Sequence[Reply] = (EARLIER,),
) -> tuple[Update, str]:
    """Run the node alone; what it writes and what it says."""
    said: list[Any] = []
    state: Any = {
        "attempts": list(attempts),
        "edge_map": context.artifacts.put_image(edges) if edges else None,
        "canvas": {"width": SIZE[0], "height": SIZE[1], "box": [0, 0, *SIZE]},
        "styles": [{"style": style, "weight": 1.0}] if style else [],
        "style_reason": "as you asked",
        "enhancement": {"prompt": "neon city"},
        "profile": "starter",
        "turn": 2,
        "replies": list(replies),
    }
    runtime = Runtime(context=context, stream_writer=said.append)
    update = await critique(state, runtime)
    (line,) = said
    return update, line["text"]


def last(update: Update) -> Fidelity:
    return update["attempts"][-1]["fidelity"]


async def test_a_render_of_other_lines_scores_clearly_lower(context: Context) -> None:
    own, _ = await judge(context, attempt(context, render(HOUSE)))
    shuffled, _ = await judge(context, attempt(context, render(OTHER)))
    assert own["retry"] is False
    assert shuffled["retry"] is True
    kept, lost = last(own)["geometry"], last(shuffled)["geometry"]
    assert kept is not None
    assert lost is not None
    assert kept > 0.95 > 0.5 > lost


async def test_the_right_colours_score_higher(context: Context) -> None:
    near, _ = await judge(context, attempt(context, render(HOUSE, "#e010c0")), style="neon")
    far, _ = await judge(context, attempt(context, render(HOUSE, "#c9a24b")), style="neon")
    palettes = last(near)["palette"], last(far)["palette"]
    styles = last(near)["style"], last(far)["style"]
    assert None not in palettes
    assert palettes[0] < palettes[1]  # type: ignore[operator]
    assert styles[0] > styles[1]  # type: ignore[operator]


async def test_without_lines_or_style_nothing_is_made_up(context: Context) -> None:
    update, said = await judge(context, attempt(context, render(HOUSE)), edges=None)
    fidelity = last(update)
    assert fidelity["text"] is not None
    assert {key for key, value in fidelity.items() if value is None} == {
        "geometry",
        "invented",
        "style",
        "palette",
    }
    assert update["retry"] is False
    assert "no sketch" in said


@pytest.mark.parametrize(
    ("earlier", "retry", "words"),
    [
        ([], True, "once more"),
        ([0.1], True, "once more"),
        ([0.75, 0.1], False, "attempt 1 of 3 is the best"),
        ([0.9, 0.1], False, "attempt 1 of 3 is the best, with 90%"),
    ],
)
async def test_it_gives_up_after_the_profiles_retries(
    context: Context, earlier: list[float], retry: bool, words: str
) -> None:
    blank = render(lines((0, 0, 1, 1)))
    before = [attempt(context, blank, geometry) for geometry in earlier]
    update, said = await judge(context, *before, attempt(context, blank))
    assert update["retry"] is retry
    assert words in said
    assert update["best"] == 0
    assert update["attempts"][:-1] == before


async def test_equal_geometry_is_decided_by_style(context: Context) -> None:
    worse = attempt(context, render(HOUSE, "#c9a24b"))
    measured, _ = await judge(context, worse, style="neon")
    update, _ = await judge(
        context, measured["attempts"][0], attempt(context, render(HOUSE)), style="neon"
    )
    assert update["best"] == 1


async def test_what_the_canvas_adds_is_not_judged(context: Context) -> None:
    """The edge map is as large as the canvas, the render as its box."""
    canvas = Image.new("L", (96, 72))
    canvas.paste(HOUSE, (0, 4))
    state: Any = {
        "attempts": [attempt(context, render(HOUSE))],
        "edge_map": context.artifacts.put_image(canvas),
        "canvas": {"width": 96, "height": 72, "box": [0, 4, 96, 68]},
        "styles": [],
        "style_reason": "as you asked",
        "enhancement": {"prompt": "neon city"},
        "profile": "starter",
        "turn": 1,
    }
    runtime = Runtime(context=context, stream_writer=lambda event: None)
    update = await critique(state, runtime)
    geometry = last(update)["geometry"]
    assert geometry is not None
    assert geometry > 0.95


async def test_a_turn_that_is_done_is_answered(context: Context) -> None:
    """The reply shows the best attempt; while there is one more to come there is none."""
    best = attempt(context, render(HOUSE), 0.9)
    update, said = await judge(
        context,
        best,
        attempt(context, render(OTHER), 0.1),
        attempt(context, render(OTHER)),
        style="ink",
    )
    earlier, reply = update["replies"]
    assert earlier == EARLIER
    assert reply == Reply(
        turn=2, text=f"Ink: as you asked. {said}", image=best["image"], width=96, height=64
    )
    instead, _ = await judge(context, attempt(context, render(HOUSE)), replies=[EARLIER, reply])
    assert [each["turn"] for each in instead["replies"]] == [1, 2]
    again, _ = await judge(context, attempt(context, render(OTHER)))
    assert again["retry"] is True
    assert "replies" not in again
