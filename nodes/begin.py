"""Open a turn."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import Canvas, Enhancement, Said, State, Update


async def begin(state: State, runtime: Runtime[Context]) -> Update:
    """Open a turn: a thread's state outlives it, so forget what the last turn made.

    Reads `message`, `messages`, `message_id`, `message_ids`, `sketches`, `turn`, `styles`, `sketch`; writes every key
    of `Update` but `replies`. The whole turn runs on the release that `versions` names, whatever serves by then.
    """
    turn = state.get("turn", 0) + 1
    before = state.get("messages", [])
    drawn = _padded(state.get("sketches", []), len(before))
    named = _padded(state.get("message_ids", []), len(before))
    name = state.get("message_id")
    if name in named:  # a message without a name leaves that of an earlier one in the state
        name = None
    paper = "on the thread's sketch" if state["sketch"] else "without a sketch"
    runtime.stream_writer(Said(type="said", node="begin", text=f"Message {turn}, {paper}."))
    return {
        "versions": dict(runtime.context.versions),
        "turn": turn,
        "messages": [*before, state["message"]],
        "sketches": [*drawn, state["sketch"]],
        "message_ids": [*named, name],
        "earlier_styles": state.get("styles", []),
        "enhancement": Enhancement(prompt="", negative_prompt="", domain="", source="", reason=""),
        "matches": [],
        "blend": [],
        "reconsider": False,
        "styles": [],
        "style_reason": "",
        "canvas": Canvas(width=0, height=0, box=[]),
        "edge_map": None,
        "attempts": [],
        "best": 0,
        "retry": False,
    }


def _padded(held: list[str | None], length: int) -> list[str | None]:
    """Bring a list up to `length`: a thread may be older than it."""
    return [*[None] * (length - len(held)), *held]
