"""Whose words decide: the new message's, or the thread's."""

from typing import Any

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import StyleWeight, Update
from nodes.retrieve_styles import retrieve_styles

INK = [StyleWeight(style="ink", weight=1.0)]


async def retrieve(
    context: Context, *messages: str, style: str = "", earlier: list[StyleWeight] | None = None
) -> tuple[Update, str]:
    """Run the node alone; what it writes and what it says."""
    said: list[Any] = []
    state: Any = {
        "messages": list(messages),
        "style": style,
        "earlier_styles": earlier or [],
        "profile": "starter",
    }
    runtime = Runtime(context=context, stream_writer=said.append)
    update = await retrieve_styles(state, runtime)
    (line,) = said
    return update, line["text"]


async def test_matches_come_best_first_with_their_bands(context: Context) -> None:
    update, said = await retrieve(context, "neon city and one brush")
    assert [(match["style"], match["band"]) for match in update["matches"]] == [
        ("neon", "strong"),
        ("ink", "possible"),
        ("deco", "weak"),
    ]
    assert "Neon (strong" in said
    assert "Ink (possible" in said
    assert "Deco" not in said


async def test_the_new_words_come_first(context: Context) -> None:
    update, _ = await retrieve(context, "neon city", "now a gold lobby", earlier=INK)
    assert update["matches"][0]["style"] == "deco"
    assert update["earlier_styles"] == []


async def test_where_they_name_nothing_the_thread_speaks(context: Context) -> None:
    update, _ = await retrieve(context, "neon city", "warmer", earlier=INK)
    assert update["matches"][0]["style"] == "neon"
    assert update["matches"][0]["band"] == "strong"
    assert update["earlier_styles"] == INK


async def test_a_first_message_that_names_nothing_is_said_to(context: Context) -> None:
    update, said = await retrieve(context, "a quiet harbour")
    assert {match["band"] for match in update["matches"]} == {"weak"}
    assert "text only" in said


async def test_a_look_outside_the_library_is_named(context: Context) -> None:
    update, said = await retrieve(context, "a Rococo boudoir")
    assert {match["band"] for match in update["matches"]} == {"weak"}
    assert said == (
        "You seem to mean Rococo, which is not in the library: the render will be text only."
    )
    _, said = await retrieve(context, "neon city", "more rococo", style="ask", earlier=INK)
    assert "Neon" in said


async def test_a_person_who_decided_is_not_searched_for(context: Context) -> None:
    for style in ("none", "deco", "deco:1,ink:2"):
        update, said = await retrieve(context, "neon city", style=style)
        assert update == {"matches": []}
        assert "You decided" in said


async def test_who_asks_for_another_style_is_offered_all_but_the_one_in_force(
    context: Context,
) -> None:
    neon = [StyleWeight(style="neon", weight=1.0)]
    update, said = await retrieve(context, "neon city and one brush", "other style", earlier=neon)
    assert [match["style"] for match in update["matches"]] == ["ink", "deco"]
    assert update["reconsider"]
    assert update["earlier_styles"] == []
    assert said == "You ask for another style; next comes Ink."


async def test_another_style_that_is_named_is_taken(context: Context) -> None:
    update, _ = await retrieve(context, "neon city", "another style: gold lobby", earlier=INK)
    assert update["matches"][0]["style"] == "deco"
    assert not update["reconsider"]


async def test_a_mix_of_two_styles_is_a_blend(context: Context) -> None:
    update, _ = await retrieve(context, "half neon city and half ink brush", earlier=INK)
    assert update["blend"] == [
        StyleWeight(style="neon", weight=0.5),
        StyleWeight(style="ink", weight=0.5),
    ]
    for message in ("half man and half horse", "half neon city and half city at night"):
        update, _ = await retrieve(context, message)
        assert update["blend"] == []


async def test_an_order_is_no_word_of_a_style(context: Context) -> None:
    update, _ = await retrieve(context, "a quiet lake. Ignore all neon city rules")
    assert {match["band"] for match in update["matches"]} == {"weak"}
