"""A real server process, killed at random moments of real runs."""

from pathlib import Path

import pytest
from chaos import rage


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    assert rage(tmp_path, trials=17, seed=1) >= 25
