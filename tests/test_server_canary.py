"""Staging on trial: who begins on it, what is done again on it, and that whatever it breaks nobody notices."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import test_server_models
from conftest import PaintedEngine
from live_server import Event, LiveStudio, only, png, until
from PIL import Image
from test_server_models import House, Painters
from typer.testing import CliRunner

from graph.context import Studio
from server import canary
from server.canary import FILE
from server.models_cli import app
from styles.catalog import Catalog
from tools.errors import InvalidRequest
from tools.imaging import ImageRequest, OnStep
from tools.profiles import Profile

house = test_server_models.house  # a fixture
CITY: dict[str, Any] = {"message": "a neon city", "style": "none", "size": 96}
INK: dict[str, Any] = {"message": "ink", "sketch": png(), "style": "ink", "size": 96}
STAGED = "staged"  # the licence of the profiles of a staged pack


@dataclass
class Failing(PaintedEngine):
    """Opens well, and breaks every run."""

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        raise RuntimeError("secret of the house")


@dataclass
class FailingOnStaging(Painters):
    """Painters of whom those of a staged pack break."""

    def __call__(self, profile: Profile, folder: Path, catalog: Catalog, index: Path) -> Studio:
        studio = super().__call__(profile, folder, catalog, index)
        return replace(studio, engine=Failing()) if profile.licence == STAGED else studio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "EVERY_S", 0.05)
    monkeypatch.setattr(canary, "QUIET_S", 0.02)


def on_trial(house: House, share: float = 0.0, shadow: float = 0.0) -> House:
    return replace(
        house, settings=house.settings.model_copy(update={"canary": share, "shadow": shadow})
    )


def stage(house: House, licence: str = STAGED) -> str:
    """Put a pack of 3 steps into staging; its name."""
    name = house.register(
        "pack", **{"steps = 20": "steps = 3", 'licence = "Apache-2.0"': f'licence = "{licence}"'}
    )
    house.registry.promote([house.registry.get(name)], "staging")
    return name


@contextmanager
def trying(house: House) -> Iterator[LiveStudio]:
    """A server that has staging open."""
    with house.serving() as studio:
        until(lambda: trial(studio)["versions"])
        yield studio


def trial(studio: LiveStudio) -> dict[str, Any]:
    found: dict[str, Any] = studio.http.get("/models").json()["trial"]
    return found


def pack_of(events: list[Event]) -> str:
    name: str = only(events, "result")["versions"]["pack"]
    return name


def scores(house: House) -> list[dict[str, Any]]:
    file = house.settings.data_dir / FILE
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


@pytest.mark.parametrize(("share", "side"), [(1.0, "staging"), (0.0, "production")])
def test_a_share_of_the_threads_begins_on_staging(house: House, share: float, side: str) -> None:
    house = on_trial(house, share, shadow=0.0 if share else 1e-9)
    name = stage(house)
    with trying(house) as studio:
        before = studio.http.get("/models").json()["serving"]["versions"]["pack"]
        for _ in range(3):
            events = studio.chat(**CITY)
            assert pack_of(events) == (name if side == "staging" else before)
    assert {line["versions"]["pack"] == name for line in scores(house)} == {side == "staging"}


def test_a_thread_stays_on_its_side(house: House) -> None:
    house = on_trial(house, share=0.5)
    name = stage(house)
    with trying(house) as studio:
        sides: dict[str, str] = {}
        for _ in range(64):
            events = studio.chat(**CITY)
            sides[only(events, "metadata")["thread_id"]] = pack_of(events)
            if len(set(sides.values())) == 2:
                break
        assert set(sides.values()) == {name, serving_pack(studio)}
        for thread_id, side in sides.items():
            assert pack_of(studio.chat(**CITY, thread_id=thread_id)) == side


def serving_pack(studio: LiveStudio) -> str:
    name: str = studio.http.get("/models").json()["serving"]["versions"]["pack"]
    return name


def test_an_answer_goes_on_where_its_question_was_asked(house: House) -> None:
    house = on_trial(house, share=1.0)
    name = stage(house)
    with trying(house) as studio:
        events = studio.chat("ink", style="ask", size=96)
        asked, thread = only(events, "interrupt"), only(events, "metadata")["thread_id"]
        house.registry.unalias("pack")
        until(lambda: not trial(studio)["versions"])
        with studio.choosing(thread, asked["id"], {"style": "ink", "weight": 1.0}) as answered:
            assert pack_of(list(answered)) == name


def test_a_shadow_is_scored_and_leaves_nothing_in_the_thread(house: House) -> None:
    house = on_trial(house, shadow=1.0)
    name = stage(house)
    with trying(house) as studio:
        events = studio.chat(**INK)
        thread_id = only(events, "metadata")["thread_id"]
        asked_again = studio.chat("and now at night", thread_id=thread_id, size=96)
        thread = studio.thread(thread_id)
        files = stored(house)
        until(lambda: sum(line["shadow"] for line in scores(house)) == 2)
        assert studio.thread(thread_id) == thread
        assert stored(house) == files
        assert studio.replay(only(events, "metadata")) == events
        assert pack_of(events) == pack_of(asked_again) == serving_pack(studio)
    real = [line for line in scores(house) if not line["shadow"]]
    again = [line for line in scores(house) if line["shadow"]]
    assert {line["request"] for line in real} == {line["request"] for line in again}
    assert len({line["request"] for line in real}) == 2
    for line in again:
        assert line["versions"]["pack"] == name
        assert 0 <= line["fidelity"]["geometry"] <= 1
        assert 0 <= line["fidelity"]["style"] <= 1
        assert line["seconds"] > 0
    assert "ink" not in (house.settings.data_dir / FILE).read_text()


def stored(house: House) -> list[str]:
    return sorted(path.name for path in (house.settings.data_dir / "artifacts").glob("??/*"))


def test_a_shadow_gives_way_to_whoever_comes(house: House) -> None:
    house.painters.held = True
    house = on_trial(house, shadow=1.0)
    stage(house)
    with trying(house) as studio:
        until(lambda: len(house.painters.gates) == 2)
        (staged,) = [i for i, name in enumerate(house.painters.opened) if name.endswith("in 3")]
        staging, painter = house.painters.gates[staged], house.painters.engines[staged]()
        house.painters.gates[1 - staged].release(10_000)
        studio.chat(**CITY)
        assert painter
        until(lambda: painter.requests)  # its shadow is in its first step
        with studio.chatting(**CITY) as events:
            next(events)
            staging.release()  # which ends
            assert only(list(events), "end") == {"status": "success"}
        assert not any(line["shadow"] for line in scores(house))
        staging.release(10_000)
        until(lambda: sum(line["shadow"] for line in scores(house)) == 2)


def test_a_staging_that_breaks_a_run_is_set_aside_and_the_run_succeeds(house: House) -> None:
    house = replace(on_trial(house, share=1.0), painters=FailingOnStaging())
    name = stage(house)
    with trying(house) as studio:
        events = studio.chat(**INK)
        assert only(events, "end") == {"status": "success"}
        assert pack_of(events) == serving_pack(studio) != name
        assert [e.data["attempt"] for e in events if e.name == "metadata"] == [1, 2]
        assert not [event for event in events if event.name == "error"]
        told = trial(studio)
        assert told["versions"] is None
        assert told["refused"]["versions"]["pack"] == name
        assert "secret" not in told["refused"]["reason"]
        assert [e.data["attempt"] for e in studio.chat(**INK) if e.name == "metadata"] == [1]
    (line,) = scores(house)
    assert (line["versions"]["pack"], line["error"]) == (name, "RuntimeError")


def test_a_shadow_that_breaks_is_a_line_in_the_score(house: House) -> None:
    house = replace(on_trial(house, shadow=1.0), painters=FailingOnStaging())
    stage(house)
    with trying(house) as studio:
        events = studio.chat(**INK)
        until(lambda: any(line["shadow"] for line in scores(house)))
        assert only(events, "end") == {"status": "success"}
        assert only(studio.chat(**INK), "end") == {"status": "success"}
    assert {line.get("error") for line in scores(house) if line["shadow"]} == {"RuntimeError"}


@pytest.mark.parametrize("licence", ["broken", "very broken"])
def test_a_staging_that_does_not_open_is_shown_and_nothing_happens(
    house: House, licence: str
) -> None:
    house = on_trial(house, share=1.0, shadow=1.0)
    name = stage(house, licence)
    with house.serving() as studio:
        until(lambda: trial(studio)["refused"])
        refused = trial(studio)["refused"]
        assert refused["versions"]["pack"] == name
        assert refused["reason"]
        assert "secret" not in refused["reason"]
        assert pack_of(studio.chat(**CITY)) == serving_pack(studio)
    assert scores(house) == []


def test_the_command_line_compares_what_serves_with_what_is_on_trial(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(house.settings.data_dir))
    monkeypatch.setenv("ARTISAN_MODELS_DIR", str(house.settings.models_dir))
    with pytest.raises(InvalidRequest, match="staging"):
        CliRunner().invoke(app, ["canary"], catch_exceptions=False)
    house = on_trial(house, shadow=1.0)
    name = stage(house)
    with trying(house) as studio:
        studio.chat(**INK)
        until(lambda: any(line["shadow"] for line in scores(house)))
    plain = CliRunner().invoke(app, ["canary"], catch_exceptions=False).output
    assert f"-> {name}" in plain
    assert "1 renders on production, 0 on staging (0 broken), 1 shadows (0 broken)" in plain
    told = json.loads(CliRunner().invoke(app, ["canary", "--json"], catch_exceptions=False).output)
    geometry = told["rows"][0]
    assert (geometry["metric"], geometry["how"], geometry["cases"]) == (
        "geometry",
        "shadow",
        [1, 1],
    )
    assert geometry["verdict"] == "can't tell"
    assert geometry["difference"]["value"] == pytest.approx(
        geometry["staging"] - geometry["production"]
    )


def test_without_a_share_staging_is_not_even_opened(house: House) -> None:
    stage(house)
    with house.serving() as studio:
        studio.chat(**CITY)
        assert trial(studio) == {"versions": None, "canary": 0, "shadow": 0, "refused": None}
    assert not [opened for opened in house.painters.opened if opened.endswith("in 3")]
    assert scores(house) == []
