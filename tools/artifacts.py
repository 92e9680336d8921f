"""Stored blobs, each named by the SHA-256 of its bytes."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tools.disk import writing
from tools.errors import InvalidRequest, NotFound

SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "video/webm": ".webm",
    "video/mp4": ".mp4",
    "application/json": ".json",
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored blob: `id` is the lower-case SHA-256 hex of `data`."""

    id: str
    media_type: str
    data: bytes


class ArtifactStore:
    """Content-addressed blobs under one folder; safe for several threads and processes at once.

    A blob is either wholly there or not there: it is written beside its place, synced and renamed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes, media_type: str) -> str:
        """Store `data` and return its id; the same bytes again change its age alone.

        Raises `ValueError` for a media type outside `SUFFIXES`, `DiskFailed` when the disk refuses.
        """
        suffix = SUFFIXES.get(media_type)
        if suffix is None:
            raise ValueError(f"no artifact of type {media_type!r}, only {sorted(SUFFIXES)}")
        artifact_id = hashlib.sha256(data).hexdigest()
        with writing(self._root):
            try:
                self._find(artifact_id)[
                    1
                ].touch()  # who looks for what is old shall see that it is wanted
            except NotFound:
                _write_atomically(self._shelf(artifact_id) / (artifact_id + suffix), data)
        return artifact_id

    def put_image(self, image: Image.Image, metadata: Mapping[str, str] | None = None) -> str:
        """Store `image` as PNG with `metadata` as text chunks and nothing else (EXIF, profile).

        Equal pixels with equal metadata give the same id. Keys: 1 to 79 Latin-1 characters.
        Raises `DiskFailed` when the disk refuses.
        """
        chunks = PngInfo()
        for key, value in sorted((metadata or {}).items()):
            chunks.add_itxt(key, value)
        plain = image.copy()
        plain.info.clear()
        png = BytesIO()
        plain.save(png, "PNG", pnginfo=chunks, compress_level=4)
        return self.put(png.getvalue(), "image/png")

    def get(self, artifact_id: str) -> Artifact:
        """Return the blob; `NotFound` (code `unknown_artifact`) for an unknown or malformed id."""
        media_type, path = self._find(artifact_id)
        return Artifact(artifact_id, media_type, path.read_bytes())

    def image(self, artifact_id: str) -> Image.Image:
        """Return the stored image in its own mode, fully loaded.

        Raises `NotFound` as `get` does, `InvalidRequest` code `unsupported_image` when it is none.
        """
        artifact = self.get(artifact_id)
        if not artifact.media_type.startswith("image/"):
            raise InvalidRequest(
                f"Artifact {artifact_id} is {artifact.media_type}: send the id of an image.",
                code="unsupported_image",
            )
        with Image.open(BytesIO(artifact.data), formats=("PNG", "JPEG", "WEBP")) as image:
            image.load()
            return image

    def exists(self, artifact_id: str) -> bool:
        """Say whether `artifact_id` is stored; a malformed id is not."""
        try:
            self._find(artifact_id)
        except NotFound:
            return False
        return True

    def has_recipe(self, artifact_id: str) -> bool:
        """Say whether the blob is a picture with text chunks, which only `put_image` with `metadata` makes."""
        try:
            return b"iTXt" in self.get(artifact_id).data
        except NotFound:
            return False

    def remove(self, artifact_id: str) -> None:
        """Delete the blob; one that is not there stays so."""
        with suppress(NotFound):
            self._find(artifact_id)[1].unlink(missing_ok=True)

    def stored(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the id and the file status of every blob."""
        for path in self._root.glob("??/*"):
            with suppress(FileNotFoundError):  # another has deleted it meanwhile
                yield path.stem, path.stat()

    def _find(self, artifact_id: str) -> tuple[str, Path]:
        if re.fullmatch(r"[0-9a-f]{64}", artifact_id):
            for media_type, suffix in SUFFIXES.items():
                path = self._shelf(artifact_id) / (artifact_id + suffix)
                if path.is_file():
                    return media_type, path
        raise NotFound(
            f"There is no artifact {artifact_id[:80]!r}: upload it first, or check the id.",
            code="unknown_artifact",
        )

    def _shelf(self, artifact_id: str) -> Path:
        return self._root / artifact_id[:2]


def _write_atomically(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".tmp-", delete=False) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once the folder that holds the name is on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
