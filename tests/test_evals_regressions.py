"""What the gate is for: planted regressions are caught on the real pack, and an honest improvement passes."""

import asyncio
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import ROOT

from evals.gate import judge, load_gates
from evals.runner import plan, run
from evals.runs import Run
from evals.suites import SUITES
from evals.summary import compare, summarise
from graph.settings import Settings

GATES = load_gates()
DESCRIPTION = re.compile(r"(?ms)^(description = .*?)^(?=\w+ = )")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The shipped release, with a data folder for all of these tests."""
    data = tmp_path_factory.mktemp("evals")
    return Settings(_env_file=None, data_dir=data, profile="starter-fast")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models whose small files may be changed."""
    folder = tmp_path / "models"
    folder.mkdir()
    for entry in (ROOT / "models").iterdir():
        if entry.is_file():
            shutil.copyfile(entry, folder / entry.name)
        else:
            (folder / entry.name).symlink_to(entry)
    return folder


def evaluated(settings: Settings, suite: str, n: int) -> Run:
    planned = plan(SUITES, [suite], n=n, seed=0, quick=True)
    done = asyncio.run(run(settings, planned, lambda _: None))
    assert all(result.error is None for result in done.results[suite])
    return done


def short(before: Run, after: Run) -> Sequence[str]:
    """The conditions that do not hold."""
    summaries, changes = summarise(after, SUITES), compare(before, after, SUITES)
    rows = judge(after, summaries, changes, GATES.bounds, after.header.suites)
    return [f"{row.suite}.{row.metric} {row.wanted}" for row in rows if not row.passed]


def test_worse_captions_are_caught_and_better_ones_pass(shipped: Settings, tmp_path: Path) -> None:
    """Ten styles are described in the words of another; then they get their own back."""
    library = tmp_path / "library"
    shutil.copytree(shipped.library, library)
    spoilt = sorted(folder for folder in library.iterdir())[:10]
    words = {folder: (folder / "style.toml").read_text("utf-8") for folder in spoilt}
    for folder, other in zip(spoilt, [*spoilt[1:], spoilt[0]], strict=True):
        before, _, after = DESCRIPTION.split(words[folder])
        text = before + DESCRIPTION.split(words[other])[1] + after
        (folder / "style.toml").write_text(text, "utf-8")
        shutil.copyfile(shipped.library / other.name / "captions.txt", folder / "captions.txt")
    good = evaluated(shipped, "style_retrieval", 60)
    bad = evaluated(shipped.model_copy(update={"library": library}), "style_retrieval", 60)
    assert "style_retrieval.recall@1 no regression" in " ".join(short(good, bad))
    assert short(bad, good) == []
    assert compare(bad, good, SUITES)["style_retrieval"]["recall@1"].verdict == "better"


def test_a_weak_control_scale_is_caught(shipped: Settings, models: Path) -> None:
    profiles = models / "profiles.toml"
    text, changed = re.subn(
        r"(?m)^control_scale = 1\.0$", "control_scale = 0.2", profiles.read_text("utf-8"), count=1
    )
    assert changed == 1
    profiles.write_text(text, "utf-8")
    good = evaluated(shipped, "geometry", 6)
    bad = evaluated(shipped.model_copy(update={"models_dir": models}), "geometry", 6)
    assert any(condition.startswith("geometry.") for condition in short(good, bad))
    assert short(good, good) == []


def test_swapped_thresholds_are_caught(shipped: Settings, models: Path) -> None:
    file = models / "calibration.json"
    table = json.loads(file.read_text("utf-8"))
    numbers = table["starter"]
    numbers["floor"], numbers["strong"] = numbers["strong"], numbers["floor"]
    file.write_text(json.dumps(table), "utf-8")
    good = evaluated(shipped, "threshold", 200)
    bad = evaluated(shipped.model_copy(update={"models_dir": models}), "threshold", 200)
    assert any(condition.startswith("threshold.") for condition in short(good, bad))
    assert short(good, good) == []
