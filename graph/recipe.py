"""What a render is made from, for the engine and for the file it ends in."""

import json

from graph.blend import style_views, style_words
from graph.context import Context, Studio
from graph.state import State
from tools.imaging import ImageRequest, StyleMix
from tools.prompts import apply_style


def image_request(state: State, studio: Studio, context: Context) -> ImageRequest:
    """Return what the engine shall render next for `state`.

    Every further attempt holds the lines harder, the last one hardest, and has its own seed.
    Blocking: shows the engine the references.
    """
    profile, tried = studio.profile, len(state["attempts"])
    reach = profile.control_scale_max - profile.control_scale
    views = style_views(state["styles"], studio.engine.embed_style, context)
    vectors, weights = zip(*views, strict=True) if views else ((), ())
    edge_map = state["edge_map"]
    return ImageRequest(
        prompt=apply_style(
            state["enhancement"]["prompt"],
            style_words(state["styles"], context),
            profile.token_budget,
            messages=state["messages"],
            count_tokens=studio.engine.count_tokens,
        ),
        negative_prompt=state["enhancement"]["negative_prompt"],
        seed=(state["seed"] + tried) % 2**63,
        width=state["canvas"]["width"],
        height=state["canvas"]["height"],
        steps=state["steps"] or profile.steps,
        guidance_scale=profile.guidance_scale,
        low_noise=profile.low_noise,
        edges=context.artifacts.image(edge_map) if edge_map else None,
        control_scale=profile.control_scale + reach * tried / max(1, profile.retries),
        style=StyleMix(vectors, weights) if views else None,
        style_scale=profile.style_scale,
    )


def recipe(request: ImageRequest, state: State, studio: Studio) -> dict[str, str]:
    """Return the text chunks of the finished picture's file: enough to make it again."""
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": str(request.seed),
        "steps": str(request.steps),
        "guidance_scale": f"{request.guidance_scale:g}",
        "low_noise": f"{request.low_noise:g}",
        "control_scale": f"{request.control_scale:g}",
        "styles": json.dumps(state["styles"]),
        "profile": studio.profile.name,
        "engine": studio.engine.name,
    }
