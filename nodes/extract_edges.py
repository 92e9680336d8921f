"""Take the lines of the sketch."""

import asyncio

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import Canvas, Said, State, Update
from tools.edges import extract_edges as edges_of
from tools.edges import resize_edges
from tools.images import canvas_size, fit

DETAIL = 4  # how many times finer than the canvas lines are looked for: more finds grain


async def extract_edges(state: State, runtime: Runtime[Context]) -> Update:
    """Choose the canvas and lay the sketch's lines on it; without a sketch it is square and empty.

    Reads `sketch`, `size`, `profile`; writes `canvas`, `edge_map`.
    """
    ctx = runtime.context
    profile = ctx.profile(state["profile"])
    long_side, multiple = state["size"] or profile.size, profile.size_multiple

    def lines(sketch: str) -> Update:
        drawing = ctx.artifacts.image(sketch).convert("RGB")
        drawing.thumbnail((DETAIL * long_side, DETAIL * long_side))
        width, height = canvas_size(drawing.width, drawing.height, long_side, multiple)
        # Letterboxed as lines on black, for the rim of letterboxed paper would be a line too.
        fitted = fit(edges_of(drawing), width, height, fill=0, resize=resize_edges)
        canvas = Canvas(width=width, height=height, box=list(fitted.box))
        return {"canvas": canvas, "edge_map": ctx.artifacts.put_image(fitted.image)}

    if state["sketch"] is None:
        width, height = canvas_size(1, 1, long_side, multiple)
        text = f"No sketch, so the words alone shape the picture of {width}x{height} px."
        update: Update = {
            "canvas": Canvas(width=width, height=height, box=[0, 0, width, height]),
            "edge_map": None,
        }
    else:
        update = await asyncio.to_thread(lines, state["sketch"])
        width, height = update["canvas"]["width"], update["canvas"]["height"]
        text = f"The lines of your sketch are on a canvas of {width}x{height} px."
    runtime.stream_writer(Said(type="said", node="extract_edges", text=text))
    return update
