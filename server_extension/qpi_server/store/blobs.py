"""Durable bytes under their own SHA-256: ``blobs/ab/cdef...``."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from qpi_jupyter.core.errors import NotFound, QpiError, Unavailable

_TEMP = ".tmp-"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobWriter:
    """Bytes on their way in. Blocking: call it in a thread where the bytes are many.

    The file is made at the first `write`, beside its final place, so that the rename that publishes it is atomic.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"{_TEMP}{secrets.token_hex(8)}"
        self._file = -1

    def write(self, data: bytes) -> None:
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self.abort()
            raise _unavailable(error) from error

    def publish(self, sha256: str) -> None:
        """Put the bytes, whose digest this is, in their place, on disk. A blob that is there already stays."""
        target = _path(self._folder, sha256)
        try:
            self.write(b"")
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
            os.replace(self._path, target)
            _sync_folder(target.parent)
        except OSError as error:
            self.abort()
            raise _unavailable(error) from error

    def abort(self) -> None:
        """Forget the bytes; again is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._path.unlink(missing_ok=True)


class Blobs:
    """The folder of blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._coming: Counter[str] = Counter()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # All shelves at once, so that no result waits for one.
        for shelf in range(256):
            (folder / f"{shelf:02x}").mkdir(exist_ok=True, mode=0o700)
        _sync_folder(folder)
        # What a server that was killed left half written; nobody else writes here.
        for orphan in folder.glob(f"{_TEMP}*"):
            with contextlib.suppress(FileNotFoundError):
                orphan.unlink()

    def writer(self) -> BlobWriter:
        return BlobWriter(self.folder)

    @contextlib.contextmanager
    def keeping(self, sha256: str) -> Iterator[None]:
        """Nobody discards this blob meanwhile: its row is not written yet."""
        with self._lock:
            self._coming[sha256] += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming[sha256] -= 1
                if not self._coming[sha256]:
                    del self._coming[sha256]

    def discard(self, sha256: str, in_use: Callable[[], bool]) -> bool:
        """Take a blob away unless it is in use, or coming; whether it is gone. Blocking.

        Parameters
        ----------
        in_use
            reads what is committed: a row that is only about to go, or to come, does not count.
        """
        gone = self.folder / f"{_TEMP}{secrets.token_hex(8)}"
        with self._lock:
            if sha256 in self._coming or in_use():
                return False
            try:
                os.replace(_path(self.folder, sha256), gone)
            except FileNotFoundError:
                return True
        gone.unlink()  # freeing a large file takes its time
        return True

    def shelf(self, number: int) -> list[str]:
        """The digests of the blobs on one of the 256 shelves."""
        name = f"{number:02x}"
        return [name + rest for rest in os.listdir(self.folder / name) if _SHA256.fullmatch(name + rest)]

    def path(self, sha256: str) -> Path:
        """Where the blob lies.

        Raises
        ------
        NotFound
            there is none of that digest.
        """
        path = _path(self.folder, sha256) if _SHA256.fullmatch(sha256) else None
        if path is None or not path.is_file():
            raise NotFound(f"There is no data with the digest {sha256}.")
        return path


def _path(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256[2:]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unavailable(error: OSError) -> QpiError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("The lab's disk is full: the result was not stored. Make room.", code="disk_full")
    return Unavailable(f"The lab cannot write its data: {error}.", code="store_failed")
