"""Every number of the starter pack's card, on scenes, phrasings and references that training never drew.

    python -m training.evaluate                    all of it, some minutes on two cores
    python -m training.evaluate --only geometry words
    python -m training.evaluate --write            also models/evaluations/starter.json

Beside each figure stands what a shuffled pairing gets, and, where there is one, what the procedural painter himself
gets: the best that could be asked.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image

from evals.calibrate import calibrate
from evals.timing import request_seconds
from styles.catalog import Catalog
from tools.encoders import open_encoder
from tools.fidelity import geometry_scores, palette, palette_distance
from training.data import (
    LIBRARY,
    SIZE,
    Subject,
    Triples,
    caption,
    draw_reference,
    load_palettes,
    paint_subject,
)
from training.judge import Judge
from training.painters import FREE, Look, draw_hand, draw_look, jitter_palette
from training.renderer import HELD_OUT_SEED, Renderer, held_out, open_renderer
from training.sketching import clean_lines, sketch_lines
from training.train_vae import lines_kept, psnr
from training.world import Rng, draw_scene, rasterise

ROOT = Path(__file__).parents[1]
PACK_MIB = 48


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    wanted: str
    shuffled: float | None = None
    painter: float | None = None  # what the procedural painter himself gets


def vae(bench: Renderer, count: int) -> Iterator[Figure]:
    """Reconstructions."""
    pictures = held_out(1, None, count).pictures
    part = AutoencoderKL.from_pretrained(ROOT / "models" / bench.profile.pack / "vae").eval()
    yield Figure("VAE: PSNR, dB", psnr(part, pictures), ">= 28")
    yield Figure("VAE: edges kept within 2 px", lines_kept(part, pictures), ">= 0.95")


def geometry(bench: Renderer, count: int) -> Iterator[Figure]:
    """Lines of the sketch in the render, and lines that nobody drew."""
    triples = held_out(2, None, count)
    renders = bench.renders(triples)
    lines = [Image.fromarray(x) for x in triples.lines]
    yield from _geometry("clean line drawings", lines, renders, triples, ">= 0.90")
    rng = np.random.default_rng((HELD_OUT_SEED, 3))
    subjects = [draw_scene(rng) for _ in range(count)]
    rough = np.stack([sketch_lines(scene, rng) for scene in subjects])
    sketched = Triples(
        triples.pictures, rough, triples.roles, triples.references, triples.captions, triples.looks
    )
    renders = bench.renders(sketched)
    kept, other = _kept([Image.fromarray(x) for x in rough], renders)
    yield Figure("lines kept, sketches of every kind", kept, ">= 0.85", other)


def _geometry(
    name: str, lines: list[Image.Image], renders: list[Image.Image], triples: Triples, wanted: str
) -> Iterator[Figure]:
    own = [Image.fromarray(p) for p in triples.pictures]
    scores = [geometry_scores(a, b) for a, b in zip(lines, renders, strict=True)]
    best = [geometry_scores(a, b) for a, b in zip(lines, own, strict=True)]
    other = [geometry_scores(a, b) for a, b in zip(lines[1:] + lines[:1], renders, strict=True)]
    yield Figure(
        f"lines kept, {name}",
        _mean(s.kept for s in scores),
        wanted,
        _mean(s.kept for s in other),
        _mean(s.kept for s in best),
    )
    yield Figure(
        f"lines invented, {name}",
        _mean(s.invented for s in scores),
        "<= 0.25",
        _mean(s.invented for s in other),
        _mean(s.invented for s in best),
    )


def _kept(lines: list[Image.Image], renders: list[Image.Image]) -> tuple[float, float]:
    """Of each render's own lines, and of its neighbour's."""
    own = _mean(geometry_scores(a, b).kept for a, b in zip(lines, renders, strict=True))
    turned = zip(lines[1:] + lines[:1], renders, strict=True)
    return own, _mean(geometry_scores(a, b).kept for a, b in turned)


def style(bench: Renderer, count: int) -> Iterator[Figure]:
    """Is a render's nearest style its reference's? A judge of colours and textures says so."""
    rng = np.random.default_rng((HELD_OUT_SEED, 4))
    palettes = load_palettes()
    judge = Judge.taught({slug: _pictures(slug, 16, rng) for slug in palettes})
    own = [judge.nearest(p) == slug for slug in palettes for p in _pictures(slug, 2, rng)]
    looks = [
        Look(slug, jitter_palette(p, rng), True, draw_hand(rng))
        for _ in range(max(1, count // len(palettes)))
        for slug, p in palettes.items()
    ]
    triples = held_out(5, looks, len(looks))
    # No words about the style and no mood: only the reference can tell.
    renders = [
        bench.render("a picture", triples.lines[i], [(triples.references[i], 1.0)], i)
        for i in range(len(looks))
    ]
    found = [judge.nearest(r) for r in renders]
    right = _mean(f == look.style for f, look in zip(found, looks, strict=True))
    chance = _mean(f == look.style for f, look in zip(found[1:] + found[:1], looks, strict=True))
    yield Figure("style of the reference recognised, top-1", right, ">= 0.80", chance, _mean(own))


def _pictures(slug: str, count: int, rng: Rng) -> list[Image.Image]:
    """Fresh pictures by the painter of a style."""
    own = load_palettes()[slug]
    looks = [Look(slug, jitter_palette(own, rng), True, draw_hand(rng)) for _ in range(count)]
    subjects = [Subject(draw_scene(rng), None, None, None) for _ in looks]
    return [
        Image.fromarray(paint_subject(subject, look, rng)[0])
        for subject, look in zip(subjects, looks, strict=True)
    ]


def unseen(bench: Renderer, count: int) -> Iterator[Figure]:
    """Looks outside the library: how far are the render's colours from the reference's?"""
    rng = np.random.default_rng((HELD_OUT_SEED, 6))
    looks: list[Look] = []
    while len(looks) < count:
        look = draw_look(load_palettes(), rng, named=0.0)
        looks += [look] if look.style == FREE else []
    triples = held_out(7, looks, len(looks))
    renders = [
        palette(bench.render("a picture", triples.lines[i], [(triples.references[i], 1.0)], i))
        for i in range(len(looks))
    ]
    references = [palette(Image.fromarray(r)) for r in triples.references]
    own = [palette(Image.fromarray(p)) for p in triples.pictures]
    near = _mean(palette_distance(a, b) for a, b in zip(renders, references, strict=True))
    turned = references[1:] + references[:1]
    far = _mean(palette_distance(a, b) for a, b in zip(renders, turned, strict=True))
    best = _mean(palette_distance(a, b) for a, b in zip(own, references, strict=True))
    yield Figure("palette distance, unseen looks", near, f"< {far / 2:.1f}", far, best)


LIGHTNESS, REDNESS, WARMTH = 0, 1, 2  # channels of Lab
MOOD_TESTS = {
    "night": (LIGHTNESS, -1),
    "dusk": (LIGHTNESS, -1),
    "snow": (LIGHTNESS, 1),
    "fog": (LIGHTNESS, 1),
    "warm": (WARMTH, 1),
    "cold": (WARMTH, -1),
}


def words(bench: Renderer, count: int) -> Iterator[Figure]:
    """Pairs of renders that differ in a phrase alone: does the picture change the way the phrase says?"""
    for number, (mood, (channel, sign)) in enumerate(MOOD_TESTS.items()):
        rng = np.random.default_rng((HELD_OUT_SEED, 8, number))
        moved, theirs = [], []
        for i in range(max(2, count // 6)):
            plain = Subject(draw_scene(rng), None, None, None)
            moody = Subject(plain.scene, None, None, mood)
            look = draw_look(load_palettes(), rng, named=1.0)
            lines, reference = clean_lines(plain.scene), draw_reference(look, rng)
            said = [caption(subject, (), rng, held_out=True) for subject in (plain, moody)]
            pair = [bench.render(text, lines, [(reference, 1.0)], i) for text in said]
            moved.append(sign * (_lab(pair[1]) - _lab(pair[0]))[channel])
            painted = [Image.fromarray(paint_subject(s, look, rng)[0]) for s in (plain, moody)]
            theirs.append(sign * (_lab(painted[1]) - _lab(painted[0]))[channel])
        yield Figure(
            f"words: {mood} moves the picture its way, share of pairs",
            _mean(m > 1 for m in moved),
            "-",
            0.5,
            _mean(m > 1 for m in theirs),
        )
    yield from _named_colour(bench, count)


def _named_colour(bench: Renderer, count: int) -> Iterator[Figure]:
    """A part called red: how much redder it is than in the same picture where it is called blue, in Lab a*."""
    rng = np.random.default_rng((HELD_OUT_SEED, 9))
    redder: list[bool] = []
    while len(redder) < max(4, count // 3):
        scene = draw_scene(rng)
        if not scene.accents:
            continue
        accent = str(rng.choice(sorted(scene.accents)))
        there = rasterise(scene, SIZE, accent=accent).labels == 6
        look = draw_look(load_palettes(), rng, named=1.0)
        reference, lines = draw_reference(look, rng), clean_lines(scene)
        a = []
        for colour in ("red", "blue"):
            said = caption(Subject(scene, accent, colour, None), (), rng, held_out=True)
            lab = cv2.cvtColor(
                np.asarray(bench.render(said, lines, [(reference, 1.0)], len(redder)), np.float32)
                / 255,
                cv2.COLOR_RGB2Lab,
            )
            a.append(lab[there][:, REDNESS].mean())
        redder.append(a[0] - a[1] > 3)
    yield Figure("words: a red part is redder than a blue one", _mean(redder), "-", 0.5)


def retrieval(bench: Renderer, count: int) -> Iterator[Figure]:
    """Styles found by words and by pictures, and texts for which there is none."""
    encoder = open_encoder(bench.profile, ROOT / "models")
    report = calibrate(encoder, Catalog(LIBRARY)).report
    wanted = {
        "text R@1": ">= 0.93",
        "text R@3": ">= 0.99",
        "picture R@1": ">= 0.90",
        "AUROC plain off-topic": ">= 0.99",
        "AUROC hard negatives": ">= 0.95",
        "plain off-topic above the floor": "<= 0.03",
        "hard negatives above the floor": "<= 0.03",
    }
    for name, value in report.items():
        yield Figure(f"retrieval: {name}", value.value, wanted.get(name, "-"))


def speed(bench: Renderer, count: int) -> Iterator[Figure]:
    """A whole request, through a server of its own."""
    for name, floor in (("starter", "<= 8"), ("starter-fast", "<= 2.5")):
        yield Figure(f"whole request of 256 px, {name}, s", request_seconds(name), floor)


def size(bench: Renderer, count: int) -> Iterator[Figure]:
    """What the repository carries."""
    folder = ROOT / "models" / bench.profile.pack
    files = [f for f in folder.rglob("*") if f.suffix in {".safetensors", ".json"}]
    mib = sum(f.stat().st_size for f in files) / 2**20
    yield Figure("size of the pack, MiB", mib, f"<= {PACK_MIB}")
    largest = max(f.stat().st_size for f in files) / 2**20
    yield Figure("its largest file, MiB", largest, "<= 16")


def _lab(image: Image.Image) -> np.ndarray:
    return cv2.cvtColor(np.asarray(image, np.float32) / 255, cv2.COLOR_RGB2Lab).mean((0, 1))


def _mean(values: "Iterator[float] | list[bool] | list[float]") -> float:
    return float(np.mean([float(v) for v in values]))


SECTIONS: dict[str, Callable[[Renderer, int], Iterator[Figure]]] = {
    section.__name__: section
    for section in (size, vae, geometry, style, unseen, words, retrieval, speed)
}


def main() -> int:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    torch.manual_seed(0)
    bench = open_renderer(args.profile)
    print(f"{args.profile}, {bench.engine.name}, {args.count} renders a section")
    print(f"{'':56} {'value':>8} {'wanted':>9} {'shuffled':>9} {'painter':>8}")
    figures = []
    for name in args.only:
        for figure in SECTIONS[name](bench, args.count):
            figures.append(figure)
            beside = [
                f"{v:9.3f}" if v is not None else " " * 9 for v in (figure.shuffled, figure.painter)
            ]
            print(
                f"{figure.name:56} {figure.value:8.3f} {figure.wanted:>9} {' '.join(beside)}",
                flush=True,
            )
    if args.write:
        file = ROOT / "models/evaluations" / f"{args.profile}.json"
        file.parent.mkdir(exist_ok=True)
        report = {
            "engine": bench.engine.name,
            "count": args.count,
            "figures": [asdict(f) for f in figures],
        }
        file.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
