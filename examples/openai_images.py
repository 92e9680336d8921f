"""Render through the OpenAI package, unmodified: `pip install openai`.

    python examples/openai_images.py examples/sketches/lobby.png "art deco hotel lobby at dusk" out

Start the studio first: `./artisan serve`. It is elsewhere? Set OPENAI_BASE_URL to its address and "/v1".
"""

import argparse
import base64
import os
from pathlib import Path

from openai import BadRequestError, OpenAI

BASE_URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")


def main(sketch: Path, words: str, out: Path) -> None:
    """Leave three pictures in the folder `out`, and the previews of one."""
    out.mkdir(parents=True, exist_ok=True)
    client = OpenAI(base_url=BASE_URL, api_key="any")
    print("models:", ", ".join(model.id for model in client.models.list()))

    # Words alone. `style`, `seed`, `steps`, `profile` and `thread_id` are ours; they go into extra_body.
    answer = client.images.generate(prompt=words, size="1536x1024", extra_body={"seed": 7})
    picture = answer.data[0]
    save(out / "words.png", picture.b64_json)
    print("words.png:", answer.size, "px, styles", picture.artisan["styles"])
    print("  the engine got:", picture.revised_prompt)

    # On a sketch, as a stream: the render can be seen coming about.
    stream = client.images.edit(image=sketch, prompt=words, stream=True, partial_images=2)
    for event in stream:
        if event.type == "image_edit.partial_image":
            save(out / f"sketch-preview-{event.partial_image_index}.png", event.b64_json)
        else:
            save(out / "sketch.png", event.b64_json)
            made = event.artisan
    print("sketch.png: kept", made["fidelity"]["geometry"], "of the lines, seed", made["seed"])

    # Once more on the same thread, so on the same sketch, in a style of the library, as a link.
    more = {"thread_id": made["thread_id"], "style": "none"}
    answer = client.images.generate(
        prompt="warmer light", response_format="url", output_format="webp", extra_body=more
    )
    print("a link:", answer.data[0].url)

    try:
        client.images.generate(prompt=words, size="5x5")
    except BadRequestError as error:
        print("refused:", error.code, "because of", error.param)


def save(file: Path, b64_json: str) -> None:
    """Write an image that came as base64."""
    file.write_bytes(base64.b64decode(b64_json))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sketch", type=Path)
    parser.add_argument("words")
    parser.add_argument("out", type=Path)
    main(**vars(parser.parse_args()))
