"""The gate: it opens for better numbers only, and says what fell short."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evals.gate import Bound, GateRow, judge, load_gates
from evals.runs import Header, Run
from evals.suite import Case, Metric, Outcome, Result, Score, Suite
from evals.suites import SUITES
from evals.summary import compare, summarise
from tools.errors import InvalidRequest

N = 30


async def _never(case: Case, subject: object) -> Outcome:
    raise AssertionError("no case is run here")


TOY = Suite(
    name="toy",
    measures="toys",
    metrics=(Metric("good", "more"), Metric("bad", "less", higher_is_better=False)),
    datasets=(),
    cases=list,
    run=_never,
    quick=N,
)
BOUNDS = [Bound("toy", "good", 0.8, None, 0.02), Bound("toy", "bad", None, 0.3, 0.0)]


def run_of(good: "np.ndarray", bad: "np.ndarray", quick: bool = False, wanted: int = N) -> Run:
    header = Header("r", "", ("toy",), "p", {"toy": wanted}, 0, quick, {}, {"toy": "data"}, "")
    results = tuple(
        Result(
            "toy",
            f"c{i}",
            "",
            {"good": Score(float(g), ""), "bad": Score(float(b), "")},
            {},
            {},
            {},
            {},
            0.0,
        )
        for i, (g, b) in enumerate(zip(good, bad, strict=True))
    )
    return Run(header, {"toy": results})


RNG = np.random.default_rng(0)
GOOD, BAD = RNG.uniform(0.8, 1.0, N), RNG.uniform(0.0, 0.3, N)


def gate(
    after: Run, before: Run | None = None, required: tuple[str, ...] = ("toy",)
) -> list[GateRow]:
    suites = {"toy": TOY}
    changes = compare(before, after, suites) if before else None
    return judge(after, summarise(after, suites), changes, BOUNDS, required)


def short(rows: list[GateRow]) -> Mapping[str, str]:
    return {f"{row.suite}.{row.metric}": row.why for row in rows if not row.passed}


def test_a_good_run_passes() -> None:
    rows = gate(run_of(GOOD, BAD), run_of(GOOD, BAD))
    assert short(rows) == {}
    assert len(rows) == 6  # the suite, its cases, two bounds, two comparisons


def test_a_metric_outside_its_bounds_falls_short() -> None:
    assert set(short(gate(run_of(GOOD - 0.2, BAD)))) == {"toy.good"}
    assert set(short(gate(run_of(GOOD, BAD + 0.3)))) == {"toy.bad"}


def test_a_sure_loss_is_a_regression_even_within_the_bounds() -> None:
    rows = gate(run_of(GOOD - 0.05, BAD), run_of(GOOD, BAD))
    assert "30 pairs: worse" in short(rows)["toy.good"]
    assert [row.wanted for row in rows if not row.passed] == ["no regression beyond 0.02"]


def test_speeds_are_not_held_against_another_machine() -> None:
    suites = {"toy": replace(TOY, cached=False)}
    before, after = run_of(GOOD, BAD), run_of(GOOD - 0.05, BAD)
    changes = compare(before, after, suites)
    assert changes["toy"]["good"].verdict == "worse"
    assert short(judge(after, summarise(after, suites), changes, BOUNDS, ("toy",))) == {}


def test_less_than_the_slack_is_no_regression() -> None:
    assert short(gate(run_of(GOOD - 0.01, BAD), run_of(GOOD, BAD))) == {}
    assert "toy.bad" in short(gate(run_of(GOOD, BAD + 0.01), run_of(GOOD, BAD)))


def test_an_improvement_passes() -> None:
    assert short(gate(run_of(GOOD + 0.05, BAD - 0.05), run_of(GOOD, BAD))) == {}


def test_chance_is_no_regression() -> None:
    rng = np.random.default_rng(1)
    before = run_of(GOOD, BAD)
    lost = [
        bool(short(gate(run_of(rng.permutation(GOOD), rng.permutation(BAD)), before)))
        for _ in range(60)
    ]
    assert sum(lost) <= 8


def test_a_few_cases_break_a_bound_only_when_they_are_sure() -> None:
    few = np.array([0.5, 0.9, 0.95, 0.7, 0.8])  # mean 0.77, below the bound
    full, quick = (run_of(few, BAD[:5], quick=q, wanted=5) for q in (False, True))
    assert "toy.good" in short(gate(full))
    assert short(gate(quick)) == {}
    assert "toy.good" in short(gate(run_of(few - 0.4, BAD[:5], quick=True, wanted=5)))


def test_a_partial_run_does_not_pass() -> None:
    rows = gate(run_of(GOOD, BAD, wanted=N + 2))
    assert short(rows) == {"toy.cases": f"2 of {N + 2} cases were never run"}


def test_a_failed_case_does_not_pass() -> None:
    whole = run_of(GOOD, BAD)
    first, *rest = whole.results["toy"]
    broken = replace(first, scores={}, error="EngineFailed: it broke")
    rows = gate(replace(whole, results={"toy": (broken, *rest)}))
    assert short(rows) == {"toy.cases": "1 failed, the first with: EngineFailed: it broke"}


def test_a_missing_suite_does_not_pass() -> None:
    assert short(gate(run_of(GOOD, BAD), required=("toy", "chat"))) == {
        "chat.run": "this suite was not run"
    }


def test_what_was_not_measured_does_not_pass() -> None:
    whole = run_of(GOOD, BAD)
    bare = tuple(replace(r, scores={"bad": r.scores["bad"]}) for r in whole.results["toy"])
    assert short(gate(replace(whole, results={"toy": bare}))) == {"toy.good": "it was not measured"}


def test_those_that_fell_short_come_first() -> None:
    rows = gate(run_of(GOOD - 0.2, BAD))
    assert [row.passed for row in rows] == sorted(row.passed for row in rows)


def test_the_shipped_gates_are_of_metrics_that_exist() -> None:
    gates = load_gates()
    assert set(gates.required) <= set(SUITES)
    for bound in gates.bounds:
        metrics = {metric.name: metric for metric in SUITES[bound.suite].metrics}
        assert bound.metric in metrics, f"{bound.suite}.{bound.metric}"
        assert (bound.minimum, bound.maximum) != (None, None) or bound.slack


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "'required' is missing"),
        ("required = []\n[toy.good]\nmin = 'much'\n", r"\[toy.good\]: min = 'much'"),
        ("required = []\n[toy.good]\nminimum = 1\n", "minimum = 1; a gate has min, max, slack"),
        ("required = []\n[toy]\ngood = 1\n", "gates.toml"),
        ("required = [\n", "gates.toml"),
    ],
)
def test_a_broken_gate_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(content)
    with pytest.raises(InvalidRequest, match=said):
        load_gates(file)
