"""The studio's tools as a language model reads them: what each takes, and what it answers."""

from typing import Literal

from mcp_types import Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field

from graph.choice import STYLES_MAX, StyleShare
from server.schemas import Message, Wish
from server.styles import Matches, StyleMatch
from server.threads import ThreadSummary

INSTRUCTIONS = (
    "Artisan Studio turns a line drawing and a sentence into a picture: the drawing's lines stay "
    "where they are, and a style of the library gives the look. `render` paints. Send the "
    "thread_id of its answer again to change that picture in words. Where the studio is not sure "
    "of the style it asks: answer with `choose`."
)


class Render(Wish):
    """What `render` takes."""

    message: Message = Field(
        description="What the picture shows; with a thread_id, what shall change. Plain words.",
        examples=["art deco hotel lobby at dusk"],
    )
    sketch: str | None = Field(
        None,
        description="A line drawing to follow: PNG, JPEG or WebP as base64, with or without "
        "'data:image/png;base64,' before it, or an artifact_id. Never a web address. Left out: "
        "the thread's last sketch, else none.",
    )
    profile: str | None = Field(
        None, max_length=80, description="Which models paint. Usually left out."
    )
    thread_id: str | None = Field(
        None, max_length=200, description="Goes on with the picture of an earlier answer."
    )


class Choose(BaseModel):
    """What `choose` takes."""

    model_config = ConfigDict(extra="forbid")

    thread_id: str = Field(max_length=200, description="Of the answer that asked.")
    interrupt_id: str = Field(max_length=200, description="Of its question.")
    styles: list[StyleShare] = Field(
        max_length=STYLES_MAX,
        description="The candidates to use, each {style, weight}; an empty list for no style.",
    )


class SearchStyles(BaseModel):
    """What `search_styles` takes."""

    model_config = ConfigDict(extra="forbid")

    query: Message = Field(description="The look, mood or era in plain words.")
    k: int = Field(8, ge=1, le=50, description="How many to return at most.")


class ReadThread(BaseModel):
    """What `read_thread` takes."""

    model_config = ConfigDict(extra="forbid")

    thread_id: str = Field(max_length=200, description="From an answer of `render`.")


class StyleQuestion(BaseModel):
    """Which style shall it be."""

    interrupt_id: str
    candidates: list[StyleMatch]  # best first


class Scores(BaseModel):
    """Measured scores of a picture; null where there was nothing to compare with."""

    geometry: float | None = Field(description="Share of the sketch's lines kept, 0 to 1.")
    invented: float | None = Field(description="Share of its edges nobody drew, 0 to 1.")
    style: float | None = Field(description="Likeness to the style's references, 0 to 1.")
    palette: float | None = Field(description="Colour distance to them; 0 is equal.")
    text: float | None = Field(description="Likeness to the words, 0 to 1.")


class Rendering(BaseModel):
    """What `render` and `choose` answer: a picture (`done`), or a question (`question`)."""

    status: Literal["done", "question"]
    thread_id: str
    run_id: str
    question: StyleQuestion | None = Field(
        None, description="Pick a candidate, or ask the user to, and call `choose`."
    )
    artifact_id: str | None = None
    image_url: str | None = None
    width: int | None = Field(None, description="px")
    height: int | None = Field(None, description="px")
    seed: int | None = None
    styles: list[StyleShare] | None = Field(None, description="Empty: from words alone.")
    enhanced_prompt: str | None = Field(None, description="The words that were painted.")
    fidelity: Scores | None = None
    profile: str | None = None
    elapsed_ms: int | None = None


ARGUMENTS: dict[str, type[BaseModel]] = {
    "render": Render,
    "choose": Choose,
    "search_styles": SearchStyles,
    "read_thread": ReadThread,
}


def _tool(name: str, title: str, description: str, answer: type[BaseModel], *, reads: bool) -> Tool:
    return Tool(
        name=name,
        title=title,
        description=description,
        input_schema=ARGUMENTS[name].model_json_schema(),
        output_schema=answer.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            read_only_hint=reads, destructive_hint=False, open_world_hint=False
        ),
    )


TOOLS = [
    _tool(
        "render",
        "Paint a picture",
        "Paint a picture from words, on the lines of a sketch if there is one. Takes seconds to "
        "minutes. Answers with the picture, or with status 'question' when the style is unclear. "
        "Left out, an option takes its best value.",
        Rendering,
        reads=False,
    ),
    _tool(
        "choose",
        "Answer a style question",
        "Answer the style question of `render`; the picture is then painted.",
        Rendering,
        reads=False,
    ),
    _tool(
        "search_styles",
        "Search the style library",
        "Find the styles that fit some words, best first. Use a match's `style` in `render`.",
        Matches,
        reads=True,
    ),
    _tool(
        "read_thread",
        "Read a thread",
        "Read what was said and painted on a thread, with its newest picture and the question "
        "that waits, if any. Also finds a picture whose answer got lost on the way.",
        ThreadSummary,
        reads=True,
    ),
]
