"""Colours led to a reference's: the map itself, and what it does to renders of the real pack."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tools.colour_transfer import FLOOR, Colours, transfer
from tools.diffusion import DiffusersEngine, open_engine
from tools.fidelity import geometry_scores, palette, palette_distance
from tools.imaging import ImageRequest, Step, StyleMix
from tools.profiles import load_profiles

MODELS = Path(__file__).parents[1] / "models"


def latents(seed: int) -> torch.Tensor:
    drawn = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 6, 20, 30)))
    mix = torch.from_numpy(np.eye(6) + np.random.default_rng(seed + 100).normal(0, 0.2, (6, 6)))
    return (torch.einsum("oc,nchw->nohw", mix, drawn) + seed).float()


def colours(of: torch.Tensor) -> Colours:
    return Colours.of(of[0].double().numpy())


def test_a_whole_transfer_has_the_wanted_mean_and_covariance() -> None:
    wanted = colours(latents(2))
    found = colours(transfer(latents(1), wanted, 1.0))
    assert found.mean == pytest.approx(wanted.mean, abs=1e-4)
    assert found.covariance == pytest.approx(wanted.covariance, abs=5 * FLOOR)


def test_half_a_transfer_is_half_way_and_none_changes_nothing() -> None:
    own, wanted = latents(1), colours(latents(2))
    whole = transfer(own, wanted, 1.0)
    assert transfer(own, wanted, 0.5) == pytest.approx((own + whole) / 2, abs=1e-4)
    assert transfer(own, wanted, 0.0) == pytest.approx(own, abs=1e-5)


def test_colours_that_are_right_stay() -> None:
    own = latents(3)
    assert transfer(own, colours(own), 1.0) == pytest.approx(own, abs=1e-4)


def test_every_place_of_one_colour_is_no_division_by_zero() -> None:
    flat = torch.ones(1, 6, 4, 4)
    assert transfer(flat, colours(latents(1)), 1.0).isfinite().all()
    assert transfer(latents(1), colours(flat), 1.0).isfinite().all()


def test_colours_survive_their_vector() -> None:
    own = colours(latents(4))
    again = Colours.unpack(own.pack(), 6)
    assert again.mean == pytest.approx(own.mean, rel=1e-5)
    assert again.covariance == pytest.approx(own.covariance, rel=1e-5)


@pytest.fixture(scope="module")
def engine() -> DiffusersEngine:
    return open_engine(load_profiles(MODELS / "profiles.toml")["starter-fast"], MODELS)


def drawing() -> Image.Image:
    picture = Image.new("L", (128, 128))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((30, 50, 98, 110), outline=255)
    draw.line((30, 50, 64, 16, 98, 50), fill=255)
    draw.rectangle((56, 80, 72, 110), outline=255)
    return picture


def poster(*bands: str) -> Image.Image:
    picture = Image.new("RGB", (96, 96))
    draw = ImageDraw.Draw(picture)
    height = 96 // len(bands)
    for number, colour in enumerate(bands):
        draw.rectangle((0, number * height, 96, 96), fill=colour)
    return picture


def render(engine: DiffusersEngine, reference: Image.Image, share: float) -> Image.Image:
    request = ImageRequest(
        prompt="a house", seed=5, width=128, height=128, steps=6, guidance_scale=1.0, low_noise=0.3,
        edges=drawing(), style=StyleMix((engine.embed_style(reference),), (1.0,)),
    )  # fmt: skip
    return engine.generate(replace(request, colour_transfer=share), _quiet)


def _quiet(_: Step) -> None:
    pass


@pytest.mark.parametrize(
    "bands", [("crimson", "gold", "navy"), ("black", "lime"), ("white", "hotpink", "teal")]
)
def test_a_render_comes_nearer_to_the_colours_of_its_reference(
    engine: DiffusersEngine, bands: tuple[str, ...]
) -> None:
    wanted = palette(poster(*bands))
    without, with_it = (
        palette_distance(palette(render(engine, poster(*bands), share)), wanted)
        for share in (0.0, engine.profile.colour_transfer)
    )
    assert with_it < 0.95 * without


def test_a_plain_swatch_does_not_wash_the_lines_out(engine: DiffusersEngine) -> None:
    image = render(engine, poster("teal"), engine.profile.colour_transfer)
    assert geometry_scores(drawing(), image).kept > 0.9


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (900, 5)])
def test_a_reference_may_have_any_shape(engine: DiffusersEngine, size: tuple[int, int]) -> None:
    vector = engine.embed_style(Image.new("RGB", size, "olive"))
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
