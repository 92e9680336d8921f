"""The runs of a thread as one stream: whose turn it is, and which of them a new reader has still to hear."""

from collections.abc import AsyncIterator

from server.agent.channels import first_seq
from server.agent.desk import Desk
from server.eventlog import Event, Run

UNHEARD_MAX = 1000


class Unheard:
    """Runs begun by a command whose end no stream has told yet.

    A client opens its streams after its command, when a quick run may be over; the ended runs of a thread are not told
    again to whoever comes, for the end of an old run would pass for that of the client's next one. Streams that only
    watch over a run and those that carry what it says are told apart, for a client has one of each.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, bool], None] = {}

    def add(self, run: Run) -> None:
        for watches in (True, False):
            self._waiting[run.run_id, watches] = None
        while len(self._waiting) > UNHEARD_MAX:
            del self._waiting[next(iter(self._waiting))]

    def told(self, run: Run, *, watches: bool) -> None:
        self._waiting.pop((run.run_id, watches), None)

    def waits(self, run: Run, *, watches: bool) -> bool:
        return (run.run_id, watches) in self._waiting


async def rows(desk: Desk, thread_id: str, past: set[str]) -> AsyncIterator[tuple[int, Run, Event]]:
    """Yield what the runs of a thread tell, one run after the other, those to come too, each with its number.

    Leaves out the runs in `past`. Ends when the server stops.
    """
    while not desk.runs.stopping.is_set():
        accepted = desk.runs.accepted
        numbered = await desk.log.numbered(thread_id)
        ahead = [(number, run) for number, run in numbered if run.run_id not in past]
        if not ahead:
            await accepted.wait()
            continue
        number, run = ahead[0]
        past.add(run.run_id)
        async for event in desk.runs.follow(run):
            yield number, run, event


async def past_runs(
    desk: Desk, thread_id: str, since: int | None, unheard: Unheard, *, watches: bool
) -> set[str]:
    """The ids of the runs that a new stream has nothing to tell of.

    It begins behind the sequence number `since`, else with the run that is under way or waits for an answer.
    """
    numbered = await desk.log.numbered(thread_id)
    if since is not None:
        return {run.run_id for number, run in numbered if first_seq(number + 1) <= since}
    waits = bool(numbered) and (await desk.log.thread(thread_id)).question is not None
    asking = numbered[-1][1].run_id if waits else None
    return {
        run.run_id
        for _, run in numbered
        if run.ended_at and run.run_id != asking and not unheard.waits(run, watches=watches)
    }
