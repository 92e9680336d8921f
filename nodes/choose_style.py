"""Decide the styles of the render, or ask."""

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from graph.choice import answer_schema, parse_style, settle, style_name
from graph.context import Context
from graph.state import Said, State, StyleWeight, Update

OFFERED = 5  # of the matches, weak ones too, when a person wants to choose and nothing is near


async def choose_style(state: State, runtime: Runtime[Context]) -> Update:
    """Decide the styles of the render, or ask the person where it is not sure.

    Reads `style`, `matches`, `earlier_styles`, `blend`, `reconsider`; writes `styles`,
    `style_reason`. Does nothing else, because an answer runs it again from its first line.
    """
    ctx, wish = runtime.context, state["style"]
    named = parse_style(wish)
    again = state.get("reconsider", False)
    near = [match for match in state["matches"] if match["band"] != "weak" and not again]
    styles: list[StyleWeight]
    if named is not None:
        styles, reason = settle(named, ctx), "as you asked"
    elif (blend := state.get("blend")) and wish != "ask":
        styles, reason = blend, "the mix that your words name"
    elif state["earlier_styles"] and wish != "ask":
        styles, reason = state["earlier_styles"], "kept from your last message"
    elif not near and wish != "ask" and not again:
        styles, reason = [], "no style is near enough to your words"
    elif wish == "auto" or (wish == "" and not again and near[0]["band"] == "strong"):
        best = (near or state["matches"])[0]
        styles, reason = [StyleWeight(style=best["style"], weight=1.0)], best["reason"]
    else:
        candidates = near or state["matches"][:OFFERED]
        question = {"kind": "style_selection", "candidates": candidates}
        answer = interrupt(question, response_schema=answer_schema(ctx))
        styles, reason = settle(answer, ctx), "your choice"
    parts = [f"{share['weight']:.0%} {style_name(share['style'], ctx)}" for share in styles]
    text = f"{', '.join(parts) or 'No style, the words alone'}: {reason}."
    runtime.stream_writer(Said(type="said", node="choose_style", text=text))
    return {"styles": styles, "style_reason": reason}
