"""Stored blobs over HTTP."""

from collections.abc import Iterator

import pytest
from live_server import LiveStudio, png, problem, serving

from graph.context import Context


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    with serving(context) as studio:
        yield studio


def test_an_upload_can_be_fetched_for_ever(studio: LiveStudio) -> None:
    stored = studio.http.post("/artifacts", files={"file": ("a.png", png())})
    assert stored.status_code == 201
    again = studio.http.post("/artifacts", files={"file": ("b.png", png())})
    assert again.json() == stored.json()

    fetched = studio.http.get(stored.json()["url"])
    assert fetched.status_code == 200
    assert fetched.content.startswith(b"\x89PNG")
    headers = fetched.headers
    assert headers["content-type"] == "image/png"
    assert headers["etag"] == f'"{stored.json()["artifact_id"]}"'
    assert "immutable" in headers["cache-control"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]

    known = studio.http.get(
        stored.json()["url"], headers={"If-None-Match": f'W/{headers["etag"]}, "x"'}
    )
    assert (known.status_code, known.content) == (304, b"")
    other = studio.http.get(stored.json()["url"], headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


def test_an_upload_can_be_the_style_of_a_render(studio: LiveStudio) -> None:
    stored = studio.http.post("/artifacts", files={"file": ("a.png", png())}).json()
    events = studio.chat("a house", style=f"artifact:{stored['artifact_id']}")
    assert events[-1].data == {"status": "success"}


@pytest.mark.parametrize("name", ["0" * 64, "x", "..%5C..%5Cetc", "%00", "A" * 64, "a" * 5000])
def test_an_unknown_artifact(studio: LiveStudio, name: str) -> None:
    problem(studio.http.get(f"/artifacts/{name}"), 404, "unknown_artifact")


def test_what_is_no_image_is_not_kept(studio: LiveStudio) -> None:
    html = {"file": ("a.png", b"<!doctype html>")}
    problem(studio.http.post("/artifacts", files=html), 422, "unsupported_image")
    problem(studio.http.post("/artifacts", files={"file": ("a.png", b"")}), 422, "empty_upload")
    problem(studio.http.post("/artifacts"), 422, "invalid_file")
