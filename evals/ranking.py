"""How well a ranking is: recall, reciprocal rank and discounted gain, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from evals.suite import Score

DEPTHS = (1, 3, 5)  # at which recall is told
GAIN_DEPTH = 5


def recall(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """The share of `relevant` among the first `k`, 0..1. Raises `ValueError` when nothing is relevant."""
    return len(set(ranked[:k]) & _some(relevant)) / len(set(relevant))


def reciprocal_rank(ranked: Sequence[str], relevant: Collection[str]) -> float:
    """One over the rank of the first that is relevant, 0 where none is. Raises `ValueError` for nothing relevant."""
    wanted = _some(relevant)
    return next((1 / rank for rank, item in enumerate(ranked, 1) if item in wanted), 0.0)


def ndcg(ranked: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, 0..1, with gains of 0 and 1.

    An item at rank r is worth 1 / log2(r + 1), over what the best order would give (Järvelin and Kekäläinen, 2002).
    Raises `ValueError` when nothing is relevant.
    """
    wanted = _some(relevant)
    gained = sum(_worth(rank) for rank, item in enumerate(ranked[:k], 1) if item in wanted)
    return gained / sum(_worth(rank) for rank in range(1, min(k, len(wanted)) + 1))


def score_ranking(ranked: Sequence[str], wanted: str) -> dict[str, Score]:
    """`recall@1`, `recall@3`, `recall@5`, `mrr` and `ndcg@5` of a ranking in which one item is right."""
    reason = _reason(ranked, wanted)
    values = {f"recall@{k}": recall(ranked, [wanted], k) for k in DEPTHS}
    values["mrr"] = reciprocal_rank(ranked, [wanted])
    values[f"ndcg@{GAIN_DEPTH}"] = ndcg(ranked, [wanted], GAIN_DEPTH)
    return {name: Score(value, reason) for name, value in values.items()}


def _reason(ranked: Sequence[str], wanted: str) -> str:
    if not ranked:
        return f"{wanted} was wanted, and nothing was found"
    if wanted not in ranked:
        return f"{wanted} is not among the first {len(ranked)}, {ranked[0]} leads"
    rank = ranked.index(wanted) + 1
    if rank == 1:
        return f"{wanted} is first"
    return f"{wanted} at rank {rank}, behind {', '.join(ranked[: rank - 1])}"


def _some(relevant: Collection[str]) -> set[str]:
    if not relevant:
        raise ValueError("nothing is relevant")
    return set(relevant)


def _worth(rank: int) -> float:
    return 1 / math.log2(rank + 1)
