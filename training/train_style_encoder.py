"""Train the pack's style encoder: a small CLIP vision tower whose one vector has two halves.

The first stands in MiniLM's space by the captions of its style, so that words find pictures. The second, the look, is
what the IP-Adapter lives on, for styles with a name and without: which hand painted, with which palette in which role,
how boldly, and the statistics of the picture's colours and contrasts. All of these are asked of it by linear maps, so
the mean of two vectors describes the look between.
"""

import math
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

from tools.minilm import DIM, MiniLM
from training.budget import Budget
from training.data import REFERENCE, draw_references, jobs, load_style_captions
from training.machine import DEVICE, autocast, on_all_cores, place
from training.painters import ACCENT, FREE, PAINTERS, Look

MEAN, STD = 0.5, 0.5
LOOK = 2 * DIM  # length of the whole vector
HELD_OUT = 0.03  # of the pool
TOKENIZER = Path(__file__).parents[1] / "models/starter/text/tokenizer.json"


def new_style_encoder() -> CLIPVisionModelWithProjection:
    """128 px pictures in 64 patches to two halves of MiniLM's 384 dimensions each."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            image_size=REFERENCE,
            patch_size=16,
            hidden_size=192,
            intermediate_size=576,
            num_hidden_layers=4,
            num_attention_heads=6,
            projection_dim=LOOK,
        )
    )


def as_pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, REFERENCE, REFERENCE, 3) uint8 to the encoder's (N, 3, REFERENCE, REFERENCE)."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).to(DEVICE)
    return pixels.float().div(255).sub(MEAN).div(STD)


def look_targets(look: Look, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the look half must tell of a picture by a linear map, each entry of about unit size.

    Its palette in roles, how its hand differs from the style's own, mean and deviation of its colours in Lab, and
    the contrast between neighbouring pixels and over eight of them.
    """
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) / 25
    hand = look.hand
    contrast = [
        np.abs(lab[step:] - lab[:-step]).mean((0, 1)) + np.abs(lab[:, step:] - lab[:, :-step]).mean((0, 1))
        for step in (1, 8)
    ]  # fmt: skip
    return np.concatenate(
        [
            (look.palette[:ACCENT].ravel() - 0.5) * 3,
            (np.array([hand.line, hand.texture, hand.light, hand.grain]) - 1) * 4,
            lab.mean((0, 1)),
            lab.std((0, 1)),
            *contrast,
        ]
    ).astype(np.float32)


def words_half(vectors: Tensor) -> Tensor:
    """Unit vectors in MiniLM's space, (N, DIM)."""
    return F.normalize(vectors[:, :DIM], dim=1)


def train(folder: Path, seconds: float, seed: int, pool_size: int, batch: int = 64) -> None:
    """Train for `seconds` on `pool_size` pictures; write the tower, its image processor and style.pt to `folder`."""
    captions = load_style_captions()
    slugs = list(captions)
    hands = [*PAINTERS, FREE]
    drawn = on_all_cores(draw_references, jobs(seed + 10, pool_size), "references")
    looks, pictures = zip(*chain.from_iterable(drawn), strict=True)
    pool = np.stack(pictures)
    wanted = np.stack([look_targets(look, p) for look, p in zip(looks, pool, strict=True)])
    targets = torch.from_numpy(wanted).to(DEVICE)
    hand = torch.tensor([hands.index(look.style) for look in looks], device=DEVICE)
    slug = torch.tensor([slugs.index(look.style) if look.named else -1 for look in looks]).to(
        DEVICE
    )
    kept_back = math.ceil(HELD_OUT * pool_size)
    minilm = MiniLM(TOKENIZER)
    words = [torch.from_numpy(minilm.embed(captions[s])).to(DEVICE) for s in slugs]
    centres = F.normalize(torch.stack([w.mean(0) for w in words]), dim=1)

    budget = Budget(seconds, 1e-3, folder / "style.log.jsonl")
    torch.manual_seed(seed)
    tower = new_style_encoder()
    modules = nn.ModuleList([tower, nn.Linear(DIM, len(hands)), nn.Linear(DIM, targets.shape[1])])
    place(modules)
    _, which_hand, describe = modules
    optimizer = torch.optim.AdamW(modules.parameters(), weight_decay=0.02)
    budget.restore(folder / "style.pt", modules=modules, optimizer=optimizer)
    rng = budget.generator(seed + 10)

    def seen(rows: Tensor, *, mirrored: bool = False) -> tuple[Tensor, Tensor]:
        """The two halves of the pictures' unit vectors: words as unit vectors, look at a size for linear maps."""
        pictures = pool[rows.numpy()]
        vectors = tower(pixel_values=as_pixels(pictures[:, :, ::-1] if mirrored else pictures))
        unit = F.normalize(vectors.image_embeds.float(), dim=1)
        return words_half(unit), unit[:, DIM:] * DIM**0.5

    while budget.next_step(optimizer):
        rows = torch.from_numpy(rng.integers(pool_size - kept_back, size=batch))
        with autocast():
            words_seen, look_seen = seen(rows, mirrored=rng.random() < 0.5)
        named = slug[rows] >= 0
        about = slug[rows][named]
        spoken = torch.stack([w[int(rng.integers(len(w)))] for w in words])
        loss = F.cross_entropy(words_seen[named] @ spoken.T / 0.05, about)
        loss = loss + (1 - (words_seen[named] * centres[about]).sum(1)).mean()
        loss = loss + 0.5 * F.cross_entropy(which_hand(look_seen), hand[rows])
        loss = loss + 3.0 * F.mse_loss(describe(look_seen), targets[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        budget.note(loss.item(), batch)
        if budget.step % 300 == 0:
            budget.keep(folder / "style.pt", modules=modules, optimizer=optimizer)
    tower.eval()
    with torch.inference_mode():
        rows = torch.arange(pool_size - kept_back, pool_size)
        words_seen, look_seen = seen(rows)
        right = ((words_seen @ centres.T).argmax(1) == slug[rows])[slug[rows] >= 0].float().mean()
        error = (describe(look_seen) - targets[rows]).square().mean(0) / targets.var(0)
    colours = error[: 3 * ACCENT].mean()
    print(
        f"style: held-out accuracy {right:.3f}, unexplained {error.mean():.3f}, of colours {colours:.3f}"
    )
    tower.save_pretrained(folder / "image_encoder")
    CLIPImageProcessorPil(
        size={"height": REFERENCE, "width": REFERENCE},
        do_center_crop=False,
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
    ).save_pretrained(folder / "feature_extractor")
    budget.keep(folder / "style.pt", finished=True, modules=modules, optimizer=optimizer)
