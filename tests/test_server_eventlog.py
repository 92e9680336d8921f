"""The log on disk."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from server.database import VERSIONS, open_database
from server.eventlog import EventLog, Once, Run, Strategy, as_event, now
from server.events import Status, Told
from tools.errors import Conflict, EngineBusy, NotFound

GIVEN = {"request": {"message": "a house", "sketch": None}}


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[EventLog]:
    async with open_database(tmp_path) as database:
        yield EventLog(database)


def run(run_id: str, thread_id: str = "t") -> Run:
    return Run(thread_id, run_id, "running", GIVEN, now())


async def begin(
    log: EventLog,
    started: Run,
    *,
    new_thread: bool = False,
    answers: str | None = None,
    most: int = 9,
    strategy: Strategy = "enqueue",
) -> None:
    first = as_event(1, Told("metadata", {"run_id": started.run_id}))
    await log.begin(
        started, first, new_thread=new_thread, answers=answers, most=most, strategy=strategy
    )


async def finish(
    log: EventLog, started: Run, status: Status = "success", question: str | None = None
) -> None:
    told = len(await log.events(started))
    asked = [as_event(told + 1, Told("interrupt", {"id": question}))] if question else []
    end = as_event(told + len(asked) + 1, Told("end", {"status": status}))
    await log.finish(started, status, [*asked, end], question)


async def test_a_run_is_kept(log: EventLog) -> None:
    one = run("1")
    await begin(log, one, new_thread=True)
    await log.append(one, as_event(2, Told("node", {"node": "begin"})))
    await finish(log, one)
    assert [(e.id, e.event) for e in await log.events(one)] == [
        (1, "metadata"),
        (2, "node"),
        (3, "end"),
    ]
    kept = await log.run("t", "1")
    assert (kept.status, kept.input) == ("success", GIVEN)
    assert kept.ended_at is not None
    assert kept.ended_at >= kept.created_at


async def test_an_event_has_its_place_once(log: EventLog) -> None:
    one = run("1")
    await begin(log, one, new_thread=True)
    with pytest.raises(sqlite3.IntegrityError):
        await log.append(one, as_event(1, Told("node", {})))
    assert len(await log.events(one)) == 1


async def test_a_refused_run_leaves_nothing(log: EventLog) -> None:
    with pytest.raises(NotFound):
        await begin(log, run("1"))
    await begin(log, run("1"), new_thread=True)
    with pytest.raises(Conflict) as busy:
        await begin(log, run("2"), strategy="reject")
    assert busy.value.code == "thread_busy"
    with pytest.raises(EngineBusy):
        await begin(log, run("3", "u"), new_thread=True, most=1)
    with pytest.raises(NotFound):
        await log.thread("u")
    assert [kept.run_id for kept in (await log.thread("t")).runs] == ["1"]


async def test_a_refused_message_keeps_the_question(log: EventLog) -> None:
    asked, other = run("1"), run("2", "u")
    await begin(log, asked, new_thread=True)
    await finish(log, asked, "interrupted", question="q")
    await begin(log, other, new_thread=True)
    with pytest.raises(EngineBusy):
        await begin(log, run("3"), most=1)
    with pytest.raises(EngineBusy):
        await begin(log, run("3"), answers="q", most=1)
    assert (await log.thread("t")).question == {"id": "q"}
    await begin(log, run("3"), answers="q")
    assert (await log.thread("t")).question is None


async def test_of_many_answers_at_once_one_is_taken(log: EventLog) -> None:
    asked = run("0")
    await begin(log, asked, new_thread=True)
    await finish(log, asked, "interrupted", question="q")
    tries = [begin(log, run(str(number)), answers="q") for number in range(1, 20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert outcomes.count(None) == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert {error.code for error in refused} == {"stale_choice"}
    assert len(refused) == 18


async def test_a_question_can_be_opened_again(log: EventLog) -> None:
    """The graph refused the answer, so its question stands."""
    asked, answer = run("1"), run("2")
    await begin(log, asked, new_thread=True)
    await finish(log, asked, "interrupted", question="q")
    await begin(log, answer, answers="q")
    end = as_event(2, Told("end", {"status": "error"}))
    await log.finish(answer, "error", [end], "q")
    assert (await log.thread("t")).question == {"id": "q"}
    await begin(log, run("3"), answers="q")


async def test_what_has_not_ended_is_known_at_the_next_start(tmp_path: Path) -> None:
    one, two, three = run("1"), run("2", "u"), run("3", "v")
    async with open_database(tmp_path) as database:
        log = EventLog(database)
        for each in (one, two, three):
            await begin(log, each, new_thread=True)
        await log.append(one, as_event(2, Told("node", {})))
        await finish(log, two)
    async with open_database(tmp_path) as database:
        log = EventLog(database)
        assert await log.active() == [one, three]
        assert [event.id for event in await log.events(one)] == [1, 2]


async def test_the_log_of_an_earlier_version_is_brought_up_to_date(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "studio.db")) as old:
        old.executescript(f"{VERSIONS[0]} PRAGMA user_version = 1;")
    once = Once("k", "d")
    for _ in range(2):
        async with open_database(tmp_path) as database:
            log = EventLog(database)
            first = as_event(1, Told("metadata", {}))
            again = await log.begin(
                run("1"), first, new_thread=True, answers=None, most=9, once=once
            )
            assert again.run.run_id == "1"


async def test_a_number_is_given_once(log: EventLog) -> None:
    """Also where the newest run is gone, the file was written anew, and in a copy of the thread."""
    await begin(log, run("1"), new_thread=True)
    await finish(log, run("1"))
    await begin(log, run("2"))
    await log.forget_run(run("2"))
    await log.wipe()
    await begin(log, run("3"))
    await finish(log, run("3"))
    await log.copy_thread("t", "u", {"1": "4"})
    await begin(log, run("5", "u"))
    assert [(n, r.run_id) for n, r in await log.numbered("t")] == [(1, "1"), (3, "3")]
    assert [(n, r.run_id) for n, r in await log.numbered("u")] == [(1, "4"), (4, "5")]


def test_an_event_is_one_line_of_ascii() -> None:
    event = as_event(1, Told("node", {"text": "a\nb\u2028\u0085é\ud800"}))
    assert event.data.isascii()
    assert event.data.isprintable()
    with pytest.raises(ValueError, match="JSON"):
        as_event(1, Told("result", {"score": float("nan")}))
