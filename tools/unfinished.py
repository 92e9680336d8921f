"""Renders under way on disk, so that one the process did not survive goes on where it was."""

import hashlib
from collections.abc import Set
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from tools.imaging import ImageRequest

EVERY = 4  # steps between two saves


class UnfinishedRenders:
    """What `Step.save()` gave, one per thread, in force for the very same render only."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made at the first save."""
        self._folder = folder

    def load(self, thread_id: str, key: str) -> bytes | None:
        """The newest save of a thread, None where there is none, or a damaged one, or another render's."""
        try:
            content = (self._folder / thread_id).read_bytes()
        except OSError:
            return None
        found, _, state = content.partition(b"\n")
        return state if found == _header(key, state) else None

    def save(self, thread_id: str, key: str, state: bytes) -> None:
        """Keep `state` in place of an earlier one. A full disk costs the save, not the render."""
        fresh = self._folder / f"{thread_id}.new"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_bytes(_header(key, state) + b"\n" + state)
            fresh.replace(self._folder / thread_id)
        except OSError:
            _remove(fresh)

    def keep_only(self, thread_ids: Set[str]) -> None:
        """Forget what all other threads had under way."""
        for file in self._folder.glob("*"):
            if file.name not in thread_ids:
                _remove(file)

    def drop(self, thread_id: str) -> None:
        """Forget what a thread had under way."""
        for name in (thread_id, f"{thread_id}.new"):
            _remove(self._folder / name)


def render_key(request: ImageRequest, engine: str) -> str:
    """A name for everything that a render depends on: 64 hex digits."""
    digest = hashlib.sha256(engine.encode())
    plain = replace(request, edges=None, style=None)
    digest.update(repr([getattr(plain, entry.name) for entry in fields(plain)]).encode())
    if request.edges is not None:
        digest.update(b"edges" + request.edges.tobytes())
    if request.style is not None:
        digest.update(b"style" + repr(request.style.weights).encode())
        for vector in request.style.vectors:
            digest.update(vector.tobytes())
    return digest.hexdigest()


def _remove(file: Path) -> None:
    with suppress(OSError):  # not there, or for ever: a save that stays serves no other render
        file.unlink()


def _header(key: str, state: bytes) -> bytes:
    return f"{key} {hashlib.sha256(state).hexdigest()}".encode()
