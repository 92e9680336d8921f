"""The retrieval datasets: texts and pictures, the style that each means, and the split that it belongs to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evals.data import SPLITS, DatasetError, read_rows

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.painters import Palette

TEXTS, PICTURES, OFF_TOPIC = "style_queries.toml", "image_queries.toml", "off_topic.toml"
LIBRARY = Path(__file__).parents[1] / "styles/library"
NO_MATCH = ("plain", "hard", "near")  # kinds of text that no style fits
KINDS = (  # of text that means one
    "description", "mood", "era", "material", "light", "commission", "typo",
    "terse", "nonnative", "child", "expert", "marketing", "long", "contrast", "language",
)  # fmt: skip
MOODS = ("night", "dusk", "warm", "cold", "snow", "fog", "rain", "sunny", "autumn", "spring")
SEED = 555_000  # with a row's own; training draws from other seeds

Split = Literal["dev", "test"]


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text, and the style that it means."""

    text: str
    style: str | None  # a slug; None where no style of the library is right
    kind: str


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """A picture that the painters make of a seed."""

    style: str
    seed: int
    mood: str | None  # what lies over it, one of `MOODS`

    def paint(self) -> Image:
        """The picture, RGB, the same at every call: a scene and a palette that the index has not seen."""
        import numpy as np
        from PIL import Image

        from training.data import LINE_WIDTH, SIZE
        from training.painters import Look, draw_hand, jitter_palette, paint
        from training.world import draw_scene, rasterise

        rng = np.random.default_rng((SEED, self.seed))
        palette = jitter_palette(_palettes()[self.style], rng)
        look = Look(self.style, palette, True, draw_hand(rng))
        raster = rasterise(draw_scene(rng), SIZE, LINE_WIDTH)
        return Image.fromarray(paint(raster, look, rng, SIZE, self.mood))


def style_queries(split: Split) -> list[TextQuery]:
    """The texts of a split that mean a style. Raises `DatasetError`."""
    rows = _rows(TEXTS, split, {"text": None, "style": _styles(), "kind": KINDS})
    return [TextQuery(row["text"], row["style"], row["kind"]) for row in rows]


def off_topic(split: Split) -> list[TextQuery]:
    """The texts of a split that no style fits. Raises `DatasetError`."""
    rows = _rows(OFF_TOPIC, split, {"text": None, "kind": NO_MATCH})
    return [TextQuery(row["text"], None, row["kind"]) for row in rows]


def image_queries(split: Split) -> list[ImageQuery]:
    """The pictures of a split, not painted yet. Raises `DatasetError`."""
    rows = _rows(PICTURES, split, {"style": _styles(), "mood?": MOODS}, {"seed": int})
    return [ImageQuery(row["style"], row["seed"], row.get("mood")) for row in rows]


def _rows(
    name: str,
    split: Split,
    words: Mapping[str, Collection[str] | None],
    others: Mapping[str, type] | None = None,
) -> list[dict[str, Any]]:
    """The rows of a split; `words` are the text fields, and what may stand in them where not anything may."""
    allowed = {**words, "split": SPLITS}
    rows = read_rows(name, "query", {**dict.fromkeys(allowed, str), **(others or {})})
    for row in rows:
        for field, known in allowed.items():
            value = row.get(field.removesuffix("?"))
            if known is not None and value is not None and value not in known:
                raise DatasetError(
                    f"{name}, line {row['line']}: {field.removesuffix('?')!r} must be one of"
                    f" {', '.join(known)}, not {value!r}."
                )
    return [row for row in rows if row["split"] == split]


def _styles() -> list[str]:
    return sorted(file.parent.name for file in LIBRARY.glob("*/style.toml"))


@cache
def _palettes() -> dict[str, Palette]:
    from training.data import load_palettes

    return load_palettes()
