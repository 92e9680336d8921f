"""The versions under a running server: followed, switched, refused, and named in every result."""

import shutil
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import HashingEncoder, PaintedEngine, WordIndex
from live_server import (
    Event,
    HeldEngine,
    LiveStudio,
    only,
    problem,
    serving_app,
    until,
)
from small_models import edit, write_models

from graph.context import Studio
from graph.opening import open_releases
from graph.replay import read_original
from graph.settings import Settings
from server import models
from server.app import create_app
from styles.catalog import Catalog
from styles.index import StyleIndex
from tools.errors import WeightsMissing
from tools.profiles import Profile
from tools.registry import Registry
from tools.versions import Kind

CITY: dict[str, Any] = {"message": "a neon city", "style": "none", "size": 96}


@dataclass
class Painters:
    """Opens painted studios, and remembers which are still in memory."""

    held: bool = False  # renders wait for their gate
    opened: list[str] = field(default_factory=list)  # the steps of each profile that was opened
    engines: list[weakref.ref[PaintedEngine]] = field(default_factory=list)
    gates: list[threading.Semaphore] = field(default_factory=list)

    def __call__(self, profile: Profile, folder: Path, catalog: Catalog, _: Path) -> Studio:
        self.opened.append(f"{profile.name} in {profile.steps}")
        if profile.licence == "broken":
            raise WeightsMissing("The pack is broken.")
        if profile.licence == "very broken":
            raise RuntimeError("secret of the house")
        engine = HeldEngine() if self.held else PaintedEngine()
        if isinstance(engine, HeldEngine):
            self.gates.append(engine.gate)
        self.engines.append(weakref.ref(engine))
        index = cast(StyleIndex, WordIndex(catalog))
        return Studio(profile, engine, HashingEncoder(), index)

    def in_memory(self) -> int:
        """How many engines are."""
        return sum(engine() is not None for engine in self.engines)

    def let_go(self) -> None:
        """Let every render run to its end."""
        for gate in self.gates:
            gate.release(10_000)


@dataclass(frozen=True)
class House:
    """A data folder with a registry, and models to register."""

    settings: Settings
    folder: Path
    painters: Painters

    @property
    def registry(self) -> Registry:
        return Registry(self.settings.data_dir / "registry", self.settings.models_dir)

    def register(self, kind: Kind, **changes: str) -> str:
        """Register the shipped part with changed words; the name of the new version."""
        source = self.folder / f"source-{len(list(self.folder.glob('source-*')))}"
        shutil.copytree(self.settings.models_dir, source)
        for old, new in changes.items():
            edit(source / {"pack": "profiles.toml", "prompts": "prompts.toml"}[kind], old, new)
        return self.registry.register(kind, source).name

    def promote(self, *names: str) -> None:
        self.registry.promote([self.registry.get(name) for name in names], "production")

    @contextmanager
    def serving(self) -> Iterator[LiveStudio]:
        opener = partial(open_releases, make_studio=self.painters)
        with serving_app(create_app(self.settings, opener)) as studio:
            try:
                yield studio
            finally:
                self.painters.let_go()


@pytest.fixture
def house(tmp_path: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> House:
    """A studio on a small pack, which looks at its registry all the time."""
    shipped = write_models(tmp_path / "models")
    monkeypatch.setattr(models, "EVERY_S", 0.05)
    settings = Settings(
        _env_file=None, data_dir=tmp_path / "var", library=catalog.library, models_dir=shipped
    )
    return House(settings, tmp_path, Painters())


def versions(studio: LiveStudio) -> dict[str, str]:
    """Those that serve."""
    answer = studio.http.get("/models")
    assert answer.status_code == 200, answer.text
    serving: dict[str, str] = answer.json()["serving"]["versions"]
    return serving


def reload(studio: LiveStudio) -> dict[str, Any]:
    answer = studio.http.post("/admin/models/reload")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_runs_under_way_keep_their_release_and_the_next_one_has_the_new(house: House) -> None:
    """One renders while the switch is asked for, the other one waits for its turn to."""
    house.painters.held = True
    name = house.register("pack", **{"steps = 20": "steps = 3"})
    with house.serving() as studio, ThreadPoolExecutor() as pool:
        before = versions(studio)
        with studio.chatting(**CITY) as one, studio.chatting(**CITY) as other:
            told, more = [next(one)], [next(other)]
            until(lambda: house.painters.gates)
            while told[-1].name != "progress":
                house.painters.gates[0].release()
                told.append(next(one))
            while more[-1].data.get("node") != "generate_image":
                more.append(next(other))
            house.promote(name)
            reloaded = pool.submit(reload, studio)
            until(house.registry.last)
            house.painters.let_go()
            assert reloaded.result()["serving"]["versions"] == {**before, "pack": name}
            told += list(one)
            more += list(other)
        for events in (told, more):
            assert only(events, "result")["versions"] == before
            assert progress(events)[-1] == 20
        assert len(house.painters.gates) == 2
        house.painters.let_go()
        last = studio.chat(**CITY)
        assert only(last, "result")["versions"] == {**before, "pack": name}
        assert progress(last)[-1] == 3
        until(lambda: house.painters.in_memory() == 1)


def progress(events: list[Event]) -> list[int]:
    """Of how many steps it tells."""
    return [event.data["total"] for event in events if event.name == "progress"]


def test_rules_may_change_in_the_middle_of_a_render(house: House) -> None:
    house.painters.held = True
    name = house.register("prompts", **{"clear readable silhouette": "on a plinth"})
    with house.serving() as studio:
        before = versions(studio)
        with studio.chatting(**CITY) as events:
            until(lambda: house.painters.gates)
            house.painters.gates[0].release()
            told = [next(events)]
            while told[-1].name != "progress":
                told.append(next(events))
            house.promote(name)
            until(lambda: versions(studio)["prompts"] == name)
            house.painters.let_go()
            assert only(list(events), "result")["versions"] == before


def test_a_result_names_its_versions_wherever_it_is_shown(house: House) -> None:
    with house.serving() as studio:
        told = studio.chat(**CITY)
        result, made_by = only(told, "result"), versions(studio)
        assert result["versions"] == made_by
        picture = studio.http.get(result["image_url"]).content
        assert read_original(picture).recipe.versions == made_by
        thread = studio.thread(told[0].data["thread_id"])
        assert thread["runs"][0]["versions"] == thread["results"][0]["versions"] == made_by
        assert thread["values"]["versions"] == made_by
        body = {"prompt": "a neon city", "style": "none"}
        made = studio.http.post("/v1/images/generations", json=body).json()
        assert made["data"][0]["artisan"]["versions"] == made_by


def test_an_answer_goes_on_with_the_release_of_the_question(house: House) -> None:
    name = house.register("pack", **{"steps = 20": "steps = 3"})
    with house.serving() as studio:
        before = versions(studio)
        asked = studio.chat("a city with ink", style="ask", size=96)
        house.promote(name)
        until(lambda: versions(studio)["pack"] == name)
        until(lambda: house.painters.in_memory() == 1)
        thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")["id"]
        with studio.choosing(thread_id, question, {"style": "ink"}) as events:
            told = list(events)
        assert only(told, "result")["versions"] == before
        assert progress(told)[-1] == 20
        until(lambda: house.painters.in_memory() == 1)
        again = studio.chat("at night", thread_id=thread_id, size=96)
        assert only(again, "result")["versions"]["pack"] == name


def test_a_run_goes_on_with_its_release_in_the_next_process(house: House) -> None:
    name = house.register("pack", **{"steps = 20": "steps = 3"})
    with house.serving() as studio:
        before = versions(studio)
        asked = studio.chat("a city with ink", style="ask", size=96)
    house.promote(name)
    with house.serving() as studio:
        assert versions(studio)["pack"] == name
        thread_id, question = asked[0].data["thread_id"], only(asked, "interrupt")["id"]
        with studio.choosing(thread_id, question, {"style": "ink"}) as events:
            assert only(list(events), "result")["versions"] == before


@pytest.mark.parametrize(
    ("licence", "why"), [("broken", "The pack is broken."), ("very broken", "has been logged")]
)
def test_a_version_that_does_not_load_is_refused_and_the_old_one_goes_on(
    house: House, licence: str, why: str
) -> None:
    name = house.register("pack", **{'licence = "Apache-2.0"': f'licence = "{licence}"'})
    with house.serving() as studio:
        before = versions(studio)
        assert only(studio.chat(**CITY), "end") == {"status": "success"}
        house.promote(name)
        told = problem(studio.http.post("/admin/models/reload"), 409, "release_refused")
        assert why in told["detail"]
        assert "secret" not in told["detail"]
        shown = studio.http.get("/models").json()
        assert shown["refused"]["versions"]["pack"] == name
        assert why in shown["refused"]["reason"]
        assert shown["aliases"]["pack"] == {"previous": "shipped", "production": name}
        assert shown["serving"]["versions"] == before
        assert only(studio.chat(**CITY), "result")["versions"] == before
        tried = len(house.painters.opened)
        time.sleep(0.3)  # six looks at the registry
        assert len(house.painters.opened) == tried, "what was refused is tried again and again"
        house.registry.rollback(["pack"])
        until(lambda: studio.http.get("/models").json()["refused"] is None)
        assert versions(studio) == before


def test_new_rules_serve_without_loading_the_models_again(house: House) -> None:
    name = house.register("prompts", **{"clear readable silhouette": "on a plinth of chalk"})
    with house.serving() as studio:
        first = only(studio.chat("a teapot", style="none", size=96), "result")
        house.promote(name)
        until(lambda: versions(studio)["prompts"] == name)
        second = only(studio.chat("a teapot", style="none", size=96), "result")
        assert "plinth of chalk" in second["enhanced_prompt"]
        assert "plinth of chalk" not in first["enhanced_prompt"]
        assert second["versions"] == {**first["versions"], "prompts": name}
        assert len(house.painters.opened) == 1


def test_what_one_may_ask_for_follows_the_release(house: House) -> None:
    name = house.register("pack", **{"steps_max = 60": "steps_max = 5", "steps = 20": "steps = 5"})
    with house.serving() as studio:
        house.promote(name)
        reload(studio)
        body = {"message": (None, "a fox"), "steps": (None, "6")}
        problem(studio.http.post("/chat", files=body), 422, "invalid_steps")


def test_the_list_says_what_there_is(house: House) -> None:
    name = house.register("pack", **{"steps = 20": "steps = 3"})
    with house.serving() as studio:
        shown = studio.http.get("/models").json()
        assert shown["serving"]["registered"] == dict.fromkeys(shown["serving"]["versions"], False)
        assert [version["name"] for version in shown["versions"]] == [name]
        house.promote(name)
        shown = reload(studio)
        assert shown["serving"]["registered"] == {
            "pack": True,
            "thresholds": False,
            "prompts": False,
        }
        assert "/admin/models/reload" in studio.http.get("/openapi.json").json()["paths"]


def test_a_broken_production_does_not_keep_a_server_from_starting(house: House) -> None:
    name = house.register("prompts", **{"clear readable silhouette": "on a plinth"})
    house.promote(name)
    (copy,) = (house.settings.data_dir / "registry" / "prompts").iterdir()
    (copy / "prompts.toml").chmod(0o644)
    (copy / "prompts.toml").write_text("damaged")
    with house.serving() as studio:
        assert versions(studio)["prompts"] != name
        assert (
            name
            in problem(studio.http.post("/admin/models/reload"), 409, "release_refused")["detail"]
        )
        assert only(studio.chat(**CITY), "end") == {"status": "success"}
