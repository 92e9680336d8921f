"""Scores of a picture: small pure functions, each with a value and its reason.

What critique measures in the product (`tools/fidelity.py`) is measured here by the same code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from evals.suite import Score
from tools.fidelity import edge_distances, render_edges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cv2.typing import MatLike
    from PIL.Image import Image

    Floats = NDArray[np.float64]

TOLERANCES = (0, 1, 2, 4)  # px at the size of the render
REACH = 4  # px about a line in which a render's edge can still be that line
LONG = 0.05  # of the diagonal, from which a straight piece of the render is a line
WORST = 90  # percentile of the deviations along a line: one stray pixel does not bend it
ROLLS = 4  # each way, to learn what chance gives a layout
NOTICEABLE = 2.3  # CIE76 colour difference (M. Mahy, L. Van Eycken and A. Oosterlinck, 1994)

Channel = Literal["lightness", "redness", "yellowness", "chroma", "contrast"]


def edge_scores(lines: Image, render: Image) -> dict[str, Score]:
    """Precision, recall and F1 of the render's edges at every one of `TOLERANCES`, and the Chamfer distance.

    `lines` is the edge map (mode L), `render` RGB of its size. A precision is the share of the render's edges that have
    a line in reach, a recall the share of the lines' pixels that have an edge in reach. The Chamfer distance is the
    mean from the lines to the edges, in px (H. G. Barrow and others, 1977).
    """
    distances = edge_distances(lines, render)
    found = {}
    for tolerance in TOLERANCES:
        scores = distances.scores(tolerance)
        precision = 1 - scores.invented if scores.kept else 0.0
        reason = (
            f"{scores.kept:.0%} of {len(distances.of_lines)} px of line have an edge within {tolerance} px,"
            f" {precision:.0%} of {len(distances.of_edges)} px of edge have a line"
        )
        for name, value in (("f1", scores.f1), ("recall", scores.kept), ("precision", precision)):
            found[f"{name}_{tolerance}px"] = Score(value, reason)
    far = distances.of_lines
    worst = float(np.percentile(far, 95))
    found["chamfer"] = Score(
        float(far.mean()), f"{far.mean():.1f} px from line to edge, {worst:.1f} px at the 95th %"
    )
    return found


def straightness(pieces: Floats, render: Image) -> Score | None:
    """How crooked the straight pieces (n, 2 ends, 2) of a drawing, in px, became: px, mean of all pieces.

    Along each piece the nearest edge across it is looked for, at most `REACH` px away; how far what was found lies from
    the straight line through it, at the 90th percentile, is how crooked the piece is. It may lie beside its
    place or be turned a little: that is for the Chamfer distance to say. Found along less than half of it, the piece is
    `REACH` px crooked. None without a straight piece.
    """
    if not len(pieces):
        return None
    edges = render_edges(render)
    crooked = np.array([_crookedness(start, end, edges) for start, end in pieces])
    lost = int((crooked >= REACH).sum())
    return Score(
        float(crooked.mean()),
        f"{len(pieces)} straight lines, the worst {crooked.max():.1f} px crooked, {lost} of them lost",
    )


def _crookedness(start: Floats, end: Floats, edges: MatLike) -> float:
    along = end - start
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) / length
    t = np.linspace(0.05, 0.95, max(8, round(length)))
    reach = np.arange(-REACH, REACH + 0.25, 0.5)
    points = start + t[:, None, None] * along + reach[None, :, None] * across
    x, y = np.floor(points).astype(int).transpose(2, 0, 1)
    height, width = edges.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    hit = inside & (edges[y.clip(0, height - 1), x.clip(0, width - 1)] > 0)
    far = np.where(hit, np.abs(reach), np.inf)
    nearest = far.argmin(1)
    found = np.isfinite(far.min(1))
    if found.mean() < 0.5:
        return float(REACH)
    offsets = reach[nearest[found]]
    rest = offsets - np.polyval(np.polyfit(t[found], offsets, 1), t[found])
    return float(np.percentile(np.abs(rest), WORST))


def invented_lines(lines: Image, render: Image) -> Score:
    """Length of the straight lines in a render that nobody drew, for every px of line that somebody did.

    Straight lines are those of the line segment detector (R. Grompone von Gioi and others, IPOL, 2012) that are longer
    than `LONG` of the diagonal; one is invented when more than half of it is over `REACH` px from any line.
    """
    drawn = (np.asarray(lines) > 127).astype(np.uint8)
    grey = cv2.cvtColor(np.asarray(render), cv2.COLOR_RGB2GRAY)
    segments = cv2.createLineSegmentDetector().detect(grey)[0]
    if segments is None or not drawn.any():
        return Score(0.0, "no straight line in the picture")
    far = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > REACH
    ends = segments.reshape(-1, 2, 2)
    lengths = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
    ends, lengths = (a[lengths >= LONG * np.hypot(*grey.shape)] for a in (ends, lengths))
    t = np.linspace(0, 1, 32)[:, None]
    points = np.array([start + t * (end - start) for start, end in ends]).reshape(-1, 32, 2)
    x, y = points.astype(int).transpose(2, 0, 1)
    alone = far[y.clip(0, grey.shape[0] - 1), x.clip(0, grey.shape[1] - 1)].mean(1) > 0.5
    length = float(lengths[alone].sum())
    return Score(
        length / float(drawn.sum()),
        f"{int(alone.sum())} of {len(ends)} straight lines were not drawn, {length:.0f} px in all",
    )


def leak(lines: Image, render: Image, references: Sequence[Image]) -> Score:
    """How much of a reference's layout stands in a render beyond chance: 0 none, 1 all, the worst of `references`.

    Only edges that the drawing (`lines`, mode L) does not explain count: those over 2 px from any line. Of the
    reference's edges, stretched over the render, so many have one within 2 px. Chance is what they have after they are
    rolled about, and is taken off as in Cohen's kappa (J. Cohen, 1960): (share - chance) / (1 - chance).
    """
    near = cv2.dilate((np.asarray(lines) > 127).astype(np.uint8), np.ones((5, 5), np.uint8))
    alone = render_edges(render) * (1 - near)
    reached = cv2.dilate(alone, np.ones((5, 5), np.uint8))
    shares = []
    for reference in references:
        edges = render_edges(reference.resize(render.size)) * (1 - near)
        if edges.any():
            shares.append(_beyond_chance(edges, reached))
    if not shares:
        return Score(0.0, "nothing of the reference lies beside the drawing's lines")
    worst = max(range(len(shares)), key=lambda i: shares[i][0])
    value, share, chance = shares[worst]
    return Score(
        value,
        f"{share:.0%} of reference {worst + 1}'s edges stand in the render, {chance:.0%} by chance",
    )


def _beyond_chance(edges: MatLike, reached: MatLike) -> tuple[float, float, float]:
    """(beyond chance, share, chance) of the pixels of one mask that lie in the other."""
    share = float(reached[edges > 0].mean())
    height, width = edges.shape
    rolls = [
        np.roll(edges, (height * i // ROLLS, width * j // ROLLS), (0, 1))
        for i in range(ROLLS)
        for j in range(ROLLS)
        if i or j
    ]
    chance = float(np.mean([reached[rolled > 0].mean() for rolled in rolls]))
    return (share - chance) / (1 - chance) if chance < 1 else 0.0, share, chance


def channel(image: Image, name: Channel, where: Sequence[float] | None = None) -> float:
    """A colour channel of an RGB image, or of the part `where` of it (left, top, right, bottom, 0 .. 1).

    The mean of CIE L* (0 .. 100), a* or b*, of the chroma hypot(a*, b*), or the standard deviation of L*.
    """
    left, top, right, bottom = where or (0, 0, 1, 1)
    w, h = image.size
    part = image.crop((round(left * w), round(top * h), round(right * w), round(bottom * h)))
    lab = cv2.cvtColor(np.asarray(part, np.float32) / 255, cv2.COLOR_RGB2Lab)
    lightness, redness, yellowness = lab.reshape(-1, 3).T
    return float(
        {
            "lightness": lambda: lightness.mean(),
            "redness": lambda: redness.mean(),
            "yellowness": lambda: yellowness.mean(),
            "chroma": lambda: np.hypot(redness, yellowness).mean(),
            "contrast": lambda: lightness.std(),
        }[name]()
    )


def warp(image: Image, px: float) -> Image:
    """Move every pixel of an RGB or L image by at most `px`, smoothly, in waves as long as half the picture."""
    from PIL import Image as Pillow

    pixels = np.asarray(image)
    y, x = np.mgrid[: image.height, : image.width].astype(np.float32)
    turn = 4 * np.pi / max(image.size)
    moved = cv2.remap(
        pixels,
        x + np.float32(px / np.sqrt(2)) * np.sin(turn * y),
        y + np.float32(px / np.sqrt(2)) * np.sin(turn * x + 1),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return Pillow.fromarray(moved)


def overlay(lines: Image, render: Image, tolerance: int = 2) -> Image:
    """The lines of a drawing that a render kept in green, the missing ones in red, edges it invented in amber."""
    from PIL import Image as Pillow

    drawn = (np.asarray(lines) > 127).astype(np.uint8)
    edges = render_edges(render)
    side = 2 * tolerance + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    near_edge, near_line = cv2.dilate(edges, disc) > 0, cv2.dilate(drawn, disc) > 0
    picture = np.full((*drawn.shape, 3), 16, np.uint8)
    picture[(edges > 0) & ~near_line] = (255, 176, 0)
    picture[(drawn > 0) & near_edge] = (64, 200, 96)
    picture[(drawn > 0) & ~near_edge] = (235, 64, 52)
    return Pillow.fromarray(picture)
