"""Other languages become English words, and English stays as it is."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.queries import off_topic, style_queries
from styles.catalog import Catalog
from styles.foreign import load_looks
from styles.index import style_texts
from tools.glossary import FOLDER, LATIN, SCRIPTS, english_words, fold, glossary, in_english

ROOT = Path(__file__).parents[1]
LANGUAGES = (*LATIN, *SCRIPTS)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("ein Zimmer mit dunklem Holz", "room with dark wood"),
        ("Nachthimmel über einer Stadt", "night sky over city"),
        ("une façade en béton brut, sans couleur", "facade in concrete raw, without colour"),
        ("UNE FACADE EN BETON BRUT", "facade in concrete raw"),
        ("una casa con ventanas azules", "house with blue window"),
        ("trois chats noirs et une porte rouge et verte", "three black cat and red door and green"),
        ("una chiesa antica e la luna", "church old and moon"),
        ("uma cidade à noite na chuva", "city at night in rain"),
        ("een oude fabriek met stalen balken", "old factory with steel beam"),
        ("stary kościół i czerwone drzwi", "old church and red door"),
        ("gece ve yağmur", "night and rain"),
        ("ночной город и дождь", "night city and rain"),
        ("雨の夜のネオン街", "rain night neon city"),
        ("古老的木头房子", "old wood house"),
        ("비 오는 밤의 네온 거리", "night neon street"),
    ],
)
def test_each_language_becomes_english(text: str, meant: str) -> None:
    assert in_english(text) == meant


def test_a_word_alone_is_enough_and_unknown_words_stay() -> None:
    assert in_english("Küche") == "kitchen"
    assert in_english("ein Haus von Zumthor") == "house of Zumthor"


def test_sentences_and_lines_stay_apart() -> None:
    assert in_english("Ein Haus.\nMehr Licht!") == "house.\nmore light!"
    assert in_english("紙の質感、赤い太陽。海") == "paper texture, red sun. sea"


def test_only_the_foreign_part_of_a_message_in_another_script_changes() -> None:
    said = "a neon sign that says 雨, don't add people"
    assert in_english(said) == said.replace("雨", "rain")


@pytest.mark.parametrize("text", ["", "?!", "3D", "ένα σπίτι", "Villa Savoye", "A E S T H E T I C"])
def test_what_no_glossary_knows_stays(text: str) -> None:
    assert in_english(text) == text


def test_no_english_text_is_touched() -> None:
    """Our own texts, and all rows of the dev split but those kinds that hold other languages."""
    styles = Catalog(ROOT / "styles/library").styles.values()
    texts = [text for style in styles for text in (*style_texts(style), *style.tags, *style.mood)]
    texts += [text for look in load_looks() for text in (look.name, *look.texts)]
    texts += [q.text for q in style_queries("dev") if q.kind != "language"]
    texts += [q.text for q in off_topic("dev") if q.kind != "plain"]
    changed = sum(in_english(text) != text for text in texts)
    assert len(texts) > 2500
    assert changed == 0  # a number, so that no row of a dataset is shown


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    assert in_english(text) or not text.strip() or not text.isascii()


def test_a_word_as_long_as_a_book_is_left_alone() -> None:
    assert in_english("haus" * 50_000) == "haus" * 50_000


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_glossary_is_wide_and_says_no_word_twice(name: str) -> None:
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    for part in ("function", "words"):
        words = [word for cell in table[part].values() for word in cell.split()]
        assert len(words) == len(set(words))
    assert len(table["words"]) > 400
    assert table.keys() <= {"endings", "compounds", "borrows", "function", "words"}


@pytest.mark.parametrize("name", LATIN)
def test_an_english_word_is_no_sign_of_a_language(name: str) -> None:
    assert not {"the", "was", "die", "chat"} - english_words()
    assert all(word == fold(word) for word in glossary(name).stems)
