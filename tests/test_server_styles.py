"""The library over HTTP."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from live_server import LiveStudio, png, problem, serving

from graph.context import Context


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


PAPER = {
    "name": "Torn Paper",
    "description": "Layers of torn paper with rough white rims.",
    "tags": "paper, torn, layers",
    "prompt": "{prompt}, torn paper layers",
}


def add(studio: LiveStudio, images: int = 2, **fields: Any) -> Any:
    values = {key: value for key, value in {**PAPER, **fields}.items() if value is not None}
    parts: list[Any] = [(key, (None, value)) for key, value in values.items()]
    parts += [("images", (f"{number}.png", png())) for number in range(images)]
    return studio.http.post("/styles", files=parts)


def slugs(studio: LiveStudio) -> list[str]:
    return [style["slug"] for style in studio.http.get("/styles").json()["styles"]]


def test_the_library_is_listed(studio: LiveStudio) -> None:
    styles = studio.http.get("/styles").json()["styles"]
    assert [style["slug"] for style in styles] == ["deco", "ink", "neon"]
    assert styles[2]["tags"] == ["neon", "city", "night"]
    assert all(style["built_in"] for style in styles)
    assert studio.http.get(styles[0]["image_url"]).headers["content-type"] == "image/png"


def test_a_style_is_shown_whole(studio: LiveStudio) -> None:
    style = studio.http.get("/styles/neon").json()
    assert style["prompt"] == "{prompt}, neon style"
    assert style["licence"] == "Apache-2.0"
    assert len(style["references"]) == 2
    for url in style["references"]:
        image = studio.http.get(url)
        assert image.headers["content-type"] == "image/png"
        assert image.headers["x-content-type-options"] == "nosniff"
    for number in ("0", "3", "-1"):
        wrong = studio.http.get(f"/styles/neon/references/{number}")
        problem(wrong, 404, "unknown_reference")
    problem(studio.http.get("/styles/neon/references/x"), 404, "not_found")


def test_unknown_styles(studio: LiveStudio) -> None:
    for slug in ("nope", "..%5C..%5Cetc", "%00"):
        problem(studio.http.get(f"/styles/{slug}"), 404, "unknown_style")
        problem(studio.http.get(f"/styles/{slug}/references/1"), 404, "unknown_style")
        problem(studio.http.delete(f"/styles/{slug}"), 404, "unknown_style")


def test_styles_are_found_by_words(studio: LiveStudio) -> None:
    answer = studio.http.get("/styles/search", params={"q": "ink brush", "k": 2})
    matches = answer.json()["matches"]
    assert len(matches) == 2
    assert matches[0]["style"] == "ink"
    fields = {"style", "name", "score", "band", "reason", "image_url"}
    assert all(set(match) == fields for match in matches)
    assert matches[0]["score"] >= matches[1]["score"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "invalid_q"),
        ({"q": " "}, "invalid_q"),
        ({"q": "x" * 2001}, "invalid_q"),
        ({"q": "ink", "k": 0}, "invalid_k"),
        ({"q": "ink", "k": 1000}, "invalid_k"),
        ({"q": "ink", "profile": "nope"}, "unknown_profile"),
    ],
)
def test_a_search_that_cannot_be(studio: LiveStudio, params: dict[str, Any], code: str) -> None:
    problem(studio.http.get("/styles/search", params=params), 422, code)


def test_a_style_of_ones_own_comes_and_goes(studio: LiveStudio) -> None:
    added = add(studio)
    assert added.status_code == 201, added.text
    style = added.json()
    assert (style["slug"], style["tags"]) == ("torn-paper", ["paper", "torn", "layers"])
    assert len(style["references"]) == 2
    assert len(style["palette"]) == 6
    assert not style["built_in"]
    assert "torn-paper" in slugs(studio)
    assert studio.http.get(style["references"][1]).headers["content-type"] == "image/webp"
    found = studio.http.get("/styles/search", params={"q": "torn layers"}).json()["matches"]
    assert found[0]["style"] == "torn-paper"
    assert studio.chat("a house", style="torn-paper")[-1].data == {"status": "success"}
    problem(add(studio), 409, "style_exists")

    assert studio.http.delete("/styles/torn-paper").status_code == 204
    assert "torn-paper" not in slugs(studio)
    problem(studio.http.get("/styles/torn-paper"), 404, "unknown_style")


def test_a_folder_dropped_into_the_library_is_a_style(context: Context, studio: LiveStudio) -> None:
    library = context.settings.library
    shutil.copytree(library / "neon", library / "laser")
    assert slugs(studio) == ["deco", "ink", "laser", "neon"]
    assert studio.chat("a house", style="laser")[-1].data == {"status": "success"}
    (library / "laser" / "style.toml").write_text("broken")
    assert slugs(studio) == ["deco", "ink", "laser", "neon"]
    shutil.rmtree(library / "laser")
    assert slugs(studio) == ["deco", "ink", "neon"]


def test_shipped_styles_stay(studio: LiveStudio) -> None:
    problem(studio.http.delete("/styles/neon"), 409, "built_in_style")
    assert "neon" in slugs(studio)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "紙"}, "invalid_slug"),
        ({"name": "Search"}, "invalid_slug"),
        ({"slug": "../etc"}, "invalid_slug"),
        ({"slug": "search"}, "invalid_slug"),
        ({"prompt": "no place for words"}, "invalid_style"),
        ({"description": "short"}, "invalid_style"),
        ({"tags": ","}, "invalid_style"),
        ({"tags": None}, "invalid_tags"),
        ({"name": None}, "invalid_name"),
        ({"colour": "red"}, "unknown_field"),
    ],
)
def test_a_style_that_cannot_be(studio: LiveStudio, fields: dict[str, Any], code: str) -> None:
    problem(add(studio, **fields), 422, code)
    assert slugs(studio) == ["deco", "ink", "neon"]


def test_a_style_needs_an_image(studio: LiveStudio) -> None:
    problem(add(studio, images=0), 422, "invalid_images")
    broken = studio.http.post("/styles", data=PAPER, files={"images": ("a.png", b"<html>")})
    problem(broken, 422, "unsupported_image")
    assert slugs(studio) == ["deco", "ink", "neon"]
