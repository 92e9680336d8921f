"""The two suites of style retrieval on the shipped pack, the shipped library and the shipped calibration."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from evals.data import dataset_hash
from evals.runs import Header, Run
from evals.subject import Subject, open_subject
from evals.suite import Case, Matrix, Outcome, Plot, Result, Suite, choose
from evals.suites import style_retrieval, threshold
from evals.summary import compare, summarise
from graph.settings import Settings
from styles.calibration import Calibration

RETRIEVAL, THRESHOLD = style_retrieval.SUITE, threshold.SUITE
FEW = 48  # cases: two or three of each group; then all of `near`


def swapped(calibration: Calibration) -> Calibration:
    return replace(calibration, floor=calibration.strong, strong=calibration.floor)


def far_too_high(calibration: Calibration) -> Calibration:
    return replace(calibration, floor=0.9, strong=0.95)


def result(suite: Suite, case: Case, outcome: Outcome) -> Result:
    return Result(
        suite.name, case.id, case.group, outcome.scores, outcome.controls, {}, outcome.facts, case.inputs, 0.0
    )  # fmt: skip


def run_of(results: Mapping[str, tuple[Result, ...]]) -> Run:
    suites = {RETRIEVAL.name: RETRIEVAL, THRESHOLD.name: THRESHOLD}
    header = Header(
        id="test",
        created="",
        suites=tuple(results),
        profile="starter",
        n={name: len(of) for name, of in results.items()},
        seed=0,
        quick=True,
        versions={},
        datasets={name: dataset_hash(suites[name].datasets) for name in results},
        machine="",
    )
    return Run(header, results)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Run]:
    """The same cases under the shipped thresholds and under two that are wrong."""
    folder = tmp_path_factory.mktemp("subject")

    async def everything() -> dict[str, Run]:
        settings = Settings(_env_file=None, profile="starter", data_dir=folder)
        async with open_subject(settings, folder) as subject:
            found = await ask(RETRIEVAL, subject), await ask(THRESHOLD, subject)
            made = {"shipped": run_of({RETRIEVAL.name: found[0], THRESHOLD.name: found[1]})}
            index = subject.studio.index
            right = index.calibration
            for change in (swapped, far_too_high):
                index.calibration = change(right)
                made[change.__name__] = run_of({THRESHOLD.name: await ask(THRESHOLD, subject)})
            return made

    return asyncio.run(everything())


async def ask(suite: Suite, subject: Subject) -> tuple[Result, ...]:
    few = choose(suite.cases(), FEW, 0)
    near = [case for case in suite.cases() if case.group == "no match: near"]
    cases = {case.id: case for case in few + near}.values()
    return tuple([result(suite, case, await suite.run(case, subject)) for case in cases])


def test_every_case_of_both_suites_has_an_id_and_an_impostor_of_its_own() -> None:
    for suite in (RETRIEVAL, THRESHOLD):
        cases = suite.cases()
        assert len({case.id for case in cases}) == len(cases)
    for case in RETRIEVAL.cases():
        meant = case.inputs["style"]
        assert case.inputs["beside"] if meant is None else case.inputs["other"] != meant


def test_queries_find_their_style_and_shuffled_ones_do_not(runs: Mapping[str, Run]) -> None:
    summary = summarise(runs["shipped"], {RETRIEVAL.name: RETRIEVAL})[RETRIEVAL.name]
    rows = {row.metric.name: row for row in summary.rows}
    assert summary.done == summary.wanted
    for name in ("recall@1", "recall@3", "recall@5", "mrr", "ndcg@5"):
        assert rows[name].told_apart == {"shuffled": True}
    assert rows["recall@1"].estimate is not None
    assert rows["recall@1"].estimate.value > 0.7
    assert rows["recall@1"].groups["description"] > 0.5
    assert {"picture", "picture in another light", "language"} <= rows["mrr"].groups.keys()
    refused = rows["refused"]
    assert refused.groups.keys() == {"no match: plain", "no match: hard", "no match: near"}
    assert refused.controls["style query"] < 0.5 < refused.groups["no match: plain"]


def test_scores_say_why(runs: Mapping[str, Run]) -> None:
    for found in runs["shipped"].results[RETRIEVAL.name]:
        (reason,) = {score.reason for score in found.scores.values()}
        first = found.facts["found"][0]
        assert first in reason
        if "wanted" in found.facts:
            right = first == found.facts["wanted"]
            assert (reason == f"{first} is first") == right == bool(found.scores["recall@1"].value)


def test_the_confusion_holds_every_query_once(runs: Mapping[str, Run]) -> None:
    results = runs["shipped"].results[RETRIEVAL.name]
    matrices = [d for d in RETRIEVAL.drawings(results) if isinstance(d, Matrix)]
    sorts = Counter("seed" in r.inputs for r in results if "wanted" in r.facts)
    assert [sum(map(sum, m.values)) for m in matrices] == [sorts[False], sorts[True]]
    for matrix in matrices:
        right = sum(row[i] for i, row in enumerate(matrix.values))
        assert right == sum(
            r.scores["recall@1"].value
            for r in results
            if "wanted" in r.facts and ("seed" in r.inputs) == (matrix is matrices[1])
        )


def test_figures_and_curves_of_the_thresholds(runs: Mapping[str, Run]) -> None:
    results = runs["shipped"].results[THRESHOLD.name]
    found = THRESHOLD.figures(results)
    scored = {"decision", "safe"}
    assert found.keys() == {metric.name for metric in THRESHOLD.metrics} - scored
    assert found["margin"] == pytest.approx(found["strong"] - found["floor"])
    assert found["margin"] > 0
    assert found["auroc_plain"] > 0.9
    assert found["false_accepts_plain"] < 0.5 < found["accepts"]  # of three such texts
    plots = THRESHOLD.drawings(results)
    assert len(plots) == 4
    for plot in plots:
        assert isinstance(plot, Plot)
        points = [point for series in plot.series for point in series.points]
        assert points
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in points)
    assert "when refitted" in plots[0].note
    assert THRESHOLD.figures([r for r in results if r.facts["kind"] == "plain"]).keys() == {
        "ece",
        "floor",
        "strong",
        "margin",
    }


def test_thresholds_of_a_whole_run_are_told_from_shuffled_ones(runs: Mapping[str, Run]) -> None:
    summary = summarise(runs["shipped"], {THRESHOLD.name: THRESHOLD})[THRESHOLD.name]
    rows = {row.metric.name: row for row in summary.rows}
    for name in ("decision", "safe"):
        assert rows[name].told_apart == {"shuffled": True}


def test_swapped_thresholds_show(runs: Mapping[str, Run]) -> None:
    before, after = (runs[name].results[THRESHOLD.name] for name in ("shipped", "swapped"))
    assert THRESHOLD.figures(after)["margin"] < 0 < THRESHOLD.figures(before)["margin"]
    lost = [
        b.scores["safe"].value - a.scores["safe"].value for b, a in zip(before, after, strict=True)
    ]
    assert min(lost) == 0
    assert max(lost) == 1


def test_a_floor_that_is_too_high_is_surely_worse(runs: Mapping[str, Run]) -> None:
    before, after = (
        replace(runs[name], header=replace(runs[name].header, suites=(THRESHOLD.name,)))
        for name in ("shipped", "far_too_high")
    )
    changes = compare(before, after, {THRESHOLD.name: THRESHOLD})[THRESHOLD.name]
    assert changes["accepts"].verdict == "worse"
