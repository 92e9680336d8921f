"""What a style encoder is: text and images in one space, as a LangChain `Embeddings`."""

from abc import abstractmethod

from langchain_core.embeddings import Embeddings
from PIL import Image


class StyleEncoder(Embeddings):
    """Embeds text and images into one space; every vector is a unit vector of `dim` floats."""

    name: str  # "<model>/<revision>", names the Chroma collection and its threshold
    dim: int

    @abstractmethod
    def embed_image(self, image: Image.Image) -> list[float]:
        """Embed one RGB image of any size."""
