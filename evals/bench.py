"""The numbers of the README, measured on this machine: `make bench`.

Speeds are noisy here, so what can be a ratio is one, measured in turns in a single run.
"""

import argparse
import json
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from evals.timing import (
    MESSAGE,
    ROOT,
    SKETCH,
    STYLE,
    bare_render,
    own_studio,
    seconds,
    timed_request,
)
from styles.calibration import load_calibration
from styles.catalog import Catalog
from styles.index import BEST_TEXTS, StyleIndex
from tools.diffusion import DiffusersEngine, open_engine
from tools.edges import extract_edges
from tools.encoders import open_encoder
from tools.profiles import Profile, load_profiles

LONG_STEPS, LONG_SIZE = 60, 320  # about five seconds of the bare engine on two cores


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


def service(renders: int) -> None:
    """The demo's request through a real server, in turns with the bare engine; then the server's memory."""
    walls, firsts, own, ratios, memory = [], [], [], [], []
    nodes: dict[str, list[float]] = {}
    with own_studio() as http:
        bare = bare_render(*_engine())
        for number in range(renders):
            timed = timed_request(http, number)
            walls.append(timed.wall_s)
            firsts.append(timed.first_event_s)
            own.append(timed.outside_s)
            memory.append(_memory_of_child())
            for node, ms in timed.nodes_ms.items():
                nodes.setdefault(node, []).append(ms)
            if number % 5 == 4:
                ratios.append(timed.wall_s / (seconds(bare) * timed.renders))
    report(
        "POST /chat to first event, median", f"{statistics.median(firsts) * 1000:.1f} ms", "50 ms"
    )
    report("whole render through the service, median", f"{statistics.median(walls):.2f} s", "15 s")
    report("service / bare engine, wall, median of pairs", f"{statistics.median(ratios):.3f}", "-")
    report("  of it outside the nodes, median", f"{statistics.median(own) * 1000:.0f} ms", "-")
    for node, times in nodes.items():
        report(f"  {node}, median", f"{statistics.median(times):.0f} ms", "-")
    if len(memory) >= 10:
        growth = memory[-1] / memory[4] - 1
        report(f"memory after {len(memory)} renders against after 5", f"{growth:+.1%}", "+3 %")


def overhead(pairs: int) -> None:
    """A render of about five seconds: what the service, everything durable, adds to the bare engine."""
    engine, profile, catalog = _engine()
    bare = bare_render(engine, profile, catalog, steps=LONG_STEPS, size=LONG_SIZE)
    form = {"steps": str(LONG_STEPS), "size": str(LONG_SIZE)}
    alone, ratios, own = [], [], []
    with own_studio() as http:
        timed_request(http, pairs, **form)
        for number in range(pairs):
            first = seconds(bare) if number % 2 else None  # the one before the other, by turns
            timed = timed_request(http, number, **form)
            alone.append(first or seconds(bare))
            ratios.append(timed.wall_s / (alone[-1] * timed.renders))
            own.append(timed.outside_s / timed.wall_s)
            print(f"  pair {number + 1}: {timed.wall_s:.2f} s, {alone[-1]:.2f} s alone", flush=True)
    report("bare engine, a long render, median", f"{statistics.median(alone):.2f} s", "5 s")
    low, high = min(ratios), max(ratios)
    report(
        f"whole request / bare engine, median of {pairs} pairs",
        f"{statistics.median(ratios):.3f}",
        "1.030",
    )
    report("  least and most of them", f"{low:.3f}, {high:.3f}", "-")
    report("  outside the graph's nodes, median", f"{statistics.median(own):.2%}", "3 %")


def full(refusals: int = 100) -> None:
    """How soon a studio whose queue is full says so, while it renders on all cores."""
    from server.runs import RUNS_MAX

    form = {"message": MESSAGE, "style": STYLE, "steps": "60", "size": "512"}
    sent = {name: (None, value.encode()) for name, value in form.items()}
    with own_studio() as http:
        timed_request(http, 0)
        for _ in range(RUNS_MAX):  # what is left of a stream stops nothing
            with http.stream("POST", "/chat", files=sent) as stream:
                assert stream.status_code == 200, stream.read()
                next(stream.iter_lines())
        times = []
        for _ in range(refusals):
            start = time.perf_counter()
            answer = http.post("/chat", files=sent)
            times.append(time.perf_counter() - start)
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) > 0
    report(
        f"503 with Retry-After when {RUNS_MAX} runs wait, median",
        f"{statistics.median(times) * 1000:.1f} ms",
        "50 ms",
    )
    report(f"  slowest of {refusals}", f"{max(times) * 1000:.1f} ms", "50 ms")


def watchers(count: int = 500) -> None:
    """Memory of the server for each open stream of a run that waits for its turn."""
    form = {"message": MESSAGE, "style": STYLE, "steps": "60"}
    sent = {name: (None, value.encode()) for name, value in form.items()}
    with own_studio() as http, ExitStack() as streams:
        timed_request(http, 0, steps="60")
        for _ in range(3):  # the first two render meanwhile
            with http.stream("POST", "/chat", files=sent) as stream:
                told = next(line for line in stream.iter_lines() if line.startswith("data:"))
        run = json.loads(told.removeprefix("data:"))
        path = f"/threads/{run['thread_id']}/runs/{run['run_id']}/stream?format=studio"
        host, port = http.base_url.host, http.base_url.port

        def watch() -> None:
            stream = streams.enter_context(socket.create_connection((host, port or 80)))
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            got = b""
            while b"event: metadata" not in got:
                got += stream.recv(65536)

        watch()
        before = _memory_of_child()
        for _ in range(count):
            watch()
        each = (_memory_of_child() - before) / count
    report(f"memory for each of {count} watchers of a run", f"{each / 1024:.0f} KB", "64 KB")


def cancel(renders: int = 10) -> None:
    """From the answer to a cancel until the render has let the engine go, beside the time of one of its steps."""
    form = {"message": MESSAGE, "style": STYLE, "steps": str(LONG_STEPS)}
    sent = {name: (None, value.encode()) for name, value in form.items()}
    steps, waits = [], []
    with own_studio() as http:
        timed_request(http, 0)
        for number in range(renders):
            moments: list[float] = []
            with http.stream("POST", "/chat", files=sent) as stream:
                lines = stream.iter_lines()
                run = json.loads(_next_data(lines, "metadata"))
                while len(moments) < 3 + number % 3:
                    _next_data(lines, "progress")
                    moments.append(time.perf_counter())
                url = f"/threads/{run['thread_id']}/runs/{run['run_id']}/cancel"
                http.post(url).raise_for_status()
                answered = time.perf_counter()
                _next_data(lines, "end")
                waits.append(time.perf_counter() - answered)
            steps.extend(np.diff(moments).tolist())
    step = statistics.median(steps)
    wanted = f"{(step + 0.1) * 1000:.0f} ms: a step of {step * 1000:.0f} ms, and 100"
    report(
        "cancel answered to engine free, median",
        f"{statistics.median(waits) * 1000:.0f} ms",
        wanted,
    )
    report(f"  slowest of {renders}", f"{max(waits) * 1000:.0f} ms", wanted)


def _next_data(lines: Iterator[str], event: str) -> str:
    """The data of the next `event` of a stream."""
    while next(lines) != f"event: {event}":
        pass
    return next(line for line in lines if line.startswith("data: ")).removeprefix("data: ")


def _engine() -> tuple[DiffusersEngine, Profile, Catalog]:
    profile = load_profiles(ROOT / "models/profiles.toml")["starter"]
    return open_engine(profile, ROOT / "models"), profile, Catalog(ROOT / "styles/library")


def _memory_of_child() -> int:
    """Resident bytes of the server, our only child process with a port."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    pages = [int(Path(f"/proc/{child}/statm").read_text().split()[1]) for child in children]
    return max(pages) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Measure everything, or what --only names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=50)
    parser.add_argument("--styles", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=12)
    parts: dict[str, Callable[[], None]] = {
        "edges": edge_extraction,
        "retrieval": lambda: retrieval(args.styles),
        "service": lambda: service(args.renders),
        "overhead": lambda: overhead(args.pairs),
        "full": full,
        "watchers": watchers,
        "cancel": cancel,
    }
    parser.add_argument("--only", choices=list(parts))
    args = parser.parse_args()
    for name, measure in parts.items():
        if args.only in (None, name):
            measure()


if __name__ == "__main__":
    main()
