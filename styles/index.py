"""The style index: vectors of every style's words and pictures in Chroma, searched by words or by a picture."""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections.abc import Iterable, Sequence
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
CANDIDATES = 64  # nearest vectors asked of Chroma before the exact scores


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


class StyleIndex:
    """Every style of a catalog in one encoder's space, kept in Chroma between starts.

    One collection per encoder. Only styles that are new or changed are embedded. Chroma names the candidates, exact
    arithmetic on their vectors gives the scores, so what HNSW may miss at the end of its list never changes a score.
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
        self.sync(catalog.styles.values())

    def sync(self, styles: Iterable[Style]) -> None:
        """Make the index hold exactly these styles, embedding those whose digest is not stored yet."""
        wanted = {style.slug: style for style in styles}
        stored = {
            m["style"]: m["digest"]
            for m in self._collection.get(include=["metadatas"])["metadatas"] or []
        }
        for slug in stored.keys() - wanted.keys():
            self.remove(slug)
        for slug, style in wanted.items():
            if stored.get(slug) != digest(style):
                self.add(style)
            self._styles[slug] = style

    def add(self, style: Style) -> None:
        """Embed one style and store it, in place of an earlier one of the same slug."""
        texts = np.array(self.encoder.embed_documents(style_texts(style)), np.float32)
        images = np.array(
            [self.encoder.embed_image(_open(path)) for path in style.references], np.float32
        )
        self.put(style, texts, images)

    def put(self, style: Style, texts: Matrix, images: Matrix) -> None:
        """Store a style whose vectors are known: (n, dim) unit vectors of its words and of its references."""
        mark = digest(style)
        self.remove(style.slug)
        with self._lock:
            kinds = ["text"] * len(texts) + ["image"] * len(images)
            self._collection.add(
                ids=[f"{style.slug}#{i}" for i in range(len(kinds))],
                embeddings=np.concatenate([texts, images]),
                metadatas=[
                    {"style": style.slug, "name": style.name, "kind": kind, "digest": mark}
                    for kind in kinds
                ],
            )
            self._entries[style.slug] = _Entry(style.name, texts, images)
            self._styles[style.slug] = style

    def remove(self, slug: str) -> None:
        """Forget a style; nothing happens when it is not there."""
        with self._lock:
            self._styles.pop(slug, None)
            entry = self._entries.pop(slug, None)
            if entry is not None:
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
        count = self._collection.count()
        if not count:
            return []
        hits = self._collection.query(
            query_embeddings=query[None],
            n_results=min(CANDIDATES * BEST_TEXTS, count),
            include=["metadatas"],
        )
        slugs = dict.fromkeys(str(m["style"]) for m in (hits["metadatas"] or [[]])[0])
        scored = [
            (slug, self._cosine(slug, query, of_image)) for slug in slugs if slug in self._entries
        ]
        return sorted(scored, key=lambda pair: -pair[1])[:k]

    def _cosine(self, slug: str, query: Vector, of_image: bool) -> float:
        entry = self._entries[slug]
        if of_image:
            return float((entry.images @ query).max())
        return float(np.sort(entry.texts @ query)[-BEST_TEXTS:].mean())

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
