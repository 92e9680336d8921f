"""What routes are handed: the one context, graph and set of runs of their server, and who calls."""

import hashlib
from typing import Annotated

from fastapi import Depends, Request

from graph.build import Graph
from graph.context import Context
from graph.releases import Releases
from server.canary import Canary
from server.eventlog import EventLog
from server.runs import Runs


def _context(request: Request) -> Context:
    """Of the release that serves as the request comes in."""
    return _releases(request).context


def _releases(request: Request) -> Releases:
    releases: Releases = request.app.state.releases
    return releases


def _canary(request: Request) -> Canary:
    canary: Canary = request.app.state.canary
    return canary


def _graph(request: Request) -> Graph:
    graph: Graph = request.app.state.graph
    return graph


def _log(request: Request) -> EventLog:
    log: EventLog = request.app.state.log
    return log


def _runs(request: Request) -> Runs:
    runs: Runs = request.app.state.runs
    return runs


def caller_of(request: Request) -> str:
    """Who takes a turn: the bearer of a credential, else everybody at an address."""
    if credential := request.headers.get("authorization"):
        return hashlib.sha256(credential.encode()).hexdigest()
    return request.client.host if request.client else ""


CallerDep = Annotated[str, Depends(caller_of)]
CanaryDep = Annotated[Canary, Depends(_canary)]
ContextDep = Annotated[Context, Depends(_context)]
GraphDep = Annotated[Graph, Depends(_graph)]
LogDep = Annotated[EventLog, Depends(_log)]
ReleasesDep = Annotated[Releases, Depends(_releases)]
RunsDep = Annotated[Runs, Depends(_runs)]
