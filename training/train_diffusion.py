"""Train the pack's UNet, ControlNet and IP-Adapter together, on cached latents of a frozen VAE.

Trained from nothing, the three need no zero start: the ControlNet speaks from the first step, so layout is
learnt first. Each condition is dropped now and then, so that words alone, a sketch alone, a reference alone and
all three each work; words and reference are also dropped together, which is the other half of guidance.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from tools.minilm import MiniLM
from training.budget import Budget
from training.cache import (
    CELLS,
    TOKENS,
    Cache,
    Foundations,
    as_control,
    as_roles,
    control_images,
    load_or_build_cache,
)
from training.data import Job, draw_job
from training.machine import DEVICE, autocast, descend, place
from training.nets import add_ip_adapter, new_controlnet, new_scheduler, new_unet, predict, save
from training.sampler import decode, denoise
from training.train_style_encoder import TOKENIZER
from training.train_vae import FACTOR, LATENT_CHANNELS

CROP = CELLS // 2  # latent cells a side, of the windows that training looks through at first
WINDOWS = 0.4  # share of the time they take
MOST_WEIGHT = 6.0  # of a nearly noiseless example, against 1 for pure noise
ROLES = 6  # classes of `as_roles`
ROLE_WEIGHT = 0.1  # of the cross entropy of the roles, beside the denoising loss
SHOWN = 6  # pictures of a sample sheet
SHEET_EVERY = 800  # steps


class RoleReader:
    """Reads from the UNet's decoder which role each place plays, and asks that it can be read.

    What a line drawing shows is decided by shapes far apart; the denoising loss alone teaches that slowly. Aligning
    inner features with a target that needs understanding speeds training up: S. Yu et al., "Representation Alignment
    for Generation", ICLR 2025. Nothing of it is left in the pack.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        self._features: list[Tensor] = []
        blocks = unet.up_blocks
        widths = [block.resnets[-1].conv2.out_channels for block in blocks]
        self._at = (1, len(blocks) - 1)
        self.heads = place(nn.ModuleList([nn.Conv2d(widths[i], ROLES, 1) for i in self._at]))
        for i in self._at:
            blocks[i].register_forward_hook(self._read)

    def _read(self, _block: nn.Module, _inputs: object, output: Tensor) -> None:
        if torch.is_grad_enabled():  # a sample sheet is nobody's example
            self._features.append(output)

    def loss(self, roles: Tensor) -> Tensor:
        """Mean cross entropy of what the last forward pass showed, against (n, h, w) classes."""
        share = nn.functional.one_hot(roles, ROLES).permute(0, 3, 1, 2).float()
        total = torch.zeros((), device=roles.device)
        for head, features in zip(self.heads, self._features, strict=True):
            logits = head(features).float()
            wanted = nn.functional.adaptive_avg_pool2d(share, logits.shape[-2:])
            total = total - (wanted * logits.log_softmax(1)).sum(1).mean()
        self._features.clear()
        return total


def train(folder: Path, seconds: float, seed: int, count: int, batch: int = 8) -> None:
    """Train for `seconds` on `count` triples; write the three parts and the checkpoint diffusion.pt to `folder`.

    Half pictures first, four times as many of them, then whole ones.
    """
    cache = load_or_build_cache(folder, draw_job, seed + 20, count)
    control = control_images(cache.lines)
    nothing = empty_words()
    torch.manual_seed(seed)
    unet = new_unet()
    controlnet = place(new_controlnet(unet))
    add_ip_adapter(unet)
    place(unet).train().requires_grad_(True)
    reader = RoleReader(unet)
    scheduler = new_scheduler()
    parameters = [*unet.parameters(), *controlnet.parameters(), *reader.heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    budget = Budget(seconds, 7e-4, folder / "diffusion.log.jsonl", warmup_steps=150)
    parts = {"unet": unet, "controlnet": controlnet, "heads": reader.heads, "optimizer": optimizer}
    budget.restore(folder / "diffusion.pt", **parts)
    rng = budget.generator(seed + 30)
    sheet = SampleSheet(folder, seed)

    while budget.next_step(optimizer):
        crop = CROP if budget.elapsed < WINDOWS * seconds else CELLS
        seen = windows(cache, control, batch * (CELLS // crop) ** 2, crop, rng)
        loss = denoising_loss(unet, controlnet, without_some(seen, nothing, rng), scheduler, rng)
        descend(optimizer, loss + ROLE_WEIGHT * reader.loss(seen.roles))
        budget.note(loss.item(), len(seen.latents))
        if budget.step % 200 == 0:
            budget.keep(folder / "diffusion.pt", **parts)
        if budget.step % SHEET_EVERY == 0:
            sheet.draw(unet, controlnet, budget.step)
    save(folder, unet, controlnet)
    budget.keep(folder / "diffusion.pt", finished=True, **parts)


@dataclass(frozen=True)
class Examples:
    """A batch of n, in windows of so many latent cells a side."""

    latents: Tensor  # (n, LATENT_CHANNELS, cells, cells) float32, unit variance
    lines: Tensor  # (n, 3, cells * FACTOR, cells * FACTOR), the control images in 0..1
    roles: Tensor  # (n, cells, cells), classes 0..5
    words: Tensor  # (n, TOKENS, DIM)
    looks: Tensor  # (n, LOOK)


def windows(
    cache: Cache, control: NDArray[np.uint8], count: int, crop: int, rng: np.random.Generator
) -> Examples:
    """`count` examples of `cache`, seen through windows of `crop` latent cells a side; `control` holds their lines."""
    rows = rng.integers(len(cache.latents), size=count)
    corners = rng.integers(0, CELLS - crop + 1, size=(count, 2))
    places = list(zip(rows, corners, strict=True))
    latents = torch.stack([cache.latents[i][square(at, crop)] for i, at in places])
    lines = [control[i][square(at * FACTOR, crop * FACTOR)] for i, at in places]
    return Examples(
        latents.to(DEVICE).float(),
        as_control(np.stack(lines)),
        as_roles(np.stack([cache.roles[i][square(at, crop)[1:]] for i, at in places])),
        cache.words[rows].to(DEVICE).float(),
        cache.looks[rows].to(DEVICE),
    )


def without_some(seen: Examples, nothing: Tensor, rng: np.random.Generator) -> Examples:
    """The same with words (`nothing` in their place), look or lines left out here and there."""
    chance = torch.from_numpy(rng.random((2, len(seen.latents)))).to(DEVICE)
    wordless, lookless = chance[0] < 0.16, (chance[0] > 0.08) & (chance[0] < 0.24)
    return replace(
        seen,
        words=torch.where(wordless[:, None, None], nothing, seen.words),
        looks=torch.where(lookless[:, None], torch.zeros_like(seen.looks), seen.looks),
        lines=seen.lines * (chance[1] > 0.05)[:, None, None, None],
    )


def denoising_loss(
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel,
    seen: Examples,
    scheduler: DDIMScheduler,
    rng: np.random.Generator,
) -> Tensor:
    """Squared error of the clean latents that the networks see behind noise, weighed as v's own error would be."""
    latents = seen.latents
    t = torch.from_numpy(draw_timesteps(rng, len(latents)))
    noisy = scheduler.add_noise(latents, torch.randn(latents.shape).to(DEVICE), t)
    with autocast():
        clean = predict(
            unet, controlnet, noisy, t.to(DEVICE), seen.lines, seen.words, seen.looks
        ).float()
    weight = (1 / (1 - scheduler.alphas_cumprod[t])).clamp(max=MOST_WEIGHT)  # 1 + SNR
    return (weight.to(DEVICE) * (clean - latents).square().mean((1, 2, 3))).mean()


def empty_words() -> Tensor:
    """What the networks are told where nothing is said: (TOKENS, DIM)."""
    return torch.from_numpy(MiniLM(TOKENIZER).embed_tokens("", TOKENS)).to(DEVICE)


def square(corner: np.ndarray, side: int) -> tuple[slice, slice, slice]:
    """Where (channels, height, width) data has the window whose top left is `corner`, (y, x)."""
    y, x = corner
    return slice(None), slice(y, y + side), slice(x, x + side)


def draw_timesteps(rng: np.random.Generator, batch: int) -> np.ndarray:
    """Half uniform, half towards noise, where layout and colour are decided; the last step is never left out."""
    t = rng.integers(0, 1000, batch)
    late = (1000 * np.sqrt(rng.random(batch))).astype(np.int64)
    t = np.where(rng.random(batch) < 0.5, t, late)
    return np.where(rng.random(batch) < 0.05, 999, t).clip(0, 999)


class SampleSheet:
    """The same few unseen triples, rendered as training goes: lines, reference, render, the painter's own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._triples = draw_job(Job((seed + 25,), SHOWN))
        foundations = Foundations(folder)
        self._vae, self._examples = foundations.vae, foundations.examples(self._triples)

    def draw(self, unet: UNet2DConditionModel, controlnet: ControlNetModel, step: int) -> None:
        """Write samples-STEP.webp."""
        examples: Cache = self._examples
        state = torch.get_rng_state()
        latents = denoise(
            unet.eval(),
            controlnet.eval(),
            torch.zeros(SHOWN, LATENT_CHANNELS, CELLS, CELLS).to(DEVICE),
            as_control(control_images(examples.lines)),
            examples.words.to(DEVICE).float(),
            examples.looks.to(DEVICE),
            steps=10,
        )
        torch.set_rng_state(state)
        unet.train()
        controlnet.train()
        renders = decode(self._vae, latents)
        lines = np.repeat(self._triples.lines[..., None], 3, axis=3)
        looks = np.repeat(np.repeat(self._triples.references, 2, axis=1), 2, axis=2)
        columns = [
            np.concatenate(list(part)) for part in (lines, looks, renders, self._triples.pictures)
        ]
        Image.fromarray(np.concatenate(columns, axis=1)).save(
            self._folder / f"samples-{step:06}.webp"
        )
