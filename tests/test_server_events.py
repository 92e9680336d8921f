"""How the stream of a graph becomes events."""

from collections.abc import Iterator
from typing import Any

from server.events import Narrator


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "tasks", "ns": (), "data": {"id": "t", "name": name, **more}}


def done(name: str, error: Exception | None = None, interrupts: list[Any] | None = None) -> Any:
    return task(name, result={}, error=error, interrupts=interrupts or [])


def custom(**data: Any) -> dict[str, Any]:
    return {"type": "custom", "ns": (), "data": data}


def step(number: int, total: int = 10, preview: str | None = None) -> dict[str, Any]:
    return custom(type="progress", node="paint", step=number, total=total, preview=preview)


def told(narrator: Narrator, *parts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for part in parts:
        for event in narrator.tell(part):
            yield event.event, event.data


def test_a_node_says_when_and_what() -> None:
    clock = Clock()
    narrator = Narrator(clock)
    assert list(told(narrator, task("paint"))) == [
        ("node", {"node": "paint", "status": "started", "elapsed_ms": 0, "text": ""})
    ]
    clock.now += 1.5
    said = [custom(type="said", node="paint", text=text) for text in ("A.", "B.", "A.")]
    assert list(told(narrator, *said)) == []
    assert list(told(narrator, done("paint"))) == [
        ("node", {"node": "paint", "status": "finished", "elapsed_ms": 1500, "text": "A. B."})
    ]


def test_a_node_that_asks_or_fails_does_not_finish() -> None:
    narrator = Narrator()
    parts = [task("paint"), done("paint", error=ValueError()), done("paint", interrupts=[{}])]
    assert [data["status"] for _, data in told(narrator, *parts)] == ["started"]


def test_the_eta_is_the_measured_pace() -> None:
    """Waiting and loading before the first step do not count, once there is a second."""
    clock = Clock()
    narrator = Narrator(clock)
    list(told(narrator, task("paint")))
    clock.now += 60
    list(told(narrator, custom(type="said", node="paint", text="Off we go.")))
    etas = []
    for number, pause in [(1, 3.0), (2, 0.5), (3, 0.5), (4, 2.0), (10, 3.0)]:
        clock.now += pause
        ((_, data),) = told(narrator, step(number))
        etas.append(data["eta_ms"])
    assert etas == [27_000, 4_000, 3_500, 6_000, 0]


def test_a_preview_has_an_address() -> None:
    narrator = Narrator()
    list(told(narrator, task("paint")))
    urls = [d["preview_url"] for _, d in told(narrator, step(1), step(2, preview="abc"))]
    assert urls == [None, "/artifacts/abc"]


def test_a_step_again_after_a_fault_is_no_fault() -> None:
    narrator = Narrator()
    parts = [task("paint"), step(1), step(2), step(1), step(2)]
    assert [d["step"] for name, d in told(narrator, *parts) if name == "progress"] == [1, 2, 1, 2]
