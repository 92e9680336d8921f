"""The style library: list, look up, search, add, remove."""

import asyncio
import logging
import re
import unicodedata
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from graph.context import Context
from server.artifacts import INERT
from server.deps import ContextDep
from server.problems import PROBLEMS
from server.schemas import Message, StyleForm
from styles.calibration import Band
from styles.catalog import CatalogError, Style
from tools.errors import InvalidRequest, NotFound, WeightsMissing
from tools.images import decode_upload

logger = logging.getLogger(__name__)

RESERVED = frozenset({"auto", "ask", "none", "search"})  # a style called so could not be named
INVALID_SLUG = "invalid_slug"

router = APIRouter(prefix="/styles", tags=["styles"], responses=PROBLEMS)


class StyleSummary(BaseModel):
    """A style, as a card shows it."""

    slug: str
    name: str
    description: str
    tags: list[str]
    mood: list[str]
    era: str
    palette: list[str]  # "#rrggbb": backdrop, ground, main, second, light, ink
    image_url: str
    built_in: bool


class StyleList(BaseModel):
    """Every style, by slug."""

    styles: list[StyleSummary]


class StyleDetail(StyleSummary):
    """All there is to know about a style."""

    prompt: str
    licence: str
    source: str
    guide: str
    references: list[str]  # URLs


class StyleMatch(BaseModel):
    """A style found for some words."""

    style: str  # slug
    name: str
    score: float  # 0..1, calibrated probability that the style fits
    band: Band
    reason: str
    image_url: str


class Matches(BaseModel):
    """The styles that fit, best first."""

    matches: list[StyleMatch]


def reference_url(slug: str, number: int) -> str:
    """Where the reference image `number` (from 1) of a style is served."""
    return f"/styles/{slug}/references/{number}"


async def refresh(context: Context) -> None:
    """Take in styles that came to the library or left it, also by hand, and let the index follow.

    A broken one is logged; until it is mended everything stays as it was.
    """
    try:
        changed = await asyncio.to_thread(context.catalog.reload)
    except CatalogError as error:
        logger.warning("the style library is not read again: %s", error.message)
        return
    if changed:
        with suppress(WeightsMissing):  # an index that opens later looks for itself
            studio = await context.studio(context.settings.profile)
            await context.lane.run(lambda _: studio.index.sync(context.catalog.styles.values()))


@router.get("")
async def list_styles(context: ContextDep) -> StyleList:
    """List the library."""
    await refresh(context)
    return StyleList(styles=[_summary(s, context) for s in context.catalog.styles.values()])


@router.get("/search")
async def search(
    q: Annotated[Message, Query()],
    context: ContextDep,
    k: Annotated[int, Query(ge=1, le=50)] = 8,
    profile: Annotated[str, Query(max_length=80)] = "",
) -> Matches:
    """Find the styles that fit some words, as a profile's encoder sees them."""
    await refresh(context)
    studio = await context.studio(context.profile(profile or context.settings.profile).name)
    found = await asyncio.to_thread(studio.index.search, q, k)
    return Matches(matches=[StyleMatch(**match) for match in found])


@router.post("", status_code=201)
async def add(
    form: Annotated[StyleForm, Form(media_type="multipart/form-data")], context: ContextDep
) -> StyleDetail:
    """Add a style of one's own; its palette is taken from its images."""
    slug = form.slug or _slug(form.name)
    if slug in RESERVED:
        raise InvalidRequest(f"{slug!r} has a meaning of its own: take another.", code=INVALID_SLUG)
    uploads = [await image.read() for image in form.images]

    def write() -> Style:
        return context.catalog.add(
            slug=slug,
            name=form.name,
            description=form.description,
            tags=form.tags,
            prompt=form.prompt,
            images=[decode_upload(upload) for upload in uploads],
        )

    await refresh(context)
    added = await asyncio.to_thread(write)
    await refresh(context)
    return await asyncio.to_thread(_detail, added, context)


@router.get("/{slug}")
async def style(slug: str, context: ContextDep) -> StyleDetail:
    """Show one style with its guide."""
    await refresh(context)
    return await asyncio.to_thread(_detail, context.catalog.get(slug), context)


@router.delete("/{slug}", status_code=204)
async def remove(slug: str, context: ContextDep) -> Response:
    """Remove a style of one's own; those that ship with the studio stay."""
    await refresh(context)
    await asyncio.to_thread(context.catalog.remove, slug)
    await refresh(context)
    return Response(status_code=204)


@router.get("/{slug}/references/{number}", response_class=FileResponse)
async def reference(slug: str, number: int, context: ContextDep) -> FileResponse:
    """Fetch a reference image; the first has the number 1."""
    found = await asyncio.to_thread(lambda: context.catalog.get(slug).references)
    if not 1 <= number <= len(found):
        message = f"The style {slug!r} has {len(found)} reference images, not {number}."
        raise NotFound(message, code="unknown_reference")
    return FileResponse(found[number - 1], headers={**INERT, "Cache-Control": "max-age=3600"})


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")
    if len(slug) < 2:
        raise InvalidRequest(
            f"No slug can be made of {name[:60]!r}: send one, of a-z, 0-9 and '-'.",
            code=INVALID_SLUG,
        )
    return slug


def _summary(style: Style, context: Context) -> StyleSummary:
    return StyleSummary(
        slug=style.slug,
        name=style.name,
        description=style.description,
        tags=list(style.tags),
        mood=list(style.mood),
        era=style.era,
        palette=list(style.palette),
        image_url=reference_url(style.slug, 1),
        built_in=context.catalog.built_in(style.slug),
    )


def _detail(style: Style, context: Context) -> StyleDetail:
    return StyleDetail(
        **_summary(style, context).model_dump(),
        prompt=style.prompt,
        licence=style.licence,
        source=style.source,
        guide=style.guide,
        references=[reference_url(style.slug, n) for n in range(1, len(style.references) + 1)],
    )
