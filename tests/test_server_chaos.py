"""A real server process, killed at random moments of real runs."""

import signal
import time
from pathlib import Path

import pytest
from chaos import MortalStudio, follow, rage
from live_server import only

from graph.context import Context
from server.database import open_database
from tools.errors import Conflict


@pytest.mark.timeout(400)
def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    assert rage(tmp_path, trials=17, seed=1) >= 25


async def test_a_studio_that_was_stopped_for_a_while_goes_on_alone(
    context: Context, tmp_path: Path
) -> None:
    """Nobody may take its place meanwhile, so nothing is published twice."""
    settings = context.settings
    mortal = MortalStudio(settings.library, settings.data_dir, tmp_path / "log", step_s=0.05)
    studio = mortal.start()
    try:
        with studio.chatting("a neon city", style="none", steps=20) as events:
            seen = [next(events) for _ in range(6)]
            mortal.send(signal.SIGSTOP)
            with pytest.raises(Conflict) as refused:
                async with open_database(settings.data_dir):
                    pass
            assert refused.value.code == "data_dir_in_use"
            time.sleep(3)  # noqa: ASYNC251  longer than the whole render takes
            mortal.send(signal.SIGCONT)
            seen.extend(events)
        told = follow(studio, seen, seen[0].data)
        assert [event.id for event in told] == list(range(1, len(told) + 1))
        assert only(told, "end") == {"status": "success"}
        assert [e.data["step"] for e in told if e.name == "progress"] == list(range(1, 21))
        (run,) = studio.thread(seen[0].data["thread_id"])["runs"]
        assert run["status"] == "success"
    finally:
        mortal.close()
