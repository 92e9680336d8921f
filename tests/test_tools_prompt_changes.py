"""A follow-up changes a thing where it stands: another thing, another number, colour, material or size."""

import pytest

from tools.prompt_rules import resolve

CHANGES = [  # what was said, the follow-up, what is wished for then
    ("a street with two trees", "five trees instead of two", "a street with five trees"),
    ("a street with two trees", "five trees instead", "a street with five trees"),
    ("two tall trees at night", "make it five trees", "five tall trees at night"),
    ("a harbour with three boats", "only one boat", "a harbour with one boat"),
    ("a harbour with 3 boats", "make it four", "a harbour with four boats"),
    ("a knight on a white horse", "replace the horse with a dragon", "a knight on a dragon"),
    ("a knight on a white horse", "a dragon instead of the horse", "a knight on a dragon"),
    ("a knight on a white horse", "instead of the horse, draw a dragon", "a knight on a dragon"),
    ("a room with a wooden chair", "swap the chair for a sofa", "a room with a sofa"),
    ("a vase of roses", "exchange the roses for tulips, at dusk", "a vase of tulips, at dusk"),
    ("a vase of roses", "substitute tulips for the roses", "a vase of tulips"),
    ("a house by the lake", "turn it into a castle", "a castle by the lake"),
    ("a dog on a beach", "a cat instead", "a cat on a beach"),
    ("a house with a blue roof", "make the roof red", "a house with a red roof"),
    ("a house with a blue roof", "red roof", "a house with a red roof"),
    ("a house with a blue roof", "can you paint the roof red?", "a house with a red roof"),
    (
        "a house with a dark blue tiled roof",
        "the roof should be red",
        "a house with a red tiled roof",
    ),
    ("a house with a blue roof", "change the roof from blue to red", "a house with a red roof"),
    ("a house with an orange roof", "the roof must be blue", "a house with a blue roof"),
    ("a house with a blue roof", "not blue but red", "a house with a red roof"),
    ("a house whose roof is blue", "make the roof red", "a house whose roof is red"),
    ("a table with a marble top", "make the top wooden", "a table with a wooden top"),
    ("a blue chair in a room at night", "a red chair", "a red chair in a room at night"),
    ("a red car in a garden", "make it blue", "a blue car in a garden"),
    ("a kitchen with small windows", "big windows", "a kitchen with big windows"),
    ("a man with a black hat", "give him a red hat", "a man with a red hat"),
    ("a square by day", "switch from day to night", "a square by night"),
]
INNOCENT = [  # changes nothing of what was said
    ("a house with two windows", "more windows", "a house with two windows, more windows"),
    ("a house with a blue roof", "add a red chimney", "a house with a blue roof, a red chimney"),
    ("a house with two trees", "add three trees", "a house with two trees, three trees"),
    ("a red car", "another red car", "a red car, another red car"),
    ("a garden shed", "red roof", "a garden shed, red roof"),
    ("a garden shed", "replace the garden with a lawn", "a garden shed, a lawn"),
    ("a house with a blue roof", "a fox in the snow", "a fox in the snow"),
    ("a brown fox by a lake", "a red fox, a snowy forest", "a red fox, a snowy forest"),
    ("a tower", "a taller tower", "a tower, a taller tower"),
    ("a lobby", "change the lighting to warm", "a lobby, warm lighting"),
    ("a house", "change the style to gothic", "a house, gothic"),
    ("a white castle", "at night", "a white castle, at night"),
    ("a house by a lake", "could you move it to the hills", None),
]


@pytest.mark.parametrize(("before", "message", "after"), CHANGES)
def test_the_new_takes_the_place_of_the_old(before: str, message: str, after: str) -> None:
    wish = resolve([before, message])
    assert wish.text == after
    assert wish.replaced


@pytest.mark.parametrize(("before", "message", "after"), INNOCENT)
def test_what_names_nothing_that_is_there_takes_nothing_away(
    before: str, message: str, after: str | None
) -> None:
    text = resolve([before, message]).text
    assert text == after or (after is None and text.startswith(before))


def test_a_change_of_a_change() -> None:
    messages = ["a house with a blue roof", "make the roof red", "add a fence", "green roof"]
    assert resolve(messages).text == "a house with a green roof, a fence"


def test_a_thing_refused_before_may_take_the_place_of_another() -> None:
    wish = resolve(["a cat on a sofa", "no dogs", "replace the cat with a dog"])
    assert (wish.text, wish.unwanted) == ("a dog on a sofa", ())
