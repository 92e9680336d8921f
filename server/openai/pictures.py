"""Sizes as callers write them, and renders as callers want them: cut to a shape, in a file format."""

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

from server.openai.shapes import Refused
from server.schemas import SIZE_MIN
from tools.artifacts import ArtifactStore
from tools.profiles import Profile

Format = Literal["png", "jpeg", "webp"]

ASPECT_MAX = 3.0  # of the long side to the short one
STANDARD = (  # what clients send unasked; larger than a profile's most, they only say a shape
    "256x256",
    "512x512",
    "1024x1024",
    "1536x1024",
    "1024x1536",
    "1792x1024",
    "1024x1792",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a `size` asks for."""

    size: int | None  # px of the long side; None: the profile's default
    aspect: float | None  # width / height where no sketch gives one; None: as it is rendered


@dataclass(frozen=True, slots=True)
class Picture:
    """An image in the format that was asked for."""

    artifact_id: str
    data: bytes
    width: int  # px
    height: int  # px


def read_size(text: str | None, profile: Profile) -> Shape:
    """Read "auto" or "WIDTHxHEIGHT". Raises `Refused` (`invalid_size`) for what `profile` does not render."""
    if text in (None, "auto"):
        return Shape(None, None)
    found = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if found is None:
        raise _unknown_size(text, profile)
    width, height = int(found[1]), int(found[2])
    long, short = max(width, height), min(width, height)
    if SIZE_MIN <= long <= profile.size_max and long % 8 == 0 and long <= ASPECT_MAX * short:
        return Shape(long, width / height)
    if text in STANDARD:
        return Shape(None, width / height)
    raise _unknown_size(text, profile)


def finish(
    artifacts: ArtifactStore, artifact_id: str, aspect: float | None, form: Format, quality: int
) -> Picture:
    """Return a stored image, cut to `aspect` (None: whole), as PNG, JPEG or WebP of `quality` 0 .. 100.

    Blocking. What is returned is stored, too; a PNG keeps the recipe that it holds. Raises `NotFound` for an image
    that is gone.
    """
    image = artifacts.image(artifact_id)
    cut = image if aspect is None else image.crop(_middle(image.width, image.height, aspect))
    if form != "png":
        file = BytesIO()
        cut.convert("RGB").save(file, form, quality=quality)
        artifact_id = artifacts.put(file.getvalue(), f"image/{form}")
    elif cut.size != image.size:
        recipe = {str(key): value for key, value in image.info.items() if isinstance(value, str)}
        artifact_id = artifacts.put_image(cut, recipe)
    return Picture(artifact_id, artifacts.get(artifact_id).data, cut.width, cut.height)


def _middle(width: int, height: int, aspect: float) -> tuple[int, int, int, int]:
    """The largest box of `aspect` in the middle of a picture of (width, height) px."""
    inner = (
        min(width, max(1, round(height * aspect))),
        min(height, max(1, round(width / aspect))),
    )
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return left, top, left + inner[0], top + inner[1]


def _unknown_size(text: str, profile: Profile) -> Refused:
    return Refused(
        f"{text[:40]!r} is no size of the profile {profile.name}: send auto, one of {', '.join(STANDARD)}, or "
        f"WIDTHxHEIGHT with a longer side of {SIZE_MIN} to {profile.size_max} px that is a multiple of 8, at "
        f"most {ASPECT_MAX:.0f} times the shorter one.",
        code="invalid_size",
        param="size",
    )
