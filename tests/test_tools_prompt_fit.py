"""A long ramble keeps what shows something, also from its end."""

import pytest

from tools.prompt_fit import condense
from tools.prompt_words import count_tokens, words

RAMBLES = [  # what is told, things that must stay, talk that must go
    (
        (
            "So I have been thinking a lot lately about what to hang over my desk and my brother said that "
            "I should just ask you, so anyway what I would love is an old lighthouse on a cliff, you know "
            "the kind, and if it is not too much trouble the door must be red and there is a storm coming"
        ),
        ["lighthouse", "cliff", "door", "red", "storm"],
        ["brother"],
    ),
    (
        (
            "okay so imagine this we went to the seaside last summer and my uncle told us stories all day, "
            "and since then I keep wanting a picture of a small wooden boat in a harbour with yellow nets "
            "and, this matters a lot to me, seagulls on the mast and a full moon"
        ),
        ["boat", "harbour", "nets", "seagulls", "mast", "moon"],
        ["uncle", "stories"],
    ),
    (
        (
            "a kitchen with copper pots, really really really warm and homely, the sort of place where you "
            "would want to spend the whole long weekend doing nothing at all but baking and talking to "
            "people whom you like, with blue tiles, a stone floor, and a black cat on the windowsill"
        ),
        ["kitchen", "copper", "tiles", "floor", "cat"],
        ["people"],
    ),
]


@pytest.mark.parametrize(("text", "things", "talk"), RAMBLES)
def test_what_shows_something_stays_from_beginning_to_end(
    text: str, things: list[str], talk: list[str]
) -> None:
    short = condense(text, 32, count_tokens)
    said = {word.text for word in words(short)}
    assert count_tokens(short) <= 32
    assert set(things) <= said
    assert not set(talk) & said


def test_a_text_that_fits_is_not_touched() -> None:
    text = "so, I was thinking: a house, a house"
    assert condense(text, 20, count_tokens) == text


def test_the_subject_stays_when_hardly_anything_fits() -> None:
    text = "in the golden light of dusk and snow, with marble and brass and glass, a fox"
    assert "fox" in condense(text, 4, count_tokens)


def test_where_no_piece_fits_the_beginning_stays() -> None:
    assert (
        condense("extraordinarily incomprehensible ramblings", 1, count_tokens) == "extraordinarily"
    )
    assert condense("", 0, count_tokens) == condense("...", 0, count_tokens) == ""
