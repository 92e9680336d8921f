"""Shared fixtures: a small studio of real stores and a painted engine, and a closed network."""

import hashlib
import ipaddress
import json
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image, ImageDraw

from graph.context import Context, Studio
from graph.releases import Releases
from graph.settings import Settings
from styles.calibration import Band
from styles.catalog import Catalog, Style
from styles.index import Match, StyleIndex
from tools.artifacts import ArtifactStore
from tools.encoding import StyleEncoder
from tools.imaging import ImageRequest, OnStep, Step, Vector
from tools.lane import GpuLane
from tools.profiles import load_profiles
from tools.prompt_ruleset import load_rules
from tools.prompts import RulePromptWriter
from tools.registry import Registry
from tools.unfinished import UnfinishedRenders
from tools.versions import versions_in

ROOT = Path(__file__).parent.parent
RULES = load_rules(ROOT / "models" / "prompts.toml")
DIM = 32
NODES = [  # of a request with a sketch, in the order they run
    "begin",
    "enhance_prompt",
    "retrieve_styles",
    "choose_style",
    "extract_edges",
    "generate_image",
    "critique",
]


@pytest.fixture(autouse=True)
def closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback only: a test that reaches further fails, it does not hang."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and not ipaddress.ip_address(address[0]).is_loopback:
            raise ConnectionRefusedError(f"a test tried to reach {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


class HashingEncoder(StyleEncoder):
    """A word is a direction, an image is its colours. Deterministic, without weights."""

    name = "hashing/1"
    dim = DIM

    def embed_query(self, text: str) -> list[float]:
        total = np.zeros(DIM)
        for word in text.lower().replace(",", " ").split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            total += np.random.default_rng(seed).standard_normal(DIM)
        return _unit(total)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_image(self, image: Image.Image) -> list[float]:
        colours = np.asarray(image.convert("RGB").resize((2, 2), Image.Resampling.BOX)) / 127.5 - 1
        return _unit(np.resize(colours.ravel(), DIM) + 1e-3)


class CountingEncoder(HashingEncoder):
    """Counts the texts that it is asked to embed."""

    def __init__(self) -> None:
        self.texts = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.texts += len(texts)
        return super().embed_documents(texts)


def _unit(vector: "np.ndarray[Any, Any]") -> list[float]:
    return [float(v) for v in vector / max(float(np.linalg.norm(vector)), 1e-9)]


def painted_step(number: int, total: int, image: Image.Image) -> Step:
    """A step that shows `image` and saves its number."""
    return Step(number, total, lambda: image.resize((16, 16)), lambda: str(number).encode())


@dataclass
class PaintedEngine:
    """Inks the edges on a ground of the style's colour, and remembers what it was asked."""

    name: str = "painted/1"
    requests: list[ImageRequest] = field(default_factory=list)

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        self.requests.append(request)
        image = self.paint(request)
        for number in range(int(saved or b"0") + 1, request.steps + 1):
            self.before_step()
            on_step(painted_step(number, request.steps, image))
        return image

    def before_step(self) -> None:
        """What a test may put between the steps."""

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed_style(self, image: Image.Image) -> Vector:
        return np.asarray(HashingEncoder().embed_image(image), np.float32)

    def paint(self, request: ImageRequest) -> Image.Image:
        ground = np.random.default_rng(request.seed).integers(128, 224, 3)
        if request.style is not None:
            mean = np.average(request.style.vectors, axis=0, weights=request.style.weights)
            ground = ground // 4 + (mean[:3] * 96 + 96).astype(int)
        image = Image.new("RGB", (request.width, request.height), tuple(ground.tolist()))
        if request.edges is not None:
            image.paste("black", mask=request.edges)
        return image


class WordIndex:
    """The face of `StyleIndex`: two tags of a style in the text are strong, one is possible."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def search(self, text: str, k: int = 8, image: Image.Image | None = None) -> list[Match]:
        words = set(text.lower().split())
        found = []
        for style in self.catalog.styles.values():
            agreed = sorted(words.intersection(style.tags))
            bands: tuple[Band, ...] = ("weak", "possible", "strong")
            match = Match(
                style=style.slug,
                name=style.name,
                score=min(0.9, 0.1 + 0.4 * len(agreed)),
                band=bands[min(2, len(agreed))],
                reason=f"you said {', '.join(agreed)}",
                image_url=f"/styles/{style.slug}/references/1",
            )
            found.append(match)
        return sorted(found, key=lambda match: -match["score"])[:k]

    def foreign_look(self, text: str) -> str | None:
        return "Rococo" if "rococo" in text.lower() else None

    def sync(self, styles: Iterable[Style]) -> None:
        """The catalog holds them already."""


STYLES = {  # slug: tags, colour of its references
    "neon": (["neon", "city", "night"], "#e010c0"),
    "ink": (["ink", "brush", "paper"], "#303030"),
    "deco": (["gold", "lobby", "luxury"], "#c9a24b"),
}


def write_library(library: Path) -> None:
    """Three styles of two flat references each, told apart by their tags."""
    for slug, (tags, colour) in STYLES.items():
        folder = library / slug
        folder.mkdir(parents=True)
        style = {
            "name": slug.title(),
            "description": f"A style of {' and '.join(tags)}.",
            "tags": tags,
            "mood": [],
            "era": "today",
            "palette": [colour] * 6,
            "prompt": f"{{prompt}}, {slug} style",
            "licence": "Apache-2.0",
            "source": "tests",
        }
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in style.items()]
        (folder / "style.toml").write_text("".join(lines))
        for number in (1, 2):
            Image.new("RGB", (32, 32), colour).save(folder / f"reference-{number}.png")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """The styles of `write_library`, and none of the user's own."""
    write_library(tmp_path / "library")
    return Catalog(tmp_path / "library", tmp_path / "var" / "styles")


@pytest.fixture
def context(tmp_path: Path, catalog: Catalog) -> Iterator[Context]:
    """A studio that renders in milliseconds: real stores, a painted engine, a hashing encoder.

    Swap a part with `dataclasses.replace`; the engine is in `await context.studio("starter")`.
    """
    shipped = load_profiles(ROOT / "models" / "profiles.toml")["starter"]
    small = {"size": 96, "size_multiple": 8, "steps": 6, "geometry_bar": 0.8, "retries": 2}
    profile = shipped.model_copy(update=small)
    index = cast(StyleIndex, WordIndex(catalog))
    studio = Studio(profile, PaintedEngine(), HashingEncoder(), index)

    async def open_studio(name: str) -> Studio:
        return {"starter": studio}[name]

    lane = GpuLane()
    yield Context(
        settings=Settings(_env_file=None, data_dir=tmp_path / "var", library=catalog.library),
        versions=versions_in(ROOT / "models"),
        profiles={"starter": profile},
        artifacts=ArtifactStore(tmp_path / "var" / "artifacts"),
        unfinished=UnfinishedRenders(tmp_path / "var" / "unfinished"),
        catalog=catalog,
        prompts=RulePromptWriter(RULES),
        lane=lane,
        studio=open_studio,
    )
    lane.close()


def alone(context: Context) -> Releases:
    """The one release of a studio that has no other."""
    settings = context.settings
    registry = Registry(settings.data_dir / "registry", settings.models_dir)
    return Releases(context, registry, lambda versions: context)


@pytest.fixture
def sketch(context: Context) -> str:
    """The artifact id of a line drawing of a house, 240x160 px."""
    paper = Image.new("RGB", (240, 160), "white")
    pen = ImageDraw.Draw(paper)
    pen.rectangle((60, 70, 180, 140), outline="black", width=3)
    pen.line((50, 75, 120, 20, 190, 75), fill="black", width=3)
    pen.rectangle((105, 100, 135, 140), outline="black", width=3)
    return context.artifacts.put_image(paper)
