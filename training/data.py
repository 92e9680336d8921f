"""Pictures and triples of the procedural world, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from styles.catalog import Catalog
from training.captions import scene_words
from training.painters import (
    COLOURS,
    MOODS,
    Look,
    Palette,
    accent_look,
    draw_look,
    mood_words,
    paint,
    parse_palette,
)
from training.sketching import clean_lines, sketch_lines
from training.world import Raster, Rng, Scene, draw_scene, rasterise, wobble

SIZE = 256  # px, of every picture the pack is trained on
REFERENCE = 128  # px, of the pictures the style encoder sees
LINE_WIDTH = 1  # px, of outlines at SIZE

MOODY = 0.33  # share of the pictures on which a mood falls
ACCENTED = 0.3  # share of those with a part that can be named, in which its colour is
WORDY = (0.7, 0.6)  # the same two shares where words are to be learnt
STYLED = 0.7  # share of the captions that describe the style, where words can

LIBRARY = Path(__file__).parents[1] / "styles/library"


def load_palettes() -> dict[str, Palette]:
    """The palette of every style of the library, by slug."""
    return {slug: parse_palette(style.palette) for slug, style in Catalog(LIBRARY).styles.items()}


def load_style_captions() -> dict[str, list[str]]:
    """Hand-written captions of every style, by slug, joined by its description and prompt fragment."""
    return {
        slug: [*style.captions, style.description, style.prompt.replace("{prompt}, ", "")]
        for slug, style in Catalog(LIBRARY).styles.items()
    }


@dataclass(frozen=True)
class Job:
    """So many draws from a seed of their own."""

    seed: tuple[int, ...]
    count: int


def jobs(seed: int, count: int, chunk: int = 100) -> list[Job]:
    """`count` draws in chunks for several processes: the same draws, however many processes there are."""
    starts = range(0, count, chunk)
    return [Job((seed, n), min(chunk, count - start)) for n, start in enumerate(starts)]


@dataclass(frozen=True)
class Subject:
    """What is to be painted, and what is said of it."""

    scene: Scene
    accent: str | None  # the part whose colour is named
    colour: str | None  # one of COLOURS
    mood: str | None  # one of MOODS


def draw_subject(rng: Rng, moody: float = MOODY, accented: float = ACCENTED) -> Subject:
    """A scene, drawn by a more or less steady hand, perhaps with a mood, perhaps with a colour for one of its parts."""
    scene = draw_scene(rng)
    if rng.random() < 0.5:
        scene = wobble(scene, rng, rng.uniform(0.0008, 0.004))
    mood = str(rng.choice(list(MOODS))) if rng.random() < moody else None
    if not scene.accents or rng.random() > accented:
        return Subject(scene, None, None, mood)
    accent = str(rng.choice(sorted(scene.accents)))
    return Subject(scene, accent, str(rng.choice(list(COLOURS))), mood)


def paint_subject(subject: Subject, look: Look, rng: Rng) -> tuple[MatLike, Raster]:
    """The picture (SIZE, SIZE, 3) uint8, and the raster it was painted on."""
    if subject.colour is not None:
        look = accent_look(look, subject.colour)
    raster = rasterise(subject.scene, SIZE, LINE_WIDTH, subject.accent)
    return paint(raster, look, rng, SIZE, subject.mood), raster


def draw_reference(look: Look, rng: Rng) -> MatLike:
    """Any scene in `look`: (REFERENCE, REFERENCE, 3)."""
    return paint(rasterise(draw_scene(rng), SIZE, LINE_WIDTH), look, rng, REFERENCE)


def draw_pictures(job: Job) -> NDArray[np.uint8]:
    """Pictures of random subjects in random looks: (count, SIZE, SIZE, 3)."""
    rng, palettes = np.random.default_rng(job.seed), load_palettes()
    return np.stack(
        [
            paint_subject(draw_subject(rng), draw_look(palettes, rng), rng)[0]
            for _ in range(job.count)
        ]
    )


def draw_references(job: Job) -> list[tuple[Look, MatLike]]:
    """Random looks, each with a reference that shows it."""
    rng, palettes = np.random.default_rng(job.seed), load_palettes()
    looks = [draw_look(palettes, rng) for _ in range(job.count)]
    return [(look, draw_reference(look, rng)) for look in looks]


@dataclass(frozen=True)
class Triples:
    """What diffusion learns from: `count` pictures with their lines, the look of a reference, and words."""

    pictures: NDArray[np.uint8]  # (count, SIZE, SIZE, 3)
    lines: NDArray[np.uint8]  # (count, SIZE, SIZE), 0 or 255
    roles: NDArray[np.uint8]  # (count, SIZE, SIZE), labels of the world
    references: NDArray[np.uint8]  # (count, REFERENCE, REFERENCE, 3), another scene in that look
    captions: Sequence[str]
    looks: Sequence[Look]


def draw_triples(
    palettes: dict[str, Palette],
    style_captions: dict[str, list[str]],
    rng: Rng,
    count: int,
    *,
    looks: Sequence[Look] | None = None,
    shares: tuple[float, float] = (MOODY, ACCENTED),
    held_out: bool = False,
) -> Triples:
    """Draw `count` triples, in `looks` where they are given.

    `shares` of them have a mood, and of those that can, a part whose colour is named.
    The reference shows the look without the mood and without the named colour: only words can tell these.
    `held_out` takes clean lines, and phrases that training never sees.
    """
    looks = looks or [draw_look(palettes, rng) for _ in range(count)]
    pictures = np.empty((count, SIZE, SIZE, 3), np.uint8)
    lines, roles = np.empty((2, count, SIZE, SIZE), np.uint8)
    references = np.empty((count, REFERENCE, REFERENCE, 3), np.uint8)
    captions = []
    for i, look in enumerate(looks):
        subject = draw_subject(rng, *shares)
        pictures[i], raster = paint_subject(subject, look, rng)
        roles[i] = raster.labels
        lines[i] = (
            clean_lines(subject.scene)
            if held_out
            else sketch_lines(subject.scene, rng, pictures[i])
        )
        references[i] = draw_reference(look, rng)
        about_style = style_captions.get(look.style, []) if look.named and not held_out else []
        captions.append(caption(subject, about_style, rng, held_out=held_out))
    return Triples(pictures, lines, roles, references, captions, looks)


def draw_job(job: Job) -> Triples:
    """The triples that diffusion learns from, of one job."""
    rng = np.random.default_rng(job.seed)
    return draw_triples(load_palettes(), load_style_captions(), rng, job.count)


def draw_wordy_job(job: Job) -> Triples:
    """The triples that the words are learnt from, of one job."""
    rng = np.random.default_rng(job.seed)
    return draw_triples(load_palettes(), load_style_captions(), rng, job.count, shares=WORDY)


def caption(
    subject: Subject, about_style: Sequence[str], rng: Rng, *, held_out: bool = False
) -> str:
    """What a person might say to get this picture; some of them say something of its style."""
    parts = [scene_words(subject.scene, rng, subject.accent, subject.colour, held_out=held_out)]
    if subject.mood is not None:
        parts.append(mood_words(subject.mood, rng, held_out=held_out))
    if about_style and rng.random() < STYLED:
        parts.append(str(rng.choice(about_style)))
    return ", ".join(parts)
