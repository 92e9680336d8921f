"""Find the styles that fit the words."""

import asyncio

from langgraph.runtime import Runtime

from graph.choice import parse_style
from graph.context import Context
from graph.state import Said, State, StyleWeight, Update
from styles.index import NAMED, Match, StyleIndex
from tools.prompt_orders import for_the_picture
from tools.prompt_style import asks_for_another, mix

MATCHES = 8
TOLD = 3  # of them, in words


async def retrieve_styles(state: State, runtime: Runtime[Context]) -> Update:
    """Find the styles that fit the new message, or the whole thread where it names none.

    Reads `messages`, `style`, `earlier_styles`, `profile`; writes `matches`, `blend` when the words
    mix two styles, `reconsider` when they ask for another one than the one in force, and empties
    `earlier_styles` in either case and when they name a style.
    """

    def say(text: str) -> None:
        runtime.stream_writer(Said(type="said", node="retrieve_styles", text=text))

    if parse_style(state["style"]) is not None:
        say("You decided about the style, so none is looked for.")
        return {"matches": []}
    studio = await runtime.context.studio(state["profile"])
    *history, message = map(for_the_picture, state["messages"])
    matches = await asyncio.to_thread(studio.index.search, message, MATCHES)
    earlier, reconsider = state["earlier_styles"], False
    blend = await asyncio.to_thread(_blend, message, studio.index)
    # "with lanterns" has a nearest style too: only words that surely mean one replace the style in force.
    if blend or _means(matches, NAMED if earlier else 0.0):
        earlier = []
    elif history and asks_for_another(message):
        thread, in_force = "\n".join(reversed(history)), [share["style"] for share in earlier]
        found = await asyncio.to_thread(studio.index.search, thread, MATCHES + len(in_force))
        matches = [match for match in found if match["style"] not in in_force][:MATCHES]
        earlier, reconsider = [], bool(matches)
    elif history:
        # The newest words come first, because an encoder cuts off what is too long.
        thread = "\n".join([message, *reversed(history)])
        matches = await asyncio.to_thread(studio.index.search, thread, MATCHES)
    near = [f"{m['name']} ({m['band']}, {m['score']:.2f})" for m in matches if m["band"] != "weak"]
    if reconsider:
        say(f"You ask for another style; next comes {matches[0]['name']}.")
    elif near:
        say(f"Nearest styles: {', '.join(near[:TOLD])}.")
    else:
        look = await asyncio.to_thread(studio.index.foreign_look, message)
        why = (
            f"You seem to mean {look}, which is not in the library"
            if look
            else "No style is near enough to your words"
        )
        text_only = "" if earlier or state["style"] == "ask" else ": the render will be text only"
        say(f"{why}{text_only}.")
    return {
        "matches": matches,
        "earlier_styles": earlier,
        "blend": blend,
        "reconsider": reconsider,
    }


def _blend(message: str, index: StyleIndex) -> list[StyleWeight]:
    """The styles that the words mix, with their shares; none unless each surely names another one. Blocking."""
    looks = mix(message)
    found = [index.search(look, 1) for look, _ in looks]
    slugs = [matches[0]["style"] for matches in found if _means(matches, NAMED)]
    if not looks or len({*slugs}) < len(looks):
        return []
    return [
        StyleWeight(style=slug, weight=share) for slug, (_, share) in zip(slugs, looks, strict=True)
    ]


def _means(matches: list[Match], least: float) -> bool:
    return bool(matches) and matches[0]["band"] == "strong" and matches[0]["score"] >= least
