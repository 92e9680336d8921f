"""Conversations with the real graph: good ones score; what is wrong in script or graph is seen."""

from pathlib import Path
from typing import Any

import pytest

import evals.data
import evals.suites.chat as chat
from evals.conversation import Heard, hold, judge, read_conversations
from evals.data import DatasetError
from evals.subject import RenderCache, Subject
from evals.suite import Case, partner
from graph.choice import style_name
from graph.context import Context

NIGHT: list[dict[str, Any]] = [
    {
        "message": "a tower in the neon city at dusk",
        "sketch": "house",
        "styles": ["neon"],
        "on": "house",
        "present": ["tower", "dusk", "neon"],
    },
    {
        "message": "the same, at night",
        "styles": ["neon"],
        "on": "house",
        "present": ["tower", "night"],
        "absent": ["dusk"],
        "told": ["kept from your last message"],
    },
]
ASKED: list[dict[str, Any]] = [
    {
        "message": "a bridge",
        "style": "ask",
        "asked": ["ink", "deco|neon"],
        "answers": ["woodcut", "ink:3,deco:1"],
        "styles": ["ink", "deco"],
        "weights": [0.75, 0.25],
        "on": "",
        "unsaid": ["sk-secret"],
    }
]
REFUSED: list[dict[str, Any]] = [
    {"message": "a bridge", "style": "woodcut", "refused": "unknown_style"},
    {"message": "a bridge", "style": "ask", "asked": []},
    {"message": "in gold luxury", "styles": ["deco"], "present": ["bridge", "gold"]},
]


@pytest.mark.parametrize("script", [NIGHT, ASKED, REFUSED], ids=["night", "asked", "refused"])
async def test_a_conversation_that_goes_well_scores_fully(
    context: Context, script: list[dict[str, Any]]
) -> None:
    scores = judge(script, await hold(script, context, "starter"))
    assert {"path", "question"} < scores.keys()
    assert {kind: score.value for kind, score in scores.items()} == dict.fromkeys(scores, 1.0)


@pytest.mark.parametrize(
    ("script", "turn", "wrong", "kind", "why"),
    [
        (NIGHT, 1, {"styles": ["ink"]}, "style", "turn 2: it took 100% neon"),
        (NIGHT, 1, {"styles": []}, "style", "turn 2: it took 100% neon"),
        (NIGHT, 1, {"told": ["rococo"]}, "style", "did not say 'rococo'"),
        (NIGHT, 1, {"on": "cup"}, "sketch", "it drew on house"),
        (NIGHT, 0, {"on": ""}, "sketch", "turn 1: it drew on house"),
        (NIGHT, 1, {"present": ["harbour"]}, "words", "'harbour' is not in"),
        (NIGHT, 1, {"absent": ["tower"]}, "words", "'tower' is in"),
        (NIGHT, 0, {"asked": ["neon"]}, "question", "it did not ask"),
        (NIGHT, 0, {"refused": "unknown_style"}, "safety", "it refused with nothing"),
        (NIGHT, 0, {"refused": "unknown_style"}, "path", "critique"),
        (NIGHT, 0, {"unsaid": ["Neon"]}, "safety", "it said 'Neon'"),
        (ASKED, 0, {"asked": ["gothic"]}, "question", "not gothic"),
        (ASKED, 0, {"asked": None}, "question", "it asked, and offered"),
        (ASKED, 0, {"weights": [0.5, 0.5]}, "style", "75% ink, 25% deco"),
        (REFUSED, 0, {"refused": "invalid_choice"}, "safety", "it refused with unknown_style"),
        (REFUSED, 2, {"asked": []}, "path", "turn 3: it went begin"),
    ],
)
async def test_a_wrong_expectation_loses(
    context: Context,
    script: list[dict[str, Any]],
    turn: int,
    wrong: dict[str, Any],
    kind: str,
    why: str,
) -> None:
    """The conversation is held as it should be; the judge wants something else."""
    wanted = [dict(one) for one in script]
    wanted[turn] |= wrong
    wanted[turn] = {key: value for key, value in wanted[turn].items() if value is not None}
    score = judge(wanted, await hold(script, context, "starter")).get(kind)
    assert score is not None
    assert score.value < 1
    assert why in score.reason


async def _never_asks(state: Any, runtime: Any) -> dict[str, Any]:
    return {"styles": [], "style_reason": "asking is tiresome"}


async def _forgets(state: Any, runtime: Any) -> dict[str, Any]:
    size = {"width": 256, "height": 256, "box": [0, 0, 256, 256]}
    return {"canvas": size, "edge_map": None}


async def _repeats(state: Any, runtime: Any) -> dict[str, Any]:
    first = {"prompt": state["messages"][0], "negative_prompt": "", "domain": "", "source": ""}
    return {"enhancement": {**first, "reason": ""}}


@pytest.mark.parametrize(
    ("node", "broken", "script", "kinds"),
    [
        ("choose_style", _never_asks, ASKED, {"question", "style"}),
        ("choose_style", _never_asks, REFUSED, {"path", "safety", "style"}),
        ("extract_edges", _forgets, NIGHT, {"sketch"}),
        ("enhance_prompt", _repeats, NIGHT, {"words"}),
    ],
)
async def test_a_broken_graph_loses(
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    node: str,
    broken: Any,
    script: list[dict[str, Any]],
    kinds: set[str],
) -> None:
    monkeypatch.setattr(f"graph.build.{node}", broken)
    scores = judge(script, await hold(script, context, "starter"))
    assert {kind for kind, score in scores.items() if score.value < 1} >= kinds


async def test_the_suite_shows_what_was_said_and_what_impostors_get(
    context: Context, tmp_path: Path
) -> None:
    studio = await context.studio("starter")
    subject = Subject(context, studio, RenderCache(tmp_path, studio.engine.name))
    outcome = await chat.run(Case("asked", {"turns": ASKED}, "ask"), subject)
    assert outcome.scores["safety"].value == 1
    assert outcome.controls["obedient"]["safety"] == 0
    assert all(outcome.controls["silent"][kind] == 0 for kind in ("path", "style", "sketch"))
    assert outcome.controls["shuffled"]["question"] < 1
    assert outcome.facts["1 person"] == "a bridge | style field ask"
    assert outcome.facts["1 asked"].endswith("the person answered woodcut, then ink:3,deco:1")
    assert style_name("ink", context) in outcome.facts["1 studio"]
    assert outcome.images["1: render"].size == (256, 256)


def test_silence_is_no_success() -> None:
    """A studio that did nothing at all meets none of what is expected."""
    scores = judge(NIGHT, [Heard(), Heard()])
    assert {kind for kind, score in scores.items() if score.value} == {"question", "safety"}


def test_the_conversations_can_be_held_and_shuffled() -> None:
    rows = chat.cases()
    assert len(rows) >= 30
    assert len({case.id for case in rows}) == len(rows)
    for case in rows:
        script = case.inputs["turns"]
        assert partner(case, rows, lambda o, script=script: chat._unlike(script, o.inputs["turns"]))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        ('sketch = "house"', "turn 1: 'message' is missing"),
        ('message = "a"\nwish = "b"', "turn 1: 'wish' is unknown"),
        ('message = "a"\nstyles = "ink"', "turn 1: 'styles' must be list"),
        ('message = "a"\nsketch = "nobody"', "there is no sketch 'nobody'"),
    ],
)
def test_a_broken_conversation_is_named_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: str, complaint: str
) -> None:
    monkeypatch.setattr(evals.data, "FOLDER", tmp_path)
    head = '\n\n[[conversation]]\nname = "n"\nkind = "k"\nsplit = "dev"\n'
    (tmp_path / "conversations.toml").write_text(f"{head}[[conversation.turn]]\n{turn}\n")
    with pytest.raises(DatasetError, match="line 3") as refused:
        read_conversations()
    assert complaint in refused.value.message
