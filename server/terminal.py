"""What the terminal shows of a run, and what it asks."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
from PIL import Image, ImageOps
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.prompt import IntPrompt
from rich.style import Style
from rich.table import Table
from rich.text import Text

from graph.state import Fidelity, StyleWeight
from server.client import Event, Refused, cancel, chat, choose, fetch
from server.events import Result
from styles.index import Match
from tools.errors import Cancelled, InvalidRequest
from tools.images import decode_upload

Pick = Callable[[Sequence[Match]], list[StyleWeight]]

PREVIEW_COLUMNS = 40  # characters, each two pixels high
PICTURE_COLUMNS = 64
LOG_COLUMNS = 400  # where no terminal is attached, a line of a log stays one line
IMAGE_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
SCORES = {  # key of Fidelity: what it says
    "geometry": "of your lines are in the picture",
    "invented": "of its edges you did not draw (less is better)",
    "style": "likeness to the style's references",
    "palette": "colour distance to them (less is better)",
    "text": "likeness to your words",
}


def open_console() -> Console:
    """The terminal, or plain lines where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_COLUMNS)


def announce(console: Console, sketch: Path, message: str) -> None:
    """Say what is about to be painted."""
    table = _grid()
    table.add_row(Text("sketch", "bold"), Text(_from_here(sketch)))
    table.add_row(Text("words", "bold"), Text(message))
    console.print(table)


def paint(
    console: Console, http: httpx2.Client, sketch: Path, fields: Mapping[str, str], pick: Pick
) -> Result:
    """Have a sketch painted, showing each step; `pick` answers when the studio asks for the style.

    Raises `Refused` (also for an `error` event), `Unreachable`, and `Cancelled`. Ctrl-C cancels
    the run.
    """
    run: dict[str, str] = {}
    events = chat(http, fields, sketch)
    try:
        while True:
            question = None
            with Board(console, partial(fetch, http)) as board:
                for event in events:
                    data: Any = event.data
                    match event.name:
                        case "metadata":
                            run = data
                        case "interrupt":
                            question = data
                        case "result":
                            result: Result = data
                            return result
                        case "error":
                            raise Refused(
                                data["message"], code=data["code"], retryable=data["retryable"]
                            )
                        case _:
                            board.show(event)
            if question is None:
                raise Cancelled("The run was cancelled.")
            styles = pick(question["candidates"])
            events = choose(http, run["thread_id"], question["id"], styles)
    except KeyboardInterrupt:
        if run:
            cancel(http, run["thread_id"], run["run_id"])
        raise


class Board:
    """A line for each finished step, above the bar and the preview of the one under way."""

    def __init__(self, console: Console, image_at: Callable[[str], bytes]) -> None:
        self._console = console
        self._image_at = image_at
        self._picture = Text()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[note]}"),
        )
        self._task = self._bar.add_task("", total=None, note="")
        self._live = Live(get_renderable=self._view, console=console, transient=True)

    def __enter__(self) -> "Board":
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Show a `node` or `progress` event; any other is passed over."""
        data = event.data
        match event.name, data.get("status"):
            case "node", "started":
                self._bar.reset(self._task, description=data["node"], total=None, note="")
            case "node", "finished":
                self._console.print(_line(data["node"], _time(data["elapsed_ms"]), data["text"]))
            case "progress", _:
                note = f"{data['step']}/{data['total']}, {_time(data['eta_ms'])} left"
                self._bar.update(self._task, completed=data["step"], total=data["total"], note=note)
                if data["preview_url"] and _shows_pictures(self._console):
                    self._picture = in_blocks(self._image_at(data["preview_url"]), PREVIEW_COLUMNS)

    def _view(self) -> Group:
        return Group(self._picture, self._bar)


def take_best(candidates: Sequence[Match]) -> list[StyleWeight]:
    """The first candidate, whole; no style where there is none."""
    return [StyleWeight(style=match["style"], weight=1.0) for match in candidates[:1]]


def ask(console: Console, candidates: Sequence[Match]) -> list[StyleWeight]:
    """Let the person choose from a numbered list; 0 is no style."""
    table = _grid()
    for number, match in enumerate(candidates, 1):
        table.add_row(
            Text(f"{number:>3}", "bold"),
            Text(match["name"]),
            f"{match['score']:.2f}",
            match["band"],
            Text(match["reason"], "dim"),
        )
    table.add_row(
        Text("  0", "bold"), Text("no style"), "", "", Text("from your words alone", "dim")
    )
    console.print("Which style?", table)
    numbers = [str(number) for number in range(len(candidates) + 1)]
    answer = IntPrompt.ask(
        "Number",
        console=console,
        choices=numbers,
        show_choices=False,
        default=min(1, len(candidates)),
    )
    return take_best(candidates[answer - 1 :]) if answer else []


def report(console: Console, result: Result, picture: bytes, saved: Sequence[Path]) -> None:
    """Show what came out: the picture, its scores, style and seed, and where it lies."""
    if _shows_pictures(console):
        console.print(in_blocks(picture, PICTURE_COLUMNS))
    styles = ", ".join(f"{style['style']} {style['weight']:.0%}" for style in result["styles"])
    table = _grid()
    for key, value, meaning in [
        *((key, score(result["fidelity"], key), meaning) for key, meaning in SCORES.items()),
        ("style used", styles or "none", "from your words alone" if not styles else ""),
        ("seed", str(result["seed"]), "makes the same picture again"),
        ("size", f"{result['width']} x {result['height']}", "px"),
        ("time", _time(result["elapsed_ms"]), ""),
    ]:
        table.add_row(Text(key, "bold"), Text(value), Text(meaning, "dim"))
    console.print(table)
    for path in saved:
        console.print(Text.assemble("saved ", (_from_here(path), "bold green")), soft_wrap=True)


def score(fidelity: Fidelity, key: str) -> str:
    """A score as people read it; "-" where there is none."""
    value: float | None = fidelity[key]  # type: ignore[literal-required]
    if value is None:
        return "-"
    return f"{value:.0%}" if key in ("geometry", "invented") else f"{value:.2f}"


def check_target(path: Path) -> None:
    """Make the folder of `path`. Raises `InvalidRequest` when no image can be saved there."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise InvalidRequest(f"{path}: the name must end in {', '.join(IMAGE_SUFFIXES)}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def save(png: bytes, path: Path) -> None:
    """Write the image in the format its suffix names. Raises `InvalidRequest`."""
    try:
        if path.suffix.lower() == ".png":
            path.write_bytes(png)
        else:
            Image.open(BytesIO(png)).convert("RGB").save(path, quality=92)
    except OSError as error:
        raise _unwritable(path, error) from error


def side_by_side(sketch: bytes, render: bytes) -> bytes:
    """The sketch, as large as the render, left of it: a PNG."""
    right = decode_upload(render)
    left = ImageOps.pad(decode_upload(sketch), right.size, color="white")
    gap = max(4, right.width // 32)
    sheet = Image.new("RGB", (2 * right.width + gap, right.height), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (right.width + gap, 0))
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def in_blocks(image: bytes, columns: int) -> Text:
    """Draw an image with half blocks, two pixels to a character."""
    picture = decode_upload(image)
    rows = max(1, round(columns * picture.height / picture.width / 2))
    pixels = picture.resize((columns, 2 * rows), Image.Resampling.BOX).load()
    assert pixels is not None
    text = Text(no_wrap=True)
    for row in range(rows):
        for x in range(columns):
            upper, lower = pixels[x, 2 * row], pixels[x, 2 * row + 1]
            text.append("▀", Style(color=_rgb(upper), bgcolor=_rgb(lower)))
        text.append("\n")
    return text


def _shows_pictures(console: Console) -> bool:
    return console.color_system == "truecolor" and console.encoding.startswith("utf")


def _rgb(pixel: Any) -> str:
    return "#{:02x}{:02x}{:02x}".format(*pixel)


def _line(node: str, time: str, text: str) -> Table:
    line = Table.grid(padding=(0, 1))
    line.add_column(width=16)
    line.add_column(width=10, justify="right")
    line.add_row(Text(node, "green"), Text(time, "dim"), Text(text))
    return line


def _grid() -> Table:
    return Table(box=None, show_header=False, pad_edge=False)


def _time(ms: int) -> str:
    if ms < 1000:
        return f"{ms} ms"
    return f"{ms / 1000:.1f} s" if ms < 60_000 else f"{ms // 60_000} min {ms // 1000 % 60} s"


def _from_here(path: Path) -> str:
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)


def _unwritable(path: Path, error: OSError) -> InvalidRequest:
    return InvalidRequest(f"{path} cannot be written: {error.strerror or error}.")
