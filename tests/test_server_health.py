"""The calls of an operator, and the documentation."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from live_server import only, problem, serving, serving_app, until

from graph.context import Context, Studio
from server.app import create_app
from server.database import open_database
from tools.errors import Conflict, WeightsMissing


def test_a_healthy_studio(context: Context) -> None:
    with serving(context) as studio:
        until(lambda: studio.http.get("/readyz").status_code == 200)
        assert studio.http.get("/healthz").json() == {"status": "ok"}
        version = studio.http.get("/version").json()
        assert version["name"] == "Artisan Studio"
        assert version["version"].count(".") == 2
        assert studio.http.get("/").json()["docs"] == "/api/docs"


def test_readiness_follows_the_models(context: Context) -> None:
    """Not ready while the pack is broken, ready once it is repaired, without a restart."""
    repaired: list[bool] = []

    async def studio_of(name: str) -> Studio:
        if not repaired:
            raise WeightsMissing("Run: make weights")
        return await context.studio(name)

    with serving(replace(context, studio=studio_of)) as studio:
        until(lambda: "being opened" not in studio.http.get("/readyz").text)
        refused = studio.http.get("/readyz")
        while refused.json()["code"] == "not_ready":
            refused = studio.http.get("/readyz")
        assert problem(refused, 503, "weights_missing")["detail"] == "Run: make weights"
        assert refused.headers["retry-after"]
        assert studio.http.get("/healthz").status_code == 200
        repaired.append(True)
        until(lambda: studio.http.get("/readyz").status_code == 200)


def test_an_altered_pack_is_named_and_mended_without_a_restart(
    context: Context, tmp_path: Path
) -> None:
    models = shutil.copytree(ROOT / "models", tmp_path / "models")
    file = models / "starter/vae/config.json"
    healthy = file.read_bytes()
    file.write_bytes(healthy + b" ")
    settings = context.settings.model_copy(update={"models_dir": models})
    with serving_app(create_app(settings)) as studio:
        until(lambda: "being opened" not in studio.http.get("/readyz").text)
        refused = studio.http.get("/readyz")
        while refused.json()["code"] == "not_ready":
            refused = studio.http.get("/readyz")
        rendered = studio.http.post("/chat", files={"message": (None, "a house")})
        for answer in (refused, rendered):
            told = problem(answer, 503, "weights_missing")["detail"]
            assert "starter/vae/config.json is damaged: run `git checkout -- " in told
        assert studio.http.get("/healthz").status_code == 200

        file.write_bytes(healthy)
        until(lambda: studio.http.get("/readyz").status_code == 200)
        events = studio.chat("a house", style="none", steps=2, size=64)
        assert only(events, "end") == {"status": "success"}


def test_an_unforeseen_fault_tells_nothing(context: Context) -> None:
    async def studio_of(_: str) -> Studio:
        raise RuntimeError("secret of the house")

    with serving(replace(context, studio=studio_of)) as studio:
        answer = studio.http.get("/styles/search", params={"q": "ink"})
        problem(answer, 500, "internal")
        assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc"])
def test_the_documentation_needs_nobody_else(context: Context, path: str) -> None:
    with serving(context) as studio:
        page = studio.http.get(path)
        assert page.headers["content-type"].startswith("text/html")
        assert "POST /chat" in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert "<script" not in page.text


def test_the_document_names_every_call_of_the_design(context: Context) -> None:
    with serving(context) as studio:
        api = studio.http.get("/openapi.json").json()
    calls = {f"{m.upper()} {path}" for path, ms in api["paths"].items() for m in ms}
    assert {
        "POST /chat",
        "POST /chat/{thread_id}/choice",
        "GET /threads/{thread_id}",
        "GET /threads/{thread_id}/runs/{run_id}/stream",
        "POST /threads/{thread_id}/runs/{run_id}/cancel",
        "POST /artifacts",
        "GET /artifacts/{artifact_id}",
        "GET /styles",
        "GET /styles/search",
        "GET /styles/{slug}",
        "GET /styles/{slug}/references/{number}",
        "POST /styles",
        "DELETE /styles/{slug}",
        "GET /healthz",
        "GET /readyz",
        "GET /version",
    } <= calls
    assert "multipart/form-data" in api["paths"]["/chat"]["post"]["requestBody"]["content"]
    answers = api["paths"]["/chat"]["post"]["responses"]
    assert list(answers["200"]["content"]) == ["text/event-stream"]
    assert list(answers["4XX"]["content"]) == ["application/problem+json"]
    assert "422" not in answers
    assert "$defs" not in str(api), "a reference that leads nowhere"


async def test_a_data_folder_has_one_studio(context: Context) -> None:
    async with open_database(context.settings.data_dir):
        with pytest.raises(Conflict, match="ARTISAN_DATA_DIR") as refused:
            async with open_database(context.settings.data_dir):
                pass
        assert refused.value.code == "data_dir_in_use"
    async with open_database(context.settings.data_dir):
        pass
