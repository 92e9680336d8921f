"""What a disk refuses, told as an error that a caller may see."""

import errno
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import DiskFailed, DiskFull, DiskReadOnly

SQLITE_USED = (  # bytes that a SQLite file takes, free pages apart
    "SELECT (page_count - freelist_count) * page_size"
    " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_SQLITE = {  # primary result codes
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_IOERR: errno.EIO,
}
_WORDS = {  # of Chroma, whose errors are text
    "disk is full": errno.ENOSPC,
    "No space left": errno.ENOSPC,
    "readonly database": errno.EROFS,
    "Read-only file system": errno.EROFS,
    "Permission denied": errno.EACCES,
    "unable to open database": errno.EACCES,
    "disk I/O error": errno.EIO,
    "hnsw segment writer": errno.EIO,
}
_ROOM = (
    2**20
)  # bytes: with less left, an I/O error means that the disk is full, and no studio starts


def disk_failure(error: Exception, folder: Path) -> DiskFailed | None:
    """What `error` says of the disk that holds `folder`; None where the disk is not to blame.

    Understands `OSError`, `sqlite3.Error`, LangGraph's too, and the errors of Chroma.
    """
    if isinstance(error, DiskFailed):
        return error
    number = _number(error)
    if number == errno.EIO and _free(folder) < _ROOM:
        number = errno.ENOSPC
    if number in _FULL:
        return DiskFull(f"The disk that holds {folder} is full: free some space, then try again.")
    if number in _READ_ONLY:
        return DiskReadOnly(
            f"The studio cannot write in {folder}: make it writable, then try again,"
            " or set ARTISAN_DATA_DIR to a folder that is."
        )
    if number == errno.EIO:
        return DiskFailed(f"Writing in {folder} fails: look after its disk, then try again.")
    return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Raise what the disk refuses in the block as a `DiskFailed` that names `folder`."""
    try:
        yield
    except Exception as error:
        if failure := disk_failure(error, folder):
            raise failure from error
        raise


def check_writable(folder: Path) -> None:
    """Make `folder` where it is missing, and raise a `DiskFailed` unless a file can be written there."""
    with writing(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_ROOM))
        except (FileExistsError, NotADirectoryError) as error:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder) from error


def _number(error: Exception) -> int | None:
    """The `errno` that `error` stands for."""
    if isinstance(error, OSError):
        return error.errno
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)  # errors of the module itself have none
        return None if code is None else _SQLITE.get(code & 0xFF)
    if type(error).__module__.startswith("chromadb."):
        return next((number for words, number in _WORDS.items() if words in str(error)), None)
    return None


def _free(folder: Path) -> int:
    """Bytes left for us on the disk of `folder`; as many as there may be where it does not say."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return sys.maxsize
    return disk.f_bavail * disk.f_frsize
