"""From the log of a run to the events of the thread-centric protocol: pure, like `server.agent.wire` below it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from server.agent.values import GRAPH
from server.agent.wire import ALWAYS, Part, Translator
from server.eventlog import Event, Run

NAMED = "custom:"  # channels of one kind of custom events
CHANNELS = (
    "values",
    "updates",
    "messages",
    "tools",
    "lifecycle",
    "input",
    "checkpoints",
    "tasks",
    "custom",
)
RUN_BITS, ROW_BITS = 20, 6  # of a sequence number; 2**33 runs stay below what JavaScript can count


class Said(NamedTuple):
    """One event, and its place among all of its thread."""

    seq: int
    event_id: str
    method: str
    channel: str
    data: Any


def first_seq(number: int) -> int:
    """The sequence number before the first event of the run `number` of the log."""
    return number << RUN_BITS


def seq_of(number: int, row: int, place: int) -> int:
    """The sequence number of one event of a row of the run `number`."""
    return first_seq(number) + (row << ROW_BITS) + place


class Teller:
    """Tells one run to its thread. It must be given every row, in order."""

    def __init__(self, number: int, run: Run, base_url: str) -> None:
        """`number` is the run's own in the log, `base_url` the server's."""
        self._number = number
        self.run = run
        self._translator = Translator(run, base_url)
        self._running = False
        self._timestamp = round(datetime.fromisoformat(run.created_at).timestamp() * 1000)

    def tell(self, event: Event) -> Iterator[Said]:
        """Yield what a row of the log is on the channels of its thread."""
        said = (each for part in self._translator.tell(event) for each in self._events(part))
        for place, (method, channel, data) in enumerate(said, start=1):
            event_id = f"{self.run.run_id}:{event.id}-{place}"
            seq = seq_of(self._number, event.id, place)
            yield Said(seq, event_id, method, channel, data)

    def envelope(self, said: Said) -> dict[str, Any]:
        """Return an event as it goes over the wire; its time is that of its run's beginning."""
        return {
            "type": "event",
            "event_id": said.event_id,
            "seq": said.seq,
            "method": said.method,
            "params": {"namespace": [], "timestamp": self._timestamp, "data": said.data},
        }

    def _events(self, part: Part) -> Iterator[tuple[str, str, Any]]:
        waits = part.mode == "custom" and part.data["type"] == "queue"
        if part.mode != ALWAYS and not self._running and not waits:
            self._running = True
            yield _lifecycle("running")
        match part:
            case Part("updates", _, {"__interrupt__": interrupts}):
                for asked in interrupts:
                    data = {
                        "interrupt_id": asked["id"],
                        "payload": asked["value"],
                        "value": asked["value"],  # where the Python client looks
                        "response_schema": asked["response_schema"],
                    }
                    yield "input.requested", "input", data
            case Part("values", _, values):
                shown = {key: value for key, value in values.items() if key != "__interrupt__"}
                yield "values", "values", shown
            case Part("updates" | "tasks" as mode, _, data):
                yield mode, mode, data
            case Part("custom", _, {"type": kind, **payload}):
                yield "custom", f"{NAMED}{kind}", {"name": kind, "payload": payload}
            case Part("messages-tuple", _, [message, about]):
                for data in _message(message, about):
                    yield "messages", "messages", data
            case Part(_, "end", _):
                yield self._ending(part.data["status"])

    def _ending(self, status: str) -> tuple[str, str, Any]:
        if self._translator.interrupts:
            return _lifecycle("interrupted")
        if status == "success":
            return _lifecycle("completed")
        fault = self._translator.fault or {"message": "The run was cancelled."}
        return _lifecycle("failed", error=fault["message"])


def hears(channels: list[str], channel: str) -> bool:
    """Whether who listens to `channels` hears what is said on `channel`."""
    return channel in channels or (channel.startswith(NAMED) and "custom" in channels)


def _lifecycle(event: str, **more: str) -> tuple[str, str, Any]:
    return "lifecycle", "lifecycle", {"event": event, "graph_name": GRAPH, **more}


def _message(message: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"event": "message-start", "role": "ai", "id": message["id"], "metadata": about}
    for index, block in enumerate(message["content"]):
        empty = {**block, "text": ""} if block["type"] == "text" else block
        yield {"event": "content-block-start", "index": index, "content": empty}
        if block["type"] == "text":
            delta = {"type": "text-delta", "text": block["text"]}
            yield {"event": "content-block-delta", "index": index, "delta": delta}
        yield {"event": "content-block-finish", "index": index, "content": block}
    yield {"event": "message-finish"}
