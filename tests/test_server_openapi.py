"""The OpenAPI document, held against a real server by a fuzzer that has read it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from chaos import MortalStudio
from conftest import ROOT

from graph.context import Context

CASES = 3000
ENDLESS = "stream/events"  # a stream that stays open between runs


@pytest.mark.timeout(500)
def test_every_address_does_as_its_document_says(context: Context, tmp_path: Path) -> None:
    """All checks of schemathesis: no 5xx, no answer out of shape, nothing wrong accepted, nothing right refused."""
    settings = context.settings
    mortal = MortalStudio(settings.library, settings.data_dir, tmp_path / "log", step_s=0.0)
    studio = mortal.start()
    try:
        fuzzed = subprocess.run(
            [
                Path(sys.executable).with_name("st"),
                *("--config-file", ROOT / "tests" / "schemathesis.toml"),
                *("run", f"{studio.http.base_url}/openapi.json", "--checks", "all"),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", "12"),
                *("--exclude-path-regex", ENDLESS, "--seed", "1", "--request-timeout", "30"),
                *("--continue-on-failure", "--no-color", "--no-shrink"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        mortal.close()
    report = fuzzed.stdout[-20_000:] + fuzzed.stderr[-2000:]
    assert fuzzed.returncode == 0, report
    generated = re.search(r"(\d+) generated", fuzzed.stdout)
    assert generated, report
    assert int(generated[1]) >= CASES
    assert "Traceback" not in mortal.log.read_text()
