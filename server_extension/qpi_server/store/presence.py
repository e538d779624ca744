"""Whether what lies in a lab's folder is a lab: nothing yet, or all of it. Half a lab is refused, never filled up."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select

from qpi_jupyter.core import QpiError, Unavailable

from .faults import BLOBS_MISSING, DAMAGED, DATABASE_MISSING, DENIED, fault
from .schema import results

DATABASE = "lab.sqlite3"
BLOBS = "blobs"
_LOG = f"{DATABASE}-wal"
DATABASE_FILES = (DATABASE, _LOG, f"{DATABASE}-shm")
_WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
Stamp = tuple[tuple[int, int, int] | None, ...]


def stamp(lab_dir: Path) -> Stamp:
    """What changes when somebody puts other database files into the folder."""
    return tuple(_stamp_of(lab_dir / name) for name in DATABASE_FILES[:2])


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def require_database(lab_dir: Path) -> None:
    """Refuse to make a database where one should be, and one whose write-ahead log is not SQLite's.

    SQLite itself takes an empty file for a new database, and a log that it cannot read for none.

    Raises
    ------
    Unavailable
        the database is missing or its log is damaged.
    """
    for path in (lab_dir / name for name in DATABASE_FILES):
        if path.exists() and not os.access(path, os.W_OK):  # SQLite would open it to read, and stay so
            raise fault(DENIED, path.name)
    log = lab_dir / _LOG
    if _size(lab_dir / DATABASE) == 0:
        if _size(log):
            raise _missing(lab_dir, f"its write-ahead log {log.name} is there")
        require_unused(lab_dir)
    elif _size(log):
        with log.open("rb") as stream:
            if stream.read(4) not in _WAL_MAGIC:
                raise fault(DAMAGED, f"{log.name} is not a write-ahead log of SQLite's")


def require_unused(lab_dir: Path) -> None:
    """Refuse to begin a lab where there was one: its folder of results is made after its database.

    Raises
    ------
    Unavailable
        there was.
    """
    if next((lab_dir / BLOBS).glob("[0-9a-f][0-9a-f]"), None) is not None:
        raise _missing(lab_dir, f"a lab's folder {BLOBS} is there")


def _missing(lab_dir: Path, found: str) -> QpiError:
    first = "A restore was interrupted: carry it out again. " if (lab_dir / "restore.tmp").exists() else ""
    return Unavailable(
        f"The lab's database {DATABASE} is missing or empty, but {found}. {first}Put the database back, or bring back "
        "a backup with `jupyter qpi restore FILE --force`; the lab then goes on by itself. For a new lab, start the "
        "server once with --begin-anew, which keeps what is there in a folder beside it.",
        code=DATABASE_MISSING,
    )


def require_blobs(connection: Connection, lab_dir: Path) -> None:
    """Refuse to go on without the folder of results, where the database has some.

    Raises
    ------
    Unavailable
        it is missing: not mounted, or moved away.
    """
    folder = lab_dir / BLOBS
    if next(folder.glob("[0-9a-f][0-9a-f]"), None) is not None:
        return
    if connection.execute(select(results.c.job_id).limit(1)).first() is not None:
        raise Unavailable(
            f"The lab's folder {BLOBS} is missing or empty, but its database has jobs with results. Mount the folder, "
            "put it back, or bring back a backup with `jupyter qpi restore FILE --force`; the lab then goes on by "
            f"itself. To go on without those results, make an empty folder {BLOBS}/00.",
            code=BLOBS_MISSING,
        )


def can_begin_anew(error: QpiError) -> bool:
    """Whether `move_aside` makes room for a new lab."""
    return error.code in (DATABASE_MISSING, DAMAGED)


def move_aside(lab_dir: Path, names: list[str], label: str) -> Path | None:
    """Move what is there of ``names`` into a new folder beside it, in their order; None where there is nothing."""
    there = [lab_dir / name for name in names if (lab_dir / name).exists()]
    if not there:
        return None
    aside = lab_dir / f"{label}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    aside.mkdir(mode=0o700)
    for path in there:
        path.rename(aside / path.name)
    return aside


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
