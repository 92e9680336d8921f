"""Packs of real diffusers and transformers classes at tiny random size, laid out as the hub and our training do."""

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

TEXT = {
    "vocab_size": 1000,
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": 24,
}


def write_hub_parts(folder: Path) -> dict[str, Path]:
    """The four downloads of the `sd15` profile, as the hub would leave them."""
    torch.manual_seed(0)
    parts = {
        name: folder / name for name in ("pipeline", "controlnet", "ip_adapter", "style_encoder")
    }
    unet = tiny_unet()
    controlnet = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
    tokenizer = tiny_tokenizer(folder)
    vision = CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))
    StableDiffusionControlNetPipeline(
        vae=tiny_vae(),
        text_encoder=CLIPTextModel(CLIPTextConfig(**TEXT)),
        tokenizer=tokenizer,
        unet=unet,
        controlnet=controlnet,
        scheduler=DDIMScheduler(clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(dtype=torch.float16).save_pretrained(parts["pipeline"], variant="fp16")
    controlnet.half().save_pretrained(parts["controlnet"], variant="fp16")
    vision.save_pretrained(parts["ip_adapter"] / "models/image_encoder")
    save_file(tiny_ip_adapter(unet), parts["ip_adapter"] / "models/ip-adapter_sd15.safetensors")
    clip = CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24))
    clip.save_pretrained(parts["style_encoder"])
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    CLIPProcessor(processor, tokenizer).save_pretrained(parts["style_encoder"])
    return parts


def tiny_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def tiny_vae() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
    )


def tiny_ip_adapter(unet: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """The plain IP-Adapter layout, flat keys, as the published safetensors file has them."""
    width, image_dim = 32, VISION["projection_dim"]
    state = {
        "image_proj.proj.weight": torch.randn(4 * width, image_dim),
        "image_proj.proj.bias": torch.zeros(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    for i, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            channels = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
            state[f"ip_adapter.{i}.to_k_ip.weight"] = torch.randn(channels, width)
            state[f"ip_adapter.{i}.to_v_ip.weight"] = torch.randn(channels, width)
    return state


def tiny_tokenizer(folder: Path) -> CLIPTokenizer:
    """A CLIP tokenizer that knows single letters."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    )
