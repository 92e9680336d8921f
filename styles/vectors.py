"""Groups of unit vectors in one matrix, scored against a query with one product."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]


def stacked(parts: Sequence[Matrix]) -> tuple[Matrix, Rows]:
    """All rows of `parts` in one matrix, and for each part the numbers of its rows, -1 to the right of them."""
    widest = max((len(part) for part in parts), default=0)
    rows = np.full((len(parts), widest), -1, np.int64)
    start = 0
    for row, part in zip(rows, parts, strict=True):
        row[: len(part)] = np.arange(start, start + len(part))
        start += len(part)
    return (np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)), rows


def best_mean(matrix: Matrix, rows: Rows, query: Matrix, best: int) -> Matrix:
    """The mean of each row group's `best` highest products with `query`, or of all where it has fewer; (groups,)."""
    if not rows.size:
        return np.full(len(rows), -1, np.float32)
    absent = -2.0  # below every cosine
    products = np.append(matrix @ query, np.float32(absent))[rows]
    width = min(best, rows.shape[1])
    top = np.partition(products, -width, axis=1)[:, -width:]
    there = top > absent
    means: Matrix = np.where(there, top, 0).sum(1) / np.maximum(there.sum(1), 1)
    return means


def sharpen(vectors: Matrix, metric: Matrix | None) -> Matrix:
    """Unit vectors seen through a metric, (n, dim) @ (dim, dim), and again of length one."""
    if metric is None or not len(vectors):
        return vectors
    seen = vectors @ metric
    unit: Matrix = seen / np.linalg.norm(seen, axis=-1, keepdims=True)
    return unit
