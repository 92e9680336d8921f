"""Train the pack's UNet, ControlNet and IP-Adapter together, on cached latents of a frozen VAE.

Trained from nothing, the three need no zero start: the ControlNet speaks from the first step, so layout is
learnt first. Each condition is dropped now and then, so that words alone, a sketch alone, a reference alone and
all three each work.
"""

import argparse
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
from training.data import SIZE, draw_triples, load_palettes, load_style_captions
from training.train_style_encoder import as_pixels
from training.train_vae import LATENT_CHANNELS, as_tensor

TOKENS = 64  # word pieces a prompt may have, the two marks round it included
IMAGE_TOKENS = 4  # what the IP-Adapter makes of one style vector
CROP = 16  # latent cells a side, of the windows that most of training looks through


@dataclass(frozen=True)
class Cache:
    """What the frozen parts make of the triples; index i is one training example."""

    latents: Tensor  # (n, LATENT_CHANNELS, SIZE / 8, SIZE / 8) float16, unit variance
    lines: np.ndarray  # (n, SIZE * SIZE / 8) uint8, packed bits: the edge maps
    references: Tensor  # (n, 384) float32, unit vectors
    words: Tensor  # (n, TOKENS, 384) float16


def new_unet() -> UNet2DConditionModel:
    """A thin first level at 32x32, where cost lies, and attention on the two below."""
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(48, 96, 192),
        layers_per_block=1,
        cross_attention_dim=DIM,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def new_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet whose zero convolutions are woken up: there is no trained UNet to protect."""
    controlnet = ControlNetModel.from_unet(
        unet, conditioning_embedding_out_channels=(8, 16, 32, 64)
    )
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
    """v-prediction with zero terminal SNR, so that very dark and very light pictures can be reached."""
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )


@torch.inference_mode()
def build_cache(folder: Path, seed: int, count: int, chunk: int = 250) -> Cache:
    """Draw `count` triples and run them through the frozen VAE, style encoder and MiniLM."""
    vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
    tower = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").eval()
    minilm = MiniLM(Path("models/starter/text/tokenizer.json"))
    palettes, style_captions = load_palettes(), load_style_captions()
    rng = np.random.default_rng(seed + 20)
    latents, lines, references, words = [], [], [], []
    for start in range(0, count, chunk):
        triples = draw_triples(palettes, style_captions, rng, min(chunk, count - start))
        for i in range(0, len(triples.captions), 4):
            mean = vae.encode(as_tensor(triples.pictures[i : i + 4])).latent_dist.mode()
            latents.append((mean * vae.config.scaling_factor).half())
            references.append(
                F.normalize(
                    tower(pixel_values=as_pixels(triples.references[i : i + 4])).image_embeds,
                    dim=1,
                )
            )
        lines.append(np.packbits(triples.lines.reshape(len(triples.lines), -1) > 0, axis=1))
        words += [torch.from_numpy(minilm.embed_tokens(c, TOKENS)).half() for c in triples.captions]
        print("cached", start + len(triples.captions), flush=True)
    return Cache(
        torch.cat(latents), np.concatenate(lines), torch.cat(references), torch.stack(words)
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


def train(
    folder: Path,
    seconds: float,
    seed: int,
    count: int,
    batch: int,
    resume: bool,
    start: Path | None = None,
) -> None:
    """Train for `seconds`, saving the three parts under `folder` every few hundred steps."""
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
    checkpoint = folder / "diffusion.pt"
    if start is not None:
        saved = torch.load(start, weights_only=True)
        unet.load_state_dict(saved["unet"])
        controlnet.load_state_dict(saved["controlnet"])
    if resume and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        unet.load_state_dict(saved["unet"])
        controlnet.load_state_dict(saved["controlnet"])
        optimizer.load_state_dict(saved["optimizer"])
        budget.spent, budget.step = saved["spent"], saved["step"]

    def loss_of(
        latents: Tensor, lines: Tensor, words: Tensor, look: Tensor, t: Tensor, noise: Tensor
    ) -> Tensor:
        noisy = scheduler.add_noise(latents, noise, t)
        target = scheduler.get_velocity(latents, noise, t)
        down, mid = controlnet(noisy, t, words, controlnet_cond=lines, return_dict=False)
        output = unet(
            noisy,
            t,
            words,
            added_cond_kwargs={"image_embeds": [look[:, None]]},
            down_block_additional_residuals=down,
            mid_block_additional_residual=mid,
        ).sample
        return F.mse_loss(output, target)

    while budget.next_step(optimizer):
        crop = CROP if budget.elapsed < 0.7 * seconds else SIZE // 8
        rows = rng.integers(len(cache.latents), size=batch * (SIZE // 8) ** 2 // crop**2)
        corners = rng.integers(0, SIZE // 8 - crop + 1, size=(len(rows), 2))
        windows = [
            (i, slice(y, y + crop), slice(x, x + crop))
            for i, (y, x) in zip(rows, corners, strict=True)
        ]
        latents = torch.stack([cache.latents[i, :, y, x] for i, y, x in windows]).float()
        seen = np.stack([control[i, :, y0 * 8 : y1 * 8, x0 * 8 : x1 * 8] for i, y0, y1, x0, x1 in
                         ((i, y.start, y.stop, x.start, x.stop) for i, y, x in windows)])  # fmt: skip
        lines = torch.from_numpy(seen).float().div_(255)
        words, look = cache.words[rows].float(), cache.references[rows]
        drop = torch.from_numpy(rng.random((len(rows), 3)) < [0.12, 0.15, 0.06])
        words = torch.where(drop[:, 0, None, None], nothing, words)
        look = torch.where(drop[:, 1, None], torch.zeros_like(look), look)
        lines = lines * ~drop[:, 2, None, None, None]
        loss = loss_of(
            latents,
            lines,
            words,
            look,
            torch.from_numpy(draw_timesteps(rng, len(rows))),
            torch.randn_like(latents),
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        budget.note(loss.item())
        if budget.step % 200 == 0:
            save(folder, unet, controlnet)
            torch.save(
                {
                    "unet": unet.state_dict(),
                    "controlnet": controlnet.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "spent": budget.elapsed,
                    "step": budget.step,
                },
                checkpoint,
            )
    save(folder, unet, controlnet)


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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/starter"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="weights of an earlier checkpoint to begin with")
    args = parser.parse_args()
    train(args.out, args.minutes * 60, args.seed, args.count, args.batch, args.resume, args.start)
