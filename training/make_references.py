"""Paint the reference images of every style of the library with the project's own painters."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from training.data import LIBRARY, LINE_WIDTH, SIZE, load_palettes
from training.painters import Look, jitter_palette, paint
from training.world import Rng, Scene, rasterise
from training.world.buildings import facade, house
from training.world.interiors import living_room
from training.world.nature import hills
from training.world.solid_rooms import still_life

SUBJECTS: tuple[Callable[[Rng], Scene], ...] = (
    living_room, house, still_life, facade, hills,
)  # fmt: skip


def main(library: Path = LIBRARY) -> None:
    """Write reference-1.webp and so on into every style's folder; the same pictures each time."""
    for slug, palette in load_palettes().items():
        rng = np.random.default_rng(zlib.crc32(slug.encode()))
        for number, subject in enumerate(SUBJECTS, start=1):
            look = Look(slug, jitter_palette(palette, rng, 0.3), True)
            picture = paint(rasterise(subject(rng), SIZE, LINE_WIDTH), look, rng, SIZE)
            Image.fromarray(picture).save(
                library / slug / f"reference-{number}.webp", quality=90, method=6
            )


if __name__ == "__main__":
    main()
