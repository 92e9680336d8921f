"""An eval run in MLflow's words, and what is said where MLflow is not installed."""

import re
import sys
from pathlib import Path

import pytest

from evals.mlflow_export import INSTALL, export, record
from evals.runs import Header, Run, State
from evals.suite import Case, Metric, Outcome, Result, Score, Suite
from evals.summary import SuiteSummary, summarise
from tools.errors import InvalidRequest

VERSIONS = {
    "engine": "starter/ab12",
    "pack": "starter@ab12cd34ef56",
    "thresholds": "thresholds@0123456789ab",
    "prompts": "prompts@ba9876543210",
}


async def _never(case: Case, subject: object) -> Outcome:
    raise AssertionError("no case is run here")


TOY = Suite(
    name="toy",
    measures="toys",
    metrics=(Metric("hit@1 (%)", "more"), Metric("unseen", "no case scores it")),
    datasets=(),
    cases=list,
    run=_never,
    quick=3,
)


def a_run(folder: Path | None = None, done: int = 3, state: State = "finished") -> Run:
    header = Header(
        id="20261121-201500-ab12",
        created="2026-11-21T20:15:00+00:00",
        suites=("toy",),
        profile="starter",
        n={"toy": 3},
        seed=7,
        quick=True,
        versions=VERSIONS,
        datasets={"toy": "d1"},
        machine="x86_64",
        state=state,
        elapsed_s=12.5,
    )
    results = tuple(
        Result(
            suite="toy",
            case=f"c{number}",
            group="",
            scores={"hit@1 (%)": Score(value, "")},
            controls={"shuffled": {"hit@1 (%)": 0.25}},
            images={},
            facts={},
            inputs={},
            elapsed_s=0.0,
        )
        for number, value in enumerate([1.0, 0.0, 1.0][:done])
    )
    return Run(header, {"toy": results}, folder)


def summaries(run: Run) -> dict[str, SuiteSummary]:
    return summarise(run, {"toy": TOY})


def test_everything_that_decided_the_run_is_a_parameter() -> None:
    told = record(a_run(), {})
    assert told.params == {
        "profile": "starter",
        "seed": "7",
        "quick": "True",
        "n/toy": "3",
        "dataset/toy": "d1",
        **{f"version/{what}": name for what, name in VERSIONS.items()},
    }
    assert told.models == {kind: VERSIONS[kind] for kind in ("pack", "thresholds", "prompts")}


def test_a_metric_comes_with_its_interval_and_its_controls_under_names_that_mlflow_takes() -> None:
    run = a_run()
    metrics = record(run, summaries(run)).metrics
    assert metrics["toy/hit_at_1 ___"] == pytest.approx(2 / 3)
    assert metrics["toy/hit_at_1 ___/low"] <= metrics["toy/hit_at_1 ___"]
    assert metrics["toy/hit_at_1 ___/high"] >= metrics["toy/hit_at_1 ___"]
    assert metrics["toy/hit_at_1 ___/control/shuffled"] == 0.25
    assert not any("unseen" in name for name in metrics), "there is nothing to tell of it"
    assert all(re.fullmatch(r"[A-Za-z0-9_\-. :/]+", name) for name in metrics)


def test_a_run_that_was_cut_off_says_so() -> None:
    whole, part = record(a_run(), {}), record(a_run(done=2, state="stopped"), {})
    assert (whole.status, whole.tags["artisan.partial"]) == ("FINISHED", "false")
    assert (part.status, part.tags["artisan.partial"]) == ("KILLED", "true")
    assert part.tags["artisan.state"] == "stopped"
    assert whole.tags["artisan.run"] == part.tags["artisan.run"] == whole.name


def test_it_lasts_as_long_as_the_run_did() -> None:
    told = record(a_run(), {})
    assert told.started_ms == 1795292100000  # 2026-11-21T20:15:00Z
    assert told.ended_ms - told.started_ms == 12_500


def test_only_files_that_are_there_go_along(tmp_path: Path) -> None:
    for name in ("run.json", "cases.jsonl", "report.html"):
        (tmp_path / name).write_text("x")
    names = [file.name for file in record(a_run(tmp_path), {}).files]
    assert sorted(names) == ["cases.jsonl", "report.html", "run.json"]
    assert record(a_run(), {}).files == ()


def test_without_mlflow_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    with pytest.raises(InvalidRequest, match=re.escape(INSTALL)):
        export(a_run(), {}, "sqlite:///nowhere.db")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its use of SQLAlchemy
def test_mlflow_has_the_same_run_and_the_same_versions_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="the extra [mlflow] is not installed")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/ml/mlflow.db"
    client = tracking.MlflowClient(uri, registry_uri=uri)
    part = a_run(tmp_path, done=2, state="stopped")
    first = export(part, summaries(part), uri, {"pack": {"staging": VERSIONS["pack"]}})
    assert client.get_registered_model("artisan-pack").aliases == {"staging": 1}

    (tmp_path / "report.html").write_text("<p>done</p>")
    whole = a_run(tmp_path)
    for _ in range(2):
        aliases = {"pack": {"production": VERSIONS["pack"], "previous": "starter@000000000000"}}
        assert export(whole, summaries(whole), uri, aliases) == first
    told = record(whole, summaries(whole))
    kept = client.get_run(first)
    assert dict(kept.data.params) == dict(told.params)
    assert dict(kept.data.metrics) == pytest.approx(dict(told.metrics))
    assert kept.data.tags["artisan.partial"] == "false"
    assert (kept.info.status, kept.info.end_time) == ("FINISHED", told.ended_ms)
    assert [file.path for file in client.list_artifacts(first)] == ["report.html"]
    assert len(client.get_metric_history(first, "toy/hit_at_1 ___/control/shuffled")) == 1
    (version,) = client.search_model_versions("name = 'artisan-pack'")
    assert version.tags == {"artisan.version": VERSIONS["pack"]}
    assert client.get_registered_model("artisan-pack").aliases == {"production": 1}
    assert not list(tmp_path.glob("mlruns")), "nothing is left in the present folder"
