"""How much of the sketch and of the style a render kept."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from tools.edges import trace_contours

RENDER_STRICTNESS = 0.6  # of Otsu's threshold: a soft line in a render with hard ones still counts
RENDER_OUTLINES = 0.15  # share of a render that its outlines may cover: many are drawn in ink
PALETTE_SIDE = 96  # px, of the picture whose colours are counted

Distances = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GeometryScores:
    """Shares, 0 .. 1."""

    kept: float  # of the edge map's pixels, with a render edge in reach: recall
    invented: float  # of the render's edge pixels, with no line of the edge map in reach
    f1: float  # harmonic mean of `kept` and 1 - `invented`


@dataclass(frozen=True, slots=True)
class EdgeDistances:
    """How far apart the lines of an edge map and the edges of a render lie, in px at their size."""

    of_lines: Distances  # (n,) from each pixel of the edge map to the nearest edge of the render
    of_edges: Distances  # (m,) from each edge pixel of the render to the nearest line

    def scores(self, tolerance_px: float) -> GeometryScores:
        """What corresponds within `tolerance_px`. All 0 without an edge on either side."""
        if not len(self.of_lines) or not len(self.of_edges):
            return GeometryScores(kept=0.0, invented=0.0, f1=0.0)
        kept = float((self.of_lines <= tolerance_px).mean())
        wanted = float((self.of_edges <= tolerance_px).mean())
        f1 = 2 * kept * wanted / (kept + wanted) if kept + wanted else 0.0
        return GeometryScores(kept=kept, invented=1 - wanted, f1=f1)


def edge_distances(edge_map: Image.Image, render: Image.Image) -> EdgeDistances:
    """Measure from an edge map (mode L) to the `render_edges` of an RGB render of its size, and back.

    Where there is no edge to reach, the distance is the diagonal of the picture. Raises `ValueError`
    when the sizes differ.
    """
    if edge_map.size != render.size:
        raise ValueError(f"edge map {edge_map.size} and render {render.size} differ in size")
    lines = (np.asarray(edge_map) > 127).astype(np.uint8)
    edges = render_edges(render)
    return EdgeDistances(_reach(edges)[lines > 0], _reach(lines)[edges > 0])


def render_edges(render: Image.Image) -> MatLike:
    """Return the edges of an RGB render that count in `edge_distances`: (height, width), 0 or 1.

    A painted outline is one edge. By its two sides it would reach a pixel farther than it should, and
    be in its place by neither.
    """
    return trace_contours(np.asarray(render), RENDER_STRICTNESS, RENDER_OUTLINES)


def geometry_scores(
    edge_map: Image.Image, render: Image.Image, tolerance_px: float = 2
) -> GeometryScores:
    """Compare an edge map (mode L) with the edges of its RGB render, both of one size.

    Edges correspond within `tolerance_px` px at that size. This is the boundary F-measure of D. R.
    Martin, C. C. Fowlkes and J. Malik, IEEE TPAMI 26(5), 2004, with the distance transform instead
    of one-to-one matching. All scores are 0 without an edge on either side. Raises `ValueError` when
    the sizes differ.
    """
    return edge_distances(edge_map, render).scores(tolerance_px)


def _reach(mask: MatLike) -> Distances:
    """(height, width) px to the nearest pixel of a 0 or 1 mask."""
    if not mask.any():
        return np.full(mask.shape, np.hypot(*mask.shape), np.float32)
    distance = cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32)


@dataclass(frozen=True, slots=True)
class Palette:
    """The main colours of a picture, the most frequent first."""

    colours: NDArray[np.float32]  # (n, 3) CIE L*a*b* under D65: L* 0 .. 100
    shares: NDArray[np.float32]  # (n,) of the pixels, sum 1


def palette(image: Image.Image, k: int = 5) -> Palette:
    """Return at most `k` main colours of an RGB image: k-means in Lab, started from a median cut.

    Equal images give equal palettes: nothing is random.
    """
    small = image.copy()
    small.thumbnail((PALETTE_SIDE, PALETTE_SIDE), Image.Resampling.BOX)
    lab = cv2.cvtColor(np.asarray(small, np.float32) / 255, cv2.COLOR_RGB2Lab).reshape(-1, 3)
    start = np.asarray(small.quantize(k, Image.Quantize.MEDIANCUT)).reshape(-1, 1).astype(np.int32)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.1)
    groups = int(start.max()) + 1
    _, labels, colours = cv2.kmeans(lab, groups, start, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    shares = np.bincount(labels.ravel(), minlength=groups) / len(lab)
    order = np.argsort(-shares, kind="stable")
    order = order[shares[order] > 0]
    return Palette(colours[order].astype(np.float32), shares[order].astype(np.float32))


def palette_distance(a: Palette, b: Palette) -> float:
    """Return how far colour has to be moved, on average, to turn one palette into the other.

    In units of CIE76 colour difference: 0 alike, 2.3 just noticeable, 100 black to white. It is
    the earth mover's distance of Y. Rubner, C. Tomasi and L. J. Guibas, IJCV 40(2), 2000: the
    least sum of f_ij |a_i - b_j| over all flows f >= 0 with sum_j f_ij = share of a_i and
    sum_i f_ij = share of b_j. Symmetric, and a metric.
    """
    signatures = [np.column_stack([p.shares, p.colours]).astype(np.float32) for p in (a, b)]
    distance, _, _ = cv2.EMD(signatures[0], signatures[1], cv2.DIST_L2)
    return float(distance)


def similarity(u: ArrayLike, v: ArrayLike) -> float:
    """Return the cosine, -1 .. 1, of two unit vectors of one length."""
    return float(np.clip(np.dot(np.asarray(u), np.asarray(v)), -1, 1))
