"""Staging against production, by scores that are known: what is better, what is worse, and what nobody can tell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.canary import Comparison, Row, compare_releases, read_scores, unpaired

PRODUCTION = {"pack": "starter@aaaaaaaaaaaa", "thresholds": "t@1", "prompts": "p@1"}
STAGING = {**PRODUCTION, "pack": "starter@bbbbbbbbbbbb"}
RNG = np.random.default_rng(0)


def line(
    request: object, geometry: float, versions: Any = PRODUCTION, shadow: bool = False, **more: Any
) -> str:
    fidelity = {"geometry": geometry, "style": None}
    return json.dumps(
        {
            "time": "2026-11-21T20:00:00.000+00:00",
            "request": str(request),
            "shadow": shadow,
            "versions": versions,
            "fidelity": fidelity,
            "seconds": 2.0,
            **more,
        }
    )


def compared(file: Path, lines: list[str]) -> Comparison:
    file.write_text("\n".join(lines) + "\n")
    return compare_releases(read_scores(file), PRODUCTION, STAGING)


def row(comparison: Comparison, metric: str, how: str) -> Row:
    (found,) = [r for r in comparison.rows if (r.metric, r.how) == (metric, how)]
    return found


def test_shadows_are_paired_with_what_they_are_shadows_of(tmp_path: Path) -> None:
    """Requests differ far more than releases do; only pairs can tell."""
    hard = RNG.uniform(0.2, 0.9, 40)
    lines = [line(n, value) for n, value in enumerate(hard)]
    lines += [
        line(n, value + 0.02 + RNG.normal(0, 0.005), STAGING, shadow=True)
        for n, value in enumerate(hard)
    ]
    lines += [line(1000 + n, value, STAGING) for n, value in enumerate(RNG.uniform(0.2, 0.9, 20))]
    told = compared(tmp_path / "canary.jsonl", lines)
    shadow, canary = row(told, "geometry", "shadow"), row(told, "geometry", "canary")
    assert shadow.verdict == "better"
    assert shadow.difference.value == pytest.approx(0.02, abs=0.003)
    assert shadow.cases == (40, 40)
    assert canary.verdict == "can't tell"
    assert canary.cases == (40, 20)
    assert row(told, "seconds", "shadow").verdict == "can't tell"
    assert not [r for r in told.rows if r.metric == "style"], "it was never measured"


def test_a_worse_canary_is_found_out(tmp_path: Path) -> None:
    lines = [line(n, value) for n, value in enumerate(RNG.normal(0.9, 0.03, 60))]
    lines += [line(100 + n, value, STAGING) for n, value in enumerate(RNG.normal(0.8, 0.03, 30))]
    found = row(compared(tmp_path / "canary.jsonl", lines), "geometry", "canary")
    assert found.verdict == "worse"
    assert found.difference.low < -0.1 < found.difference.high


def test_other_releases_and_damaged_lines_do_not_count(tmp_path: Path) -> None:
    other = {**PRODUCTION, "prompts": "p@0"}
    lines = [line(1, 0.9), line(2, 0.1, other), line(3, 0.9, STAGING), line(4, 0.9)[:40], "[]"]
    told = compared(tmp_path / "canary.jsonl", lines)
    assert dict(told.renders) == {"production": 1, "canary": 1, "shadow": 0}


def test_what_staging_broke_is_counted_and_never_averaged(tmp_path: Path) -> None:
    broken: dict[str, Any] = {"fidelity": {}, "seconds": None, "error": "RuntimeError"}
    lines = [line(1, 0.9), line(2, 0.9)]
    lines += [line(1, 0.0, STAGING, shadow=True, **broken), line(3, 0.0, STAGING, **broken)]
    told = compared(tmp_path / "canary.jsonl", lines)
    assert dict(told.failed) == {"canary": 1, "shadow": 1}
    assert told.rows == ()


def test_two_or_three_renders_decide_nothing() -> None:
    difference, sure = unpaired([0.1, 0.1], [0.9, 0.9])
    assert tuple(difference) == pytest.approx((0.8, 0.8, 0.8))
    assert not sure
    assert unpaired([0.1, 0.12, 0.11, 0.1, 0.13], [0.9, 0.91, 0.92, 0.9, 0.9])[1]


def test_equal_releases_are_rarely_told_apart() -> None:
    """At 95 % one in twenty is; were it one in four, the test would be wrong."""
    rng = np.random.default_rng(1)
    told = [unpaired(rng.normal(size=25), rng.normal(size=15))[1] for _ in range(20)]  # type: ignore[arg-type]
    assert sum(told) < 5


def test_no_file_is_no_scores(tmp_path: Path) -> None:
    assert read_scores(tmp_path / "nothing.jsonl") == []
