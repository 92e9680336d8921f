"""Colours of a reference, and how the sampler's estimates are led to them: colour transfer between latents.

A small network that learnt from squared errors paints too grey: where it is unsure of a colour it takes the mean of
what may be. The reference knows how its colours spread, so the estimate of the finished latents is stretched to the
same spread while layout and colours are being decided; the steps after that put right what the stretch disturbed.

How to stretch is read from the same render without words, made beside it: led by what it paints itself, a night would
be led back to its reference's daylight. So words change a picture from where the reference puts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tools.imaging import Vector

if TYPE_CHECKING:
    import torch

EARLY = 0.5
FLOOR = 0.02  # variance that every channel is taken to have: a flat picture has no spread to give

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Colours:
    """Mean (channels,) and covariance (channels, channels) of latents over all places."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, latents: Floats) -> Colours:
        """Of (channels, height, width) latents."""
        cells = latents.reshape(len(latents), -1)
        return cls(cells.mean(1), np.atleast_2d(np.cov(cells, bias=True)))

    @classmethod
    def unpack(cls, vector: Vector, channels: int) -> Colours:
        """The other way round of `pack`."""
        mean, covariance = np.split(vector.astype(np.float64), [channels])
        return cls(mean, covariance.reshape(channels, channels))

    def pack(self) -> Vector:
        """All of it as one vector, (channels + channels**2,), whose weighted means are a blend's colours."""
        return np.concatenate([self.mean, self.covariance.ravel()]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class ColourMap:
    """An affine map of latents, the same at every place: `matrix` (channels, channels), `offset` (channels,)."""

    matrix: Floats
    offset: Floats

    def __call__(self, latents: torch.Tensor) -> torch.Tensor:
        """Of (n, channels, height, width)."""
        import torch

        mixed = torch.einsum("oc,nchw->nohw", torch.from_numpy(self.matrix).to(latents), latents)
        return mixed + torch.from_numpy(self.offset).to(latents)[:, None, None]


def transfer(own: Colours, wanted: Colours, share: float) -> ColourMap:
    """What moves latents of the colours `own` by `share`, 0..1, of the way to the mean and covariance `wanted`.

    The linear map that moves colours least: F. Pitié and A. Kokaram, "The Linear Monge-Kantorovitch Linear Colour
    Mapping for Example-Based Colour Transfer", CVMP 2007. From covariance A to B it is
    A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2.
    """
    least = FLOOR * np.eye(len(own.mean))
    root = _square_root(own.covariance + least)
    inverse = np.linalg.inv(root)
    stretch = inverse @ _square_root(root @ (wanted.covariance + least) @ root) @ inverse
    matrix = (1 - share) * np.eye(len(own.mean)) + share * stretch
    return ColourMap(matrix, own.mean + share * (wanted.mean - own.mean) - matrix @ own.mean)


def _square_root(matrix: Floats) -> Floats:
    """Of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
