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
    folder = models_dir / profile.pack
    if fault := pack_fault(folder):
        repair = f"git checkout -- {folder}"
        if profile.hub:
            repair = f"./artisan models pull {profile.pack}"
        elif folder.is_symlink():  # of a release; what it points to is nobody's to repair by hand
            repair = "./artisan models rollback pack"
        raise WeightsMissing(f"{fault}: run `{repair}`.")
    return folder


def pack_fault(folder: Path) -> str | None:
    """What is wrong with the pack in `folder`, without a full stop; None for a whole one."""
    pack, file = folder.name, folder / MANIFEST
    if not file.is_file():
        return f"The pack {pack!r} is not here"
    try:
        manifest = json.loads(file.read_text("utf-8"))
        found, sums = manifest.get("format", 1), dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{pack}/{MANIFEST} is damaged"
    if found != FORMAT:
        return f"The pack {pack!r} has format {found}, this studio reads format {FORMAT}"
    for name, expected in sums.items():
        file = folder / name
        if not file.is_file():
            return f"{pack}/{name} is missing"
        if sha256(file, file.stat().st_mtime_ns) != expected:
            return f"{pack}/{name} is damaged"
    return None


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


def part_revision(folder: Path, *parts: str) -> str:
    """Twelve characters that name the exact content of those of the pack's files whose path begins with a part."""
    sums: dict[str, str] = json.loads((folder / MANIFEST).read_text("utf-8"))["sha256"]
    lines = [f"{name} {sums[name]}\n" for name in sorted(sums) if name.startswith(parts)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def starter_encoder_name(folder: Path) -> str:
    """What the style encoder in the starter's pack is called; stays the same where only other models change."""
    return f"starter/{part_revision(folder, 'feature_extractor/', 'image_encoder/', 'text/')}"


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
