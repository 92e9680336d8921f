"""Unpicked samples of the pack on scenes, palettes and words it was not trained on, as a sheet and as numbers.

    python -m training.sheet [--count 12]

Columns of the sheet: the lines, the reference, the render, and what the painter himself would have made of it.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from tools.diffusion import open_engine
from tools.fidelity import geometry_scores, palette, palette_distance
from tools.imaging import ImageRequest, StyleMix
from tools.profiles import load_profiles
from training.data import SIZE, draw_triples, load_palettes, load_style_captions

ROOT = Path(__file__).parents[1]
HELD_OUT_SEED = 777_000  # training draws from seeds below 1000


def main() -> None:
    """Render, save models/starter/samples.webp, print the mean scores beside their shuffled baselines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--out", type=Path, default=ROOT / "models/starter/samples.webp")
    args = parser.parse_args()
    profile = load_profiles(ROOT / "models/profiles.toml")["starter"]
    engine = open_engine(profile, args.models)
    rng = np.random.default_rng(HELD_OUT_SEED)
    triples = draw_triples(load_palettes(), load_style_captions(), rng, args.count)
    lines = [Image.fromarray(x) for x in triples.lines]
    references = [Image.fromarray(x) for x in triples.references]
    renders = []
    for i in range(args.count):
        request = ImageRequest(
            prompt=triples.captions[i],
            seed=i,
            width=SIZE,
            height=SIZE,
            steps=profile.steps,
            guidance_scale=profile.guidance_scale,
            edges=lines[i],
            control_scale=profile.control_scale,
            style=StyleMix((engine.embed_style(references[i]),), (1.0,)),
            style_scale=profile.style_scale,
        )
        renders.append(engine.generate(request, lambda step: None))
        print(i, triples.styles[i], "|", triples.captions[i], flush=True)

    def mean(score: list[float]) -> str:
        return f"{np.mean(score):.3f}"

    n = args.count
    kept = [geometry_scores(lines[i], renders[i]) for i in range(n)]
    shuffled = [geometry_scores(lines[i - 1], renders[i]) for i in range(n)]
    truth = [geometry_scores(lines[i], Image.fromarray(triples.pictures[i])) for i in range(n)]
    colours = [palette(r) for r in renders]
    looks = [palette(r) for r in references]
    print("lines kept:", mean([s.kept for s in kept]), "shuffled sketches:", mean([s.kept for s in shuffled]),
          "the painter himself:", mean([s.kept for s in truth]))  # fmt: skip
    print(
        "lines invented:",
        mean([s.invented for s in kept]),
        "shuffled:",
        mean([s.invented for s in shuffled]),
    )
    near = [palette_distance(colours[i], looks[i]) for i in range(n)]
    far = [palette_distance(colours[i], looks[i - 1]) for i in range(n)]
    print("palette distance to the reference:", mean(near), "shuffled references:", mean(far))
    _sheet(lines, references, renders, [Image.fromarray(x) for x in triples.pictures]).save(
        args.out, quality=88
    )


def _sheet(*columns: list[Image.Image]) -> Image.Image:
    """Two samples a row, each as its columns side by side."""
    cell, gap, count = 160, 4, len(columns[0])
    width = len(columns) * (cell + gap)
    sheet = Image.new("RGB", (2 * width + gap, (count + 1) // 2 * (cell + gap)), "white")
    for i in range(count):
        for j, column in enumerate(columns):
            x, y = (i % 2) * (width + gap) + j * (cell + gap), i // 2 * (cell + gap)
            sheet.paste(
                column[i].convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS), (x, y)
            )
    return sheet


if __name__ == "__main__":
    main()
