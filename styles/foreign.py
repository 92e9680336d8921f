"""Looks the library does not hold: words that stand nearer to one of them mean no style of ours."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from styles.catalog import Style
from styles.vectors import Matrix, best_mean, stacked

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

FOREIGN = Path(__file__).parent / "foreign.toml"
BEST_TEXTS = 2  # the match of a look is the mean of its best few text vectors


@dataclass(frozen=True, slots=True)
class Look:
    """A look by name, as several people would describe it."""

    name: str
    texts: tuple[str, ...]


def load_looks(path: Path = FOREIGN) -> tuple[Look, ...]:
    """Read the looks of `foreign.toml`."""
    table = tomllib.loads(path.read_text("utf-8"))
    return tuple(Look(name, tuple(texts)) for name, texts in table.items())


class ForeignLooks:
    """The vectors of looks, kept in a Chroma collection between starts."""

    def __init__(
        self,
        looks: Sequence[Look],
        client: ClientAPI,
        collection: str,
        embed: Callable[[list[str]], Matrix],
    ) -> None:
        """Open them. Blocking: embeds all texts when one has changed."""
        self._names = [look.name for look in looks]
        groups = [(look.name, *look.texts) for look in looks]
        vectors = _kept(client, collection, [text for group in groups for text in group], embed)
        ends = np.cumsum([len(group) for group in groups])
        self._matrix, self._rows = stacked(np.split(vectors, ends[:-1]) if groups else [])
        self._held = np.zeros(len(looks), bool)

    def hold(self, styles: Iterable[Style]) -> None:
        """Silence the looks that one of `styles` calls itself, in its name, a tag or its description."""
        said = "\n".join(
            _plain(text)
            for style in styles
            for text in (style.name, *style.tags, style.description)
        )
        self._held = np.array([_plain(name) in said for name in self._names], bool)

    def cosines(self, query: Matrix) -> Matrix:
        """Of each look, its cosine to a unit vector, (dim,)."""
        return best_mean(self._matrix, self._rows, query, BEST_TEXTS)

    def best(self, evidence: NDArray[np.float64]) -> tuple[str, float]:
        """Name and evidence, of (looks,), of the one with most that no style silences; ("", -1) where there is none."""
        if self._held.all():
            return "", -1.0
        first = int(np.where(self._held, -np.inf, evidence).argmax())
        return self._names[first], float(evidence[first])


def _kept(
    client: ClientAPI,
    collection: str,
    texts: list[str],
    embed: Callable[[list[str]], Matrix],
) -> Matrix:
    """The vectors of `texts`, from Chroma where it holds those of the very same texts."""
    if not texts:
        return np.zeros((0, 0), np.float32)
    mark = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:24]
    kept = client.get_or_create_collection(collection, embedding_function=None)
    if (kept.metadata or {}).get("mark") == mark and kept.count() == len(texts):
        found: Any = kept.get(include=["embeddings"])
        return np.asarray(found["embeddings"], np.float32)[np.argsort(found["ids"])]
    client.delete_collection(collection)
    kept = client.create_collection(collection, metadata={"mark": mark}, embedding_function=None)
    vectors = embed(texts)
    kept.add(ids=[f"{i:06}" for i in range(len(texts))], embeddings=list(vectors))
    return vectors


def _plain(text: str) -> str:
    """Lower case words with one space round each, so that "lace" is not found in "palace"."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "
