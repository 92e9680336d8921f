"""Time, in turns: requests through a server of our own, and the same render from the engine alone."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2
    from PIL.Image import Image

    from styles.catalog import Catalog
    from tools.imaging import ImageEngine
    from tools.profiles import Profile

ROOT = Path(__file__).parents[1]
SKETCH = ROOT / "examples/sketches/lobby.png"
MESSAGE = "art deco hotel lobby at dusk"
STYLE = "art-deco"
PATIENCE_S = 300  # of a client with a server that is busy


@dataclass(frozen=True, slots=True)
class Timed:
    """How a request went, as its client saw it."""

    wall_s: float  # from the first byte sent to the last event
    first_event_s: float
    first_preview_s: float | None  # None: it had none
    nodes_ms: Mapping[str, float]  # by node, in the order they ran
    renders: int = 1  # more where critique asked for another one

    @property
    def outside_s(self) -> float:
        """What the service itself took: HTTP, events, checkpoints."""
        return self.wall_s - sum(self.nodes_ms.values()) / 1000


@contextmanager
def own_studio(**settings: str) -> Iterator[httpx2.Client]:
    """A client of a server of our own, in a process of its own, with an empty data folder and these settings
    (`ARTISAN_...`). Raises as `own_server` does.
    """
    import httpx2

    from server.client import own_server

    with (
        tempfile.TemporaryDirectory() as data,
        _environment(ARTISAN_DATA_DIR=data, **settings),
        own_server() as url,
        httpx2.Client(base_url=url, timeout=PATIENCE_S, trust_env=False) as http,
    ):
        yield http


def timed_request(http: httpx2.Client, seed: int, **form: str) -> Timed:
    """Send the demo's request and follow it to its end. Raises `RuntimeError` when the run fails."""
    from server.client import chat

    sent = {"message": MESSAGE, "style": STYLE, "seed": str(seed), **form}
    start = time.perf_counter()
    first: float | None = None
    preview: float | None = None
    nodes: dict[str, float] = {}
    renders = 0
    for event in chat(http, sent, SKETCH):
        now = time.perf_counter() - start
        first = first or now
        if event.name == "error":
            raise RuntimeError(event.data["message"])
        if event.name == "progress" and event.data["preview_url"]:
            preview = preview or now
        if event.name == "node" and event.data["status"] == "finished":
            name = event.data["node"]
            nodes[name] = nodes.get(name, 0) + event.data["elapsed_ms"]
            renders += name == "generate_image"
    return Timed(time.perf_counter() - start, first or 0.0, preview, nodes, renders)


def request_seconds(profile: str, requests: int = 5) -> float:
    """Median wall time of the demo's request under a profile, through a server of its own, the first left out."""
    with own_studio() as http:
        walls = [timed_request(http, n, profile=profile).wall_s for n in range(requests + 1)]
    return statistics.median(walls[1:])


def bare_render(
    engine: ImageEngine,
    profile: Profile,
    catalog: Catalog,
    *,
    style: str = STYLE,
    steps: int | None = None,
    size: int | None = None,
) -> Callable[[], Image]:
    """The same picture from the engine alone: no graph, no server, no previews. It has been rendered once already."""
    from PIL import Image

    from tools.edges import extract_edges, resize_edges
    from tools.images import canvas_size
    from tools.imaging import ImageRequest, StyleMix

    sketch = Image.open(SKETCH).convert("RGB")
    width, height = canvas_size(
        sketch.width, sketch.height, size or profile.size, profile.size_multiple
    )
    look = catalog.get(style)
    vectors = tuple(engine.embed_style(Image.open(path).convert("RGB")) for path in look.references)
    request = ImageRequest(
        prompt=look.prompt.replace("{prompt}", MESSAGE),
        seed=1,
        width=width,
        height=height,
        steps=steps or profile.steps,
        guidance_scale=profile.guidance_scale,
        low_noise=profile.low_noise,
        colour_transfer=profile.colour_transfer,
        edges=resize_edges(extract_edges(sketch), width, height),
        control_scale=profile.control_scale,
        style=StyleMix(vectors, (1 / len(vectors),) * len(vectors)),
        style_scale=profile.style_scale,
    )
    engine.generate(request, lambda _: None)
    return lambda: engine.generate(request, lambda _: None)


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
