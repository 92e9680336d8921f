"""What a person does not want leaves the prompt and leads the negative one; what only sounds so stays."""

import pytest
from conftest import RULES

from tools.prompt_refusals import lettering, negations
from tools.prompt_rules import resolve
from tools.prompt_words import words
from tools.prompts import PromptBrief, RulePromptWriter

REFUSED = [  # message, what is left of it, what is refused
    ("a quiet street with no people or cars", "a quiet street", ["people", "cars"]),
    ("a beach without umbrellas and with palm trees", "a beach with palm trees", ["umbrellas"]),
    ("a street with no cars but lots of bikes", "a street with lots of bikes", ["cars"]),
    (
        "a living room without a television, morning light",
        "a living room, morning light",
        ["television"],
    ),
    ("an old harbour, no boats at all", "an old harbour", ["boats"]),
    ("a meadow with no clouds in the sky", "a meadow", ["clouds"]),
    ("a town square with nobody in it", "a town square", ["people"]),
    ("a train station, no one around, at night", "a train station, at night", ["people"]),
    ("a desert free of plants", "a desert", ["plants"]),
    ("a forest with neither animals nor people", "a forest", ["animals", "people"]),
    ("a lobby without chandeliers, plants, or rugs", "a lobby", ["chandeliers", "plants", "rugs"]),
    ("a courtyard with no sign of life", "a courtyard", ["life"]),
    ("a house without any kind of fence around it", "a house", ["fence"]),
    ("please avoid logos, a poster of a fox", "a poster of a fox", ["logos"]),
    ("a kitchen with plants instead of cabinets", "a kitchen with plants", ["cabinets"]),
    ("a red barn without doors in the snow", "a red barn in the snow", ["doors"]),
    ("bedroom, no pillows and blankets", "bedroom", ["pillows", "blankets"]),
    ("a park, no benches and sunshine", "a park, sunshine", ["benches"]),
    ("a skyline that doesn't have any towers", "a skyline", ["towers"]),
]
INNOCENT = [
    "no man's land at dawn",
    "a no-nonsense office",
    "a sign that says no entry",
    'a "no parking" sign on a brick wall',
    "a boat called No Worries",
    "a hut not far from the sea",
    "not only a castle but also a moat",
    "a never-ending corridor",
    "no more than three trees",
    "a tower no taller than the trees",
    "without a doubt the best treehouse",
    "a drop of water on a leaf",
    "hide and seek in a garden",
    'a poster with the words "without you"',
    "No. 10 Downing street",
    "a hotel, whether or not it rains",
    "the Neverland island",
    "a path to nowhere",
]


@pytest.mark.parametrize(("message", "left", "refused"), REFUSED)
async def test_what_is_refused_at_once_is_in_the_negative_prompt_alone(
    message: str, left: str, refused: list[str]
) -> None:
    assert resolve([message]).text == left
    draft = await RulePromptWriter(RULES).write(PromptBrief(message, takes_negative=True))
    assert draft.prompt.startswith(left)
    assert draft.negative_prompt.startswith(", ".join(refused))


@pytest.mark.parametrize("message", INNOCENT)
def test_what_only_sounds_like_a_refusal_stays_as_it_is(message: str) -> None:
    assert negations(message) == []
    assert resolve([message]).text == message


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("get rid of the tower", "street with a dog, at dusk"),
        ("leave out the dog", "street with a tower, at dusk"),
        ("drop the dog please", "street with a tower, at dusk"),
        ("lose the tower and add a lamp", "street with a dog, at dusk, a lamp"),
        ("I don't want to see any dogs", "street with a tower, at dusk"),
        ("not at dusk", "street with a tower and a dog"),
    ],
)
def test_a_follow_up_takes_things_away(message: str, left: str) -> None:
    assert resolve(["street with a tower and a dog, at dusk", message]).text == left


def test_a_refusal_alone_is_remembered_for_the_description_that_follows() -> None:
    wish = resolve(["no people", "a street"])
    assert (wish.text, wish.unwanted) == ("a street", ("people",))


def test_a_number_that_is_refused_is_nothing_that_could_be_seen() -> None:
    assert resolve(["five trees instead of two"]).unwanted == ()


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ('a "red door" sign', "red door"),
        ("a shop labelled gin palace in a street", "gin palace"),
        ("\u2018no exit\u2019 over a door", "no exit"),
        ("the king's dog's bowl", ""),
        ("a sign that reads stay without shoes, at night", "stay without shoes"),
    ],
)
def test_lettering_is_what_is_quoted_or_said_by_a_sign(text: str, letters: str) -> None:
    said = words(text)
    assert " ".join(said[i].text for i in sorted(lettering(text))) == letters


def test_a_long_list_is_read_to_its_end() -> None:
    assert len(negations("no a of b or c, " * 100)) == 200
    assert negations("no " * 300) == []
