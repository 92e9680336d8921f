"""The pictures of the pack's card, none of them picked.

    python -m training.sheet

samples.webp: lines, reference, render, and what the painter himself would have made of it.
blend.webp: from one look to another by weight. words.webp: one sketch, one look, other words.
parts.webp: words alone, sketch alone, reference alone, all three.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from training.data import draw_reference, load_palettes
from training.painters import Look
from training.renderer import HELD_OUT_SEED, MODELS, Renderer, held_out, open_renderer

CELL, GAP = 160, 4  # px
SAMPLES, STRIPS = 12, 3
WEIGHTS = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85, 1.0)
WORDS = (
    "",
    ", at night",
    ", at dusk",
    ", in the snow",
    ", in thick fog",
    ", in warm light",
    ", in cold light",
)


def main() -> None:
    """Render and save every sheet in models/starter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="starter")
    parser.add_argument("--out", type=Path, default=MODELS / "starter")
    args = parser.parse_args()
    renderer = open_renderer(args.profile)
    for name, sheet in (("samples", samples), ("blend", blend), ("words", words), ("parts", parts)):
        sheet(renderer).save(args.out / f"{name}.webp", quality=88)
        print(name, flush=True)


def samples(renderer: Renderer) -> Image.Image:
    """Two samples a row."""
    triples = held_out(0, None, SAMPLES)
    renders = renderer.renders(triples)
    columns = (triples.lines, triples.references, renders, triples.pictures)
    rows = [_pictures(*row) for row in zip(*columns, strict=True)]
    return grid([a + b for a, b in zip(rows[::2], rows[1::2], strict=True)])


def blend(renderer: Renderer) -> Image.Image:
    """Each row: one look, the blends, the other look; the references stand at the ends."""
    rng = np.random.default_rng((HELD_OUT_SEED, 20))
    triples = held_out(21, None, STRIPS)
    palettes = load_palettes()
    rows = []
    for lines, caption in zip(triples.lines, triples.captions, strict=True):
        pair = rng.choice(list(palettes), 2, replace=False)
        a, b = (draw_reference(Look(slug, palettes[slug], True), rng) for slug in pair)
        strip = [renderer.render(caption, lines, [(a, 1 - w), (b, w)], 0) for w in WEIGHTS]
        rows.append([*_pictures(a), *strip, *_pictures(b)])
    return grid(rows)


def words(renderer: Renderer) -> Image.Image:
    """Each row: the reference, then the same sketch under other words."""
    triples = held_out(22, None, STRIPS)
    rows = []
    for lines, reference in zip(triples.lines, triples.references, strict=True):
        strip = [
            renderer.render(f"a picture{said}", lines, [(reference, 1.0)], 0) for said in WORDS
        ]
        rows.append([*_pictures(reference), *strip])
    return grid(rows)


def parts(renderer: Renderer) -> Image.Image:
    """Each row: lines, reference; renders from words, from lines, from the reference, from all three."""
    triples = held_out(23, None, STRIPS)
    rows = []
    for lines, reference, caption in zip(
        triples.lines, triples.references, triples.captions, strict=True
    ):
        look = [(reference, 1.0)]
        strip = [
            renderer.render(caption, None, [], 0),
            renderer.render("", lines, [], 0),
            renderer.render("", None, look, 0),
            renderer.render(caption, lines, look, 0),
        ]
        rows.append([*_pictures(lines, reference), *strip])
    return grid(rows)


def _pictures(*pictures: np.ndarray | Image.Image) -> list[Image.Image]:
    return [Image.fromarray(np.asarray(picture)) for picture in pictures]


def grid(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Pictures in rows of one length, on white."""
    step = CELL + GAP
    sheet = Image.new("RGB", (len(rows[0]) * step - GAP, len(rows) * step - GAP), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            cell = picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (x * step, y * step))
    return sheet


if __name__ == "__main__":
    main()
