"""What a release is made of: three parts of a folder of models, each known by its content."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from tools.errors import InvalidRequest
from tools.packs import MANIFEST, pack_fault, sha256, starter_encoder_name
from tools.profiles import Profile, load_profiles
from tools.prompt_ruleset import load_rules

Kind = Literal["pack", "thresholds", "prompts"]
Versions = Mapping[str, str]  # of a release; kind: name, such as "starter@ab12cd34ef56"

KINDS: tuple[Kind, ...] = get_args(Kind)
PROFILES, CALIBRATION, RULES = "profiles.toml", "calibration.json", "prompts.toml"
CARD = "README.md"  # of a pack; it travels along, and is no part of the version


def own_profile(folder: Path) -> Profile | None:
    """The first profile whose models are in the folder itself, not on a hub. Raises `ProfileError`."""
    profiles = load_profiles(folder / PROFILES).values()
    return next((profile for profile in profiles if not profile.hub), None)


def files_of(kind: Kind, folder: Path) -> dict[str, Path]:
    """The files that make the version of `kind` in a folder of models, those that are there, by their path in it.

    A pack is the profiles and the files that its manifest names, thresholds are the calibration of every encoder,
    prompts the rules. Raises `ProfileError`.
    """
    if kind == "pack":
        profile = own_profile(folder)
        found = [folder / PROFILES, *(_pack_files(folder / profile.pack) if profile else ())]
    elif kind == "thresholds":
        found = [folder / CALIBRATION, *folder.glob("calibration-*.npz")]
    else:
        found = [folder / RULES]
    return {file.relative_to(folder).as_posix(): file for file in found if file.is_file()}


def _pack_files(pack: Path) -> list[Path]:
    try:
        names = list(json.loads((pack / MANIFEST).read_text("utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        names = []  # a damaged one is for `open_pack` to refuse
    return [pack / MANIFEST, *(pack / name for name in names)]


def version_name(kind: Kind, folder: Path) -> str:
    """What the version of `kind` in a folder of models is called: `label@id`, the id being 12 hex of a SHA-256.

    That is over a line "path sha256" of each of its files, sorted. Raises `ProfileError`.
    """
    lines = sorted(
        f"{path} {sha256(file, file.stat().st_mtime_ns)}\n"
        for path, file in files_of(kind, folder).items()
    )
    profile = own_profile(folder) if kind == "pack" else None
    label = profile.pack if profile else kind
    return f"{label}@{hashlib.sha256(''.join(lines).encode()).hexdigest()[:12]}"


def versions_in(folder: Path) -> dict[str, str]:
    """The release that a folder of models is. Raises `ProfileError`."""
    return {kind: version_name(kind, folder) for kind in KINDS}


def check_part(kind: Kind, folder: Path) -> None:
    """Raises `InvalidRequest`, `ProfileError` or `RulesError`, which name the file, unless the part is whole."""
    if kind == "pack":
        profile = own_profile(folder)
        fault = pack_fault(folder / profile.pack) if profile else "It has no profile of its own"
        if fault:
            raise InvalidRequest(f"{folder} holds no whole pack. {fault}.", code="broken_version")
    elif kind == "thresholds":
        _check_thresholds(folder)
    else:
        load_rules(folder / RULES)


def _check_thresholds(folder: Path) -> None:
    try:
        families = json.loads((folder / CALIBRATION).read_text("utf-8"))
        fault = "it calibrates no encoder" if not families else ""
        for family, entry in families.items():
            if not {"encoder", "floor", "strong"} <= entry.keys():
                fault = f"{family} lacks encoder, floor or strong"
            if not (folder / f"calibration-{family}.npz").is_file():
                fault = f"calibration-{family}.npz is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fault = f"{type(error).__name__}: {error}"
    if fault:
        raise InvalidRequest(f"{folder / CALIBRATION}: {fault}.", code="broken_version")


def misfit(pack: Path, thresholds: Path) -> str | None:
    """Why the thresholds in one folder of models are not for the encoder of the pack in another; None where they are.

    CLIP's, and what is not there, are not looked at here: opening them tells.
    """
    profile = own_profile(pack)
    needed = (pack / (profile.pack if profile else "") / MANIFEST, thresholds / CALIBRATION)
    if profile is None or profile.text != "minilm" or not all(file.is_file() for file in needed):
        return None
    family, revision = starter_encoder_name(pack / profile.pack).split("/")
    fitted = (
        json.loads((thresholds / CALIBRATION).read_text("utf-8")).get(family, {}).get("encoder")
    )
    if fitted == revision:
        return None
    return f"the scores were fitted with the encoder {family}/{fitted}, the pack has {family}/{revision}"
