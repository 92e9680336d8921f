"""Put the trained parts together as a pack in diffusers' own layout, checked by loading it the way users do."""

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
