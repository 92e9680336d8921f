"""What a message says about the style as such."""

import pytest

from tools.prompt_rules import resolve
from tools.prompt_style import asks_for_another, mix


@pytest.mark.parametrize(
    "message",
    [
        *("other style", "another style please", "something different", "show me other styles"),
        *("can we try a different look?", "in a completely different style", "new style, at night"),
        *("I don't like this style", "change the style", "let's try something else"),
        *("now the same picture in some other style", "at night, in another style"),
        *("not this look please", "a different aesthetic, warmer", "another style: watercolour"),
    ],
)
def test_asks_for_another_style(message: str) -> None:
    assert asks_for_another(message)
    text = resolve(["a castle on a hill", message]).text
    assert text.startswith("a castle on a hill")
    assert not {"style", "look", "different", "other", "another"} & set(text.split())


@pytest.mark.parametrize(
    "message",
    [
        *("change the style to gothic", "add something new to the sky", "a castle of another time"),
        *("the other door is red", "a sign that says new look", "make it look different"),
        *("keep the style", "different colours", "art deco style", "I like this style"),
        *("look at the other side", "a next door neighbour", "something red", "warmer"),
    ],
)
def test_asks_for_no_other_style(message: str) -> None:
    assert not asks_for_another(message)


@pytest.mark.parametrize(
    ("message", "looks", "first"),
    [
        ("half art deco and half gothic", ["art deco", "gothic"], 0.5),
        ("a lobby that is half art deco, half gothic, at night", ["art deco", "gothic"], 0.5),
        ("70% japandi and 30% brutalist, a teapot", ["japandi", "brutalist"], 0.7),
        ("a mix of watercolour and pixel art", ["watercolour", "pixel art"], 0.5),
        ("mix vaporwave with ukiyo-e", ["vaporwave", "ukiyo-e"], 0.5),
        ("somewhere between film noir and pop art", ["film noir", "pop art"], 0.5),
        ("mostly nordic with a touch of industrial", ["nordic", "industrial"], 0.8),
        ("art deco meets cyberpunk", ["art deco", "cyberpunk"], 0.5),
        ("a cross between stained glass and low poly", ["stained glass", "low poly"], 0.5),
        ("gothic crossed with art nouveau, a chapel", ["gothic", "art nouveau"], 0.5),
        ("equal parts japandi and gothic", ["japandi", "gothic"], 0.5),
    ],
)
def test_a_mix_is_read_with_its_shares(message: str, looks: list[str], first: float) -> None:
    found = mix(message)
    assert [look for look, _ in found] == looks
    assert [share for _, share in found] == pytest.approx([first, 1 - first])


@pytest.mark.parametrize(
    "message",
    [
        *("half a lemon on a plate", "a half timbered house and a barn", "a cat and a dog"),
        *("a room with 50% more light", "a crossing between two streets", "a mixed forest"),
        *("art deco lobby with gothic windows", "a house in a forest and a lake"),
        *("a centaur, half man, half horse", "a cross between a cat and an owl"),
        'a sign that says "half price and half closed"',
    ],
)
def test_no_mix(message: str) -> None:
    assert mix(message) == []
