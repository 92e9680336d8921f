"""Widen the words of the trained networks: pictures where words decide much, each said in one of many ways.

A mood is in few of the pictures that diffusion learns from, so it learns the few phrases and not what they mean. Here
only the keys and values that the cross attention reads from words go on learning; what sketch and reference do stays.
Words that decide too much push the reference's colours aside, so the weights end half way between what they were and
what they learnt: M. Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022.
"""

from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from training.budget import Budget
from training.cache import control_images, load_or_build_cache
from training.data import draw_wordy_job
from training.machine import descend
from training.nets import new_scheduler, save, trained_nets
from training.train_diffusion import CROP, denoising_loss, empty_words, windows, without_some

LEARNT = 0.5  # share of the way from the weights before to those learnt


def train(folder: Path, seconds: float, seed: int, count: int, batch: int = 32) -> None:
    """Train for `seconds` on windows of `count` triples; write the parts, and into the checkpoint of diffusion."""
    cache = load_or_build_cache(folder, draw_wordy_job, seed + 50, count)
    control = control_images(cache.lines)
    nothing = empty_words()
    unet, controlnet = trained_nets(folder)
    for net in (unet, controlnet):
        net.train().requires_grad_(False)
    readers = nn.ModuleList([*word_readers(unet), *word_readers(controlnet)])
    before = deepcopy(readers)
    readers.requires_grad_(True)
    scheduler = new_scheduler()
    optimizer = torch.optim.AdamW(readers.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    budget = Budget(seconds, 3e-4, folder / "words.log.jsonl")
    checkpoint = folder / "words.pt"
    budget.restore(checkpoint, readers=readers, before=before, optimizer=optimizer)
    rng = budget.generator(seed + 50)
    while budget.next_step(optimizer):
        seen = without_some(windows(cache, control, batch, CROP, rng), nothing, rng)
        loss = denoising_loss(unet, controlnet, seen, scheduler, rng)
        descend(optimizer, loss)
        budget.note(loss.item(), batch)
        if budget.step % 200 == 0:
            budget.keep(checkpoint, readers=readers, before=before, optimizer=optimizer)
    budget.keep(checkpoint, readers=readers, before=before, optimizer=optimizer)
    with torch.no_grad():
        for weight, old in zip(readers.parameters(), before.parameters(), strict=True):
            weight.lerp_(old, 1 - LEARNT)
    save(folder, unet, controlnet)
    diffusion = folder / "diffusion.pt"
    state = torch.load(diffusion, weights_only=True, mmap=True)
    state |= {"unet": unet.state_dict(), "controlnet": controlnet.state_dict()}
    torch.save(state, diffusion.with_suffix(".new"))
    diffusion.with_suffix(".new").replace(diffusion)
    budget.keep(checkpoint, finished=True, optimizer=optimizer)  # from now on diffusion.pt has them


def word_readers(net: nn.Module) -> list[nn.Module]:
    """The layers of `net` through which the cross attention reads words."""
    names = ("attn2.to_k", "attn2.to_v")
    return [module for name, module in net.named_modules() if name.endswith(names)]
