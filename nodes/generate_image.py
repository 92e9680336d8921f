"""Render."""

import asyncio
import threading
from math import ceil

from langgraph.runtime import Runtime
from PIL import Image

from graph.context import Context
from graph.recipe import image_request, recipe
from graph.state import Attempt, Fidelity, Progress, Said, State, Update
from tools.errors import Cancelled
from tools.imaging import Step
from tools.unfinished import EVERY, render_key

PREVIEWS = 4  # of one render


async def generate_image(state: State, runtime: Runtime[Context]) -> Update:
    """Render the prompt in the chosen styles on the sketch's lines, and crop it to the sketch.

    Reads `enhancement`, `messages`, `styles`, `canvas`, `edge_map`, `attempts`, `seed`, `steps`,
    `profile`; adds to `attempts`, unmeasured.
    """
    ctx = runtime.context
    studio = await ctx.studio(state["profile"])
    request = await ctx.lane.run(lambda _: image_request(state, studio, ctx))
    key = render_key(request, studio.engine.name)
    info = runtime.execution_info
    thread = info.thread_id if info else None

    def paint(stopped: threading.Event) -> Image.Image:
        def on_step(step: Step) -> None:
            if stopped.is_set():
                raise Cancelled("The run was cancelled.")
            if thread and step.number % EVERY == 0:
                ctx.unfinished.save(thread, key, step.save())
            every = ceil(step.total / (PREVIEWS + 1))
            shown = step.number % every == 0 and step.number < step.total
            runtime.stream_writer(
                Progress(
                    type="progress",
                    node="generate_image",
                    step=step.number,
                    total=step.total,
                    preview=ctx.artifacts.put_image(step.preview()) if shown else None,
                )
            )

        saved = ctx.unfinished.load(thread, key) if thread else None
        return studio.engine.generate(request, on_step, saved)

    canvas = await ctx.lane.run(paint)
    left, top, right, bottom = state["canvas"]["box"]
    image = canvas.crop((left, top, right, bottom))
    chunks = recipe(request, state, studio)
    attempt = Attempt(
        image=await asyncio.to_thread(ctx.artifacts.put_image, image, chunks),
        width=image.width,
        height=image.height,
        prompt=request.prompt,
        seed=request.seed,
        control_scale=request.control_scale,
        fidelity=Fidelity(geometry=None, invented=None, style=None, palette=None, text=None),
    )
    text = f"{image.width}x{image.height} px in {request.steps} steps from seed {request.seed}."
    runtime.stream_writer(Said(type="said", node="generate_image", text=text))
    return {"attempts": [*state["attempts"], attempt]}
