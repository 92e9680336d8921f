"""Train the pack's style encoder: a small CLIP vision tower whose space is MiniLM's, so words find pictures.

Three things are asked of one vector: to stand by the captions of its style, to tell which hand painted it
(also under a foreign palette), and to remember the palette. The last two are what the IP-Adapter lives on.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from tools.minilm import MiniLM
from training.budget import Budget
from training.data import REFERENCE, draw_reference, load_palettes, load_style_captions
from training.painters import draw_look

MEAN, STD = 0.5, 0.5


def new_style_encoder() -> CLIPVisionModelWithProjection:
    """128 px pictures in 64 patches to one vector of MiniLM's 384 dimensions."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            image_size=REFERENCE,
            patch_size=16,
            hidden_size=160,
            intermediate_size=480,
            num_hidden_layers=4,
            num_attention_heads=5,
            projection_dim=384,
        )
    )


def as_pixels(pictures: np.ndarray) -> Tensor:
    """(N, REFERENCE, REFERENCE, 3) uint8 to the encoder's (N, 3, REFERENCE, REFERENCE)."""
    return (
        torch.from_numpy(np.ascontiguousarray(pictures))
        .permute(0, 3, 1, 2)
        .float()
        .div(255)
        .sub(MEAN)
        .div(STD)
    )


def train(folder: Path, seconds: float, seed: int, pool_size: int, batch: int = 64) -> None:
    """Train for `seconds` on `pool_size` pictures; write the tower, its image processor and style.pt to `folder`."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed + 10)
    palettes, captions = load_palettes(), load_style_captions()
    slugs = list(palettes)
    looks = [draw_look(palettes, rng) for _ in range(pool_size)]
    pool = np.stack([draw_reference(look, rng) for look in looks])
    hand = torch.tensor([slugs.index(look.style) for look in looks])
    named = torch.tensor([look.named for look in looks])
    colours = torch.from_numpy(np.stack([look.palette[:5].reshape(-1) for look in looks]))
    minilm = MiniLM(Path("models/starter/text/tokenizer.json"))
    words = [torch.from_numpy(minilm.embed(captions[slug])) for slug in slugs]

    tower = new_style_encoder()
    which_hand, which_colours = nn.Linear(384, len(slugs)), nn.Linear(384, 15)
    modules = nn.ModuleList([tower, which_hand, which_colours])
    optimizer = torch.optim.AdamW(modules.parameters(), weight_decay=0.02)
    budget = Budget(seconds, 1e-3, folder / "style.log.jsonl")
    budget.restore(folder / "style.pt", modules=modules, optimizer=optimizer)
    while budget.next_step(optimizer):
        rows = torch.from_numpy(rng.integers(len(pool) - 256, size=batch))
        pictures = pool[rows.numpy()]
        if rng.random() < 0.5:
            pictures = pictures[:, :, ::-1]
        vector = F.normalize(tower(pixel_values=as_pixels(pictures)).image_embeds, dim=1)
        targets = torch.stack([w[int(rng.integers(len(w)))] for w in words])
        near = vector @ targets.T / 0.05
        known = named[rows]
        centre = F.normalize(torch.stack([w.mean(0) for w in words]), dim=1)
        loss = F.cross_entropy(near[known], hand[rows][known])
        loss = loss + 1.0 * (1 - (vector * centre[hand[rows]]).sum(1)[known]).mean()
        loss = loss + 0.5 * F.cross_entropy(which_hand(vector * 20), hand[rows])
        loss = loss + 12.0 * F.mse_loss(which_colours(vector * 20), colours[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        budget.note(loss.item())
        if budget.step % 300 == 0:
            budget.keep(folder / "style.pt", modules=modules, optimizer=optimizer)
    budget.keep(folder / "style.pt", modules=modules, optimizer=optimizer)
    tower.eval()
    with torch.inference_mode():
        vector = F.normalize(tower(pixel_values=as_pixels(pool[-256:])).image_embeds, dim=1)
        centre = F.normalize(torch.stack([w.mean(0) for w in words]), dim=1)
        right = ((vector @ centre.T).argmax(1) == hand[-256:])[named[-256:]].float().mean().item()
        palette_error = (which_colours(vector * 20) - colours[-256:]).abs().mean().item()
    print(
        "held-out style accuracy",
        round(right, 3),
        "palette error",
        round(palette_error, 3),
        flush=True,
    )
    tower.save_pretrained(folder / "image_encoder")
    CLIPImageProcessorPil(
        size={"height": REFERENCE, "width": REFERENCE},
        do_center_crop=False,
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
    ).save_pretrained(folder / "feature_extractor")
