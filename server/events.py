"""The studio's own events: what each one holds, and how the stream of a graph becomes them."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict, cast

from graph.state import Fidelity, State, StyleWeight
from styles.index import Match

Status = Literal["success", "interrupted", "error", "cancelled"]


class Metadata(TypedDict):
    """`metadata`: the first event, the run is on disk; again when another process takes the run up."""

    run_id: str
    thread_id: str
    attempt: int  # from 1


class Queue(TypedDict):
    """`queue`: the run waits for its turn; told when its place changes."""

    position: int  # 1: next
    eta_ms: int  # until it begins, at the pace of the runs before it


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
    versions: dict[str, str]  # of the release that made it: kind, name
    elapsed_ms: int


class Fault(TypedDict):
    """`error`: why there is no result."""

    code: str
    message: str
    retryable: bool


class End(TypedDict):
    """`end`: always the last event."""

    status: Status


class Told(NamedTuple):
    """An event without its place in the log."""

    event: str
    data: Mapping[str, Any]
    part: Mapping[str, Any] | None = (
        None  # {"task", "values" | "update" | "interrupts"}, as the graph said it
    )


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
        self._state: State | None = None
        self._shown = False  # whether an event has carried the state from which the pass begins
        self._questions: tuple[Any, ...] = ()
        self._asking = ""  # id of the task that asks

    def tell(self, part: Mapping[str, Any]) -> Iterator[Told]:
        """Yield the events that `part` gives rise to; the last ones are for `ending`."""
        data = part["data"]
        match part["type"]:
            case "tasks" if "result" not in data:
                yield Told("node", self._start(data["name"]), self._opening(data["id"]))
            case "tasks" if data["interrupts"]:
                self._asking = data["id"]
            case "tasks" if data["error"] is None:
                part = {"task": data["id"], "update": data["result"]}
                yield Told("node", self._finish(data["name"]), part)
            case "custom" if data["type"] == "said":
                self._said.setdefault(data["node"], []).append(data["text"])
                self._pace_from = (0, self._clock())
            case "custom" if data["type"] == "progress":
                yield Told("progress", self._progress(data))
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
            part = {
                "task": self._asking,
                "interrupts": [
                    {"id": q.id, "value": q.value, "response_schema": q.response_schema}
                    for q in self._questions
                ],
            }
            return "interrupted", Told("interrupt", question, part)
        return "success", Told("result", self._result())

    def _opening(self, task: str) -> dict[str, Any]:
        """What the start of a task says; that of the first one, also from which state the pass begins."""
        if self._shown or self._state is None:
            return {"task": task}
        self._shown = True
        return {"task": task, "values": self._state}

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
        state = cast(State, self._state)  # a pass that ended has told its values
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
            versions=state.get("versions", {}),
            elapsed_ms=self._since(self._began),
        )

    def _since(self, moment: float) -> int:
        return round((self._clock() - moment) * 1000)
