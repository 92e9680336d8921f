"""`./artisan replay` on real model classes at tiny size: what it says, saves, and how it refuses."""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import ROOT, write_library
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from small_models import edit
from tiny_packs import write_hub_parts

from graph.build import open_context
from graph.context import Studio
from graph.recipe import recipe, style_mix
from graph.replay import read_original
from graph.settings import Settings
from graph.state import State, StyleWeight
from server import cli
from styles.index import StyleIndex
from tools.diffusion import open_engine
from tools.encoding import StyleEncoder
from tools.hub import pull
from tools.imaging import ImageRequest
from tools.profiles import HubModel, load_profiles
from tools.registry import Registry

SAID = "Another machine"
BOX = (0, 8, 64, 56)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the pack of `sd15`, of tiny models."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("profiles.toml", "prompts.toml"):
        shutil.copy(ROOT / "models" / name, folder)
    profile = load_profiles(folder / "profiles.toml")["sd15"]
    parts = write_hub_parts(tmp_path_factory.mktemp("hub"))

    def fetch(model: HubModel) -> Path:
        return next(parts[name] for name, known in profile.hub.items() if known == model)

    pull(profile, folder, fetch)
    return folder


@dataclass(frozen=True)
class Place:
    """Where a person works, and a picture that they have."""

    settings: Settings
    picture: Path

    def save(self, image: Image.Image | None = None, /, **chunks: str) -> Path:
        """Save the picture as another program might, with other pixels or other chunks."""
        found = read_original(self.picture.read_bytes())
        text = PngInfo()
        for key, value in {**found.chunks, **chunks}.items():
            text.add_itxt(key, value)
        path = self.picture.with_name("other.png")
        (image or found.image).save(path, pnginfo=text)
        return path


@pytest.fixture(scope="module")
def painted(models: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A picture's file."""
    folder = tmp_path_factory.mktemp("studio")
    write_library(folder / "library")
    settings = Settings(
        _env_file=None, data_dir=folder / "var", library=folder / "library", models_dir=models
    )
    return asyncio.run(paint(settings))


@pytest.fixture
def place(tmp_path: Path, models: Path, painted: bytes, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Another studio with the same models and styles."""
    write_library(tmp_path / "library")
    monkeypatch.setenv("ARTISAN_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("ARTISAN_MODELS_DIR", str(models))
    picture = tmp_path / "picture.png"
    picture.write_bytes(painted)
    return Place(Settings(_env_file=None), picture)


async def paint(settings: Settings) -> bytes:
    """A picture of the tiny models, in two styles, with its recipe."""
    edges = Image.new("L", (64, 64))
    edges.paste(255, (10, 20, 50, 21))
    shares = [StyleWeight(style="ink", weight=0.25), StyleWeight(style="deco", weight=0.75)]
    async with open_context(settings) as context:
        profile = context.profile("sd15")
        engine = open_engine(profile, settings.models_dir)
        request = ImageRequest(
            prompt="a house",
            seed=11,
            width=64,
            height=64,
            steps=2,
            guidance_scale=7.0,
            edges=edges,
            control_scale=1.0 + 0.6 / 3,
            style=style_mix(shares, engine, context),
            style_scale=0.7,
        )
        image = engine.generate(request, lambda step: None).crop(BOX)
        state = cast(State, {"canvas": {"box": list(BOX)}, "styles": shares})
        studio = Studio(profile, engine, cast(StyleEncoder, None), cast(StyleIndex, None))
        chunks = recipe(request, state, studio, context, image)
        return context.artifacts.get(context.artifacts.put_image(image, chunks)).data


@pytest.fixture
def replay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command without a terminal; answers exit code, output, complaints."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["artisan", "replay", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return run


def test_a_picture_is_made_again_to_the_last_bit(replay: Any, place: Place) -> None:
    out = place.picture.with_name("new folder") / "again.png"
    assert replay(place.picture, "--out", out) == (0, f"saved {out}\nidentical\n", "")
    assert out.read_bytes() == place.picture.read_bytes()


def test_a_picture_that_was_touched_up_can_still_be_made(replay: Any, place: Place) -> None:
    image = read_original(place.picture.read_bytes()).image
    image.putpixel((0, 0), (1, 2, 3))
    code, said, _ = replay(place.save(image))
    assert (code, said.splitlines()[0]) == (0, "identical")
    assert "changed since" in said


def test_what_differs_is_counted_and_explained(replay: Any, place: Place) -> None:
    out = place.picture.with_name("again.webp")
    code, said, complaints = replay(place.save(seed="12"), "-o", out)
    assert (code, complaints) == (1, "")
    assert "of 3072 pixels differ (" in said
    assert SAID in said
    with Image.open(out) as again:
        assert (again.format, again.size) == ("WEBP", (64, 48))

    image = Image.new("RGB", (64, 48))
    code, said, _ = replay(place.save(image, seed="12"))
    assert (code, "pixels of the file were changed" in said) == (1, True)


def test_other_prompt_rules_are_named_and_change_nothing(replay: Any, place: Place) -> None:
    """The words are in the recipe; a release that is gone is replaced by the one that serves."""
    versions = {"pack": "sd15@1", "thresholds": "thresholds@1", "prompts": "prompts@0123456789ab"}
    code, said, _ = replay(place.save(versions=json.dumps(versions)))
    assert code == 0
    assert "made with 'prompts@0123456789ab', this is prompts@" in said
    assert said.splitlines()[-1] == "identical"


def test_a_picture_is_made_again_on_its_own_release(
    replay: Any, place: Place, tmp_path: Path
) -> None:
    """Whatever is in production by now."""
    (tmp_path / "other").mkdir()
    for name in ("profiles.toml", "prompts.toml"):
        shutil.copy(place.settings.models_dir / name, tmp_path / "other")
    edit(tmp_path / "other" / "prompts.toml", "summer light", "high summer light")
    registry = Registry(place.settings.data_dir / "registry", place.settings.models_dir)
    registry.promote([registry.register("prompts", tmp_path / "other")], "production")
    assert replay(place.picture) == (0, "identical\n", "")


def test_a_style_that_has_changed_is_named(replay: Any, place: Place) -> None:
    for number in (1, 2):
        path = place.settings.library / "ink" / f"reference-{number}.png"
        Image.effect_noise((32, 32), 90).convert("RGB").save(path)
    code, said, _ = replay(place.picture)
    assert code == 1
    assert "Other references than then: ink." in said


def test_what_cannot_be_followed_is_refused_before_any_model_is_opened(
    replay: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = read_original(place.picture.read_bytes()).image
    photo, bare = (place.picture.with_name(name) for name in ("photo.jpg", "bare.png"))
    image.save(photo)
    image.save(bare)
    monkeypatch.setattr("server.replay.open_engine", None)
    assert refused(replay, photo) == f"{photo}: This is no PNG, and only PNG carries a recipe.\n"
    assert f"{bare}: This picture has no recipe" in refused(replay, bare)
    for name, value, words in [
        ("steps", "101", "101 steps, sd15 takes 1 to 100"),
        ("width", "4096", "4096x64 px"),
        ("recipe", "2", "use a newer one"),
        ("profile", "huge", "There is no profile 'huge'"),
        ("styles", '[{"style": "rococo", "weight": 1}]', "'rococo'"),
    ]:
        assert words in refused(replay, place.save(**{name: value}))
    assert "cannot be written" in refused(replay, place.picture, "-o", place.picture / "x.png")


def refused(replay: Any, *words: object) -> str:
    """What it complains of."""
    code, said, complaints = replay(*words)
    assert (code, said) == (2, "")
    assert "Traceback" not in complaints
    return str(complaints)
