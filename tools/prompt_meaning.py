"""What a text says: its times, weathers and moods, and what it is a picture of."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from tools.prompt_lexicon import (
    COMPOUNDS,
    DETERMINERS,
    ENDINGS,
    FACETS,
    LOOKS,
    PARTS,
    PREPOSITIONS,
    SUBJECTS,
    UNKNOWN_DOMAIN,
    Facet,
)
from tools.prompt_refusals import negations
from tools.prompt_words import among, forms, words


@dataclass(frozen=True, slots=True)
class Mention:
    """Words of a text that say a time, a weather, a mood."""

    first: int  # index into `words(text)`
    last: int
    facet: Facet


@lru_cache(maxsize=512)
def mentions(text: str) -> tuple[Mention, ...]:
    """Find the times, weathers and moods that `text` asks for, the negated ones left out."""
    said = words(text)
    refused = {i for first, last, _ in negations(text) for i in range(first, last + 1)}
    found, at = list[Mention](), 0
    while at < len(said):
        size, facets = next(
            (
                (size, _TERMS[term])
                for size in (3, 2, 1)
                if (term := tuple(word.text for word in said[at : at + size])) in _TERMS
                and len(term) == size
            ),
            (1, ()),
        )
        following = said[at + size] if at + size < len(said) else None
        noun = not said[at + size - 1].text.endswith(("y", "er", "ed", "ing"))
        named = noun and following and not following.breaks and among(following.text, COMPOUNDS)
        if facets and at not in refused and not named:
            found.extend(Mention(at, at + size - 1, facet) for facet in facets)
        at += size
    return tuple(found)


def facets(text: str) -> frozenset[Facet]:
    """Return what `text` says about time, weather and mood."""
    return frozenset(mention.facet for mention in mentions(text))


def contradicts(one: frozenset[Facet], other: frozenset[Facet]) -> bool:
    """Tell whether both speak of one thing and agree in no value of it."""
    shared = {name for name, _ in one} & {name for name, _ in other}
    agreed = {name for name, _ in one & other}
    return bool(shared - agreed)


def domain_of(text: str) -> tuple[str, str | None]:
    """Return the domain of `text` and the word that decided, None where no word is known.

    English says its subject first and the head of a compound last, so: the last known subject of
    the first phrase that holds one ("art deco hotel lobby | at dusk": lobby). Then the same
    with parts.
    """
    phrases = list(_phrases(text))
    for known in (subject_domain, _part_domain):
        for phrase in phrases:
            for word in reversed(phrase):
                if domain := known(word):
                    return domain, word
    return UNKNOWN_DOMAIN, None


@lru_cache(maxsize=4096)
def subject_domain(word: str) -> str | None:
    """Return the domain of a folded `word` that can be a picture's whole subject, else None."""
    for domain, lexicon in SUBJECTS.items():
        if among(word, lexicon):
            return domain
    if _part_domain(word) or word in LOOKS:
        return None
    for ending, domain in ENDINGS.items():
        if any(form.endswith(ending) and len(form) >= len(ending) + 3 for form in forms(word)):
            return domain
    return None


def _part_domain(word: str) -> str | None:
    return next((domain for domain, parts in PARTS.items() if among(word, parts)), None)


def _phrases(text: str) -> Iterable[list[str]]:
    refused = {i for first, last, _ in negations(text) for i in range(first, last + 1)}
    phrase: list[str] = []
    for index, word in enumerate(words(text)):
        known = subject_domain(word.text) or _part_domain(word.text)
        verb = word.text.endswith("ing") and not known
        joint = word.text in PREPOSITIONS or word.text in DETERMINERS or verb or index in refused
        if (word.breaks or joint) and phrase:
            yield phrase
            phrase = []
        if not joint:
            phrase.append(word.text)
    if phrase:
        yield phrase


def _terms() -> dict[tuple[str, ...], tuple[Facet, ...]]:
    terms: dict[tuple[str, ...], tuple[Facet, ...]] = {}
    for name, values in FACETS.items():
        for value, listed in values.items():
            for term in listed.split(", "):
                key = tuple(term.split())
                terms[key] = (*terms.get(key, ()), (name, value))
    return terms


_TERMS = _terms()
