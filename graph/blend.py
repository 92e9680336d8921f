"""What the chosen styles bring to a render: their references as something sees them, and words."""

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from graph.choice import OWN_REFERENCE
from graph.context import Context
from graph.state import StyleWeight

T = TypeVar("T")

# By the id of who sees, never by who it is: models must not stay in memory because of what they have seen.
_SEEN: dict[int, dict[tuple[str, Path], tuple[int, Any]]] = {}


def style_views(
    styles: list[StyleWeight], see: Callable[[Image.Image], T], context: Context
) -> list[tuple[T, float]]:
    """Return what `see` makes of every reference (RGB), each with its part of its style's share.

    Blocking. What it makes of the library's references is remembered. Raises `NotFound` for a style
    or an image that is no longer there.
    """
    views: list[tuple[T, float]] = []
    for chosen in styles:
        if chosen["style"].startswith(OWN_REFERENCE):
            own = context.artifacts.image(chosen["style"].removeprefix(OWN_REFERENCE))
            seen = [see(own.convert("RGB"))]
        else:
            paths = context.catalog.get(chosen["style"]).references
            seen = [_see_file(see, path) for path in paths]
        views.extend((view, chosen["weight"] / len(seen)) for view in seen)
    return views


def style_words(styles: list[StyleWeight], context: Context) -> str:
    """Return the fragment "..., {prompt}, ..." of the heaviest style; own images have none."""
    named = [share for share in styles if not share["style"].startswith(OWN_REFERENCE)]
    if not named:
        return "{prompt}"
    return context.catalog.get(max(named, key=lambda share: share["weight"])["style"]).prompt


def _see_file(see: Callable[[Image.Image], Any], path: Path) -> Any:
    """What `see` makes of a reference, remembered until the file changes or who sees is gone."""
    owner = getattr(see, "__self__", see)
    if id(owner) not in _SEEN:
        _SEEN[id(owner)] = {}
        weakref.finalize(owner, _SEEN.pop, id(owner), None).atexit = False
    memory, key = _SEEN[id(owner)], (see.__name__, path)
    modified = path.stat().st_mtime_ns
    if key not in memory or memory[key][0] != modified:
        with Image.open(path) as image:
            memory[key] = modified, see(image.convert("RGB"))
    return memory[key][1]
