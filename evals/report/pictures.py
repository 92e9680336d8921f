"""The pictures of a run as small data URIs, so that a report is one file that asks no network for anything."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from evals.runs import IMAGES

BUDGET = 4_000_000  # characters of all pictures of a report together
SIZES = ((256, 84), (256, 60), (192, 50), (128, 40), (64, 30))  # longest side in px, WebP quality


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture in the page; without `uri` it could not be read."""

    caption: str
    uri: str | None
    width: int = 0
    height: int = 0


@dataclass(slots=True)
class Pictures:
    """Makes thumbnails of a run's pictures, all of which together keep to the budget."""

    folder: Path | None  # of the run; None: there are no pictures
    allowance: int  # characters of one picture

    @classmethod
    def of(cls, folder: Path | None, names: Sequence[str]) -> Pictures:
        """For a report that will show the files `names`."""
        return cls(folder, BUDGET // max(len(names), 1))

    def thumbnail(self, caption: str, name: str) -> Thumbnail:
        """The picture in file `name` of the run, at most 256 px a side, as good as the allowance lets it be."""
        if self.folder is None:
            return Thumbnail(caption, None)
        try:
            with Image.open(self.folder / IMAGES / Path(name).name) as stored:
                image = stored.convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            return Thumbnail(caption, None)
        for side, quality in SIZES:
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            file = BytesIO()
            image.save(file, "WEBP", quality=quality, method=4)
            uri = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
            if len(uri) <= self.allowance:
                break
        return Thumbnail(caption, uri, *image.size)
