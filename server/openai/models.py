"""The profiles, as the models that clients list and pick from."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from server.deps import ContextDep
from server.openai.shapes import ERRORS, Refused

router = APIRouter(prefix="/v1/models", tags=["openai"], responses=ERRORS)


class Model(BaseModel):
    """A profile."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0  # nobody wrote it down
    owned_by: str = "artisan-studio"


class ModelList(BaseModel):
    """Every profile, the default one first."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get("")
async def models(context: ContextDep) -> ModelList:
    """List the profiles, the default one first."""
    default = context.settings.profile
    names = sorted(context.profiles, key=lambda name: (name != default, name))
    return ModelList(data=[Model(id=name) for name in names])


@router.get("/{name:path}")
async def model(name: str, context: ContextDep) -> Model:
    """Look up one profile."""
    if name not in context.profiles:
        known = ", ".join(sorted(context.profiles))
        message = f"There is no model {name[:60]!r}: choose one of {known}."
        raise Refused(message, code="model_not_found", param="model", status=404)
    return Model(id=name)
