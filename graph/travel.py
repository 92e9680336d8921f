"""Going back: from which node a thread goes on when something about an earlier moment shall be otherwise."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

ORDER = (  # of the nodes of a pass
    "begin",
    "enhance_prompt",
    "retrieve_styles",
    "choose_style",
    "extract_edges",
    "generate_image",
    "critique",
)
READ_FIRST_BY = {
    "style": "retrieve_styles",
    "size": "extract_edges",
    "seed": "generate_image",
    "steps": "generate_image",
}
UNTRIED = {"attempts": [], "best": 0, "retry": False}  # a render that is made anew


def rewind(
    changes: Mapping[str, Any], following: Sequence[str]
) -> tuple[dict[str, Any], str | None]:
    """Return what to write at a checkpoint that `following` nodes come after, and the node to write it as.

    As the checkpoint's own where nobody has read yet what changes. Otherwise the pass goes on with the first
    node that reads it. Keys of `changes` that no node reads by itself change nothing else.
    """
    first = _first(changes)
    if first is None or (following and ORDER.index(following[0]) <= ORDER.index(first)):
        return dict(changes), writer(following)
    return {**UNTRIED, **changes}, ORDER[ORDER.index(first) - 1]


def writer(following: Sequence[str]) -> str | None:
    """Return the node whose turn it was before `following` ones; None: nobody's yet.

    LangGraph's own guess is the node that ran last, which is another one where a change has been written before.
    """
    place = ORDER.index(following[0]) if following else len(ORDER)
    return ORDER[place - 1] if place else None


def _first(keys: Collection[str]) -> str | None:
    nodes = [READ_FIRST_BY[key] for key in keys if key in READ_FIRST_BY]
    return min(nodes, key=ORDER.index, default=None)
