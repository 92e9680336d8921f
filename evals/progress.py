"""How far a run is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from evals.runner import Done, Plan


class Bar:
    """Progress of a run: a bar with the time left on a terminal, elsewhere a line per suite."""

    def __init__(self, planned: Plan) -> None:

        self._left = {suite.name: len(planned.cases[suite.name]) for suite in planned.suites}
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("opening", total=sum(self._left.values()))

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def told(self, done: Done) -> None:
        """One more case is done."""
        name = done.result.suite
        self._left[name] -= 1
        self._progress.update(self._task, advance=1, description=name)
        if done.result.error:
            self._console.print(f"{name} {done.result.case}: {done.result.error}", markup=False)
        if not self._left[name] and not self._console.is_terminal:
            self._console.print(f"{name}: done")
