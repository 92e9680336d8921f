"""The runner: nothing is lost, nothing is done twice, and a case that breaks is a result."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from conftest import ROOT, PaintedEngine
from PIL import Image

from evals import runner
from evals.runner import Done, folders, plan
from evals.runs import Run, append, list_runs, read_baseline, read_run, save_baseline
from evals.subject import RenderCache, Subject
from evals.suite import Case, Metric, Outcome, Result, Score, Suite, choose
from evals.summary import compare, summarise
from graph.context import Context
from graph.settings import Settings
from tools.errors import Conflict, InvalidRequest, NotFound
from tools.imaging import ImageRequest

CASES = [Case(f"c{i}", {"number": i}, "even" if i % 2 == 0 else "odd") for i in range(8)]
METRIC = Metric("half", "half the number", apart_from=("blank",))


@dataclass
class Worker:
    """Counts what it is asked; breaks where it is told to."""

    asked: list[str] = field(default_factory=list)
    broken: frozenset[str] = frozenset()

    async def run(self, case: Case, subject: Subject) -> Outcome:
        self.asked.append(case.id)
        if case.id in self.broken:
            raise RuntimeError(f"{case.id} cannot be done")
        # The first are the last to end, so results arrive in another order than the cases.
        await asyncio.sleep((8 - case.inputs["number"]) * 0.002)
        value = case.inputs["number"] / 2
        picture = Image.new("RGB", (8, 8), (case.inputs["number"] * 20, 0, 0))
        return Outcome(
            {"half": Score(value, f"half of {case.inputs['number']}")},
            {"blank": {"half": -1.0}},
            {"render": picture},
            {"number": case.inputs["number"]},
        )

    def suite(self, name: str = "toy", cached: bool = True) -> Suite:
        return Suite(
            name=name,
            measures="toys",
            metrics=(METRIC, Metric("sum", "of all")),
            datasets=(),
            cases=lambda: CASES,
            run=self.run,
            quick=4,
            figures=lambda results: {"sum": float(sum(r.facts["number"] for r in results))},
            cached=cached,
            abreast=4,
        )


@pytest.fixture
def opened(context: Context, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The runner opens the painted studio."""

    @asynccontextmanager
    async def open_painted(settings: Settings, folder: Path) -> AsyncIterator[Subject]:
        studio = await context.studio(settings.profile)
        yield Subject(context, studio, RenderCache(folder / "renders", studio.engine.name))

    monkeypatch.setattr(runner, "open_subject", open_painted)
    monkeypatch.setattr(runner, "versions", lambda subject: {"engine": "painted/1"})
    return context.settings


def go(
    settings: Settings,
    suites: Sequence[Suite],
    told: Callable[[Done], None] = lambda _: None,
    **how: object,
) -> Run:
    planned = plan({s.name: s for s in suites}, (), n=None, seed=0, quick=False)
    return asyncio.run(runner.run(settings, planned, told, **how))  # type: ignore[arg-type]


def test_results_stand_in_the_order_of_the_cases(opened: Settings) -> None:
    done = go(opened, [Worker().suite()])
    expected = [case.id for case in choose(CASES, None, 0)]
    assert [result.case for result in done.results["toy"]] == expected
    assert done.header.state == "finished"
    assert not done.partial
    for result in done.results["toy"]:
        assert result.scores["half"] == Score(
            result.facts["number"] / 2, f"half of {result.facts['number']}"
        )
        assert done.folder is not None
        assert (done.folder / "images" / result.images["render"]).is_file()


def test_what_is_known_is_not_asked_again(opened: Settings) -> None:
    worker = Worker()
    first = go(opened, [worker.suite()])
    cached: list[bool] = []
    second = go(opened, [worker.suite()], lambda done: cached.append(done.cached))
    assert len(worker.asked) == 8
    assert cached == [True] * 8
    assert [r.scores for r in first.results["toy"]] == [r.scores for r in second.results["toy"]]
    go(opened, [worker.suite()], fresh=True)
    assert len(worker.asked) == 16


def test_a_damaged_memory_is_no_memory(opened: Settings) -> None:
    worker = Worker()
    go(opened, [worker.suite()])
    place = folders(opened)
    first, second, *_ = sorted(place.cases.iterdir())
    first.write_text("{")
    (place.pictures / json.loads(second.read_text())["images"]["render"]).unlink()
    go(opened, [worker.suite()])
    assert len(worker.asked) == 10


def test_speeds_are_measured_every_time(opened: Settings) -> None:
    worker = Worker()
    for _ in range(2):
        go(opened, [worker.suite(cached=False)])
    assert len(worker.asked) == 16


def test_a_case_that_breaks_is_shown_and_not_averaged(opened: Settings) -> None:
    worker = Worker(broken=frozenset({"c3"}))
    done = go(opened, [worker.suite()])
    (broken,) = [r for r in done.results["toy"] if r.error]
    assert (broken.case, broken.error) == ("c3", "RuntimeError: c3 cannot be done")
    summary = summarise(done, {"toy": worker.suite()})["toy"]
    assert summary.failed == (broken,)
    assert summary.done == 7
    assert summary.rows[0].estimate is not None
    assert summary.rows[0].estimate.value == pytest.approx((28 - 3) / 2 / 7)
    worker.broken = frozenset()
    go(opened, [worker.suite()])
    assert worker.asked.count("c3") == 2, "a failure was remembered"


def test_a_score_that_is_no_number_is_a_failure(opened: Settings) -> None:
    async def run(case: Case, subject: Subject) -> Outcome:
        return Outcome({"half": Score(float("nan"), "")})

    done = go(opened, [replace(Worker().suite(), run=run)])
    assert all(r.error == "ValueError: half is nan" for r in done.results["toy"])


def test_a_run_goes_on_where_it_was_stopped(opened: Settings) -> None:
    worker = Worker()
    seen: list[Done] = []

    def stop_after_three(done: Done) -> None:
        seen.append(done)
        if len(seen) == 3:
            raise KeyboardInterrupt

    suite = worker.suite(cached=False)
    with pytest.raises(KeyboardInterrupt):
        go(opened, [suite], stop_after_three)
    (stopped,) = list_runs(folders(opened).runs)
    assert stopped.partial
    assert stopped.header.state == "stopped"
    assert len(stopped.results["toy"]) == 3
    worker.asked.clear()
    done = go(opened, [suite], resume=stopped.header.id)
    assert done.header.id == stopped.header.id
    assert not done.partial
    assert sorted(worker.asked) == sorted({c.id for c in CASES} - {d.result.case for d in seen})


def test_another_run_cannot_be_gone_on_with(opened: Settings) -> None:
    done = go(opened, [Worker().suite()])
    with pytest.raises(Conflict, match=r"its suites was \('toy',\), and is \('other',\)"):
        go(opened, [Worker().suite("other")], resume=done.header.id)
    with pytest.raises(NotFound, match="no eval run 'nothing'"):
        go(opened, [Worker().suite()], resume="nothing")


def test_a_killed_run_keeps_every_finished_case(tmp_path: Path) -> None:
    """A process of its own is killed in the middle; the line it was writing is left out."""
    script = f"""
import sys, time
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from evals.runs import append, write_header, Header
from evals.suite import Result, Score
folder = Path({str(tmp_path / "run")!r})
write_header(folder, Header("r", "", ("toy",), "p", {{"toy": 99}}, 0, False, {{}}, {{"toy": "x"}}, ""))
for i in range(99):
    append(folder, Result("toy", f"c{{i}}", "", {{"half": Score(i, "")}}, {{}}, {{}}, {{}}, {{}}, 0.0))
    print(i, flush=True)
    time.sleep(0.01)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "5":
            os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with (tmp_path / "run" / "cases.jsonl").open("a") as file:
        file.write('{"suite": "toy", "ca')
    found = read_run(tmp_path / "run")
    before = len(found.results["toy"])
    assert before >= 6
    append(tmp_path / "run", replace(found.results["toy"][0], case="one more"))
    found = read_run(tmp_path / "run")
    assert len(found.results["toy"]) == before + 1
    assert found.partial
    assert found.header.state == "running"


def test_the_same_seed_chooses_the_same_cases_and_fewer_are_a_part_of_more() -> None:
    everything = [case.id for case in choose(CASES, None, 7)]
    assert sorted(everything) == sorted(case.id for case in CASES)
    assert [case.id for case in choose(list(reversed(CASES)), 5, 7)] == everything[:5]
    assert [case.id for case in choose(CASES, None, 8)] != everything
    assert {case.group for case in choose(CASES, 2, 7)} == {"even", "odd"}


def test_a_plan_is_checked_before_any_work() -> None:
    suites = {"toy": Worker().suite()}
    with pytest.raises(InvalidRequest, match="no suite 'tyo': choose of toy"):
        plan(suites, ["tyo"], n=None, seed=0, quick=False)
    with pytest.raises(InvalidRequest, match="at least 1, not 0"):
        plan(suites, (), n=0, seed=0, quick=False)
    twice = replace(suites["toy"], cases=lambda: [*CASES, CASES[0]])
    with pytest.raises(InvalidRequest, match="two cases have one id"):
        plan({"toy": twice}, (), n=None, seed=0, quick=False)
    assert len(plan(suites, (), n=None, seed=0, quick=True).cases["toy"]) == 4
    assert len(plan(suites, (), n=3, seed=0, quick=True).cases["toy"]) == 3


def test_a_baseline_is_the_run_without_its_pictures(opened: Settings, tmp_path: Path) -> None:
    suite = Worker().suite()
    done = go(opened, [suite])
    save_baseline(tmp_path / "b.json", done, ["toy"])
    kept = read_baseline(tmp_path / "b.json")
    assert kept.header == done.header
    assert [r.scores["half"].value for r in kept.results["toy"]] == [
        r.scores["half"].value for r in done.results["toy"]
    ]
    changes = compare(kept, done, {"toy": suite})["toy"]
    assert changes["half"].verdict == changes["sum"].verdict == "can't tell"
    assert changes["half"].difference == (0, 0, 0)
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(InvalidRequest, match=r"baseline b.json is damaged"):
        read_baseline(tmp_path / "b.json")


def test_other_data_cannot_be_compared(opened: Settings) -> None:
    suite = Worker().suite()
    done = go(opened, [suite])
    other = replace(done, header=replace(done.header, datasets={"toy": "0" * 12}))
    with pytest.raises(InvalidRequest, match="Scores of other data cannot be compared"):
        compare(other, done, {"toy": suite})


def test_figures_are_compared_in_pairs(opened: Settings) -> None:
    suite = Worker().suite()
    done = go(opened, [suite])

    def more(result: Result) -> Result:
        return replace(result, facts={"number": result.facts["number"] + 3})

    risen = replace(done, results={"toy": tuple(map(more, done.results["toy"]))})
    change = compare(done, risen, {"toy": suite})["toy"]["sum"]
    assert (change.before, change.after, change.verdict) == (28.0, 52.0, "better")
    assert compare(risen, done, {"toy": suite})["toy"]["sum"].verdict == "worse"


def test_a_control_that_the_metric_cannot_tell_apart_is_named(opened: Settings) -> None:
    worker = Worker()
    done = go(opened, [worker.suite()])
    told = summarise(done, {"toy": worker.suite()})["toy"].rows[0]
    assert told.controls == {"blank": -1.0}
    assert told.told_apart == {"blank": True}

    def blind(result: Result) -> Result:
        return replace(result, controls={"blank": {"half": result.scores["half"].value}})

    same = replace(done, results={"toy": tuple(map(blind, done.results["toy"]))})
    assert summarise(same, {"toy": worker.suite()})["toy"].rows[0].told_apart == {"blank": False}


async def test_renders_are_remembered_by_what_they_depend_on(
    context: Context, tmp_path: Path
) -> None:
    studio = await context.studio("starter")
    engine = studio.engine
    assert isinstance(engine, PaintedEngine)
    subject = Subject(context, studio, RenderCache(tmp_path / "renders", engine.name))
    request = ImageRequest("a", 1, 96, 96, 2, 1.0, edges=Image.new("L", (96, 96)))
    first = await subject.render(request)
    again = await subject.render(replace(request, edges=Image.new("L", (96, 96))))
    assert first.tobytes() == again.tobytes()
    assert len(engine.requests) == 1
    for other in (replace(request, seed=2), replace(request, edges=Image.new("L", (96, 96), 255))):
        await subject.render(other)
    assert len(engine.requests) == 3
    for file in (tmp_path / "renders").iterdir():
        file.write_bytes(b"rubbish")
    await subject.render(request)
    assert len(engine.requests) == 4
