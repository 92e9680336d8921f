"""The weight of words that are shared, worked out by hand."""

import math

import pytest

from styles.overlap import FEW, SharedWords

GROUPS = [["raw concrete walls", "grey light"], ["neon light"], ["gold light"], []]


def test_rare_words_count_more_and_nothing_is_shared_twice() -> None:
    shares = SharedWords(GROUPS).shares("Concrete, concrete in raw, grey LIGHT on walls")
    rare, common = math.log(4 / 1), math.log(4 / 3)
    whole = 4 * rare + common
    assert shares.tolist() == pytest.approx([1, common / whole, common / whole, 0])


def test_a_word_that_nobody_has_takes_its_part() -> None:
    shares = SharedWords(GROUPS).shares("neon xylophone, brass, marble")
    assert shares[1] == pytest.approx(0.25)


def test_the_only_word_of_a_short_text_says_little() -> None:
    assert SharedWords(GROUPS).shares("neon")[1] == pytest.approx(1 / FEW)


def test_endings_do_not_part_words() -> None:
    said = SharedWords(GROUPS).shares("light, wall")
    assert SharedWords(GROUPS).shares("lights, walls").tolist() == said.tolist()
    assert said[0] > said[1] > 0


@pytest.mark.parametrize("text", ["", "the of and", "?!"])
def test_words_that_say_nothing_share_nothing(text: str) -> None:
    assert SharedWords(GROUPS).shares(text).tolist() == [0, 0, 0, 0]


def test_no_group_is_no_error() -> None:
    assert SharedWords([]).shares("neon").tolist() == []
