"""Train the pack's UNet, ControlNet and IP-Adapter together, on cached latents of a frozen VAE.

Trained from nothing, the three need no zero start: the ControlNet speaks from the first step, so layout is
learnt first. Each condition is dropped now and then, so that words alone, a sketch alone, a reference alone and
all three each work; words and reference are also dropped together, which is the other half of guidance.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPVisionModelWithProjection

from tools.control import control_image
from tools.minilm import DIM, MiniLM
from training.budget import Budget
from training.data import SIZE, Triples, draw_triples, load_palettes, load_style_captions
from training.train_style_encoder import as_pixels
from training.train_vae import FACTOR, LATENT_CHANNELS, as_tensor

TOKENS = 64  # word pieces a prompt may have, the two marks round it included
IMAGE_TOKENS = 4  # what the IP-Adapter makes of one style vector
CELLS = SIZE // FACTOR  # latent cells a side of a whole picture
CROP = CELLS // 2  # latent cells a side, of the windows that training looks through at first
MOST_WEIGHT = 6.0  # of a nearly noiseless example, against 1 for pure noise


@dataclass(frozen=True)
class Cache:
    """What the frozen parts make of the triples; index i is one training example."""

    latents: Tensor  # (n, LATENT_CHANNELS, CELLS, CELLS) float16, unit variance
    lines: np.ndarray  # (n, SIZE * SIZE / 8) uint8, packed bits: the edge maps
    references: Tensor  # (n, 384) float32, unit vectors
    words: Tensor  # (n, TOKENS, 384) float16


def new_unet() -> UNet2DConditionModel:
    """Thin at 64x64 and 32x32, where cost lies; attention at 16x16 and 8x8, where whole shapes are seen."""
    return UNet2DConditionModel(
        sample_size=CELLS,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D",) * 2 + ("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",) * 2,
        block_out_channels=(32, 64, 128, 192),
        layers_per_block=1,
        cross_attention_dim=DIM,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def new_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet whose zero convolutions are woken up: there is no trained UNet to protect."""
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 48))
    outputs = [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]
    for convolution in [*outputs, controlnet.controlnet_cond_embedding.conv_out]:
        nn.init.kaiming_uniform_(convolution.weight, a=5**0.5)
    return controlnet


def add_ip_adapter(unet: UNet2DConditionModel) -> None:
    """Give `unet` diffusers' own IP-Adapter modules, fresh, through the loader that a finished adapter takes."""
    unet._load_ip_adapter_weights([fresh_ip_adapter(unet)])


def fresh_ip_adapter(unet: UNet2DConditionModel) -> dict[str, dict[str, Tensor]]:
    """An untrained adapter in the plain IP-Adapter layout."""
    adapter: dict[str, Tensor] = {}
    for number, name in cross_attention_names(unet):
        attention = unet.get_submodule(name)
        adapter[f"{number}.to_k_ip.weight"] = attention.to_k.weight.detach().clone()
        adapter[f"{number}.to_v_ip.weight"] = attention.to_v.weight.detach().clone()
    projection = nn.Linear(DIM, IMAGE_TOKENS * DIM)
    return {
        "image_proj": {
            "proj.weight": projection.weight.detach() * DIM**0.5,
            "proj.bias": projection.bias.detach(),
            "norm.weight": torch.ones(DIM),
            "norm.bias": torch.zeros(DIM),
        },
        "ip_adapter": adapter,
    }


def cross_attention_names(unet: UNet2DConditionModel) -> list[tuple[int, str]]:
    """(the odd number an IP-Adapter file uses, module name) of each cross attention, in processor order."""
    names = [name.removesuffix(".processor") for name in unet.attn_processors]
    return [(i, name) for i, name in enumerate(names) if name.endswith("attn2")]


def ip_adapter_state(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """The trained adapter as one flat safetensors dictionary, `image_proj.*` and `ip_adapter.*`."""
    projection = unet.encoder_hid_proj.image_projection_layers[0]
    state = {
        "image_proj.proj.weight": projection.image_embeds.weight,
        "image_proj.proj.bias": projection.image_embeds.bias,
        "image_proj.norm.weight": projection.norm.weight,
        "image_proj.norm.bias": projection.norm.bias,
    }
    processors = unet.attn_processors
    for number, name in cross_attention_names(unet):
        processor = processors[f"{name}.processor"]
        state[f"ip_adapter.{number}.to_k_ip.weight"] = processor.to_k_ip[0].weight
        state[f"ip_adapter.{number}.to_v_ip.weight"] = processor.to_v_ip[0].weight
    return {key: value.detach().half().contiguous() for key, value in state.items()}


def new_scheduler() -> DDIMScheduler:
    """Zero terminal SNR, so that very dark and very light pictures can be reached, and the clean latents predicted.

    A network this thin has no room to carry noise through, as predicting v or epsilon would ask of it; clean
    latents are simple (T. Li and K. He, "Back to Basics: Let Denoising Generative Models Denoise", 2025).
    """
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="sample",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


class Foundations:
    """The parts that are trained first and then stay as they are."""

    def __init__(self, folder: Path) -> None:
        self.vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
        self.tower = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").eval()
        self.minilm = MiniLM(Path("models/starter/text/tokenizer.json"))

    @torch.inference_mode()
    def examples(self, triples: Triples) -> Cache:
        """What the frozen parts make of `triples`."""
        latents, references = [], []
        for i in range(0, len(triples.captions), 4):
            mean = self.vae.encode(as_tensor(triples.pictures[i : i + 4])).latent_dist.mode()
            latents.append((mean * self.vae.config.scaling_factor).half())
            looks = self.tower(pixel_values=as_pixels(triples.references[i : i + 4])).image_embeds
            references.append(F.normalize(looks, dim=1))
        words = [
            torch.from_numpy(self.minilm.embed_tokens(caption, TOKENS)).half()
            for caption in triples.captions
        ]
        lines = np.packbits(triples.lines.reshape(len(triples.lines), -1) > 0, axis=1)
        return Cache(torch.cat(latents), lines, torch.cat(references), torch.stack(words))


def build_cache(folder: Path, seed: int, count: int, chunk: int = 250) -> Cache:
    """Draw `count` triples and run them through the frozen VAE, style encoder and MiniLM."""
    foundations = Foundations(folder)
    palettes, style_captions = load_palettes(), load_style_captions()
    rng = np.random.default_rng(seed + 20)
    parts: list[Cache] = []
    for start in range(0, count, chunk):
        size = min(chunk, count - start)
        parts.append(foundations.examples(draw_triples(palettes, style_captions, rng, size)))
        print("cached", start + size, flush=True)
    return Cache(
        torch.cat([part.latents for part in parts]),
        np.concatenate([part.lines for part in parts]),
        torch.cat([part.references for part in parts]),
        torch.cat([part.words for part in parts]),
    )


def load_or_build_cache(folder: Path, seed: int, count: int) -> Cache:
    """The cache from disk when an earlier session left it there."""
    file = folder / f"cache-{seed}-{count}.pt"
    if not file.exists():
        cache = build_cache(folder, seed, count)
        torch.save(cache.__dict__, file)
    return Cache(**torch.load(file, weights_only=False))


def control_images(lines: np.ndarray) -> np.ndarray:
    """Packed edge maps to what the ControlNet is shown: (n, 3, SIZE, SIZE) uint8."""
    images = np.empty((len(lines), 3, SIZE, SIZE), np.uint8)
    for image, bits in zip(images, lines, strict=True):
        image[:] = control_image(np.unpackbits(bits).reshape(SIZE, SIZE) * 255).transpose(2, 0, 1)
    return images


def train(folder: Path, seconds: float, seed: int, count: int, batch: int = 8) -> None:
    """Train for `seconds` on `count` triples; write the three parts and the checkpoint diffusion.pt to `folder`.

    Half pictures first, four times as many of them, then whole ones.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed + 30)
    cache = load_or_build_cache(folder, seed, count)
    control = control_images(cache.lines)
    nothing = torch.from_numpy(
        MiniLM(Path("models/starter/text/tokenizer.json")).embed_tokens("", TOKENS)
    )
    unet = new_unet()
    controlnet = new_controlnet(unet)
    add_ip_adapter(unet)
    unet.train().requires_grad_(True)
    scheduler = new_scheduler()
    parameters = [*unet.parameters(), *controlnet.parameters()]
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01)
    budget = Budget(seconds, 7e-4, folder / "diffusion.log.jsonl", warmup_steps=150)
    parts = {"unet": unet, "controlnet": controlnet, "optimizer": optimizer}
    budget.restore(folder / "diffusion.pt", **parts)

    def loss_of(latents: Tensor, lines: Tensor, words: Tensor, look: Tensor) -> Tensor:
        t = torch.from_numpy(draw_timesteps(rng, len(latents)))
        noisy = scheduler.add_noise(latents, torch.randn_like(latents), t)
        output = predict(unet, controlnet, noisy, t, lines, words, look)
        weight = (1 / (1 - scheduler.alphas_cumprod[t])).clamp(max=MOST_WEIGHT)  # 1 + SNR: v's own
        return (weight * (output - latents).square().mean((1, 2, 3))).mean()

    while budget.next_step(optimizer):
        crop = CROP if budget.elapsed < 0.6 * seconds else CELLS
        rows = rng.integers(len(cache.latents), size=batch * (CELLS // crop) ** 2)
        corners = rng.integers(0, CELLS - crop + 1, size=(len(rows), 2))
        places = list(zip(rows, corners, strict=True))
        latents = torch.stack([cache.latents[i][square(at, crop)] for i, at in places])
        seen = [control[i][square(at * FACTOR, crop * FACTOR)] for i, at in places]
        lines = torch.from_numpy(np.stack(seen)).float().div_(255)
        words, look = cache.words[rows].float(), cache.references[rows]
        chance = torch.from_numpy(rng.random((2, len(rows))))
        wordless, lookless = chance[0] < 0.16, (chance[0] > 0.08) & (chance[0] < 0.24)
        words = torch.where(wordless[:, None, None], nothing, words)
        look = torch.where(lookless[:, None], torch.zeros_like(look), look)
        lines = lines * (chance[1] > 0.05)[:, None, None, None]
        loss = loss_of(latents.float(), lines, words, look)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        budget.note(loss.item())
        if budget.step % 200 == 0:
            budget.keep(folder / "diffusion.pt", **parts)
    budget.keep(folder / "diffusion.pt", **parts)
    save(folder, unet, controlnet)


def predict(
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel,
    noisy: Tensor,
    t: Tensor,
    lines: Tensor,
    words: Tensor,
    look: Tensor,
) -> Tensor:
    """The clean latents (n, LATENT_CHANNELS, h, w) behind `noisy` ones at timesteps `t` (n,).

    `lines` is the control image, (n, 3, FACTOR * h, FACTOR * w) in 0..1.
    """
    down, mid = controlnet(noisy, t, words, controlnet_cond=lines, return_dict=False)
    clean: Tensor = unet(
        noisy,
        t,
        words,
        added_cond_kwargs={"image_embeds": [look[:, None]]},
        down_block_additional_residuals=down,
        mid_block_additional_residual=mid,
    ).sample
    return clean


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


def save(folder: Path, unet: UNet2DConditionModel, controlnet: ControlNetModel) -> None:
    """Write the parts as the pipeline loads them: a plain UNet, a ControlNet, an IP-Adapter file, a scheduler."""
    adapter = ip_adapter_state(unet)
    plain = new_unet()
    plain.load_state_dict(
        {
            k: v
            for k, v in unet.state_dict().items()
            if "_ip." not in k and not k.startswith("encoder_hid_proj")
        }
    )
    plain.save_pretrained(folder / "unet")
    controlnet.save_pretrained(folder / "controlnet")
    new_scheduler().save_pretrained(folder / "scheduler")
    (folder / "ip_adapter").mkdir(exist_ok=True)
    save_file(adapter, folder / "ip_adapter/ip_adapter.safetensors")
