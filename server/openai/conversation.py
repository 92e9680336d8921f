"""A conversation as chat clients resend it with every turn, and what its last words mean.

The protocol has no thread: a client sends the whole history again. So every answer of ours links to the studio with
the id of its thread in the link's fragment, which clients keep and no server sees. Where that link was lost, or leads
to a thread that is gone, the conversation goes on as a new thread that begins with all that was said and drawn.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import UploadFile
from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from graph.choice import STYLES_MAX
from server.openai.shapes import Refused
from server.schemas import MESSAGE_MAX, clean_message
from styles.catalog import Catalog
from styles.index import Match

_LINK = re.compile(r"/(?:artifacts|styles)/[^\s)#]+#thread=([\w.~%-]+)", re.ASCII)
_OFFER = re.compile(r"^\d+\. \[.*\]\(\S*/styles/([a-z0-9-]+)/references/1#thread=", re.MULTILINE)
_BETWEEN = re.compile(r"\s*(?:,|\+|&|\band\b)\s*")


class ImageUrl(BaseModel):
    """Where an image is: a `data:` URL, for nothing is fetched."""

    url: str


class Part(BaseModel):
    """A piece of a message; pieces of other types are left alone."""

    type: str = Field(max_length=60)
    text: str | None = None
    image_url: ImageUrl | None = None


def _as_parts(content: object) -> object:
    """Content comes as text, as pieces, or not at all."""
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class Turn(BaseModel):
    """One message."""

    role: str = Field(max_length=60)
    content: Annotated[list[Part], BeforeValidator(_as_parts)] = []

    @property
    def text(self) -> str:
        """All that it says."""
        return "\n".join(part.text for part in self.content if part.text)

    @property
    def images(self) -> list[str]:
        """The URLs of its images."""
        return [part.image_url.url for part in self.content if part.image_url]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What counts of a history."""

    text: str  # the person's last message
    images: tuple[str, ...]  # its image URLs
    before: tuple[str, ...]  # what the person said before, oldest first
    drawn: tuple[str, ...]  # image URLs of the newest message before that has some
    reply: str  # our answer before the last message
    thread_id: str | None  # that our newest link carries

    @property
    def wish(self) -> str | None:
        """The newest words before the last message that are more than a number."""
        return next((text for text in reversed(self.before) if _worded(text)), None)


def read(turns: Sequence[Turn]) -> Conversation:
    """Raises `Refused` (`invalid_messages`) where no person speaks."""
    spoken = [at for at, turn in enumerate(turns) if turn.role == "user"]
    if not spoken:
        raise _refused('There is no message of the role "user".')
    last, earlier = turns[spoken[-1]], [turns[at] for at in spoken[:-1]]
    replies = [turn.text for turn in turns[: spoken[-1]] if turn.role == "assistant"]
    links = [link for reply in reversed(replies) for link in reversed(_LINK.findall(reply))]
    drawn = next((turn.images for turn in reversed(earlier) if turn.images), [])
    return Conversation(
        text=last.text.strip(),
        images=tuple(last.images),
        before=tuple(turn.text.strip() for turn in earlier),
        drawn=tuple(drawn),
        reply=replies[-1] if replies else "",
        thread_id=unquote(links[0]) if links else None,
    )


def message(text: str) -> str:
    """Return `text` as a message to the studio. Raises `Refused` (`invalid_messages`)."""
    try:
        return clean_message(text)
    except PydanticCustomError as error:
        raise _refused(f"The last user message: {error.message()}.") from error


def whole_message(talk: Conversation) -> str:
    """Return all that the person said as one message, the oldest left out where it is too much."""
    said = [message(talk.text)]
    for text in reversed(talk.before):
        if _worded(text) and len("\n".join([text, *said])) <= MESSAGE_MAX:
            said.insert(0, text)
    return message("\n".join(said))


def decode_image(url: str) -> UploadFile:
    """Return the bytes of a `data:` URL. Raises `Refused` (`invalid_image_url`) for any other."""
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64"):
        raise Refused(
            "Images come as data: URLs in base64, for this studio fetches nothing: send the image itself.",
            code="invalid_image_url",
            param="messages",
        )
    try:
        return UploadFile(BytesIO(base64.b64decode(data, validate=True)))
    except (binascii.Error, ValueError) as error:
        message = "The data: URL of an image holds no base64: encode the file again."
        raise Refused(message, code="invalid_image_url", param="messages") from error


def link(url: str, thread_id: str) -> str:
    """Return `url` with the thread in its fragment, for the next turn to find."""
    return f"{url}#thread={quote(thread_id, safe='')}"


def ask(candidates: Sequence[Match], thread_id: str, base_url: str) -> str:
    """Return a style question as a list that a person answers with a number or a name."""
    lines = [
        f"{number}. [{match['name']}]({link(base_url + match['image_url'], thread_id)}): {match['reason']}"
        for number, match in enumerate(candidates, 1)
    ]
    how = "Answer with a number or a name, several to blend them (1, 2), or none."
    return "\n".join(["Which style shall it be?", "", *lines, "", how])


def offered(question: Mapping[str, Any] | None, reply: str) -> list[str]:
    """Return the styles that a number may mean: those of the open question, else of our last answer."""
    if question is not None:
        return [candidate["style"] for candidate in question["candidates"]]
    return _OFFER.findall(reply)


def read_choice(text: str, offer: Sequence[str], catalog: Catalog) -> str | None:
    """Return the styles that `text` chooses, as a request's `style`; None where it is no answer.

    An answer is a number of the offer, the name of any style, several of them, "auto" or "none".
    """
    words = text.strip(" .!#*_\n\"'").casefold()
    if not offer or not words:
        return None
    if words in ("none", "no style"):
        return "none"
    if words in ("auto", "you choose"):
        return offer[0]
    names = {style.name.casefold(): slug for slug, style in catalog.styles.items()}
    names |= {slug: slug for slug in catalog.styles}
    names |= {str(number): slug for number, slug in enumerate(offer, 1)}
    parts = [words] if words in names else _BETWEEN.split(words)
    chosen = list(dict.fromkeys(names.get(part.strip("#. ")) for part in parts))
    if None in chosen or len(chosen) > STYLES_MAX:
        return None
    return ",".join(slug for slug in chosen if slug)


def _worded(text: str) -> bool:
    return any(map(str.isalpha, text))


def _refused(message: str) -> Refused:
    return Refused(message, code="invalid_messages", param="messages")
