"""Find the styles that fit the words."""

import asyncio

from langgraph.runtime import Runtime

from graph.choice import parse_style
from graph.context import Context
from graph.state import Said, State, Update
from styles.index import NAMED

MATCHES = 8
TOLD = 3  # of them, in words


async def retrieve_styles(state: State, runtime: Runtime[Context]) -> Update:
    """Find the styles that fit the new message, or the whole thread where it names none.

    Reads `messages`, `style`, `earlier_styles`, `profile`; writes `matches`, and empties
    `earlier_styles` when the new words name a style.
    """

    def say(text: str) -> None:
        runtime.stream_writer(Said(type="said", node="retrieve_styles", text=text))

    if parse_style(state["style"]) is not None:
        say("You decided about the style, so none is looked for.")
        return {"matches": []}
    studio = await runtime.context.studio(state["profile"])
    *history, message = state["messages"]
    matches = await asyncio.to_thread(studio.index.search, message, MATCHES)
    earlier = state["earlier_styles"]
    # "with lanterns" has a nearest style too: only words that surely mean one replace the style in force.
    if matches and matches[0]["band"] == "strong" and (not earlier or matches[0]["score"] >= NAMED):
        earlier = []
    elif history:
        # The newest words come first, because an encoder cuts off what is too long.
        thread = "\n".join(reversed(state["messages"]))
        matches = await asyncio.to_thread(studio.index.search, thread, MATCHES)
    near = [f"{m['name']} ({m['band']}, {m['score']:.2f})" for m in matches if m["band"] != "weak"]
    if near:
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
    return {"matches": matches, "earlier_styles": earlier}
