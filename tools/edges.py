"""From a sketch, a scan or a photograph to its edge map: thin white lines on black."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from PIL import Image

from tools.errors import InvalidRequest
from tools.thinning import thin

LARGEST = 2048  # px, the longer side at which larger pictures are traced
SAMPLE = 200  # pixels along the longer side, to learn the statistics of a picture from
TILES = 96  # along the longer side, to tell light from ink
PAPER_SPREAD = 0.15  # how far bare paper may lie from the even light, relative
SOLID = 0.35  # a tile below this share of the even light is filled with ink
MAX_TONE = 0.06  # share of tiles neither paper nor solid up to which a picture is line art
MAX_SOLID = 0.25  # share of solid tiles up to which a picture is line art
FAINTEST = 16  # least darkness of ink, of 255
INK_SHARE = 0.25  # of the darkness of a drawing's own ink, from which a pixel counts as ink
FILL_RATIO = 3.0  # a shape this many times as wide as the usual stroke is filled, not drawn
LEAST_STEP = 8  # levels of brightness a contour must rise
OUTLINE_STEP = 48  # levels of brightness by which an outline differs from both its sides
OUTLINE_WIDTH = 0.024  # of an outline at most, as a share of the longer side
MAX_OUTLINES = 0.08  # share of a picture that outlines may cover
STROKE_SPECK = 0.006  # a shorter stroke is a speck, as a share of the longer side
CONTOUR_SPECK = 0.015  # a shorter contour is a speck, as a share of the longer side


@dataclass(frozen=True, slots=True)
class Sheet:
    """Line art as dark strokes on light paper; both planes (height, width) uint8."""

    grey: MatLike
    light: MatLike  # what `grey` would be without the strokes, never 0


def extract_edges(image: Image.Image) -> Image.Image:
    """Return the lines of an RGB image as white (255) on black (0), mode L, same size.

    Line art (see `find_sheet`) gives one line per stroke and the outline of a filled area; any
    other picture gives its contours. Specks are dropped. A picture larger than `LARGEST` is traced
    at that size. Raises `InvalidRequest` with code `blank_sketch` when no line is left.
    """
    if max(image.size) > LARGEST:
        smaller = image.copy()
        smaller.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
        return resize_edges(extract_edges(smaller), *image.size)
    pixels = np.asarray(image)
    sheet = find_sheet(pixels)
    if sheet is None:
        lines = drop_specks(trace_contours(pixels), CONTOUR_SPECK * max(image.size))
    else:
        lines = drop_specks(trace_strokes(sheet), STROKE_SPECK * max(image.size))
    if not lines.any():
        raise InvalidRequest(
            "The sketch is blank: draw lines that stand out from the paper, then send it again.",
            code="blank_sketch",
        )
    return _to_image(lines)


def resize_edges(edge_map: Image.Image, width: int, height: int) -> Image.Image:
    """Resize an edge map to (width, height) px; every line stays connected and one pixel wide.

    Made smaller, a pixel is set where any line pixel falls into it; no line is averaged away.
    """
    lines = np.asarray(edge_map) > 127
    rows, columns = np.nonzero(lines)
    size = (min(height, edge_map.height), min(width, edge_map.width))
    pooled = np.zeros(size, np.uint8)
    pooled[rows * size[0] // edge_map.height, columns * size[1] // edge_map.width] = 255
    grown = cv2.resize(pooled, (width, height), interpolation=cv2.INTER_LINEAR)
    # A diagonal line hangs together by corners, where interpolation leaves less than half.
    return _to_image(thin(cv2.threshold(grown, 85, 1, cv2.THRESH_BINARY)[1]))


def _to_image(lines: MatLike) -> Image.Image:
    return Image.fromarray(np.multiply(lines, 255, out=lines))


def find_sheet(pixels: MatLike) -> Sheet | None:
    """Return the sheet of a drawing in `pixels` (height, width, 3), None when it is not line art.

    Line art is paper under soft light that carries strokes: nearly every tile of the picture holds
    some bare paper, whose brightness changes but slowly over the sheet, or is solid ink. So the
    brightest pixel of each tile is compared with the very smooth trend of its like: at most
    `MAX_TONE` of the tiles are neither near it nor solid, at most `MAX_SOLID` are solid. Light
    strokes on dark count too.
    """
    grey = _dark_on_light(pixels)
    step = max(4, max(grey.shape) // TILES)
    window = np.ones((2 * step + 1, 2 * step + 1), np.uint8)
    rows, columns = (slice(min(step, side) // 2, None, step) for side in grey.shape)
    brightest = cv2.dilate(grey, window)[rows, columns]
    # Mirrored oddly, a shadow that falls off towards the rim goes on falling beyond it.
    beyond = np.pad(brightest.astype(np.int16), 10, mode="reflect", reflect_type="odd")
    paper = cv2.medianBlur(beyond.clip(0, 255).astype(np.uint8), 21)[10:-10, 10:-10]
    bare = paper > SOLID * np.percentile(paper, 95)
    if not bare.any():
        return None
    even = brightest / _spread(paper, bare, TILES / 6)
    solid = even < SOLID
    tone = ~solid & (np.abs(even - 1) > PAPER_SPREAD)
    if tone.mean() > MAX_TONE or solid.mean() > MAX_SOLID:
        return None
    if not bare.all():
        paper = np.where(bare, paper, _spread(paper, bare, TILES / 16)).astype(np.uint8)
    return Sheet(grey, cv2.resize(paper, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _dark_on_light(pixels: MatLike) -> MatLike:
    """Return the plane in which ink of any colour is darkest, inverted for light ink on dark."""
    sample = _sample(pixels)
    lightness = cv2.addWeighted(_fold(cv2.min, sample), 0.5, _fold(cv2.max, sample), 0.5, 0)
    coarse = cv2.resize(lightness, (TILES, TILES), interpolation=cv2.INTER_AREA)
    stands_out = coarse.astype(np.float32) - cv2.medianBlur(coarse, 21)
    stands_out[np.abs(stands_out) < 4] = 0
    light_on_dark = (stands_out**3).sum() > 0
    if light_on_dark:
        grey = _fold(cv2.max, pixels)
        grey = cv2.bitwise_not(grey, dst=grey)
    else:
        grey = _fold(cv2.min, pixels)
    return cv2.GaussianBlur(grey, (3, 3), 0, dst=grey)


def _fold(pick: Callable[..., MatLike], pixels: MatLike) -> MatLike:
    """Return the plane of `pick` (cv2.min or cv2.max) over the three channels."""
    red, green, blue = cv2.split(pixels)
    return pick(pick(red, green, dst=red), blue, dst=red)


def _sample(plane: MatLike) -> MatLike:
    height, width = plane.shape[:2]
    share = min(1, SAMPLE / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    return cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)


def _spread(values: MatLike, known: MatLike, sigma: float) -> MatLike:
    """Blur the known values, over the unknown ones too; never below 1."""
    if known.all():
        return np.maximum(cv2.GaussianBlur(values.astype(np.float32), (0, 0), sigma), 1)
    weight = known.astype(np.float32)
    total = cv2.GaussianBlur(values * weight, (0, 0), sigma)
    return np.maximum(total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-6), 1)


def trace_strokes(sheet: Sheet) -> MatLike:
    """Return the centre line of every stroke and the outline of every filled area, 0 or 1.

    Ink is what lies clear of the paper's noise, and is a good part as dark as the drawing's ink.
    """
    depth = cv2.subtract(sheet.light, sheet.grey)
    darkness = cv2.divide(depth, sheet.light, scale=255)
    noisiest = _paper_level(depth, deviations=6)
    faintest = _paper_level(darkness) + FAINTEST
    ink = _sample(darkness)[_sample(depth) > noisiest]
    ink = ink[ink > faintest]
    if not ink.size:
        return np.zeros_like(depth)
    level = max(faintest, INK_SHARE * float(np.percentile(ink, 90)))
    _, dark = cv2.threshold(darkness, level, 1, cv2.THRESH_BINARY, dst=darkness)
    _, clear = cv2.threshold(depth, noisiest, 1, cv2.THRESH_BINARY, dst=depth)
    return thin(_hollow(cv2.min(dark, clear, dst=dark)))


def _paper_level(plane: MatLike, deviations: float = 0) -> float:
    """Return the median of `plane`, which is paper, plus so many of its standard deviations."""
    sample = _sample(plane).astype(np.int16)
    median = np.median(sample)
    return float(median + deviations * 1.4826 * np.median(np.abs(sample - median)))


def _hollow(mask: MatLike) -> MatLike:
    """Empty the filled areas of a 0 or 1 mask, leaving their outline of one pixel."""
    depth = cv2.distanceTransform(mask, cv2.DIST_L1, 3, dstType=cv2.CV_8U)
    highest = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    ridge = cv2.compare(depth, highest, cv2.CMP_EQ, dst=highest)
    count = cv2.calcHist([depth], [0], ridge, [255], [1, 256]).cumsum()
    usual = 1 + int(np.searchsorted(count, count[-1] / 2))  # half the width of the median stroke
    reach = max(4, FILL_RATIO * usual)
    _, core = cv2.threshold(depth, reach, 1, cv2.THRESH_BINARY, dst=depth)
    if not core.any():
        return mask
    side = 2 * round(1.2 * reach) + 1  # 1.2: into the corners of an area at an angle
    filled = cv2.min(mask, cv2.dilate(core, np.ones((side, side), np.uint8)))
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.subtract(mask, cv2.erode(filled, cross))


def trace_contours(
    pixels: MatLike, strictness: float = 1, max_outlines: float = MAX_OUTLINES
) -> MatLike:
    """Return the contours of a photograph or render (height, width, 3), 0 or 1.

    They are Canny's (see `find_steps` for `strictness`), but an outline drawn within the picture is
    one stroke, not its two sides, unless outlines would cover `max_outlines` of it.
    """
    outlines = _outlines(pixels, max_outlines)
    sides = cv2.dilate(outlines, np.ones((5, 5), np.uint8))
    return cv2.max(cv2.subtract(find_steps(pixels, strictness), sides), thin(outlines))


def find_steps(pixels: MatLike, strictness: float = 1) -> MatLike:
    """Return the edges that Canny finds in (height, width, 3), 0 or 1, thresholds from the picture.

    Canny runs on the smoothed colours, each pixel taking its steepest channel. The high threshold
    is `strictness` times Otsu's over the slopes of this very picture (N. Otsu, IEEE Trans. SMC
    9(1), 1979), at least that of a step of `LEAST_STEP` levels; the low one is 0.4 of it.
    """
    sigma = _sigma(pixels)
    smooth = cv2.GaussianBlur(pixels, (0, 0), sigma)
    across = cv2.Sobel(smooth, cv2.CV_16S, 1, 0)
    down = cv2.Sobel(smooth, cv2.CV_16S, 0, 1)
    slope = np.hypot(across[::2, ::2].astype(np.float32), down[::2, ::2]).max(axis=2)
    otsu, _ = cv2.threshold(slope.clip(0, 255).astype(np.uint8), 0, 1, cv2.THRESH_OTSU)
    # A step blurred by sigma rises by 1 / (sigma sqrt(2 pi)) of itself a pixel; Sobel's gain is 8.
    high = max(strictness * otsu, 8 * LEAST_STEP / (sigma * np.sqrt(2 * np.pi)))
    return np.minimum(cv2.Canny(across, down, 0.4 * high, high, L2gradient=True), 1)


def _sigma(pixels: MatLike) -> float:
    """Return the blur in px that takes grain off a picture of this size."""
    return max(1.0, float(max(pixels.shape)) / 366)


def _outlines(pixels: MatLike, most: float) -> MatLike:
    """Return the long narrow strokes that stand out on both sides, 0 or 1, unless it is busy."""
    longer = max(pixels.shape)
    smooth = cv2.GaussianBlur(pixels, (0, 0), _sigma(pixels) / 2)
    side = 2 * round(OUTLINE_WIDTH * longer / 2) + 1
    window = np.ones((side, side), np.uint8)
    found = []
    for form in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT):
        rise = _fold(cv2.max, cv2.morphologyEx(smooth, form, window))
        narrow = cv2.threshold(rise, OUTLINE_STEP, 1, cv2.THRESH_BINARY)[1]
        found.append(drop_specks(narrow, 0.05 * longer))
    # In a busy photograph the gaps between things would pass for strokes.
    if cv2.max(found[0], found[1]).mean() >= most:
        return np.zeros_like(found[0])
    fewer, more = sorted(found, key=lambda strokes: int(strokes.sum()))
    # Light between two dark strokes is a gap, and dark between two light ones.
    apart = cv2.subtract(fewer, cv2.dilate(more, np.ones((5, 5), np.uint8)))
    return cv2.max(more, drop_specks(apart, 0.05 * longer))


def drop_specks(lines: MatLike, extent: float) -> MatLike:
    """Return `lines` without the connected pieces less than `extent` px both wide and high."""
    contours, tree = cv2.findContours(lines, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    specks = [
        contour
        for contour, (_, _, _, parent) in zip(contours, tree[0] if contours else (), strict=True)
        if parent < 0 and max(cv2.boundingRect(contour)[2:]) < extent
    ]
    return cv2.drawContours(lines.copy(), specks, -1, 0, cv2.FILLED) if specks else lines
