"""What a request is about: its sentences, without what it only sets itself apart from."""

import re

SHORTEST = 3  # words that a passage has at least
MOST = 12  # sentences listened to, so that no message takes a minute
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_APART = re.compile(  # "not X", "instead of X", to the end of the clause
    r"\b(?:instead of|rather than|as opposed to|in place of|unlike|nothing like|far from|anything but|except|without"
    r"|not|no|never|neither|nor|less|(?:is|are|was|do|does|wo)n['’]t|forget|avoid|skip)\b"
    r"[^,;:.!?()—–]*?(?=[,;:.!?()—–]|\s-\s|\b(?:but|and)\b|$)",
    re.IGNORECASE,
)
_TURN = re.compile(  # "like X, but Y"; "X, but with a red door" only adds to X
    r"\b(?:but|yet|only|just)\s+"
    r"(?!(?:also|with|at|in|on|by|under|during|from|after|add|make|please|keep|without|not?)\b)",
    re.IGNORECASE,
)


def passages(text: str) -> list[str]:
    """The whole text, then each of its sentences that says what is meant, where that is another text."""
    sentences = [sentence.strip() for sentence in _SENTENCE.split(text)[:MOST]]
    meant = [said for said in map(_meant, sentences) if len(said.split()) >= SHORTEST]
    return [text, *(said for said in meant if said != text)]


def _meant(sentence: str) -> str:
    """A sentence without what stands before its turn, and without what it refuses; all of it where little stays."""
    turn = _TURN.search(sentence)
    kept = _APART.sub(" ", sentence[turn.end() :] if turn else sentence)
    kept = " ".join(kept.split()).strip(" ,;:")
    return kept if len(kept.split()) >= SHORTEST else sentence
