"""How the words of a text compare, and count: folding, rough lemmas, tokens, taking words out."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from tools.prompt_lexicon import DETERMINERS, NEGATORS, PREPOSITIONS, STOP_WORDS

CountTokens = Callable[[str], int]

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_CONTRACTION = re.compile(r"'(?:s|d|ll|re|ve|m)$")
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")
_IRREGULAR = {
    "women": "woman",
    "men": "man",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "gray": "grey",
    "lit": "light",
    "theater": "theatre",
    "jewelry": "jewellery",
}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text."""

    text: str  # folded: lower case, no accents, no "'s"
    start: int
    end: int
    breaks: bool  # punctuation stands between it and the word before


def clean(text: str) -> str:
    """Make `text` one line of printable characters, NFC, single-spaced; words stay as they are."""
    kept = (
        "" if unicodedata.category(char) == "Cf" else char if char.isprintable() else " "
        for char in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(kept).split())


def fold(text: str) -> str:
    """Reduce `text` to what is compared: no case, no accents, plain apostrophes."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(char for char in plain if not unicodedata.combining(char))


def words(text: str) -> list[Word]:
    """Return the words of `text` in order; a hyphen parts two words without a break."""
    found: list[Word] = []
    for match in _WORD.finditer(text):
        gap = text[found[-1].end : match.start()] if found else ""
        text_only = _CONTRACTION.sub("", fold(match[0]))
        breaks = bool(re.search(r"[^\s\-’']", gap))
        found.append(Word(text_only, match.start(), match.end(), breaks))
    return found


@lru_cache(maxsize=4096)
def forms(word: str) -> frozenset[str]:
    """Return the spellings a folded `word` may go back to; two words are one where these meet.

    Plurals, -ing, -ed, a few irregulars, -our and -or: a rough lemma, too generous on
    purpose.
    """
    found = {word, _IRREGULAR.get(word, word), re.sub(r"our(?=$|s$|ed$|ing$|ful$)", "or", word)}
    for ending, instead in (
        ("ies", "y"),
        ("ves", "f"),
        ("ves", "fe"),
        ("es", ""),
        ("s", ""),
        ("ing", ""),
        ("ing", "e"),
        ("ied", "y"),
        ("ed", ""),
        ("ed", "e"),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            found.add(word.removesuffix(ending) + instead)
    return frozenset(found)


def among(word: str, known: frozenset[str]) -> bool:
    """Tell whether a form of the folded `word` is in `known`."""
    return not known.isdisjoint(forms(word))


def content_words(text: str) -> list[str]:
    """Return the folded words of `text` that carry meaning (no stop words), each once, in order."""
    found = (word.text for word in words(text))
    return list(dict.fromkeys(w for w in found if w not in STOP_WORDS and w not in NEGATORS))


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """Return the folded words of `wanted` that `text` holds in no form."""
    present = frozenset().union(*(forms(word.text) for word in words(text)))
    return [word for word in wanted if present.isdisjoint(forms(word))]


def find(what: str, text: str) -> list[tuple[int, int]]:
    """Spans of the words of `what` in `text`, in any form, one after the other; (first, last) by word index."""
    wanted, said = [word.text for word in words(what)], words(text)
    return [
        (at, at + len(wanted) - 1)
        for at in range(len(said) - len(wanted) + 1)
        if wanted
        and not any(
            missing([word], found.text)
            for word, found in zip(wanted, said[at : at + len(wanted)], strict=True)
        )
    ]


def count_tokens(text: str) -> int:
    """Count words, punctuation marks and CJK characters: a stand-in for a tokenizer."""
    return len(_TOKEN.findall(text))


def cut(text: str, budget: int, count: CountTokens) -> str:
    """Return the longest beginning of `text` in `budget` tokens that ends with a word.

    Where not even the first word fits, it is cut inside.
    """
    if count(text) <= budget:
        return text
    parts = text.split(" ")
    fitting = _most(parts, " ", budget, count)
    if fitting > 0:
        return " ".join(parts[:fitting]).rstrip(" ,;:-")
    return parts[0][: max(0, _most(parts[0], "", budget, count))]


def _most(parts: Sequence[str], glue: str, budget: int, count: CountTokens) -> int:
    sizes = range(len(parts) + 1)
    return bisect_right(sizes, budget, key=lambda size: count(glue.join(parts[:size]))) - 1


def without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Take spans of words (first, last) out of `text`, with the "at the" that then hangs loose."""
    said = words(text)
    taken = {i for first, last in spans for i in range(first, last + 1)}
    if not taken:
        return text
    for before, after in pairwise(sorted(taken)):
        if all(word.text in {"and", "or"} for word in said[before + 1 : after]):
            taken.update(range(before, after))
    for index in sorted(taken):
        taken.update(_glue(said, index + 1, taken))
    for index in sorted(taken):
        following = said[index + 1] if index + 1 < len(said) else None
        if index + 1 in taken or (
            following and not following.breaks and following.text not in PREPOSITIONS
        ):
            continue
        while index - 1 in taken:
            index -= 1
        while index > 0 and not said[index].breaks and said[index - 1].text in STOP_WORDS:
            index -= 1
            taken.add(index)
    pieces, at = list[str](), 0
    for index, word in enumerate(said):
        if index in taken:
            pieces.append(text[at : word.start])
            at = word.end
    left = "".join([*pieces, text[at:]])
    left = re.sub(r"\s+(?=[,;.])", "", " ".join(left.split()))
    return re.sub(r"([,;.])(?:\s*[,;.])+", r"\1", left).strip(" ,;-")


def _glue(said: Sequence[Word], at: int, taken: set[int]) -> set[int]:
    """An "and" at `at`, after words that are taken out, that no longer joins anything, with their article."""
    if at in taken or at + 1 >= len(said) or said[at].breaks or said[at].text not in {"and", "but"}:
        return set()
    first = begin = next(i for i in range(at - 1, -1, -1) if i - 1 not in taken)
    while begin and not said[begin].breaks and said[begin - 1].text in DETERMINERS:
        begin -= 1
    if begin and not said[begin].breaks and said[begin - 1].text in PREPOSITIONS:
        return {*range(begin, first), at}  # "with (a tower and) a dog"
    opens = first == 0 or said[first].breaks or said[at + 1].text in PREPOSITIONS
    return {at} if opens else set()
