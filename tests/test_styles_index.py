"""The style index on real Chroma: what it finds, what it keeps, what it forgets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import DIM, CountingEncoder, HashingEncoder
from PIL import Image

from styles.calibration import Calibration, mark
from styles.catalog import Catalog
from styles.index import BEST_TEXTS, StyleIndex, style_texts

EVEN = Calibration(
    text_slope=25,
    text_midpoint=0.35,
    background=0,
    image_slope=10,
    image_midpoint=0.5,
    floor=0.4,
    strong=0.8,
)


def test_words_and_pictures_find_their_style(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    found = index.search("gold lobby luxury")
    assert found[0]["style"] == "deco"
    assert found[0]["score"] > found[1]["score"]
    assert "gold" in found[0]["reason"]
    picture = Image.new("RGB", (64, 48), "#e010c0")
    assert index.search("", image=picture)[0]["style"] == "neon"


def test_another_language_finds_the_same(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    assert index.search("eine goldene Lobby voller Luxus")[0]["style"] == "deco"
    german = catalog.add("moos", "Moos", "Ein Haus mit grünem Holz und altem Stein.", ["moos"], "{prompt}, mossy",
                         [Image.new("RGB", (40, 40), "green")])  # fmt: skip
    index.add(german)
    assert index.search("green wood, old stone")[0]["style"] == "moos"


def test_one_sentence_of_a_long_brief_is_heard(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    brief = (
        "My uncle opens a shop in May. He wants ink brush. The budget is small. Call us on Monday."
    )
    found = index.find(brief, 3)
    assert found.styles[0][0] == "ink"
    assert found.styles[0][1] > index.find(brief.replace(". ", ", "), 3).styles[0][1]


def test_what_is_only_compared_with_does_not_win(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    assert index.search("like a gold lobby, but neon pink night city")[0]["style"] == "neon"


def test_bands_follow_floor_and_strong(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    assert index.search("gold lobby luxury")[0]["band"] == "strong"
    assert {m["band"] for m in index.search("quarterly tax return")} == {"weak"}
    assert [EVEN.band(s) for s in (0.39, 0.4, 0.79, 0.8)] == [
        "weak",
        "possible",
        "possible",
        "strong",
    ]


def test_a_second_start_embeds_only_what_changed(catalog: Catalog, tmp_path: Path) -> None:
    before = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN).search("ink brush")
    encoder = CountingEncoder()
    again = StyleIndex(encoder, catalog, tmp_path, EVEN)
    assert encoder.texts == 0
    assert again.search("ink brush") == before
    file = catalog.get("ink").folder / "style.toml"
    file.write_text(file.read_text().replace("A style of", "Quiet pictures of"))
    catalog.reload()
    encoder.texts = 0
    changed = StyleIndex(encoder, catalog, tmp_path, EVEN)
    assert encoder.texts == len(style_texts(catalog.get("ink")))
    assert changed.search("quiet pictures")[0]["style"] == "ink"


def test_texts_with_known_vectors_are_not_embedded(catalog: Catalog, tmp_path: Path) -> None:
    plain = HashingEncoder()
    texts = [text for style in catalog.styles.values() for text in style_texts(style)]
    known = {mark(text): np.array(plain.embed_query(text), np.float32) for text in texts}
    encoder = CountingEncoder()
    index = StyleIndex(encoder, catalog, tmp_path / "known", replace(EVEN, known=known))
    assert encoder.texts == 0
    same = StyleIndex(plain, catalog, tmp_path / "embedded", EVEN)
    assert index.search("ink brush") == same.search("ink brush")


def test_added_styles_are_found_and_removed_ones_are_not(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    catalog.add("moss", "Moss", "Soft green moss on stone.", ["moss", "green"], "{prompt}, mossy",
                [Image.new("RGB", (40, 40), "green")])  # fmt: skip
    index.add(catalog.get("moss"))
    assert index.search("moss green stone")[0]["style"] == "moss"
    assert len(index.vectors("moss")) == 1
    index.remove("moss")
    index.remove("moss")
    assert "moss" not in {m["style"] for m in index.search("moss green stone")}
    with pytest.raises(KeyError):
        index.vectors("moss")


def test_a_style_gone_from_disk_leaves_the_index_at_the_next_start(
    catalog: Catalog, tmp_path: Path
) -> None:
    StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    catalog.styles = {slug: style for slug, style in catalog.styles.items() if slug != "neon"}
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    assert {m["style"] for m in index.search("neon city")} == {"ink", "deco"}


def test_each_encoder_has_a_collection_of_its_own(catalog: Catalog, tmp_path: Path) -> None:
    class Other(HashingEncoder):
        name = "other/1"
        dim = DIM // 2

        def embed_query(self, text: str) -> list[float]:
            return super().embed_query(text)[: self.dim]

        def embed_image(self, image: Image.Image) -> list[float]:
            return super().embed_image(image)[: self.dim]

    first = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    StyleIndex(Other(), catalog, tmp_path, EVEN)
    assert first.search("gold lobby")[0]["style"] == "deco"


def test_the_answer_is_the_exact_one_among_many(catalog: Catalog, tmp_path: Path) -> None:
    index = StyleIndex(HashingEncoder(), catalog, tmp_path, EVEN)
    rng = np.random.default_rng(0)
    style = catalog.get("ink")
    texts = rng.standard_normal((300, 4, DIM)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=2, keepdims=True)
    index.put(
        [(replace(style, slug=f"s{i:03}"), vectors, vectors[:1]) for i, vectors in enumerate(texts)]
    )
    for slug in ("ink", "neon", "deco"):
        index.remove(slug)
    for query in texts[:20, 0]:
        exact = np.sort(texts @ query, axis=1)[:, -BEST_TEXTS:].mean(1)
        wanted = [f"s{i:03}" for i in np.argsort(-exact)[:8]]
        assert [slug for slug, _ in index.nearest(query, 8, of_image=False)] == wanted
