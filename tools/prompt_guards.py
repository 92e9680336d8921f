"""What a language model's prompt must pass before anybody sees it, and a style before the model."""

import re
from collections import Counter
from dataclasses import dataclass

from tools.prompt_lexicon import COMPARATIVES, FACETS, LEAD_INS, Facet
from tools.prompt_meaning import contradicts, facets
from tools.prompt_refusals import negations
from tools.prompt_rules import Wish
from tools.prompt_words import CountTokens, clean, content_words, fold, missing, without, words

STYLE_CHARS = 400
RUN = 8  # words in a row that only copying explains
SECRET = 12  # characters a text must have to be one
REPEATS = {
    1: 4,
    2: 2,
    3: 1,
    4: 1,
}  # how often a run of so many words may come, if the user had it less

_ORDERS = re.compile(
    r"""\b(?:ignore|disregard)\b
    | \b(?:forget|override|bypass|reveal|obey)\s+(?:all|any|everything|the|these|your|previous)\b
    | \b(?:system|developer)\s+(?:prompt|message) | \binstructions?\b | \bjailbreak
    | \b(?:previous|prior|above|preceding)\s+(?:text|messages?|prompts?|rules?|words?)
    | \bas\s+an?\s+(?:ai|assistant)\b | \blanguage\s+model\b | \byou\s+(?:are|must|should|will)\b
    | \b(?:api|secret)\s*key\b | \bpassword\b
    | ^\W*(?:write|say|output|answer|reply|respond|tell|append|insert)\b
    | \b(?:the\s+)?(?:word|phrase|token|string)s?\s+["'\u201c\u2018] | \bhere\s+is\b | \bsure,""",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_MARKUP = re.compile(r"[{}<>\[\]`\\|]|https?:|www\.|\*\*|##")


@dataclass(frozen=True, slots=True)
class StyleText:
    """A style's words, sorted."""

    segments: tuple[str, ...]  # what stands between the commas, "{prompt}" included
    orders: tuple[str, ...]  # set aside, because they read like orders or markup

    @property
    def text(self) -> str:
        """What a language model is shown, at most `STYLE_CHARS` characters."""
        return ", ".join(self.segments)[:STYLE_CHARS]


def sift(style_prompt: str) -> StyleText:
    """Part a style's text at its commas, and set aside what reads like an order, not a look."""
    safe, orders = list[str](), list[str]()
    for segment in re.split(r"[,;.\n]\s+|\n", style_prompt):
        plain = clean(segment)
        marked = _MARKUP.search(plain.replace("{prompt}", ""))
        (orders if marked or _ORDERS.search(plain) else safe).append(plain)
    return StyleText(tuple(filter(None, safe)), tuple(orders))


def required_words(text: str) -> list[str]:
    """Return the words of the user's `text` that a prompt must hold in some form.

    Its content words without "please draw", without comparatives (a model may answer "warmer" with
    "warm light") and without what is refused: a little more than its nouns.
    """
    wanted = without(text, [(first, last) for first, last, _ in negations(text)])
    return [w for w in content_words(wanted) if w not in COMPARATIVES and w not in LEAD_INS]


def objection(
    prompt: str,
    *,
    wish: Wish,
    kept: str,
    budget: int,
    count: CountTokens,
    secrets: tuple[str, ...] = (),
    orders: tuple[str, ...] = (),
) -> str | None:
    """Say why `prompt` cannot stand for `wish`, to follow "language model ..."; None where it can.

    `kept` is the part of the wish that fits the budget, `secrets` texts of which nothing may be
    repeated (too short ones are words, not secrets), `orders` what `sift` set aside of the style.
    """
    if not words(prompt):
        return "wrote nothing"
    if not prompt.isprintable():
        return "wrote characters that cannot be printed"
    own = fold(wish.text)
    strange = [m[0] for m in (*_MARKUP.finditer(prompt), *_ORDERS.finditer(prompt))]
    if any(fold(found) not in own for found in strange):
        return "wrote instructions or markup instead of a picture"
    runs = set(_runs(prompt, RUN))
    told = [s for s in secrets if len(s) >= SECRET]
    if any(fold(s) in fold(prompt) or runs & set(_runs(s, RUN)) for s in told):
        return "repeated its own instructions"
    theirs = {w for order in orders for w in content_words(order)} - set(content_words(wish.text))
    if len(missing(theirs, prompt)) < len(theirs):
        return "repeated instructions hidden in the style"
    if (tokens := count(prompt)) > budget:
        return f"wrote {tokens} tokens where {budget} fit"
    if dropped := missing(required_words(kept), prompt):
        return f'dropped "{", ".join(dropped[:3])}"'
    if _clash(facets(kept), facets(prompt)):
        return "contradicted your time, weather or mood"
    shown = without(prompt, [(first, last) for first, last, _ in negations(prompt)])
    if seen := [w for w in wish.unwanted if not missing(w.split(), shown)]:
        return f'put in "{seen[0]}", which you refused'
    if looped := _loop(prompt, wish.text):
        return f'repeated itself ("{looped}")'
    return None


def _clash(asked: frozenset[Facet], said: frozenset[Facet]) -> bool:
    """Tell whether `said` contradicts `asked`, or adds a time of day that is not next to one asked for."""
    day = list(FACETS["time"])
    asked_times, said_times = (
        [day.index(value) for name, value in some if name == "time"] for some in (asked, said)
    )
    far = [t for t in said_times if all((t - a) % len(day) in range(2, 5) for a in asked_times)]
    return contradicts(asked, said) or bool(asked_times and far)


def _loop(prompt: str, own: str) -> str | None:
    """Return a run of words that `prompt` repeats more than it may and more than `own` does."""
    for size, most in REPEATS.items():
        said, allowed = Counter(_runs(prompt, size)), Counter(_runs(own, size))
        for run, times in said.items():
            if times > max(most, allowed[run]) and content_words(" ".join(run)):
                return " ".join(run)
    return None


def _runs(text: str, size: int) -> list[tuple[str, ...]]:
    said = [word.text for word in words(text)]
    return [tuple(said[at : at + size]) for at in range(len(said) - size + 1)]
