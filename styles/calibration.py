"""How cosines become probabilities, for each encoder, and the vectors of the shipped texts."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

import numpy as np

from styles.foreign import Look, load_looks
from styles.vectors import Matrix
from tools.errors import WeightsMissing

Band = Literal["strong", "possible", "weak"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a cosine becomes a probability, for one encoder: score = 1 / (1 + exp(-slope (lead - midpoint))).

    For words, the lead is how much nearer a style is than the nearest foreign look; for a picture, its cosine.
    Platt scaling (Platt 1999), fitted by `./artisan eval calibrate` on labelled queries.
    """

    text_slope: float
    text_midpoint: float  # lead at which a style fits with probability one half
    background: float  # cosine of words that have nothing to do with each other
    image_slope: float
    image_midpoint: float
    floor: float  # score below which nothing is offered unasked
    strong: float  # score from which a style is taken without a question
    metric: Matrix | None = field(default=None, compare=False)  # `styles.vectors.sharpen`
    looks: tuple[Look, ...] = ()  # those the numbers were fitted with
    known: Mapping[bytes, Matrix] = field(default_factory=dict, compare=False)  # by `mark`

    def text_score(self, cosine: float, rival: float) -> float:
        """The probability that words mean what stands at `cosine`, with a rival look at another."""
        lead = cosine - max(rival, self.background)
        return 1 / (1 + math.exp(-self.text_slope * (lead - self.text_midpoint)))

    def image_score(self, cosine: float) -> float:
        """The probability that a picture has the style at `cosine`."""
        return 1 / (1 + math.exp(-self.image_slope * (cosine - self.image_midpoint)))

    def band(self, score: float) -> Band:
        """strong, possible, or weak: below the floor."""
        if score >= self.strong:
            return "strong"
        return "possible" if score >= self.floor else "weak"


NUMBERS = tuple(entry.name for entry in fields(Calibration) if entry.type is float)


def load_calibration(path: Path, encoder: str) -> Calibration:
    """Return the calibration of the encoder with that name, from `calibration.json` and what is beside.

    Raises `WeightsMissing` for an encoder that nobody has calibrated yet, whose vectors are missing, or whose files
    are others than those that the numbers were fitted with.
    """
    family, revision = encoder.split("/")
    table = json.loads(path.read_text("utf-8"))
    file = _vectors_path(path, family)
    if family not in table or not file.is_file():
        raise WeightsMissing(
            f"The scores of {family!r} are not calibrated: run `./artisan eval calibrate --write`."
        )
    fitted = table[family].get("encoder")
    if fitted != revision:
        raise WeightsMissing(
            f"The scores were fitted with the encoder {family}/{fitted}, this is {encoder}: take the"
            " thresholds that belong to this pack, or run `./artisan eval calibrate --write`."
        )
    values = {name: table[family][name] for name in NUMBERS if name in table[family]}
    with np.load(file) as arrays:
        marks, vectors = arrays["marks"], arrays["vectors"].astype(np.float32)
        metric = arrays["metric"].astype(np.float32)
    known = {bytes(m): vector for m, vector in zip(marks, vectors, strict=True)}
    return Calibration(**values, metric=metric, looks=load_looks(), known=known)


def save_calibration(
    path: Path,
    encoder: str,
    calibration: Calibration,
    data: str = "",
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Write what `load_calibration` reads, fitted with that encoder on datasets of the hash `data`.

    `intervals` say how far the numbers can be trusted, for a reader. Other families stay.
    """
    family, revision = encoder.split("/")
    table = json.loads(path.read_text("utf-8")) if path.exists() else {}
    sure = {
        name: [round(low, 5), round(high, 5)] for name, (low, high) in (intervals or {}).items()
    }
    table[family] = {"encoder": revision, "data": data, **numbers(calibration), "intervals": sure}
    path.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    known = sorted(calibration.known.items())
    np.savez(
        _vectors_path(path, family),
        metric=np.asarray(calibration.metric, np.float16),
        marks=np.array([np.frombuffer(m, np.uint8) for m, _ in known]),
        vectors=np.array([vector for _, vector in known], np.float16),
    )


def numbers(calibration: Calibration) -> dict[str, float]:
    """The fitted numbers by name."""
    return {name: round(getattr(calibration, name), 5) for name in NUMBERS}


def mark(text: str) -> bytes:
    """What a text is known by: 8 bytes of its SHA-256."""
    return hashlib.sha256(text.encode()).digest()[:8]


def _vectors_path(calibration: Path, family: str) -> Path:
    return calibration.with_name(f"calibration-{family}.npz")
