"""The prompt rules' own words, as data in `models/prompts.toml`; the vocabulary of English is `prompt_words.py`."""

import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tools.errors import AppError
from tools.prompt_lexicon import DOMAINS, FACETS, SPOKEN, Facet

Phrases = tuple[Annotated[str, Field(min_length=1)], ...]


class RulesError(AppError):
    """`prompts.toml` is missing or broken; the message names the key."""

    code = "broken_prompts"
    status = 503


class RuleSet(BaseModel):
    """What the rules add to a wish, and what they keep out of its picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lighting: Phrases  # of any domain
    lettering: frozenset[str]  # words that ask for lettering
    phrases: Mapping[str, Mapping[str, Phrases]]  # domain: slot: phrases, first choices first
    flaws: Mapping[str, Phrases]  # by domain, and "any"
    opposites: Mapping[str, Mapping[str, str]]  # by the two words of a `Facet`

    @model_validator(mode="after")
    def _has_the_right_keys(self) -> Self:
        slots = {slot for domain in self.phrases.values() for slot in domain}
        facets = {(name, value) for name, values in self.opposites.items() for value in values}
        known = {(name, value) for name, values in FACETS.items() for value in values}
        wrong = [
            *(f"phrases.{domain}" for domain in {*DOMAINS} ^ self.phrases.keys()),
            *(f"phrases.*.{slot}" for slot in slots - SPOKEN.keys()),
            *(f"flaws.{name}" for name in {*DOMAINS, "any"} ^ self.flaws.keys()),
            *(f"opposites.{name}.{value}" for name, value in facets - known),
        ]
        if wrong:
            raise ValueError(f"{', '.join(sorted(wrong))}: missing, or not known here")
        return self

    @cached_property
    def fillers(self) -> frozenset[str]:
        """Every phrase that the rules may add."""
        slots = (slot for domain in self.phrases.values() for slot in domain.values())
        return frozenset(phrase for slot in slots for phrase in slot).union(self.lighting)

    def opposites_of(self, asked: frozenset[Facet]) -> list[str]:
        """What must not be seen where `asked` is; where two values of one thing are asked for, neither has one."""
        names = [name for name, _ in asked]
        return [
            phrase
            for name, values in self.opposites.items()
            for value, phrase in values.items()
            if (name, value) in asked and names.count(name) == 1
        ]


def load_rules(path: Path) -> RuleSet:
    """Read the rules. Raises `RulesError` for a missing file, bad TOML, or a bad, missing or unknown key."""
    try:
        return RuleSet.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ", ".join([path.name, ".".join(map(str, fault["loc"]))]).removesuffix(", ")
        raise RulesError(f"{where}: {fault['msg']}.") from error
    except (OSError, ValueError) as error:
        raise RulesError(f"{path.name}: {error}.") from error
