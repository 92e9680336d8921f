"""Render."""

import asyncio
import json
import threading
from math import ceil

from langgraph.runtime import Runtime
from PIL import Image

from graph.blend import style_views, style_words
from graph.context import Context, Studio
from graph.state import Attempt, Fidelity, Progress, Said, State, Update
from tools.errors import Cancelled
from tools.imaging import ImageRequest, Step, StyleMix
from tools.prompts import apply_style

PREVIEWS = 4  # of one render


async def generate_image(state: State, runtime: Runtime[Context]) -> Update:
    """Render the prompt in the chosen styles on the sketch's lines, and crop it to the sketch.

    Reads `enhancement`, `messages`, `styles`, `canvas`, `edge_map`, `attempts`, `seed`, `steps`,
    `profile`; adds to `attempts`, unmeasured.
    """
    ctx = runtime.context
    studio = await ctx.studio(state["profile"])
    request = await asyncio.to_thread(_request, state, studio, ctx)

    def paint(stopped: threading.Event) -> Image.Image:
        def on_step(step: Step) -> None:
            if stopped.is_set():
                raise Cancelled("The run was cancelled.")
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

        return studio.engine.generate(request, on_step)

    canvas = await ctx.lane.run(paint)
    left, top, right, bottom = state["canvas"]["box"]
    image = canvas.crop((left, top, right, bottom))
    recipe = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": str(request.seed),
        "steps": str(request.steps),
        "styles": json.dumps(state["styles"]),
        "profile": studio.profile.name,
        "engine": studio.engine.name,
    }
    attempt = Attempt(
        image=await asyncio.to_thread(ctx.artifacts.put_image, image, recipe),
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


def _request(state: State, studio: Studio, ctx: Context) -> ImageRequest:
    """Every further attempt holds the lines harder, the last one hardest, and has its own seed."""
    profile, tried = studio.profile, len(state["attempts"])
    reach = profile.control_scale_max - profile.control_scale
    views = style_views(state["styles"], studio.engine.embed_style, ctx)
    vectors, weights = zip(*views, strict=True) if views else ((), ())
    return ImageRequest(
        prompt=apply_style(
            state["enhancement"]["prompt"],
            style_words(state["styles"], ctx),
            profile.token_budget,
            messages=state["messages"],
        ),
        negative_prompt=state["enhancement"]["negative_prompt"],
        seed=(state["seed"] + tried) % 2**63,
        width=state["canvas"]["width"],
        height=state["canvas"]["height"],
        steps=state["steps"] or profile.steps,
        guidance_scale=profile.guidance_scale,
        edges=ctx.artifacts.image(state["edge_map"]) if state["edge_map"] else None,
        control_scale=profile.control_scale + reach * tried / max(1, profile.retries),
        style=StyleMix(vectors, weights) if views else None,
        style_scale=profile.style_scale,
    )
