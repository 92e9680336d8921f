"""The deterministic prompt writer: messages become one wish, and it gets what its domain lacks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
    Facet,
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

# In the order they are added. A phrase may echo a time, a weather or a mood that the user named,
# but bring none of its own; of those left the one that echoes most is taken, the first of equals.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "architecture": {
        "lighting": (
            "directional light across the facade",
            "lit windows against the night sky",
            "warm lit windows against the night sky",
            "facade in warm light",
            "facade in soft dusk light, lit windows",
            "facade in long sunset light",
        ),
        "composition": ("clear volumes with depth",),
        "material": ("textured facade materials", "time-worn weathered facade", "polished facade"),
        "quality": ("crisp architectural detail", "minimal precise joints"),
    },
    "interior": {
        "lighting": (
            "soft layered light from lamps and windows",
            "lamplight with the night outside",
            "warm lamplight",
            "warm lamplight with the night outside",
            "soft lamplight with dusk outside",
            "daylight through the windows",
            "morning light through the windows",
        ),
        "composition": ("balanced layout with a sense of space",),
        "material": ("tactile natural materials", "worn weathered surfaces", "polished surfaces"),
        "quality": ("refined interior detail", "plain uncluttered detail"),
    },
    "product": {
        "lighting": ("soft even studio light", "warm soft studio light", "cool soft studio light"),
        "composition": ("clear readable silhouette",),
        "material": ("precise surface finish", "worn weathered finish", "polished finish"),
        "quality": ("fine crafted detail", "simple clean detail"),
    },
    "landscape": {
        "lighting": (
            "light that models the terrain",
            "moonlight over the land at night",
            "low raking sunset light",
            "sunlight and cloud shadows by day",
        ),
        "composition": ("layered depth from near to far",),
        "material": ("varied natural textures",),
        "quality": ("rich natural detail", "simple calm shapes, minimal detail"),
    },
    "character": {
        "lighting": ("soft key light on the face", "soft warm key light", "rim light at night"),
        "composition": ("expressive pose with a clear silhouette",),
        "material": ("textured fabric and hair",),
        "quality": ("expressive fine detail", "simple expressive shapes"),
    },
    "abstract": {
        "lighting": ("gentle light and shade",),
        "composition": ("balanced composition",),
        "material": ("subtle surface texture",),
        "quality": ("considered fine detail", "minimal considered shapes"),
    },
}
ANY_LIGHTING = (
    "first light at dawn",
    "low morning light",
    "clear daylight",
    "long shadows at sunset",
    "soft dusk light",
    "pools of light in the night",
    "crisp sunny light and shadow",
    "even overcast light",
    "wet reflections in the rain",
    "soft light off the snow",
    "light diffused by fog",
    "fresh spring light",
    "summer light",
    "mellow autumn light",
    "pale winter light",
    "warm glow",
    "cool light",
    "dark tones with deep shadows",
    "bright even light",
)
FILLERS = frozenset(
    {phrase for slots in PHRASES.values() for slot in slots.values() for phrase in slot}
).union(ANY_LIGHTING)
FLAWS = ("blurry", "low contrast", "distorted lines", "watermark", "signature", "text")
DOMAIN_FLAWS = {
    "architecture": ("crooked walls", "warped perspective"),
    "interior": ("warped furniture", "crooked walls"),
    "product": ("deformed shape", "duplicate parts"),
    "landscape": ("smeared foliage", "tilted horizon"),
    "character": ("extra limbs", "deformed hands", "distorted face"),
    "abstract": ("muddy tones", "noise"),
}
LETTERING = frozenset(
    {"text", "letter", "lettering", "logo", "sign", "signage", "typography", "label", "poster"}
)
OPPOSITES: dict[Facet, str] = {
    ("time", "night"): "daylight",
    ("time", "day"): "darkness",
    ("weather", "clear"): "clouds",
    ("warmth", "warm"): "cold tones",
    ("warmth", "cool"): "warm tones",
    ("brightness", "dark"): "overexposed",
    ("brightness", "bright"): "gloom",
    ("colour", "mono"): "colour",
}
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


def compose(wish: Wish, budget: int, takes_negative: bool, count: CountTokens) -> Composed:
    """Write the prompt of `wish` in `budget` tokens: the user's words first, then what fits."""
    text, remark = fit(wish, budget, count)
    domain, word = domain_of(text)
    asked, kept = facets(text), frozenset(content_words(text))
    prompt = text
    lacking = PHRASES[domain] if text == wish.text else {}  # nothing takes the place of cut words
    for slot, phrases in lacking.items():
        if any(among(said, SPOKEN[slot]) for said in kept):
            continue
        choices = [*phrases, *(ANY_LIGHTING if slot == "lighting" else ())]
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
    negative = negative_prompt(wish, domain, budget, count) if takes_negative else ""
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


def negative_prompt(wish: Wish, domain: str, budget: int, count: CountTokens) -> str:
    """List what must not be seen, in `budget` tokens: the refused, then usual flaws."""
    text = wish.text
    asked = facets(text)
    opposites = [
        phrase
        for facet, phrase in OPPOSITES.items()
        if facet in asked and [name for name, _ in asked].count(facet[0]) == 1
    ]
    wanted = [word for word in content_words(text) if not _names(word, wish.unwanted)]
    lettered = any(among(word, LETTERING) for word in wanted)
    flaws = [
        phrase
        for phrase in (*opposites, *DOMAIN_FLAWS[domain], *FLAWS)
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
