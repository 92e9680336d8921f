"""Which style a render looks like, by a judge of colours and textures who had no part in making it."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evals.suite import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from training.judge import Judge

ROOT = Path(__file__).parents[1]
LEARNT_FROM = ("training/painters", "training/world", "styles/library")
EACH = 8  # pictures of every style that the judge is shown; twice as many make him hardly better
SEED = 778_000  # training draws from seeds below 1000, its evaluation from 777,000


def distances(judge: Judge, image: Image) -> dict[str, float]:
    """How far an RGB image is from the middle of each style's pictures, by slug, the nearest first."""
    from training.judge import look_statistics

    far = np.sqrt(np.square(judge.means - look_statistics(image) @ judge.whiten).sum(1))
    return {judge.slugs[i]: float(far[i]) for i in far.argsort(kind="stable")}


def rank1(judge: Judge, image: Image, style: str) -> Score:
    """1 when an RGB image looks more like `style` than like any other."""
    order = list(distances(judge, image))
    place = 1 + order.index(style)
    said = f"looks most like {order[0]}" + (f", {style} comes at {place}" if place > 1 else "")
    return Score(float(place == 1), said)


def likeness(judge: Judge, image: Image, style: str) -> Score:
    """How much nearer an RGB image is to `style` than to the middle one of all: 1 at its very heart, 0 no nearer."""
    found = distances(judge, image)
    own, middle = found[style], float(np.median(list(found.values())))
    return Score(1 - own / middle, f"{own:.0f} from {style}, {middle:.0f} from the middle style")


@cache
def open_judge(folder: Path) -> Judge:
    """A judge who has seen `EACH` fresh pictures of every shipped style by its painter. Blocking: seconds at first.

    What was learnt is kept in `folder`, by the content of what it was learnt from.
    """
    from training.judge import Judge

    file = folder / f"judge-{_learnt_from()}.npz"
    if file.is_file():
        with np.load(file) as kept:
            return Judge(tuple(kept["slugs"].tolist()), kept["means"], kept["whiten"])
    judge = Judge.taught(_examples())
    folder.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(f".{os.getpid()}.npz")
    np.savez(half, slugs=np.array(judge.slugs), means=judge.means, whiten=judge.whiten)
    half.replace(file)
    return judge


def _examples() -> dict[str, Sequence[Image]]:
    from PIL import Image

    from training.data import Subject, load_palettes, paint_subject
    from training.painters import Look, draw_hand, jitter_palette
    from training.world import draw_scene

    rng = np.random.default_rng(SEED)
    examples: dict[str, Sequence[Image.Image]] = {}
    for slug, palette in load_palettes().items():
        looks = [
            Look(slug, jitter_palette(palette, rng), True, draw_hand(rng)) for _ in range(EACH)
        ]
        subjects = [Subject(draw_scene(rng), None, None, None) for _ in looks]
        examples[slug] = [
            Image.fromarray(paint_subject(subject, look, rng)[0])
            for subject, look in zip(subjects, looks, strict=True)
        ]
    return examples


def _learnt_from() -> str:
    files = [ROOT / "training/judge.py", ROOT / "training/data.py", Path(__file__)]
    files += [
        file
        for folder in LEARNT_FROM
        for file in sorted((ROOT / folder).rglob("*"))
        if file.suffix in {".py", ".toml"}
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(ROOT)} ".encode() + file.read_bytes())
    return digest.hexdigest()[:12]
