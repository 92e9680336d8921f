"""A studio in a process of its own, killed at random moments: nothing may be lost, nothing doubled.

make chaos                     100 kills
make chaos N=500
"""

import argparse
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx2
import numpy as np
import uvicorn
from conftest import ROOT, RULES, HashingEncoder, PaintedEngine, WordIndex, alone, write_library
from live_server import PATIENCE_S, Event, LiveStudio, only
from tqdm import tqdm

from graph.context import Context, Studio
from graph.releases import Releases
from graph.settings import Settings
from server.app import create_app
from styles.catalog import Catalog
from styles.index import StyleIndex
from tools.artifacts import ArtifactStore
from tools.lane import GpuLane
from tools.profiles import load_profiles
from tools.prompts import RulePromptWriter
from tools.unfinished import UnfinishedRenders
from tools.versions import versions_in

STEP_S = 0.01
MESSAGES = {"none": "a neon city", "ask": "a city with ink"}  # by style
ANSWER = {"style": "ink"}
SEEDS = 3
SAME = ("artifact_id", "seed", "styles", "prompt", "enhanced_prompt", "fidelity")
HASTE_S = 0.03  # longest wait between an event and the kill


@dataclass
class SteadyEngine(PaintedEngine):
    """Takes its time for every step."""

    step_s: float = STEP_S

    def before_step(self) -> None:
        time.sleep(self.step_s)


@asynccontextmanager
async def steady_studio(settings: Settings, step_s: float = STEP_S) -> AsyncIterator[Context]:
    """The real stores, words for an index, and a painted engine."""
    catalog = Catalog(settings.library)
    profile = load_profiles(ROOT / "models" / "profiles.toml")["starter"]
    index = cast(StyleIndex, WordIndex(catalog))
    opened = Studio(profile, SteadyEngine(step_s=step_s), HashingEncoder(), index)

    async def studio(_: str) -> Studio:
        return opened

    lane = GpuLane()
    yield Context(
        settings=settings,
        versions=versions_in(ROOT / "models"),
        profiles={"starter": profile},
        artifacts=ArtifactStore(settings.data_dir / "artifacts"),
        unfinished=UnfinishedRenders(settings.data_dir / "unfinished"),
        catalog=catalog,
        prompts=RulePromptWriter(RULES),
        lane=lane,
        studio=studio,
    )
    lane.close()


@asynccontextmanager
async def steady_releases(settings: Settings, step_s: float) -> AsyncIterator[Releases]:
    """The same, as a server takes it."""
    async with steady_studio(settings, step_s) as context:
        yield alone(context)


@dataclass
class MortalStudio:
    """A server process on one library and one data folder; as a client, what talks to it."""

    library: Path
    data_dir: Path
    log: Path  # what it says
    step_s: float = STEP_S  # of its renders
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _http: httpx2.Client = field(default_factory=httpx2.Client)

    def start(self) -> LiveStudio:
        """Start it and wait until it answers."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        where = [str(self.library), str(self.data_dir), str(port), str(self.step_s)]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--serve", *where],
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT), "PATH": ""},
                stdout=out,
                stderr=out,
            )
        self.starts += 1
        self._http.close()
        self._http = httpx2.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, trust_env=False
        )
        while self._process.poll() is None:
            try:
                self._http.get("/healthz")
            except httpx2.TransportError:
                time.sleep(0.02)
            else:
                return LiveStudio(self._http)
        raise AssertionError(self.log.read_text())

    def memory_kb(self) -> int:
        """What it holds in memory."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def send(self, name: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(name)

    def wait(self) -> int:
        """Its exit status."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """Kill it for good."""
        self.kill()
        self._http.close()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.send(signal.SIGKILL)
        self.wait()

    def restart(self) -> LiveStudio:
        """Kill it and start it again."""
        self.kill()
        return self.start()


@dataclass(frozen=True)
class Chaos:
    """Conversations that are cut off, held against the same ones undisturbed."""

    mortal: MortalStudio
    rng: np.random.Generator
    whole: dict[tuple[str, int], list[Event]]  # (style, seed) -> what the last run tells

    @classmethod
    def begun(cls, mortal: MortalStudio, studio: LiveStudio, seed: int) -> "Chaos":
        """Hold every conversation once, undisturbed."""
        whole = {}
        for style in MESSAGES:
            for number in range(SEEDS):
                told = studio.chat(MESSAGES[style], style=style, seed=number)
                if style == "ask":
                    question = only(told, "interrupt")["id"]
                    with studio.choosing(told[0].data["thread_id"], question, ANSWER) as events:
                        told = list(events)
                whole[style, number] = told
        return cls(mortal, np.random.default_rng(seed), whole)

    def trial(self, studio: LiveStudio) -> LiveStudio:
        """One conversation with a kill in each of its runs; the studio that lives at its end."""
        style = str(self.rng.choice(list(MESSAGES)))
        seed = int(self.rng.integers(SEEDS))
        whole = self.whole[style, seed]
        seen = self._cut(studio.chatting(MESSAGES[style], style=style, seed=seed), len(whole))
        studio = self._start()
        if not seen:
            return studio  # whoever was told nothing was promised nothing
        told = follow(studio, seen, seen[0].data)
        if style == "ask":
            thread_id, question = seen[0].data["thread_id"], only(told, "interrupt")["id"]
            seen = self._cut(studio.choosing(thread_id, question, ANSWER), len(whole))
            studio = self._start()
            thread = studio.thread(thread_id)
            if thread["interrupt"]:
                assert not seen, "an accepted answer was lost"
                with studio.choosing(thread_id, question, ANSWER) as events:
                    told = list(events)
            else:
                told = follow(studio, seen, {"thread_id": thread_id, **thread["runs"][-1]})
                assert len(studio.thread(thread_id)["runs"]) == 2
        check(told, whole)
        return studio

    def _cut(self, stream: Any, most: int) -> list[Event]:
        """What a reader saw of a stream before the process died, at an event or in between."""
        seen: list[Event] = []
        last = int(self.rng.integers(0, most))
        wait_s = self.rng.random() * HASTE_S
        killer = threading.Timer(wait_s, self.mortal.kill)
        with suppress(httpx2.TransportError):
            if last == 0:
                killer.start()
            with stream as events:
                for event in events:
                    seen.append(event)
                    if len(seen) == last:
                        killer.start()
        if killer.ident is None:  # it told less than that
            killer.start()
        killer.join()
        return seen

    def _start(self) -> LiveStudio:
        """Start it again; now and then it dies once more while it goes on with its runs."""
        studio = self.mortal.start()
        if self.rng.random() < 0.25:
            time.sleep(self.rng.random() * 0.3)
            self.mortal.kill()
            studio = self.mortal.start()
        return studio


def follow(studio: LiveStudio, seen: list[Event], run: dict[str, Any]) -> list[Event]:
    """All that is told of a run, to a watcher who comes back after `seen`."""
    told = list(seen)
    if not seen or seen[-1].name != "end":
        told += studio.replay(run, after=seen[-1].id if seen else None)
    assert studio.replay(run) == told, "a watcher who came back was told something else"
    return told


def check(told: list[Event], whole: list[Event]) -> None:
    """Nothing lost, nothing doubled, and the same picture."""
    assert [event.id for event in told] == list(range(1, len(told) + 1))
    attempts = [event.data["attempt"] for event in told if event.name == "metadata"]
    assert attempts == list(range(1, len(attempts) + 1))
    assert [event.name for event in told[-2:]] == ["result", "end"]
    assert Counter(e.name for e in told)["end"] == Counter(e.name for e in told)["result"] == 1
    assert only(told, "end") == {"status": "success"}
    ours, theirs = only(told, "result"), only(whole, "result")
    assert {key: ours[key] for key in SAME} == {key: theirs[key] for key in SAME}
    again = nodes(told, "finished") - nodes(whole, "finished")
    assert again.total() <= len(attempts) - 1, again
    begun = nodes(told, "started") - nodes(whole, "started")
    assert begun.total() <= len(attempts) - 1, begun


def nodes(told: list[Event], status: str) -> Counter[str]:
    """How often each node is told to have `status`."""
    return Counter(e.data["node"] for e in told if e.name == "node" and e.data["status"] == status)


def rage(folder: Path, trials: int, seed: int) -> int:
    """Run so many trials in `folder`; the number of kills. Raises `AssertionError` for what was lost or doubled."""
    write_library(folder / "library")
    mortal = MortalStudio(folder / "library", folder / "var", folder / "log")
    studio = mortal.start()
    try:
        chaos = Chaos.begun(mortal, studio, seed)
        for _ in tqdm(range(trials), disable=None):
            studio = chaos.trial(studio)
        left = [file.name for file in (folder / "var" / "unfinished").glob("*")]
        assert not left, left
    finally:
        mortal.close()
    assert "Traceback" not in mortal.log.read_text()
    return mortal.starts - 1


def main() -> None:
    """Serve, or rage."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trials", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        library, data_dir, port, step_s = args.serve
        own = Settings(_env_file=None, library=Path(library), data_dir=Path(data_dir))
        uvicorn.run(
            create_app(own, partial(steady_releases, step_s=float(step_s))),
            port=int(port),
            timeout_graceful_shutdown=10,
        )
    else:
        with tempfile.TemporaryDirectory() as folder:
            kills = rage(Path(folder), args.trials, args.seed)
        sys.stdout.write(
            f"{args.trials} conversations, {kills} kills: nothing lost, nothing doubled, every picture the same\n"
        )


if __name__ == "__main__":
    main()
