"""Where the parts of a chart go, in the units of its own box: the templates draw them, in the page's colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.report.axes import LETTER, Frame, Tick, axis, tick_label, ticks
from evals.report.words import number
from evals.statistics import Estimate
from evals.suite import Matrix, Plot, Series

WIDTH, HEIGHT = 480, 320  # of a plot
CARD = (300, 150)  # of a histogram
COLOURS = 6  # that the page knows, --c1 to --c6, then they begin again
BINS = 20
ROWS = 60  # of the table beside a plot; more of them nobody reads


@dataclass(frozen=True, slots=True)
class Dot:
    """A point, with what it says when asked."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """The name of a point, where it covers nothing."""

    x: float
    y: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One series: a line, dots, or both."""

    name: str
    colour: int  # 1 to COLOURS
    line: str = ""  # an SVG path
    dots: tuple[Dot, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()  # of the table beside


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Two axes and what is between them."""

    title: str
    x: str
    y: str
    note: str
    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Drawn, ...]
    bars: tuple[Bar, ...] = ()
    labels: tuple[Label, ...] = ()
    diagonal: str = ""  # an SVG path

    @property
    def says(self) -> str:
        """The chart in a sentence, for those who cannot see it."""
        names = ", ".join(drawn.name for drawn in self.series)
        return f"{self.y} over {self.x}. {names}. {self.note}".strip()


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value with its interval on a line, and what else got a value there."""

    low: str  # what the ends of the line say
    high: str
    x: float
    span: tuple[float, float]
    controls: tuple[Dot, ...]
    baseline: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a matrix."""

    text: str
    shade: float  # 0 to 1
    below: bool  # zero


@dataclass(frozen=True, slots=True)
class Shaded:
    """A table of shaded cells."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def draw_plot(plot: Plot) -> Chart:
    """A chart of the finite points of `plot`."""
    known = [
        [
            (x, y, label)
            for (x, y), label in zip(s.points, _names(s), strict=True)
            if math.isfinite(x) and math.isfinite(y)
        ]
        for s in plot.series
    ]
    xs = [x for points in known for x, _, _ in points] or [0.0, 1.0]
    ys = [y for points in known for _, y, _ in points] or [0.0, 1.0]
    frame = Frame(WIDTH, HEIGHT, axis(xs), axis(ys))
    series = tuple(
        _series(s, points, frame, 1 + place % COLOURS)
        for place, (s, points) in enumerate(zip(plot.series, known, strict=True))
    )
    low = max(frame.x_values[0], frame.y_values[0])
    high = min(frame.x_values[-1], frame.y_values[-1])
    diagonal = f"M{frame.x(low)} {frame.y(low)}L{frame.x(high)} {frame.y(high)}"
    named = [(frame.x(x), frame.y(y), label) for points in known for x, y, label in points if label]
    return _chart(
        frame,
        plot.title,
        plot.x,
        plot.y,
        plot.note,
        series=series,
        labels=_labels(list(dict.fromkeys(named)), frame, plot.y),
        diagonal=diagonal if plot.diagonal and high > low else "",
    )


def draw_histogram(
    values: Sequence[float], controls: Mapping[str, Sequence[float]], x: str
) -> Chart:
    """How the scores of one metric are spread, as bars, and those of each control, as outlines."""
    along = axis([*values, *(v for of in controls.values() for v in of)])
    edges = np.linspace(along[0], along[-1], BINS + 1)
    counts, *others = [
        np.histogram(np.clip(of, edges[0], edges[-1]), edges)[0]
        for of in (values, *controls.values())
    ]
    shares = [of / max(of.sum(), 1) for of in (counts, *others)]
    peak = max(float(share.max()) for share in shares)
    frame = Frame(*CARD, along, ticks(0, peak, 2), foot=24)
    bars = tuple(
        Bar(
            frame.x(low),
            frame.y(share),
            max(frame.x(high) - frame.x(low) - 1, 1),
            frame.bottom - frame.y(share),
            f"{number(low)} to {number(high)}: {n}",
        )
        for low, high, share, n in zip(edges[:-1], edges[1:], shares[0], counts, strict=True)
        if n
    )
    outlines = tuple(
        Drawn(name, 2 + place % (COLOURS - 1), _outline(edges, share, frame))
        for place, (name, share) in enumerate(zip(controls, shares[1:], strict=True))
    )
    return _chart(frame, x, "", "share of cases", "", series=outlines, bars=bars)


def draw_whisker(
    estimate: Estimate, controls: Mapping[str, float], baseline: float | None
) -> Whisker | None:
    """The estimate on a line 100 wide, from 0 to 1, or between round numbers where that is not its range."""
    there = [*estimate, *controls.values(), *([] if baseline is None else [baseline])]
    if not all(map(math.isfinite, there)):
        return None
    inside = min(there) >= 0 and max(there) <= 1
    wide = max(there) > 0.1 or not any(there)
    axis = [0.0, 1.0] if inside and wide else ticks(min(0, *there), max(0, *there), 4)
    step = axis[1] - axis[0]

    def at(value: float) -> float:
        return round(100 * (value - axis[0]) / (axis[-1] - axis[0]), 2)

    return Whisker(
        tick_label(axis[0], step),
        tick_label(axis[-1], step),
        at(estimate.value),
        (at(estimate.low), at(estimate.high)),
        tuple(Dot(at(v), 0, f"{name} {number(v)}") for name, v in controls.items()),
        None if baseline is None else at(baseline),
    )


def draw_matrix(matrix: Matrix) -> Shaded:
    """The cells of `matrix`, the largest one the darkest."""
    most = max((abs(v) for row in matrix.values for v in row if math.isfinite(v)), default=0) or 1
    whole = all(float(v).is_integer() for row in matrix.values for v in row if math.isfinite(v))

    def cell(value: float) -> Cell:
        if not math.isfinite(value):
            return Cell("–", 0, False)
        text = f"{value:,.0f}" if whole else f"{value:.2f}"
        return Cell(text if value else "·", round(abs(value) / most, 3), value < 0)

    return Shaded(
        matrix.title,
        matrix.note,
        tuple(matrix.columns),
        tuple(
            (name, tuple(map(cell, row)))
            for name, row in zip(matrix.rows, matrix.values, strict=True)
        ),
    )


def _names(series: Series) -> Sequence[str]:
    missing = len(series.points) - len(series.labels)
    return [*series.labels[: len(series.points)], *[""] * missing]


def _series(
    series: Series, points: Sequence[tuple[float, float, str]], frame: Frame, colour: int
) -> Drawn:
    places = [(frame.x(x), frame.y(y)) for x, y, _ in points]
    line = ""
    if series.marks == "line":
        line = "M" + "L".join(f"{x} {y}" for x, y in places) if places else ""
    elif series.marks == "steps" and places:
        line = f"M{places[0][0]} {places[0][1]}" + "".join(f"H{x}V{y}" for x, y in places[1:])
    rows = [(label, number(x), number(y)) for x, y, label in points]
    few = series.marks == "dots" or len(points) <= 24
    dots = tuple(
        Dot(x, y, " ".join(filter(None, (series.name, *row))))
        for (x, y), row in zip(places, rows, strict=True)
        if few
    )
    return Drawn(series.name, colour, line, dots, tuple(rows[:: 1 + len(rows) // ROWS]))


def _outline(edges: np.ndarray, shares: np.ndarray, frame: Frame) -> str:
    """The upper edge of the bars, with gaps where there are none."""
    path, before = "", 0.0
    for start, end, share in zip(edges[:-1], edges[1:], shares, strict=True):
        if share and not before:
            path += f"M{frame.x(start)} {frame.bottom}"
        if share or before:
            path += f"V{frame.y(share)}" + (f"H{frame.x(end)}" if share else "")
        before = share
    return path + (f"V{frame.bottom}" if before else "")


def _labels(
    named: Sequence[tuple[float, float, str]], frame: Frame, title: str
) -> tuple[Label, ...]:
    """Each name beside its point where it covers no other point or name; one that fits nowhere is left to the table."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y, _ in named]
    taken.append((0, 0, len(title) * LETTER, 18))
    found = []
    for x, y, text in named:
        wide = len(text) * LETTER
        for label, box in (
            (Label(x + 9, y + 4, "start", text), (x + 8, y - 7, x + 9 + wide, y + 7)),
            (Label(x - 9, y + 4, "end", text), (x - 9 - wide, y - 7, x - 8, y + 7)),
            (Label(x, y - 9, "middle", text), (x - wide / 2, y - 21, x + wide / 2, y - 6)),
            (Label(x, y + 19, "middle", text), (x - wide / 2, y + 6, x + wide / 2, y + 22)),
        ):
            inside = box[0] > frame.left and box[2] < frame.width and box[1] > 0
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append(label)
                break
    return tuple(found)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _chart(
    frame: Frame,
    title: str,
    x: str,
    y: str,
    note: str,
    *,
    series: tuple[Drawn, ...],
    bars: tuple[Bar, ...] = (),
    labels: tuple[Label, ...] = (),
    diagonal: str = "",
) -> Chart:
    return Chart(
        title,
        x,
        y,
        note,
        frame.width,
        frame.height,
        frame.left,
        frame.right,
        frame.top,
        frame.bottom,
        frame.x_ticks(),
        frame.y_ticks(frame.bottom, frame.top),
        series,
        bars,
        labels,
        diagonal,
    )
