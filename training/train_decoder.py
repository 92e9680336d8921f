"""Teach the VAE's decoder what the UNet's latents look like, against its frozen encoder.

A UNet leaves faults that no encoder makes: a little blur, a little mottle. Half of what the decoder sees here are
latents that were noised some way and then denoised by the trained UNet, and it shall still paint the picture they
came from. It sees whole pictures: in windows, group norms and borders are not what a render meets. The latents, and
all that learnt on them, stay as they are.
"""

import shutil
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training.budget import Budget
from training.cache import Cache, Foundations, as_control, control_images
from training.data import draw_triples, load_palettes, load_style_captions
from training.machine import DEVICE, autocast, descend
from training.nets import trained_nets
from training.sampler import denoise
from training.train_vae import as_tensor, lines_kept, psnr, reconstruction_loss

STEPS = 20  # of the sampler
FAINT_WEIGHT = 0.6  # of `faintness`, as much as of the gradients' own error
FROM = (13, 19)  # steps taken when the UNet takes over: layout and colours are known by then


def train(folder: Path, seconds: float, seed: int, count: int, batch: int = 2) -> None:
    """Train `folder`/vae's decoder for `seconds` on `count` fresh triples and save it in place."""
    rng = np.random.default_rng(seed + 40)
    triples = draw_triples(load_palettes(), load_style_captions(), rng, count)
    foundations = Foundations(folder)
    vae, examples = foundations.vae, foundations.examples(triples)
    cells = torch.stack([examples.latents.to(DEVICE).float(), denoised(folder, examples, rng)])
    held_out = triples.pictures[: count // 20]
    vae.encoder.requires_grad_(False)
    optimizer = torch.optim.AdamW(vae.decoder.parameters(), betas=(0.9, 0.98), weight_decay=1e-3)
    budget = Budget(seconds, 5e-4, folder / "decoder.log.jsonl", warmup_steps=30)
    checkpoint, parts = folder / "decoder.pt", {"decoder": vae.decoder, "optimizer": optimizer}
    budget.restore(checkpoint, **parts)
    rng = budget.generator(seed + 40)
    vae.decoder.train()
    while budget.next_step(optimizer):
        rows = rng.integers(len(held_out), count, size=batch)
        latents = cells[rng.integers(2, size=batch), rows]
        target = as_tensor(triples.pictures[rows])
        noisy = latents + 0.05 * torch.randn(latents.shape).to(DEVICE)
        with autocast():
            output = vae.decode(noisy / vae.config.scaling_factor).sample
            loss = reconstruction_loss(output, target) + FAINT_WEIGHT * faintness(output, target)
        descend(optimizer, loss)
        budget.note(loss.item(), batch)
        if budget.step % 300 == 0:
            budget.keep(checkpoint, **parts)
    vae.eval()
    print(
        f"decoder: held-out PSNR {psnr(vae, held_out):.2f} dB, lines kept {lines_kept(vae, held_out):.3f}"
    )
    vae.save_pretrained(folder / "vae.new")
    (folder / "vae").rename(folder / "vae.old")  # a kill must not leave half a VAE
    (folder / "vae.new").rename(folder / "vae")
    shutil.rmtree(folder / "vae.old")
    budget.keep(checkpoint, finished=True, **parts)


def faintness(output: Tensor, target: Tensor) -> Tensor:
    """Mean of what the steps from pixel to pixel of (N, 3, H, W) fall short of the target's; larger ones cost nothing.

    A decoder in doubt where a line lies blurs it, which squared and absolute errors reward.
    """
    short = torch.zeros((), device=output.device)
    for axis in (2, 3):
        short = short + F.relu(target.diff(dim=axis).abs() - output.diff(dim=axis).abs()).mean()
    return short


def denoised(folder: Path, examples: Cache, rng: np.random.Generator, batch: int = 4) -> Tensor:
    """The examples' latents, noised to one of the sampler's last steps and denoised from there, in float32."""
    unet, controlnet = trained_nets(folder)
    found = []
    for i in range(0, len(examples.latents), batch):
        rows = slice(i, i + batch)
        found.append(
            denoise(
                unet,
                controlnet,
                examples.latents[rows].to(DEVICE).float(),
                as_control(control_images(examples.lines[rows])),
                examples.words[rows].to(DEVICE).float(),
                examples.looks[rows].to(DEVICE),
                STEPS,
                first=int(rng.integers(*FROM)),
            )
        )
    return torch.cat(found)
