"""Which models serve: what runs, what could, and the switch from one to the other."""

import asyncio
import logging

from fastapi import APIRouter
from pydantic import BaseModel, Field

from graph.releases import Refusal, Releases
from server.canary import Canary
from server.deps import CanaryDep, ReleasesDep
from server.problems import PROBLEMS
from tools.versions import Kind

logger = logging.getLogger(__name__)

EVERY_S = 2.0  # between two looks at the registry

router = APIRouter(tags=["models"], responses=PROBLEMS)


class Serving(BaseModel):
    """The release that new runs begin on."""

    versions: dict[str, str] = Field(description="Kind and name, as in every result.")
    registered: dict[str, bool] = Field(description="False: as shipped, in no registry.")
    since: str  # ISO 8601, UTC


class Refused(BaseModel):
    """The last release that did not open, while it has not been replaced."""

    versions: dict[str, str]
    reason: str
    at: str  # ISO 8601, UTC


class Trial(BaseModel):
    """The release in staging, while `ARTISAN_CANARY` or `ARTISAN_SHADOW` asks for it."""

    versions: dict[str, str] | None = Field(
        description="Null: nothing else is there, or it is refused."
    )
    canary: float = Field(description="Share of new threads that begin on it.")
    shadow: float = Field(description="Share of finished runs that are done again on it, unseen.")
    refused: Refused | None = Field(description="What did not open, or broke a run.")


class RegisteredVersion(BaseModel):
    """A version that can be promoted: `./artisan models`."""

    name: str
    kind: Kind
    created: str  # ISO 8601, UTC
    note: str
    eval_run: str | None
    card: str = Field(description="Path of its model card in its folder; empty: it has none.")


class Models(BaseModel):
    """What serves, what the aliases name, and every registered version, newest first."""

    serving: Serving
    refused: Refused | None
    trial: Trial
    aliases: dict[str, dict[str, str]] = Field(
        description="By kind; `shipped`: what no registry holds."
    )
    versions: list[RegisteredVersion]


async def keep_up(releases: Releases) -> None:
    """Follow the registry until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await releases.follow()
        except Exception:
            logger.exception("the registry cannot be followed; trying again")


@router.get("/models")
async def models(releases: ReleasesDep, canary: CanaryDep) -> Models:
    """Say which versions serve, which aliases there are, and which versions could be promoted."""
    return await asyncio.to_thread(_models, releases, canary)


@router.post("/admin/models/reload")
async def reload(releases: ReleasesDep, canary: CanaryDep) -> Models:
    """Serve what is in production now, without waiting for the next look at the registry.

    Runs under way finish on the release they began with. 409 (`release_refused`) when it does not open, and then
    everything stays as it was.
    """
    await releases.reload()
    return await asyncio.to_thread(_models, releases, canary)


def _models(releases: Releases, canary: Canary) -> Models:
    versions, trial = releases.registry.versions(), canary.trial
    serving, known = dict(releases.serving.versions), {version.name for version in versions}
    return Models(
        serving=Serving(
            versions=serving,
            registered={kind: name in known for kind, name in serving.items()},
            since=releases.since,
        ),
        refused=_refused(releases.refusal),
        trial=Trial(
            versions=dict(trial.versions) if trial else None,
            canary=canary.share,
            shadow=canary.shadow,
            refused=_refused(canary.refusal),
        ),
        aliases={kind: dict(named) for kind, named in releases.registry.aliases().items()},
        versions=[
            RegisteredVersion(
                name=version.name,
                kind=version.kind,
                created=version.created,
                note=version.note,
                eval_run=version.eval_run,
                card=version.card,
            )
            for version in versions
        ],
    )


def _refused(refusal: Refusal | None) -> Refused | None:
    if refusal is None:
        return None
    return Refused(versions=dict(refusal.versions), reason=refusal.reason, at=refusal.at)
