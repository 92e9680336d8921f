"""The vocabulary of the graph: plain JSON values and artifact ids, nothing else.

Checkpoints outlive code, so no pydantic objects, no images and no paths go in here.
"""

from typing import Annotated, Literal, NotRequired, TypedDict

from styles.index import Match


class StyleWeight(TypedDict):
    """A share of a style, or of the user's own reference image, in the blend."""

    style: str  # slug, or "artifact:<id>" for the user's own reference image
    weight: float  # > 0; shares of one render sum to 1


class Enhancement(TypedDict):
    """What became of the user's words."""

    prompt: str  # within the token budget of the profile
    negative_prompt: str
    domain: str  # architecture, interior, product, landscape, character, abstract
    source: str  # "rules" or the name of the language model
    reason: str  # why that source spoke


class Canvas(TypedDict):
    """What the engine paints on, and where the sketch lies on it."""

    width: int  # px, multiple of the profile's size_multiple
    height: int  # px, multiple of the profile's size_multiple
    box: list[int]  # left, top, right, bottom in px; the render is cropped to it


class Fidelity(TypedDict):
    """Measured scores of a render; None where there was nothing to compare with."""

    geometry: float | None  # 0..1, share of edge-map pixels with a render edge within 2 px
    invented: float | None  # 0..1, share of render edge pixels farther off (lower is better)
    style: float | None  # 0..1, encoder similarity to the reference blend
    palette: float | None  # CIE Lab distance between palettes, 0 = equal (lower is better)
    text: float | None  # 0..1, encoder similarity of render and prompt


class Attempt(TypedDict):
    """One render and what it scored."""

    image: str  # artifact id
    width: int  # px
    height: int  # px
    prompt: str  # the words the engine got, style included
    seed: int
    control_scale: float
    fidelity: Fidelity


class Reply(TypedDict):
    """What the studio answered to a message; a turn that was stopped, or failed, has none."""

    turn: int  # of the message
    text: str
    image: str  # artifact id
    width: int  # px
    height: int  # px


def keep(held: str | None, sent: str | None) -> str | None:
    """Reducer: None sent means the thread keeps what it holds."""
    return held if sent is None else sent


class Request(TypedDict):
    """What a caller supplies with each message."""

    message: str
    sketch: Annotated[str | None, keep]  # artifact id; None: keep the thread's sketch
    style: str  # "" ask when not sure | auto | ask | none | slug | "slug:0.7,slug:0.3"
    seed: int  # 0 .. 2**63 - 1
    steps: int | None  # None: the profile's default
    size: int | None  # px of the long side, a multiple of 8; None: the profile's default
    profile: str
    message_id: NotRequired[str | None]  # the caller's own name for the message


class Update(TypedDict, total=False):
    """What the nodes add, in the order they add it."""

    versions: dict[str, str]  # of the turn's release, by kind; older threads lack it
    turn: int  # counts the messages of the thread, from 1
    messages: list[str]  # the thread's messages so far; the last one is the present one
    sketches: list[str | None]  # the sketch under each message; older threads begin later
    message_ids: list[str | None]  # the callers' names for them; older threads begin later
    replies: list[Reply]  # oldest first; older threads begin later
    earlier_styles: list[StyleWeight]  # of the turn before; empty once the new words name a style
    enhancement: Enhancement
    matches: list[Match]  # best first, those of the weak band too
    blend: list[StyleWeight]  # that the words mix themselves; older threads lack it
    reconsider: bool  # whether they ask for another style; older threads lack it
    styles: list[StyleWeight]  # what the render uses; empty: text only
    style_reason: str
    canvas: Canvas
    edge_map: str | None  # artifact id, mode L, as large as the canvas; None: no sketch
    attempts: list[Attempt]
    best: int  # index into attempts, once there is one
    retry: bool  # critique asks for one more try


class State(Request, Update):
    """Everything a node may read."""


class Said(TypedDict):
    """Custom stream event: what a node decided, in one line a person can read."""

    type: Literal["said"]
    node: str
    text: str


class Progress(TypedDict):
    """Custom stream event: one denoising step is done."""

    type: Literal["progress"]
    node: str
    step: int  # 1 .. total
    total: int
    preview: str | None  # artifact id
