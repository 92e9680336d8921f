"""What routes are handed: the one context and the one set of runs of their server."""

from typing import Annotated

from fastapi import Depends, Request

from graph.context import Context
from server.eventlog import EventLog
from server.runs import Runs


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def _log(request: Request) -> EventLog:
    log: EventLog = request.app.state.log
    return log


def _runs(request: Request) -> Runs:
    runs: Runs = request.app.state.runs
    return runs


ContextDep = Annotated[Context, Depends(_context)]
LogDep = Annotated[EventLog, Depends(_log)]
RunsDep = Annotated[Runs, Depends(_runs)]
