"""The diffusers engine on real classes: the big models' layout at tiny random size, and the pack we ship."""

import asyncio
import json
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline
from PIL import Image, ImageDraw
from tiny_packs import write_hub_parts

from tools.diffusion import DiffusersEngine, open_engine
from tools.encoders import open_encoder
from tools.errors import (
    Cancelled,
    EngineBusy,
    EngineFailed,
    InvalidRequest,
    OutOfMemory,
    WeightsMissing,
)
from tools.hub import pull
from tools.imaging import ImageRequest, Step, StyleMix
from tools.lane import GpuLane, Stopped
from tools.profiles import HubModel, Profile, load_profiles

MODELS = Path(__file__).parents[1] / "models"

Render = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    return load_profiles(MODELS / "profiles.toml")


@pytest.fixture(scope="module")
def tiny_models(tmp_path_factory: pytest.TempPathFactory, profiles: dict[str, Profile]) -> Path:
    """What `models pull sd15` leaves, when the hub holds tiny models."""
    folder = tmp_path_factory.mktemp("hub")
    parts = write_hub_parts(folder)
    models = tmp_path_factory.mktemp("models")

    def fetch(model: HubModel) -> Path:
        return next(parts[name] for name, known in profiles["sd15"].hub.items() if known == model)

    pull(profiles["sd15"], models, fetch)
    return models


@pytest.fixture(scope="module")
def sd15(tiny_models: Path, profiles: dict[str, Profile]) -> DiffusersEngine:
    return open_engine(profiles["sd15"].model_copy(update={"size_multiple": 16}), tiny_models)


@pytest.fixture(scope="module")
def starter(profiles: dict[str, Profile]) -> DiffusersEngine:
    return open_engine(profiles["starter"], MODELS)


def lines(width: int, height: int) -> Image.Image:
    picture = Image.new("L", (width, height))
    ImageDraw.Draw(picture).rectangle(
        (width // 4, height // 4, width // 2, height // 2), outline=255
    )
    return picture


def request(engine: DiffusersEngine, **given: Any) -> ImageRequest:
    plain = ImageRequest(prompt="a house", seed=3, width=64, height=64, steps=3, guidance_scale=2.0)
    style = StyleMix((engine.embed_style(Image.new("RGB", (50, 40), "orange")),), (1.0,))
    return replace(plain, **{"edges": lines(64, 64), "style": style, **given})


def test_pulled_pack_renders_and_reports_every_step(sd15: DiffusersEngine) -> None:
    seen: list[tuple[int, int]] = []
    previews: list[Image.Image] = []

    def on_step(step: Step) -> None:
        seen.append((step.number, step.total))
        previews.append(step.preview())

    image = sd15.generate(request(sd15, width=64, height=48, edges=lines(64, 48)), on_step)
    assert (image.size, image.mode) == ((64, 48), "RGB")
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert {p.size for p in previews} == {(32, 24)}


@pytest.mark.parametrize("which", ["sd15", "starter"])
def test_equal_requests_give_equal_images_and_each_input_counts(
    which: str, sd15: DiffusersEngine, starter: DiffusersEngine
) -> None:
    engine = {"sd15": sd15, "starter": starter}[which]
    base = request(engine)

    def render(**change: Any) -> bytes:
        return engine.generate(replace(base, **change), lambda step: None).tobytes()

    first = render()
    assert render() == first
    other_style = StyleMix(
        (engine.embed_style(Image.effect_noise((64, 64), 90).convert("RGB")),), (1.0,)
    )
    for change in (
        {"seed": 4},
        {"prompt": "zebra crossing at night"},
        {"style": other_style},
        {"style": None},
        {"guidance_scale": 1.0},
        {"low_noise": 0.3},
    ):
        assert render(**change) != first, change


class Killed(Exception):
    """The process is no more."""


@pytest.mark.parametrize("which", ["sd15", "starter", "starter-fast"])
@pytest.mark.parametrize("last", [1, 4, 6])
def test_a_render_goes_on_after_its_last_save_to_the_very_same_image(
    which: str, last: int, tiny_models: Path, profiles: dict[str, Profile]
) -> None:
    models = tiny_models if which == "sd15" else MODELS
    profile = profiles[which].model_copy(update={"size_multiple": 16})
    engine = open_engine(profile, models)
    wanted = request(engine, steps=6)
    whole = engine.generate(wanted, _quiet)
    saves: list[bytes] = []

    def die(step: Step) -> None:
        saves.append(step.save())
        if step.number == last:
            raise Killed

    with pytest.raises(Killed):
        engine.generate(wanted, die)
    later = open_engine(profile, models)  # another process has nothing but the save
    seen: list[int] = []
    again = later.generate(wanted, lambda step: seen.append(step.number), saves[-1])
    assert seen == list(range(last + 1, 7))
    assert again.tobytes() == whole.tobytes()
    assert engine.generate(wanted, _quiet).tobytes() == whole.tobytes()


def test_the_sketch_counts_in_the_starter(starter: DiffusersEngine) -> None:
    base = request(starter)
    empty = replace(base, edges=None)
    assert starter.generate(base, _quiet).tobytes() != starter.generate(empty, _quiet).tobytes()


def test_a_blend_is_neither_of_its_parts_and_has_no_order(starter: DiffusersEngine) -> None:
    a = starter.embed_style(Image.new("RGB", (64, 64), "navy"))
    b = starter.embed_style(Image.new("RGB", (64, 64), "khaki"))

    def render(*parts: tuple[Any, float]) -> bytes:
        mix = StyleMix(tuple(vector for vector, _ in parts), tuple(share for _, share in parts))
        return starter.generate(replace(request(starter), style=mix), _quiet).tobytes()

    blend = render((a, 0.25), (b, 0.75))
    assert blend == render((b, 0.75), (a, 0.25))
    assert blend not in (render((a, 1.0)), render((b, 1.0)))
    assert blend != render((a, 0.75), (b, 0.25))


def test_an_exception_in_a_step_stops_the_engine_and_leaves_it_usable(
    sd15: DiffusersEngine,
) -> None:
    def stop(step: Step) -> None:
        if step.number == 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        sd15.generate(request(sd15), stop)
    assert sd15.generate(request(sd15), _quiet).size == (64, 64)


def test_a_size_that_does_not_fit_is_refused(starter: DiffusersEngine) -> None:
    with pytest.raises(InvalidRequest, match="multiples of 32"):
        starter.generate(replace(request(starter), width=72), _quiet)


def test_colours_are_led_only_where_the_network_predicts_clean_latents(
    sd15: DiffusersEngine, starter: DiffusersEngine
) -> None:
    with pytest.raises(InvalidRequest, match="colour_transfer must be 0"):
        sd15.generate(request(sd15, colour_transfer=0.5), _quiet)
    images = [starter.generate(request(starter, colour_transfer=x), _quiet) for x in (0.0, 0.5)]
    assert images[0].tobytes() != images[1].tobytes()


def test_a_broken_render_is_an_engine_failure(
    sd15: DiffusersEngine, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller learns that it broke, the log why."""
    wrong = StyleMix((np.ones(7, np.float32),), (1.0,))
    with pytest.raises(EngineFailed) as failed:
        sd15.generate(replace(request(sd15), style=wrong), _quiet)
    assert str(failed.value.__cause__)
    assert str(failed.value.__cause__) not in failed.value.message
    assert str(failed.value.__cause__) in caplog.text
    assert sd15.generate(request(sd15), _quiet).size == (64, 64)


async def test_a_cancel_frees_the_engine_within_one_step(sd15: DiffusersEngine) -> None:
    lane, passes = GpuLane(), []
    begun, told = threading.Event(), threading.Event()
    wanted = request(sd15, steps=50)

    def paint(stopped: Stopped) -> Image.Image:
        def on_step(step: Step) -> None:
            stopped.check()
            if step.number == 2:
                begun.set()
                assert told.wait(60)

        return sd15.generate(wanted, on_step)

    hook = sd15._pipe.unet.register_forward_pre_hook(lambda *_: passes.append(1))
    task = asyncio.create_task(lane.run(paint))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    told.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    hook.remove()
    assert len(passes) == 3, "it was in its second step when it was told"
    again = await lane.run(lambda _: sd15.generate(request(sd15), _quiet))
    assert again.size == (64, 64)
    lane.close()


def test_whoever_finds_the_engine_at_work_is_not_kept_waiting(sd15: DiffusersEngine) -> None:
    """A render that was given up holds its engine for ever."""

    def on_step(step: Step) -> None:
        with pytest.raises(EngineBusy) as busy:
            sd15.generate(request(sd15), _quiet)
        assert busy.value.retryable

    sd15.generate(request(sd15), on_step)
    sd15.generate(request(sd15), _quiet)


@contextmanager
def short_of_memory(engine: DiffusersEngine, part: str, times: int) -> Iterator[list[int]]:
    """Let a network find no memory so many times, as CUDA and a CPU say it; yields the batches that it was given."""
    batches: list[int] = []
    left = times
    latents: list[weakref.ref[torch.Tensor]] = []

    def starve(_: Any, args: tuple[torch.Tensor, ...]) -> None:
        nonlocal left
        assert not any(kept() is not None for kept in latents), "the failed pass is still in memory"
        batches.append(len(args[0]))
        if left > 0:
            left -= 1
            latents.append(weakref.ref(args[0]))
            if left % 2:
                torch.empty(2**50)
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    module: Any = engine._pipe
    for name in part.split("."):
        module = getattr(module, name)
    hook = module.register_forward_pre_hook(starve)
    try:
        yield batches
    finally:
        hook.remove()


@pytest.mark.parametrize(
    ("which", "part", "near"),
    [
        ("sd15", "unet.conv_in", 100),  # the picture is many tiles of its VAE
        ("sd15", "vae.decoder", 100),
        ("starter", "controlnet.conv_in", 1),  # and one tile of this VAE
    ],
)
def test_a_render_short_of_memory_makes_do_with_less(
    which: str,
    part: str,
    near: int,
    sd15: DiffusersEngine,
    starter: DiffusersEngine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = {"sd15": sd15, "starter": starter}[which]
    wanted = request(engine, steps=2)
    whole = engine.generate(wanted, _quiet)
    with short_of_memory(engine, part, 1):
        assert engine.generate(wanted, _quiet).tobytes() == whole.tobytes()
    assert "in a render as it is" in caplog.text
    with short_of_memory(engine, part, 2) as batches:
        pieces = engine.generate(wanted, _quiet)
    assert "in a render with memory freed" in caplog.text
    assert pieces.size == whole.size
    assert np.abs(np.asarray(pieces, int) - np.asarray(whole, int)).max() <= near
    assert set(batches[2:]) == {1}, "one half of the guidance at a time"
    with short_of_memory(engine, part, 99), pytest.raises(OutOfMemory) as error:
        engine.generate(wanted, _quiet)
    assert "in a render in pieces" in caplog.text
    assert (error.value.code, error.value.retryable) == ("out_of_memory", True)
    assert "smaller size" in error.value.message
    assert "MiB" not in error.value.message
    assert engine.generate(wanted, _quiet).tobytes() == whole.tobytes(), "still in pieces"


def test_a_render_short_of_memory_goes_on_after_its_last_save(sd15: DiffusersEngine) -> None:
    wanted = request(sd15, steps=5)
    whole = sd15.generate(wanted, _quiet)
    seen: list[int] = []

    def on_step(step: Step) -> None:
        seen.append(step.number)
        if step.number == 4:
            step.save()

    with short_of_memory(sd15, "vae.decoder", 1):
        again = sd15.generate(wanted, on_step)
    assert seen == [1, 2, 3, 4, 5, 5]
    assert again.tobytes() == whole.tobytes()


def test_models_that_do_not_fit_into_memory(
    profiles: dict[str, Profile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(StableDiffusionControlNetPipeline, "to", full)
    with pytest.raises(OutOfMemory, match="The models of starter do not fit"):
        open_engine(profiles["starter"], MODELS)


def test_a_damaged_or_missing_pack_is_refused_with_the_command(
    tiny_models: Path, profiles: dict[str, Profile], tmp_path: Path
) -> None:
    with pytest.raises(WeightsMissing, match="models pull sd15"):
        open_engine(profiles["sd15"], tmp_path)
    file = tiny_models / "sd15/unet/config.json"
    healthy = file.read_bytes()
    file.write_bytes(healthy + b" ")
    try:
        with pytest.raises(WeightsMissing, match=r"unet/config\.json is damaged"):
            open_engine(profiles["sd15"], tiny_models)
    finally:
        file.write_bytes(healthy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 1}, "has format 1, this studio reads format"),
        ({"sha256": 7}, "manifest.json is damaged"),
    ],
)
def test_a_pack_of_another_version_is_refused_with_the_command(
    tiny_models: Path, profiles: dict[str, Profile], change: dict[str, int], message: str
) -> None:
    file = tiny_models / "sd15/manifest.json"
    healthy = file.read_text("utf-8")
    file.write_text(json.dumps(json.loads(healthy) | change), "utf-8")
    try:
        with pytest.raises(WeightsMissing, match=message) as refusal:
            open_engine(profiles["sd15"], tiny_models)
        assert "./artisan models pull sd15" in str(refusal.value)
    finally:
        file.write_text(healthy, "utf-8")


def test_clip_puts_words_and_pictures_in_one_space(
    tiny_models: Path, profiles: dict[str, Profile]
) -> None:
    encoder = open_encoder(profiles["sd15"], tiny_models)
    word, picture = (
        encoder.embed_query("a b c"),
        encoder.embed_image(Image.new("RGB", (90, 30), "red")),
    )
    assert len(word) == len(picture) == encoder.dim == 24
    assert np.linalg.norm(word) == pytest.approx(1, abs=1e-4)
    assert encoder.embed_documents([]) == []
    assert encoder.embed_documents(["a b c", "z"])[0] == pytest.approx(word, abs=1e-4)


def _quiet(step: Step) -> None:
    pass
