"""A picture's file says all it takes to make it again, and what it must not say is refused."""

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from conftest import PaintedEngine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from graph.build import build_graph
from graph.context import Context, Studio
from graph.recipe import Recipe, pixels_digest
from graph.replay import (
    Original,
    check_recipe,
    compare,
    doubts,
    other_versions,
    read_original,
    replay,
    rewritten,
)
from graph.state import Request
from tools.errors import InvalidRequest
from tools.imaging import ImageRequest
from tools.unfinished import render_key


def ask(sketch: str | None = None, style: str = "ink", **more: Any) -> Request:
    plain = {"message": "a house", "seed": 7, "steps": None, "size": None, "profile": "starter"}
    return Request(**{**plain, "sketch": sketch, "style": style, **more})  # type: ignore[typeddict-item]


async def paint(context: Context, request: Request, engine: PaintedEngine | None = None) -> bytes:
    """The file of the last picture that the graph makes of a request."""
    studio = await context.studio("starter")
    painter = engine or studio.engine

    async def open_studio(name: str) -> Studio:
        return replace(studio, engine=painter)

    painting = replace(context, studio=open_studio)
    state = await build_graph().ainvoke(request, context=painting)
    return context.artifacts.get(state["attempts"][-1]["image"]).data


def write(image: Image.Image, chunks: Mapping[str, str], **more: Any) -> bytes:
    """A file as another program might write it."""
    text = PngInfo()
    for key, value in chunks.items():
        text.add_text(key, value, zip=True)
    file = BytesIO()
    image.save(file, "PNG", pnginfo=text, **more)
    return file.getvalue()


def edited(original: Original, **chunks: str | None) -> bytes:
    """The same picture with other chunks; None leaves one out."""
    changed = {**original.chunks, **chunks}
    return write(
        original.image, {key: value for key, value in changed.items() if value is not None}
    )


@pytest.fixture
async def original(context: Context, sketch: str) -> Original:
    return read_original(await paint(context, ask(sketch, "ink:3,deco:1")))


def refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(InvalidRequest) as error:
        act()
    assert error.value.code == code, error.value.message
    return error.value.message


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"style": "none"},
        {"style": "ink:3,deco:1", "seed": 2**63 - 1},
        {"size": 64, "steps": 3},
        {"sketch": None},
    ],
)
async def test_the_engine_is_asked_for_the_very_same(
    context: Context, sketch: str, more: dict[str, Any]
) -> None:
    first, second = PaintedEngine(), PaintedEngine()
    found = read_original(await paint(context, ask(**{"sketch": sketch, **more}), first))
    check_recipe(found, context)
    image = replay(found.recipe, second, context, lambda step: None)

    assert same(first.requests, second.requests)
    assert found.untouched
    assert pixels_digest(image) == found.recipe.pixels
    assert compare(found.image, image).pixels == 0
    assert doubts(found.recipe, second, context) == []


def same(one: list[ImageRequest], other: list[ImageRequest]) -> bool:
    """Whether the last requests agree in everything that a render depends on."""
    return render_key(one[-1], "engine") == render_key(other[-1], "engine")


async def test_a_second_attempt_has_a_recipe_of_its_own(context: Context, sketch: str) -> None:
    class Blind(PaintedEngine):
        def paint(self, request: ImageRequest) -> Image.Image:
            return super().paint(replace(request, edges=None))

    first, second = Blind(), Blind()
    found = read_original(await paint(context, ask(sketch), first))
    replay(found.recipe, second, context, lambda step: None)
    assert len(first.requests) == 3
    assert found.recipe.seed == 9
    assert found.recipe.control_scale > first.requests[0].control_scale
    assert same(first.requests, second.requests)


async def test_a_look_of_ones_own_is_found_by_its_content(context: Context, sketch: str) -> None:
    own = context.artifacts.put_image(Image.new("RGB", (40, 40), "teal"))
    first, second = PaintedEngine(), PaintedEngine()
    found = read_original(await paint(context, ask(sketch, f"artifact:{own}"), first))
    check_recipe(found, context)
    replay(found.recipe, second, context, lambda step: None)
    assert same(first.requests, second.requests)
    assert found.recipe.references == {}

    for path in (context.settings.data_dir / "artifacts").rglob(f"{own}*"):
        path.unlink()
    assert own in refused("unknown_artifact", lambda: check_recipe(found, context))


async def test_the_release_is_in_the_file_and_older_files_need_none(
    context: Context, original: Original
) -> None:
    assert original.recipe.versions == context.versions
    assert other_versions(original.recipe, context) == []
    older = read_original(edited(original, versions=None))
    assert older.recipe.versions == {}
    assert other_versions(older.recipe, context) == []
    before = {**context.versions, "pack": "starter@0123456789ab"}
    other = read_original(edited(original, versions=json.dumps(before)))
    (told,) = other_versions(other.recipe, context)
    assert "starter@0123456789ab" in told
    assert context.versions["pack"] in told


async def test_the_lines_are_in_the_file_and_take_little_room(original: Original) -> None:
    plain = BytesIO()
    original.image.save(plain, "PNG")
    assert len(original.chunks["edge_map"]) < 1000
    assert len(edited(original)) - len(plain.getvalue()) < 3000


async def test_equal_requests_make_equal_files(context: Context, sketch: str) -> None:
    assert await paint(context, ask(sketch)) == await paint(context, ask(sketch))


async def test_a_file_that_was_only_saved_again_is_the_same_picture(original: Original) -> None:
    again = read_original(
        write(original.image, {"Software": "another", **original.chunks}, compress_level=1)
    )
    assert again.untouched
    assert again.recipe == original.recipe


async def test_a_picture_that_was_painted_over_is_not(original: Original) -> None:
    image = original.image.copy()
    image.putpixel((3, 3), (255, 0, 0))
    assert not read_original(write(image, original.chunks)).untouched


async def test_a_file_that_carries_no_recipe_says_so(original: Original) -> None:
    jpeg = BytesIO()
    original.image.save(jpeg, "JPEG")
    assert "no PNG" in refused("no_png", lambda: read_original(jpeg.getvalue()))
    bare = write(original.image, {"Software": "another"})
    assert "text chunks" in refused("no_recipe", lambda: read_original(bare))
    refused("broken_image", lambda: read_original(edited(original)[:200]))


@pytest.mark.parametrize(
    "name", [name for name, field in Recipe.model_fields.items() if field.is_required()]
)
async def test_what_a_recipe_lacks_is_named(original: Original, name: str) -> None:
    short = edited(original, **{name: None})
    assert f"lacks {name}:" in refused("no_recipe", lambda: read_original(short))


async def test_a_recipe_from_the_future_is_not_guessed_at(original: Original) -> None:
    later = edited(original, recipe="2", box=None)
    assert "newer" in refused("unknown_recipe", lambda: read_original(later))


def edge_map(width: int, height: int) -> str:
    file = BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "-1"),
        ("seed", str(2**63)),
        ("seed", "seven"),
        ("steps", "0"),
        ("steps", "61"),
        ("steps", "9" * 5000),
        ("width", "0"),
        ("width", "97"),
        ("width", "1024"),
        ("height", "100000"),
        ("guidance_scale", "nan"),
        ("guidance_scale", "1e308"),
        ("low_noise", "-0.1"),
        ("colour_transfer", "1.1"),
        ("control_scale", "inf"),
        ("style_scale", "2"),
        ("box", "[0, 0, 96]"),
        ("box", "[0, 0, 96, 640]"),
        ("box", "[0, 0, 95, 64]"),
        ("box", "[10, 0, 5, 64]"),
        ("box", "0, 0, 96, 64"),
        ("styles", "[]]"),
        ("styles", '[{"style": "ink", "weight": 0.5}]'),
        ("styles", '[{"style": "ink", "weight": -1}, {"style": "deco", "weight": 2}]'),
        ("styles", json.dumps([{"style": "ink", "weight": 0.2}] * 5)),
        ("references", "[]"),
        ("edge_map", "no base64"),
        ("edge_map", "aGVsbG8="),
        ("edge_map", edge_map(48, 48)),
        ("edge_map", edge_map(20_000, 20_000)),
        ("edge_map", edge_map(96, 64)[:60]),
        ("prompt", "x" * 20_000),
    ],
)
async def test_an_altered_recipe_is_refused(
    context: Context, original: Original, name: str, value: str
) -> None:
    bad = edited(original, **{name: value})
    message = refused("broken_recipe", lambda: check_recipe(read_original(bad), context))
    assert "altered or damaged" in message
    assert len(message) < 400


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_chunk_breaks_the_reader(context: Context, data: st.DataObject) -> None:
    image = Image.new("RGB", (16, 16))
    names = list(Recipe.model_fields)
    value = st.one_of(
        st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40),
        st.integers().map(str),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.just("style"), inner),
            max_leaves=6,
        ).map(json.dumps),
    )
    chunks = dict.fromkeys(names, "1") | {
        "recipe": "1",
        "profile": "starter",
        "width": "96",
        "height": "96",
        "box": "[0, 0, 16, 16]",
        "styles": "[]",
        "references": "{}",
        "edge_map": "",
    }
    name = data.draw(st.sampled_from(names))
    with suppress(InvalidRequest):
        check_recipe(read_original(write(image, chunks | {name: data.draw(value)})), context)


async def test_a_profile_or_a_style_that_is_not_here_is_named(
    context: Context, original: Original
) -> None:
    other = read_original(edited(original, profile="huge"))
    assert "starter" in refused("unknown_profile", lambda: check_recipe(other, context))

    context.catalog.reload()
    for path in (context.settings.library / "deco").iterdir():
        path.unlink()
    (context.settings.library / "deco").rmdir()
    context.catalog.reload()
    assert "'deco'" in refused("unknown_style", lambda: check_recipe(original, context))


async def test_what_is_not_as_it_was_is_told(context: Context, original: Original) -> None:
    reference = context.settings.library / "deco" / "reference-1.png"
    Image.new("RGB", (32, 32), "red").save(reference)
    found = doubts(original.recipe, PaintedEngine(name="painted/2"), context)
    assert found[0] == "The picture was made by the engine painted/1, this is painted/2."
    assert found[1] == "Other references than then: deco."
    earlier = read_original(edited(original, studio="0.0.1")).recipe
    assert "studio 0.0.1" in doubts(earlier, PaintedEngine(), context)[-1]


async def test_a_replay_can_be_replayed(context: Context, original: Original) -> None:
    image = original.image.copy()
    image.putpixel((0, 0), (1, 2, 3))
    chunks = rewritten(original, image, PaintedEngine(name="painted/2"), context)
    again = read_original(write(image, chunks))
    assert again.untouched
    assert again.recipe.engine == "painted/2"
    assert again.recipe.seed == original.recipe.seed


def test_a_difference_is_counted_and_measured() -> None:
    one = Image.new("RGB", (10, 10), (100, 100, 100))
    other = one.copy()
    other.putpixel((1, 1), (100, 130, 100))
    other.putpixel((2, 2), (0, 100, 100))
    gap = compare(one, other)
    assert (gap.pixels, gap.largest) == (2, 100)
    assert gap.mean == pytest.approx((30 + 100) / 6)
    assert compare(one, one.copy()).pixels == 0
    assert np.isfinite(compare(one, one).mean)
