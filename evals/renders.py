"""A drawing through the product's own steps: its lines, its words, its request, its render."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evals.drawings import load_drawings, sketch

if TYPE_CHECKING:
    from PIL.Image import Image

    from evals.drawings import Drawing
    from evals.subject import Subject
    from graph.state import Request, State
    from tools.imaging import ImageRequest

LIBRARY = Path(__file__).parents[1] / "styles/library"


@dataclass(frozen=True, slots=True)
class Shot:
    """What will be rendered of a drawing, and what it is held against."""

    request: ImageRequest
    box: tuple[int, int, int, int]  # left, top, right, bottom of the drawing on the canvas, px
    sketch: Image  # RGB, of the size of the box
    lines: Image  # mode L, the part of the edge map in the box

    def at(self, control_scale: float, style_scale: float) -> Shot:
        """The same with other scales."""
        request = replace(self.request, control_scale=control_scale, style_scale=style_scale)
        return replace(self, request=request)


async def request_for(
    subject: Subject,
    drawing: Drawing,
    styles: Sequence[str],
    message: str,
    seed: int,
    **overrides: Any,
) -> Shot:
    """What the product would render first for `message` with the sketch of `drawing` and equal shares of `styles`.

    The product's nodes do it, but for the style, which is given.
    `overrides` are fields of `ImageRequest` that a suite sets itself. Raises as the nodes do.
    """
    from langgraph.runtime import Runtime

    from graph.recipe import image_request
    from nodes.begin import begin
    from nodes.enhance_prompt import enhance_prompt
    from nodes.extract_edges import extract_edges

    picture = sketch(drawing)
    context, runtime = subject.context, Runtime(context=subject.context)
    asked: Request = {
        "message": message,
        "sketch": context.artifacts.put_image(picture),
        "style": ",".join(styles) or "none",
        "seed": seed,
        "steps": None,
        "size": None,
        "profile": subject.profile.name,
    }
    state = cast("State", asked)
    for node in (begin, enhance_prompt, extract_edges):
        state = cast("State", {**state, **await node(state, runtime)})
    state["styles"] = [{"style": style, "weight": 1 / len(styles)} for style in styles]
    made = await context.lane.run(lambda _: image_request(state, subject.studio, context))
    left, top, right, bottom = state["canvas"]["box"]
    assert made.edges is not None, "a drawing has lines"
    return Shot(
        replace(made, **overrides),
        (left, top, right, bottom),
        picture.resize((right - left, bottom - top), reducing_gap=3.0),
        made.edges.crop((left, top, right, bottom)),
    )


async def render(subject: Subject, shot: Shot) -> Image:
    """The RGB render of a shot, cropped to the drawing as the product crops it."""
    return (await subject.render(shot.request)).crop(shot.box)


def references(subject: Subject, style: str) -> list[Image]:
    """The RGB references of a style of the library. Raises `NotFound` for one that it does not hold."""
    from PIL import Image

    return [
        Image.open(file).convert("RGB") for file in subject.context.catalog.get(style).references
    ]


@cache
def shipped_styles() -> tuple[str, ...]:
    """The slugs of the library in this repository."""
    return tuple(sorted(file.parent.name for file in LIBRARY.glob("*/style.toml")))


@cache
def drawings_of(split: str) -> tuple[Drawing, ...]:
    """The drawings of a split. Raises `DatasetError`."""
    return tuple(drawing for drawing in load_drawings().values() if drawing.split == split)


def drawn(key: str, among: Sequence[str], count: int) -> list[str]:
    """`count` of `among` that belong to `key`: as if by lot, but the same in every run."""
    return sorted(among, key=lambda name: hashlib.sha256(f"{key} {name}".encode()).digest())[:count]


def seed_of(key: str) -> int:
    """A seed that belongs to `key`, 0 .. 2**31 - 1."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1
