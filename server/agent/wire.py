"""From the log of a run to the events of the Agent Server protocol: pure, so a replay says the same again."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from server.agent.values import ASK, GRAPH, question, shown, shown_update
from server.eventlog import Event, Run
from tools.errors import InvalidRequest

RunStatus = Literal["pending", "running", "success", "error", "interrupted"]

STATUS: Mapping[str, RunStatus] = {
    "queued": "pending",
    "running": "running",
    "success": "success",
    "interrupted": "success",  # the run has done its part, the thread waits
    "error": "error",
    "cancelled": "interrupted",
}
ALWAYS = ""  # the mode of what every stream carries
MODES = ("values", "updates", "custom", "messages-tuple", "tasks")  # where nobody chose


class Part(NamedTuple):
    """One event of the protocol, before anybody chose which modes to hear."""

    mode: str
    event: str
    data: Any


class Place(NamedTuple):
    """Where a stream is: one row of the log can make several events. On the wire "12-1"."""

    row: int
    part: int

    def __str__(self) -> str:
        return f"{self.row}-{self.part}"


START = Place(0, 0)


def read_place(last_event_id: str | None, length: int) -> Place:
    """Read a `Last-Event-ID` of a run that has told `length` rows; without one, and with "-1", all is told again.

    Raises `InvalidRequest` (`invalid_last_event_id`).
    """
    if last_event_id in (None, "", "-1"):
        return START
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", str(last_event_id))
    if found is None or int(found[1]) > length:
        raise InvalidRequest(
            f"Last-Event-ID {str(last_event_id)[:40]!r}: send back an id of this run's own events.",
            code="invalid_last_event_id",
        )
    return Place(int(found[1]), int(found[2] or 10**9))


class Translator:
    """Tells one run. It must be given every row, in order, for `values` are the sum of what came before."""

    def __init__(self, run: Run, base_url: str) -> None:
        """`base_url` is that of the server, without a slash at its end."""
        self.run = run
        self._base_url = base_url
        self._state: dict[str, Any] = {}
        self.interrupts: list[dict[str, Any]] = []
        self.fault: dict[str, Any] | None = None  # {"error": code, "message"}

    @property
    def values(self) -> dict[str, Any]:
        """The thread's values, as far as the run has told."""
        return shown(self._state, self._base_url)

    def tell(self, event: Event) -> list[Part]:
        """Return what a row of the log is in the protocol."""
        data = json.loads(event.data)
        said = json.loads(event.part) if event.part else {}
        match event.event:
            case "metadata":
                known = {key: data[key] for key in ("run_id", "attempt")}
                return [Part(ALWAYS, "metadata", known)]
            case "node" if data["status"] == "started":
                return self._start(data["node"], said)
            case "node":
                return self._finish(data, said)
            case "interrupt":
                return self._ask(data, said)
            case "error":
                self.fault = {"error": data["code"], "message": data["message"]}
                return [Part(ALWAYS, "error", self.fault)]
            case "end":
                status = STATUS[data["status"]]
                return [Part(ALWAYS, "end", {"run_id": self.run.run_id, "status": status})]
            case kind:
                return [Part("custom", "custom", {"type": kind, **data})]

    def _start(self, node: str, said: Mapping[str, Any]) -> list[Part]:
        parts = []
        if "values" in said:
            self._state = dict(said["values"])
            parts.append(self._values())
        task = {"id": said.get("task", ""), "name": node, "input": self.values, "triggers": []}
        return [*parts, Part("tasks", "tasks", task)]

    def _finish(self, data: Mapping[str, Any], said: Mapping[str, Any]) -> list[Part]:
        node, update = data["node"], said.get("update", {})
        self._state.update(update)
        result = shown_update(update, self._base_url)
        parts = []
        if data["text"]:
            words = {"type": "said", "node": node, "text": data["text"]}
            parts.append(Part("custom", "custom", words))
        if "replies" in update:
            parts.extend(self._message(node, self.values["messages"][-1]))
        parts.append(Part("updates", "updates", {node: result}))
        parts.append(_done(said, node, result or {}, []))
        parts.append(self._values())
        return parts

    def _ask(self, data: Mapping[str, Any], said: Mapping[str, Any]) -> list[Part]:
        value = {"kind": data["kind"], "candidates": data["candidates"]}
        older = [{"id": data["id"], "value": value, "response_schema": None}]
        self.interrupts = [question(asked) for asked in said.get("interrupts", older)]
        return [
            Part("updates", "updates", {"__interrupt__": self.interrupts}),
            self._values(),
            _done(said, ASK, {}, self.interrupts),
        ]

    def _values(self) -> Part:
        asked = {"__interrupt__": self.interrupts} if self.interrupts else {}
        return Part("values", "values", {**self.values, **asked})

    def _message(self, node: str, message: Mapping[str, Any]) -> Iterable[Part]:
        about = {
            "langgraph_node": node,
            "graph_id": GRAPH,
            "run_id": self.run.run_id,
            "thread_id": self.run.thread_id,
        }
        yield Part("messages-tuple", "messages", [message, about])
        yield Part("messages", "messages/metadata", {message["id"]: {"metadata": about}})
        yield Part("messages", "messages/complete", [message])


def _done(
    said: Mapping[str, Any], node: str, result: Mapping[str, Any], asked: list[dict[str, Any]]
) -> Part:
    task = {
        "id": said.get("task", ""),
        "name": node,
        "error": None,
        "result": result,
        "interrupts": asked,
    }
    return Part("tasks", "tasks", task)
