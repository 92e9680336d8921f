"""Open a turn."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import Canvas, Enhancement, Said, State, Update


async def begin(state: State, runtime: Runtime[Context]) -> Update:
    """Open a turn: a thread's state outlives it, so forget what the last turn made.

    Reads `message`, `messages`, `sketches`, `turn`, `styles`, `sketch`; writes every key of `Update` but `replies`. The
    whole turn runs on the release that `versions` names, whatever serves by then.
    """
    turn = state.get("turn", 0) + 1
    before = state.get("messages", [])
    drawn = state.get("sketches", [])
    drawn = [*[None] * (len(before) - len(drawn)), *drawn]  # a thread from before there were any
    paper = "on the thread's sketch" if state["sketch"] else "without a sketch"
    runtime.stream_writer(Said(type="said", node="begin", text=f"Message {turn}, {paper}."))
    return {
        "versions": dict(runtime.context.versions),
        "turn": turn,
        "messages": [*before, state["message"]],
        "sketches": [*drawn, state["sketch"]],
        "earlier_styles": state.get("styles", []),
        "enhancement": Enhancement(prompt="", negative_prompt="", domain="", source="", reason=""),
        "matches": [],
        "styles": [],
        "style_reason": "",
        "canvas": Canvas(width=0, height=0, box=[]),
        "edge_map": None,
        "attempts": [],
        "best": 0,
        "retry": False,
    }
