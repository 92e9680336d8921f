"""The deterministic prompt writer: messages become one wish, and it gets what its domain lacks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.glossary import in_english
from tools.prompt_changes import Edit, clauses_of, edit
from tools.prompt_fit import condense
from tools.prompt_lexicon import (
    BACK_REFERENCES,
    COLOURS,
    COMPARATIVES,
    LEAD_INS,
    LOOKS,
    NEGATORS,
    NUMBERS,
    PARTS,
    PREPOSITIONS,
    SPOKEN,
    STOP_WORDS,
)
from tools.prompt_meaning import domain_of, facets, mentions, subject_domain
from tools.prompt_orders import for_the_picture
from tools.prompt_refusals import negations
from tools.prompt_ruleset import RuleSet
from tools.prompt_style import without_style_talk
from tools.prompt_words import (
    CountTokens,
    among,
    content_words,
    find,
    fold,
    missing,
    without,
    words,
)

_EDITS = r"add|make|put|change|turn|remove|delete|include|use|give|keep"


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
    """Fold the messages of a thread, oldest first, into one wish, in English.

    A message either describes a picture or changes the one there is: `describes` decides, unless it
    puts one thing in the place of another, or says of a thing what another word said before. Other
    changes are appended; of what was said before, the times, weathers and moods that they overrule
    and the things that they refuse are taken out. A description replaces everything. What is
    refused, and what orders an assistant about, is in no part of the wish.
    """
    wish = Wish(())
    for number, raw in enumerate(messages):
        message = for_the_picture(in_english(raw))
        if number and (other := without_style_talk(message)) is not None:
            message = other
        if not words(message) and wish != Wish(()):
            continue
        if wish == Wish(()):
            wish = _described(message)
            continue
        described = describes(message)
        edited = edit(wish.parts, message, described)
        anew = wish.parts and described and not edited.is_change
        wish = _described(message) if anew else _change(wish, edited)
    return wish


def _described(message: str) -> Wish:
    refused = negations(message)
    wanted = _trim(without(message, [(first, last) for first, last, _ in refused]))
    return Wish(tuple(filter(None, [wanted])), _things(refused))


def describes(message: str) -> bool:
    """Tell whether a follow-up is a whole new description rather than a change of the picture.

    It is a change when it says "it" before it names a subject, when, after "please make" and the
    like, it opens with a preposition or a "no", or when it speaks in comparatives ("warmer", "more
    windows"). Else it is a description when it names a subject of its own ("a fox"), or two words
    that are no mere part, colour, material, look, time, weather or mood.
    """
    said = words(message)
    if any(word.text in COMPARATIVES for word in said):
        return False
    subject = next((i for i, word in enumerate(said) if subject_domain(word.text)), len(said))
    if any(word.text in {"it", "them"} for word in said[:subject]):
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

    Older changes go first, then what says least in the description, then in the last change.
    """
    parts = list(wish.parts)
    while len(parts) > 2 and count(", ".join(parts)) > budget:
        del parts[1]
    text = ", ".join(parts)
    if count(text) <= budget:
        return text, "older changes left out to fit" if len(parts) < len(wish.parts) else ""
    if len(parts) == 2 and (room := budget - count(f", {parts[1]}")) >= budget // 2:
        text = f"{condense(parts[0], room, count)}, {parts[1]}"
    text = condense(text, budget, count)
    whole = count(wish.text)
    return (
        text,
        f"your words take {whole} tokens where {budget} fit, so what says least is left out",
    )


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


def _change(wish: Wish, edited: Edit) -> Wish:
    message = ", ".join(edited.rest)
    refused = negations(message)
    asked = facets(message)
    named = {name for name, _ in asked}
    unwanted = _things(refused)
    change = _bare(without(message, [(first, last) for first, last, _ in refused]))

    def overruled(part: str) -> list[tuple[int, int]]:
        """Spans of `part` that the message speaks against."""
        spans = [
            (mention.first, mention.last)
            for mention in mentions(part)
            if mention.facet in frozenset().union(*map(facets, unwanted))
            or (mention.facet[0] in named and mention.facet not in asked)
        ]
        return spans + [span for what in unwanted for span in find(what, part)]

    kept, replaced = list[str](), list(edited.replaced)
    for part in edited.parts:
        spans = overruled(part)
        said = words(part)
        replaced += [" ".join(w.text for w in said[first : last + 1]) for first, last in spans]
        left = without(part, spans)
        if left and fold(left) != fold(change):
            kept.append(left)
    wanted = (*kept, *([change] if change else []))
    return Wish(
        wanted,
        (*(what for what in wish.unwanted if not _names(", ".join(wanted), (what,))), *unwanted),
        tuple(dict.fromkeys(replaced)),
    )


def _things(refused: Sequence[tuple[int, int, str]]) -> tuple[str, ...]:
    """What is refused, but for mere numbers: "instead of two" refuses nothing that can be seen."""
    return tuple(what for *_, what in refused if what not in NUMBERS)


def _bare(message: str) -> str:
    """Take "please make it" and the like off every clause, and clauses that say nothing more."""
    clauses = list[str]()
    for clause in clauses_of(message):
        said = words(clause)
        at = next((i for i, word in enumerate(said) if word.text not in LEAD_INS), len(said))
        bare = clause[said[at - 1].end :] if at else clause
        if not said or content_words(bare):
            clauses.append(_trim(bare))
    return ", ".join(filter(None, clauses))


def _names(phrase: str, things: Sequence[str]) -> bool:
    return any(not missing([word.text for word in words(thing)], phrase) for thing in things)


def _trim(text: str) -> str:
    return text.strip(" .,;:!")
