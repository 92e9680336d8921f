"""How much of the sketch and of the style a render kept."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from tools.edges import find_steps

RENDER_STRICTNESS = 0.6  # of Otsu's threshold: a soft line in a render with hard ones still counts
PALETTE_SIDE = 96  # px, of the picture whose colours are counted


@dataclass(frozen=True, slots=True)
class GeometryScores:
    """Shares, 0 .. 1."""

    kept: float  # of the edge map's pixels, with a render edge in reach: recall
    invented: float  # of the render's edge pixels, with no line of the edge map in reach
    f1: float  # harmonic mean of `kept` and 1 - `invented`


def geometry_scores(
    edge_map: Image.Image, render: Image.Image, tolerance_px: float = 2
) -> GeometryScores:
    """Compare an edge map (mode L) with the edges of its RGB render, both of one size.

    Edges correspond within `tolerance_px` px at that size. This is the boundary F-measure of D. R.
    Martin, C. C. Fowlkes and J. Malik, IEEE TPAMI 26(5), 2004, with the distance transform instead
    of one-to-one matching. The render's edges are `find_steps`. All scores are 0 without an edge
    on either side. Raises `ValueError` when the sizes differ.
    """
    if edge_map.size != render.size:
        raise ValueError(f"edge map {edge_map.size} and render {render.size} differ in size")
    lines = (np.asarray(edge_map) > 127).astype(np.uint8)
    edges = find_steps(np.asarray(render), RENDER_STRICTNESS)
    if not lines.any() or not edges.any():
        return GeometryScores(kept=0.0, invented=0.0, f1=0.0)
    kept = _share_near(lines, edges, tolerance_px)
    wanted = _share_near(edges, lines, tolerance_px)
    f1 = 2 * kept * wanted / (kept + wanted) if kept + wanted else 0.0
    return GeometryScores(kept=kept, invented=1 - wanted, f1=f1)


def _share_near(these: MatLike, those: MatLike, tolerance: float) -> float:
    distance = cv2.distanceTransform(1 - those, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[these > 0] <= tolerance).mean())


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
