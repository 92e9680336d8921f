"""What a caller wishes for, checked before anything begins, in the same way on every wire."""

import asyncio
import hashlib
import json
from typing import Annotated

from fastapi import Header

from graph.choice import StyleChoice, parse_style, settle
from graph.context import Context
from graph.state import Request
from server.eventlog import Once
from server.runs import new_seed
from server.schemas import Wish
from server.styles import refresh
from tools.errors import InvalidRequest, NotFound
from tools.packs import open_pack
from tools.profiles import Profile

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=200, description="Makes it safe to send the request again."),
]


async def checked_request(message: str, wish: Wish, context: Context) -> Request:
    """Return what a run is given for `message`, on the thread's own sketch.

    Raises `InvalidRequest` for what the profile or the library cannot do, `WeightsMissing` when a file of the profile's
    models is missing or altered.
    """
    name = wish.profile or context.settings.profile
    profile = context.profile(name)
    check_bounds(wish, profile)
    await asyncio.to_thread(open_pack, profile, context.settings.models_dir)
    await check_choice(parse_style(wish.style), context)
    return Request(
        message=message,
        sketch=None,
        style=wish.style,
        seed=new_seed() if wish.seed is None else wish.seed,
        steps=wish.steps,
        size=wish.size,
        profile=name,
    )


def once_of(key: str | None, *sent: object) -> Once | None:
    """Return what makes a request with the `Idempotency-Key` `key` the same one when all of `sent` is sent again."""
    if key is None:
        return None
    return Once(key, hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest())


def check_bounds(wish: Wish, profile: Profile) -> None:
    """Raises `InvalidRequest` (`invalid_steps`, `invalid_size`) for more than the profile takes."""
    if wish.steps is not None and wish.steps > profile.steps_max:
        raise InvalidRequest(
            f"{wish.steps} steps: the profile {profile.name} takes 1 to {profile.steps_max}.",
            code="invalid_steps",
        )
    if wish.size is not None and wish.size > profile.size_max:
        raise InvalidRequest(
            f"{wish.size} px: the profile {profile.name} takes up to {profile.size_max}.",
            code="invalid_size",
        )


async def check_choice(choice: StyleChoice | None, context: Context) -> None:
    """Raises `InvalidRequest`: a style that is not there makes the request wrong, not its address."""
    if choice is None:
        return
    await refresh(context)
    try:
        settle(choice, context)
    except NotFound as error:
        raise InvalidRequest(error.message, code=error.code) from error
