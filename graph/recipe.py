"""What a render is made from, for the engine and for the file it ends in."""

import base64
import hashlib
import json
from contextlib import suppress
from io import BytesIO
from typing import Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, Json

from graph.blend import style_views, style_words
from graph.choice import OWN_REFERENCE, STYLES_MAX, StyleShare
from graph.context import Context, Studio
from graph.settings import VERSION
from graph.state import State, StyleWeight
from tools.errors import NotFound
from tools.imaging import ImageEngine, ImageRequest, StyleMix
from tools.prompts import apply_style

FORMAT = "1"  # of the shape of a `Recipe`
WORDS_MAX = 10_000  # characters of a prompt; many times what an engine reads
GUIDANCE_MAX = 100.0


def image_request(state: State, studio: Studio, context: Context) -> ImageRequest:
    """Return what the engine shall render next for `state`.

    Every further attempt holds the lines harder, the last one hardest, and has its own seed.
    Blocking: shows the engine the references.
    """
    profile, tried = studio.profile, len(state["attempts"])
    reach = profile.control_scale_max - profile.control_scale
    edge_map = state["edge_map"]
    return ImageRequest(
        prompt=apply_style(
            state["enhancement"]["prompt"],
            style_words(state["styles"], context),
            profile.token_budget,
            rules=context.prompts.rules,
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
        style=style_mix(state["styles"], studio.engine, context),
        style_scale=profile.style_scale,
        colour_transfer=profile.colour_transfer,
    )


def style_mix(styles: list[StyleWeight], engine: ImageEngine, context: Context) -> StyleMix | None:
    """Return the blend of `styles` as `engine` takes it. Blocking. Raises as `style_views` does."""
    views = style_views(styles, engine.embed_style, context)
    return StyleMix(*zip(*views, strict=True)) if views else None


class Recipe(BaseModel):
    """All it takes to make a picture again, except models and styles: the text chunks of its file, by name."""

    model_config = ConfigDict(frozen=True)

    recipe: Literal["1"]
    studio: str  # version
    versions: Json[dict[str, str]] = {}  # of the release: kind, name; older recipes lack it
    engine: str
    profile: str
    prompt: str = Field(max_length=WORDS_MAX)
    negative_prompt: str = Field(max_length=WORDS_MAX)
    seed: int = Field(ge=0, lt=2**63)
    width: int = Field(ge=1)  # px, of the canvas
    height: int = Field(ge=1)  # px, of the canvas
    box: Json[tuple[int, int, int, int]]  # left, top, right, bottom of the picture on it, px
    steps: int = Field(ge=1)
    guidance_scale: float = Field(ge=1, le=GUIDANCE_MAX)
    low_noise: float = Field(ge=0, le=1)
    control_scale: float = Field(ge=0, le=2)
    style_scale: float = Field(ge=0, le=1.5)
    colour_transfer: float = Field(default=0.0, ge=0, le=1)  # older recipes lack it
    styles: Json[list[StyleShare]] = Field(max_length=STYLES_MAX)
    references: Json[dict[str, str]]  # style: SHA-256 of its references' files
    edge_map: str  # a PNG in base64; empty: no sketch
    pixels: str  # `pixels_digest` of the picture


def recipe(
    request: ImageRequest, state: State, studio: Studio, context: Context, image: Image.Image
) -> dict[str, str]:
    """Return the text chunks of the file of `image`, which `request` became. Blocking: reads the styles' files."""
    return {
        "recipe": FORMAT,
        "studio": VERSION,
        "versions": json.dumps(dict(context.versions)),
        "engine": studio.engine.name,
        "profile": studio.profile.name,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": str(request.seed),
        "width": str(request.width),
        "height": str(request.height),
        "box": json.dumps(state["canvas"]["box"]),
        "steps": str(request.steps),
        "guidance_scale": repr(float(request.guidance_scale)),
        "low_noise": repr(float(request.low_noise)),
        "control_scale": repr(float(request.control_scale)),
        "style_scale": repr(float(request.style_scale)),
        "colour_transfer": repr(float(request.colour_transfer)),
        "styles": json.dumps(state["styles"]),
        "references": json.dumps(reference_digests(state["styles"], context)),
        "edge_map": _pack(request.edges) if request.edges else "",
        "pixels": pixels_digest(image),
    }


def reference_digests(styles: list[StyleWeight], context: Context) -> dict[str, str]:
    """Return the SHA-256 of the references' files of every style of the library that is there. Blocking.

    An own image needs none: its name is its content.
    """
    digests = {}
    for name in (share["style"] for share in styles):
        if not name.startswith(OWN_REFERENCE):
            with suppress(NotFound, OSError):  # it may go while it is in use
                files = [path.read_bytes() for path in context.catalog.get(name).references]
                each = [hashlib.sha256(file).digest() for file in files]
                digests[name] = hashlib.sha256(b"".join(each)).hexdigest()
    return digests


def pixels_digest(image: Image.Image) -> str:
    """Return the SHA-256 of an RGB image's size and pixels; how its file is written does not matter."""
    size = f"{image.width}x{image.height} ".encode()
    return hashlib.sha256(size + image.tobytes()).hexdigest()


def _pack(edges: Image.Image) -> str:
    file = BytesIO()
    edges.convert("1", dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
