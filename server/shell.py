"""What the commands share: how settings are read and rows are printed."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tools.errors import InvalidRequest

if TYPE_CHECKING:
    from graph.settings import Settings

ROOT = Path(__file__).parent.parent


def read_settings(**given: str | int | None) -> "Settings":
    """The settings, with what the command line gave; `InvalidRequest` names each bad one."""
    from pydantic import ValidationError

    from graph.settings import Settings

    overrides: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    try:
        return Settings(_env_file=ROOT / ".env", **overrides)
    except ValidationError as error:
        lines = [f"{_variable(fault['loc'][0])}: {fault['msg']}" for fault in error.errors()]
        raise InvalidRequest("\n".join(lines)) from error


def print_rows(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """A table on a terminal; elsewhere a line per row, with tabs, and no titles."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*titles, box=None, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _variable(setting: object) -> str:
    return "ARTISAN_" + str(setting).upper().removeprefix("ARTISAN_")
