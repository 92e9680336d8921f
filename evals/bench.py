"""The numbers of the README, measured on this machine: `make bench`.

Speeds are noisy here, so what can be a ratio is one, measured in turns in a single run.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
from PIL import Image

from server.client import chat, own_server
from styles.calibration import load_calibration
from styles.catalog import Catalog
from styles.index import BEST_TEXTS, StyleIndex
from tools.diffusion import DiffusersEngine, open_engine
from tools.edges import extract_edges, resize_edges
from tools.encoders import open_encoder
from tools.imaging import ImageRequest, StyleMix
from tools.profiles import load_profiles

ROOT = Path(__file__).parents[1]
SKETCH = ROOT / "examples/sketches/lobby.png"
MESSAGE = "art deco hotel lobby at dusk"
STYLE = "art-deco"


def report(name: str, value: str, wanted: str) -> None:
    """One line of the table."""
    print(f"{name:58} {value:>16}   wanted {wanted}", flush=True)


def edge_extraction() -> None:
    """CPU time for a 1-megapixel sketch, one thread."""
    import cv2

    cv2.setNumThreads(1)
    sketch = Image.open(SKETCH).convert("RGB").resize((1156, 867), Image.Resampling.LANCZOS)
    times = []
    for _ in range(20):
        start = time.process_time()
        extract_edges(sketch)
        times.append(time.process_time() - start)
    report("edges of a 1-megapixel sketch, CPU", f"{min(times) * 1000:.1f} ms", "15 ms")


def retrieval(count: int) -> None:
    """Search among `count` styles against exact arithmetic: shipped vectors, moved about at random."""
    encoder = open_encoder(load_profiles(ROOT / "models/profiles.toml")["starter"], ROOT / "models")
    calibration = load_calibration(ROOT / "models/calibration.json", encoder.name)
    catalog = Catalog(ROOT / "styles/library")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        index = StyleIndex(encoder, catalog, Path(folder), calibration)
        shipped = list(catalog.styles.values())
        texts = {
            s.slug: np.array(
                encoder.embed_documents([s.description, s.prompt, ", ".join(s.tags)]), np.float32
            )
            for s in shipped
        }
        everything = []
        entries = []
        for number in range(count):
            style = shipped[number % len(shipped)]
            moved = texts[style.slug] + rng.normal(0, 0.04, texts[style.slug].shape)
            moved = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
            entries.append((replace(style, slug=f"s{number:05}"), moved, moved[:1]))
            everything.append(moved)
        index.put(entries)
        for style in shipped:
            index.remove(style.slug)
        matrix = np.stack(everything)
        queries = np.array(encoder.embed_documents([s.captions[0] for s in shipped]), np.float32)
        times, same = [], 0
        for query in queries:
            exact = np.sort(matrix @ query, axis=1)[:, -BEST_TEXTS:].mean(1)
            best = {f"s{i:05}" for i in np.argsort(-exact)[:8]}
            start = time.perf_counter()
            found = index.nearest(query, 8, of_image=False)
            times.append(time.perf_counter() - start)
            same += best == {slug for slug, _ in found}
    report(
        f"retrieval among {count} styles, median",
        f"{statistics.median(times) * 1000:.1f} ms",
        "10 ms",
    )
    report("  same top 8 as exact search", f"{same} of {len(queries)}", "all")


def request_seconds(profile: str, requests: int = 5) -> float:
    """Median wall time of the demo's request under a profile, through a server of its own, the first left out."""
    form = {"message": MESSAGE, "style": STYLE, "profile": profile}
    with (
        tempfile.TemporaryDirectory() as data,
        _environment(ARTISAN_DATA_DIR=data),
        own_server() as url,
        httpx2.Client(base_url=url, timeout=120, trust_env=False) as http,
    ):
        walls = []
        for number in range(requests + 1):
            start = time.perf_counter()
            for event in chat(http, form | {"seed": str(number)}, SKETCH):
                assert event.name != "error", event.data
            walls.append(time.perf_counter() - start)
    return statistics.median(walls[1:])


def service(renders: int) -> None:
    """The demo's request through a real server, in turns with the bare engine; then the server's memory."""
    engine = open_engine(load_profiles(ROOT / "models/profiles.toml")["starter"], ROOT / "models")
    with (
        tempfile.TemporaryDirectory() as data,
        _environment(ARTISAN_DATA_DIR=data),
        own_server() as url,
        httpx2.Client(base_url=url, timeout=120, trust_env=False) as http,
    ):
        bare = _bare_render(engine)
        walls, firsts, ratios, memory = [], [], [], []
        nodes: dict[str, list[int]] = {}
        own = []  # wall seconds outside the graph's nodes
        for number in range(renders):
            start = time.perf_counter()
            first, inside_ms = 0.0, 0
            for event in chat(
                http, {"message": MESSAGE, "style": STYLE, "seed": str(number)}, SKETCH
            ):
                first = first or time.perf_counter() - start
                assert event.name != "error", event.data
                if event.name == "node" and event.data["status"] == "finished":
                    nodes.setdefault(event.data["node"], []).append(event.data["elapsed_ms"])
                    inside_ms += event.data["elapsed_ms"]
            walls.append(time.perf_counter() - start)
            own.append(walls[-1] - inside_ms / 1000)
            firsts.append(first)
            memory.append(_memory_of_child())
            if number % 5 == 4:
                start = time.perf_counter()
                bare()
                ratios.append(walls[-1] / (time.perf_counter() - start))
    report(
        "POST /chat to first event, median", f"{statistics.median(firsts) * 1000:.1f} ms", "50 ms"
    )
    report("whole render through the service, median", f"{statistics.median(walls):.2f} s", "15 s")
    report(
        "service / bare engine, wall, median of pairs", f"{statistics.median(ratios):.3f}", "1.030"
    )
    report("  of it outside the nodes, median", f"{statistics.median(own) * 1000:.0f} ms", "3 %")
    for node, times in nodes.items():
        report(f"  {node}, median", f"{statistics.median(times):.0f} ms", "-")
    if len(memory) >= 10:
        growth = memory[-1] / memory[4] - 1
        report(f"memory after {len(memory)} renders against after 5", f"{growth:+.1%}", "+3 %")


def _bare_render(engine: DiffusersEngine) -> Callable[[], Image.Image]:
    """The same picture from the engine alone: no graph, no server, no previews."""
    sketch = Image.open(SKETCH).convert("RGB")
    profile = engine.profile
    width, height = profile.size, profile.size * sketch.height // sketch.width // 32 * 32
    style = Catalog(ROOT / "styles/library").get(STYLE)
    vectors = tuple(
        engine.embed_style(Image.open(path).convert("RGB")) for path in style.references
    )
    request = ImageRequest(
        prompt=style.prompt.replace("{prompt}", MESSAGE),
        seed=1,
        width=width,
        height=height,
        steps=profile.steps,
        guidance_scale=profile.guidance_scale,
        low_noise=profile.low_noise,
        edges=resize_edges(extract_edges(sketch), width, height),
        style=StyleMix(vectors, (1 / len(vectors),) * len(vectors)),
    )
    engine.generate(request, lambda _: None)
    return lambda: engine.generate(request, lambda _: None)


def _memory_of_child() -> int:
    """Resident bytes of the server, our only child process with a port."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    pages = [int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children]
    return max(pages) * os.sysconf("SC_PAGE_SIZE")


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


def main() -> None:
    """Measure everything, or what --only names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=50)
    parser.add_argument("--styles", type=int, default=10_000)
    parser.add_argument("--only", choices=["edges", "retrieval", "service"])
    args = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "edges": edge_extraction,
        "retrieval": lambda: retrieval(args.styles),
        "service": lambda: service(args.renders),
    }
    for name, measure in parts.items():
        if args.only in (None, name):
            measure()


if __name__ == "__main__":
    main()
