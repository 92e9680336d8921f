"""The release on trial: some new threads begin on staging, and some finished renders are done again on it, unseen.

Both are scored as `critique` scores, and written down in `canary.jsonl` without a word of what people asked for;
`./artisan models canary` compares. Whatever staging breaks, the release that serves mends.
"""

import asyncio
import hashlib
import json
import logging
import tempfile
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from graph.build import Graph, build_graph
from graph.choice import OWN_REFERENCE
from graph.context import Context
from graph.releases import Refusal, Releases, reason_of
from graph.state import Request, State
from server.eventlog import Event, Run, now
from tools.artifacts import ArtifactStore
from tools.errors import AppError
from tools.unfinished import UnfinishedRenders
from tools.versions import Versions

if TYPE_CHECKING:
    from server.runs import Runs

logger = logging.getLogger(__name__)

FILE = "canary.jsonl"
EVERY_S = 2.0  # between two looks at the registry
WAITING_MAX = 32  # renders to be done again; the oldest give way
TRIES = 3  # for one of them, each broken off when somebody comes
QUIET_S = 0.5  # between two looks whether nobody is there


@dataclass(slots=True)
class Shadow:
    """A finished run that shall be done again on staging."""

    thread_id: str
    run_id: str
    tried: int = 0


class Canary:
    """Decides which runs begin on staging, and keeps the score."""

    def __init__(
        self, releases: Releases, graph: Graph, folder: Path, share: float, shadow: float
    ) -> None:
        """`share` of the threads begin on staging, `shadow` of the runs on production are done again: 0..1.

        The score is kept in the data folder `folder`, the runs in the checkpoints of `graph`.
        """
        self.share, self.shadow = share, shadow
        self.trial: Context | None = None  # staging, once it has been opened
        self.refusal: Refusal | None = None  # of the staging that did not open, or broke a run
        self._releases = releases
        self._graph = graph
        self._folder = folder
        self._seen: object = None
        self._waiting: deque[Shadow] = deque(maxlen=WAITING_MAX)
        self._wanted = asyncio.Event()
        self._aside = build_graph(InMemorySaver())

    def begin(self, thread_id: str) -> Context:
        """For a run that begins now on a thread, which always gets the same answer while staging stays."""
        if self.trial is not None and _draw(thread_id) < self.share:
            return self.trial
        return self._releases.serving

    def is_trial(self, versions: Versions) -> bool:
        """Whether a release is the one on trial."""
        return self.trial is not None and versions == self.trial.versions

    def broke(self, run: Run, versions: Versions, error: BaseException) -> None:
        """Staging failed a run that the serving release could do: nothing begins on it until it is another one."""
        logger.warning("staging is set aside, it broke run %s", run.run_id, exc_info=error)
        self._write(_key(run.run_id), versions, shadow=False, error=type(error).__name__)
        self.refusal = Refusal(versions, f"It broke a run. {reason_of(error)}", now())
        self.trial = None

    def hear(self, run: Run, event: Event) -> None:
        """Take in what a run came to."""
        if event.event != "result" or self.trial is None:
            return
        result = json.loads(event.data)
        versions = result["versions"]
        if versions not in (self.trial.versions, self._releases.serving.versions):
            return
        self._write(
            _key(run.run_id),
            versions,
            shadow=False,
            fidelity=result["fidelity"],
            seconds=result["elapsed_ms"] / 1000,
        )
        if not self.is_trial(versions) and _draw(run.run_id) < self.shadow:
            self._waiting.append(Shadow(run.thread_id, run.run_id))
            self._wanted.set()

    async def keep_up(self) -> None:
        """Follow the registry until cancelled."""
        while self.share or self.shadow:
            try:
                await self.follow()
            except Exception:
                logger.exception("staging cannot be followed; trying again")
            await asyncio.sleep(EVERY_S)

    async def follow(self) -> None:
        """Open what is in staging now, if that has changed; one that does not open is a line in the log."""
        serving = self._releases.serving.versions
        seen = (await asyncio.to_thread(self._releases.registry.last), serving)
        if seen == self._seen:
            return
        self._seen = seen
        wanted = await asyncio.to_thread(self._releases.registry.release, "staging")
        if self.is_trial(wanted) or (self.refusal and self.refusal.versions == wanted):
            return
        self.trial, self.refusal = None, None
        if wanted == serving:
            return
        try:
            self.trial = await self._releases.opened(wanted)
        except Exception as error:
            known = isinstance(error, AppError)
            logger.warning("staging %s does not open: %s", wanted, error, exc_info=not known)
            self.refusal = Refusal(wanted, reason_of(error), now())
        else:
            logger.info("on trial: %s", dict(wanted))

    async def cast_shadows(self, runs: "Runs") -> None:
        """Do runs again on staging while there are no others, until cancelled."""
        while True:
            await self._wanted.wait()
            if not self._waiting:
                self._wanted.clear()
            elif not runs.idle:
                await asyncio.sleep(QUIET_S)
            else:
                shadow = self._waiting.popleft()
                shadow.tried += 1
                done = await _unless(self._cast(shadow), runs.accepted)
                if not done and shadow.tried < TRIES:
                    self._waiting.appendleft(shadow)

    async def _cast(self, shadow: Shadow) -> None:
        try:
            await self._render_again(shadow)
        except Exception as error:
            logger.warning("staging failed a shadow of run %s", shadow.run_id, exc_info=True)
            if self.trial is not None:
                versions = self.trial.versions
                self._write(_key(shadow.run_id), versions, shadow=True, error=type(error).__name__)

    async def _render_again(self, shadow: Shadow) -> None:
        """The same turn with the styles that were decided, in a graph and a store that nobody else sees."""
        trial, state = self.trial, await self._state_of(shadow)
        if trial is None or state is None:
            return
        config: RunnableConfig = {"configurable": {"thread_id": shadow.run_id}}
        with tempfile.TemporaryDirectory(prefix="artisan-shadow-") as folder:
            store = ArtifactStore(Path(folder) / "artifacts")
            await asyncio.to_thread(_copy_images, state, trial.artifacts, store)
            unseen = replace(
                trial, artifacts=store, unfinished=UnfinishedRenders(Path(folder) / "unfinished")
            )
            try:
                await self._aside.aupdate_state(config, _before(state), as_node="critique")
                began = time.monotonic()
                done = await self._aside.ainvoke(_request(state), config, context=unseen)
                seconds = time.monotonic() - began
            finally:
                await cast(InMemorySaver, self._aside.checkpointer).adelete_thread(shadow.run_id)
        fidelity = done["attempts"][done["best"]]["fidelity"]
        self._write(
            _key(shadow.run_id), trial.versions, shadow=True, fidelity=fidelity, seconds=seconds
        )

    async def _state_of(self, shadow: Shadow) -> State | None:
        """What the run's turn ended in; None where the thread has gone."""
        config: RunnableConfig = {"configurable": {"thread_id": shadow.thread_id}}
        history = self._graph.aget_state_history(config, filter={"run": shadow.run_id}, limit=1)
        async for moment in history:
            return cast(State, moment.values)
        return None

    def _write(self, request: str, versions: Versions, *, shadow: bool, **more: Any) -> None:
        line = {"time": now(), "request": request, "shadow": shadow, "versions": dict(versions)}
        try:
            with (self._folder / FILE).open("a", encoding="utf-8") as file:
                file.write(json.dumps({**line, **more}) + "\n")
        except OSError as error:
            logger.warning("a score is lost: %s", error)


async def _unless(work: Any, event: asyncio.Event) -> bool:
    """Do `work` unless, or until, `event` is set; say whether it came to its end."""
    task, came = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, came}, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        task.cancel()
        came.cancel()
        await asyncio.gather(task, came, return_exceptions=True)


def _request(state: State) -> Request:
    wish = ",".join(f"{share['style']}:{share['weight']:.6f}" for share in state["styles"])
    return Request(
        message=state["message"],
        sketch=state["sketch"],
        style=wish or "none",
        seed=state["seed"],
        steps=state["steps"],
        size=state["size"],
        profile=state["profile"],
    )


def _before(state: State) -> dict[str, Any]:
    """The thread as the turn found it, as far as the turn looks at it."""
    return {
        "turn": state["turn"] - 1,
        "messages": state["messages"][:-1],
        "sketches": state.get("sketches", [])[:-1],
        "retry": False,
    }


def _copy_images(state: State, source: ArtifactStore, target: ArtifactStore) -> None:
    """Give `target` what the turn looks at: the sketch, and references of the user's own."""
    styles = [share["style"] for share in state["styles"]]
    own = [name.removeprefix(OWN_REFERENCE) for name in styles if name.startswith(OWN_REFERENCE)]
    for image in filter(None, [state["sketch"], *own]):
        found = source.get(image)
        target.put(found.data, found.media_type)


def _draw(text: str) -> float:
    """A number in [0, 1) that a text always gets."""
    return int.from_bytes(hashlib.sha256(f"canary {text}".encode()).digest()[:6]) / 2**48


def _key(run_id: str) -> str:
    """What a run and its shadow are known by to each other, and nothing else."""
    return hashlib.sha256(f"request {run_id}".encode()).hexdigest()[:16]
