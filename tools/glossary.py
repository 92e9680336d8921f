"""Messages in other languages, word by word in English: the encoders read nothing else.

Each file of `glossary/` is a language. `[words]` are stems: one matches with any of the language's `endings` after
it, the longest stem wins, and in a language with `compounds` several may stand in one word. `[function]` words match
whole. Where a language has no `endings`, no spaces part its words: the longest known one is taken at every place.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "glossary"
SCRIPTS = {  # languages that their letters tell; Chinese last, for the others borrow its signs
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
}
LATIN = ("de", "fr", "es", "it", "pt", "nl", "pl", "tr")
NOUN_FIRST = ("fr", "es", "it", "pt")  # languages that say "house red"
ADJECTIVES = (  # that all of them say last
    "red|blue|green|yellow|black|white|brown|grey|orange|purple|violet|pink|golden|turquoise|dark|wooden|round|modern"
    "|rustic|ancient|warm|cold|quiet|empty"
)
NO_NOUNS = (
    "and|but|with|without|not|like|from|for|under|over|between|very|more|less|many|all|only|are"
    "|two|three|four|five|six"
)
SILENT = {"the": "", "a": ""}  # articles, which say nothing about a picture
SHORTEST = 3  # letters of a part of a compound
LONGEST = 40  # of a word that is looked up
_PUNCTUATION = str.maketrans(
    {"。": ". ", "、": ", ", "，": ", ", "！": "! ", "？": "? ", "；": "; ", "：": ": "}
)
_OTHER_LETTERS = str.maketrans({"ß": "ss", "ł": "l", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe"})


@dataclass(frozen=True, slots=True)
class Glossary:
    """A language's words, folded, and the English for each."""

    function: Mapping[str, str]
    stems: Mapping[str, str]
    endings: re.Pattern[str] | None
    compounds: bool
    longest: int  # letters of a stem

    def english(self, word: str) -> str | None:
        """The English for a folded word in any of its forms, None where it is not known."""
        if word in self.function or len(word) > LONGEST:
            return self.function.get(word)
        for size in range(min(len(word), self.longest), 1, -1):
            if word[:size] in self.stems and self._ends(word[size:]):
                return self.stems[word[:size]]
        return self._parts(word) if self.compounds else None

    def _ends(self, rest: str) -> bool:
        return not rest or (self.endings is not None and bool(self.endings.fullmatch(rest)))

    def _parts(self, word: str) -> str | None:
        """The English for "Nachthimmel": night sky."""
        for size in range(len(word) - SHORTEST, SHORTEST - 1, -1):
            first = self.stems.get(word[:size])
            if first is None:
                continue
            for link in ("", "s", "n", "en", "es", "e", "er"):
                rest = word[size:].removeprefix(link)
                if len(rest) >= SHORTEST and word[size:].startswith(link):
                    second = self.english(rest)
                    if second is not None:
                        return f"{first} {second}"
        return None

    def scan(self, text: str) -> list[str]:
        """The English for a run of folded signs without spaces; of what is not known only Latin words stay."""
        found, at = [], 0
        while at < len(text):
            for size in range(min(self.longest, len(text) - at), 0, -1):
                sign = text[at : at + size]
                known = self.function.get(sign) or self.stems.get(sign)
                if known:
                    found.append(known)
                    break
            else:
                latin = re.match(r"[0-9a-z]*", text[at:])
                size = max(1, latin.end() if latin else 0)
                found += [text[at : at + size]] if latin and latin.end() else []
            at += size
        return found


def in_english(text: str) -> str:
    """`text` word by word in English where it is in a language of the glossary, else `text` itself.

    Words that are not known stay as they are, but for those of other scripts without spaces: nobody reads them here.
    """
    for name, letters in SCRIPTS.items():
        if letters.search(text):
            return _translate(text, name)
    words = [word for word in re.findall(r"\w+", fold(text)) if word.isalpha() and len(word) > 1]
    language = _latin_language(words)
    return _translate(text, language) if language else text


def fold(text: str) -> str:
    """Lower case without accents, as people type it in a hurry."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(_OTHER_LETTERS))
    return unicodedata.normalize("NFC", re.sub(r"[\u0300-\u036f]", "", apart))


@cache
def glossary(name: str) -> Glossary:
    """The glossary of a language, by its two letters."""
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    endings = table.get("endings")
    stems, function = _folded(table["words"]), _folded(table["function"])
    if lender := table.get("borrows"):  # signs that two languages share
        lent = tomllib.loads((FOLDER / f"{lender}.toml").read_text("utf-8"))
        stems = _folded(lent["words"]) | stems
    return Glossary(
        function,
        stems,
        re.compile(fold(endings)) if endings else None,
        table.get("compounds", False),
        max(map(len, [*stems, *function])),
    )


@cache
def english_words() -> frozenset[str]:
    """Words that are no sign of another language: the commonest of English, and all that the glossaries say."""
    common = tomllib.loads((FOLDER / "en.toml").read_text("utf-8"))["words"].split()
    said = [meaning for name in LATIN for meaning in _meanings(glossary(name))]
    return frozenset(common) | {word for meaning in said for word in meaning.split()}


def _meanings(of: Glossary) -> list[str]:
    return [*of.function.values(), *of.stems.values()]


def _folded(table: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for english, words in table.items():
        for word in words.split():
            found.setdefault(fold(word), english)
    return found


def _latin_language(words: Sequence[str]) -> str | None:
    """The language of most of the words, where they are more than the English and half of the unknown ones."""
    strange = [word for word in words if not _is_english(word)]
    plain = [word for word in words if _is_english(word)]
    best, most = None, 1 if len(words) > 1 else 0
    for name in LATIN:
        of = glossary(name)
        foreign = sum(of.english(word) is not None for word in strange)
        english = sum(word not in of.function for word in plain)
        if foreign > most and foreign > english + (len(strange) - foreign) / 2:
            best, most = name, foreign
    return best


@lru_cache(maxsize=8192)
def _is_english(word: str) -> bool:
    common = english_words()
    return word in common or re.sub(r"e?s$", "", word) in common or word.removesuffix("s") in common


def _translate(text: str, name: str) -> str:
    """The text with every known word of a language in English, all else as it stands."""
    of = glossary(name)
    if name in LATIN:
        text = re.sub("['’]", " ", text)

    def said(piece: re.Match[str]) -> str:
        word = fold(piece[0])
        if of.endings is None:
            return piece[0] if word.isascii() else f" {' '.join(of.scan(word))} "
        english = of.english(word)
        return piece[0] if english is None else SILENT.get(english, english)

    words = re.sub(r"[^\S\n]+", " ", re.sub(r"\w+", said, text.translate(_PUNCTUATION)))
    words = re.sub(r" (?=[,.;:!?\n]|$)|(?<=\n) ", "", words).strip()
    return _adjectives_first(words) if name in NOUN_FIRST else words


def _adjectives_first(text: str) -> str:
    """ "Black cat" for "cat black"."""
    return re.sub(
        rf"\b(?!(?:{ADJECTIVES}|{NO_NOUNS})\b)([a-z]{{3,}}) ({ADJECTIVES})\b", r"\2 \1", text
    )
