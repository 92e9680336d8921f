"""Drive a running studio with the LangGraph SDK, unchanged: a sketch, a question, an answer, a second thought.

    ./artisan serve
    .venv/bin/python examples/langgraph_client.py examples/sketches/house.png

Needs langgraph-sdk, which `make setup` installs. The pictures are written into the present folder.
"""

import argparse
import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
from langgraph_sdk import get_sync_client

ASSISTANT = "artisan"


def main() -> None:
    """Two turns on one thread: the first one asks for the style, the second one keeps it."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("sketch", type=Path, help="a drawing: PNG, JPEG or WebP")
    parser.add_argument("--message", default="a hotel lobby at dusk")
    parser.add_argument("--then", default="with warmer light")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    given = parser.parse_args()

    client: Any = get_sync_client(url=given.url, api_key=None)
    thread_id = client.threads.create()["thread_id"]
    drawing = base64.b64encode(given.sketch.read_bytes()).decode()
    content = [
        {"type": "text", "text": given.message},
        {"type": "image", "base64": drawing, "mime_type": "image/png"},
    ]

    def run(**what: Any) -> dict[str, Any]:
        """Start a run on the thread, show its progress, and return its last values."""
        modes = ["values", "custom"]
        return follow(client.runs.stream(thread_id, ASSISTANT, stream_mode=modes, **what))

    values = run(
        input={"messages": [{"role": "user", "content": content}]}, context={"style": "ask"}
    )
    for question in values.get("__interrupt__", []):
        candidates = question["value"]["candidates"]
        print("Which style?", ", ".join(f"{c['style']} ({c['reason']})" for c in candidates))
        answer = {"styles": [{"style": candidates[0]["style"]}]}
        values = run(command={"resume": {question["id"]: answer}})
    save(values, given.url, Path("langgraph-1.png"))

    values = run(input={"messages": [{"role": "user", "content": given.then}]})
    save(values, given.url, Path("langgraph-2.png"))

    past = client.threads.get_history(thread_id, limit=100)
    print(f"The thread has {len(values['messages'])} messages and {len(past)} checkpoints.")


def follow(parts: Iterable[Any]) -> dict[str, Any]:
    """Print what a run says while it goes on."""
    values: dict[str, Any] = {}
    for part in parts:
        match part.event, part.data:
            case "custom", {"type": "said", "node": node, "text": text}:
                print(f"{node}: {text}")
            case "custom", {"type": "progress", "step": step, "total": total}:
                print(f"\rstep {step} of {total}", end="\n" if step == total else "", flush=True)
            case "values", dict(latest):
                values = latest
            case "error", {"message": message}:
                raise SystemExit(message)
    return values


def save(values: dict[str, Any], url: str, path: Path) -> None:
    """Fetch the picture of the last answer."""
    text, image = values["messages"][-1]["content"]
    path.write_bytes(httpx.get(urljoin(url, image["url"])).raise_for_status().content)
    print(f"{text['text']} -> {path}")


if __name__ == "__main__":
    main()
