"""Packs: a profile's files on disk, and whether they are what they should be."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from tools.errors import WeightsMissing
from tools.profiles import Profile

MANIFEST = "manifest.json"


def open_pack(profile: Profile, models_dir: Path) -> Path:
    """The folder of a profile's pack, every file checked against its manifest.

    Raises `WeightsMissing` with the command to run when a file is absent or damaged. Never downloads.
    """
    folder = models_dir / profile.name
    manifest = folder / MANIFEST
    repair = f"./artisan models pull {profile.name}" if profile.hub else f"git checkout -- {folder}"
    if not manifest.is_file():
        raise WeightsMissing(f"The pack {profile.name!r} is not here: run `{repair}`.")
    for name, expected in json.loads(manifest.read_text("utf-8"))["sha256"].items():
        file = folder / name
        if not file.is_file():
            raise WeightsMissing(f"{profile.name}/{name} is missing: run `{repair}`.")
        if sha256(file, file.stat().st_mtime_ns) != expected:
            raise WeightsMissing(f"{profile.name}/{name} is damaged: run `{repair}`.")
    return folder


def hush_loaders() -> None:
    """Keep the model libraries from drawing bars and giving hints while they load: a server's log is no notebook."""
    import transformers
    from diffusers.utils import logging

    for library in (transformers.logging, logging):
        library.disable_progress_bar()
        library.set_verbosity_error()


def pack_revision(folder: Path) -> str:
    """Twelve characters that name the pack's exact content."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:12]


def write_manifest(folder: Path) -> None:
    """List every file of the pack with its SHA-256; written last, so a pack with a manifest is whole."""
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and file.name != MANIFEST and file.suffix in {".safetensors", ".json"}
    )
    sums = {
        file.relative_to(folder).as_posix(): sha256(file, file.stat().st_mtime_ns) for file in files
    }
    (folder / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=1) + "\n", "utf-8")


@lru_cache(maxsize=256)
def sha256(file: Path, _modified: int) -> str:
    """Hex digest of a file, remembered until it is modified."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
