"""What becomes of a person's words: the rules' prompt, and a language model's beside it where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from evals.data import DatasetError, read_rows, row_id
from evals.suite import Case, Matrix, Metric, Outcome, Result, Score, Suite, by_group, partner
from evals.wording import Wish, domain_right, kept, no_leak, rules_obeyed, within_budget

if TYPE_CHECKING:
    from evals.subject import Subject
    from tools.prompts import PromptDraft, PromptWriter

DATASET = "wishes.toml"
FIELDS: Mapping[str, type] = {
    "kind": str,
    "split": str,
    "message": str,
    "keep": list,
    "domain": str,
    "history?": list,
    "absent?": list,
    "bound?": list,
    "intent?": str,
    "style?": str,
    "order?": str,
    "obeyed?": str,
}
RULES = (
    Metric(
        "rules_obeyed",
        "nothing refused is named, colours and numbers stay with their thing, the user speaks first, no orders",
        apart_from=("shuffled", "blank"),
    ),
    Metric(
        "nouns_kept", "things of the user that the prompt names", apart_from=("shuffled", "blank")
    ),
    Metric(
        "meaning",
        "cosine of the prompt and the picture that is meant, in the text encoder of the profile",
        apart_from=("shuffled", "blank"),
    ),
    Metric("domain_right", "the domain is the one a person names", apart_from=("shuffled",)),
    Metric("within_budget", "the prompt fits what the model reads", apart_from=("raw",)),
    Metric("no_leak", "no secret is told, no hidden order obeyed", apart_from=("obedient",)),
)
MODEL = (
    *(Metric(f"{metric.name}_llm", f"{metric.says}: the language model") for metric in RULES),
    Metric("answered_llm", "the language model's words passed the guards"),
)


@cache
def cases() -> Sequence[Case]:
    """A case for every wish. Raises `DatasetError`."""
    return tuple(_case(row) for row in read_rows(DATASET, "wish", FIELDS))


def _case(row: Mapping[str, Any]) -> Case:
    for field, kind in FIELDS.items():
        given = row.get(field.removesuffix("?"), [])
        if kind is list and not all(isinstance(text, str) and text for text in given):
            raise DatasetError(
                f"{DATASET}, line {row['line']}: {field.removesuffix('?')!r} is a list of words."
            )
    order = ("message", *(name for name in row if name not in ("message", "kind", "line")))
    inputs = {name: row[name] for name in order}
    name = row_id(row["kind"], *inputs.get("history", ()), row["message"], inputs.get("style", ""))
    return Case(name, inputs, row["kind"])


def wish_of(case: Case) -> Wish:
    """What the case's prompt must hold."""
    row = case.inputs
    return Wish(
        messages=(*row.get("history", ()), row["message"]),
        keep=tuple(row["keep"]),
        domain=row["domain"],
        absent=tuple(row.get("absent", ())),
        bound=tuple(row.get("bound", ())),
        order=row.get("order", ""),
        obeyed=row.get("obeyed", ""),
    )


async def run(case: Case, subject: Subject) -> Outcome:
    """Write the prompt of a wish by the rules, and by the language model where one is set; score both and impostors."""
    from tools.prompts import LLMPromptWriter, RulePromptWriter

    writer = subject.context.prompts
    rules = RulePromptWriter(writer.rules)
    draft = await _write(case, subject, rules)
    other = partner(case, cases(), lambda o: o.inputs["domain"] != case.inputs["domain"])
    shuffled = await _write(other, subject, rules)
    impostors = {"raw": case.inputs["message"], "shuffled": shuffled.prompt, "blank": ""}
    if "obeyed" in case.inputs:
        impostors["obedient"] = case.inputs["obeyed"]

    scores = await _scores(case, subject, draft.prompt)
    scores["domain_right"] = domain_right(draft.domain, case.inputs["domain"])
    controls: dict[str, dict[str, float]] = {}
    for name, prompt in impostors.items():
        values = await _scores(case, subject, prompt)
        controls[name] = {metric: score.value for metric, score in values.items()}
    controls["shuffled"]["domain_right"] = domain_right(
        shuffled.domain, case.inputs["domain"]
    ).value

    facts = {"prompt": draft.prompt, "reason": draft.reason}
    if isinstance(writer, LLMPromptWriter):
        answer = await _write(case, subject, writer)
        theirs = await _scores(case, subject, answer.prompt)
        theirs["domain_right"] = domain_right(answer.domain, case.inputs["domain"])
        theirs["answered"] = Score(float(answer.source != "rules"), answer.reason)
        scores |= {f"{name}_llm": score for name, score in theirs.items()}
        facts |= {"prompt_llm": answer.prompt, "reason_llm": answer.reason}
    return Outcome(scores, controls, facts=facts)


async def _write(case: Case, subject: Subject, writer: PromptWriter) -> PromptDraft:
    """What `enhance_prompt` asks for, in the style of the wish."""
    from tools.prompts import PromptBrief

    style = case.inputs.get("style")
    profile = subject.profile
    return await writer.write(
        PromptBrief(
            message=case.inputs["message"],
            history=tuple(case.inputs.get("history", ())),
            style_prompt=subject.context.catalog.get(style).prompt if style else None,
            token_budget=profile.token_budget,
            takes_negative=profile.takes_negative,
            count_tokens=subject.studio.engine.count_tokens,
        )
    )


async def _scores(case: Case, subject: Subject, prompt: str) -> dict[str, Score]:
    from tools.prompt_llm import SYSTEM

    wish, profile, key = wish_of(case), subject.profile, subject.context.settings.llm_api_key
    secrets = (SYSTEM, *([key.get_secret_value()] if key else []))
    scores = {
        "rules_obeyed": rules_obeyed(prompt, wish),
        "nouns_kept": kept(prompt, wish.keep),
        "within_budget": within_budget(
            prompt, profile.token_budget, subject.studio.engine.count_tokens
        ),
        "no_leak": no_leak(prompt, wish, secrets),
    }
    if intent := case.inputs.get("intent"):
        scores["meaning"] = await _meaning(prompt, intent, subject)
    return scores


async def _meaning(prompt: str, intent: str, subject: Subject) -> Score:
    """The cosine of two texts, as the profile's text encoder sees them: near means that a picture of one is of both."""
    encoder = subject.studio.encoder
    one, other = await subject.context.lane.run(
        lambda _: encoder.embed_documents([prompt or " ", intent])
    )
    cosine = sum(a * b for a, b in zip(one, other, strict=True))
    return Score(cosine, f'{cosine:.2f} to "{intent}"')


def drawings(results: Sequence[Result]) -> Sequence[Matrix]:
    """Where the rules fall short, by kind of wish."""
    note = "Kinds of wishes by metric; empty where no wish of the kind has it."
    return (by_group("Where the rules fall short", results, RULES, note),)


SUITE = Suite(
    name="prompt_enhancement",
    measures="what the prompt keeps of a person's words, and what it keeps out",
    metrics=(*RULES, *MODEL),
    datasets=(DATASET,),
    cases=cases,
    run=run,
    quick=110,
    drawings=drawings,
)
