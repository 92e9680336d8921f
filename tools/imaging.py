"""What an image engine is: one frozen request in, one image out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StyleMix:
    """Style references to blend: one vector per reference and its share of the mix."""

    vectors: tuple[Vector, ...]  # each (dim,) float32, from the engine's `embed_style`
    weights: tuple[float, ...]  # positive, sum 1


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Everything a render depends on; equal requests give equal images on the same engine."""

    prompt: str
    seed: int  # 0 .. 2**63 - 1
    width: int  # px, multiple of the profile's size_multiple
    height: int  # px, multiple of the profile's size_multiple
    steps: int  # denoising steps
    guidance_scale: float  # classifier-free guidance, 1 = off
    low_noise: float = 1.0  # share of the first noise's low frequencies, 0 .. 1, 1 = white noise
    negative_prompt: str = ""
    edges: Image.Image | None = None  # mode L, white lines on black, (width, height)
    control_scale: float = 1.0  # ControlNet conditioning scale, 0 .. 2
    style: StyleMix | None = None  # None: text only
    style_scale: float = 1.0  # IP-Adapter scale, 0 .. 1.5
    colour_transfer: float = 0.0  # share of the way to the style's colours, in all steps, 0 .. 1


@dataclass(frozen=True, slots=True)
class Step:
    """One denoising step done.

    `preview()` decodes a small RGB image of it; call it only when it will be shown. `save()` is what `generate` can
    go on from after it; call both within `on_step`.
    """

    number: int  # 1 .. total
    total: int
    preview: Callable[[], Image.Image]
    save: Callable[[], bytes]


OnStep = Callable[[Step], None]


class ImageEngine(Protocol):
    """Renders one request at a time. Blocking: run it on a `GpuLane`."""

    name: str  # "<pack>/<pack revision>", goes into results

    def count_tokens(self, text: str) -> int:
        """How many of a profile's `token_budget` tokens `text` takes."""
        ...

    def embed_style(self, image: Image.Image) -> Vector:
        """What a `StyleMix` of this engine holds for one RGB reference: (dim,) float32."""
        ...

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        """Return the RGB render of `request`, calling `on_step` after every denoising step.

        With what a `Step.save()` of the same request returned, only the steps after it are done, and the image is
        the same to the last bit.
        An exception raised by `on_step` stops the engine and comes out unchanged.
        Raises `InvalidRequest` for a size or prompt it cannot take, `EngineFailed` when the render breaks.
        """
        ...
