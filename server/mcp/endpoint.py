"""`/mcp`: the studio for language models, over MCP's streamable HTTP."""

import ipaddress
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mcp.server import Server, ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import ListToolsResult, PaginatedRequestParams
from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from graph.releases import Releases
from graph.settings import VERSION, Settings
from server.eventlog import EventLog
from server.health import NAME
from server.mcp.desk import LEFT, Desk
from server.mcp.tools import INSTRUCTIONS, TOOLS
from server.problems import problem
from server.runs import Runs

SCHEMAS = {tool.name: tool.input_schema for tool in TOOLS}


@asynccontextmanager
async def open_sessions(
    releases: Releases, log: EventLog, runs: Runs
) -> AsyncIterator[StreamableHTTPSessionManager]:
    """Serve MCP until the block ends; then calls under way are dropped, and their runs are not."""
    server = Server[Any](
        "artisan-studio",
        title=NAME,
        version=VERSION,
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=Desk(releases, log, runs).serve,
        get_tool_input_schema=SCHEMAS.get,
    )
    # How large a body may be is for the application to say, in its own words.
    sessions = StreamableHTTPSessionManager(server, max_request_body_size=sys.maxsize)
    async with sessions.run():
        yield sessions


def route(settings: Settings) -> Route:
    """Where calls come in."""
    return Route("/mcp", Endpoint(settings.host, frozenset(settings.cors_origins)))


async def _list_tools(
    _: ServerRequestContext[Any, Any], __: PaginatedRequestParams | None
) -> ListToolsResult:
    return ListToolsResult(tools=TOOLS)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hands calls to the `app.state.mcp` that `open_sessions` opened.

    Keeps out the web pages that a person happens to look at. Such a page reaches us under its own name (DNS rebinding),
    or says where it comes from. So we answer to addresses and to our own name, and to pages from there or named in the
    settings. The package's list of hosts does not do for a server on 0.0.0.0, whose address can be any.
    """

    host: str  # what we listen on
    pages: frozenset[str]  # origins that are let in besides; "*" is any

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host, origin = _hostname(f"//{headers.get('host')}"), headers.get("origin")
        if not self._is_ours(host):
            detail = "This name is not known here: use the address, or set ARTISAN_HOST to it."
            await problem(421, "unknown_host", detail)(scope, receive, send)
        elif origin and not self._is_let_in(origin, host):
            detail = "Pages from there may not call the studio: name them in ARTISAN_CORS_ORIGINS."
            await problem(403, "foreign_origin", detail)(scope, receive, send)
        else:

            async def watched() -> Message:
                message = await receive()
                if message["type"] == "http.disconnect":
                    scope[LEFT] = True
                return message

            await scope["app"].state.mcp.handle_request(scope, watched, send)

    def _is_let_in(self, origin: str, host: str) -> bool:
        name = _hostname(origin)
        return name == host or _is_loopback(name) or bool(self.pages & {origin, "*"})

    def _is_ours(self, name: str) -> bool:
        return name in ("localhost", self.host.lower()) or _address(name) is not None


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)
