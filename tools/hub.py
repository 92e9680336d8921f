"""Fetch a profile's models from the hub, at their pinned revisions, and lay them out as a pack."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.diffusion import IP_ADAPTER
from tools.errors import InvalidRequest
from tools.packs import write_manifest
from tools.profiles import HubModel, Profile

Fetch = Callable[[HubModel], Path]


def pull(profile: Profile, models_dir: Path, fetch: Fetch | None = None) -> Path:
    """Download what is missing and write `models_dir`/<profile>; the folder is there whole or not at all.

    Raises `InvalidRequest` for a profile whose pack is in the repository, and what the hub raises.
    """
    if not profile.hub:
        raise InvalidRequest(
            f"The pack {profile.name!r} comes with the repository: there is nothing to pull."
        )
    fetch = fetch or snapshot
    parts = {name: fetch(model) for name, model in profile.hub.items()}
    folder = models_dir / profile.pack
    with tempfile.TemporaryDirectory(dir=models_dir, prefix=".pulling-") as draft:
        lay_out(parts, Path(draft) / "pack")
        if folder.exists():
            folder.rename(Path(draft) / "old")
        (Path(draft) / "pack").rename(folder)
    return folder


def snapshot(model: HubModel) -> Path:
    """Download a model's files at its revision into the hub's own cache."""
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(model.repo, revision=model.revision, allow_patterns=list(model.files))
    )


def lay_out(parts: Mapping[str, Path], pack: Path) -> None:
    """Write the pack from the downloaded `pipeline`, `controlnet`, `ip_adapter` and `style_encoder`."""
    import torch
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    half = {"dtype": torch.float16, "use_safetensors": True}
    image_encoder = CLIPVisionModelWithProjection.from_pretrained(
        parts["ip_adapter"] / "models/image_encoder", **half
    )
    side = image_encoder.config.image_size
    pipe = StableDiffusionControlNetPipeline.from_pretrained(
        parts["pipeline"],
        controlnet=ControlNetModel.from_pretrained(parts["controlnet"], variant="fp16", **half),
        image_encoder=image_encoder,
        feature_extractor=CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        safety_checker=None,
        requires_safety_checker=False,
        variant="fp16",
        **half,
    )
    pipe.save_pretrained(pack, safe_serialization=True)
    (pack / IP_ADAPTER).parent.mkdir()
    shutil.copy(parts["ip_adapter"] / "models/ip-adapter_sd15.safetensors", pack / IP_ADAPTER)
    shutil.copytree(parts["style_encoder"], pack / "style_encoder")
    write_manifest(pack)
