"""One thin line per stroke, whatever the paper, and contours where nothing was drawn."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tools.edges import drop_specks, extract_edges, find_sheet, resize_edges
from tools.errors import InvalidRequest
from tools.thinning import thin

Picture = NDArray[np.uint8]
Change = Callable[[Picture], Picture]
SIDE = 400  # px of the drawings below


def drawing(
    width: int = 4, ink: str = "#141414", paper: str = "#fcfcfc", side: int = SIDE
) -> Picture:
    """A frame with a cross bar, a ring and a slanted line, drawn large and scaled down smooth."""
    scale = side / SIDE * 4
    image = Image.new("RGB", (side * 4, side * 4), paper)
    pen, pixels = ImageDraw.Draw(image), round(width * 4)

    def at(*places: float) -> list[float]:
        return [place * scale for place in places]

    pen.rectangle(at(60, 180, 220, 340), outline=ink, width=pixels)
    pen.line(at(60, 260, 220, 260), fill=ink, width=pixels)
    pen.circle(at(300, 100), 60 * scale, outline=ink, width=pixels)
    pen.line(at(40, 150, 200, 40), fill=ink, width=pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def noisy(picture: Picture, sigma: float = 4) -> Picture:
    grain = np.random.default_rng(0).normal(0, sigma, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def shaded(picture: Picture, kind: str, strength: float = 0.5) -> Picture:
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] / max(picture.shape)
    light = {
        "corner": 1 - strength * ((x + y) / 2) ** 2,
        "band": 1 - strength / (1 + np.exp((0.6 - x) * 25)),
        "rim": 1 - strength * 2 * ((x - 0.5) ** 2 + (y - 0.5) ** 2),
    }[kind]
    return np.asarray(picture * light[..., None], np.uint8)


def jpeg(picture: Picture, quality: int) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def dusty(picture: Picture) -> Picture:
    places = np.random.default_rng(2).integers(0, picture.shape[0] - 1, (60, 2))
    picture = picture.copy()
    for row, column in places:
        picture[row : row + 2, column : column + 2] = 60
    return picture


def edges_of(picture: Picture) -> NDArray[np.bool_]:
    edges = extract_edges(Image.fromarray(picture))
    assert (edges.mode, edges.size) == ("L", (picture.shape[1], picture.shape[0]))
    assert set(np.unique(np.asarray(edges))) == {0, 255}
    return np.asarray(edges) > 0


def crossings(edges: NDArray[np.bool_], *ends: int) -> list[int]:
    """Places along the row or column from (x0, y0) to (x1, y1) where lines are crossed."""
    x0, y0, x1, y1 = ends
    cut = edges[y0, x0:x1] if y0 == y1 else edges[y0:y1, x0]
    return [int(place) for place in np.flatnonzero(cut)]


PAPERS: dict[str, Picture] = {
    "pen": drawing(),
    "hairline": drawing(width=1),
    "marker": drawing(width=12),
    "grain": noisy(drawing()),
    "pencil": noisy(drawing(ink="#909090"), 6),
    "faint": noisy(drawing(ink="#d8d8d8"), 2),
    "red ink": drawing(ink="#e03020"),
    "yellow ink": drawing(ink="#fae63c"),
    "blueprint": noisy(drawing(ink="#f0f0ff", paper="#1450a0")),
    "blueprint, dark rim": shaded(drawing(ink="#f0f0ff", paper="#1450a0"), "rim"),
    "chalk": noisy(drawing(ink="#e8e6dc", paper="#283c32"), 6),
    "kraft": noisy(drawing(ink="#3c281e", paper="#c8a578")),
    "white on black": drawing(ink="white", paper="black"),
    "white marker on black": drawing(width=14, ink="white", paper="black"),
    "scan, dark corner": noisy(shaded(drawing(), "corner", 0.6)),
    "scan, dark band": noisy(shaded(drawing(), "band")),
    "scan, dark rim": noisy(shaded(drawing(), "rim")),
    "JPEG": jpeg(drawing(), 30),
    "dust": dusty(drawing()),
}


@pytest.mark.parametrize("picture", PAPERS.values(), ids=PAPERS.keys())
def test_a_stroke_is_one_thin_line_in_its_middle(picture: Picture) -> None:
    edges = edges_of(picture)
    for cut, middles in (
        ((0, 220, SIDE, 220), [63, 217]),
        ((140, 160, 140, SIDE), [183 - 160, 260 - 160, 337 - 160]),
        ((150, 100, SIDE, 100), [243 - 150, 357 - 150]),
        ((120, 0, 120, 170), [95]),
    ):
        found = crossings(edges, *cut)
        assert len(found) == len(middles)
        assert np.abs(np.subtract(found, middles)).max() <= 4
    assert (thin(edges.astype(np.uint8)) == edges).all()
    assert cv2.connectedComponents(edges.astype(np.uint8))[0] - 1 == 3


def test_a_wobbly_line_stays_one_line() -> None:
    rng = np.random.default_rng(5)
    places = [(x, 200 + rng.normal(0, 3)) for x in range(20, 385, 12)]
    image = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(image).line(places, fill="black", width=5, joint="curve")
    edges = edges_of(np.asarray(image))
    assert cv2.connectedComponents(edges.astype(np.uint8))[0] - 1 == 1
    assert (edges[:, 30:370].sum(axis=0) <= 4).all()
    assert edges[:, 30:370].sum() < 340 * 1.3


def test_specks_go_wherever_they_lie_and_small_loops_of_a_line_stay() -> None:
    lines = np.zeros((60, 60), np.uint8)
    lines[10, 5:55] = lines[50, 5:55] = lines[10:51, 5] = lines[10:51, 54] = 1
    lines[10:14, 30] = lines[13, 30:34] = lines[10:14, 33] = 1
    dusty_lines = lines.copy()
    dusty_lines[30, 30:33] = dusty_lines[20:23, 20:23] = dusty_lines[3, 3] = 1
    dusty_lines[21, 21] = 0
    assert (drop_specks(dusty_lines, 6) == lines).all()


def test_a_filled_area_gives_its_outline_and_lines_into_it_go_on() -> None:
    picture = drawing().copy()
    cv2.ellipse(picture, (300, 300), (60, 40), 0, 0, 360, (20, 20, 20), -1, cv2.LINE_AA)
    cv2.line(picture, (220, 300), (260, 300), (20, 20, 20), 4, cv2.LINE_AA)
    edges = edges_of(picture)
    assert crossings(edges, 300, 200, 300, SIDE) == pytest.approx([60, 140], abs=2)
    assert cv2.connectedComponents(edges.astype(np.uint8))[0] - 1 == 3
    assert not edges[265:335, 290:310].any()


def ball(side: int = SIDE) -> Picture:
    """A shaded, grainy ball on a floor before a wall: no line anywhere."""
    y, x = np.mgrid[:side, :side] / side
    picture = np.stack([0.4 + 0.3 * y, 0.5 + 0.2 * y, 0.75 - 0.2 * y], -1)
    picture[y > 0.7] = (0.35, 0.25, 0.2)
    dx, dy = (x - 0.5) / 0.25, (y - 0.5) / 0.25
    inside = dx**2 + dy**2 < 1
    dz = np.sqrt(np.clip(1 - dx**2 - dy**2, 0, 1))
    light = 0.2 + 0.7 * np.clip(-0.4 * dx - 0.6 * dy + 0.7 * dz, 0, 1)
    picture[inside] = (light[..., None] * np.array([0.95, 0.5, 0.3]))[inside]
    return noisy((cv2.GaussianBlur(picture, (0, 0), 1) * 255).astype(np.uint8), 3)


@pytest.mark.parametrize("grey", [False, True])
def test_a_photograph_gives_its_contours(grey: bool) -> None:
    picture = ball()
    if grey:
        picture = np.repeat(picture.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert find_sheet(picture) is None
    edges = edges_of(picture)
    angle = np.linspace(0, 2 * np.pi, 360)
    rim = 200 + 100 * np.cos(angle), 200 + 100 * np.sin(angle)
    away = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, 5)
    near = away[rim[1].astype(int).clip(0, SIDE - 1), rim[0].astype(int).clip(0, SIDE - 1)] <= 3
    assert near.mean() > 0.85
    assert crossings(edges, 40, 200, 40, SIDE) == pytest.approx([80], abs=2)
    assert edges.mean() < 0.01


def test_an_outline_in_a_coloured_picture_is_one_line() -> None:
    picture = np.full((SIDE, SIDE, 3), (120, 190, 230), np.uint8)
    cv2.rectangle(picture, (0, 250), (SIDE, SIDE), (90, 140, 60), -1)
    cv2.rectangle(picture, (100, 100), (300, 350), (190, 90, 70), -1)
    plain = edges_of(picture)
    cv2.rectangle(picture, (100, 100), (300, 350), (10, 10, 10), 5)
    outlined = edges_of(picture)
    for edges in (plain, outlined):
        assert crossings(edges, 0, 200, SIDE, 200) == pytest.approx([100, 300], abs=2)
        assert crossings(edges, 50, 0, 50, SIDE) == pytest.approx([250], abs=2)


def test_a_poster_of_flat_shapes_gives_their_outlines() -> None:
    """Was taken for line art with much solid ink, and came out blank."""
    picture = np.full((SIDE, SIDE, 3), (21, 34, 48), np.uint8)
    cv2.rectangle(picture, (0, 280), (SIDE, SIDE), (212, 163, 79), -1)
    cv2.rectangle(picture, (120, 130), (290, 280), (250, 240, 215), -1)
    edges = edges_of(picture)
    assert crossings(edges, 0, 200, SIDE, 200) == pytest.approx([120, 290], abs=2)
    assert crossings(edges, 50, 0, 50, SIDE) == pytest.approx([280], abs=2)


def blank(level: int) -> Picture:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


BLANKS: dict[str, Picture] = {
    "white": blank(255),
    "black": blank(0),
    "grey": blank(128),
    "grain": noisy(blank(245)),
    "coarse grain": noisy(blank(235), 8),
    "dark grain": noisy(blank(10)),
    "corner": noisy(shaded(blank(245), "corner", 0.6)),
    "band": noisy(shaded(blank(245), "band", 0.4), 3),
    "rim": noisy(shaded(blank(245), "rim"), 3),
    "ramp": noisy(
        np.tile(np.linspace(60, 250, SIDE)[None, :, None], (SIDE, 1, 3)).astype(np.uint8)
    ),
    "dust": dusty(noisy(blank(245))),
    "JPEG": jpeg(noisy(shaded(blank(240), "corner")), 40),
    "smallest": np.full((16, 16, 3), 250, np.uint8),
}


@pytest.mark.parametrize("picture", BLANKS.values(), ids=BLANKS.keys())
def test_a_blank_sheet_is_said_to_be_blank(picture: Picture) -> None:
    with pytest.raises(InvalidRequest) as error:
        extract_edges(Image.fromarray(picture))
    assert error.value.code == "blank_sketch"
    assert "draw lines" in error.value.message


@pytest.mark.parametrize("size", [(16, 16), (16, 900), (900, 16), (33, 65), (128, 127)])
@pytest.mark.parametrize("kind", ["drawing", "photograph", "noise"])
def test_every_size_works(size: tuple[int, int], kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    picture = {"drawing": drawing(12), "photograph": ball(), "noise": noise}[kind]
    edges = extract_edges(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST))
    assert edges.size == size


@pytest.mark.parametrize("size", [(16_384, 16), (16, 16_384)])
def test_an_empty_sliver_is_blank(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidRequest, match="blank"):
        extract_edges(Image.new("RGB", size, "white"))


def test_a_picture_of_many_megapixels_has_the_lines_of_a_smaller_one() -> None:
    large = Image.fromarray(drawing(side=1200)).resize((3600, 3600), Image.Resampling.NEAREST)
    edges = np.asarray(extract_edges(large)) > 0
    assert cv2.connectedComponents(edges.astype(np.uint8))[0] - 1 == 3
    assert crossings(edges, 0, 1980, 3600, 1980) == pytest.approx([546, 1974], abs=5)


def test_a_megapixel_keeps_every_line_at_128_px() -> None:
    large = Image.fromarray(np.uint8(edges_of(drawing(width=1, side=1024))) * np.uint8(255))
    small = np.asarray(resize_edges(large, 128, 128)) > 0
    assert set(np.unique(np.asarray(resize_edges(large, 128, 128)))) == {0, 255}
    assert (thin(small.astype(np.uint8)) == small).all()
    assert cv2.connectedComponents(small.astype(np.uint8))[0] - 1 == 3
    assert crossings(small, 0, 70, 128, 70) == pytest.approx([19, 70], abs=1)
    assert crossings(small, 45, 52, 45, 128) == pytest.approx([6, 31, 56], abs=1)


@pytest.mark.parametrize("size", [(128, 128), (97, 31), (400, 400), (1000, 1000), (777, 333)])
def test_resizing_keeps_lines_connected_and_thin(size: tuple[int, int]) -> None:
    edges = Image.fromarray(np.uint8(edges_of(drawing())) * np.uint8(255))
    resized = np.asarray(resize_edges(edges, *size))
    lines = (resized > 0).astype(np.uint8)
    assert resized.shape == size[::-1]
    assert (thin(lines) == lines).all()
    assert cv2.connectedComponents(lines)[0] - 1 == 3
    assert len(crossings(lines > 0, 0, round(size[1] * 0.6), size[0], round(size[1] * 0.6))) == 2
