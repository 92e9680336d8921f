"""What a text does not want, and the lettering in it, whose words mean nothing but themselves."""

import re
from functools import lru_cache
from itertools import takewhile

from tools.prompt_lexicon import (
    AFTER_NEGATORS,
    DETERMINERS,
    DISMISSALS,
    FACETS,
    IDIOMS,
    LEAD_INS,
    NEGATOR_PHRASES,
    NEGATORS,
    NOWHERE,
    PARTITIVES,
    PARTS,
    PREPOSITIONS,
    SAYING,
    STOP_WORDS,
)
from tools.prompt_words import Word, among, words

LONGEST = 3  # words of a refused thing
LISTED = 8  # things refused in one list
_DEFINITE = frozenset({"the", "its", "their"})
_QUOTED = re.compile(
    r"""["\u201c\u201d\u00ab\u201e][^"\u201c\u201d\u00ab\u00bb]*["\u201c\u201d\u00bb]
    | (?<!\w)['\u2018][^'\u2018\u2019]*['\u2019](?!\w)""",
    re.VERBOSE,
)
_NOBODY = ({"nobody"}, {"no", "one"})
_LIGHTS = frozenset(
    term for values in FACETS.values() for listed in values.values() for term in listed.split(", ")
)


@lru_cache(maxsize=512)
def lettering(text: str) -> frozenset[int]:
    """Return the words of `text`, by index, that are quoted or follow a "says" in the same clause."""
    said = words(text)
    quotes = [match.span() for match in _QUOTED.finditer(text)]
    found = {i for i, word in enumerate(said) if any(a < word.start < b for a, b in quotes)}
    for at, word in enumerate(said):
        if word.text in SAYING and at not in found:
            clause = takewhile(
                lambda i: not said[i].breaks and said[i].text not in PREPOSITIONS - {"without"},
                range(at + 1, len(said)),
            )
            found.update(clause)
    return frozenset(found)


def negations(text: str) -> list[tuple[int, int, str]]:
    """Find what `text` does not want ("no cars or people"): (first, last, what), by word index."""
    said, letters = words(text), lettering(text)
    found, at = list[tuple[int, int, str]](), 0
    while at < len(said):
        first, size = at, 0 if at in letters else _negator(said, at)
        at += size or 1
        nobody = {word.text for word in said[first:at]} in _NOBODY
        following = at if size else None
        while following is not None:
            start, end = _thing(said, following, listed=following == first)
            if start == end and not nobody:
                break
            what = "people" if nobody else " ".join(word.text for word in said[start:end])
            at = _nowhere(said, end)
            but = at < len(said) and said[at].text == "but"
            found.append((first, at - 1 + but, what))
            first, nobody, following = at, False, _also(said, at)
    return found


def _negator(said: list[Word], at: int) -> int:
    """How many words of `said` negate what follows them, from index `at` on."""
    following = tuple(word.text for word in said[at : at + 3])
    number = len(following) > 1 and following[0] == "no" and following[1].isdigit()
    than = at + 2 < len(said) and said[at + 2].text == "than"
    bound = at > 0 and said[at - 1].text in {"why", "me"}  # "forget-me-not"
    if number or than or bound or any(following[: len(term)] == term for term in IDIOMS):
        return 0
    for term in NEGATOR_PHRASES:
        if following[: len(term)] == term:
            return len(term)
    opens = at == 0 or said[at].breaks or said[at - 1].text in LEAD_INS
    if following[0] in DISMISSALS and opens and set(following[1:2]) <= DETERMINERS - {"a", "an"}:
        return int(len(following) > 1)
    return int(following[0] in NEGATORS)


def _thing(said: list[Word], at: int, listed: bool = False) -> tuple[int, int]:
    """The first word of what is refused from `at` on, and the one after its last; equal when there is nothing."""
    first = at if listed else -1  # of a list, which stands behind a comma
    while at < len(said) and (at == first or not said[at].breaks):
        partitive = (
            said[at].text in PARTITIVES and said[at + 1 : at + 2] and said[at + 1].text == "of"
        )
        if said[at].text not in AFTER_NEGATORS and not partitive:
            break
        at += 1
    end = at
    while (
        end < min(len(said), at + LONGEST)
        and (end == first or not said[end].breaks)
        and said[end].text not in (STOP_WORDS - {"one"}) | PREPOSITIONS | NOWHERE
    ):
        end += 1
    bound = at < end < len(said) - 1 and said[end].text == "of" and not said[end].breaks
    if bound and said[end + 1].text not in PREPOSITIONS:  # "signs of life"
        end += 2
        while end < len(said) and said[end - 1].text in DETERMINERS and not said[end].breaks:
            end += 1
    return at, end


def _nowhere(said: list[Word], at: int) -> int:
    """The index after the words that only say where a refused thing would be."""
    end = at
    while end < min(len(said), at + 4) and not said[end].breaks:
        word, before = said[end].text, said[end - 1].text if end > at else ""
        end += 1
        known = before in _DEFINITE and any(among(word, parts) for parts in PARTS.values())
        if word in NOWHERE or known:
            at = end
        elif word not in PREPOSITIONS | _DEFINITE | {"be", "seen"}:
            break
    return at


def _also(said: list[Word], at: int) -> int | None:
    """Where the next thing of a refused list begins, where `at` is after the one before; None at its end."""
    if at >= len(said):
        return None
    if said[at].text in {"or", "nor"}:
        return at + 1
    if said[at].text == "and" and not said[at].breaks:  # "no cars and people", not "and red doors"
        _, end = _thing(said, at + 1)
        alone = end == at + 2 and (end == len(said) or said[end].breaks)
        return at + 1 if alone and said[at + 1].text not in _LIGHTS else None
    if not said[at].breaks:
        return None
    start = at
    for _ in range(LISTED):  # "no cars, people or signs", not "no cars, bright sun"
        first, at = _thing(said, at, listed=True)
        if first == at or at == len(said):
            return None
        if said[at].text in {"or", "nor"}:
            return start
        if not said[at].breaks:
            return None
    return None
