"""A conversation through the OpenAI package, as any chat front end has it: `pip install openai`.

    python examples/openai_chat.py examples/sketches/house.png "a house in the hills" "2" "at dusk"

Start the studio first: `./artisan serve`. Where it asks for a style, the next line is the answer: a number, a name,
or other words. It is elsewhere? Set OPENAI_BASE_URL to its address and "/v1".
"""

import argparse
import base64
import os
from pathlib import Path

from openai import OpenAI

BASE_URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")


def main(sketch: Path, lines: list[str]) -> None:
    """Say `lines`, the first one with the sketch, and print what the studio answers."""
    client = OpenAI(base_url=BASE_URL, api_key="any")
    data = base64.b64encode(sketch.read_bytes()).decode()
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    messages = []
    for line in lines:
        content = [{"type": "text", "text": line}] + ([] if messages else [image])
        messages.append({"role": "user", "content": content})
        print(f"> {line}\n")
        said = ""
        stream = client.chat.completions.create(model="starter", messages=messages, stream=True)
        for chunk in stream:
            word = chunk.choices[0].delta.content or ""
            print(word, end="", flush=True)
            said += word
        print("\n")
        messages.append({"role": "assistant", "content": said})  # its links carry the thread


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sketch", type=Path)
    parser.add_argument("lines", nargs="+")
    main(**vars(parser.parse_args()))
