"""What a run may use: the engines and stores of one process, handed to nodes in `Runtime`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from graph.settings import Settings
from styles.catalog import Catalog
from styles.index import StyleIndex
from tools.artifacts import ArtifactStore
from tools.encoding import StyleEncoder
from tools.errors import InvalidRequest
from tools.imaging import ImageEngine
from tools.lane import GpuLane
from tools.profiles import Profile
from tools.prompts import PromptWriter
from tools.unfinished import UnfinishedRenders
from tools.versions import Versions


@dataclass(frozen=True, slots=True)
class Studio:
    """One opened profile: its models and the style index that speaks their language."""

    profile: Profile
    engine: ImageEngine
    encoder: StyleEncoder
    index: StyleIndex


OpenStudio = Callable[[str], Awaitable[Studio]]


@dataclass(frozen=True, slots=True)
class Context:
    """Everything the nodes reach the world through, on one release: `graph/releases.py`."""

    settings: Settings  # `models_dir` is the release's own
    versions: Versions
    profiles: Mapping[str, Profile]  # all there are, opened or not
    artifacts: ArtifactStore
    unfinished: UnfinishedRenders
    catalog: Catalog
    prompts: PromptWriter
    lane: GpuLane
    studio: OpenStudio  # opens a profile once, on first use

    def profile(self, name: str) -> Profile:
        """Return the profile called `name`. Raises `InvalidRequest` (`unknown_profile`)."""
        return find_profile(self.profiles, name)


def find_profile(profiles: Mapping[str, Profile], name: str) -> Profile:
    """Return the profile called `name`. Raises `InvalidRequest` (`unknown_profile`)."""
    if name not in profiles:
        known = ", ".join(sorted(profiles))
        raise InvalidRequest(
            f"There is no profile {name[:60]!r}: choose one of {known}.", code="unknown_profile"
        )
    return profiles[name]
