"""Words that a request shares with the texts of a style: what an encoder blurs, a rare word says outright."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from styles.vectors import Matrix

FEW = 4.0  # words of a text at least, for its shares
_SILENT = {
    "the", "of", "and", "a", "to", "in", "is", "it", "you", "that", "for", "on", "are", "with", "as", "i", "this", "be",
    "at", "or", "but", "some", "what", "there", "we", "all", "your", "like", "so", "from", "by", "an", "no", "not",
}  # fmt: skip


class SharedWords:
    """Which words each of many groups of texts has, the rarer ones counting more."""

    def __init__(self, groups: Sequence[Iterable[str]]) -> None:
        self._count = len(groups)
        holders = [{word for text in group for word in _words(text)} for group in groups]
        self._weights = {
            word: math.log(self._count / held)
            for word, held in Counter(word for words in holders for word in words).items()
        }
        self._holders: dict[str, list[int]] = {}
        for number, words in enumerate(holders):
            for word in words:
                self._holders.setdefault(word, []).append(number)

    def shares(self, text: str) -> Matrix:
        """(groups,) of 0..1: how much of what the text's words say each group has, by inverse document frequency.

        A word that no group has weighs like one that a single group has, and a text of a word or two is taken for one
        of `FEW` such words: that "at night" shares its only word with a style says little.
        """
        said, rarest = set(_words(text)), math.log(max(self._count, 2))
        found = np.zeros(self._count, np.float32)
        for word in said & self._holders.keys():
            found[self._holders[word]] += self._weights[word]
        return found / max(sum(self._weights.get(word, rarest) for word in said), FEW * rarest)


def _words(text: str) -> list[str]:
    """The words that say something, without the commonest endings."""
    return [
        re.sub(r"(?:ing|ed|es|s)$", "", word) if len(word) > 4 else word
        for word in re.findall(r"[^\W_]+", text.lower())
        if word not in _SILENT
    ]
