"""Profiles as data: what ships is sound, what is wrong is named."""

from pathlib import Path

import pytest

from tools.profiles import ProfileError, load_profiles

SHIPPED = Path(__file__).parents[1] / "models/profiles.toml"


def test_shipped_profiles_are_within_their_own_bounds() -> None:
    profiles = load_profiles(SHIPPED)
    assert {"starter", "sd15"} <= set(profiles)
    for profile in profiles.values():
        assert profile.size <= profile.size_max
        assert profile.steps <= profile.steps_max
        assert profile.control_scale <= profile.control_scale_max
        assert profile.size % profile.size_multiple == 0


def test_a_profile_like_another_differs_where_it_says_so() -> None:
    profiles = load_profiles(SHIPPED)
    plain, fast = profiles["starter"], profiles["starter-fast"]
    assert (plain.pack, fast.pack) == ("starter", "starter")
    assert fast.steps <= 8 < plain.steps
    own = {"name": "starter", "steps": plain.steps, "guidance_scale": plain.guidance_scale}
    assert fast.guidance_scale == 1
    assert fast.model_copy(update=own) == plain


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("steps = 20", "stops = 20", "stops"),
        ("steps = 20", "steps = 0", "steps"),
        ("[starter]", "[starter", "profiles.toml"),
        ('like = "starter"', 'like = "stater"', "stater"),
        ("451f4fe16113bff5a5d2269ed5ad43b0592e9a14", "main", "revision"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text(SHIPPED.read_text().replace(old, new, 1))
    with pytest.raises(ProfileError, match=named):
        load_profiles(path)
