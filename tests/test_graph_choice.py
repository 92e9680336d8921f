"""How a style is asked for, in the words of a request."""

import pytest
from PIL import Image

from graph.choice import StyleChoice, StyleShare, parse_style, settle
from graph.context import Context
from tools.errors import InvalidRequest, NotFound

OWN = "artifact:" + "1" * 64


@pytest.mark.parametrize("text", ["", "auto", "ask"])
def test_the_graph_may_decide(text: str) -> None:
    assert parse_style(text) is None


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("none", []),
        ("deco", [("deco", 1.0)]),
        ("deco:0.7, ink:0.3", [("deco", 0.7), ("ink", 0.3)]),
        ("deco,ink:.5", [("deco", 1.0), ("ink", 0.5)]),
        (OWN, [(OWN, 1.0)]),
        (f"{OWN}:2,deco:1", [(OWN, 2.0), ("deco", 1.0)]),
    ],
)
def test_styles_are_read(text: str, shares: list[tuple[str, float]]) -> None:
    choice = parse_style(text)
    assert choice is not None
    assert [(share.style, share.weight) for share in choice.styles] == shares


@pytest.mark.parametrize(
    "text",
    [
        " ",
        ",",
        "deco:",
        "deco:-1",
        "deco:0,ink:0",
        "deco:nan",
        "deco:1e9",
        "deco:101",
        "deco ink",
        "a:1:2",
        "artifact:../../etc/passwd:1:2",
        "x" * 81,
        "a,b,c,d,e",
    ],
)
def test_what_is_no_style_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_style(text)
    assert refused.value.code == "invalid_choice"


def choose(**weights: float) -> StyleChoice:
    return StyleChoice(styles=[StyleShare(style=s, weight=w) for s, w in weights.items()])


def test_shares_sum_to_one(context: Context) -> None:
    shares = settle(choose(deco=30, ink=10), context)
    assert shares == [{"style": "deco", "weight": 0.75}, {"style": "ink", "weight": 0.25}]
    assert settle(choose(), context) == []


def test_an_image_of_the_user_is_a_style(context: Context) -> None:
    own = "artifact:" + context.artifacts.put_image(Image.new("RGB", (32, 32), "teal"))
    assert settle(choose(**{own: 2}), context) == [{"style": own, "weight": 1.0}]


@pytest.mark.parametrize(
    ("style", "code"),
    [
        ("decco", "unknown_style"),
        ("../deco", "unknown_style"),
        (OWN, "unknown_artifact"),
        ("artifact:../deco", "unknown_artifact"),
    ],
)
def test_what_does_not_exist_is_refused(context: Context, style: str, code: str) -> None:
    with pytest.raises(NotFound) as refused:
        settle(choose(**{style: 1}), context)
    assert refused.value.code == code


def test_a_style_counts_once(context: Context) -> None:
    twice = StyleChoice(styles=[StyleShare(style="deco"), StyleShare(style="deco")])
    with pytest.raises(InvalidRequest):
        settle(twice, context)
