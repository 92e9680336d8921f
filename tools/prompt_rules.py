"""The deterministic prompt writer: messages become one wish, and it gets what its domain lacks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.prompt_ruleset import RuleSet
from tools.prompt_words import (
    BACK_REFERENCES,
    COLOURS,
    COMPARATIVES,
    LEAD_INS,
    LOOKS,
    NEGATORS,
    PARTS,
    PREPOSITIONS,
    SPOKEN,
    STOP_WORDS,
    CountTokens,
    among,
    clean,
    content_words,
    cut,
    domain_of,
    facets,
    fold,
    mentions,
    missing,
    negations,
    subject_domain,
    without,
    words,
)

_EDITS = r"add|make|put|change|turn|remove|delete|include|use|give|keep"
_CLAUSE = re.compile(
    rf"\s*[,;.!]+\s+|\s+(?:and|but)\s+(?=(?:{_EDITS}|no|without)\b)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants by now, in the user's own words."""

    parts: tuple[str, ...]  # the description, then the changes that still hold, oldest first
    unwanted: tuple[str, ...] = ()  # what must not be seen, folded
    replaced: tuple[str, ...] = ()  # earlier words that the last message overruled, folded

    @property
    def text(self) -> str:
        """The description and its changes in one line."""
        return ", ".join(self.parts)


@dataclass(frozen=True, slots=True)
class Composed:
    """What the rules made of a wish."""

    prompt: str
    negative_prompt: str
    domain: str
    reason: str  # why, as a list of short remarks


def resolve(messages: Sequence[str]) -> Wish:
    """Fold the messages of a thread, oldest first, into one wish.

    A message either describes a picture or changes the one there is: `describes` decides. A change
    is appended; of what was said before, the times, weathers and moods that it overrules and the
    things that it refuses are taken out. A description replaces everything.
    """
    wish = Wish(())
    for message in map(clean, messages):
        if not words(message) and wish.parts:
            continue
        if not wish.parts or describes(message):
            parts = tuple(filter(None, [_trim(message)]))
            wish = Wish(parts, tuple(what for *_, what in negations(message)))
        else:
            wish = _change(wish, message)
    return wish


def describes(message: str) -> bool:
    """Tell whether a follow-up is a whole new description rather than a change of the picture.

    It is a change when, after "please make" and the like, it opens with a preposition, a "no"
    or an "it", or speaks in comparatives ("warmer", "more windows"). Else it is a description
    when it names a subject of its own ("a fox"), or two words that are no mere part, colour,
    material, look, time, weather or mood.
    """
    said = words(message)
    if any(word.text in COMPARATIVES for word in said):
        return False
    editing = False
    for index, word in enumerate(said):
        if (
            word.text in BACK_REFERENCES
            or word.text in NEGATORS
            or (editing and word.text == "the")
        ):
            return False
        if word.text not in LEAD_INS:
            if word.text in PREPOSITIONS:
                return False
            said = said[index:]
            break
        editing = editing or bool(re.fullmatch(_EDITS, word.text))
    named = {i for mention in mentions(message) for i in range(mention.first, mention.last + 1)}
    named |= {i for first, last, _ in negations(message) for i in range(first, last + 1)}
    start = len(words(message)) - len(said)
    own = [word.text for i, word in enumerate(said, start) if i not in named]
    own = [word for word in own if word not in STOP_WORDS and word not in LEAD_INS]
    if any(map(subject_domain, own)):
        return True
    mere = [*PARTS.values(), *SPOKEN.values(), COLOURS, LOOKS]
    return sum(not any(among(word, lexicon) for lexicon in mere) for word in own) >= 2


def compose(
    wish: Wish, rules: RuleSet, budget: int, takes_negative: bool, count: CountTokens
) -> Composed:
    """Write the prompt of `wish` in `budget` tokens: the user's words first, then what fits."""
    text, remark = fit(wish, budget, count)
    domain, word = domain_of(text)
    asked, kept = facets(text), frozenset(content_words(text))
    prompt = text
    lacking = (
        rules.phrases[domain] if text == wish.text else {}
    )  # nothing takes the place of cut words
    for slot, phrases in lacking.items():
        if any(among(said, SPOKEN[slot]) for said in kept):
            continue
        choices = [*phrases, *(rules.lighting if slot == "lighting" else ())]
        fitting = [p for p in choices if facets(p) <= asked and not _names(p, wish.unwanted)]
        phrase = max(fitting, key=lambda p: len(facets(p)), default="")
        longer = ", ".join(part for part in (prompt, phrase) if part)
        if phrase and count(longer) <= budget:
            prompt = longer
    remarks = [
        f'{domain}, from "{word}"' if word else "no subject is known, so phrases suit anything",
        f'your last message overrules "{", ".join(wish.replaced)}"' if wish.replaced else "",
        remark,
    ]
    negative = negative_prompt(wish, rules, domain, budget, count) if takes_negative else ""
    return Composed(prompt, negative, domain, "; ".join(filter(None, remarks)))


def fit(wish: Wish, budget: int, count: CountTokens) -> tuple[str, str]:
    """Return the wish in `budget` tokens and, where something had to go, a remark on it.

    Older changes go first, then the end of the description, then the end of the last change.
    """
    parts = list(wish.parts)
    while len(parts) > 2 and count(", ".join(parts)) > budget:
        del parts[1]
    text = ", ".join(parts)
    if count(text) <= budget:
        return text, "older changes left out to fit" if len(parts) < len(wish.parts) else ""
    if len(parts) == 2 and (room := budget - count(f", {parts[1]}")) >= budget // 2:
        text = f"{cut(parts[0], room, count)}, {parts[1]}"
    text = cut(text, budget, count)
    whole = count(wish.text)
    return text, f"your words take {whole} tokens where {budget} fit, so they were cut"


def negative_prompt(
    wish: Wish, rules: RuleSet, domain: str, budget: int, count: CountTokens
) -> str:
    """List what must not be seen, in `budget` tokens: the refused, then usual flaws."""
    text = wish.text
    asked = facets(text)
    wanted = [word for word in content_words(text) if not _names(word, wish.unwanted)]
    lettered = any(among(word, rules.lettering) for word in wanted)
    flaws = [
        phrase
        for phrase in (*rules.opposites_of(asked), *rules.flaws[domain], *rules.flaws["any"])
        if not (phrase == "text" and lettered)
        and not facets(phrase) & asked
        and len(missing(wanted, phrase)) == len(wanted)
    ]
    negative = ""
    for phrase in dict.fromkeys((*wish.unwanted, *flaws)):
        longer = f"{negative}, {phrase}" if negative else phrase
        if count(longer) <= budget:
            negative = longer
    return negative


def _change(wish: Wish, message: str) -> Wish:
    refused = negations(message)
    asked = facets(message)
    named = {name for name, _ in asked}
    unwanted = tuple(what for *_, what in refused)
    change = _bare(without(message, [(first, last) for first, last, _ in refused]))

    def overruled(part: str) -> list[tuple[int, int]]:
        """Spans of `part` that the message speaks against."""
        spans = [
            (mention.first, mention.last)
            for mention in mentions(part)
            if mention.facet in frozenset().union(*map(facets, unwanted))
            or (mention.facet[0] in named and mention.facet not in asked)
        ]
        spans += [span for what in unwanted for span in _find(what, part)]
        taken_back = any(_names(change, (what,)) for *_, what in negations(part))
        return spans + [(first, last) for first, last, _ in negations(part) if taken_back]

    kept, replaced = list[str](), list[str]()
    for part in wish.parts:
        spans = overruled(part)
        said = words(part)
        replaced += [" ".join(w.text for w in said[first : last + 1]) for first, last in spans]
        left = without(part, spans)
        if left and fold(left) != fold(change):
            kept.append(left)
    return Wish(
        tuple(part for part in (*kept, change) if part),
        (*(what for what in wish.unwanted if not _names(change, (what,))), *unwanted),
        tuple(dict.fromkeys(replaced)),
    )


def _bare(message: str) -> str:
    """Take "please make it" and the like off every clause, and clauses that say nothing more."""
    clauses = list[str]()
    for clause in _CLAUSE.split(message):
        said = words(clause)
        at = next((i for i, word in enumerate(said) if word.text not in LEAD_INS), len(said))
        bare = clause[said[at - 1].end :] if at else clause
        if not said or content_words(bare):
            clauses.append(_trim(bare))
    return ", ".join(filter(None, clauses))


def _find(what: str, text: str) -> list[tuple[int, int]]:
    """Spans of the words of `what` in `text`, in any form, one after the other."""
    wanted, said = [word.text for word in words(what)], words(text)
    return [
        (at, at + len(wanted) - 1)
        for at in range(len(said) - len(wanted) + 1)
        if not any(
            missing([word], found.text)
            for word, found in zip(wanted, said[at : at + len(wanted)], strict=True)
        )
    ]


def _names(phrase: str, things: Sequence[str]) -> bool:
    return any(not missing([word.text for word in words(thing)], phrase) for thing in things)


def _trim(text: str) -> str:
    return text.strip(" .,;:!")
