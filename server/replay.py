"""The command `replay`: a picture once more, and how near it came to the first one."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from PIL import Image

from graph.opening import open_releases
from graph.recipe import pixels_digest
from graph.replay import (
    Original,
    check_recipe,
    compare,
    doubts,
    other_versions,
    read_original,
    replay,
    rewritten,
)
from graph.settings import Settings
from server import terminal
from tools.artifacts import ArtifactStore
from tools.diffusion import open_engine
from tools.errors import AppError, InvalidRequest
from tools.imaging import Step

LAST_DIGITS = "Another machine, or other versions of torch and its libraries, round the last digits otherwise."


def replay_file(path: Path, out: Path | None, settings: Settings) -> bool:
    """Make the picture at `path` again, keep it at `out`, and say how near it came; whether it is identical.

    Raises `InvalidRequest` for a file without a whole recipe and for a recipe that cannot be followed here,
    `WeightsMissing` where models are missing, and what the engine raises.
    """
    try:
        original = read_original(path.read_bytes())
    except AppError as error:
        raise InvalidRequest(f"{path}: {error.message}", code=error.code) from error
    return asyncio.run(_replay(original, out, settings))


async def _replay(original: Original, out: Path | None, settings: Settings) -> bool:
    recipe, console = original.recipe, terminal.open_console()
    async with open_releases(settings) as releases:
        context = await releases.pinned(recipe.versions)
        check_recipe(original, context)
        if out is not None:
            terminal.check_target(out)
        with console.status("opening the models") as status:
            engine = open_engine(context.profile(recipe.profile), context.settings.models_dir)

            def show(step: Step) -> None:
                status.update(f"step {step.number} of {step.total}")

            image = replay(recipe, engine, context, show)
        if out is not None:
            terminal.save(_as_png(image, rewritten(original, image, engine, context)), out)
            typer.echo(f"saved {out}")
        others = other_versions(recipe, context)
        return _tell(original, image, doubts(recipe, engine, context), others)


def _as_png(image: Image.Image, chunks: Mapping[str, str]) -> bytes:
    with TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder))
        return store.get(store.put_image(image, chunks)).data


def _tell(
    original: Original, image: Image.Image, why: Sequence[str], others: Sequence[str]
) -> bool:
    for other in others:
        typer.echo(other)
    if pixels_digest(image) == original.recipe.pixels:
        typer.echo("identical")
        if not original.untouched:
            typer.echo("to what was painted: the pixels of the file were changed since.")
        return True
    if original.untouched:
        gap = compare(original.image, image)
        everything = image.width * image.height
        typer.echo(
            f"{gap.pixels} of {everything} pixels differ ({gap.pixels / everything:.1%}), "
            f"by {gap.mean:.1f} of 255 on average and by {gap.largest} at most."
        )
    else:
        typer.echo("not identical, and the pixels of the file were changed since it was painted.")
    for reason in [*why, LAST_DIGITS]:
        typer.echo(reason)
    return False
