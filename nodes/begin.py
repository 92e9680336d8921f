"""Open a turn."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import Canvas, Enhancement, Said, State, Update


async def begin(state: State, runtime: Runtime[Context]) -> Update:
    """Open a turn: a thread's state outlives it, so forget what the last turn made.

    Reads `message`, `messages`, `turn`, `styles`, `sketch`; writes every key of `Update`.
    """
    turn = state.get("turn", 0) + 1
    paper = "on the thread's sketch" if state["sketch"] else "without a sketch"
    runtime.stream_writer(Said(type="said", node="begin", text=f"Message {turn}, {paper}."))
    return {
        "turn": turn,
        "messages": [*state.get("messages", []), state["message"]],
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
