"""Render."""

import asyncio
from math import ceil

from langgraph.runtime import Runtime
from PIL import Image

from graph.context import Context
from graph.recipe import image_request, recipe
from graph.state import Attempt, Fidelity, Progress, Said, State, Update
from tools.artifacts import ArtifactStore
from tools.errors import DiskFailed
from tools.imaging import Step
from tools.lane import Stopped
from tools.unfinished import EVERY, render_key

PREVIEWS = 4  # of one render


async def generate_image(state: State, runtime: Runtime[Context]) -> Update:
    """Render the prompt in the chosen styles on the sketch's lines, and crop it to the sketch.

    Reads `enhancement`, `messages`, `styles`, `canvas`, `edge_map`, `attempts`, `seed`, `steps`,
    `profile`; adds to `attempts`, unmeasured, and writes `versions`: those of `begin`, unless they are gone by now.
    """
    ctx = runtime.context
    studio = await ctx.studio(state["profile"])
    request = await ctx.lane.run(lambda _: image_request(state, studio, ctx))
    key = render_key(request, studio.engine.name)
    info = runtime.execution_info
    thread = info.thread_id if info else None

    def paint(stopped: Stopped) -> Image.Image:
        def on_step(step: Step) -> None:
            if thread and runtime.drain_requested:  # the server stops: the next one goes on here
                ctx.unfinished.save(thread, key, step.save())
            stopped.check()
            every = ceil(step.total / (PREVIEWS + 1))
            shown = step.number % every == 0 and step.number < step.total
            saved = step.save() if step.number % EVERY == 0 else None
            preview = step.preview() if shown else None
            stopped.check()  # both took time: a render that was given up in them leaves no trace
            if thread and saved:
                ctx.unfinished.save(thread, key, saved)
            runtime.stream_writer(
                Progress(
                    type="progress",
                    node="generate_image",
                    step=step.number,
                    total=step.total,
                    preview=_keep(preview, ctx.artifacts),
                )
            )

        stopped.check()
        earlier = ctx.unfinished.load(thread, key) if thread else None
        return studio.engine.generate(request, on_step, earlier)

    canvas = await ctx.lane.run(paint)
    left, top, right, bottom = state["canvas"]["box"]
    image = canvas.crop((left, top, right, bottom))
    chunks = await asyncio.to_thread(recipe, request, state, studio, ctx, image)
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
    return {"attempts": [*state["attempts"], attempt], "versions": dict(ctx.versions)}


def _keep(preview: Image.Image | None, artifacts: ArtifactStore) -> str | None:
    """The artifact id of a preview; None where there is none, or the disk does not take it."""
    try:
        return artifacts.put_image(preview) if preview else None
    except DiskFailed:
        return None
