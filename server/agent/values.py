"""What of the graph's state the protocol shows, and the thread's messages as LangChain writes them.

An image block's address is whole, behind `base_url` (that of the server, no slash at its end): pages of other hosts and
programs follow it as it stands.
"""

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


def shown(state: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """Return the `values` of a state; those of an empty one are empty."""
    if not state:
        return {}
    values = {key: state[key] for key in SHOWN if key in state}
    return {"messages": messages(state, base_url), **values}


def shown_update(update: Mapping[str, Any], base_url: str) -> dict[str, Any] | None:
    """Return what a node changed: of the messages, the one that it added; None where nothing shows."""
    added: list[dict[str, Any]] = []
    if "messages" in update:
        added = messages(update, base_url)[-1:]
    elif "replies" in update:
        added = [_answer(update["replies"][-1], base_url)]
    values = {key: update[key] for key in SHOWN if key in update}
    return {**({"messages": added} if added else {}), **values} or None


def messages(state: Mapping[str, Any], base_url: str) -> list[dict[str, Any]]:
    """Return the conversation, oldest first; a turn keeps the ids of its two messages, the person's as it was sent.

    A sketch stands with the message that brought it.
    """
    replies = {reply["turn"]: reply for reply in state.get("replies", [])}
    texts: Sequence[str] = state.get("messages", [])
    sketches = state.get("sketches", [])
    sketches = [*[None] * (len(texts) - len(sketches)), *sketches]
    ids = state.get("message_ids", [])
    ids = [*[None] * (len(texts) - len(ids)), *ids]
    told, before = [], None
    for turn, (text, sketch) in enumerate(zip(texts, sketches, strict=False), start=1):
        new = sketch if sketch != before else None
        content: str | list[dict[str, str]]
        content = [_text(text), _image(new, base_url)] if new else text
        told.append(_message(ids[turn - 1] or f"turn-{turn}-human", content))
        before = sketch
        if turn in replies:
            told.append(_answer(replies[turn], base_url))
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


def _message(message_id: str, content: str | list[dict[str, str]]) -> dict[str, Any]:
    return {
        "type": "human",
        "id": message_id,
        "name": None,
        "content": content,
        "additional_kwargs": {},
        "response_metadata": {},
    }


def _answer(reply: Reply, base_url: str) -> dict[str, Any]:
    return {
        "type": "ai",
        "id": f"turn-{reply['turn']}-ai",
        "name": None,
        "content": [_text(reply["text"]), _image(reply["image"], base_url)],
        "additional_kwargs": {},
        "response_metadata": {"width": reply["width"], "height": reply["height"]},
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": None,
    }


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def _image(artifact_id: str, base_url: str) -> dict[str, str]:
    url = base_url + artifact_url(artifact_id)
    return {"type": "image", "url": url, "mime_type": "image/png"}
