"""Train the pack's VAE: 4x4 pixels per latent cell, crisp at outlines, smooth to diffuse in."""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from tools.edges import find_steps
from tools.fidelity import RENDER_STRICTNESS
from training.budget import Budget
from training.data import SIZE, Job, draw_pictures, jobs
from training.machine import DEVICE, autocast, descend, on_all_cores, place

LATENT_CHANNELS = 6
FACTOR = 4  # px a side of one latent cell
NOISE = 0.25  # most that latents of unit size are disturbed by in training


def new_vae() -> AutoencoderKL:
    """Thin at full resolution, because that is where a CPU spends its time."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """L1 of pixels, of image gradients and of 8x8 means, (N, 3, H, W) in -1..1.

    Gradients make outlines count as much as areas; means make the hue of areas count, which pixels alone learn last.
    """
    loss = F.l1_loss(output, target) + 2.0 * F.mse_loss(output, target)
    means, wanted = F.avg_pool2d(output, 8), F.avg_pool2d(target, 8)
    loss = loss + 1.5 * F.l1_loss(means, wanted) + 4.0 * F.mse_loss(means, wanted)
    for axis in (2, 3):
        loss = loss + 0.6 * F.l1_loss(output.diff(dim=axis), target.diff(dim=axis))
    return loss


def vae_loss(vae: AutoencoderKL, x: Tensor) -> Tensor:
    """Reconstruction from the latent mean under a little noise, latents held near unit size.

    The noise makes neighbouring latents decode alike, which is what diffusion needs; a learned variance collapsed
    to ignoring the latents within the first hundred steps.
    """
    latent = vae.encode(x).latent_dist.mean
    noisy = latent + NOISE * torch.rand(len(x), 1, 1, 1) * torch.randn_like(latent)
    return reconstruction_loss(vae.decode(noisy).sample, x) + 1e-3 * (
        latent.square().mean() - 1
    ).clamp(min=0)


@torch.inference_mode()
def reconstruct(vae: AutoencoderKL, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) through the latent mean and back."""
    decoded = vae.decode(vae.encode(as_tensor(picture[None])).latent_dist.mode()).sample[0]
    scaled = decoded.float().clamp(-1, 1).add(1).mul(127.5).round().byte()
    found: NDArray[np.uint8] = scaled.permute(1, 2, 0).cpu().numpy()
    return found


def psnr(vae: AutoencoderKL, pictures: NDArray[np.uint8]) -> float:
    """Mean PSNR in dB of reconstructions of (N, H, W, 3) pictures."""
    return float(np.mean([cv2.PSNR(p, reconstruct(vae, p)) for p in pictures]))


def lines_kept(vae: AutoencoderKL, pictures: NDArray[np.uint8]) -> float:
    """Share of the edge pixels of (N, H, W, 3) pictures with an edge of the reconstruction within 2 px."""
    kept = []
    for picture in pictures:
        edges, theirs = (
            find_steps(pixels, RENDER_STRICTNESS) for pixels in (picture, reconstruct(vae, picture))
        )
        distance = cv2.distanceTransform(1 - theirs, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        kept.append((distance[edges > 0] <= 2).mean())
    return float(np.mean(kept))


def as_tensor(pictures: np.ndarray) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) floats in -1..1."""
    x = torch.from_numpy(np.ascontiguousarray(pictures)).to(DEVICE).permute(0, 3, 1, 2)
    return x.float().div_(127.5).sub_(1).contiguous()


def train(folder: Path, seconds: float, seed: int, pool_size: int, pixels: int = 65536) -> None:
    """Train for `seconds` on `pool_size` pictures; write `folder`/vae and the checkpoint vae.pt.

    Crops of `pixels` in all a step: small ones first, for variety, then larger ones, whose statistics are nearer to
    those that the group norms will meet in whole pictures.
    """
    pool = np.concatenate(list(on_all_cores(draw_pictures, jobs(seed + 1, pool_size), "pictures")))
    held_out = draw_pictures(Job((seed + 2,), 48))
    torch.manual_seed(seed)
    vae = place(new_vae())
    optimizer = torch.optim.AdamW(vae.parameters(), betas=(0.9, 0.98), weight_decay=1e-3)
    budget = Budget(seconds, 1.5e-3, folder / "vae.log.jsonl", warmup_steps=60)
    budget.restore(folder / "vae.pt", vae=vae, optimizer=optimizer)
    rng = budget.generator(seed)
    while budget.next_step(optimizer):
        crop = 64 if budget.elapsed < 0.55 * seconds else 128
        batch = pixels // crop**2
        which = rng.integers(len(pool), size=batch)
        corner = rng.integers(0, SIZE - crop + 1, size=(batch, 2))
        crops = np.stack(
            [pool[i, y : y + crop, x : x + crop] for i, (y, x) in zip(which, corner, strict=True)]
        )
        if rng.random() < 0.5:
            crops = crops[:, :, ::-1]
        with autocast():
            loss = vae_loss(vae, as_tensor(crops))
        descend(optimizer, loss)
        budget.note(loss.item(), batch)
        if budget.step % 300 == 0:
            budget.keep(folder / "vae.pt", vae=vae, optimizer=optimizer)
    vae.eval()
    print(
        f"vae: held-out PSNR {psnr(vae, held_out):.2f} dB, lines kept {lines_kept(vae, held_out):.3f}"
    )
    vae.register_to_config(scaling_factor=latent_scale(vae, pool[:96]))
    vae.save_pretrained(folder / "vae")
    budget.keep(folder / "vae.pt", finished=True, vae=vae, optimizer=optimizer)


def latent_scale(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """What latents are multiplied by so that their standard deviation is 1."""
    with torch.inference_mode():
        latents = torch.cat([vae.encode(as_tensor(p[None])).latent_dist.mode() for p in pictures])
    return 1.0 / float(latents.std())
