"""What a message says about the style as such: that it wants another one, or two of them mixed."""

import re
from itertools import product

from tools.prompt_changes import clauses_of
from tools.prompt_lexicon import LEAD_INS, bag
from tools.prompt_meaning import subject_domain
from tools.prompt_refusals import lettering
from tools.prompt_words import content_words, without, words

_ANOTHER = re.compile(
    r"""\b(?:(?:an|some|any)?\s*other | (?:(?:completely|totally|entirely|very|quite)\s+)?different | new
          | alternative | next)
        \s+(?:(?:art|visual|kind\s+of|sort\s+of)\s+)?(?:styles?|looks?|aesthetics?)\b
      | \b(?:change|switch|vary)\s+(?:the|this|its|that)?\s*(?:style|look)\b(?!\s+(?:to|into|from|of)\b)
      | \b(?:not|don'?t\s+(?:really\s+)?(?:like|want|love)|hate|dislike)\s+(?:this|that|the)\s+(?:style|look)\b
      | \b(?:style|look)\s+(?:should|could|must)\s+be\s+(?:different|another)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_SOMETHING = re.compile(
    r"\bsomething\s+(?:else|(?:\w+ly\s+|quite\s+)?different|new)\b(?:\s+(?:entirely|altogether))?",
    re.IGNORECASE,
)
# What may stand beside that, and still nothing is said about the picture.
_BESIDE = bag(
    """same picture image drawing sketch scene version try tried trying option options choose pick
    suggest offer subject idea ideas think prefer go going time time style different"""
)
_SHARE = r"(?:half|partly|part|\d{1,2}\s*%(?:\s+of)?|one\s+half|a\s+half)"
_LOOK = r"[^,;.!?]+?"
_END = r"(?=\s*(?:[,;.!?]|$))"
_MIXES = [
    re.compile(
        pattern.replace("SHARE", _SHARE).replace("LOOK", _LOOK) + _END, re.IGNORECASE | re.VERBOSE
    )
    for pattern in (
        r"\b(?P<a>SHARE)\s+(?P<one>LOOK)\s*(?:,|\s(?:and|but)\b|\s)\s*(?:the\s+other\s+)?(?P<b>SHARE)\s+(?P<two>LOOK)",
        r"""\b(?:mix|mixture|blend|cross|fusion|combination|hybrid|mash-?up|midway|halfway|somewhere|in|equal\s+parts)
            \s*(?:of|between|\b(?<=parts))\s+(?P<one>LOOK)\s+(?:and|with)\s+(?P<two>LOOK)""",
        r"\b(?:mix|blend|combine|cross|fuse)\s+(?P<one>LOOK)\s+(?:and|with)\s+(?P<two>LOOK)",
        r"""\b(?:mostly|mainly)\s+(?P<one>LOOK)\s*(?:,|\s)\s*(?:with|and|but)\s+
            (?P<hint>an?\s+(?:touch|hint|bit|dash|little)\s+of)\s+(?P<two>LOOK)""",
        r"(?P<one>LOOK)\s+(?:meets|(?:crossed|blended|mixed|fused|combined)\s+with)\s+(?P<two>LOOK)",
    )
]
_SENTENCE = re.compile(r"[.!?;]\s+|\n")
LONGEST = 300  # characters of a sentence in which a mix is looked for
HINT = 0.2  # what "a touch of" weighs


def asks_for_another(message: str) -> bool:
    """Tell whether a follow-up wants another style than the one in force, whether or not it says which."""
    return without_style_talk(message) is not None


def without_style_talk(message: str) -> str | None:
    """Return what a follow-up that wants another style says besides; None for a message that wants none."""
    left, asked = list[str](), False
    for clause in clauses_of(message):
        found = _ANOTHER.search(clause) or _SOMETHING.search(clause)
        if found is None or _lettered(clause, found):
            left.append(clause)
            continue
        said = words(clause)
        rest = without(
            clause, [(i, i) for i, w in enumerate(said) if found.start() <= w.start < found.end()]
        )
        about = [w for w in content_words(rest) if w not in _BESIDE | LEAD_INS]
        if about and found.re is _SOMETHING:
            left.append(clause)
            continue
        asked = True
        if about:
            left.append(rest)
    return ", ".join(left) if asked else None


def mix(message: str) -> list[tuple[str, float]]:
    """Read "half art deco and half gothic": two looks, as they are called, each with its share; shares sum to 1.

    Empty where nothing is mixed; whether the looks are styles is for the index to say.
    """
    sentences = [text for text in _SENTENCE.split(message) if len(text) <= LONGEST]
    for text, pattern in product(sentences, _MIXES):
        if (found := pattern.search(text)) and not _lettered(text, found):
            return _shares(found)
    return []


def _shares(found: re.Match[str]) -> list[tuple[str, float]]:
    named = found.groupdict()
    shares = [_percent(named.get("a")), _percent(named.get("b"))]
    if named.get("hint"):
        shares = [1 - HINT, HINT]
    looks = [" ".join(named[key].split()) for key in ("one", "two")]
    if any(subject_domain(word.text) == "character" for look in looks for word in words(look)):
        return []  # "half cat, half owl" is a creature
    return [(look, share / sum(shares)) for look, share in zip(looks, shares, strict=True)]


def _percent(share: str | None) -> float:
    digits = re.match(r"\d+", share or "")
    return float(digits[0]) if digits and int(digits[0]) else 50.0


def _lettered(text: str, found: re.Match[str]) -> bool:
    letters = lettering(text)
    return any(
        i in letters for i, w in enumerate(words(text)) if found.start() <= w.start < found.end()
    )
