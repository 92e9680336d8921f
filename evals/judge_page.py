"""The page on which pairs are judged: served to this machine alone, with pictures whose addresses say nothing."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.judge import QUESTIONS, Pair, Tally, Votes, tally, told
from tools.errors import AppError, InvalidRequest, NotFound

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

PORT = 8010
HOSTS = ["127.0.0.1", "localhost"]
NAME_MAX = 60  # characters of a judge's name
PICTURE_TYPE = "image/webp"  # as the runner keeps them


def serve_judge(
    pairs: Sequence[Pair], votes_file: Path, question: str, port: int = PORT
) -> list[Tally]:
    """Serve the page on 127.0.0.1 until Ctrl+C, say where, and return what all votes about `pairs` come to.

    Votes go to `votes_file`; those that are there are not asked for again. Port 0 takes any that is free.
    Raises `InvalidRequest` when the port is taken.
    """
    import uvicorn

    votes = Votes(votes_file, pairs, question)
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise InvalidRequest(
            f"Port {port}: {error.strerror}. Choose another with --port."
        ) from error
    with listener:
        print(f"judge at http://127.0.0.1:{listener.getsockname()[1]} (Ctrl+C ends)", flush=True)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(judge_app(votes), log_level="warning")).run([listener])
    return tally(votes.standing())


def judge_app(votes: Votes) -> Starlette:
    """The page and what it asks: `/state`, `/vote`, `/undo`, `/picture/{id}`.

    Only this machine may ask, by its own names, so that no other page can, and only a page of ours may vote.
    """
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    judging = _Judging(votes)
    return Starlette(
        routes=[
            Route("/", judging.page),
            Route("/state", judging.state),
            Route("/vote", judging.vote, methods=["POST"]),
            Route("/undo", judging.undo, methods=["POST"]),
            Route("/picture/{id}", judging.picture),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
        exception_handlers={AppError: _refusal},
    )


@dataclass(slots=True)
class _Judging:
    votes: Votes
    _pictures: dict[str, Path] = field(default_factory=dict)
    _views: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pair in self.votes.pairs:
            self._views[pair.id] = {
                "id": pair.id,
                "said": pair.said,
                "left": self._address(pair.left),
                "right": self._address(pair.right),
                "beside": [
                    {"caption": caption, "src": self._address(file)}
                    for caption, file in pair.beside.items()
                ],
            }

    async def page(self, _: Request) -> Response:
        from starlette.responses import HTMLResponse

        from evals.report.page import TEMPLATES, environment, script_hash

        script = (TEMPLATES / "judge.js").read_text("utf-8")
        html = (
            environment()
            .get_template("judge.html")
            .render(
                question=QUESTIONS[self.votes.question],
                kind=self.votes.question,
                total=len(self.votes.pairs),
                script=script,
            )
        )
        policy = (
            "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline';"
            f" script-src '{script_hash(script)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return HTMLResponse(html, headers={"Content-Security-Policy": policy, **NO_STORE})

    async def state(self, request: Request) -> Response:
        return self._answer(_name(request.query_params.get("judge")))

    async def vote(self, request: Request) -> Response:
        asked = await _asked(request)
        judge, pair, choice = _name(asked.get("judge")), asked.get("pair"), asked.get("choice")
        if isinstance(choice, bool) or choice not in (0, 1, 2):
            raise InvalidRequest(f"A choice is 0, 1 or 2, not {choice!r}.")
        self.votes.vote(judge, str(pair), choice)
        return self._answer(judge)

    async def undo(self, request: Request) -> Response:
        judge = _name((await _asked(request)).get("judge"))
        self.votes.undo(judge)
        return self._answer(judge)

    async def picture(self, request: Request) -> Response:
        from starlette.responses import Response

        file = self._pictures.get(request.path_params["id"])
        if file is None:
            raise NotFound("There is no such picture.")
        # Long enough to load the next pair ahead, and of no use to the next session.
        kept = {"Cache-Control": "private, max-age=3600"}
        return Response(file.read_bytes(), media_type=PICTURE_TYPE, headers=kept)

    def _address(self, file: Path) -> str:
        name = secrets.token_urlsafe(12)
        self._pictures[name] = file
        return f"/picture/{name}"

    def _answer(self, judge: str) -> Response:
        from starlette.responses import JSONResponse

        left = self.votes.left_for(judge)
        total = len(self.votes.pairs)
        state = {
            "pair": self._views[left[0].id] if left else None,
            "next": self._views[left[1].id] if len(left) > 1 else None,
            "done": total - len(left),
            "total": total,
            # Not before the last vote: to know how it stands would be to know what is what.
            "result": None if left else self._result(judge),
        }
        return JSONResponse(state, headers=NO_STORE)

    def _result(self, judge: str) -> str:
        votes = self.votes.standing()
        own = [told(of) for of in tally(vote for vote in votes if vote.judge == judge)]
        if any(vote.judge != judge for vote in votes):
            own += ["", "Everybody:", *(told(of) for of in tally(votes))]
        return "\n".join(own)


NO_STORE = {"Cache-Control": "no-store"}


async def _asked(request: Request) -> dict[str, Any]:
    """The JSON object of a request that a page of ours sent. Raises `InvalidRequest` for any other."""
    own = f"http://{request.headers.get('host')}"
    foreign = request.headers.get("origin", own) != own
    if foreign or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise InvalidRequest("Votes come from the judge's own page.", code="foreign_origin")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise InvalidRequest("A vote is JSON.")
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise InvalidRequest("A vote is JSON.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("A vote is a JSON object.")
    return body


def _name(judge: object) -> str:
    name = " ".join(judge.split()) if isinstance(judge, str) else ""
    if not 0 < len(name) <= NAME_MAX:
        raise InvalidRequest(f"A judge has a name of 1 to {NAME_MAX} characters.")
    return name


STATUS = {"stale_pair": 409, "nothing_to_undo": 409, "foreign_origin": 403}


async def _refusal(_: Request, error: Exception) -> Response:
    from starlette.responses import JSONResponse

    assert isinstance(error, AppError)
    return JSONResponse(
        {"code": error.code, "message": error.message},
        STATUS.get(error.code, error.status),
        headers=NO_STORE,
    )
