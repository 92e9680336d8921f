"""Write the prompt."""

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import Enhancement, Said, State, Update
from tools.prompts import PromptBrief


async def enhance_prompt(state: State, runtime: Runtime[Context]) -> Update:
    """Make a prompt of the thread's messages, and say who wrote it and why.

    Reads `messages`, `profile`; writes `enhancement`.
    """
    ctx = runtime.context
    studio = await ctx.studio(state["profile"])
    *history, message = state["messages"]
    draft = await ctx.prompts.write(
        PromptBrief(
            message=message,
            history=tuple(history),
            token_budget=studio.profile.token_budget,
            takes_negative=studio.profile.takes_negative,
            count_tokens=studio.engine.count_tokens,
        )
    )
    runtime.stream_writer(Said(type="said", node="enhance_prompt", text=draft.reason))
    return {
        "enhancement": Enhancement(
            prompt=draft.prompt,
            negative_prompt=draft.negative_prompt,
            domain=draft.domain,
            source=draft.source,
            reason=draft.reason,
        )
    }
