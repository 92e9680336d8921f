"""Upload an image, fetch a stored blob."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Header, Response, UploadFile
from pydantic import BaseModel

from graph.context import Context
from server.deps import ContextDep, LogDep
from server.events import artifact_url
from server.problems import PROBLEMS
from server.schemas import ArtifactForm
from tools.images import decode_upload

router = APIRouter(prefix="/artifacts", tags=["artifacts"], responses=PROBLEMS)

# Bytes that came from a stranger must not act in our name, whatever a browser takes them for.
INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


class Stored(BaseModel):
    """An artifact that is there now."""

    artifact_id: str
    url: str


@router.post("", status_code=201)
async def upload(
    form: Annotated[ArtifactForm, Form(media_type="multipart/form-data")],
    context: ContextDep,
    log: LogDep,
) -> Stored:
    """Keep a PNG, JPEG or WebP image, upright and re-encoded as PNG; for a day, or while a thread names it."""
    artifact_id = await keep_upload(form.file, context)
    await log.note_upload(artifact_id)
    return Stored(artifact_id=artifact_id, url=artifact_url(artifact_id))


@router.get("/{artifact_id}", response_class=Response)
async def fetch(
    artifact_id: str, context: ContextDep, if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """Fetch a blob; its id is its content, so it never changes."""
    artifact = await asyncio.to_thread(context.artifacts.get, artifact_id)
    headers = {
        **INERT,
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": f'"{artifact.id}"',
    }
    if artifact.id in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(artifact.data, media_type=artifact.media_type, headers=headers)


async def keep_upload(upload: UploadFile, context: Context) -> str:
    """Store an uploaded image as PNG and return its artifact id. Raises as `decode_upload` does."""
    data = await upload.read()
    return await asyncio.to_thread(lambda: context.artifacts.put_image(decode_upload(data)))
