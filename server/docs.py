"""The HTTP interface as a page of plain HTML, made from the OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; background: #8882; border-radius: 4px; }
code { padding: 0 .2em } pre { padding: 1em; overflow: auto }
h2 { border-bottom: 1px solid #8886; margin-top: 2.5rem }
:root { color-scheme: light dark }
"""


@router.get("/api/docs", response_class=HTMLResponse)
@router.get("/api/redoc", response_class=HTMLResponse)
async def docs(request: Request) -> HTMLResponse:
    """Show every call with what it takes and what it answers."""
    return HTMLResponse("".join(_page(request.app.openapi())))


def _page(api: Mapping[str, Any]) -> Iterator[str]:
    title = escape(api["info"]["title"])
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    yield f"<style>{_STYLE}</style><h1>{title} {escape(api['info']['version'])}</h1>"
    yield '<p>The same for machines: <a href="/openapi.json">openapi.json</a></p>'
    for path, calls in api["paths"].items():
        for method, call in calls.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(call.get('description', '')).replace(chr(10), '<br>')}</p>"
            yield from _inputs(call, api)
            yield from _answers(call)
    yield "<h2>Shapes</h2>"
    for name, schema in api.get("components", {}).get("schemas", {}).items():
        shown = json.dumps(schema, indent=2, ensure_ascii=False)
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><pre>{escape(shown)}</pre>'


def _inputs(call: Mapping[str, Any], api: Mapping[str, Any]) -> Iterator[str]:
    fields = [
        (field["name"], field["in"], field.get("required", False), field["schema"])
        for field in call.get("parameters", [])
    ]
    for media, body in call.get("requestBody", {}).get("content", {}).items():
        name = body["schema"]["$ref"].rpartition("/")[2]
        schema = api["components"]["schemas"][name]
        required = schema.get("required", [])
        fields += [(f, media, f in required, s) for f, s in schema["properties"].items()]
    if fields:
        yield "<ul>"
    for name, place, required, schema in fields:
        needed = ", required" if required else ""
        about = escape(schema.get("description", ""))
        yield f"<li><code>{escape(name)}</code> ({escape(place)}{needed}) {about}</li>"
    if fields:
        yield "</ul>"


def _answers(call: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in call["responses"].items():
        media = ", ".join(answer.get("content", {}))
        yield f"<div><code>{escape(status)}</code> {escape(answer['description'])} "
        yield f"<code>{escape(media)}</code></div>" if media else "</div>"
