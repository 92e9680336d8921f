"""Make a picture again from its file, and say how near it came."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from pydantic import ValidationError

from graph.choice import OWN_REFERENCE
from graph.context import Context
from graph.recipe import (
    FORMAT,
    Recipe,
    pixels_digest,
    reference_digests,
    style_mix,
)
from graph.settings import VERSION
from graph.state import StyleWeight
from tools.errors import InvalidRequest, NotFound
from tools.images import decode_upload
from tools.imaging import ImageEngine, ImageRequest, OnStep

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Original:
    """A picture as it was found, and what its file says of how it was made."""

    image: Image.Image  # RGB
    recipe: Recipe
    chunks: Mapping[str, str]  # the recipe as it is in the file

    @property
    def untouched(self) -> bool:
        """Whether these are the pixels that were painted."""
        return pixels_digest(self.image) == self.recipe.pixels


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two pictures of one size are apart."""

    pixels: int  # that differ
    mean: float  # of all channels of those pixels, 0 .. 255
    largest: int  # of any channel, 0 .. 255


def read_original(data: bytes) -> Original:
    """Read a picture's file. Raises `InvalidRequest`: `no_png`, `no_recipe`, `unknown_recipe`, `broken_recipe`."""
    if not data.startswith(PNG):
        raise InvalidRequest("This is no PNG, and only PNG carries a recipe.", code="no_png")
    image = decode_upload(data)
    with Image.open(BytesIO(data), formats=("PNG",)) as file:
        file.load()
        text: Mapping[str, str] = file.text  # type: ignore[attr-defined]
    chunks = {name: str(text[name]) for name in Recipe.model_fields if name in text}
    needed = [name for name, field in Recipe.model_fields.items() if field.is_required()]
    missing = [name for name in needed if name not in chunks]
    if not chunks:
        raise InvalidRequest(
            "This picture has no recipe: it was not made here, or a program that saved it again "
            "left the text chunks out.",
            code="no_recipe",
        )
    if chunks.get("recipe", FORMAT) != FORMAT:
        raise InvalidRequest(
            f"This recipe is of version {chunks['recipe'][:20]!r}, and this studio reads {FORMAT}: use a newer one.",
            code="unknown_recipe",
        )
    if missing:
        raise InvalidRequest(
            f"This recipe lacks {', '.join(missing)}: an older studio wrote it, or a program that "
            "saved the picture again left some out.",
            code="no_recipe",
        )
    try:
        return Original(image, Recipe.model_validate(chunks), chunks)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise _altered(f"{where}: {fault['msg']}") from error


def check_recipe(original: Original, context: Context) -> None:
    """Refuse what a render could not have been asked for here, or what does not fit its picture.

    Raises `InvalidRequest`: `unknown_profile`, `broken_recipe`, and `unknown_style` or `unknown_artifact` for a style
    that is not here.
    """
    recipe = original.recipe
    profile = context.profile(recipe.profile)
    if recipe.steps > profile.steps_max:
        raise _altered(f"{recipe.steps} steps, {profile.name} takes 1 to {profile.steps_max}")
    sides = (recipe.width, recipe.height)
    if max(sides) > profile.size_max or any(side % profile.size_multiple for side in sides):
        raise _altered(
            f"{recipe.width}x{recipe.height} px, {profile.name} takes multiples of "
            f"{profile.size_multiple} up to {profile.size_max}"
        )
    left, top, right, bottom = recipe.box
    if not (0 <= left < right <= recipe.width and 0 <= top < bottom <= recipe.height):
        raise _altered(f"the box {list(recipe.box)} is not on the canvas")
    if original.untouched and original.image.size != (right - left, bottom - top):
        raise _altered(f"the box {list(recipe.box)} is not as large as the picture")
    if recipe.styles and abs(sum(share.weight for share in recipe.styles) - 1) > 1e-6:
        raise _altered("the shares of the styles do not sum to 1")
    _edges(recipe)
    for share in recipe.styles:
        _check_style(share.style, context)


def replay(recipe: Recipe, engine: ImageEngine, context: Context, on_step: OnStep) -> Image.Image:
    """Return what `engine` makes of a checked recipe. Blocking; raises as `ImageEngine.generate` does."""
    request = ImageRequest(
        prompt=recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        seed=recipe.seed,
        width=recipe.width,
        height=recipe.height,
        steps=recipe.steps,
        guidance_scale=recipe.guidance_scale,
        low_noise=recipe.low_noise,
        colour_transfer=recipe.colour_transfer,
        edges=_edges(recipe),
        control_scale=recipe.control_scale,
        style=style_mix(_weights(recipe), engine, context),
        style_scale=recipe.style_scale,
    )
    return engine.generate(request, on_step).crop(recipe.box)


def compare(one: Image.Image, other: Image.Image) -> Difference:
    """Return how far two RGB pictures of one size are apart."""
    gaps = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16))
    differing = gaps[gaps.any(axis=2)]
    if not differing.size:
        return Difference(0, 0.0, 0)
    return Difference(len(differing), float(differing.mean()), int(differing.max()))


def doubts(recipe: Recipe, engine: ImageEngine, context: Context) -> list[str]:
    """Say in what this studio is not the one that made the picture. Blocking."""
    found = []
    if engine.name != recipe.engine:
        found.append(f"The picture was made by the engine {recipe.engine}, this is {engine.name}.")
    here = reference_digests(_weights(recipe), context)
    changed = [name for name in here if here[name] != recipe.references.get(name)]
    if changed:
        found.append(f"Other references than then: {', '.join(changed)}.")
    if recipe.studio != VERSION:
        found.append(f"The picture was made by studio {recipe.studio}, this is {VERSION}.")
    return found


def other_versions(recipe: Recipe, context: Context) -> list[str]:
    """Say which parts of the release are not those that made the picture."""
    return [
        f"The picture was made with {name[:60]!r}, this is {context.versions.get(kind, 'none')}."
        for kind, name in recipe.versions.items()
        if context.versions.get(kind) != name
    ]


def rewritten(
    original: Original, image: Image.Image, engine: ImageEngine, context: Context
) -> dict[str, str]:
    """Return the text chunks for the file of `image`, a replay. Blocking."""
    references = reference_digests(_weights(original.recipe), context)
    return {
        **original.chunks,
        "studio": VERSION,
        "versions": json.dumps(dict(context.versions)),
        "engine": engine.name,
        "references": json.dumps(references),
        "pixels": pixels_digest(image),
    }


def _weights(recipe: Recipe) -> list[StyleWeight]:
    return [StyleWeight(style=share.style, weight=share.weight) for share in recipe.styles]


def _check_style(name: str, context: Context) -> None:
    if not name.startswith(OWN_REFERENCE):
        try:
            context.catalog.get(name)
        except NotFound as error:
            message = f"The picture has the style {name!r}, which is not in this library: add it."
            raise InvalidRequest(message, code=error.code) from error
    elif not context.artifacts.exists(name.removeprefix(OWN_REFERENCE)):
        message = f"The picture has the look of the image {name!r}, which is not here: upload it."
        raise InvalidRequest(message, code="unknown_artifact")


def _edges(recipe: Recipe) -> Image.Image | None:
    if not recipe.edge_map:
        return None
    try:
        data = base64.b64decode(recipe.edge_map, validate=True)
        with Image.open(BytesIO(data), formats=("PNG",)) as file:
            if file.size != (recipe.width, recipe.height):
                raise _altered("the edge map is not as large as the canvas")
            return file.convert("L")
    except InvalidRequest:
        raise
    except Exception as error:  # a decoder fed hostile bytes may raise anything
        raise _altered("the edge map cannot be read") from error


def _altered(what: str) -> InvalidRequest:
    return InvalidRequest(f"The recipe was altered or damaged: {what}.", code="broken_recipe")
