"""What people say of a scene, from `phrases/scenes.toml`."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from training.world import Rng, Scene

PHRASES = Path(__file__).parent / "phrases/scenes.toml"
SLOT = re.compile(r"\{([^}:]+):?([^}]*)\}")  # {noun} or {noun:other word for it}


@cache
def load_phrases() -> dict[str, dict[str, Any]]:
    """`kinds`: by kind, `train` and `held_out` phrases; `accents`: by noun, what to add, {} being the colour."""
    with PHRASES.open("rb") as file:
        return tomllib.load(file)


def scene_words(
    scene: Scene,
    rng: Rng,
    accent: str | None = None,
    colour: str | None = None,
    *,
    held_out: bool = False,
) -> str:
    """A noun phrase for `scene`, in which the part named `accent` is said to be `colour` when both are given."""
    phrases = load_phrases()
    told = phrases["kinds"][scene.kind]["held_out" if held_out else "train"]
    phrase = str(told[rng.integers(len(told))])
    if accent is None or colour is None:
        return SLOT.sub(_bare, phrase)
    for slot in SLOT.finditer(phrase):
        if slot[1] == accent:
            words = f"{phrase[: slot.start()]}{colour} {_bare(slot)}{phrase[slot.end() :]}"
            return _articles(SLOT.sub(_bare, words), colour)
    added = str(phrases["accents"][accent]).format(colour)
    if " with " in phrase:
        added = re.sub("^with ", "and ", added)
    return _articles(f"{SLOT.sub(_bare, phrase)} {added}", colour)


def _bare(slot: re.Match[str]) -> str:
    return slot[2] or slot[1]


def _articles(words: str, colour: str) -> str:
    right = "an" if colour[0] in "aeiou" else "a"
    return re.sub(rf"\b(a|an) (?={colour}\b)", f"{right} ", words)
