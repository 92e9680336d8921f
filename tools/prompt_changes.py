"""What a follow-up changes in place: one thing for another, and a thing's number, colour, material or size."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tools.prompt_lexicon import (
    BACK_REFERENCES,
    COLOURS,
    COMPARATIVES,
    DETERMINERS,
    LEAD_INS,
    LOOKS,
    NUMBERS,
    PARTS,
    PREPOSITIONS,
    QUALITIES,
    SHADES,
    STOP_WORDS,
    bag,
)
from tools.prompt_meaning import domain_of, facets, subject_domain
from tools.prompt_words import Word, among, find, words

LONGEST = 200  # characters of a clause that is read; longer ones are no change of one thing
REACH = 5  # words before a noun that may belong to it
_THING = r"[^,;.!?]+?"
_SWAPS = [
    re.compile(pattern.replace("THING", _THING), re.IGNORECASE)
    for pattern in (
        r"(?:.*\b)?(?:change|turn|switch|make)\s+(?:(?P<whose>THING)\s+)?from\s+(?P<old>THING)\s+(?:in)?to\s+(?P<new>THING)",
        r"(?:.*\b)?substitute\s+(?P<new>THING)\s+for\s+(?P<old>THING)",
        r"(?:.*\b)?(?:replace|substitute)\s+(?P<old>THING)\s+(?:with|by)\s+(?P<new>THING)",
        r"(?:.*\b)?(?:swap|exchange|switch|trade)(?:\s+out)?\s+(?P<old>THING)\s+(?:for|with|to|into)\s+(?P<new>THING)",
        r"(?:.*\b)?(?:change|turn|convert|transform)\s+(?P<old>THING)\s+(?:in)?to\s+(?P<new>THING)",
        r"(?:.*\b)?make\s+(?P<old>THING)\s+into\s+(?P<new>THING)",
        r"(?P<new>THING),?\s+(?:instead\s+of|rather\s+than|in\s+(?:place|lieu)\s+of)\s+(?P<old>THING)",
        r"(?:.*\b)?not\s+(?P<old>THING),?\s+but\s+(?P<new>THING)",
        r"(?P<new>THING)\s+instead",
    )
]
_INSTEAD_FIRST = re.compile(
    rf"\b((?:instead\s+of|rather\s+than)\s+{_THING})\s*,\s*({_THING})(?=[,;.!?]|$)", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"""\s*[,;.!]+\s+(?!instead\s+of|rather\s+than|but\b) | \s+(?:and|but)\s+(?:then\s+)?
    (?=(?:add|make|put|change|turn|remove|delete|include|use|give|keep|replace|swap|exchange|switch
    |trade|paint|no|without)\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_ARTICLE = re.compile(r"\b(an?) (\w+)", re.IGNORECASE)
_ADDING = bag("add also another more extra plus additional else too include")
_IS = bag("""to be is are should must in into as become look painted coloured colored made completely
    entirely all""")
_EDITING = bag("make paint colour color recolour dye turn change want have keep")
_OPENERS = (
    LEAD_INS | _IS | _EDITING | {"with", "only", "actually", "use", "prefer", "him", "her"}
) - {"a"}


@dataclass(frozen=True, slots=True)
class Edit:
    """What came of a follow-up."""

    parts: tuple[str, ...]  # what was said before, changed
    rest: tuple[str, ...]  # clauses of the message that changed nothing in place
    replaced: tuple[str, ...]  # words that gave way, folded
    is_change: bool  # whether the message surely speaks of the picture that is there


@dataclass(frozen=True, slots=True)
class _Swap:
    old: str
    new: str
    sure: bool  # whether it is a change even where nothing like `old` is there


@dataclass(frozen=True, slots=True)
class _Quality:
    """A thing and what is said of it: "a red roof", "the roof should be red"."""

    said: str  # "dark red"
    thing: str  # "roof"; "": the subject
    sure: bool


def edit(parts: Sequence[str], message: str, described: bool) -> Edit:
    """Change in `parts` what the clauses of `message` say of things that are there.

    Where the message is a description of its own (`described`), a quality counts only when it is
    all that the message says.
    """
    now, rest, replaced, is_change = list(parts), list[str](), list[str](), False
    clauses = clauses_of(_INSTEAD_FIRST.sub(r"\2 \1", message))
    for clause in clauses:
        asked = _read(clause, now)
        if isinstance(asked, _Quality) and described and len(clauses) > 1:
            asked = None
        done = False
        if asked:
            before = list(now)
            gone = _replace(now, asked) if isinstance(asked, _Swap) else _qualify(now, asked)
            done = now != before
            replaced += gone
            is_change |= done or asked.sure
        if asked and asked.sure and not done:
            rest.append(asked.new if isinstance(asked, _Swap) else f"{asked.said} {asked.thing}")
        elif not done:
            rest.append(clause)
    return Edit(tuple(now), tuple(rest), tuple(replaced), is_change)


def clauses_of(message: str) -> list[str]:
    """Part a follow-up at its punctuation, and where an "and" begins another wish."""
    clauses = (clause.strip(" ,;.!?") for clause in _CLAUSE.split(message))
    return [clause for clause in clauses if clause]


def _read(clause: str, parts: Sequence[str]) -> _Swap | _Quality | None:
    """Read what a clause asks for; None where it is neither a swap nor a quality of something."""
    if len(clause) > LONGEST:
        return None
    match = next(filter(None, (swap.fullmatch(clause) for swap in _SWAPS)), None)
    if match is None:
        return _quality(clause)
    named = match.groupdict()
    new = _core(match["new"], _OPENERS, STOP_WORDS)
    if "old" not in named:
        return _quality(new) or _Swap(_rival(new, parts), new, sure=False)
    old = _core(match["old"], DETERMINERS | PREPOSITIONS, STOP_WORDS)
    whose = _core(named.get("whose") or "", DETERMINERS | BACK_REFERENCES, STOP_WORDS)
    sure = match.start("old") < match.start("new") or "substitute" in clause.casefold()
    if old in BACK_REFERENCES or not old:
        old = _subject(parts) if subject_domain(_last(new)) else ""
    said = _core(new, DETERMINERS, STOP_WORDS | {"one"})
    if _all(said, _is_quality):
        thing = whose or " ".join(w.text for w in words(old) if not _is_quality(w.text))
        return _Quality(said, thing, sure) if thing else _Swap(old, said, sure)
    if old and _all(old, _is_quality):
        return _quality(new)
    if _all(said, _is_mood) and old and not _all(old, _is_mood):
        return _Swap("", f"{said} {old}", sure)
    return _Swap(old, new, sure)


def _quality(clause: str) -> _Quality | None:
    """Read "a red roof", "the roof should be red", or "red"; None where that is not all."""
    opened = words(clause)
    if not opened or any(word.breaks or word.text in _ADDING for word in opened):
        return None
    editing = opened[0].text in _EDITING or any(word.text in _EDITING for word in opened[:3])
    core = _core(clause, _OPENERS | DETERMINERS, STOP_WORDS)
    said = words(core)
    first = next((i for i, word in enumerate(said) if not _is_quality(word.text)), len(said))
    last = next(
        (i for i in range(len(said), 0, -1) if not _is_quality(said[i - 1].text)), 0
    )  # where the qualities at the end begin
    if not said or first == len(said):
        return _Quality(core, "", sure=False) if said else None
    if first and last == len(said):  # "red roof"
        thing = said[first:]
        sure, quality = False, core[: said[first - 1].end]
    elif last < len(said):  # "roof should be red"
        thing = said[first:last]
        linked = any(word.text in _IS for word in thing)
        while thing and thing[-1].text in _IS:
            thing = thing[:-1]
        sure, quality = editing or linked, core[said[last].start :]
        if not sure:
            return None
    else:
        return None
    if not thing or any(w.text in STOP_WORDS | PREPOSITIONS | COMPARATIVES for w in thing):
        return None
    return _Quality(quality, core[thing[0].start : thing[-1].end], sure)


def _replace(parts: list[str], swap: _Swap) -> list[str]:
    """Put the new thing where the old one is named; the words that gave way."""
    gone = list[str]()
    for number, part in enumerate(parts):
        for first, last in reversed(_places(swap.old, part)):
            said = words(parts[number])
            begin = _begin(said, first)
            article = said[begin].text if said[begin].text in DETERMINERS else ""
            bare = words(swap.new)[0].text not in DETERMINERS | NUMBERS
            new = f"{article} {swap.new}" if article and bare else swap.new
            parts[number] = _put(parts[number], said[begin].start, new, said[last].end)
            gone.append(" ".join(word.text for word in said[first : last + 1]))
    return gone


def _qualify(parts: list[str], asked: _Quality) -> list[str]:
    """Say of a thing what is asked for, in the place of what was said before; the words that gave way.

    The subject, and a number of something, are changed only where they have such a quality already.
    """
    thing = asked.thing or _subject(parts)
    counts = [w.text for part in parts for w in words(part) if _kinds(w.text) == {"number"}]
    if not asked.thing and _kinds(asked.said) == {"number"} and len(counts) == 1:
        return _replace(parts, _Swap(counts[0], asked.said, sure=True))
    places = [
        (number, *place) for number, part in enumerate(parts) for place in _places(thing, part)
    ]
    kinds = _kinds(asked.said)
    for must_give_way in (True, False):
        for number, first, last in places:
            said = words(parts[number])
            begin, after = _begin(said, first), _end(said, last)
            before = [i for i in range(begin, first) if _gives_way(said, i, first, kinds)]
            behind = [i for i in range(last + 1, after) if _kinds(said[i].text) & kinds]
            if must_give_way and not before and not behind:
                continue
            text = parts[number]
            if behind and not before:
                parts[number] = _put(text, said[behind[0]].start, asked.said, said[behind[-1]].end)
            else:
                left = [w for i, w in enumerate(said) if begin <= i < first and i not in before]
                counted = "number" in kinds
                if counted:
                    left = [word for word in left if word.text not in {"a", "an"}]
                at = 0 if counted else len(left)
                if before and not counted:
                    at = sum(word.start < said[before[0]].start for word in left)
                elif counted and left and left[0].text in DETERMINERS:
                    at = 1
                spelled = [text[word.start : word.end] for word in left]
                noun = (
                    asked.thing
                    if counted and asked.thing
                    else text[said[first].start : said[last].end]
                )
                new = " ".join([*spelled[:at], asked.said, *spelled[at:], noun])
                parts[number] = _put(text, said[begin].start, new, said[last].end)
            return [" ".join(said[i].text for i in before or behind)] if before or behind else []
        if not asked.thing:
            return []
    return []


def _gives_way(said: Sequence[Word], at: int, noun: int, kinds: frozenset[str]) -> bool:
    """Tell whether the word `at` in front of a noun says one of `kinds`, or belongs to one that does."""
    word = said[at].text
    following = said[at + 1].text if at + 1 < noun else ""
    if word == "and" or word in SHADES - COLOURS:
        return bool(_kinds(following) & kinds)
    return bool(_kinds(word) & kinds)


def _places(thing: str, text: str) -> list[tuple[int, int]]:
    """Where `text` names a thing, in any form: with all its words, else with its last ones."""
    said, named = words(text), words(thing)
    own = [word.text for word in named]
    short = next((i for i, word in enumerate(own) if i and word in PREPOSITIONS), len(own))
    tries = [own, *(own[at:short] for at in range(short))]
    for attempt in tries:
        if found := [
            place for place in find(" ".join(attempt), text) if not _is_modifier(said, place)
        ]:
            return found
    return []


def _is_modifier(said: Sequence[Word], place: tuple[int, int]) -> bool:
    """Tell whether a noun only describes the one after it: the garden of a "garden shed"."""
    if _is_quality(said[place[1]].text):
        return False
    after = said[place[1] + 1] if place[1] + 1 < len(said) else None
    known = after and (
        subject_domain(after.text) or any(among(after.text, p) for p in PARTS.values())
    )
    return bool(after and not after.breaks and known)


def _begin(said: Sequence[Word], noun: int) -> int:
    """The first word of the phrase of a noun: with its article and all between, else with its qualities."""
    begin = at = noun
    plain = True
    while at > 0 and noun - at < REACH and not said[at].breaks:
        word, following = said[at - 1].text, said[at].text
        joins = (
            word == "and" and at > 1 and _is_quality(following) and _is_quality(said[at - 2].text)
        )
        closes = word in DETERMINERS or word in NUMBERS
        if not (joins or closes) and word in STOP_WORDS | PREPOSITIONS:
            break
        at -= 1
        plain = plain and (joins or closes or _is_quality(word))
        if plain or closes:
            begin = at
        if word in DETERMINERS:
            break
    return begin


def _end(said: Sequence[Word], noun: int) -> int:
    """The index after the qualities that stand behind a noun: "roof is dark blue", "roof painted blue"."""
    at = noun + 1
    while at < len(said) and not said[at].breaks and said[at].text in _IS | {"of"}:
        at += 1
    end = at
    while end < len(said) and not said[end].breaks and _is_quality(said[end].text):
        end += 1
    return end if end > at else noun + 1


def _put(text: str, start: int, new: str, end: int) -> str:
    """Put words into a text, and mend the article in front of them and theirs."""
    joined = text[:start] + new + text[end:]
    return _ARTICLE.sub(lambda m: _article(m[1], m[2]), joined)


def _article(article: str, following: str) -> str:
    vowel = following[0].casefold() in "aeiou"
    right = {"a": "an" if vowel else "a", "an": "an" if vowel else "a"}[article.casefold()]
    return f"{right.capitalize() if article[0].isupper() else right} {following}"


def _rival(new: str, parts: Sequence[str]) -> str:
    """The thing that another of its kind ("a cat instead") takes the place of: a subject of the same domain."""
    domain = subject_domain(_last(new))
    named = (word.text for part in parts for word in words(part))
    return next((word for word in named if domain and subject_domain(word) == domain), "")


def _subject(parts: Sequence[str]) -> str:
    return domain_of(", ".join(parts))[1] or ""


def _core(text: str, before: frozenset[str], after: frozenset[str]) -> str:
    """Take the words `before` off the beginning of a text, and the words `after` off its end."""
    said = words(text)
    while said and said[0].text in before:
        said = said[1:]
    while said and said[-1].text in after:
        said = said[:-1]
    return text[said[0].start : said[-1].end] if said else ""


def _last(text: str) -> str:
    """The noun of "a knight on a horse": the last word of its first phrase."""
    said = [word.text for word in words(text)]
    end = next((i for i, word in enumerate(said) if i and word in PREPOSITIONS), len(said))
    return said[end - 1] if said else ""


def _kinds(text: str) -> frozenset[str]:
    """The kinds of quality that the words of a text name."""
    said = [word.text for word in words(text)]
    return frozenset(
        kind
        for kind, known in QUALITIES.items()
        if any(w in known or (w.isdigit() and kind == "number") for w in said)
    )


def _is_quality(word: str) -> bool:
    return bool(_kinds(word)) or word in SHADES or word == "and"


def _is_mood(word: str) -> bool:
    return bool(facets(word)) or word in LOOKS or word in COMPARATIVES


def _all(text: str, test: Callable[[str], bool]) -> bool:
    said = words(text)
    return bool(said) and all(test(word.text) for word in said)
