"""What of a request is listened to, apart from the whole of it."""

import pytest

from styles.passages import MOST, passages


@pytest.mark.parametrize(
    "text",
    [
        "a quiet room",
        "a hotel lobby, but at night",
        "a hotel lobby, but with a red door",
        "no people",
        "not too dark",
        "",
    ],
)
def test_what_sets_itself_apart_from_nothing_is_one_passage(text: str) -> None:
    assert passages(text) == [text]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("like a palace, but made of raw concrete", "made of raw concrete"),
        ("not the glossy future but a muddy one", "a muddy one"),
        ("instead of neon, warm light on oak", "warm light on oak"),
        ("quiet colours on paper, never shiny", "quiet colours on paper"),
    ],
)
def test_what_is_meant_stands_beside_the_whole(text: str, meant: str) -> None:
    assert passages(text) == [text, meant]


def test_every_sentence_of_a_long_brief_is_heard() -> None:
    brief = "We open in May. The walls are raw concrete! Thanks.\nIt rains on neon signs"
    assert passages(brief) == [
        brief,
        "We open in May.",
        "The walls are raw concrete!",
        "It rains on neon signs",
    ]


def test_a_message_of_a_thousand_sentences_is_not_a_thousand_passages() -> None:
    assert len(passages("The walls are grey. " * 1000)) == 1 + MOST
