"""From uploaded bytes to an RGB picture, and from a picture to a canvas and back."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from PIL import ExifTags, Image

from tools.errors import InvalidRequest, PayloadTooLarge

MAX_PIXELS = 40_000_000
MAX_SIDE = 16_384  # px
MIN_SIDE = 16  # px

Box = tuple[int, int, int, int]  # left, top, right, bottom in px; right and bottom are outside
Colour = int | tuple[int, int, int]  # 0 .. 255, as the image's mode has it
Resize = Callable[[Image.Image, int, int], Image.Image]

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_upload(data: bytes) -> Image.Image:
    """Decode a PNG, JPEG or WebP, told by its content, into an upright RGB image without metadata.

    Transparency is laid over white, 16-bit and CMYK become 8-bit RGB (colour profiles are ignored),
    an animation gives its first frame. The size is judged from the header, before any pixel is
    decoded. Raises `InvalidRequest` with code `empty_upload`, `unsupported_image`, `broken_image`
    or `image_too_small` (a side under `MIN_SIDE`), `PayloadTooLarge` with code `image_too_large`
    (over `MAX_PIXELS`, or a side over `MAX_SIDE`).
    """
    if not data:
        raise InvalidRequest("The file is empty: choose it again.", code="empty_upload")
    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as upload:
            _check_size(upload.width, upload.height)
            upload.load()
            orientation = _orientation(upload)
            image = _to_rgb(upload)
    except (InvalidRequest, PayloadTooLarge):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("The image") from error
    except Exception as error:  # a decoder fed hostile bytes may raise anything
        if _has_known_signature(data):
            raise InvalidRequest(
                "The image is damaged or cut short: export or upload it again.", code="broken_image"
            ) from error
        raise InvalidRequest(
            "This is not a PNG, JPEG or WebP image, whatever its name says: export it as one.",
            code="unsupported_image",
        ) from error
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    image.info.clear()
    return image


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise _too_large(f"The image of {width}x{height} px")
    if min(width, height) < MIN_SIDE:
        raise InvalidRequest(
            f"The image is {width}x{height} px: each side must have at least {MIN_SIDE} px.",
            code="image_too_small",
        )


def _too_large(what: str) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"{what} is too large: scale it to at most {MAX_PIXELS // 1_000_000} megapixels"
        f" and {MAX_SIDE} px a side.",
        code="image_too_large",
    )


def _has_known_signature(data: bytes) -> bool:
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (
        data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001  broken EXIF may raise anything, and the picture is sound
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow's own conversion clips 16-bit values instead of scaling them.
        grey = np.asarray(image).astype(np.float32) / 257
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture).convert("RGB")


def smooth_resize(image: Image.Image, width: int, height: int) -> Image.Image:
    """Resize by Lanczos to (width, height) px."""
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A picture on a canvas."""

    image: Image.Image
    box: Box  # where the whole picture lies, on the canvas; reaches past it when cropped


def fit(
    image: Image.Image,
    width: int,
    height: int,
    mode: Literal["letterbox", "crop"] = "letterbox",
    fill: Colour | None = None,
    resize: Resize = smooth_resize,
) -> Fitted:
    """Lay `image` centred on a canvas of (width, height) px, both axes scaled alike within a pixel.

    `letterbox` shows all of it with `fill` beside it, `crop` covers the canvas and loses what
    overhangs. `fill` None takes the median colour of the picture's rim, so paper goes on as paper.
    Pass `resize_edges` as `resize` for an edge map.
    """
    ratios = (width / image.width, height / image.height)
    scale = min(ratios) if mode == "letterbox" else max(ratios)
    inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas = Image.new(image.mode, (width, height), rim_colour(image) if fill is None else fill)
    canvas.paste(resize(image, *inner), (left, top))
    return Fitted(canvas, (left, top, left + inner[0], top + inner[1]))


def unfit(
    canvas: Image.Image,
    box: Box,
    width: int,
    height: int,
    fill: Colour = 0,
    resize: Resize = smooth_resize,
) -> Image.Image:
    """Map a canvas made by `fit` (or a render of it) back to the original's (width, height) px.

    `box` is `Fitted.box`. What a crop had lost is `fill`.
    """
    left, top, right, bottom = box
    picture = Image.new(canvas.mode, (right - left, bottom - top), fill)
    picture.paste(canvas, (-left, -top))
    return resize(picture, width, height)


def rim_colour(image: Image.Image) -> Colour:
    """Return the median colour of the outermost pixels of an L or RGB image."""
    pixels = np.asarray(image)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    median = np.median(rim, axis=0).astype(int)
    return int(median) if median.ndim == 0 else (int(median[0]), int(median[1]), int(median[2]))


def canvas_size(width: int, height: int, long_side: int, multiple: int) -> tuple[int, int]:
    """Return the size in px nearest to the given aspect with the longer side near `long_side`.

    Both sides are multiples of `multiple`, at least one of it.
    """
    scale = long_side / max(width, height)
    return (
        max(1, round(width * scale / multiple)) * multiple,
        max(1, round(height * scale / multiple)) * multiple,
    )
