"""The pack's networks, untrained: shapes, the scheduler, and how UNet, ControlNet and IP-Adapter work together."""

from pathlib import Path

import torch
from diffusers import ControlNetModel, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from tools.diffusion import read_ip_adapter
from tools.minilm import DIM
from training.machine import place
from training.train_style_encoder import LOOK
from training.train_vae import LATENT_CHANNELS

IMAGE_TOKENS = 4  # what the plain IP-Adapter makes of one look: diffusers knows no other number


def new_unet() -> UNet2DConditionModel:
    """Thin at 64x64 and 32x32, where cost lies; attention at 16x16 and 8x8, where whole shapes are seen."""
    return UNet2DConditionModel(
        sample_size=64,
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
    projection = nn.Linear(LOOK, IMAGE_TOKENS * DIM)
    return {
        "image_proj": {
            "proj.weight": projection.weight.detach() * LOOK**0.5,
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


def load_ip_adapter(unet: UNet2DConditionModel, pack: Path) -> None:
    """Give `unet` the trained adapter of a pack, in fp32."""
    parts = read_ip_adapter(pack).items()
    adapter = {part: {name: x.float() for name, x in weights.items()} for part, weights in parts}
    unet._load_ip_adapter_weights([adapter])


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

    `lines` is the control image, (n, 3, H, W) in 0..1; `look` is (n, LOOK), zeros for none.
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


def trained_nets(folder: Path) -> tuple[UNet2DConditionModel, ControlNetModel]:
    """UNet (with its IP-Adapter) and ControlNet as the diffusion stage's checkpoint has them."""
    unet = new_unet()
    controlnet = new_controlnet(unet)
    add_ip_adapter(unet)
    state = torch.load(folder / "diffusion.pt", weights_only=True, mmap=True)
    unet.load_state_dict(state["unet"])
    controlnet.load_state_dict(state["controlnet"])
    return place(unet).eval(), place(controlnet).eval()
