"""What a process opens to run the graph: the stores, and the models of a release when a run first asks for them."""

import asyncio
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from graph.context import Context, OpenStudio, Studio, find_profile
from graph.releases import Releases
from graph.settings import Settings
from styles.calibration import load_calibration
from styles.catalog import Catalog
from styles.index import StyleIndex
from tools.artifacts import ArtifactStore
from tools.diffusion import open_engine
from tools.disk import writing
from tools.encoders import open_encoder
from tools.errors import AppError
from tools.lane import GpuLane
from tools.profiles import Profile, load_profiles
from tools.prompt_ruleset import load_rules
from tools.prompts import open_prompt_writer
from tools.registry import Registry
from tools.unfinished import UnfinishedRenders
from tools.versions import CALIBRATION, PROFILES, RULES, Versions, versions_in

logger = logging.getLogger(__name__)

MakeStudio = Callable[[Profile, Path, Catalog, Path], Studio]


def open_studio(profile: Profile, models_dir: Path, catalog: Catalog, index_dir: Path) -> Studio:
    """Load the models of a profile. Blocking, seconds. Raises `WeightsMissing`, `OutOfMemory`, `DiskFailed`."""
    encoder = open_encoder(profile, models_dir)
    calibration = load_calibration(models_dir / CALIBRATION, encoder.name)
    with writing(index_dir):
        index = StyleIndex(encoder, catalog, index_dir, calibration)
    return Studio(profile, open_engine(profile, models_dir), encoder, index)


@asynccontextmanager
async def open_releases(
    settings: Settings, make_studio: MakeStudio = open_studio
) -> AsyncIterator[Releases]:
    """Open the release in production; where it is broken, the shipped one. `make_studio` loads the models of a profile.

    Raises `CatalogError` for a broken style library, and what `load_profiles` and `load_rules` raise.
    """
    data, key = settings.data_dir, settings.llm_api_key
    catalog = Catalog(settings.library, data / "styles")
    registry = Registry(data / "registry", settings.models_dir)
    lane = GpuLane(settings.step_timeout_s, settings.load_timeout_s)
    models = _Models(lane)

    def load(versions: Versions) -> Context:
        folder = registry.folder_of(versions)
        profiles = load_profiles(folder / PROFILES)

        def make(profile: Profile) -> Studio:
            return make_studio(profile, folder, catalog, data / "index")

        return Context(
            settings=settings.model_copy(update={"models_dir": folder}),
            versions=versions,
            profiles=profiles,
            artifacts=ArtifactStore(data / "artifacts"),
            unfinished=UnfinishedRenders(data / "unfinished"),
            catalog=catalog,
            prompts=open_prompt_writer(
                load_rules(folder / RULES),
                settings.llm_base_url,
                key.get_secret_value() if key else None,
                settings.llm_model,
                settings.llm_timeout_s,
            ),
            lane=lane,
            studio=models.shared((versions["pack"], versions["thresholds"]), profiles, make),
        )

    try:
        # No name for what serves first: this frame would hold it for ever.
        yield Releases(await asyncio.to_thread(_first, registry, load), registry, load)
    finally:
        await asyncio.to_thread(lane.close)


def _first(registry: Registry, load: Callable[[Versions], Context]) -> Context:
    """What serves at the start. Whether its models open is for `GET /readyz` to tell."""
    try:
        return load(registry.production())
    except AppError as error:
        shipped = versions_in(registry.shipped)
        if registry.production() == shipped:
            raise
        logger.error("production is broken, so the shipped release serves: %s", error.message)
        return load(shipped)


class _Models:
    """The opened models of every pack with its thresholds, shared by all who hold them, and gone with the last."""

    def __init__(self, lane: GpuLane) -> None:
        self._lane = lane
        self._held: weakref.WeakValueDictionary[tuple[str, str], OpenStudio] = (
            weakref.WeakValueDictionary()
        )
        self._one_at_a_time = threading.Lock()

    def shared(
        self,
        versions: tuple[str, str],
        profiles: Mapping[str, Profile],
        make: Callable[[Profile], Studio],
    ) -> OpenStudio:
        """What opens the profiles of these versions, once each; `make` loads one if nobody has."""
        with self._one_at_a_time:
            held = self._held.get(versions)
            if held is None:
                held = self._held[versions] = self._opener(profiles, make)
            return held

    def _opener(
        self, profiles: Mapping[str, Profile], make: Callable[[Profile], Studio]
    ) -> OpenStudio:
        opened = opened_once(lambda name: make(profiles[name]), self._lane)

        async def studio(name: str) -> Studio:
            profile = find_profile(profiles, name)
            # The first profile of a pack opens it for all of them.
            opener = next(p.name for p in profiles.values() if p.pack == profile.pack)
            return replace(await opened(opener), profile=profile)

        return studio


def opened_once(open_studio: Callable[[str], Studio], lane: GpuLane) -> OpenStudio:
    """Make a blocking opener asynchronous: each studio is opened once, on the lane, and shared.

    A failure goes to everyone who waits, and the next caller tries again. What was opened before the lane gave up a
    job is opened anew: the job may hold it for ever.
    """
    opening: dict[str, asyncio.Task[Studio]] = {}
    generation = lane.generation

    async def studio(name: str) -> Studio:
        nonlocal generation
        if generation != lane.generation:
            generation = lane.generation
            for stale in [known for known, task in opening.items() if task.done()]:
                del opening[stale]
        if name not in opening:
            # A task of its own: a cancelled run must not stop the models that others wait for.
            opening[name] = asyncio.create_task(lane.run(lambda _: open_studio(name)))
        task = opening[name]
        try:
            return await asyncio.shield(task)
        except Exception:
            if opening.get(name) is task:
                del opening[name]
            raise

    return studio
