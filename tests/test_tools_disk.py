"""What a disk refuses: real refusals of real files and databases."""

import errno
import os
import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import chromadb.errors
import pytest

from tools.disk import check_writable, disk_failure, writing
from tools.errors import DiskFailed, DiskFull, DiskReadOnly


def full_database(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "full.db")) as db:
        db.execute("PRAGMA max_page_count = 3")
        db.execute("CREATE TABLE t (blob)")
        db.execute("INSERT INTO t VALUES (zeroblob(100000))")


def closed_database(folder: Path) -> None:
    sqlite3.connect(folder / "closed.db").close()
    (folder / "closed.db").write_bytes(b"")
    with closing(sqlite3.connect(f"file:{folder}/closed.db?mode=ro", uri=True)) as db:
        db.execute("CREATE TABLE t (blob)")


def no_database(folder: Path) -> None:
    sqlite3.connect(folder / "missing" / "no.db")


def big_file(folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        (folder / "big").write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def chroma(words: str) -> Callable[[Path], None]:
    def fail(_: Path) -> None:
        raise chromadb.errors.InternalError(words)

    return fail


def refused(number: int) -> Callable[[Path], None]:
    def fail(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("write", "kind", "code"),
    [
        (full_database, DiskFull, "disk_full"),
        (big_file, DiskFull, "disk_full"),
        (refused(errno.ENOSPC), DiskFull, "disk_full"),
        (refused(errno.EDQUOT), DiskFull, "disk_full"),
        (chroma("error returned from database: (code: 13) database or disk is full"), DiskFull, "disk_full"),
        (closed_database, DiskReadOnly, "data_dir_read_only"),
        (no_database, DiskReadOnly, "data_dir_read_only"),
        (refused(errno.EROFS), DiskReadOnly, "data_dir_read_only"),
        (refused(errno.EACCES), DiskReadOnly, "data_dir_read_only"),
        (chroma("attempt to write a readonly database"), DiskReadOnly, "data_dir_read_only"),
        (refused(errno.EIO), DiskFailed, "disk_failed"),
    ],
)  # fmt: skip
def test_what_a_disk_refuses_is_told_with_its_folder(
    tmp_path: Path, write: Callable[[Path], None], kind: type[DiskFailed], code: str
) -> None:
    with pytest.raises(DiskFailed) as error, writing(tmp_path):
        write(tmp_path)
    assert type(error.value) is kind
    assert (error.value.code, error.value.retryable) == (code, True)
    assert error.value.status == (507 if kind is DiskFull else 503)
    assert str(tmp_path) in error.value.message
    assert error.value.__cause__ is not None
    with pytest.raises(DiskFailed) as again, writing(tmp_path / "outer"):
        raise error.value
    assert again.value is error.value, "it has named its folder"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OSError("without a number"),
        sqlite3.IntegrityError("UNIQUE constraint failed"),
        sqlite3.ProgrammingError("Cannot operate on a closed database."),
        chromadb.errors.InternalError("something else"),
        RuntimeError("database or disk is full"),
        ValueError("no disk"),
    ],
)
def test_what_no_disk_has_refused_stays_as_it_is(tmp_path: Path, error: Exception) -> None:
    assert disk_failure(error, tmp_path) is None
    with pytest.raises(type(error)) as raised, writing(tmp_path):
        raise error
    assert raised.value is error


def test_a_folder_is_made_and_tried(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "var"
    check_writable(folder)
    check_writable(folder)
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    for blocked in (tmp_path / "file", tmp_path / "file" / "var"):
        with pytest.raises(DiskReadOnly, match="ARTISAN_DATA_DIR"):
            check_writable(blocked)
    assert (tmp_path / "file").read_text() == "in the way"
