"""Where registered versions lie: copies that nobody changes, and folders of models put together from them."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools.disk import writing
from tools.errors import WeightsMissing
from tools.packs import MANIFEST
from tools.versions import (
    CARD,
    KINDS,
    Kind,
    Versions,
    check_part,
    files_of,
    own_profile,
    version_name,
)


class Shelf:
    """Copies in `folder`/<kind>/<id>, and releases in `folder`/releases. Every call is blocking."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, kind: Kind, name: str) -> Path:
        """Where the files of the version called `name` are."""
        return self.folder / kind / name.partition("@")[2]

    def holds(self, kind: Kind, name: str) -> bool:
        """Whether the files of a version are here, and what they were when it was registered."""
        place = self.place(kind, name)
        return place.is_dir() and version_name(kind, place) == name

    def verified(self, kind: Kind, name: str) -> Path:
        """The place of a version. Raises `WeightsMissing` when its files are absent or have changed."""
        if not self.holds(kind, name):
            raise WeightsMissing(
                f"{name} is damaged in {self.place(kind, name)}: register it again from where it came,"
                " or roll back."
            )
        return self.place(kind, name)

    def keep(self, kind: Kind, source: Path) -> str:
        """Copy the part of `kind` out of a folder of models, unless it is here; return the version's name.

        It appears whole or not at all, and is on the disk then. One caller at a time. Raises what `check_part` raises.
        """
        name = version_name(kind, source)
        if self.holds(kind, name):
            return name
        for left in self.folder.glob(".draft-*"):  # of a process that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".draft-") as folder:
            draft = Path(folder) / "version"
            for path, file in {**files_of(kind, source), **_card(kind, source)}.items():
                _copy(file, draft / path)
            check_part(kind, draft)  # of the copy, since the source may have changed meanwhile
            name = version_name(kind, draft)
            place = self.place(kind, name)
            place.parent.mkdir(exist_ok=True)
            if place.exists():
                place.rename(Path(folder) / "damaged")
            draft.rename(place)
            _sync(place.parent)
        return name

    def card(self, kind: Kind, name: str) -> str:
        """The path of a version's model card in its place; "" where it has none."""
        return next(iter(_card(kind, self.place(kind, name))), "")

    def assemble(self, versions: Versions, sources: Mapping[Kind, Path], shipped: Path) -> Path:
        """Return the folder of models that has each part of `versions` from the folder `sources` names for it.

        It consists of links. Packs that none of the parts brings, those of a hub, are linked from `shipped`.
        """
        links = {pack.parent.name: pack.parent for pack in shipped.glob(f"*/{MANIFEST}")}
        for kind, source in sources.items():
            links |= {
                path.split("/")[0]: source / path.split("/")[0] for path in files_of(kind, source)
            }
        names = "-".join(versions[kind].partition("@")[2] for kind in KINDS)
        release = self.folder / "releases" / names
        with writing(self.folder):
            release.mkdir(parents=True, exist_ok=True)
            for name, target in links.items():
                _link(release / name, target.resolve())
        return release


def _card(kind: Kind, source: Path) -> dict[str, Path]:
    profile = own_profile(source) if kind == "pack" else None
    if profile is None or not (source / profile.pack / CARD).is_file():
        return {}
    return {f"{profile.pack}/{CARD}": source / profile.pack / CARD}


def _copy(file: Path, target: Path) -> None:
    """Copy a file for good, read-only; a link to it, hard or not, would change with it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open("rb") as source, target.open("xb") as copy:
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
    target.chmod(0o444)
    _sync(target.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(link: Path, target: Path) -> None:
    """Let `link` lead to `target`; whoever looks meanwhile finds the old or the new one."""
    if link.is_symlink() and link.readlink() == target:
        return
    with tempfile.TemporaryDirectory(dir=link.parent, prefix=".link-") as folder:
        fresh = Path(folder) / link.name
        fresh.symlink_to(target)
        fresh.replace(link)
