"""Datasets: a malformed line stops everything before it starts, and is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evals import data
from evals.data import DatasetError, dataset_hash, read_rows, row_id

FIELDS: dict[str, type] = {"text": str, "style": str, "weight?": float}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | bytes], str]:
    monkeypatch.setattr(data, "FOLDER", tmp_path)

    def put(name: str, content: str | bytes) -> str:
        raw = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(raw)
        return name

    return put


def test_rows_know_their_lines(write: Callable[..., str]) -> None:
    name = write(
        "a.toml",
        '# a comment\n\n[[query]]\ntext = "one"\nstyle = "x"\n\n[[query]]  # two\n'
        'text = "two"\nstyle = "y"\nweight = 0.5\n',
    )
    assert read_rows(name, "query", FIELDS) == [
        {"text": "one", "style": "x", "line": 3},
        {"text": "two", "style": "y", "weight": 0.5, "line": 7},
    ]


def test_lines_of_json(write: Callable[..., str]) -> None:
    name = write("a.jsonl", '{"text": "one", "style": "x"}\n\n{"text": "two", "style": "y"}\n')
    assert [row["line"] for row in read_rows(name, "query", FIELDS)] == [1, 3]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", '[[query]]\ntext = "one"\n', "a.toml, line 1: 'style' is missing"),
        ("a.toml", '[[query]]\ntext = " "\nstyle = "x"\n', "line 1: 'text' is empty"),
        ("a.toml", '\n[[query]]\ntext = 3\nstyle = "x"\n', "line 2: 'text' must be str, not 3"),
        (
            "a.toml",
            '[[query]]\ntext = "a"\nstyle = "x"\nstile = "y"\n',
            "line 1: 'stile' is unknown; a row has text, style, weight",
        ),
        (
            "a.toml",
            '[[query]]\ntext = "a"\nstyle = "x"\nweight = true\n',
            "line 1: 'weight' must be float",
        ),
        ("a.toml", '[[query]]\ntext = "one\n', "a.toml: .*line 2"),
        ("a.toml", 'query = ["a"]\n', r"must be a list of tables, \[\[query\]\]"),
        ("a.toml", 'query = [{text = "a", style = "x"}]\n', "a table of its own"),
        ("a.toml", 'title = "no rows"\n', "there is no row"),
        ("a.jsonl", '{"text": "a", "style": "x"}\n{"text": \n', "a.jsonl, line 2"),
        ("a.jsonl", "[1]\n", "line 1: a row is a JSON object"),
        ("a.jsonl", b'{"text": "a", "style": "x"}\n\n\xff\n', "line 3: this is not UTF-8"),
    ],
)
def test_a_malformed_row_is_named(
    write: Callable[..., str], name: str, content: str | bytes, said: str
) -> None:
    write(name, content)
    with pytest.raises(DatasetError, match=said):
        read_rows(name, "query", FIELDS)


def test_a_missing_file_is_named(write: Callable[..., str]) -> None:
    with pytest.raises(DatasetError, match=r"none\.toml: No such file"):
        read_rows("none.toml", "query", FIELDS)
    with pytest.raises(DatasetError, match=r"none\.toml: No such file"):
        dataset_hash(["none.toml"])


def test_the_hash_is_of_the_content(write: Callable[..., str]) -> None:
    write("a.toml", "1")
    write("b.toml", "2")
    first = dataset_hash(["a.toml", "b.toml"])
    assert first == dataset_hash(["a.toml", "b.toml"])
    assert first != dataset_hash(["a.toml"])
    write("b.toml", "3")
    assert first != dataset_hash(["a.toml", "b.toml"])


def test_an_id_is_of_the_content_alone() -> None:
    assert row_id("a", "b") == row_id("a", "b")
    assert row_id("a", "b") != row_id("ab")
