"""Paint a sketch through MCP, with the official client: `pip install mcp`.

    python examples/mcp_client.py examples/sketches/lobby.png "art deco hotel lobby at dusk" out.png

Start the studio first: `./artisan serve`. Where it asks for the style, the best candidate is taken.
"""

import argparse
import asyncio
import base64
from pathlib import Path

from mcp import Client


async def paint(url: str, sketch: bytes, words: str) -> bytes:
    """Have `sketch` painted by the studio at `url` and return the picture, a PNG."""
    async with Client(url) as studio:
        tools = (await studio.list_tools()).tools
        print("the studio can", ", ".join(tool.name for tool in tools))

        arguments = {"message": words, "sketch": base64.b64encode(sketch).decode()}
        answer = await studio.call_tool("render", arguments, progress_callback=show)
        if not answer.is_error and answer.structured_content["status"] == "question":
            asked = answer.structured_content
            best = asked["question"]["candidates"][0]
            print("which style? taking", best["name"], "because", best["reason"])
            choice = {
                "thread_id": asked["thread_id"],
                "interrupt_id": asked["question"]["interrupt_id"],
                "styles": [{"style": best["style"]}],
            }
            answer = await studio.call_tool("choose", choice, progress_callback=show)

    text, *pictures = answer.content
    if answer.is_error:
        raise SystemExit(text.text)
    made = answer.structured_content
    print("seed", made["seed"], "styles", made["styles"], "fidelity", made["fidelity"])
    print("also at", made["image_url"])
    return base64.b64decode(pictures[0].data)


async def show(_progress: float, _total: float | None, message: str | None) -> None:
    """Print one step."""
    print(message)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sketch", type=Path)
    parser.add_argument("words")
    parser.add_argument("out", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000/mcp")
    args = parser.parse_args()
    picture = asyncio.run(paint(args.url, args.sketch.read_bytes(), args.words))
    args.out.write_bytes(picture)
    print("saved", args.out)
