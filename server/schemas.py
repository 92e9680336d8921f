"""What callers send, with its bounds."""

import unicodedata
from typing import Annotated

from fastapi import UploadFile
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from graph.choice import StyleChoice
from server.eventlog import Strategy

MESSAGE_MAX = 2000  # characters
SEED_MAX = 2**63 - 1
SIZE_MIN = 64  # px


def clean_message(text: str) -> str:
    """Return `text` trimmed, with line breaks as "\\n".

    Raises `PydanticCustomError` for nothing to read, too much of it, or control characters.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise PydanticCustomError("empty", "say what the picture should show")
    if len(text) > MESSAGE_MAX:
        what = "{length} characters, at most {most} are read: shorten it"
        raise PydanticCustomError("too_long", what, {"length": len(text), "most": MESSAGE_MAX})
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
        what = "holds an invisible control character: take it out"
        raise PydanticCustomError("control_character", what)
    return text


Message = Annotated[
    str, AfterValidator(clean_message), Field(json_schema_extra={"maxLength": MESSAGE_MAX})
]


class Wish(BaseModel):
    """How to render."""

    model_config = ConfigDict(extra="forbid")

    style: str = Field(
        "",
        max_length=400,
        description="Empty: asks when not sure. `auto` never asks, `ask` always does, `none` is "
        "text only, `slug` or `slug:0.7,slug:0.3` decides.",
    )
    seed: int | None = Field(None, ge=0, le=SEED_MAX, description="Without one it is random.")
    steps: int | None = Field(None, ge=1, description="Up to the profile's most.")
    size: int | None = Field(
        None,
        ge=SIZE_MIN,
        multiple_of=8,
        description="px of the long side, up to the profile's most.",
    )
    profile: str | None = Field(None, max_length=80)


class ChatForm(Wish):
    """A message, and how to render it."""

    message: Message = Field(examples=["art deco hotel lobby at dusk"])
    sketch: UploadFile | None = Field(
        None, description="PNG, JPEG or WebP; without one the thread's sketch is used again."
    )
    thread_id: str | None = Field(None, description="Continues a thread; without one it is new.")
    multitask_strategy: Strategy = Field(
        "enqueue",
        description="Where the thread is busy: `enqueue` waits for its turn, `reject` answers 409, `interrupt` "
        "stops the present run, `rollback` undoes it.",
    )


class ChoiceBody(StyleChoice):
    """The answer to a style question; an empty list means no style."""

    interrupt_id: str = Field(max_length=200)


class ArtifactForm(BaseModel):
    """An image to keep."""

    model_config = ConfigDict(extra="forbid")

    file: UploadFile


def _split(tags: object) -> object:
    """Tags come one to a field, or with commas, as a person types them."""
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return tags
    return [tag for entry in tags for tag in entry.split(",") if tag.strip()]


class StyleForm(BaseModel):
    """A style of one's own."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    tags: Annotated[list[str], BeforeValidator(_split)]
    prompt: str = Field(examples=["{prompt}, hand-cut paper, layered shadows"])
    images: list[UploadFile]
    slug: str | None = Field(None, description="Without one it is made from the name.")
