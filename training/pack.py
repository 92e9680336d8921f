"""Put the trained parts together as a pack in diffusers' own layout, loaded once as users do, or take one apart."""

import shutil
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from tools.packs import write_manifest
from training.nets import load_ip_adapter, save


def assemble(parts: Path, pack: Path) -> None:
    """Write `pack` from the folders that training left in `parts`, in fp16, and its manifest last."""
    half = torch.float16
    pipe = StableDiffusionControlNetPipeline(
        vae=AutoencoderKL.from_pretrained(parts / "vae", dtype=half),
        text_encoder=None,
        tokenizer=None,
        unet=UNet2DConditionModel.from_pretrained(parts / "unet", dtype=half),
        controlnet=ControlNetModel.from_pretrained(parts / "controlnet", dtype=half),
        scheduler=DDIMScheduler.from_pretrained(parts / "scheduler"),
        safety_checker=None,
        feature_extractor=CLIPImageProcessorPil.from_pretrained(parts / "feature_extractor"),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(
            parts / "image_encoder", dtype=half
        ),
        requires_safety_checker=False,
    )
    for part in ("vae", "unet", "controlnet", "image_encoder"):
        shutil.rmtree(
            pack / part, ignore_errors=True
        )  # shards of an earlier pack may have other names
    pipe.save_pretrained(pack, safe_serialization=True, max_shard_size="15MB")
    (pack / "ip_adapter").mkdir(exist_ok=True)
    shutil.copy(
        parts / "ip_adapter/ip_adapter.safetensors", pack / "ip_adapter/ip_adapter.safetensors"
    )
    write_manifest(pack)


def take_apart(pack: Path, parts: Path) -> None:
    """Write to `parts`, in fp32, what training goes on from, the other way round of `assemble`.

    The optimizers' states are not in a pack: theirs begin anew.
    """
    for part, kind in (("vae", AutoencoderKL), ("image_encoder", CLIPVisionModelWithProjection)):
        kind.from_pretrained(pack / part, dtype=torch.float32).save_pretrained(parts / part)
    shutil.copytree(pack / "feature_extractor", parts / "feature_extractor", dirs_exist_ok=True)
    unet = UNet2DConditionModel.from_pretrained(pack / "unet", dtype=torch.float32)
    load_ip_adapter(unet, pack)
    controlnet = ControlNetModel.from_pretrained(pack / "controlnet", dtype=torch.float32)
    save(parts, unet, controlnet)
    state = {"unet": unet.state_dict(), "controlnet": controlnet.state_dict()}
    torch.save(state | {"spent": 0.0, "step": 0}, parts / "diffusion.pt")
