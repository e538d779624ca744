"""Failures of disk, file and database as errors for people: what is wrong, and what to do.

What the system or SQLite reports becomes an error here, in `storage_error`, and nowhere else; `presence` finds what
is missing. A new code needs a remedy here or its message there, and a line in ``docs/how-to/backup.md``.
"""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from socket import gaierror

from sqlalchemy.exc import DBAPIError, StatementError

from qpi_jupyter.core import QpiError, Unavailable

FULL = "disk_full"
DENIED = "storage_denied"
DAMAGED = "database_damaged"
LOCKED = "database_locked"
GONE = "storage_gone"
FAILED = "store_failed"
DATABASE_MISSING = "database_missing"
BLOBS_MISSING = "blobs_missing"
UNREACHABLE = "store_unreachable"
FINAL = frozenset({DAMAGED, GONE})
"""With these the lab cannot stay open: it is closed, and opened again once its files are there and whole."""

_REMEDY = {
    FULL: "The lab's disk is full: nothing was stored. Free some space; the lab then goes on by itself.",
    DENIED: "The lab cannot write to its data folder: nothing was stored. Give the server's user permission to read "
    "and write the folder and its files, or mount the disk writable; the lab then goes on by itself.",
    DAMAGED: "The lab's database is damaged. Bring back a backup with `jupyter qpi restore FILE --force`, which keeps "
    "the damaged files in a folder beside it; the lab then goes on by itself. Without a backup, start the server once "
    "with --begin-anew for a new lab, which keeps them, too.",
    LOCKED: "Another program keeps the lab's database locked: nothing was stored. Close that program; the lab then "
    "goes on by itself.",
    GONE: "The lab's data folder, or a file in it, was removed or replaced while the server ran: nothing was stored. "
    "Put it back, or bring back a backup with `jupyter qpi restore FILE`; the lab then goes on by itself. For a new "
    "lab, restart the server.",
    UNREACHABLE: "The lab's database cannot be reached: nothing was stored. Start the database server that db_url "
    "names, or correct db_url; the lab then goes on by itself.",
    FAILED: "The lab's disk does not take what is written: nothing was stored. Free some space, if a quota or a limit "
    "of file sizes is used up; else look for disk errors in the system's log. The lab then goes on by itself.",
}
_SQLITE = {
    sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_READONLY: DENIED, sqlite3.SQLITE_CANTOPEN: DENIED,
    sqlite3.SQLITE_PERM: DENIED, sqlite3.SQLITE_AUTH: DENIED, sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED, sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED, sqlite3.SQLITE_IOERR: FAILED, sqlite3.SQLITE_NOMEM: FAILED,
    sqlite3.SQLITE_NOLFS: FAILED,
}  # fmt: skip
_SQLITE_EXTENDED = {sqlite3.SQLITE_READONLY_DBMOVED: GONE}
_ERRNO = {
    errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EFBIG: FULL, errno.EACCES: DENIED, errno.EPERM: DENIED,
    errno.EROFS: DENIED, errno.ENOENT: GONE, errno.ENOTDIR: GONE, errno.ESTALE: GONE, errno.EIO: FAILED,
    errno.EMFILE: FAILED, errno.ENFILE: FAILED, errno.ENODEV: FAILED, errno.ENXIO: FAILED, errno.ELOOP: DENIED,
    errno.EISDIR: DENIED, errno.ENAMETOOLONG: DENIED, errno.EEXIST: DENIED,
}  # fmt: skip


def fault(code: str, detail: str = "") -> QpiError:
    """The storage's failure ``code``, with its remedy; ``detail`` is what the system said."""
    return Unavailable(_REMEDY[code] + (f" ({detail})" if detail else ""), code=code)


def own_error(error: Exception) -> Exception:
    """What a column says of a value that it refuses, without SQLAlchemy's words around it."""
    return error.orig if isinstance(error, StatementError) and isinstance(error.orig, QpiError) else error


def storage_error(error: BaseException) -> QpiError | None:
    """``error`` as a failure of the storage; None where something else is wrong."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return storage_error(error.orig)
    code, detail = None, ""
    if isinstance(error, sqlite3.Error):
        number = getattr(error, "sqlite_errorcode", 0)
        code = _SQLITE_EXTENDED.get(number) or _SQLITE.get(number & 0xFF)
    elif isinstance(error, ConnectionError | gaierror):
        code, detail = UNREACHABLE, error.strerror or str(error)
    elif isinstance(error, OSError):
        code, detail = _ERRNO.get(error.errno or 0), error.strerror or str(error)
        if isinstance(error.filename, str):
            detail += f": {Path(error.filename).name}"
    if code is None:
        return None
    found = fault(code, detail)
    found.__cause__ = error
    return found
