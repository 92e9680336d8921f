"""What VAE, style encoder and MiniLM, all frozen, make of the triples: the examples that diffusion learns from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPVisionModelWithProjection

from tools.control import control_image
from tools.minilm import MiniLM
from training.data import SIZE, Job, Triples, jobs
from training.machine import DEVICE, autocast, on_all_cores, place
from training.train_style_encoder import TOKENIZER, as_pixels
from training.train_vae import FACTOR, as_tensor
from training.world import ACCENT

TOKENS = 64  # word pieces a prompt may have, the two marks round it included
CELLS = SIZE // FACTOR  # latent cells a side of a picture
BATCH = 4  # pictures encoded at a time


@dataclass(frozen=True)
class Cache:
    """Index i is one training example."""

    latents: Tensor  # (n, LATENT_CHANNELS, CELLS, CELLS) float16, unit variance
    lines: NDArray[np.uint8]  # (n, SIZE * SIZE / 8), packed bits: the edge maps
    roles: NDArray[np.uint8]  # (n, CELLS, CELLS): what the middle of each cell belongs to
    looks: Tensor  # (n, LOOK) float32, unit vectors
    words: Tensor  # (n, TOKENS, 384) float16


class Foundations:
    """The parts that are trained first and then stay as they are."""

    def __init__(self, folder: Path) -> None:
        self.vae = place(AutoencoderKL.from_pretrained(folder / "vae")).eval()
        self.tower = place(
            CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder")
        ).eval()
        self.minilm = MiniLM(TOKENIZER)

    @torch.inference_mode()
    def examples(self, triples: Triples) -> Cache:
        """What the frozen parts make of `triples`."""
        latents, looks = [], []
        scale = self.vae.config.scaling_factor
        for i in range(0, len(triples.captions), BATCH):
            rows = slice(i, i + BATCH)
            with autocast():
                mean = self.vae.encode(as_tensor(triples.pictures[rows])).latent_dist.mode()
                seen = self.tower(pixel_values=as_pixels(triples.references[rows])).image_embeds
            latents.append((mean * scale).half().cpu())
            looks.append(F.normalize(seen.float(), dim=1).cpu())
        words = [
            torch.from_numpy(self.minilm.embed_tokens(c, TOKENS)).half() for c in triples.captions
        ]
        lines = np.packbits(triples.lines.reshape(len(triples.lines), -1) > 0, axis=1)
        roles = triples.roles[:, FACTOR // 2 :: FACTOR, FACTOR // 2 :: FACTOR]
        return Cache(torch.cat(latents), lines, roles, torch.cat(looks), torch.stack(words))


def load_or_build_cache(
    folder: Path, draw: Callable[[Job], Triples], seed: int, count: int
) -> Cache:
    """`count` examples that `draw` drew, from disk when an earlier session left them there."""
    file = folder / f"cache-{seed}-{count}.pt"
    if not file.exists():
        torch.save(build_cache(folder, draw, seed, count).__dict__, file)
    return Cache(**torch.load(file, weights_only=False))


def build_cache(folder: Path, draw: Callable[[Job], Triples], seed: int, count: int) -> Cache:
    """Draw triples in processes of their own, and run them through the frozen parts here."""
    foundations = Foundations(folder)
    drawn = on_all_cores(draw, jobs(seed, count), "cache")
    parts = [foundations.examples(triples) for triples in drawn]
    return Cache(
        torch.cat([part.latents for part in parts]),
        np.concatenate([part.lines for part in parts]),
        np.concatenate([part.roles for part in parts]),
        torch.cat([part.looks for part in parts]),
        torch.cat([part.words for part in parts]),
    )


def control_images(lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Packed edge maps to what the ControlNet is shown: (n, 3, SIZE, SIZE) uint8."""
    images = np.empty((len(lines), 3, SIZE, SIZE), np.uint8)
    for image, bits in zip(images, lines, strict=True):
        image[:] = control_image(np.unpackbits(bits).reshape(SIZE, SIZE) * 255).transpose(2, 0, 1)
    return images


def as_control(images: NDArray[np.uint8]) -> Tensor:
    """Control images as the ControlNet takes them, (n, 3, h, w) in 0..1."""
    return torch.from_numpy(images).to(DEVICE).float().div_(255)


def as_roles(labels: NDArray[np.uint8]) -> Tensor:
    """Labels of the world as class indices 0..5 (a named part is a class of its own)."""
    return torch.from_numpy(np.where(labels == ACCENT, 5, labels).astype(np.int64)).to(DEVICE)
