"""Which styles a render shall use: as a caller writes it, and as a person answers."""

import re
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from graph.context import Context
from graph.state import StyleWeight
from styles.catalog import Catalog
from tools.artifacts import ArtifactStore
from tools.errors import AppError, InvalidRequest, NotFound

STYLES_MAX = 4  # in one blend
OWN_REFERENCE = "artifact:"  # prefix of a style that is an image of the user

_SHARE = re.compile(r"\s*(artifact:[0-9a-f]{64}|[^:\s]+)\s*(?::\s*([0-9]*\.?[0-9]+)\s*)?")


class StyleShare(BaseModel):
    """One style of an answer."""

    model_config = ConfigDict(extra="forbid")

    style: Annotated[str, Field(min_length=1, max_length=80)]  # slug or "artifact:<id>"
    weight: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 1.0  # relative


class StyleChoice(BaseModel):
    """The answer to a style question; an empty list means no style."""

    model_config = ConfigDict(extra="forbid")

    styles: Annotated[list[StyleShare], Field(max_length=STYLES_MAX)]


def parse_style(text: str) -> StyleChoice | None:
    """Read the `style` of a request; None where the graph decides ("", "auto", "ask").

    "none" is the empty choice, "slug" or "slug:0.7,slug:0.3" names styles. Raises `InvalidRequest`
    (`invalid_choice`); whether the styles exist is for `settle` to say.
    """
    if text in ("", "auto", "ask"):
        return None
    if text == "none":
        return StyleChoice(styles=[])
    shares = []
    for part in text.split(","):
        found = _SHARE.fullmatch(part)
        if found is None:
            raise _invalid(f"{part[:60]!r} is no style")
        shares.append({"style": found[1], "weight": found[2] or 1.0})
    try:
        return StyleChoice.model_validate({"styles": shares})
    except ValidationError as error:
        raise _invalid(error.errors()[0]["msg"]) from error


def settle(choice: StyleChoice, context: Context) -> list[StyleWeight]:
    """Return the shares of `choice`, summing to 1.

    Raises `NotFound` (`unknown_style`, `unknown_artifact`), and `InvalidRequest` (`invalid_choice`)
    for a style named twice.
    """
    return _settled(choice, context.catalog, context.artifacts)


def _settled(choice: StyleChoice, catalog: Catalog, artifacts: ArtifactStore) -> list[StyleWeight]:
    names = [share.style for share in choice.styles]
    for name in names:
        if names.count(name) > 1:
            raise _invalid(f"{name!r} is named twice")
        if not name.startswith(OWN_REFERENCE):
            catalog.get(name)
        elif not artifacts.exists(name.removeprefix(OWN_REFERENCE)):
            raise NotFound(f"There is no image {name!r}: upload it first.", code="unknown_artifact")
    total = sum(share.weight for share in choice.styles)
    return [StyleWeight(style=s.style, weight=s.weight / total) for s in choice.styles]


def style_name(style: str, context: Context) -> str:
    """Return what a person calls a style. Raises `NotFound` for one that has gone."""
    return "your image" if style.startswith(OWN_REFERENCE) else context.catalog.get(style).name


def answer_schema(context: Context) -> type[StyleChoice]:
    """Return `StyleChoice` as a schema for `interrupt` that also refuses what `settle` refuses.

    An answer refused by its schema leaves the question open; one refused later would be spent.
    """
    # Not the context itself, which holds models: Python keeps the types that were made last.
    catalog, artifacts = context.catalog, context.artifacts

    def check(choice: StyleChoice) -> StyleChoice:
        try:
            _settled(choice, catalog, artifacts)
        except AppError as error:
            raise ValueError(error.message) from error
        return choice

    return cast("type[StyleChoice]", Annotated[StyleChoice, AfterValidator(check)])


def _invalid(what: str) -> InvalidRequest:
    return InvalidRequest(
        f'{what}: name up to {STYLES_MAX} styles as "slug", "slug:0.7,slug:0.3" or '
        '"artifact:<id>", or say "auto", "ask" or "none".',
        code="invalid_choice",
    )
