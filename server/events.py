"""The studio's own events: what each one holds, and how the stream of a graph becomes them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict

from graph.state import Fidelity, State, StyleWeight
from styles.index import Match

Status = Literal["success", "interrupted", "error", "cancelled"]


class Metadata(TypedDict):
    """`metadata`: the first event, the run is on disk; again when another process takes the run up."""

    run_id: str
    thread_id: str
    attempt: int  # from 1


class Node(TypedDict):
    """`node`: a step of the graph began or ended."""

    node: str
    status: Literal["started", "finished"]
    elapsed_ms: int  # since the node started
    text: str  # what it decided, in a line a person can read; "" when it starts


class Progress(TypedDict):
    """`progress`: one denoising step is done."""

    node: str
    step: int  # 1 .. total
    total: int
    eta_ms: int  # until the last step, at the pace measured so far
    preview_url: str | None


class Question(TypedDict):
    """`interrupt`: the run waits for a person, who answers with `id`."""

    id: str
    kind: Literal["style_selection"]
    candidates: list[Match]


class Result(TypedDict):
    """`result`: the render, and what made it."""

    artifact_id: str
    image_url: str
    width: int  # px
    height: int  # px
    seed: int
    styles: list[StyleWeight]  # empty: text only
    prompt: str  # the person's message
    enhanced_prompt: str  # what the engine got, style included
    fidelity: Fidelity
    profile: str
    elapsed_ms: int


class Fault(TypedDict):
    """`error`: why there is no result."""

    code: str
    message: str
    retryable: bool


class End(TypedDict):
    """`end`: always the last event."""

    status: Status


Told = tuple[str, Mapping[str, Any]]  # name of the event, its data

MODES: list[Literal["tasks", "custom", "values"]] = ["tasks", "custom", "values"]


def artifact_url(artifact_id: str) -> str:
    """Where an artifact is served."""
    return f"/artifacts/{artifact_id}"


class Narrator:
    """Tells one pass through the graph, from what `astream` yields in `MODES` and version v2."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds from any start."""
        self._clock = clock
        self._began = clock()
        self._started: dict[str, float] = {}
        self._said: dict[str, list[str]] = {}
        self._pace_from: tuple[int, float] = (0, 0.0)  # step, its time
        self._state: State
        self._questions: tuple[Any, ...] = ()

    def tell(self, part: Mapping[str, Any]) -> Iterator[Told]:
        """Yield the events that `part` gives rise to; the last ones are for `ending`."""
        data = part["data"]
        match part["type"]:
            case "tasks" if "result" not in data:
                yield "node", self._start(data["name"])
            case "tasks" if data["error"] is None and not data["interrupts"]:
                yield "node", self._finish(data["name"])
            case "custom" if data["type"] == "said":
                self._said.setdefault(data["node"], []).append(data["text"])
                self._pace_from = (0, self._clock())
            case "custom" if data["type"] == "progress":
                yield "progress", self._progress(data)
            case "values":
                self._state, self._questions = data, part["interrupts"]

    def recall(self, state: State, questions: Sequence[Any]) -> None:
        """Begin from what an earlier process left of the pass."""
        self._state, self._questions = state, tuple(questions)

    def ending(self) -> tuple[Status, Told]:
        """Say how the pass ended, once its stream is exhausted: in a question or a result."""
        if self._questions:
            asked = self._questions[0]
            question = Question(
                id=asked.id, kind=asked.value["kind"], candidates=asked.value["candidates"]
            )
            return "interrupted", ("interrupt", question)
        return "success", ("result", self._result())

    def _start(self, node: str) -> Node:
        now = self._clock()
        self._started[node], self._said[node], self._pace_from = now, [], (0, now)
        return Node(node=node, status="started", elapsed_ms=0, text="")

    def _finish(self, node: str) -> Node:
        elapsed_ms = self._since(self._started[node])
        text = " ".join(dict.fromkeys(self._said[node]))  # a node tried again repeats itself
        return Node(node=node, status="finished", elapsed_ms=elapsed_ms, text=text)

    def _progress(self, data: Mapping[str, Any]) -> Progress:
        """The pace counts from the first step on, for what comes before is waiting and loading."""
        step, total = data["step"], data["total"]
        since, moment = self._pace_from
        eta_ms = self._since(moment) * (total - step) / max(1, step - since)
        if since == 0:
            self._pace_from = (step, self._clock())
        preview = data["preview"]
        return Progress(
            node=data["node"],
            step=step,
            total=total,
            eta_ms=round(eta_ms),
            preview_url=artifact_url(preview) if preview else None,
        )

    def _result(self) -> Result:
        state = self._state
        best = state["attempts"][state["best"]]
        return Result(
            artifact_id=best["image"],
            image_url=artifact_url(best["image"]),
            width=best["width"],
            height=best["height"],
            seed=best["seed"],
            styles=state["styles"],
            prompt=state["message"],
            enhanced_prompt=best["prompt"],
            fidelity=best["fidelity"],
            profile=state["profile"],
            elapsed_ms=self._since(self._began),
        )

    def _since(self, moment: float) -> int:
        return round((self._clock() - moment) * 1000)
