"""The studio under test: one profile, opened once, with a memory of what it has rendered."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

    from graph.context import Context, Studio
    from graph.settings import Settings
    from tools.imaging import ImageRequest
    from tools.profiles import Profile

ROOT = Path(__file__).parents[1]
RENDERING = (
    "diffusion",
    "sampling",
    "control",
    "minilm",
    "memory",
)  # files of tools/ that a render depends on
OURS = ("graph", "nodes", "tools", "styles", "training", "evals")


@dataclass(frozen=True, slots=True)
class RenderCache:
    """Renders by what they depend on, so that no suite renders what another one has."""

    folder: Path
    engine: str  # the engine's name, which holds the pack's revision

    def load(self, request: ImageRequest) -> Image | None:
        """What `request` gave before; None when it has not been rendered, or the file is damaged."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(self._file(request)) as stored:
                return stored.convert("RGB")
        except (OSError, UnidentifiedImageError):
            return None

    def save(self, request: ImageRequest, image: Image) -> None:
        """Keep the render of `request`; a kill leaves all of it or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(request)
        half = file.with_suffix(f".{os.getpid()}.half")
        image.save(half, "PNG", compress_level=1)
        half.replace(file)

    def _file(self, request: ImageRequest) -> Path:
        from tools.unfinished import render_key

        key = f"{render_key(request, self.engine)} {rendering_code()}"
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.png"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a suite asks its questions."""

    context: Context
    studio: Studio
    renders: RenderCache
    _shared: dict[str, Any] = field(default_factory=dict)
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def profile(self) -> Profile:
        """The profile whose defaults are under test."""
        return self.studio.profile

    async def render(self, request: ImageRequest) -> Image:
        """The RGB render of `request`, from the cache or from the engine. Raises as the engine does."""
        if (known := self.renders.load(request)) is not None:
            return known
        engine = self.studio.engine
        image = await self.context.lane.run(
            lambda stopped: engine.generate(request, lambda _: stopped.check())
        )
        self.renders.save(request, image)
        return image

    async def share(
        self, name: str, open_it: Callable[[], AbstractAsyncContextManager[Any]]
    ) -> Any:
        """What `open_it` opens, once for all cases of a suite; it closes with the subject."""
        if name not in self._shared:
            self._shared[name] = await self._closing.enter_async_context(open_it())
        return self._shared[name]


@asynccontextmanager
async def open_subject(settings: Settings, folder: Path) -> AsyncIterator[Subject]:
    """Open the profile that `settings` names, with the library and models they name, and a data folder of its own.

    `folder` holds the index and the renders, from one run to the next.
    Raises what `open_context` raises, and `InvalidRequest`, `WeightsMissing` for the profile.
    """
    from graph.build import open_context

    own = settings.model_copy(update={"data_dir": folder / "studio"})
    async with open_context(own) as context:
        studio = await context.studio(settings.profile)
        subject = Subject(context, studio, RenderCache(folder / "renders", studio.engine.name))
        async with subject._closing:
            yield subject


@cache
def code_hash() -> str:
    """Twelve characters that name the code which a score depends on."""
    return _hash([file for name in OURS for file in sorted((ROOT / name).rglob("*.py"))])


@cache
def rendering_code() -> str:
    """Twelve characters that name the code which a render depends on, the libraries included."""
    libraries = " ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "numpy"))
    own = _hash([ROOT / "tools" / f"{name}.py" for name in RENDERING])
    return hashlib.sha256(f"{own} {libraries}".encode()).hexdigest()[:12]


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(
            f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()[:12]
