"""Prompt enhancement: the user's words, and what a picture of them needs, in one prompt."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tools.prompt_guards import objection, sift
from tools.prompt_llm import AnswerError, LanguageModel
from tools.prompt_meaning import contradicts, domain_of, facets
from tools.prompt_rules import compose, fit, negative_prompt, resolve
from tools.prompt_ruleset import RuleSet
from tools.prompt_words import content_words, count_tokens, cut, fold, missing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromptBrief:
    """What a prompt is written from."""

    message: str  # the present message
    history: tuple[str, ...] = ()  # the thread's earlier messages, oldest first
    style_prompt: str | None = None  # "..., {prompt}, ..."; None: the style is not known yet
    style_name: str | None = None
    token_budget: int = 77  # most tokens of the prompt, and of the negative prompt
    takes_negative: bool = False  # whether the profile's model reads a negative prompt
    count_tokens: Callable[[str], int] = count_tokens  # best the profile's own tokenizer


@dataclass(frozen=True, slots=True)
class PromptDraft:
    """A prompt ready to render, in the fields of `graph.state.Enhancement`."""

    prompt: str  # within the token budget
    negative_prompt: str  # "" where the profile takes none
    domain: str  # one of `prompt_words.DOMAINS`
    source: str  # "rules" or the name of the language model
    reason: str  # one line for a person: who wrote it and why


class PromptWriter(Protocol):
    """Writes prompts, and never raises for what a person typed or a language model answered."""

    rules: RuleSet  # whose phrases make way first where room is short

    async def write(self, brief: PromptBrief) -> PromptDraft:
        """Return a draft for `brief`; with a style in the brief, its words are in the prompt."""
        ...


class RulePromptWriter:
    """The deterministic rule engine: equal briefs give equal drafts."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules

    async def write(self, brief: PromptBrief) -> PromptDraft:
        """Keep the user's words and add what their domain lacks."""
        wish = resolve((*brief.history, brief.message))
        made = compose(
            wish, self.rules, brief.token_budget, brief.takes_negative, brief.count_tokens
        )
        return PromptDraft(
            prompt=_styled(made.prompt, brief, self.rules),
            negative_prompt=made.negative_prompt,
            domain=made.domain,
            source="rules",
            reason=f"the rules wrote this: {made.reason}",
        )


class LLMPromptWriter:
    """A language model behind an OpenAI-compatible address, watched by guards; where it fails the rules write.

    `base_url` None is OpenAI itself, `api_key` None a server that wants none, and `timeout_s` is
    for the whole answer, retries included.
    """

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        model: str,
        timeout_s: float,
        rules: RuleSet,
    ) -> None:
        self.rules = rules
        self._language_model = LanguageModel(base_url, api_key, model, timeout_s)
        self._fallback = RulePromptWriter(rules)

    async def write(self, brief: PromptBrief) -> PromptDraft:
        """Ask the model; when it fails or a guard objects, the rules write and say why."""
        try:
            return await self._ask(brief)
        except AnswerError as why:
            log.warning("the language model %s", why)
            draft = await self._fallback.write(brief)
            return replace(draft, reason=f"language model {why}; {draft.reason}")

    async def _ask(self, brief: PromptBrief) -> PromptDraft:
        """Return the model's draft. Raises `AnswerError` when none passes the guards."""
        model, budget, count = self._language_model, brief.token_budget, brief.count_tokens
        wish = resolve((*brief.history, brief.message))
        kept, _ = fit(wish, budget, count)
        look, name = sift(brief.style_prompt or ""), sift(brief.style_name or "")
        answer = await model.ask(
            {
                "wish": kept,
                "unwanted": wish.unwanted,
                "style": {"name": name.text, "look": look.text},
                "most words": budget * 3 // 4,
            }
        )
        if why := objection(
            answer.prompt,
            wish=wish,
            kept=kept,
            budget=budget,
            count=count,
            secrets=model.secrets,
            orders=look.orders + name.orders,
        ):
            raise AnswerError(why)
        domain = answer.domain or domain_of(kept)[0]
        return PromptDraft(
            prompt=_styled(answer.prompt, brief, self.rules),
            negative_prompt=negative_prompt(wish, self.rules, domain, budget, count)
            if brief.takes_negative
            else "",
            domain=domain,
            source=model.name,
            reason=f"{model.name} wrote this, and kept your words",
        )


def open_prompt_writer(
    rules: RuleSet,
    base_url: str | None = None,
    api_key: str | None = None,
    model: str = "gpt-4o-mini",
    timeout_s: float = 12.0,
) -> PromptWriter:
    """Return a language model writer where an address or a key is set, else the rule engine."""
    if base_url or api_key:
        return LLMPromptWriter(base_url or None, api_key or None, model, timeout_s, rules)
    return RulePromptWriter(rules)


def apply_style(
    prompt: str,
    style_prompt: str,
    token_budget: int,
    *,
    rules: RuleSet,
    messages: Sequence[str] = (),
    count_tokens: Callable[[str], int] = count_tokens,
) -> str:
    """Put a style's "..., {prompt}, ..." round an enhanced prompt, in `token_budget` tokens.

    What reads like an order is left out of the style, and so are details that the user contradicts
    or refuses; its first words, which name it, stay. Where room is short, first go the parts of the
    prompt without a word of the user's `messages` (without messages: the phrases of `rules`), then
    the style's details from the end, and the user's words last. Applied again, it changes nothing.
    """
    wish = resolve(messages)
    wanted = content_words(wish.text)
    own = {fold(part) for part in wish.text.split(", ")}
    head, details = _fragment(style_prompt)
    known = {fold(detail) for detail in details} - own

    def is_users(part: str) -> bool:
        if part in rules.fillers:
            return fold(part) in own
        return not wanted or len(missing(wanted, part)) < len(wanted)

    if head and prompt.startswith(head):
        prompt = prompt.removeprefix(head)
    parts = [part for part in prompt.split(", ") if fold(part) not in known]
    said = {fold(part) for part in parts}
    asked = facets(wish.text or ", ".join(filter(is_users, parts)))

    def welcome(detail: str) -> bool:
        refused = any(not missing(what.split(), detail) for what in wish.unwanted)
        return not refused and not contradicts(asked, facets(detail))

    named = 0 if head else 1
    details = [
        detail
        for at, detail in enumerate(details)
        if fold(detail) not in said and (at < named or welcome(detail))
    ]

    def text() -> str:
        return head + ", ".join(filter(None, [*parts, *details]))

    optional = [at for at, part in enumerate(parts) if at and not is_users(part)]
    while count_tokens(text()) > token_budget and optional:
        del parts[optional.pop()]
    while count_tokens(text()) > token_budget and details:
        details.pop()
    if count_tokens(text()) > token_budget:
        head = ""
    return cut(text(), token_budget, count_tokens)


def _fragment(style_prompt: str) -> tuple[str, list[str]]:
    """Part a style into the words that run into the prompt ("a woodcut of ") and the others."""
    before: list[str] = []
    after: list[str] = []
    glue = ""
    for segment in sift(style_prompt).segments:
        lead, slot, rest = segment.partition("{prompt}")
        if slot:
            glue, before, after = lead, after, [rest.strip()] if rest.strip() else []
        else:
            after.append(segment)
    head = ", ".join([*before, glue]) if before or glue else ""
    return head, after


def _styled(prompt: str, brief: PromptBrief, rules: RuleSet) -> str:
    if brief.style_prompt is None:
        return prompt
    return apply_style(
        prompt,
        brief.style_prompt,
        brief.token_budget,
        rules=rules,
        messages=(*brief.history, brief.message),
        count_tokens=brief.count_tokens,
    )
