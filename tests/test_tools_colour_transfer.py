"""Colours led to a reference's: the map itself, and what it does to renders of the real pack."""

from dataclasses import replace
from pathlib import Path
from typing import Any

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


def moved(own: torch.Tensor, wanted: Colours, share: float) -> torch.Tensor:
    return transfer(colours(own), wanted, share)(own)


def test_a_whole_transfer_has_the_wanted_mean_and_covariance() -> None:
    wanted = colours(latents(2))
    found = colours(moved(latents(1), wanted, 1.0))
    assert found.mean == pytest.approx(wanted.mean, abs=1e-4)
    assert found.covariance == pytest.approx(wanted.covariance, abs=5 * FLOOR)


def test_half_a_transfer_is_half_way_and_none_changes_nothing() -> None:
    own, wanted = latents(1), colours(latents(2))
    whole = moved(own, wanted, 1.0)
    assert moved(own, wanted, 0.5) == pytest.approx((own + whole) / 2, abs=1e-4)
    assert moved(own, wanted, 0.0) == pytest.approx(own, abs=1e-5)


def test_colours_that_are_right_stay() -> None:
    own = latents(3)
    assert moved(own, colours(own), 1.0) == pytest.approx(own, abs=1e-4)


def test_every_place_of_one_colour_is_no_division_by_zero() -> None:
    flat = torch.ones(1, 6, 4, 4)
    assert moved(flat, colours(latents(1)), 1.0).isfinite().all()
    assert moved(latents(1), colours(flat), 1.0).isfinite().all()


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


def request(engine: DiffusersEngine, reference: Image.Image, share: float) -> ImageRequest:
    return ImageRequest(
        prompt="a house", seed=5, width=128, height=128, steps=6, guidance_scale=1.0, low_noise=0.3,
        edges=drawing(), style=StyleMix((engine.embed_style(reference),), (1.0,)), colour_transfer=share,
    )  # fmt: skip


def render(engine: DiffusersEngine, reference: Image.Image, share: float) -> Image.Image:
    return engine.generate(request(engine, reference, share), _quiet)


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


def test_words_change_a_led_render_as_much_as_one_that_is_not(engine: DiffusersEngine) -> None:
    day = poster("skyblue", "khaki", "sandybrown")

    def darker(share: float) -> float:
        asked = request(engine, day, share)
        renders = [
            engine.generate(replace(asked, prompt=prompt), _quiet)
            for prompt in ("a house", "a house at night")
        ]
        plain, night = (np.asarray(image.convert("L")).mean() for image in renders)
        return float(plain - night)

    assert darker(1.0) > 0.8 * darker(0.0) > 20


def test_a_led_render_goes_on_after_any_of_its_steps_to_the_very_same_image(
    engine: DiffusersEngine,
) -> None:
    asked, saves = request(engine, poster("crimson", "gold"), 0.9), []
    whole = engine.generate(asked, lambda step: saves.append((step.number, step.save())))
    assert [number for number, _ in saves] == [1, 2, 3, 4, 5, 6]
    for number, saved in saves[:-1]:
        heard: list[Step] = []
        again = engine.generate(asked, heard.append, saved)
        assert [step.number for step in heard] == list(range(number + 1, 7))
        assert again.tobytes() == whole.tobytes()


@pytest.mark.parametrize("change", [{"steps": 1}, {"guidance_scale": 3.0}, {"prompt": ""}])
def test_colours_are_led_whatever_the_settings(
    engine: DiffusersEngine, change: dict[str, Any]
) -> None:
    bands = poster("crimson", "gold", "navy")
    led, left = (
        engine.generate(replace(request(engine, bands, share), **change), _quiet)
        for share in (0.9, 0.0)
    )
    wanted = palette(bands)
    assert palette_distance(palette(led), wanted) < palette_distance(palette(left), wanted)
