"""Looks the library does not hold: who wins, and who is silent."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CountingEncoder, HashingEncoder
from PIL import Image

from styles.calibration import Calibration, load_calibration, mark
from styles.catalog import Catalog
from styles.foreign import Look, load_looks
from styles.index import StyleIndex, style_texts
from tools.encoding import StyleEncoder
from tools.minilm import MiniLM
from tools.packs import starter_encoder_name

ROOT = Path(__file__).parents[1]
LOOKS = (
    Look("Rococo", ("gilded shells and powder pink", "frivolous court of Versailles")),
    Look("Steampunk", ("brass gears and goggles", "airship with copper pipes")),
)
TUNED = Calibration(
    text_slope=20,
    text_midpoint=0.1,
    background=0.2,
    image_slope=10,
    image_midpoint=0.5,
    floor=0.4,
    strong=0.8,
    looks=LOOKS,
)


class Words(StyleEncoder):
    """The shipped MiniLM for words, colours for pictures."""

    name = "starter/words"
    dim = 384

    def __init__(self) -> None:
        self._words = MiniLM(ROOT / "models/starter/text/tokenizer.json")

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [vector.tolist() for vector in self._words.embed(texts)]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]

    def embed_image(self, image: Image.Image) -> list[float]:
        return [1.0] + [0.0] * (self.dim - 1)


def test_a_nearer_foreign_look_makes_every_style_weak(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, TUNED)
    assert {m["band"] for m in index.search("brass gears and goggles")} == {"weak"}
    assert index.foreign_look("brass gears and goggles") == "Steampunk"
    assert index.search("gold lobby luxury")[0]["band"] == "strong"
    assert index.foreign_look("gold lobby luxury") is None
    assert index.foreign_look("quarterly tax return") is None


def test_looks_are_embedded_once_and_again_when_one_changes(
    catalog: Catalog, tmp_path: Path
) -> None:
    StyleIndex(HashingEncoder(), catalog, tmp_path, TUNED)
    encoder = CountingEncoder()
    index = StyleIndex(encoder, catalog, tmp_path, TUNED)
    assert encoder.texts == 0
    assert index.foreign_look("frivolous court of Versailles") == "Rococo"
    encoder.texts = 0
    changed = replace(TUNED, looks=(Look("Boho", ("macrame and fringes",)),))
    index = StyleIndex(encoder, catalog, tmp_path, changed)
    assert encoder.texts == 2
    assert index.foreign_look("macrame and fringes") == "Boho"


def test_another_metric_embeds_everything_again(catalog: Catalog, tmp_path: Path) -> None:
    StyleIndex(HashingEncoder(), catalog, tmp_path, TUNED)
    encoder = CountingEncoder()
    metric = np.diag(np.linspace(0.5, 1, encoder.dim)).astype(np.float32)
    index = StyleIndex(encoder, catalog, tmp_path, replace(TUNED, metric=metric))
    assert encoder.texts > 0
    assert index.search("gold lobby luxury")[0]["style"] == "deco"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> StyleIndex:
    """The shipped library, looks and calibration, on the shipped words."""
    encoder = starter_encoder_name(ROOT / "models/starter")
    calibration = load_calibration(ROOT / "models/calibration.json", encoder)
    folder = tmp_path_factory.mktemp("index")
    return StyleIndex(Words(), Catalog(ROOT / "styles/library"), folder, calibration)


def test_no_shipped_text_is_embedded_at_the_first_start(shipped: StyleIndex) -> None:
    groups = [style_texts(style) for style in Catalog(ROOT / "styles/library").styles.values()]
    groups += [[look.name, *look.texts] for look in load_looks()]
    known = shipped.calibration.known
    missing = [text for group in groups for text in group if mark(text) not in known]
    assert not missing, "run `./artisan eval calibrate --write`"
    some = groups[0][:3]
    fresh = np.array([shipped.encoder.embed_query(text) for text in some])
    assert np.allclose(fresh, [known[mark(text)] for text in some], atol=2e-3)


def test_no_shipped_style_calls_itself_a_foreign_look(shipped: StyleIndex) -> None:
    for look in load_looks():
        assert len(look.texts) >= 3, look.name
        assert shipped.foreign_look(f"{look.name}: {look.texts[0]}") is not None, look.name
    names = [look.name for look in load_looks()]
    assert len(set(names)) == len(names) >= 150


def test_a_style_the_user_adds_wins_over_the_look_of_its_name(
    shipped: StyleIndex, tmp_path: Path
) -> None:
    wish = "a rococo boudoir with mirrors"
    assert shipped.foreign_look(wish) == "Rococo"
    assert {match["band"] for match in shipped.search(wish)} == {"weak"}
    catalog = Catalog(ROOT / "styles/library", tmp_path)
    own = catalog.add(
        "rococo", "Rococo", "Curling gilt ornament in a French salon.", ["gilt", "salon"],
        "{prompt}, rococo", [Image.new("RGB", (40, 40), "pink")],
    )  # fmt: skip
    shipped.add(own)
    assert shipped.foreign_look(wish) is None
    first = shipped.search(wish)[0]
    assert (first["style"], first["band"]) == ("rococo", "strong")
    shipped.remove("rococo")
    assert shipped.foreign_look(wish) == "Rococo"
