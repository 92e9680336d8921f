"""The sampler on the bare networks, for sample sheets and for what the decoder learns from."""

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor

from training.machine import DEVICE, autocast
from training.nets import new_scheduler, predict


@torch.inference_mode()
def denoise(
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel,
    latents: Tensor,
    control: Tensor,
    words: Tensor,
    looks: Tensor,
    steps: int,
    first: int = 0,
) -> Tensor:
    """`latents` (n, channels, h, w), noised to step `first` of `steps` and denoised from there."""
    scheduler = new_scheduler()
    scheduler.set_timesteps(steps)
    left = scheduler.timesteps[first:]
    noise = torch.randn(latents.shape).to(DEVICE)
    noisy = scheduler.add_noise(latents, noise, left[:1])
    for t in left:
        with autocast():
            clean = predict(
                unet, controlnet, noisy, t.expand(len(noisy)).to(DEVICE), control, words, looks
            )
        noisy = scheduler.step(clean.float(), t, noisy).prev_sample
    return noisy


@torch.inference_mode()
def decode(vae: AutoencoderKL, latents: Tensor) -> NDArray[np.uint8]:
    """(n, H, W, 3) pictures."""
    with autocast():
        pictures = vae.decode(latents / vae.config.scaling_factor).sample.float()
    scaled = pictures.clamp(-1, 1).add(1).mul(127.5).round().byte()
    found: NDArray[np.uint8] = scaled.permute(0, 2, 3, 1).cpu().numpy()
    return found
