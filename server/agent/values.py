"""What of the graph's state the protocol shows, and the thread's messages as LangChain writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from graph.state import Reply
from server.events import artifact_url

GRAPH = "artisan"
ASK = "choose_style"  # the node that asks
SHOWN = (
    "versions",
    "turn",
    "style",
    "seed",
    "steps",
    "size",
    "profile",
    "sketch",
    "enhancement",
    "matches",
    "styles",
    "style_reason",
    "canvas",
    "edge_map",
    "attempts",
    "best",
)


def shown(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `values` of a state; those of an empty one are empty."""
    if not state:
        return {}
    return {"messages": messages(state), **{key: state[key] for key in SHOWN if key in state}}


def shown_update(update: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a node changed: of the messages, the one that it added; None where nothing shows."""
    added: list[dict[str, Any]] = []
    if "messages" in update:
        added = messages(update)[-1:]
    elif "replies" in update:
        added = [_answer(update["replies"][-1])]
    values = {key: update[key] for key in SHOWN if key in update}
    return {**({"messages": added} if added else {}), **values} or None


def messages(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the conversation, oldest first; a turn keeps the ids of its two messages.

    A sketch stands with the message that brought it.
    """
    replies = {reply["turn"]: reply for reply in state.get("replies", [])}
    texts: Sequence[str] = state.get("messages", [])
    sketches = state.get("sketches", [])
    sketches = [*[None] * (len(texts) - len(sketches)), *sketches]
    told, before = [], None
    for turn, (text, sketch) in enumerate(zip(texts, sketches, strict=False), start=1):
        told.append(_message(turn, text, sketch if sketch != before else None))
        before = sketch
        if turn in replies:
            told.append(_answer(replies[turn]))
    return told


def question(interrupt: Mapping[str, Any]) -> dict[str, Any]:
    """Return an interrupt with what review UIs need to show buttons: the best style is what they approve."""
    value = interrupt["value"]
    candidates = value["candidates"]
    best = candidates[0]["style"] if candidates else "none"
    offered = [f"- `{match['style']}`: {match['name']}, {match['reason']}" for match in candidates]
    request = {
        "name": ASK,
        "args": {"style_id": best},
        "description": "\n".join(["Which style shall the picture have?", *offered]),
    }
    review = {"action_name": ASK, "allowed_decisions": ["approve", "edit", "reject"]}
    return {
        **interrupt,
        "value": {**value, "action_requests": [request], "review_configs": [review]},
    }


def _message(turn: int, text: str, sketch: str | None) -> dict[str, Any]:
    return {
        "type": "human",
        "id": f"turn-{turn}-human",
        "name": None,
        "content": [_text(text), _image(sketch)] if sketch else text,
        "additional_kwargs": {},
        "response_metadata": {},
    }


def _answer(reply: Reply) -> dict[str, Any]:
    return {
        "type": "ai",
        "id": f"turn-{reply['turn']}-ai",
        "name": None,
        "content": [_text(reply["text"]), _image(reply["image"])],
        "additional_kwargs": {},
        "response_metadata": {"width": reply["width"], "height": reply["height"]},
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
    }


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _image(artifact_id: str) -> dict[str, str]:
    return {"type": "image", "url": artifact_url(artifact_id), "mime_type": "image/png"}
