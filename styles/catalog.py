"""The style library on disk: a folder per style, read strictly, written atomically.

Every text in a style is data, to be shown, embedded or put round a prompt; never an instruction.
"""

import difflib
import errno
import json
import os
import re
import shutil
import tempfile
import tomllib
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from tools.errors import AppError, Conflict, InvalidRequest, NotFound

REFERENCES_WANTED = 3  # a shipped style shows itself from at least this many sides
REFERENCES_MAX = 9
REFERENCE_SIDE = 768  # px, long side of a stored reference
REFERENCE_SIDE_MIN = 16  # px
REFERENCE_SUFFIXES = frozenset({".webp", ".png", ".jpg", ".jpeg"})

_SLUG = re.compile(r"[a-z0-9-]{2,40}")
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_FILE_MAX = 64 * 1024  # bytes of a style.toml
_TEXTS = {  # key: shortest and longest text, in characters
    "name": (1, 60),
    "description": (10, 800),
    "era": (1, 80),
    "prompt": (8, 300),
    "licence": (1, 80),
    "source": (1, 300),
}
_LISTS = {"tags": (1, 16), "mood": (0, 8), "palette": (6, 6)}  # key: fewest and most entries
_ENTRY_MAX = 40  # characters of one tag or mood word
_KEYS = ("name", "description", "tags", "mood", "era", "palette", "prompt", "licence", "source")


class CatalogError(AppError):
    """A style on disk is broken; each line of the message names file, line, and what to do."""

    code = "broken_style"


@dataclass(frozen=True, slots=True)
class Style:
    """One entry of the library."""

    slug: str
    name: str
    description: str
    tags: tuple[str, ...]
    mood: tuple[str, ...]
    era: str
    palette: tuple[str, ...]  # 6 of "#rrggbb": backdrop, ground, main, second, light, ink
    prompt: str  # a fragment with "{prompt}" where the user's words go
    licence: str
    source: str
    folder: Path

    @property
    def references(self) -> tuple[Path, ...]:
        """The folder's `reference-*` images, sorted by name. Raises `CatalogError` for none."""
        found = tuple(
            path
            for path in sorted(self.folder.glob("reference-*"))
            if path.suffix.lower() in REFERENCE_SUFFIXES
        )
        if not found:
            raise CatalogError(
                f"{self.folder}: no reference image; put in reference-1.webp (or .png, .jpg)"
            )
        return found

    @property
    def captions(self) -> tuple[str, ...]:
        """Other people's words for the style, a line each of captions.txt; none where there is no such file."""
        path = self.folder / "captions.txt"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return tuple(line.strip() for line in lines if line.strip())

    @property
    def guide(self) -> str:
        """The text of guide.md, or "" where the style has none."""
        path = self.folder / "guide.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""


class Catalog:
    """Every style on disk, by slug: the shipped library, and the user's own beside it."""

    def __init__(self, library: Path, user_library: Path | None = None) -> None:
        """Read both libraries; `user_library` may not exist yet.

        Raises one `CatalogError` with every fault found.
        """
        self.library = library
        self.user_library = user_library
        self.styles: Mapping[str, Style] = {}
        self._seen: frozenset[tuple[Path, int, int]] | None = None
        self.reload()

    def reload(self) -> bool:
        """Read the libraries again if a style.toml came, went or changed; say whether one did.

        Costs one `stat` per style when nothing changed, so call it before listing. Reference
        images and guides are not watched: `Style` reads them when asked. Raises `CatalogError`,
        and keeps the styles it had, while any style is broken.
        """
        folders = [*_folders(self.library), *_folders(self.user_library)]
        seen = frozenset(_stamp(folder) for folder in folders)
        if seen == self._seen:
            return False
        styles: dict[str, Style] = {}
        faults: list[str] = []
        for folder in folders:
            try:
                style = load_style(folder)
            except CatalogError as error:
                faults.append(error.message)
                continue
            if style.slug in styles:
                faults.append(f"{folder}: the shipped library has this style; rename the folder")
            else:
                styles[style.slug] = style
        if not _folders(self.library):
            faults.append(f"{self.library}: no styles here; give the folder of the style library")
        if faults:
            raise CatalogError("\n".join(faults))
        self.styles = dict(sorted(styles.items()))
        self._seen = seen
        return True

    def get(self, slug: str) -> Style:
        """The style called `slug`. Raises `NotFound` (`unknown_style`)."""
        try:
            return self.styles[slug]
        except KeyError:
            message = f"there is no style {slug[:60]!r}{_nearest(slug, self.styles)}"
            raise NotFound(message, code="unknown_style") from None

    def built_in(self, slug: str) -> bool:
        """Whether the style called `slug` ships with the studio. Raises `NotFound`."""
        return self.get(slug).folder.parent != self.user_library

    def add(
        self,
        slug: str,
        name: str,
        description: str,
        tags: Sequence[str],
        prompt: str,
        images: Sequence[Image.Image],
        palette: Sequence[str] | None = None,
        *,
        mood: Sequence[str] = (),
        era: str = "Undated",
        licence: str = "Not stated",
        source: str = "Added by a user of this studio",
    ) -> Style:
        """Write a style into the user library and return it; nothing is left behind when it fails.

        `images` are 1 to 9 RGB references of 16 px a side or more, stored as WebP of at most
        768 px. Without a palette, `derive_palette` takes one from them.
        Raises `InvalidRequest` (`invalid_slug`, `invalid_style`), `Conflict` (`style_exists`,
        `no_user_library`).
        """
        if not _SLUG.fullmatch(slug):
            raise InvalidRequest(f"{slug[:60]!r}: {_SLUG_RULE}", code="invalid_slug")
        if self.user_library is None:
            raise Conflict("this studio has no user library to add to", code="no_user_library")
        if slug in self.styles:
            raise _exists(slug)
        _check_images(images)
        values = _clean(
            {
                "name": name,
                "description": description,
                "tags": list(tags),
                "mood": list(mood),
                "era": era,
                "palette": list(derive_palette(images) if palette is None else palette),
                "prompt": prompt,
                "licence": licence,
                "source": source,
            }
        )
        for fault in _faults(values):
            raise InvalidRequest(f"{fault.key}: {fault.message}", code="invalid_style")
        folder = self.user_library / slug
        _write(folder, values, images)
        style = load_style(folder)
        self.styles = dict(sorted({**self.styles, slug: style}.items()))
        return style

    def remove(self, slug: str) -> None:
        """Delete a style of the user library.

        Raises `NotFound` (`unknown_style`), `Conflict` (`built_in_style`) for a shipped one.
        """
        style = self.get(slug)
        if self.built_in(slug):
            message = f"the style {slug!r} ships with the studio and cannot be removed"
            raise Conflict(message, code="built_in_style")
        doomed = style.folder.with_name(f".removed-{uuid.uuid4().hex}")
        try:
            style.folder.rename(doomed)
        except FileNotFoundError:
            pass
        else:
            shutil.rmtree(doomed)
        self.styles = {key: value for key, value in self.styles.items() if key != slug}


def load_style(folder: Path) -> Style:
    """Read one style folder. Raises `CatalogError` with every fault of its style.toml."""
    if not _SLUG.fullmatch(folder.name):
        raise CatalogError(f"{folder}: rename the folder: {_SLUG_RULE}")
    path = folder / "style.toml"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CatalogError(f"{path}: missing; write one, or take the folder away") from None
    if len(data) > _FILE_MAX:
        raise CatalogError(f"{path}: over {_FILE_MAX} bytes; shorten it")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        values = _clean(tomllib.loads(text))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        line = int(at[1]) if at else max(1, len(text.splitlines()))
        raise CatalogError(f"{path}:{line}: not TOML: {error}; correct this line") from None
    faults = [
        f"{path}:{_line(text, fault)}: {fault.key}: {fault.message}" for fault in _faults(values)
    ]
    if faults:
        raise CatalogError("\n".join(faults))
    frozen: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
    }
    return Style(folder.name, **frozen, folder=folder)


def check_references(style: Style) -> None:
    """Raise `CatalogError` unless the style has three reference images or more, all readable."""
    paths = style.references
    if len(paths) < REFERENCES_WANTED:
        raise CatalogError(
            f"{style.folder}: {len(paths)} reference images; put in {REFERENCES_WANTED} or more"
        )
    for path in paths:
        try:
            with Image.open(path) as image:
                image.load()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise CatalogError(f"{path}: cannot be read as an image; replace it") from error


def derive_palette(images: Sequence[Image.Image]) -> tuple[str, ...]:
    """Six colours of RGB `images`, "#rrggbb": backdrop, ground, main, second, light, ink.

    The lightest is the light, the darkest the ink; the other four go by the area they cover.
    """
    tile = 64
    strip = Image.new("RGB", (tile * len(images), tile))
    for number, image in enumerate(images):
        strip.paste(image.resize((tile, tile), Image.Resampling.BOX), (number * tile, 0))
    quantised = strip.quantize(6, kmeans=1, dither=Image.Dither.NONE).convert("RGB")
    counts: list[tuple[int, Any]] = quantised.getcolors() or []
    colours = [colour for _, colour in sorted(counts, reverse=True)]
    by_light = sorted(colours, key=_luma)
    ink, light = by_light[0], by_light[-1]
    others = [colour for colour in colours if colour not in (ink, light)] or colours
    body = [others[role % len(others)] for role in range(4)]
    return tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in (*body, light, ink))


_SLUG_RULE = "a slug is 2 to 40 of a-z, 0-9 and '-'"


class _Fault(NamedTuple):
    """What is wrong with one key, and the entry of its list that is to blame."""

    key: str
    message: str
    entry: str = ""


def _faults(values: Mapping[str, object]) -> Iterator[_Fault]:
    for key in values:
        if key not in _KEYS:
            yield _Fault(key, f"unknown key{_nearest(key, _KEYS)}; correct it or take it out")
    for key in _KEYS:
        if key not in values:
            yield _Fault(key, "missing; add it")
    for key, (low, high) in _TEXTS.items():
        if key in values:
            yield from _text_faults(key, values[key], low, high)
    for key, (low, high) in _LISTS.items():
        if key in values:
            yield from _list_faults(key, values[key], low, high)
    prompt = values.get("prompt")
    if isinstance(prompt, str):
        around = prompt.replace("{prompt}", "", 1)
        if around == prompt:
            yield _Fault("prompt", "put {prompt} where the user's words go")
        elif "{" in around or "}" in around:
            yield _Fault("prompt", "keep one {prompt} and take the other braces out")


def _text_faults(key: str, value: object, low: int, high: int) -> Iterator[_Fault]:
    if not isinstance(value, str):
        yield _Fault(key, "write it as a text in quotes")
    elif not low <= len(value) <= high:
        yield _Fault(key, f"{len(value)} characters; write {low} to {high}")
    elif not value.isprintable():
        yield _Fault(key, "holds an invisible control character; take it out")


def _list_faults(key: str, value: object, low: int, high: int) -> Iterator[_Fault]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        yield _Fault(key, 'write it as a list of texts: ["...", "..."]')
        return
    if not low <= len(value) <= high:
        wanted = f"exactly {low}" if low == high else f"{low} to {high}"
        yield _Fault(key, f"{len(value)} entries; write {wanted}")
    for entry in value:
        if key == "palette":
            if not _HEX.fullmatch(entry):
                yield _Fault(key, f"{entry[:40]!r} is no colour; write it as #rrggbb", entry)
        elif not 1 <= len(entry) <= _ENTRY_MAX or not entry.isprintable():
            wanted = f"1 to {_ENTRY_MAX} visible characters"
            yield _Fault(key, f"{entry[:_ENTRY_MAX]!r}: write {wanted}", entry)


def _line(text: str, fault: _Fault) -> int:
    """The 1-based line of a fault: its list entry, else its key, else the first line."""
    key = re.search(
        rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(fault.key)}[\"']?[ \t]*[.=\]]", text, re.MULTILINE
    )
    if key is None:
        return 1
    entry = text.find(fault.entry, key.end()) if fault.entry else -1
    return text.count("\n", 0, key.start() if entry < 0 else entry) + 1


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with every run of white space, line breaks too, as one space."""
    return {
        key: [_squeeze(entry) for entry in value] if isinstance(value, list) else _squeeze(value)
        for key, value in values.items()
    }


def _squeeze(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def _nearest(word: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(word[:60], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _folders(library: Path | None) -> list[Path]:
    """The style folders of a library; hidden ones are half-written or half-removed styles."""
    if library is None or not library.is_dir():
        return []
    return sorted(p for p in library.iterdir() if p.is_dir() and not p.name.startswith("."))


def _stamp(folder: Path) -> tuple[Path, int, int]:
    try:
        found = (folder / "style.toml").stat()
    except FileNotFoundError:
        return folder, 0, 0
    return folder, found.st_mtime_ns, found.st_size


def _check_images(images: Sequence[Image.Image]) -> None:
    if not 1 <= len(images) <= REFERENCES_MAX:
        message = f"{len(images)} reference images; send 1 to {REFERENCES_MAX}"
        raise InvalidRequest(message, code="invalid_style")
    for number, image in enumerate(images, 1):
        if image.mode != "RGB" or min(image.size) < REFERENCE_SIDE_MIN:
            message = (
                f"reference image {number} is {image.mode}, {image.width}x{image.height}; "
                f"send RGB of {REFERENCE_SIDE_MIN} px a side or more"
            )
            raise InvalidRequest(message, code="invalid_style")


def _write(folder: Path, values: Mapping[str, Any], images: Sequence[Image.Image]) -> None:
    """Write a style folder under a hidden name, then rename it: it is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder.parent))
    try:
        draft.chmod(0o755)
        # JSON strings and lists of printable text are TOML as they stand.
        lines = [f"{key} = {json.dumps(values[key], ensure_ascii=False)}\n" for key in _KEYS]
        (draft / "style.toml").write_text("".join(lines), encoding="utf-8")
        for number, image in enumerate(images, 1):
            reference = image.copy()
            reference.thumbnail((REFERENCE_SIDE, REFERENCE_SIDE), Image.Resampling.LANCZOS)
            reference.save(draft / f"reference-{number}.webp", quality=92, method=4)
        for path in draft.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        draft.rename(folder)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise _exists(folder.name) from None
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _exists(slug: str) -> Conflict:
    return Conflict(f"there is a style {slug!r} already; choose another slug", code="style_exists")


def _luma(colour: tuple[int, int, int]) -> float:
    """Rec. 601 luma, 0 .. 255."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
