"""The command line; what a command needs is imported when it runs, so `--help` is quick."""

import os
import re
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evals.cli import app as eval_app
from server.models_cli import app as models_app
from server.shell import ROOT, print_rows, read_settings
from tools.errors import AppError, Conflict, InvalidRequest

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI
    from PIL.Image import Image
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from graph.settings import Settings
    from styles.catalog import Catalog

DEMO_SKETCH = ROOT / "examples" / "sketches" / "lobby.png"
DEMO_WORDS = "art deco hotel lobby at dusk"
DEMO_OUT = ROOT / "out" / "demo.png"
DRAIN_S = 10  # for open streams to end when the server stops

app = typer.Typer(
    name="artisan",
    help="Artisan Studio: a sketch and a sentence become a picture.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
styles_app = typer.Typer(help="The style library.", no_args_is_help=True)
app.add_typer(styles_app, name="styles")
app.add_typer(models_app, name="models")
app.add_typer(eval_app, name="eval")

Sketch = Annotated[
    Path, typer.Argument(help="A drawing: PNG, JPEG or WebP.", exists=True, dir_okay=False)
]
Style = Annotated[
    str | None,
    typer.Option(
        help="auto, ask, none, a slug, or slug:0.7,slug:0.3. Asks when not sure, if left out."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Take the best style instead of asking.")]
ProfileName = Annotated[str | None, typer.Option("--profile", help="The models to use.")]
Server = Annotated[
    str | None,
    typer.Option(help="A studio's URL. Left out: the one that runs here, else one of its own."),
]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    profile: ProfileName = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the server until Ctrl-C."""
    from server.client import local_url

    if until_stdin_closes:
        _stop_when_stdin_closes()
    os.chdir(ROOT)  # where the paths of the settings start
    settings = read_settings(host=host, port=port, profile=profile)
    with _listen(settings.host, settings.port) as listener:
        from server.app import create_app

        url = local_url(settings.host, listener.getsockname()[1])
        typer.echo(f"Artisan Studio on {url} (Ctrl-C stops it)")
        try:
            _server(create_app(settings)).run(sockets=[listener])
        except SystemExit as failed:  # its start failed, and it has said why
            raise typer.Exit(2) from failed


@app.command()
def demo(
    sketch: Annotated[
        Path, typer.Option(help="The drawing.", exists=True, dir_okay=False)
    ] = DEMO_SKETCH,
    prompt: Annotated[str, typer.Option(help="The sentence.")] = DEMO_WORDS,
    style: Style = None,
    yes: Yes = False,
) -> None:
    """Paint a shipped sketch and show every step on the way."""
    _paint(sketch, {"message": prompt, "style": style}, DEMO_OUT, yes=yes, beside=True)


@app.command()
def render(
    sketch: Sketch,
    prompt: Annotated[str, typer.Argument(help="What it should become.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the picture goes.")] = Path(
        "render.png"
    ),
    style: Style = None,
    seed: Annotated[int | None, typer.Option(help="Makes the same picture again.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    size: Annotated[int | None, typer.Option(help="Long side, px, a multiple of 8.")] = None,
    profile: ProfileName = None,
    yes: Yes = False,
    server: Server = None,
) -> None:
    """Paint a sketch of your own."""
    fields = {
        "message": prompt,
        "style": style,
        "seed": seed,
        "steps": steps,
        "size": size,
        "profile": profile,
    }
    _paint(sketch, fields, out, yes=yes, server=server)


@app.command()
def replay(
    picture: Annotated[
        Path, typer.Argument(help="A PNG that the studio made.", exists=True, dir_okay=False)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where the new picture goes.")
    ] = None,
) -> None:
    """Make a picture again from the recipe in its file; exit code 1 when it is not identical."""
    from server.replay import replay_file

    if not replay_file(picture, out, read_settings()):
        raise typer.Exit(1)


@styles_app.command("list")
def list_styles() -> None:
    """Every style there is."""
    rows = [
        (s.slug, s.name, ", ".join(s.tags[:5])) for s in _catalog(read_settings()).styles.values()
    ]
    print_rows(("slug", "name", "tags"), rows)


@styles_app.command("search")
def search_styles(query: str, server: Server = None) -> None:
    """The styles that fit your words, best first."""
    from server.client import search, studio

    with studio(server, read_settings()) as http:
        matches = search(http, query)
    rows = [(m["style"], f"{m['score']:.2f}", m["band"], m["reason"]) for m in matches]
    print_rows(("slug", "score", "fits", "why"), rows)


@styles_app.command("add")
def add_style(
    paths: Annotated[list[Path], typer.Argument(help="A style folder, or images.", exists=True)],
    name: Annotated[str, typer.Option(help="Name, for images.")] = "",
    description: Annotated[str, typer.Option(help="The look in plain words, for images.")] = "",
    tags: Annotated[str, typer.Option(help="Comma-separated, for images.")] = "",
) -> None:
    """Add a style of your own: its folder, or images with a name, description and tags."""
    catalog = _catalog(read_settings())
    if len(paths) == 1 and paths[0].is_dir():
        slug = _add_folder(catalog, paths[0])
    else:
        slug = _add_images(catalog, paths, name, description, tags)
    typer.echo(f"added {slug}")


def main() -> None:
    """Run the command line; a known error is one message and exit code 2, never a traceback."""
    try:
        app(prog_name="artisan")
    except AppError as error:
        typer.echo(error.message, err=True)
        sys.exit(2)


def _paint(
    sketch: Path,
    values: Mapping[str, str | int | None],
    out: Path,
    *,
    yes: bool,
    server: str | None = None,
    beside: bool = False,
) -> None:
    """Have `sketch` painted, save the picture (and a sheet of both), and say how it went."""
    from server import terminal
    from server.client import fetch, studio

    console = terminal.open_console()
    terminal.check_target(out)
    asks = not yes and sys.stdin.isatty() and console.is_terminal
    fields = {key: str(value) for key, value in values.items() if value is not None}
    terminal.announce(console, sketch, fields["message"])
    with ExitStack() as stack:
        with console.status("opening the studio"):
            http = stack.enter_context(studio(server, read_settings()))
        pick = partial(terminal.ask, console) if asks else terminal.take_best
        result = terminal.paint(console, http, sketch, fields, pick)
        picture = fetch(http, result["image_url"])
    saved = {out: picture}
    if beside:
        sheet = terminal.side_by_side(sketch.read_bytes(), picture)
        saved[out.with_stem(f"{out.stem}-side-by-side")] = sheet
    for path, image in saved.items():
        terminal.save(image, path)
    terminal.report(console, result, picture, list(saved))


def _catalog(settings: "Settings") -> "Catalog":
    from styles.catalog import Catalog

    return Catalog(ROOT / settings.library, ROOT / settings.data_dir / "styles")


def _add_folder(catalog: "Catalog", folder: Path) -> str:
    """Add the style in `folder` with all that it says of itself."""
    from styles.catalog import load_style

    style = load_style(folder.resolve())
    added = catalog.add(
        slug=style.slug,
        name=style.name,
        description=style.description,
        tags=style.tags,
        prompt=style.prompt,
        images=_open_images(style.references),
        palette=style.palette,
        mood=style.mood,
        era=style.era,
        licence=style.licence,
        source=style.source,
    )
    for name in ("guide.md", "captions.txt"):
        if (style.folder / name).is_file():
            shutil.copyfile(style.folder / name, added.folder / name)
    return added.slug


def _add_images(
    catalog: "Catalog", paths: Sequence[Path], name: str, description: str, tags: str
) -> str:
    """Add a style of which there are only pictures and a few words."""
    words = [tag.strip() for tag in tags.split(",") if tag.strip()]
    if not (name and description and words):
        raise InvalidRequest("Images need --name, --description and --tags to be found by.")
    added = catalog.add(
        slug="-".join(re.findall("[a-z0-9]+", name.lower())),
        name=name,
        description=description,
        tags=words,
        prompt=f"{{prompt}}, {name} style, {', '.join(words)}",
        images=_open_images(paths),
    )
    return added.slug


def _open_images(paths: Iterable[Path]) -> "list[Image]":
    """Decode images of the user's. Raises `InvalidRequest` naming the file that is none."""
    from tools.images import decode_upload

    images = []
    for path in paths:
        try:
            images.append(decode_upload(path.read_bytes()))
        except (AppError, OSError) as error:
            raise InvalidRequest(f"{path}: {error}") from error
    return images


def _listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises `Conflict` (`port_in_use`) when that cannot be."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        message = f"Cannot listen on {host}:{port} ({error.strerror}): choose another with --port."
        raise Conflict(message, code="port_in_use") from error


def _stop_when_stdin_closes() -> None:
    """End this process, as SIGTERM does, once the one that holds our standard input is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def _server(app: "FastAPI") -> "uvicorn.Server":
    """A server that tells its watchers first when it stops, and so need not wait for them."""
    import uvicorn

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.runs.stopping.set()
            await super().shutdown(sockets)

    config = uvicorn.Config(_plainly(app), timeout_graceful_shutdown=DRAIN_S, log_level="warning")
    return Server(config)


def _plainly(app: "ASGIApp") -> "ASGIApp":
    """Let a start that fails for a known reason say it in a line, without its traceback."""

    async def plain(scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def tell(message: "Message") -> None:
            error = sys.exc_info()[1]
            if message["type"] == "lifespan.startup.failed" and isinstance(error, AppError):
                message = {**message, "message": error.message}
            await send(message)

        await app(scope, receive, tell if scope["type"] == "lifespan" else send)

    return plain
