"""What a process opens for a release, and how long it holds it."""

import asyncio
import gc
import json
import logging
import shutil
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from conftest import HashingEncoder, PaintedEngine, WordIndex
from small_models import edit, write_models, write_thresholds

from graph.blend import style_views
from graph.build import open_context
from graph.context import Studio
from graph.opening import open_releases
from graph.releases import ReleaseRefused, Releases
from graph.settings import Settings
from graph.state import StyleWeight
from styles.calibration import Calibration, load_calibration, save_calibration
from styles.catalog import Catalog
from styles.index import StyleIndex
from tools.errors import WeightsMissing
from tools.profiles import Profile
from tools.prompt_ruleset import RulesError
from tools.registry import Registry


def paint(profile: Profile, folder: Path, catalog: Catalog, _: Path) -> Studio:
    index = cast(StyleIndex, WordIndex(catalog))
    return Studio(profile, PaintedEngine(folder.name), HashingEncoder(), index)


@pytest.fixture
def settings(tmp_path: Path, catalog: Catalog) -> Settings:
    """A studio on a small pack."""
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "var",
        library=catalog.library,
        models_dir=write_models(tmp_path / "models"),
    )


@pytest.fixture
def changed(settings: Settings, tmp_path: Path) -> Path:
    """Other models."""
    return shutil.copytree(settings.models_dir, tmp_path / "changed")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Releases]:
    async with open_releases(settings, make_studio=paint) as releases:
        yield releases


def promote(settings: Settings, changed: Path) -> None:
    """All that differs."""
    registry = Registry(settings.data_dir / "registry", settings.models_dir)
    shipped = registry.production()
    versions = [registry.register(kind, changed) for kind in ("pack", "thresholds", "prompts")]
    new = [version for version in versions if version.name != shipped[version.kind]]
    registry.promote(new, "production")


async def test_what_only_asks_sees_the_new_release_and_what_runs_keeps_the_old(
    settings: Settings, changed: Path
) -> None:
    async with opened(settings) as releases:
        run, asks = releases.serving, releases.context
        before = await run.studio("starter")
        edit(changed / "profiles.toml", "steps = 20", "steps = 7")
        promote(settings, changed)
        await releases.follow()
        assert releases.context.profiles["starter"].steps == 7
        assert (await asks.studio("starter")).profile.steps == 7
        assert (await run.studio("starter")).engine is before.engine
        assert run.profiles["starter"].steps == 20
        assert releases.context.settings.models_dir != settings.models_dir


async def test_models_stay_as_long_as_a_run_holds_them(settings: Settings, changed: Path) -> None:
    async with opened(settings) as releases:
        run = releases.serving
        studio = await run.studio("starter")
        eye = weakref.ref(studio.engine)
        style_views([StyleWeight(style="ink", weight=1.0)], studio.engine.embed_style, run)
        del studio
        edit(changed / "profiles.toml", "steps = 20", "steps = 7")
        promote(settings, changed)
        await releases.follow()
        gc.collect()
        pinned = await releases.pinned(run.versions)
        assert (await pinned.studio("starter")).engine is eye(), "one model was loaded twice"
        del run, pinned
        await asyncio.sleep(0)  # this very step was woken by what holds it
        gc.collect()
        assert eye() is None


async def test_parts_that_stay_are_shared(settings: Settings, changed: Path) -> None:
    async with opened(settings) as releases:
        before = await releases.context.studio("starter")
        edit(changed / "prompts.toml", "summer light", "high summer light")
        promote(settings, changed)
        await releases.reload()
        assert "high summer light" in releases.context.prompts.rules.fillers
        assert (await releases.context.studio("starter")).engine is before.engine
        write_thresholds(changed, floor=0.3)
        promote(settings, changed)
        await releases.reload()
        assert (await releases.context.studio("starter")).engine is not before.engine


async def test_a_release_that_is_gone_gives_way_to_the_one_that_serves(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(settings) as releases:
        gone = {**releases.serving.versions, "pack": "starter@000000000000"}
        with caplog.at_level(logging.WARNING):
            assert await releases.pinned(gone) is releases.serving
        assert "starter@000000000000" in caplog.text
        for unknown in (None, {}, {"pack": "starter@000000000000"}):
            assert await releases.pinned(unknown) is releases.serving


async def test_rules_that_broke_after_they_were_promoted_are_refused(
    settings: Settings, changed: Path
) -> None:
    async with opened(settings) as releases:
        serving = releases.serving
        edit(changed / "prompts.toml", "summer light", "high summer light")
        promote(settings, changed)
        (copy,) = (settings.data_dir / "registry" / "prompts").glob("*/prompts.toml")
        copy.chmod(0o644)
        copy.write_text("lighting = 7")
        with pytest.raises(ReleaseRefused, match="damaged"):
            await releases.reload()
        assert releases.serving is serving
        assert releases.refusal
        assert "damaged" in releases.refusal.reason


async def test_shipped_rules_that_are_broken_are_named(settings: Settings) -> None:
    (settings.models_dir / "prompts.toml").write_text("lighting = 7")
    with pytest.raises(RulesError, match=r"prompts\.toml, lighting"):
        async with open_context(settings):
            pass


def test_thresholds_know_their_encoder(tmp_path: Path) -> None:
    numbers = Calibration(30.0, 0.1, 0.3, 11.0, 0.7, 0.2, 0.5, metric=None)
    file = tmp_path / "calibration.json"
    save = partial(save_calibration, calibration=numbers)
    write_models(tmp_path / "models")
    save(file, "starter/one")
    save(file, "clip-512/two", data="hash of the data")
    assert json.loads(file.read_text())["clip-512"]["data"] == "hash of the data"
    found = load_calibration(file, "starter/one")
    assert (found.floor, found.strong) == (0.2, 0.5)
    with pytest.raises(
        WeightsMissing, match="fitted with the encoder starter/one, this is starter/two"
    ):
        load_calibration(file, "starter/two")
    with pytest.raises(WeightsMissing, match="not calibrated"):
        load_calibration(file, "clip-768/two")
