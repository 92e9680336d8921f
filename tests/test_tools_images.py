"""Uploads are judged by their content, and pictures are laid on canvases without stretching."""

import struct
import zlib
from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tools.errors import AppError, InvalidRequest, PayloadTooLarge
from tools.images import MIN_SIDE, canvas_size, decode_upload, fit, rim_colour, unfit

GREY, COLOUR, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 4, 6  # PNG colour types


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int, depth: int, colour: int, row: bytes, extra: bytes = b"") -> bytes:
    """A PNG written by hand, `row` repeated; no rows at all when `row` is empty."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress((b"\0" + row) * height)) if row else b""
    return b"\x89PNG\r\n\x1a\n" + head + extra + pixels + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def quarters() -> Image.Image:
    """60x40 px in four colours, so that no turn or flip of it looks like another."""
    image = Image.new("RGB", (60, 40), "red")
    image.paste("lime", (30, 0, 60, 20))
    image.paste("blue", (0, 20, 30, 40))
    image.paste("white", (30, 20, 60, 40))
    return image


def noise(kind: str) -> bytes:
    return encode(Image.effect_noise((64, 64), 50).convert("RGB"), kind)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_three_kinds_are_read(kind: str) -> None:
    image = decode_upload(encode(quarters(), kind, quality=95))
    assert (image.mode, image.size) == ("RGB", (60, 40))
    found = np.asarray(image, int)[[10, 10, 30, 30], [10, 50, 10, 50]]
    assert np.abs(found - [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]).max() < 12


REFUSED = {
    "empty": (b"", "empty_upload"),
    "1x1": (encode(Image.new("RGB", (1, 1))), "image_too_small"),
    "15 px high": (encode(Image.new("RGB", (99, 15))), "image_too_small"),
    "30,000x30,000": (png(30_000, 30_000, 8, COLOUR, b""), "image_too_large"),
    "100 MP": (png(10_000, 10_000, 8, COLOUR, b""), "image_too_large"),
    "49 MP": (png(7_000, 7_000, 8, COLOUR, b""), "image_too_large"),
    "20,000 px wide": (png(20_000, 20, 8, COLOUR, b""), "image_too_large"),
    "svg": (
        b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'/>",
        "unsupported_image",
    ),
    "gif": (encode(quarters(), "GIF"), "unsupported_image"),
    "tiff": (encode(quarters(), "TIFF"), "unsupported_image"),
    "html named .png": (
        b"<!doctype html><html><body>sketch.png</body></html>",
        "unsupported_image",
    ),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported_image"),
    "zeros": (bytes(1000), "unsupported_image"),
    "png header only": (png(64, 64, 8, COLOUR, b""), "broken_image"),
    "png text bomb": (
        png(64, 64, 8, GREY, bytes(64), png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7)))),
        "broken_image",
    ),
    **{
        f"{kind} cut after {share:.0%}": (data[: max(13, int(len(data) * share))], "broken_image")
        for kind, data in ((kind, noise(kind)) for kind in ("PNG", "JPEG", "WEBP"))
        for share in (0, 0.02, 0.5, 0.95)
    },
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_uploads_are_refused_by_code(data: bytes, code: str) -> None:
    with pytest.raises(AppError) as error:
        decode_upload(data)
    assert error.value.code == code
    assert isinstance(error.value, PayloadTooLarge if code == "image_too_large" else InvalidRequest)
    assert error.value.status == (413 if code == "image_too_large" else 422)
    assert len(error.value.message) > 30


def test_the_smallest_image_is_taken() -> None:
    assert decode_upload(encode(Image.new("L", (MIN_SIDE, MIN_SIDE)))).size == (16, 16)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP"]), st.data())
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_a_damaged_upload_is_an_image_or_a_typed_error(kind: str, data: st.DataObject) -> None:
    upload = bytearray(encode(quarters(), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(upload) - 1))
        upload[place] = data.draw(st.integers(0, 255))
    try:
        image = decode_upload(bytes(upload))
    except (InvalidRequest, PayloadTooLarge):
        return
    assert image.mode == "RGB"


STORED = {  # how each EXIF orientation lays the upright pixels down
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_stands_upright(orientation: int, kind: str) -> None:
    upright = np.asarray(quarters())
    stored = np.ascontiguousarray(STORED[orientation](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_upload(encode(Image.fromarray(stored), kind, exif=exif, quality=95))
    assert image.size == (60, 40)
    middles = ([10, 10, 30, 30], [10, 50, 10, 50])
    assert np.abs(np.asarray(image, int)[middles] - upright[middles]).max() < 12
    assert image.info == {}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage", b"\0" * 30])
def test_broken_exif_does_not_lose_the_picture(exif: bytes) -> None:
    assert decode_upload(encode(quarters(), "JPEG", exif=exif)).size == (60, 40)


def sixteen(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values) * 32


CONVERTED = {
    "16-bit grey": (png(32, 32, 16, GREY, sixteen(30_000)), (117, 117, 117)),
    "16-bit RGB": (png(32, 32, 16, COLOUR, sixteen(65_535, 32_768, 257)), (255, 128, 1)),
    "16-bit, clear": (png(32, 32, 16, COLOUR_ALPHA, sixteen(0, 0, 0, 0)), (255, 255, 255)),
    "16-bit grey, clear": (png(32, 32, 16, GREY_ALPHA, sixteen(0, 0)), (255, 255, 255)),
    "CMYK": (encode(Image.new("CMYK", (32, 32), (255, 0, 0, 0)), "JPEG"), (0, 255, 255)),
    "1 bit": (encode(Image.new("1", (32, 32), 1)), (255, 255, 255)),
    "half clear": (encode(Image.new("RGBA", (32, 32), (0, 0, 0, 128))), (127, 127, 127)),
    "clear WebP": (encode(Image.new("RGBA", (32, 32), 0), "WEBP"), (255, 255, 255)),
    "colour key": (
        encode(Image.new("RGB", (32, 32), (9, 8, 7)), transparency=(9, 8, 7)),
        (255, 255, 255),
    ),
    "first frame": (
        encode(
            Image.new("RGB", (32, 32), "black"),
            "WEBP",
            save_all=True,
            append_images=[Image.new("RGB", (32, 32), "white")],
            lossless=True,
        ),
        (0, 0, 0),
    ),
}


@pytest.mark.parametrize(("data", "colour"), CONVERTED.values(), ids=CONVERTED.keys())
def test_every_pixel_format_becomes_rgb(data: bytes, colour: tuple[int, int, int]) -> None:
    image = decode_upload(data)
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, int) - colour).max() <= 1


def test_a_palette_with_clear_entries_lies_on_white() -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.paste(1, (16, 0, 32, 32))
    decoded = decode_upload(encode(image, transparency=0))
    assert decoded.getpixel((2, 2)) == (255, 255, 255)
    assert decoded.getpixel((30, 2)) == (40, 50, 60)


def extent(mask: NDArray[np.bool_]) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize("mode", ["letterbox", "crop"])
@pytest.mark.parametrize("size", [(300, 100), (100, 300), (200, 200), (64, 64)])
def test_a_circle_stays_a_circle(mode: Literal["letterbox", "crop"], size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "white")
    middle, radius = (size[0] / 2, size[1] / 2), min(size) / 5
    ImageDraw.Draw(picture).circle(middle, radius, fill="black")
    fitted = fit(picture, 256, 192, mode)
    width, height = extent(np.asarray(fitted.image.convert("L")) < 128)
    scale = (fitted.box[2] - fitted.box[0]) / size[0]
    assert abs(width - height) <= 1
    assert abs(width - 2 * radius * scale) <= 3


@settings(deadline=None)
@given(
    *[st.integers(16, 400)] * 2, *[st.integers(8, 200)] * 2, st.sampled_from(["letterbox", "crop"])
)
def test_fit_scales_both_axes_alike(
    w: int, h: int, width: int, height: int, mode: Literal["letterbox", "crop"]
) -> None:
    fitted = fit(Image.new("L", (w, h)), width, height, mode)
    left, top, right, bottom = fitted.box
    assert fitted.image.size == (width, height)
    scale = (min if mode == "letterbox" else max)(width / w, height / h)
    assert abs(right - left - w * scale) <= 1
    assert abs(bottom - top - h * scale) <= 1
    inside = left >= 0 and top >= 0 and right <= width and bottom <= height
    covers = left <= 0 and top <= 0 and right >= width and bottom >= height
    assert inside if mode == "letterbox" else covers


def test_letterboxed_paper_goes_on_as_paper() -> None:
    sheet = Image.new("RGB", (100, 50), (210, 200, 180))
    ImageDraw.Draw(sheet).line((0, 25, 100, 25), fill="black", width=3)
    canvas = fit(sheet, 100, 100).image
    assert canvas.getpixel((50, 5)) == (210, 200, 180)
    assert fit(sheet, 100, 100, fill=(1, 2, 3)).image.getpixel((50, 5)) == (1, 2, 3)
    assert rim_colour(sheet.convert("L")) == 201


def test_unfit_puts_a_letterboxed_render_back() -> None:
    picture = quarters().resize((240, 160), Image.Resampling.NEAREST)
    fitted = fit(picture, 128, 128)
    back = unfit(fitted.image, fitted.box, *picture.size)
    places = ([30, 30, 120, 120], [40, 200, 40, 200])
    assert back.size == picture.size
    assert (np.asarray(back)[places] == np.asarray(picture)[places]).all()


def test_unfit_of_a_crop_leaves_what_was_lost_empty() -> None:
    picture = Image.new("RGB", (300, 100), "red")
    fitted = fit(picture, 64, 64, "crop")
    back = np.asarray(unfit(fitted.image, fitted.box, 300, 100, fill=(0, 0, 255)))
    assert (back[50, 150] == (255, 0, 0)).all()
    assert (back[50, [10, 290]] == (0, 0, 255)).all()
    assert abs((back[50, :, 0] > 127).sum() - 100) <= 2


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 1000), (512, 512)),
        ((4000, 3000), (512, 384)),
        ((300, 400), (384, 512)),
        ((1000, 333), (512, 168)),
        ((5000, 20), (512, 8)),
    ],
)
def test_canvas_size_keeps_the_aspect_in_multiples(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert canvas_size(*size, long_side=512, multiple=8) == expected
