"""What two versions of a kind differ in: files, the keys of settings, and the tensors of weights."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.versions import Kind, files_of

READERS = {".toml": tomllib.loads, ".json": json.loads}
Arrays = Mapping[str, NDArray[Any]]


def differences(kind: Kind, before: Path, after: Path) -> list[str]:
    """Return a line for everything in which the parts of `kind` in two folders of models differ; none: they are equal.

    A key of settings comes with both its values (null: it has none), a list with what only one has, a tensor with how
    far it moved in relation to its largest entry.
    """
    old, new = files_of(kind, before), files_of(kind, after)
    lines = [f"- {path}" for path in sorted(old.keys() - new.keys())]
    lines += [f"+ {path}" for path in sorted(new.keys() - old.keys())]
    for path in sorted(old.keys() & new.keys()):
        if old[path].read_bytes() != new[path].read_bytes():
            told = list(_inside(old[path], new[path]))
            lines += [
                f"~ {path}: {line}" for line in told or ["written otherwise, the same inside"]
            ]
    return lines


def _inside(old: Path, new: Path) -> Iterator[str]:
    if old.suffix in READERS:
        read = READERS[old.suffix]
        one, other = (dict(_leaves(read(file.read_text("utf-8")))) for file in (old, new))
        for key in [*one, *(other.keys() - one.keys())]:
            if one.get(key) != other.get(key):
                yield f"{key} {_change(one.get(key), other.get(key))}"
    elif old.suffix in (".safetensors", ".npz"):
        yield from _moved(_arrays(old), _arrays(new))
    else:
        yield f"{old.stat().st_size} -> {new.stat().st_size} bytes"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    else:
        yield path, value


def _change(one: Any, other: Any) -> str:
    if isinstance(one, list) and isinstance(other, list):
        one, other = [v for v in one if v not in other], [v for v in other if v not in one]
    said = (json.dumps(value, default=str, ensure_ascii=False) for value in (one, other))
    return " -> ".join(said)


def _moved(one: Arrays, other: Arrays) -> Iterator[str]:
    for name in sorted(one.keys() ^ other.keys()):
        yield f"{name} is {'gone' if name in one else 'new'}"
    moves: dict[str, float] = {}
    for name in sorted(one.keys() & other.keys()):
        a, b = one[name], other[name]
        if a.shape != b.shape:
            yield f"{name} has the shape {list(a.shape)} -> {list(b.shape)}"
        elif not np.array_equal(a, b):
            top = float(np.abs(a.astype(np.float64)).max(initial=0)) or 1.0
            moves[name] = float(np.abs(b.astype(np.float64) - a).max()) / top
    if moves:
        most = max(moves, key=lambda name: moves[name])
        yield f"{len(moves)} of {len(one)} tensors moved, most of all {most}, by {moves[most]:.2g} of its largest entry"


def _arrays(file: Path) -> Arrays:
    if file.suffix == ".npz":
        with np.load(file) as stored:
            return dict(stored)
    from safetensors.numpy import load_file

    return load_file(file)
