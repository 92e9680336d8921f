"""The retrieval datasets: what they hold, that nothing gives an answer away, and that bad rows are named."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from evals import data
from evals.data import DatasetError
from evals.queries import (
    LIBRARY,
    MOODS,
    NO_MATCH,
    OFF_TOPIC,
    PICTURES,
    TEXTS,
    ImageQuery,
    Split,
    TextQuery,
    image_queries,
    off_topic,
    style_queries,
)

ROOT = Path(__file__).parents[1]
SPLITS: tuple[Split, ...] = get_args(Split)
QUERIES = [q for split in SPLITS for q in style_queries(split)]
OTHERS = [q for split in SPLITS for q in off_topic(split)]
SHARED_WORDS = 6  # in a row, from which two texts are too much alike
# Of the first rows, which may not be reworded: a style's description or a foreign look came to say the same.
KNOWN_ECHOES = {
    "jewel-coloured panes held together by thick black lead lines",
    "pointed arches, ribbed vaults, flying buttresses and pinnacles all reaching up",
    "Moroccan riad with zellige tiles, brass lanterns and a plunge pool",
    "Pacific Northwest totem pole, raven and orca formlines",
}


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[i : i + length]) for i in range(len(said) - length + 1)}


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from chain.from_iterable(map(strings, value.values()))
    elif isinstance(value, list):
        yield from chain.from_iterable(map(strings, value))


def seen_texts() -> list[str]:
    """Every text that an index, an encoder or a renderer was made from."""
    tables = [*LIBRARY.glob("*/style.toml"), *ROOT.glob("training/**/*.toml")]
    tables.append(ROOT / "styles/foreign.toml")
    plain = [*LIBRARY.glob("*/captions.txt"), *LIBRARY.glob("*/guide.md")]
    texts = [text for file in tables for text in strings(tomllib.loads(file.read_text("utf-8")))]
    return texts + [line for file in plain for line in file.read_text("utf-8").splitlines()]


def test_there_are_enough_rows_of_every_sort() -> None:
    assert len(QUERIES) >= 400
    styles = {path.parent.name for path in LIBRARY.glob("*/style.toml")}
    for split in SPLITS:
        pictures = image_queries(split)
        assert {q.style for q in style_queries(split)} == styles
        assert {q.style for q in pictures} == {q.style for q in pictures if q.mood} == styles
        kinds = Counter(q.kind for q in off_topic(split))
        assert set(kinds) == set(NO_MATCH)
        assert min(kinds.values()) >= 20
    assert len(image_queries("dev") + image_queries("test")) >= 96


def test_the_first_rows_keep_the_split_they_had() -> None:
    rows = tomllib.loads((data.FOLDER / TEXTS).read_text("utf-8"))["query"][:240]
    assert [row["split"] for row in rows] == ["dev", "test"] * 120


def test_no_text_is_there_twice() -> None:
    said = Counter(" ".join(words(q.text)) for q in QUERIES + OTHERS)
    assert [text for text, times in said.items() if times > 1] == []


def test_no_query_says_the_name_of_its_style() -> None:
    def named(query: TextQuery) -> set[str]:
        return set(str(query.style).split("-")) - {"and", "e"}

    assert [q.text for q in QUERIES if named(q) & set(words(q.text))] == []


def test_no_row_repeats_what_was_trained_or_embedded() -> None:
    seen = seen_texts()
    assert len(seen) > 1500
    whole = {" ".join(words(text)) for text in seen}
    parts = set(chain.from_iterable(runs(text, SHARED_WORDS) for text in seen))
    repeated = [q.text for q in QUERIES + OTHERS if " ".join(words(q.text)) in whole]
    echoed = [q.text for q in QUERIES + OTHERS if runs(q.text, SHARED_WORDS) & parts]
    assert repeated == []
    assert set(echoed) == KNOWN_ECHOES


def test_training_reads_no_dataset() -> None:
    named = re.compile(r"evals/datasets|style_queries|off_topic|image_queries")
    programs = [*ROOT.glob("training/**/*.py"), *ROOT.glob("styles/*.py")]
    assert len(programs) > 30
    assert [file.name for file in programs if named.search(file.read_text("utf-8"))] == []


def test_a_picture_is_the_same_every_time_and_another_for_another_seed() -> None:
    query = image_queries("test")[0]
    first = np.asarray(query.paint())
    assert np.array_equal(first, np.asarray(query.paint()))
    other = ImageQuery(query.style, query.seed + 1, None)
    assert not np.array_equal(first, np.asarray(other.paint()))
    seeds = [q.seed for split in SPLITS for q in image_queries(split)]
    assert len(set(seeds)) == len(seeds)


def test_the_painters_know_every_mood() -> None:
    from training import painters

    assert set(MOODS) <= set(painters.MOODS)


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        (TEXTS, 'style = "gothic"', 'style = "gothick"', "'style' must be one of art-deco, "),
        (
            TEXTS,
            'split = "dev"',
            'split = "train"',
            "'split' must be one of dev, test, not 'train'",
        ),
        (OFF_TOPIC, 'kind = "plain"', 'kind = "plane"', "'kind' must be one of plain, hard, near"),
        (PICTURES, "seed = 0", 'seed = "0"', "'seed' must be int"),
        (PICTURES, 'mood = "night"', 'mood = "nite"', "'mood' must be one of"),
    ],
)
def test_a_bad_row_is_named_with_file_and_line(
    name: str,
    old: str,
    new: str,
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = (data.FOLDER / name).read_text("utf-8")
    (tmp_path / name).write_text(before.replace(f"\n{old}", f"\n{new}", 1), "utf-8")
    start = before[: before.index(f"\n{old}")].rindex("[[query]]")
    line = before[:start].count("\n") + 1
    monkeypatch.setattr(data, "FOLDER", tmp_path)
    read = {TEXTS: style_queries, OFF_TOPIC: off_topic, PICTURES: image_queries}[name]
    with pytest.raises(DatasetError) as raised:
        read("dev")
    assert raised.value.message.startswith(f"{name}, line {line}: ")
    assert complaint in raised.value.message
