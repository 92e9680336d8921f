"""Packs: a profile's files on disk, and whether they are what they should be."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from tools.errors import WeightsMissing
from tools.profiles import Profile

MANIFEST = "manifest.json"
FORMAT = 2  # of packs: goes up when the code that reads them asks for something else of them


def open_pack(profile: Profile, models_dir: Path) -> Path:
    """The folder of a profile's pack, every file checked against its manifest.

    Raises `WeightsMissing` with the command to run when a file is absent or damaged, or when the pack was made for
    another version of the studio. Never downloads.
    """
    pack = profile.pack
    folder = models_dir / pack
    file = folder / MANIFEST
    repair = f"./artisan models pull {pack}" if profile.hub else f"git checkout -- {folder}"
    if not file.is_file():
        raise WeightsMissing(f"The pack {pack!r} is not here: run `{repair}`.")
    try:
        manifest = json.loads(file.read_text("utf-8"))
        found, sums = manifest.get("format", 1), dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsMissing(f"{pack}/{MANIFEST} is damaged: run `{repair}`.") from error
    if found != FORMAT:
        raise WeightsMissing(
            f"The pack {pack!r} has format {found}, this studio reads format {FORMAT}: run `{repair}`."
        )
    for name, expected in sums.items():
        file = folder / name
        if not file.is_file():
            raise WeightsMissing(f"{pack}/{name} is missing: run `{repair}`.")
        if sha256(file, file.stat().st_mtime_ns) != expected:
            raise WeightsMissing(f"{pack}/{name} is damaged: run `{repair}`.")
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
    (folder / MANIFEST).write_text(
        json.dumps({"format": FORMAT, "sha256": sums}, indent=1) + "\n", "utf-8"
    )


@lru_cache(maxsize=256)
def sha256(file: Path, _modified: int) -> str:
    """Hex digest of a file, remembered until it is modified."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
