"""What the chosen styles bring to a render: their references as something sees them, and words."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from graph.choice import OWN_REFERENCE
from graph.context import Context
from graph.state import StyleWeight

T = TypeVar("T")


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
            seen = [_see_file(see, path, path.stat().st_mtime_ns) for path in paths]
        views.extend((view, chosen["weight"] / len(seen)) for view in seen)
    return views


def style_words(styles: list[StyleWeight], context: Context) -> str:
    """Return the fragment "..., {prompt}, ..." of the heaviest style; own images have none."""
    named = [share for share in styles if not share["style"].startswith(OWN_REFERENCE)]
    if not named:
        return "{prompt}"
    return context.catalog.get(max(named, key=lambda share: share["weight"])["style"]).prompt


@lru_cache(maxsize=1024)
def _see_file(see: Callable[[Image.Image], Any], path: Path, _modified_ns: int) -> Any:
    with Image.open(path) as image:
        return see(image.convert("RGB"))
