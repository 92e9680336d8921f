"""Which release serves, and how it changes under a running server.

A release is a pack, its thresholds and the prompt rules: `tools/registry.py`. Runs keep the one they began with. What
an older one holds in memory goes with the last run that uses it.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from graph.context import Context, Studio
from tools.errors import AppError, Conflict
from tools.ledger import now
from tools.memory import free_memory
from tools.registry import Registry
from tools.versions import KINDS, Versions

logger = logging.getLogger(__name__)


class ReleaseRefused(Conflict):
    """What is in production cannot be opened; what served before goes on."""

    code = "release_refused"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A release that was not taken."""

    versions: Versions
    reason: str
    at: str  # ISO 8601, UTC


class Releases:
    """The release that serves, and the older ones for as long as somebody holds their `Context`."""

    def __init__(
        self, first: Context, registry: Registry, load: Callable[[Versions], Context]
    ) -> None:
        """Begin with `first`; `load`, which may block, makes the `Context` of any release."""
        self.registry = registry
        self.since = now()
        self.refusal: Refusal | None = None
        self._serving = first
        self._load = load
        self._seen = registry.last()
        self._switching = asyncio.Lock()
        self._to_free = False  # whether models were let go

    @property
    def serving(self) -> Context:
        """For a run that begins now. It holds the models: let it go when the run ends."""
        return self._serving

    @property
    def context(self) -> Context:
        """For whoever only asks: of the release that serves, and whose studios are those that serve by then."""
        return replace(self._serving, studio=self._studio)

    async def _studio(self, name: str) -> Studio:
        return await self._serving.studio(name)

    async def pinned(self, versions: Versions | None) -> Context:
        """For a run that began on a release, if it says so; where that one is gone, the one that serves.

        It holds the models: let it go when the run ends.
        """
        if versions is None or versions == self._serving.versions or versions.keys() != {*KINDS}:
            return self._serving
        try:
            return await asyncio.to_thread(self._load, versions)
        except AppError as error:
            logger.warning("a run goes on with another release than %s: %s", versions, error)
            return self._serving

    def let_go(self, versions: Versions) -> None:
        """A run on that release has ended: `follow` frees what only it held, which is full of cycles."""
        self._to_free = self._to_free or versions != self._serving.versions

    async def follow(self) -> None:
        """Do as the registry says, where it has changed, and free the memory of models that were let go."""
        if await asyncio.to_thread(self.registry.last) != self._seen:
            with suppress(ReleaseRefused):
                await self.reload()
        if self._to_free:
            self._to_free = False
            await self._serving.lane.run(lambda _: free_memory())

    async def reload(self) -> None:
        """Open what is in production now, try it, and let it serve from then on.

        Raises `ReleaseRefused` where it does not open; then nothing has changed.
        """
        async with self._switching:
            self._seen = await asyncio.to_thread(self.registry.last)
            wanted = await asyncio.to_thread(self.registry.production)
            if wanted != self._serving.versions:
                self._serving, self._to_free = await self._tried(wanted), True
                self.since = now()
                logger.info("serving the release %s", dict(wanted))
            self.refusal = None

    async def opened(self, versions: Versions) -> Context:
        """Any release, once its default profile has been opened. Raises whatever stands in the way."""
        found = await asyncio.to_thread(self._load, versions)
        await found.studio(found.settings.profile)
        return found

    async def _tried(self, versions: Versions) -> Context:
        try:
            return await self.opened(versions)
        except Exception as error:
            reason, known = reason_of(error), isinstance(error, AppError)
            logger.warning("the release %s is refused: %s", versions, reason, exc_info=not known)
            self.refusal = Refusal(versions, reason, now())
            raise ReleaseRefused(f"The release in production is refused. {reason}") from error


def reason_of(error: BaseException) -> str:
    """Why a release was not taken, as far as anybody may know."""
    return str(error) if isinstance(error, AppError) else "The reason has been logged."
