"""Profiles: named sets of models, as data in `models/profiles.toml`."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.errors import AppError


class ProfileError(AppError):
    """`profiles.toml` is broken; the message names the profile and the key."""

    code = "broken_profile"


class HubModel(BaseModel):
    """Files of a model hub, at one revision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    files: tuple[str, ...]  # glob patterns
    licence: str


class Profile(BaseModel):
    """One set of models with its defaults and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pack: str  # folder of its models; several profiles may share one
    text: Literal["minilm", "clip"]  # what reads the prompt
    size: int = Field(ge=64)  # px, long side, default
    size_max: int = Field(ge=64)  # px, long side
    size_multiple: int = Field(ge=8)  # px, both sides of a render
    steps: int = Field(ge=1)  # denoising steps, default
    steps_max: int = Field(ge=1)
    guidance_scale: float = Field(ge=1)  # classifier-free guidance, 1 = off
    low_noise: float = Field(ge=0, le=1)  # share kept of the noise's low frequencies, 1 = white
    control_scale: float = Field(ge=0, le=2)  # ControlNet conditioning scale, default
    control_scale_max: float = Field(ge=0, le=2)
    blank_control_scale: float = Field(ge=0, le=2)  # where there is no sketch
    control_shapes: bool  # the ControlNet sees enclosed shapes beside the lines: tools/control.py
    style_scale: float = Field(ge=0, le=1.5)  # IP-Adapter scale
    colour_transfer: float = Field(default=0.0, ge=0, le=1)  # 0 = off: tools/colour_transfer.py
    unit_style_vectors: bool  # the adapter was trained on vectors of length 1
    token_budget: int = Field(ge=8)  # tokens of a prompt
    takes_negative: bool
    geometry_bar: float = Field(ge=0, le=1)  # a render below it is tried again
    retries: int = Field(ge=0, le=5)
    licence: str
    hub: dict[str, HubModel] = {}  # part -> its source; empty: the pack is in the repository


def load_profiles(path: Path) -> dict[str, Profile]:
    """Read every profile by name. Raises `ProfileError` for a missing file, bad TOML, or a bad or unknown key."""
    try:
        tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))
        return {name: _profile(name, tables) for name in tables}
    except (OSError, tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
        raise ProfileError(f"{path.name}: {error}") from error


def _profile(name: str, tables: dict[str, dict[str, Any]]) -> Profile:
    """A profile `like` another one takes from it what its own table does not give, the pack included."""
    own = dict(tables[name])
    like = own.pop("like", name)
    if like not in tables:
        raise ProfileError(f"The profile {name!r} is like {like!r}, which there is not.")
    return Profile(**{"pack": like} | tables[like] | own | {"name": name})
