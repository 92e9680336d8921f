"""Score the render."""

from langgraph.runtime import Runtime

from graph.choice import style_name
from graph.context import Context
from graph.fidelity import measure
from graph.state import Attempt, Fidelity, Reply, Said, State, Update


async def critique(state: State, runtime: Runtime[Context]) -> Update:
    """Measure the last attempt, keep the best one, and ask for another when the geometry slipped.

    Reads `attempts`, `edge_map`, `canvas`, `styles`, `style_reason`, `enhancement`, `profile`, `turn`, `replies`;
    writes `attempts`, `best`, `retry`, and, once it is content, `replies`. Best is the highest geometry, then the
    highest style.
    """
    ctx = runtime.context
    studio = await ctx.studio(state["profile"])
    *before, last = state["attempts"]

    def score() -> Fidelity:
        render, lines = ctx.artifacts.image(last["image"]), None
        if state["edge_map"]:
            left, top, right, bottom = state["canvas"]["box"]
            lines = ctx.artifacts.image(state["edge_map"]).crop((left, top, right, bottom))
        prompt = state["enhancement"]["prompt"]
        return measure(render, lines, state["styles"], prompt, studio, ctx)

    attempts = [*before, Attempt(**{**last, "fidelity": await ctx.lane.run(lambda _: score())})]
    best = max(range(len(attempts)), key=lambda number: _rank(attempts[number]))
    kept, bar = attempts[best]["fidelity"]["geometry"], studio.profile.geometry_bar
    retry = kept is not None and kept < bar and len(attempts) <= studio.profile.retries
    text = _verdict(attempts, best, bar, retry)
    runtime.stream_writer(Said(type="said", node="critique", text=text))
    update: Update = {"attempts": attempts, "best": best, "retry": retry}
    if not retry:
        earlier = [reply for reply in state.get("replies", []) if reply["turn"] != state["turn"]]
        update["replies"] = [*earlier, _reply(state, attempts[best], text, ctx)]
    return update


def _reply(state: State, best: Attempt, verdict: str, ctx: Context) -> Reply:
    names = " and ".join(style_name(share["style"], ctx) for share in state["styles"])
    return Reply(
        turn=state["turn"],
        text=f"{names or 'No style, the words alone'}: {state['style_reason']}. {verdict}",
        image=best["image"],
        width=best["width"],
        height=best["height"],
    )


def _rank(attempt: Attempt) -> tuple[float, float]:
    return attempt["fidelity"]["geometry"] or 0.0, attempt["fidelity"]["style"] or 0.0


def _verdict(attempts: list[Attempt], best: int, bar: float, retry: bool) -> str:
    """What was measured and what follows from it, in a line a person can read."""
    last, winner = attempts[-1]["fidelity"]["geometry"], attempts[best]["fidelity"]["geometry"]
    if last is None or winner is None:
        return "Nothing to hold the lines against: there was no sketch."
    text = f"The render keeps {last:.0%} of your lines, {bar:.0%} are wanted"
    if retry:
        return f"{text}: once more, with a harder hold on them and a new seed."
    if len(attempts) > 1:
        return f"{text}: attempt {best + 1} of {len(attempts)} is the best, with {winner:.0%}."
    return f"{text}."
