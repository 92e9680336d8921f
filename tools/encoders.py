"""The style encoders: the starter's small tower in MiniLM's space, and CLIP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from tools.diffusion import TOKENIZER
from tools.encoding import StyleEncoder
from tools.minilm import DIM, MiniLM
from tools.packs import hush_loaders, open_pack, part_revision, starter_encoder_name
from tools.profiles import Profile

if TYPE_CHECKING:
    import torch

CLIP_FOLDER = "style_encoder"


def open_encoder(profile: Profile, models_dir: Path) -> StyleEncoder:
    """Load a profile's style encoder. Blocking. Raises `WeightsMissing`."""
    folder = open_pack(profile, models_dir)
    hush_loaders()
    return StarterEncoder(folder) if profile.text == "minilm" else ClipEncoder(folder)


class StarterEncoder(StyleEncoder):
    """MiniLM for words, and for pictures the half of a vision tower's vector that stands in the same 384 dimensions.

    The other half is for the IP-Adapter: training/train_style_encoder.py.
    """

    dim = DIM

    def __init__(self, folder: Path) -> None:
        from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

        self.name = starter_encoder_name(folder)
        self._words = MiniLM(folder / TOKENIZER)
        self._tower = CLIPVisionModelWithProjection.from_pretrained(
            folder / "image_encoder", local_files_only=True, use_safetensors=True
        ).eval()
        self._processor = CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of texts."""
        return [vector.tolist() for vector in self._words.embed(texts)] if texts else []

    def embed_query(self, text: str) -> list[float]:
        """Unit vector of one text."""
        return self.embed_documents([text])[0]

    def embed_image(self, image: Image.Image) -> list[float]:
        """Unit vector of one RGB image of any size."""
        import torch

        pixels = self._processor(image.convert("RGB"), return_tensors="pt").pixel_values
        with torch.inference_mode():
            return _unit(self._tower(pixels).image_embeds[:, : self.dim])[0]


class ClipEncoder(StyleEncoder):
    """CLIP through transformers, text and images in its own joint space."""

    def __init__(self, pack: Path) -> None:
        from transformers import CLIPModel, CLIPProcessor

        folder = pack / CLIP_FOLDER
        self._model: Any = CLIPModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True
        ).eval()
        self._processor = CLIPProcessor.from_pretrained(folder, local_files_only=True)
        self.dim = self._model.config.projection_dim
        self.name = f"clip-{self.dim}/{part_revision(pack, f'{CLIP_FOLDER}/')}"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of texts, each cut to CLIP's context length."""
        import torch

        if not texts:
            return []
        inputs = self._processor(text=texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            return _unit(self._model.get_text_features(**inputs).pooler_output)

    def embed_query(self, text: str) -> list[float]:
        """Unit vector of one text."""
        return self.embed_documents([text])[0]

    def embed_image(self, image: Image.Image) -> list[float]:
        """Unit vector of one RGB image of any size."""
        import torch

        inputs = self._processor(images=image.convert("RGB"), return_tensors="pt")
        with torch.inference_mode():
            return _unit(self._model.get_image_features(**inputs).pooler_output)[0]


def _unit(rows: torch.Tensor) -> list[list[float]]:
    import torch

    found: list[list[float]] = torch.nn.functional.normalize(rows, dim=-1).tolist()
    return found
