"""The canvas, and the lines on it."""

from typing import Any

import numpy as np
import pytest
from langgraph.runtime import Runtime
from PIL import Image, ImageDraw

from graph.context import Context
from graph.state import Update
from nodes.extract_edges import extract_edges
from tools.errors import InvalidRequest, NotFound
from tools.fidelity import geometry_scores


async def extract(context: Context, sketch: str | None, size: int | None = None) -> Update:
    """Run the node alone."""
    state: Any = {"sketch": sketch, "size": size, "profile": "starter"}
    runtime = Runtime(context=context, stream_writer=lambda event: None)
    return await extract_edges(state, runtime)


def drawing(width: int, height: int, paper: str = "white") -> Image.Image:
    """A frame and a diagonal, well inside the paper."""
    image = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(image)
    inset = min(width, height) // 5
    box = (inset, inset, width - inset, height - inset)
    pen.rectangle(box, outline="black", width=max(2, inset // 10))
    pen.line(box, fill="black", width=max(2, inset // 10))
    return image


@pytest.mark.parametrize(
    ("width", "height"), [(100, 100), (640, 480), (317, 100), (100, 317), (1000, 60)]
)
async def test_the_lines_lie_inside_the_box(context: Context, width: int, height: int) -> None:
    sketch = context.artifacts.put_image(drawing(width, height))
    update = await extract(context, sketch, size=128)
    canvas, edge_map = update["canvas"], update["edge_map"]
    assert edge_map is not None
    edges = context.artifacts.image(edge_map)
    assert edges.mode == "L"
    assert edges.size == (canvas["width"], canvas["height"])
    assert max(edges.size) == 128
    assert canvas["width"] % 8 == canvas["height"] % 8 == 0
    left, top, right, bottom = canvas["box"]
    assert 0 <= left < right <= canvas["width"]
    assert 0 <= top < bottom <= canvas["height"]
    assert (right - left) / (bottom - top) == pytest.approx(width / height, rel=0.2)
    outside = np.asarray(edges).copy()
    outside[top:bottom, left:right] = 0
    assert outside.max() == 0
    assert np.asarray(edges).max() == 255


async def test_no_line_of_a_large_scan_is_lost(context: Context) -> None:
    small, large = (drawing(*size) for size in ((300, 200), (1800, 1200)))
    found = []
    for sketch in (small, large):
        update = await extract(context, context.artifacts.put_image(sketch), size=96)
        assert update["edge_map"] is not None
        found.append(context.artifacts.image(update["edge_map"]))
    assert geometry_scores(found[0], found[1].convert("RGB"), tolerance_px=3).kept > 0.95
    assert geometry_scores(found[1], found[0].convert("RGB"), tolerance_px=3).kept > 0.95


async def test_the_rim_of_toned_paper_is_no_line(context: Context) -> None:
    sketch = context.artifacts.put_image(drawing(317, 100, paper="#d8c8a0"))
    update = await extract(context, sketch, size=320)
    assert update["edge_map"] is not None
    edges = np.asarray(context.artifacts.image(update["edge_map"]))
    left, top, right, bottom = update["canvas"]["box"]
    rim = edges[top : top + 4, left:right], edges[bottom - 4 : bottom, left:right]
    assert max(side.max() for side in rim) == 0


async def test_without_a_sketch_the_canvas_is_square(context: Context) -> None:
    update = await extract(context, None)
    assert update == {
        "canvas": {"width": 96, "height": 96, "box": [0, 0, 96, 96]},
        "edge_map": None,
    }


async def test_a_blank_sheet_is_refused(context: Context) -> None:
    sketch = context.artifacts.put_image(Image.new("RGB", (64, 64), "white"))
    with pytest.raises(InvalidRequest) as refused:
        await extract(context, sketch)
    assert refused.value.code == "blank_sketch"


async def test_an_unknown_sketch_is_refused(context: Context) -> None:
    with pytest.raises(NotFound):
        await extract(context, "0" * 64)
