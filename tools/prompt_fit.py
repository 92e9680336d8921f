"""What stays of a text that is too long for the model: what says most about the picture, from its end too."""

from dataclasses import dataclass

from tools.prompt_lexicon import (
    COLOURS,
    DETERMINERS,
    LOOKS,
    NUMBERS,
    PARTS,
    PREPOSITIONS,
    SPOKEN,
    STOP_WORDS,
    bag,
)
from tools.prompt_meaning import facets, subject_domain
from tools.prompt_words import CountTokens, Word, among, cut, words

LONGEST = 8  # words of a piece
SUBJECT, KNOWN, OTHER = 3.0, 2.0, 1.0  # what a new word is worth
STORY = 0.2  # of that, where it is told what people did, or of oneself
# Talk about the picture, or about oneself: it shows nothing.
_TALK = bag(
    """actually basically honestly literally really absolutely definitely probably totally guess think
    thought thinking know mean imagine imagined picture pictures wish hope hoping wonder wondering
    say saying said talk telling tell sorry anyway sure idea ideas stuff thing important mention
    mentioned forgot forget remember remembered love loved loves feel feels feeling matter course
    example question draw paint show make create render please want need like look looks looking"""
)
_SELF = bag("i we me us my our you your yourself")
_PEOPLE = bag("i we my our he she his her they me us")
_PAST = bag(
    """went used told saw remembered visited grew lived asked bought married took loved said did
    worked kept"""
)
_JOINTS = PREPOSITIONS - bag("of and with") | bag("with because which who that then so if when")
_GLUE = DETERMINERS | NUMBERS | PREPOSITIONS


@dataclass(frozen=True, slots=True)
class _Piece:
    """A clause, or a part of one: the smallest that still says something on its own."""

    number: int
    text: str
    worth: float
    glued: bool  # whether no punctuation parts it from the piece before


def condense(text: str, budget: int, count: CountTokens) -> str:
    """Return what says most of `text` in `budget` tokens, in the order and the words of `text`.

    Pieces that name things, colours, materials or light come before others, talk and stories last,
    and what was said already counts nothing; the first piece with a subject stays. Where not one
    piece fits, it is the beginning of `text`.
    """
    if count(text) <= budget:
        return text
    pieces = _pieces(text)
    kept: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: -piece.worth):
        longer = sorted([*kept, piece], key=lambda piece: piece.number)
        if piece.worth and count(_joined(longer)) <= budget:
            kept = longer
    return _joined(kept) or cut(text, budget, count)


def _joined(pieces: list[_Piece]) -> str:
    said = ""
    for at, piece in enumerate(pieces):
        follows = at and piece.glued and pieces[at - 1].number + 1 == piece.number
        said += ("" if not at else " " if follows else ", ") + piece.text
    return said


def _pieces(text: str) -> list[_Piece]:
    """The pieces of `text` that show something, each with what it is worth."""
    found, known, started = list[_Piece](), set[str](), False
    for run, told in _runs(words(text)):
        story = told or any(word.text in _SELF for word in run)
        telling = [i for i, word in enumerate(run) if _tells(word.text)]
        if not telling:
            continue
        first, last = telling[0], telling[-1]
        while first and run[first - 1].text in _GLUE and not run[first].breaks:
            first -= 1
        if run[first].text == "and":
            first += 1
        piece = text[run[first].start : run[last].end]
        new = [run[i].text for i in telling if run[i].text not in known]
        worth = sum(map(_worth, new)) + (KNOWN if facets(piece) else 0) * bool(new)
        if (story and worth <= OTHER * len(new)) or (told and not any(map(subject_domain, new))):
            continue  # nothing in it that is known to be seen
        worth = worth / (last - first + 2) * (STORY if story else 1)
        if not started and not story and any(map(subject_domain, new)):
            started, worth = True, float("inf")
        known.update(new)
        found.append(_Piece(len(found), piece, worth, bool(found) and not run[0].breaks))
    return found


def _runs(said: list[Word]) -> list[tuple[list[Word], bool]]:
    """Part words at punctuation and joints, and tell of each run whether its clause is a story."""
    runs = list[tuple[list[Word], bool]]()
    starts = [i for i, word in enumerate(said) if not i or word.breaks]
    for start, end in zip(starts, [*starts[1:], len(said)], strict=False):
        clause = {word.text for word in said[start:end]}
        story = bool(clause & _PEOPLE and clause & _PAST)
        run = list[Word]()
        for at in range(start, end):
            word, following = said[at].text, said[at + 1].text if at + 1 < end else ""
            joint = word in _JOINTS or (word == "and" and following in _GLUE | _JOINTS)
            loose = run and not all(before.text in _GLUE for before in run)
            if loose and (joint or (len(run) >= LONGEST and run[-1].text not in _GLUE)):
                runs.append((run, story))
                run = []
            run.append(said[at])
        runs.append((run, story))
    return runs


def _tells(word: str) -> bool:
    return word not in _TALK and (word not in STOP_WORDS or word in NUMBERS)


def _worth(word: str) -> float:
    if subject_domain(word):
        return SUBJECT
    shown = [*PARTS.values(), *SPOKEN.values(), COLOURS, LOOKS]
    return KNOWN if any(among(word, lexicon) for lexicon in shown) else OTHER
