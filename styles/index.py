"""The style index: vectors of every style's words and pictures in Chroma, searched by words or by a picture."""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styles.catalog import Catalog, Style
from tools.encoding import StyleEncoder
from tools.errors import WeightsMissing
from tools.imaging import Vector

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

Band = Literal["strong", "possible", "weak"]
Matrix = NDArray[np.float32]

BEST_TEXTS = 3  # the match of a style is the mean of its best few text vectors
BATCH = 4000  # vectors handed to Chroma at a time; it takes about five thousand


class Match(TypedDict):
    """A style found for the words or the picture of the user."""

    style: str  # slug
    name: str
    score: float  # 0..1, calibrated probability that the style fits
    band: Band
    reason: str  # which attributes agreed, in words
    image_url: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a cosine becomes a probability, for one encoder: score = 1 / (1 + exp(-slope (cosine - midpoint))).

    Platt scaling (Platt 1999), fitted by `python -m evals.calibrate` on labelled queries.
    """

    text_slope: float
    text_midpoint: float  # cosine at which a style fits with probability one half
    image_slope: float
    image_midpoint: float
    floor: float  # score below which nothing is offered unasked
    strong: float  # score from which a style is taken without a question

    def score(self, cosine: float, *, of_image: bool) -> float:
        """The calibrated probability of a raw cosine."""
        slope, midpoint = (
            (self.image_slope, self.image_midpoint)
            if of_image
            else (self.text_slope, self.text_midpoint)
        )
        return 1 / (1 + math.exp(-slope * (cosine - midpoint)))

    def band(self, score: float) -> Band:
        """strong, possible, or weak: below the floor."""
        if score >= self.strong:
            return "strong"
        return "possible" if score >= self.floor else "weak"


def load_calibration(path: Path, encoder: str) -> Calibration:
    """Return the calibration of an encoder family, "starter" or "clip-512", from `calibration.json`.

    Raises `WeightsMissing` for an encoder that nobody has calibrated yet.
    """
    family = encoder.split("/")[0]
    table = json.loads(path.read_text("utf-8"))
    if family not in table:
        raise WeightsMissing(
            f"The scores of {family!r} are not calibrated: run `python -m evals.calibrate --write`."
        )
    return Calibration(**table[family])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A style as the index holds it."""

    name: str
    texts: Matrix  # (texts, dim) unit vectors
    images: Matrix  # (references, dim) unit vectors


@dataclass(frozen=True, slots=True)
class _Table:
    """Every style's vectors in two matrices, for one product per search."""

    slugs: list[str]
    texts: Matrix  # (rows, dim)
    text_rows: NDArray[
        np.int64
    ]  # (styles, most texts of a style): rows of `texts`, -1 where there are fewer
    images: Matrix  # (rows, dim)
    image_rows: NDArray[np.int64]  # (styles, most references of a style)

    @classmethod
    def of(cls, entries: Mapping[str, _Entry]) -> _Table:
        texts, text_rows = _stacked([entry.texts for entry in entries.values()])
        images, image_rows = _stacked([entry.images for entry in entries.values()])
        return cls(list(entries), texts, text_rows, images, image_rows)

    def text_cosines(self, query: Vector) -> NDArray[np.float32]:
        """Of each style, the mean of its best `BEST_TEXTS` cosines, or of all where it has fewer."""
        return _best_mean(self.texts, self.text_rows, query, BEST_TEXTS)

    def image_cosines(self, query: Vector) -> NDArray[np.float32]:
        """Of each style, its best reference's cosine."""
        return _best_mean(self.images, self.image_rows, query, 1)


class StyleIndex:
    """Every style of a catalog in one encoder's space, kept in Chroma between starts.

    One collection per encoder; only styles that are new or changed are embedded. Chroma keeps the vectors, a search
    scores all of them exactly: docs/decisions/0003.
    """

    def __init__(
        self, encoder: StyleEncoder, catalog: Catalog, folder: Path, calibration: Calibration
    ) -> None:
        """Open or build the index in `folder`. Blocking: embeds what is missing."""
        import chromadb
        from chromadb.config import Settings

        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
        self._collection: Collection = client.get_or_create_collection(
            "styles-" + re.sub(r"[^a-zA-Z0-9-]", "-", encoder.name),
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_search": 200}},
        )
        self.encoder = encoder
        self.calibration = calibration
        self._lock = threading.Lock()
        self._tags: dict[str, Vector] = {}
        self._styles: dict[str, Style] = {}
        self._entries = _stored_entries(self._collection)
        self._table: _Table | None = None  # made at the next search after a change
        self.sync(catalog.styles.values())

    def sync(self, styles: Iterable[Style]) -> None:
        """Make the index hold exactly these styles, embedding those whose digest is not stored yet."""
        wanted = {style.slug: style for style in styles}
        stored = {
            m["style"]: m["digest"]
            for m in self._collection.get(include=["metadatas"])["metadatas"] or []
        }
        for slug in stored.keys() - wanted.keys():
            self.remove(str(slug))
        if new := [style for slug, style in wanted.items() if stored.get(slug) != digest(style)]:
            self.put([self._embed(style) for style in new])
        self._styles.update(wanted)

    def add(self, style: Style) -> None:
        """Embed one style and store it, in place of an earlier one of the same slug."""
        self.put([self._embed(style)])

    def put(self, styles: Sequence[tuple[Style, Matrix, Matrix]]) -> None:
        """Store styles whose vectors are known: (n, dim) unit vectors of each one's words and of its references."""
        ids: list[str] = []
        metadatas: list[Any] = []
        for style, texts, images in styles:
            self.remove(style.slug)
            mark = digest(style)
            kinds = ["text"] * len(texts) + ["image"] * len(images)
            ids += [f"{style.slug}#{i}" for i in range(len(kinds))]
            metadatas += [
                {"style": style.slug, "name": style.name, "kind": kind, "digest": mark}
                for kind in kinds
            ]
        vectors = np.concatenate([part for _, texts, images in styles for part in (texts, images)])
        with self._lock:
            for start in range(0, len(ids), BATCH):
                batch = slice(start, start + BATCH)
                self._collection.add(
                    ids=ids[batch], embeddings=vectors[batch], metadatas=metadatas[batch]
                )
            self._table = None
            for style, texts, images in styles:
                self._entries[style.slug] = _Entry(style.name, texts, images)
                self._styles[style.slug] = style

    def _embed(self, style: Style) -> tuple[Style, Matrix, Matrix]:
        texts = self.encoder.embed_documents(style_texts(style))
        images = [self.encoder.embed_image(_open(path)) for path in style.references]
        return style, np.array(texts, np.float32), np.array(images, np.float32)

    def remove(self, slug: str) -> None:
        """Forget a style; nothing happens when it is not there."""
        with self._lock:
            self._styles.pop(slug, None)
            entry = self._entries.pop(slug, None)
            if entry is not None:
                self._table = None
                count = len(entry.texts) + len(entry.images)
                self._collection.delete(ids=[f"{slug}#{i}" for i in range(count)])

    def vectors(self, slug: str) -> tuple[Vector, ...]:
        """The unit vectors of a style's references, (dim,) each. Raises `KeyError` for an unknown slug."""
        return tuple(self._entries[slug].images)

    def search(self, text: str, k: int = 8, image: Image.Image | None = None) -> list[Match]:
        """The `k` styles nearest to a text, or to an RGB `image` when one is given, best first.

        Weak matches, below the floor, are in the list too. Blocking: embeds the query.
        """
        vector = (
            self.encoder.embed_query(text) if image is None else self.encoder.embed_image(image)
        )
        query = np.array(vector, np.float32)
        ranked = self.nearest(query, k, of_image=image is not None)
        return [
            self._match(slug, cosine, query, of_image=image is not None) for slug, cosine in ranked
        ]

    def nearest(self, query: Vector, k: int, *, of_image: bool) -> list[tuple[str, float]]:
        """(slug, cosine) of the `k` nearest styles to a unit vector of shape (dim,), best first."""
        with self._lock:
            if self._table is None:
                self._table = _Table.of(self._entries)
            table = self._table
        cosines = table.image_cosines(query) if of_image else table.text_cosines(query)
        best = np.argsort(-cosines, kind="stable")[:k]
        return [(table.slugs[i], float(cosines[i])) for i in best]

    def _match(self, slug: str, cosine: float, query: Vector, *, of_image: bool) -> Match:
        score = self.calibration.score(cosine, of_image=of_image)
        reason = "its references look like your picture" if of_image else self._reason(slug, query)
        return Match(
            style=slug,
            name=self._entries[slug].name,
            score=round(score, 4),
            band=self.calibration.band(score),
            reason=reason,
            image_url=f"/styles/{slug}/references/1",
        )

    def _reason(self, slug: str, query: Vector) -> str:
        """The attributes that stand nearest to the words, named."""
        style = self._styles.get(slug)
        if style is None:
            return "its description is near to your words"
        attributes = [*style.tags, *style.mood, style.era]
        missing = [text for text in attributes if text not in self._tags]
        for text, vector in zip(missing, self.encoder.embed_documents(missing), strict=True):
            self._tags[text] = np.array(vector, np.float32)
        cosines = [float(self._tags[text] @ query) for text in attributes]
        near = sorted(zip(cosines, attributes, strict=True), reverse=True)[:3]
        return "near in " + ", ".join(text for _, text in near)


def style_texts(style: Style) -> list[str]:
    """What of a style is embedded: its description whole and by sentence, its words, and other people's captions."""
    return [
        style.description,
        *re.split(r"(?<=[.!?])\s+", style.description),
        f"{style.name}: {', '.join(style.tags)}",
        f"{', '.join(style.mood)}, {style.era}",
        style.prompt.replace("{prompt}", "").strip(" ,"),
        style.name,
        *style.captions,
    ]


def digest(style: Style) -> str:
    """What a stored style is known by: its embedded words and the names and sizes of its references."""
    parts = [*style_texts(style), *(f"{p.name}:{p.stat().st_size}" for p in style.references)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _stacked(parts: Sequence[Matrix]) -> tuple[Matrix, NDArray[np.int64]]:
    """All rows of `parts` in one matrix, and for each part the numbers of its rows, -1 to the right of them."""
    widest = max((len(part) for part in parts), default=0)
    rows = np.full((len(parts), widest), -1, np.int64)
    start = 0
    for row, part in zip(rows, parts, strict=True):
        row[: len(part)] = np.arange(start, start + len(part))
        start += len(part)
    return (np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)), rows


def _best_mean(
    matrix: Matrix, rows: NDArray[np.int64], query: Vector, best: int
) -> NDArray[np.float32]:
    """The mean of each row group's `best` highest products with `query`; (groups,)."""
    if not rows.size:
        return np.full(len(rows), -1, np.float32)
    absent = -2.0  # below every cosine
    products = np.append(matrix @ query, np.float32(absent))[rows]
    width = min(best, rows.shape[1])
    top = np.partition(products, -width, axis=1)[:, -width:]
    there = top > absent
    means: NDArray[np.float32] = np.where(there, top, 0).sum(1) / np.maximum(there.sum(1), 1)
    return means


def _stored_entries(collection: Collection) -> dict[str, _Entry]:
    rows: Any = collection.get(include=["embeddings", "metadatas"])
    found: dict[str, tuple[str, list[Vector], list[Vector]]] = {}
    order = sorted(range(len(rows["ids"])), key=lambda i: int(rows["ids"][i].rsplit("#", 1)[1]))
    for i in order:
        meta = rows["metadatas"][i]
        _, texts, images = found.setdefault(meta["style"], (meta["name"], [], []))
        (texts if meta["kind"] == "text" else images).append(
            np.asarray(rows["embeddings"][i], np.float32)
        )
    return {
        slug: _Entry(name, _stack(texts), _stack(images))
        for slug, (name, texts, images) in found.items()
    }


def _stack(vectors: Sequence[Vector]) -> Matrix:
    return np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
