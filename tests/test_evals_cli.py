"""`./artisan eval` as it is typed: what is refused before any work, what a run leaves, what a kill costs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from evals import data
from evals.runs import Run, list_runs, read_baseline
from evals.suites import SUITES
from server import cli

CHEAP = "prompt_enhancement"  # no render, hardly a model


Artisan = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for all of these tests: the first run builds its style index."""
    return tmp_path_factory.mktemp("house")


@pytest.fixture
def artisan(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Artisan:
    """Run a command line; answers exit code, output, complaints."""
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(house))

    def run(*args: object, code: int = 0) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["artisan", *map(str, args)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = (" ".join(text.split()) for text in capsys.readouterr())
        assert left.value.code == code, out + err
        return code, out, err

    return run


def runs_of(house: Path) -> list[Run]:
    return list_runs(house / "evals" / "runs")


def test_the_whole_of_evals_imports_without_a_heavy_library() -> None:
    """That is what makes it quick: `./artisan eval list` must not wait for torch."""
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in (ROOT / "evals").rglob("*.py")
    ]
    heavy = ("torch", "diffusers", "transformers", "chromadb", "langgraph", "onnxruntime", "mlflow")
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name.removesuffix(".__init__"))
print([name for name in {heavy!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_every_suite_reads_its_data_and_names_its_cases() -> None:
    for suite in SUITES.values():
        cases = suite.cases()
        ids = [case.id for case in cases]
        assert len(set(ids)) == len(ids), suite.name
        assert 0 < suite.quick <= len(cases), suite.name
        assert all(json.dumps(dict(case.inputs)) for case in cases)
        for name in suite.datasets:
            assert (data.FOLDER / name).is_file()
            assert (data.FOLDER / f"{name.partition('.')[0]}.md").is_file(), f"{name} has no card"


def test_training_cannot_see_the_datasets() -> None:
    for file in (ROOT / "training").rglob("*.py"):
        if file.name != "evaluate.py":
            text = file.read_text("utf-8")
            assert "evals" not in text, f"{file} speaks of the evals"
            assert "datasets" not in text, f"{file} speaks of datasets"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "geometri"), "no suite 'geometri': choose of style_retrieval, threshold"),
        (("run", CHEAP, "--n", "0"), "at least 1, not 0"),
        (("run", CHEAP, "--profile", "starter-slow"), "no profile 'starter-slow': choose one of"),
        (("run", CHEAP, "--profile", "sd15"), "models pull sd15"),
        (("run", CHEAP, "--models", "nowhere@123"), "'nowhere@123' is no version here"),
        (("run", CHEAP, "--models", "docs"), "there is no profiles.toml in it"),
        (("run", CHEAP, "--resume", "2020"), "There is no eval run yet"),
        (("run", CHEAP, "--baseline", "none-such"), "There is no eval run yet"),
        (("gate",), "There is no eval run yet"),
        (("report", "latest"), "There is no eval run yet"),
        (("compare", "starter"), "There is no eval run yet"),
        (("judge",), "Name two runs"),
        (("judge", "a", "b", "--question", "beauty"), "no question 'beauty': choose of"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    artisan: Artisan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setenv("ARTISAN_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(ROOT)
    _, _, err = artisan("eval", *args, code=2)
    assert said in err
    assert not (tmp_path / "var" / "evals").exists()


def test_a_malformed_dataset_is_named_before_any_work(
    artisan: Artisan, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = shutil.copytree(data.FOLDER, tmp_path / "datasets") / "off_topic.toml"
    rows = broken.read_text("utf-8")
    broken.write_text(f"{rows}\n[[query]]\ntxet = 'a house'\n", "utf-8")
    line = rows.count("\n") + 2
    monkeypatch.setattr(data, "FOLDER", tmp_path / "datasets")
    before = runs_of(house)
    _, _, err = artisan("eval", "run", CHEAP, "style_retrieval", code=2)
    assert f"off_topic.toml, line {line}: 'text' is missing" in err
    assert runs_of(house) == before


def test_a_run_leaves_a_report_and_becomes_a_baseline(
    artisan: Artisan, house: Path, tmp_path: Path
) -> None:
    _, out, _ = artisan("eval", "run", CHEAP, "--n", 4, "--baseline", "none")
    assert "nouns_kept" in out
    run, *_ = runs_of(house)
    assert run.folder is not None
    for name in ("report.html", "report.md", "report.json", "junit.xml"):
        assert (run.folder / name).stat().st_size > 200
    _, shown, _ = artisan("eval", "show", "latest", "--suite", CHEAP)
    assert all(result.case in shown for result in run.results[CHEAP])
    base = tmp_path / "base.json"
    artisan("eval", "baseline", run.header.id, "--file", base)
    assert [r.case for r in read_baseline(base).results[CHEAP]] == [
        r.case for r in run.results[CHEAP]
    ]
    assert run.header.id in artisan("eval", "list")[1]

    found = run.header.datasets[CHEAP]
    base.write_text(base.read_text().replace(found, "0" * 12))
    before = len(runs_of(house))
    _, _, err = artisan("eval", "run", CHEAP, "--n", 4, "--baseline", base, code=2)
    assert f"read the datasets 000000000000, and now they are {found}" in err
    assert len(runs_of(house)) == before, "it ran before it compared"


def test_two_runs_of_one_seed_score_the_same(artisan: Artisan, house: Path) -> None:
    how = ("--n", 6, "--seed", 3, "--fresh", "--baseline", "none")
    for _ in range(2):
        artisan("eval", "run", CHEAP, "threshold", *how)
    second, first, *_ = runs_of(house)
    assert first.header.id != second.header.id
    for suite in first.header.suites:
        assert [(r.case, r.scores, r.controls) for r in first.results[suite]] == [
            (r.case, r.scores, r.controls) for r in second.results[suite]
        ]
    _, told, _ = artisan("eval", "compare", first.header.id, second.header.id)
    assert "can't tell" in told
    assert "worse" not in told
    assert "better" not in told


def test_a_killed_run_goes_on_and_until_then_says_that_it_is_partial(
    artisan: Artisan, house: Path
) -> None:
    args = ("eval", "run", "threshold", "--n", "60", "--baseline", "none")
    known = {run.header.id for run in runs_of(house)}
    with subprocess.Popen(
        [sys.executable, "-m", "server", *args],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as child:
        while not (fresh := [r for r in runs_of(house) if r.header.id not in known]) or (
            len(fresh[0].results["threshold"]) < 5
        ):
            assert child.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
    killed, *_ = runs_of(house)
    assert killed.partial
    assert "PARTIAL" in artisan("eval", "report", killed.header.id, "--baseline", "none")[1]
    _, out, _ = artisan("eval", "gate", killed.header.id, "--baseline", "none", code=1)
    assert "were never run" in out
    artisan("eval", "run", "--resume", killed.header.id, "--baseline", "none")
    whole, *_ = runs_of(house)
    assert whole.header.id == killed.header.id
    assert not whole.partial
    kept = {r.case: r for r in killed.results["threshold"]}
    assert {c: r for r in whole.results["threshold"] if (c := r.case) in kept} == kept
