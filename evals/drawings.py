"""Line drawings written by hand: strokes on a sheet, and the picture that a person would upload of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from evals.data import SPLITS, DatasetError, read_rows

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "drawings.toml"
SHEETS = {"square": (100, 100), "wide": (100, 75), "tall": (75, 100)}  # width, height
SIDE = 512  # px, the longer side of the picture
PEN = 0.8  # width of a stroke, where none is given
SMOOTH = 12  # points of a curve between two that are given
ROUND = 6  # degrees between two points of an arc
FINER = 4  # times as fine as the picture is drawn, to smooth the ink's edge

Points = NDArray[np.float64]  # (n, 2), x and y in hundredths of the longer side, y down


@dataclass(frozen=True, slots=True)
class Drawing:
    """A line drawing, free of any resolution."""

    name: str
    kind: str
    says: str  # what it shows, as a person would call it
    split: str
    sheet: tuple[int, int]  # width, height in hundredths of the longer side
    pen: float  # width of the strokes, in hundredths of the longer side
    strokes: tuple[Points, ...]
    straight: tuple[bool, ...]  # of each stroke: whether it is made of straight pieces


@cache
def load_drawings() -> Mapping[str, Drawing]:
    """Every drawing by name. Raises `DatasetError`, which names the line of a stroke that cannot be read."""
    fields: dict[str, type] = {
        "name": str,
        "kind": str,
        "says": str,
        "split": str,
        "sheet?": str,
        "pen?": float,
        "strokes": list,
    }
    found = {}
    for row in read_rows(FILE, "drawing", fields):
        if row["name"] in found:
            raise _wrong(row, f"there is another drawing {row['name']!r}")
        found[row["name"]] = _drawing(row)
    return found


def sketch(drawing: Drawing, side: int = SIDE) -> Image:
    """The RGB picture of a drawing, black ink on white paper, its longer side `side` px."""
    from PIL import Image

    scale = FINER * side / 100
    width, height = (round(scale * length) for length in drawing.sheet)
    paper = np.full((height, width), 255, np.uint8)
    strokes = [np.round(stroke * scale).astype(np.int32) for stroke in drawing.strokes]
    cv2.polylines(paper, strokes, False, 0, max(FINER, round(drawing.pen * scale)))
    return Image.fromarray(paper).reduce(FINER).convert("RGB")


def straight_lines(drawing: Drawing, least: float) -> Points:
    """The straight pieces of at least `least` hundredths of the longer side: (n, 2 ends, 2), in hundredths."""
    pieces = [
        (start, end)
        for stroke, straight in zip(drawing.strokes, drawing.straight, strict=True)
        if straight
        for start, end in pairwise(stroke)
        if np.hypot(*(end - start)) >= least
    ]
    return np.array(pieces).reshape(-1, 2, 2)


def _drawing(row: Mapping[str, Any]) -> Drawing:
    sheet = row.get("sheet", "square")
    if sheet not in SHEETS:
        raise _wrong(row, f"sheet {sheet!r} is none of {', '.join(SHEETS)}")
    if row["split"] not in SPLITS:
        raise _wrong(row, f"split {row['split']!r} is none of {', '.join(SPLITS)}")
    pen = row.get("pen", PEN)
    if not 0.2 <= pen <= 4:
        raise _wrong(row, f"a pen is 0.2 to 4 wide, not {pen}")
    if not row["strokes"]:
        raise _wrong(row, "there is no stroke")
    strokes: list[Points] = []
    straight: list[bool] = []
    for text in row["strokes"]:
        try:
            shape, *rest = str(text).split()
            made = SHAPES[shape](np.array([float(number) for number in rest]))
        except (KeyError, ValueError, IndexError) as error:
            raise _wrong(row, f"no stroke is written {text!r:.60}; see drawings.md") from error
        strokes += made
        straight += [shape in STRAIGHT] * len(made)
    points = np.concatenate(strokes)
    outside = ~((points >= 0) & (points <= SHEETS[sheet])).all(1)
    if outside.any():
        worst = points[outside][0]
        raise _wrong(row, f"the pen leaves the sheet at {worst.round(1).tolist()}")
    return Drawing(
        row["name"],
        row["kind"],
        row["says"],
        row["split"],
        SHEETS[sheet],
        pen,
        tuple(strokes),
        tuple(straight),
    )


def _wrong(row: Mapping[str, Any], what: str) -> DatasetError:
    return DatasetError(f"{FILE}, line {row['line']}, {row['name']}: {what}.")


def _line(numbers: Points) -> list[Points]:
    """x y x y ..."""
    points = numbers.reshape(-1, 2)
    if len(points) < 2:
        raise ValueError("a line has two ends")
    return [points]


def _lines(numbers: Points) -> list[Points]:
    """x y x y of each of several lines."""
    return list(numbers.reshape(-1, 2, 2))


def _poly(numbers: Points) -> list[Points]:
    """x y x y ..., and back to the first."""
    (points,) = _line(numbers)
    return [np.vstack([points, points[:1]])]


def _box(numbers: Points) -> list[Points]:
    """left top right bottom of each of several boxes."""
    return [
        np.array([[a, b], [c, b], [c, d], [a, d], [a, b]]) for a, b, c, d in numbers.reshape(-1, 4)
    ]


def _grid(numbers: Points) -> list[Points]:
    """left top right bottom columns rows share: equal boxes, each taking `share` of its cell both ways."""
    left, top, right, bottom, columns, rows, share = numbers
    wide, high = (right - left) / columns, (bottom - top) / rows
    boxes = [
        [left + c * wide, top + r * high, left + (c + share) * wide, top + (r + share) * high]
        for r in range(int(rows))
        for c in range(int(columns))
    ]
    gap = (1 - share) / 2 * np.array([wide, high, wide, high])
    return _box((np.array(boxes) + gap).ravel())


def _oval(numbers: Points) -> list[Points]:
    """x y across down of each of several ellipses, the latter two from the middle."""
    return [_turn(x, y, across, down, 0, 360) for x, y, across, down in numbers.reshape(-1, 4)]


def _arc(numbers: Points) -> list[Points]:
    """x y across down from to: degrees, 0 to the right, 90 down."""
    return [
        _turn(x, y, across, down, start, end)
        for x, y, across, down, start, end in numbers.reshape(-1, 6)
    ]


def _turn(x: float, y: float, across: float, down: float, start: float, end: float) -> Points:
    angles = np.radians(np.linspace(start, end, max(2, 1 + round(abs(end - start) / ROUND))))
    return np.stack([x + across * np.cos(angles), y + down * np.sin(angles)], 1)


def _curve(numbers: Points) -> list[Points]:
    """x y x y ...: a smooth line through all of them (E. Catmull and R. Rom, 1974)."""
    (points,) = _line(numbers)
    return [_smooth(np.vstack([points[:1], points, points[-1:]]))]


def _loop(numbers: Points) -> list[Points]:
    """x y x y ...: a smooth closed line through all of them."""
    (points,) = _line(numbers)
    return [_smooth(np.vstack([points[-1:], points, points[:2]]))]


def _smooth(points: Points) -> Points:
    t = np.linspace(0, 1, SMOOTH, endpoint=False)[:, None]
    before, here, there, after = points[:-3], points[1:-2], points[2:-1], points[3:]
    pieces = [
        b
        + t * (c - a) / 2
        + t**2 * (a - 2.5 * b + 2 * c - d / 2)
        + t**3 * (1.5 * (b - c) + (d - a) / 2)
        for a, b, c, d in zip(before, here, there, after, strict=True)
    ]
    return np.vstack([*pieces, points[-2:-1]])


SHAPES: dict[str, Callable[[Points], list[Points]]] = {
    "line": _line,
    "lines": _lines,
    "poly": _poly,
    "box": _box,
    "grid": _grid,
    "oval": _oval,
    "arc": _arc,
    "curve": _curve,
    "loop": _loop,
}
STRAIGHT = {"line", "lines", "poly", "box", "grid"}
