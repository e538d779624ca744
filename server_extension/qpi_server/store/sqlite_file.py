"""SQLite's file in the lab's own folder: what is asked of it whether or not somebody has it open."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from sqlalchemy import URL, Connection, create_engine

from qpi_jupyter.core import Conflict, NotFound, Rejected

from .backend import Backend, OnCommit
from .engine import make_private
from .presence import DATABASE, DATABASE_FILES, require_database, stamp
from .sqlite import SqliteStore

_NETWORK = re.compile(
    r"(?:fuse\.)?(?:"
    r"nfs\d?|cifs|smb\w*|ncpfs|ncp|afs|coda|9p|ceph|ceph-fuse|glusterfs|lustre|gpfs|beegfs\w*|pvfs2|orangefs|moosefs|"
    r"mfs|lizardfs|juicefs|cvmfs2?|davfs2?|webdav|ftpfs|curlftpfs|sshfs|s3fs|goofys|geesefs|mountpoint-s3|gcsfuse|"
    r"blobfuse2?|rclone|vboxsf|vmhgfs(?:-fuse)?|prl_fs"
    r")"
)


def filesystem_type(path: Path) -> str:
    """The type of the file system that ``path`` lies on; empty where the machine does not say."""
    path = path.resolve()
    mounts = [mount for mount in psutil.disk_partitions(all=True) if path.is_relative_to(mount.mountpoint)]
    # the last of several on one folder is the one that is seen
    deepest = max(reversed(mounts), key=lambda mount: len(Path(mount.mountpoint).parts), default=None)
    return deepest.fstype if deepest is not None else ""


def require_local(folder: Path) -> None:
    """Refuse a network file system.

    Raises
    ------
    Conflict
        ``folder`` lies on one; the message says what to do instead.
    """
    kind = filesystem_type(folder)
    if _NETWORK.fullmatch(kind.lower()):
        raise Conflict(
            f"The lab's data folder is on a network file system ({kind}), where SQLite can lose data. Set "
            "QPI_LAB_DIR to a folder on a local disk, or run one lab server and point the others at it with "
            "QPI_UPSTREAM_URL.",
            code="network_file_system",
            filesystem=kind,
        )


class FolderLock:
    """The lock on a lab's folder and on a file in it: who has it may open the database there.

    Earlier versions look at the file alone; the folder's own lock holds when somebody removes the file.
    """

    def __init__(self, lab_dir: Path) -> None:
        self.path = lab_dir / "lab.lock"
        self._fds: list[int] = []

    def acquire(self) -> bool:
        """Whether the lock is ours now; never waits."""
        if self._fds:
            return True
        try:
            self._lock(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            self._lock(self.path, os.O_RDWR | os.O_CREAT)
        except BlockingIOError:
            self.release()
            return False
        except OSError:
            self.release()
            raise
        return True

    def _lock(self, path: Path, flags: int) -> None:
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        self._fds.append(fd)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Give it back."""
        while self._fds:
            os.close(self._fds.pop())


LOCKED_S = 30.0
"""How long another program may keep the database locked while it is copied."""


class SqliteFile(Backend):
    """``sqlite://``, and nothing behind it: the folder is a setting of its own."""

    files = DATABASE_FILES

    def __init__(self, url: URL, lab_dir: Path) -> None:
        super().__init__(url, lab_dir)
        self.path = lab_dir / DATABASE
        if url.drivername != "sqlite" or url.host or url.database or url.query:
            raise Rejected(
                f"This database is always the file {DATABASE} in the lab's folder: leave db_url out, and set lab_dir "
                "(QPI_LAB_DIR) to the folder.",
                code="bad_store_address", field="db_url",
            )  # fmt: skip

    def prepare(self) -> None:
        super().prepare()
        require_local(self.lab_dir)

    def lock(self) -> FolderLock:
        return FolderLock(self.lab_dir)

    def present(self) -> bool:
        return self.path.exists()

    def stamp(self) -> object:
        return stamp(self.lab_dir)

    def open(self, on_commit: OnCommit) -> SqliteStore:
        require_database(self.lab_dir)
        return SqliteStore(self.path, on_commit=on_commit)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if not self.path.is_file():
            raise NotFound(f"There is no lab in {self.lab_dir}.")
        engine = create_engine(URL.create("sqlite", database=str(self.path)))
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = 1")
                connection.exec_driver_sql("BEGIN")
                yield connection
        finally:
            engine.dispose()

    def copy(self, target: Path) -> None:
        """SQLite's own way: what others write meanwhile does not disturb it, nor it them."""
        make_private(target)
        with closing(sqlite3.connect(self.path, timeout=LOCKED_S)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    def put(self, copy: Path) -> None:
        copy.rename(self.path)
