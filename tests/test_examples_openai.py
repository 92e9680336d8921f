"""The examples for OpenAI's wire, for curl and for the browser do what they say, against a live studio."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from conftest import ROOT, alone
from fastapi.responses import FileResponse
from live_server import LiveStudio, only, png, serving_app
from PIL import Image

from graph.context import Context
from graph.releases import Releases
from graph.settings import Settings
from server.app import create_app

EXAMPLES = ROOT / "examples"


@pytest.fixture
def studio(context: Context) -> Iterator[LiveStudio]:
    """A studio that also serves the page, as whoever uses it will do."""

    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[Releases]:
        yield alone(context)

    app = create_app(context.settings, opened)
    app.get("/page.html")(lambda: FileResponse(EXAMPLES / "page.html"))
    with serving_app(app) as studio:
        yield studio


@pytest.fixture
def sketch(tmp_path: Path) -> Path:
    file = tmp_path / "sketch.png"
    file.write_bytes(png())
    return file


def run(studio: LiveStudio, *command: object) -> str:
    """What a command prints; it must end well, and say nothing on stderr."""
    url = str(studio.http.base_url).rstrip("/")
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "STUDIO": url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
    return done.stdout


def size(image: bytes) -> tuple[int, int]:
    return Image.open(BytesIO(image)).size


def test_openai_images(studio: LiveStudio, sketch: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run(studio, sys.executable, EXAMPLES / "openai_images.py", sketch, "a neon city", out)
    assert "models: starter\n" in text
    assert "words.png: 96x64 px, styles [{'style': 'neon', 'weight': 1.0}]" in text
    assert re.search(r"sketch.png: kept [01]\.\d* of the lines, seed \d+", text)
    assert "refused: invalid_size because of size" in text
    sizes = {file.name: size(file.read_bytes()) for file in out.iterdir()}
    assert sizes == {
        "words.png": (96, 64),
        "sketch-preview-0.png": (16, 16),
        "sketch-preview-1.png": (16, 16),
        "sketch.png": (96, 64),
    }
    link = re.search(r"a link: (\S+)", text)
    assert link
    assert studio.http.get(link[1]).headers["content-type"] == "image/webp"


def test_openai_chat(studio: LiveStudio, sketch: Path) -> None:
    lines = ("a city with ink", "2", "warmer")
    text = run(studio, sys.executable, EXAMPLES / "openai_chat.py", sketch, *lines)
    assert [part.split("\n")[0] for part in text.split("> ")[1:]] == list(lines)
    (thread_id,) = set(re.findall(r"#thread=([\w-]+)", text))
    thread = studio.thread(thread_id)
    assert thread["messages"] == ["a city with ink", "warmer"]
    assert [result["styles"] for result in thread["results"]] == [
        [{"style": "neon", "weight": 1.0}]
    ] * 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl(studio: LiveStudio, sketch: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run(studio, "bash", EXAMPLES / "curl.sh", sketch, out)
    assert text.count("== ") == 6
    assert '"status":"idle"' in text
    assert 'data: {"status":"success"}' in text
    for name in ("chat.png", "edit.png"):
        assert size((out / name).read_bytes()) == (96, 64)
    link = re.search(r'"url":"(http[^"]+)"', text.partition("== as OpenAI has it")[2])
    assert link
    assert size(studio.http.get(link[1]).content) == (96, 64)
    assert "![a red boat on a lake](" in text


def test_the_page_speaks_the_words_of_the_studio(studio: LiveStudio) -> None:
    """Its fields are those of the form, its events those of the stream, its addresses are there."""
    page = studio.http.get("/page.html").text
    fields = set(re.findall(r'<input name="(\w+)"', page)) | set(
        re.findall(r'body\.append\("(\w+)"', page)
    )
    known = studio.http.get("/openapi.json").json()["components"]["schemas"]["ChatForm"][
        "properties"
    ]
    assert fields == {"message", "sketch", "style", "thread_id"} <= set(known)
    heard = set(re.findall(r'(?:on|addEventListener)\("(\w+)"', page))
    assert heard == {"node", "progress", "interrupt", "result", "error", "end"}

    asked = studio.chat("a city with ink", png(), style="ask")
    (stream,) = re.findall(r"watch\(`([^`]+)`\)", page)
    metadata = asked[0].data
    stream = stream.replace("${thread_id}", metadata["thread_id"])
    stream = stream.replace("${metadata.run_id}", metadata["run_id"])
    with studio.stream("GET", stream) as events:
        assert list(events) == asked
    (choice,) = re.findall(r"begin\(`([^`]+)`", page)
    body = {"interrupt_id": only(asked, "interrupt")["id"], "styles": [{"style": "ink"}]}
    answer = studio.http.post(choice.replace("${thread_id}", metadata["thread_id"]), json=body)
    assert answer.status_code == 200
    assert set(re.findall(r"interrupt_id|styles|style(?=: candidate)", page)) == {
        "interrupt_id",
        "styles",
        "style",
    }
    outside = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?https?:""", page)
    assert outside == []


BROWSER = """
// As much of a browser as the page touches.
const [page, sketch] = process.argv.slice(1);
const element = () => ({ children: [], replaceChildren(...all) { this.children = all },
  append(...all) { this.children.push(...all) }, removeAttribute() {} });
const elements = {};
globalThis.document = { getElementById: id => elements[id] ??= element(), createElement: element };
globalThis.Image = class {};
globalThis.location = new URL(page);
globalThis.FormData = class extends FormData {
  constructor() {
    super();
    this.append("message", "a city with ink");
    this.append("sketch", new Blob([require("fs").readFileSync(sketch)]), "sketch.png");
    this.append("style", "ask");
  }
};
let closed;
globalThis.EventSource = class {
  handlers = {};
  constructor(url) { this.read(url) }
  addEventListener(name, handler) { this.handlers[name] = handler }
  close() { closed() }
  async read(url) {
    const text = await (await fetch(url)).text();
    for (const block of text.split("\\n\\n")) {
      const of = name => block.match(new RegExp(`^${name}: (.*)`, "m"))?.[1];
      if (of("event")) this.handlers[of("event")]?.({ data: of("data") });
    }
  }
};
const over = () => new Promise(done => { closed = done });
(async () => {
  const html = await (await fetch(page)).text();
  (0, eval)(html.match(/<script>([^]*)<\\/script>/)[1]);
  let end = over();
  elements.form.onsubmit({ preventDefault() {} });
  await end;
  const offered = elements.offer.children.map(item => item.children[0].children[1]);
  const question = elements.said.textContent;
  end = over();
  elements.offer.children[1].children[0].onclick();
  await end;
  console.log(JSON.stringify({ offered, question, hidden: elements.bar.hidden,
    picture: elements.picture.src, alt: elements.picture.alt, left: elements.offer.children.length }));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node")
def test_the_page_renders_and_asks(studio: LiveStudio, sketch: Path) -> None:
    page = f"{studio.http.base_url}/page.html"
    seen = json.loads(run(studio, "node", "-e", BROWSER, page, sketch))
    assert seen["offered"] == ["Ink", "Neon"]
    assert seen["question"] == "Which style shall it be?"
    assert (seen["alt"], seen["hidden"], seen["left"]) == ("a city with ink", True, 0)
    assert studio.http.get(seen["picture"]).content.startswith(b"\x89PNG")
