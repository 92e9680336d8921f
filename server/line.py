"""Who is next: a fair order between callers, so that nobody waits behind another's hundred renders."""

from collections.abc import Collection
from dataclasses import dataclass, field

from server.eventlog import Run


@dataclass(slots=True)
class Line:
    """Runs that wait for their turn.

    A caller's first run is of this round, the second of the next one, and so on; runs of a round go in the order in
    which they came. That is start-time fair queueing with runs of equal cost: P. Goyal et al., SIGCOMM 1996.
    """

    _waiting: dict[str, tuple[int, int, Run]] = field(default_factory=dict)  # round, arrival, run
    _round: int = 0
    _last: dict[str, int] = field(default_factory=dict)  # caller: the round of their newest run
    _arrivals: int = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self, run: Run) -> None:
        """Add `run` behind what its caller has waiting."""
        turn = max(self._round, self._last.get(run.caller, -1) + 1)
        self._last[run.caller] = turn
        self._arrivals += 1
        self._waiting[run.run_id] = (turn, self._arrivals, run)

    def leave(self, run: Run) -> bool:
        """Take `run` out; False when it does not wait."""
        return self._waiting.pop(run.run_id, None) is not None

    def order(self) -> list[Run]:
        """The runs as they will be served, as far as one can tell now."""
        return [run for *_, run in sorted(self._waiting.values(), key=lambda entry: entry[:2])]

    def next(self, busy: Collection[str]) -> Run | None:
        """Take the first run whose thread is not in `busy`."""
        for run in self.order():
            if run.thread_id not in busy:
                self._round = self._waiting.pop(run.run_id)[0]
                self._last = {c: turn for c, turn in self._last.items() if turn >= self._round}
                return run
        return None
