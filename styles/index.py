"""The style index: vectors of every style's words and pictures in Chroma, searched by words or by a picture."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styles.calibration import Band, Calibration, mark
from styles.catalog import Catalog, Style
from styles.foreign import ForeignLooks
from styles.overlap import SharedWords
from styles.passages import passages
from styles.vectors import Matrix, Rows, best_mean, sharpen, stacked
from tools.encoding import StyleEncoder
from tools.glossary import in_english
from tools.imaging import Vector

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

BEST_TEXTS = 5  # the match of a style is the mean of its best few text vectors
WORDS = 0.25  # evidence for a style that has every word of a text, beside its cosine
NAMED = 0.9  # score from which a foreign look, or another style than the one in force, is said to be meant
EMBEDDED = 16  # texts embedded at a time, of like length, since a batch is padded to its longest
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
class Found:
    """What words stand near to, before any score."""

    styles: list[tuple[str, float]]  # slug and evidence, best first
    look: str  # the nearest look outside the library, "" where there is none
    rival: float  # its evidence
    query: Vector  # unit vector of the whole text, (dim,)


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
    text_rows: Rows  # (styles, most texts of a style): rows of `texts`, -1 where there are fewer
    images: Matrix  # (rows, dim)
    image_rows: Rows  # (styles, most references of a style)
    words: SharedWords  # of the styles, then of the foreign looks

    @classmethod
    def of(cls, entries: Mapping[str, _Entry], words: SharedWords) -> _Table:
        texts, text_rows = stacked([entry.texts for entry in entries.values()])
        images, image_rows = stacked([entry.images for entry in entries.values()])
        return cls(list(entries), texts, text_rows, images, image_rows, words)

    def text_cosines(self, query: Vector) -> NDArray[np.float32]:
        """Of each style, the mean of its best `BEST_TEXTS` cosines."""
        return best_mean(self.texts, self.text_rows, query, BEST_TEXTS)

    def image_cosines(self, query: Vector) -> NDArray[np.float32]:
        """Of each style, its best reference's cosine."""
        return best_mean(self.images, self.image_rows, query, 1)


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
        from chromadb.api.shared_system_client import SharedSystemClient
        from chromadb.config import Settings

        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            client = chromadb.PersistentClient(str(folder), Settings(anonymized_telemetry=False))
        except Exception:
            SharedSystemClient.clear_system_cache()  # else Chroma hands out the one that failed
            raise
        space = _space(encoder, calibration.metric)
        self._collection: Collection = client.get_or_create_collection(
            f"styles-{space}",
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
        self._foreign = ForeignLooks(calibration.looks, client, f"foreign-{space}", self.embed)
        self.sync(catalog.styles.values())

    def sync(self, styles: Iterable[Style]) -> None:
        """Make the index hold exactly these styles, embedding those whose digest is not stored yet."""
        wanted = {style.slug: style for style in styles}
        stored = {
            m["style"]: m["digest"]
            for m in self._collection.get(include=["metadatas"])["metadatas"] or []
        }
        # Chroma's collection may be that of another index too, so what it holds is not all that counts.
        for slug in (stored.keys() | self._entries.keys()) - wanted.keys():
            self.remove(str(slug))
        held = {slug: mark for slug, mark in stored.items() if slug in self._entries}
        if new := [style for slug, style in wanted.items() if held.get(slug) != digest(style)]:
            self.put([self._embed(style) for style in new])
        with self._lock:
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

    def embed(self, texts: list[str]) -> Matrix:
        """Unit vectors of texts as the index compares them, (n, dim). Blocking."""
        vectors = np.zeros((len(texts), self.encoder.dim), np.float32)
        new: list[int] = []
        for i, text in enumerate(texts):
            known = self.calibration.known.get(mark(text))
            if known is None:
                new.append(i)
            else:
                vectors[i] = known
        new.sort(key=lambda i: len(texts[i]))
        for start in range(0, len(new), EMBEDDED):
            some = new[start : start + EMBEDDED]
            vectors[some] = self.encoder.embed_documents([texts[i] for i in some])
        return sharpen(vectors, self.calibration.metric)

    def _embed(self, style: Style) -> tuple[Style, Matrix, Matrix]:
        images = [self.encoder.embed_image(_open(path)) for path in style.references]
        return style, self.embed(_english(style_texts(style))), np.array(images, np.float32)

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
        if image is not None:
            query = np.array(self.encoder.embed_image(image), np.float32)
            return [
                self._match(
                    slug,
                    self.calibration.image_score(cosine),
                    "its references look like your picture",
                )
                for slug, cosine in self.nearest(query, k, of_image=True)
            ]
        found = self.find(text, k)
        return [
            self._match(
                slug,
                self.calibration.text_score(evidence, found.rival),
                self._reason(slug, found.query),
            )
            for slug, evidence in found.styles
        ]

    def foreign_look(self, text: str) -> str | None:
        """The look outside the library that a text names; None where it names none. Blocking: embeds the text."""
        found = self.find(text, 1)
        own = found.styles[0][1] if found.styles else -1
        named = bool(found.look) and self.calibration.text_score(found.rival, own) >= NAMED
        return found.look if named else None

    def find(self, text: str, k: int) -> Found:
        """The `k` styles that the evidence is for, and the nearest look outside the library. Blocking: embeds the text.

        The evidence of a passage is its cosine and the words shared; that of a text with several is the mean of the
        whole and of the best other one, so that a look told in one sentence of a long brief is heard.
        """
        table = self._current_table()
        said = passages(in_english(text))
        vectors = self.embed(said)
        shared = WORDS * np.array([table.words.shares(passage) for passage in said])
        own = len(table.slugs)
        ours = (
            np.array([table.text_cosines(vector) for vector in vectors], np.float64)
            + shared[:, :own]
        )
        others = (
            np.array([self._foreign.cosines(vector) for vector in vectors], np.float64)
            + shared[:, own:]
        )
        evidence, rivals = _pooled(ours), _pooled(others)
        best = np.argsort(-evidence, kind="stable")[:k]
        look, rival = self._foreign.best(rivals)
        return Found([(table.slugs[i], float(evidence[i])) for i in best], look, rival, vectors[0])

    def nearest(self, query: Vector, k: int, *, of_image: bool) -> list[tuple[str, float]]:
        """(slug, cosine) of the `k` nearest styles to a unit vector of shape (dim,), best first."""
        table = self._current_table()
        cosines = table.image_cosines(query) if of_image else table.text_cosines(query)
        best = np.argsort(-cosines, kind="stable")[:k]
        return [(table.slugs[i], float(cosines[i])) for i in best]

    def _current_table(self) -> _Table:
        with self._lock:
            if self._table is None:
                held = [self._styles.get(slug) for slug in self._entries]
                words = [_english(style_texts(style)) if style else [] for style in held]
                looks = [(look.name, *look.texts) for look in self.calibration.looks]
                self._table = _Table.of(self._entries, SharedWords([*words, *looks]))
                self._foreign.hold(self._styles.values())
            return self._table

    def _match(self, slug: str, score: float, reason: str) -> Match:
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
        if missing := [text for text in attributes if text not in self._tags]:
            self._tags.update(zip(missing, self.embed(missing), strict=True))
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


def _english(texts: Iterable[str]) -> list[str]:
    return [in_english(text) for text in texts]


def _pooled(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (passages, n), the mean of the first row and of the best of the others, where there are others; (n,)."""
    whole: NDArray[np.float64] = evidence[0]
    if len(evidence) > 1:
        whole = (whole + evidence[1:].max(0)) / 2
    return whole


def digest(style: Style) -> str:
    """What a stored style is known by: its embedded words and the names and sizes of its references."""
    parts = [*style_texts(style), *(f"{p.name}:{p.stat().st_size}" for p in style.references)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _space(encoder: StyleEncoder, metric: Matrix | None) -> str:
    """The name of the space that texts are compared in, as Chroma allows it."""
    seen = "" if metric is None else "-" + hashlib.sha256(metric.tobytes()).hexdigest()[:8]
    return re.sub(r"[^a-zA-Z0-9-]", "-", encoder.name) + seen


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
