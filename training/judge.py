"""Which style of the library a picture looks like, by colours and textures alone: no network is asked.

The judge of the pack's renders must not be the encoder that conditioned them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

SIDE = 128  # px, of the picture that is measured
BINS = (6, 7, 7)  # of L*, a*, b*
REACH = ((0, 100), (-70, 70), (-70, 70))  # of the bins; colours beyond count in the outermost
SHRINKAGE = 0.3  # of the covariance towards its diagonal: O. Ledoit and M. Wolf, 2004


def look_statistics(image: Image.Image) -> Floats:
    """Colours and textures of an RGB image as one vector.

    Square roots of a Lab histogram (the Hellinger kernel), mean and deviation of L*, a*, b*, and the logarithms of
    the contrast left between blurs of 1, 2, 4 and 8 px.
    """
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
    inside = [np.clip(lab[..., i].ravel(), low, high) for i, (low, high) in enumerate(REACH)]
    histogram, _ = np.histogramdd(np.stack(inside, 1), BINS, REACH)
    blurs = [lab, *(cv2.GaussianBlur(lab, (0, 0), sigma) for sigma in (1, 2, 4, 8))]
    contrast = [np.abs(a - b).mean((0, 1)) for a, b in pairwise(blurs)]
    return np.concatenate(
        [
            np.sqrt(histogram.ravel() / SIDE**2) * 4,
            lab.mean((0, 1)) / 20,
            lab.std((0, 1)) / 10,
            np.log(np.concatenate(contrast) + 0.1),
        ]
    ).astype(np.float32)


@dataclass(frozen=True)
class Judge:
    """Nearest class mean under a shared covariance: linear discriminant analysis (R. A. Fisher, 1936)."""

    slugs: tuple[str, ...]
    means: Floats  # (styles, features), whitened
    whiten: Floats  # (features, features)

    @classmethod
    def taught(cls, examples: dict[str, Sequence[Image.Image]]) -> "Judge":
        """A judge who has seen some pictures of every style, by slug."""
        rows = {
            slug: np.stack([look_statistics(p) for p in pictures])
            for slug, pictures in examples.items()
        }
        means = np.stack([r.mean(0) for r in rows.values()])
        inner = np.concatenate([r - r.mean(0) for r in rows.values()])
        covariance = inner.T @ inner / len(inner)
        diagonal = np.diag(np.diag(covariance) + 1e-3)
        values, vectors = np.linalg.eigh((1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal)
        whiten = (vectors / np.sqrt(np.maximum(values, 1e-6))).astype(np.float32)
        return cls(tuple(rows), means @ whiten, whiten)

    def nearest(self, image: Image.Image) -> str:
        """The slug of the style whose pictures are most like `image`."""
        distance = np.square(self.means - look_statistics(image) @ self.whiten).sum(1)
        return self.slugs[int(distance.argmin())]
