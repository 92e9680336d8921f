"""Sharpen the VAE decoder against its frozen encoder: the latents, and all that learnt on them, stay as they are."""

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from training.budget import Budget
from training.data import SIZE, load_palettes, picture_pool
from training.train_vae import as_tensor, psnr, reconstruction_loss


def train(
    folder: Path, seconds: float, seed: int, pool_size: int, crop: int = 128, batch: int = 4
) -> None:
    """Train `folder`/vae's decoder for `seconds` on fresh pictures and save it in place."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed + 40)
    palettes = load_palettes()
    pool = picture_pool(palettes, np.random.default_rng(seed + 41), pool_size)
    held_out = picture_pool(palettes, np.random.default_rng(seed + 42), 24)
    vae = AutoencoderKL.from_pretrained(folder / "vae")
    vae.encoder.requires_grad_(False)
    print("held-out PSNR", round(psnr(vae.eval(), held_out), 2), flush=True)
    vae.decoder.train()
    optimizer = torch.optim.AdamW(vae.decoder.parameters(), betas=(0.9, 0.98), weight_decay=1e-3)
    budget = Budget(seconds, 8e-4, folder / "decoder.log.jsonl", warmup_steps=30)
    while budget.next_step(optimizer):
        which = rng.integers(len(pool), size=batch)
        corner = rng.integers(0, (SIZE - crop) // 8 + 1, size=(batch, 2)) * 8
        crops = [
            pool[i, y : y + crop, x : x + crop] for i, (y, x) in zip(which, corner, strict=True)
        ]
        x = as_tensor(np.stack(crops))
        with torch.no_grad():
            latents = vae.encode(x).latent_dist.mode()
        noisy = latents + 0.1 * torch.randn_like(latents)
        loss = reconstruction_loss(vae.decode(noisy).sample, x)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.decoder.parameters(), 1.0)
        optimizer.step()
        budget.note(loss.item())
    print("held-out PSNR", round(psnr(vae.eval(), held_out), 2), flush=True)
    vae.save_pretrained(folder / "vae")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/starter"))
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--pool", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    train(args.out, args.minutes * 60, args.seed, args.pool)
