"""A finished pack at work on the procedural world: renders for its card and its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image

from tools.diffusion import DiffusersEngine, open_engine
from tools.imaging import ImageRequest, StyleMix
from tools.profiles import Profile, load_profiles
from training.data import SIZE, Triples, draw_triples, load_palettes
from training.painters import Look

MODELS = Path(__file__).parents[1] / "models"
HELD_OUT_SEED = 777_000  # training draws from seeds below 1000

Reference = tuple[MatLike, float]  # (height, width, 3), weight


@dataclass(frozen=True)
class Renderer:
    """An engine and the profile whose defaults it renders with."""

    profile: Profile
    engine: DiffusersEngine

    def render(
        self,
        prompt: str,
        lines: NDArray[np.uint8] | None,
        references: Sequence[Reference],
        seed: int,
    ) -> Image.Image:
        """SIZE px of (SIZE, SIZE) lines, None for no sketch, in the blend of some references, none for no style."""
        vectors = tuple(self.engine.embed_style(Image.fromarray(r)) for r, _ in references)
        request = ImageRequest(
            prompt=prompt,
            seed=seed,
            width=SIZE,
            height=SIZE,
            steps=self.profile.steps,
            guidance_scale=self.profile.guidance_scale,
            low_noise=self.profile.low_noise,
            colour_transfer=self.profile.colour_transfer,
            edges=None if lines is None else Image.fromarray(lines),
            control_scale=self.profile.control_scale,
            style=StyleMix(vectors, tuple(w for _, w in references)) if vectors else None,
            style_scale=self.profile.style_scale,
        )
        return self.engine.generate(request, lambda step: None)

    def renders(self, triples: Triples) -> list[Image.Image]:
        """One render of each triple."""
        parts = zip(triples.captions, triples.lines, triples.references, strict=True)
        return [
            self.render(caption, lines, [(reference, 1.0)], seed)
            for seed, (caption, lines, reference) in enumerate(parts)
        ]


def open_renderer(profile: str) -> Renderer:
    """A profile's pack. Raises `WeightsMissing`."""
    found = load_profiles(MODELS / "profiles.toml")[profile]
    return Renderer(found, open_engine(found, MODELS))


def held_out(section: int, looks: Sequence[Look] | None, count: int) -> Triples:
    """Triples that training never drew, with clean lines and held-out phrases."""
    rng = np.random.default_rng((HELD_OUT_SEED, section))
    return draw_triples(load_palettes(), {}, rng, count, looks=looks, held_out=True)
