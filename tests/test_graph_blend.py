"""What the chosen styles bring to a render."""

import os

import pytest
from PIL import Image

from graph.blend import style_views, style_words
from graph.context import Context
from graph.state import StyleWeight
from tools.errors import NotFound


class Eye:
    """Sees the colour of the first pixel, and counts how often it looks."""

    looks = 0

    def see(self, image: Image.Image) -> object:
        assert image.mode == "RGB"
        self.looks += 1
        return image.getpixel((0, 0))


def share(style: str, weight: float) -> StyleWeight:
    return StyleWeight(style=style, weight=weight)


def test_every_reference_has_its_part_of_the_share(context: Context) -> None:
    own = context.artifacts.put_image(Image.new("RGBA", (20, 20), (0, 128, 128, 255)))
    views = style_views([share("ink", 0.4), share(f"artifact:{own}", 0.6)], Eye().see, context)
    assert views == [((48, 48, 48), 0.2), ((48, 48, 48), 0.2), ((0, 128, 128), 0.6)]
    assert style_views([], Eye().see, context) == []


def test_a_reference_is_looked_at_once_until_it_changes(context: Context) -> None:
    eye = Eye()
    for _ in range(2):
        style_views([share("ink", 1.0)], eye.see, context)
    assert eye.looks == 2
    changed = context.catalog.get("ink").references[0]
    Image.new("RGB", (32, 32), "white").save(changed)
    os.utime(changed, ns=(0, 1))
    views = style_views([share("ink", 1.0)], eye.see, context)
    assert [view for view, _ in views] == [(255, 255, 255), (48, 48, 48)]
    assert eye.looks == 3


@pytest.mark.parametrize("style", ["no-such-style", "artifact:" + "0" * 64])
def test_what_has_gone_is_named(context: Context, style: str) -> None:
    with pytest.raises(NotFound):
        style_views([share(style, 1.0)], Eye().see, context)


def test_the_heaviest_style_brings_the_words(context: Context) -> None:
    own = "artifact:" + "0" * 64
    assert style_words([share("ink", 0.3), share("deco", 0.7)], context) == "{prompt}, deco style"
    assert style_words([share(own, 0.9), share("ink", 0.1)], context) == "{prompt}, ink style"
    assert style_words([share(own, 1.0)], context) == "{prompt}"
    assert style_words([], context) == "{prompt}"
