"""Durable bytes under their own SHA-256: ``blobs/ab/cdef...``."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import secrets
import stat
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from qpi_jupyter.core import Faulted, NotFound, QpiError

from .faults import FAILED, fault, storage_error

log = logging.getLogger(__name__)

DATA_DAMAGED = "data_damaged"
_TEMP = ".tmp-"
_PROBE_BYTES = 4096
_REMEMBERED = 10_000
_Stamp = tuple[int, int, int, int]
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobWriter:
    """Bytes on their way in. Blocking: call it in a thread where the bytes are many.

    The file is made at the first `write`, beside its final place, so that the rename that publishes it is atomic.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._path = blobs.folder / f"{_TEMP}{secrets.token_hex(8)}"
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
            raise self._blobs.suffer(error) from error

    def examine(self, check: Callable[[BinaryIO], None]) -> None:
        """Show the bytes to ``check``, which raises if it does not like them."""
        self.write(b"")
        with self._path.open("rb") as file:
            check(file)

    def publish(self, sha256: str) -> None:
        """Put the bytes, whose digest this is, in their place, on disk. A blob that is there already stays."""
        target = _path(self._blobs.folder, sha256)
        try:
            self.write(b"")
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1
            os.replace(self._path, target)
            _sync_folder(target.parent)
            self._blobs.remember(sha256, target.stat())
        except OSError as error:
            self.abort()
            raise self._blobs.suffer(error) from error

    def abort(self) -> None:
        """Forget the bytes; again is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        with contextlib.suppress(OSError):  # a disk that can't be written is named where the bytes were to go
            self._path.unlink(missing_ok=True)


class Blobs:
    """The folder of blobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble: QpiError | None = None
        """The last failure of the disk, until a blob is stored again."""
        self.on_trouble: Callable[[QpiError], None] = lambda trouble: None
        self._lock = threading.Lock()
        self._coming: Counter[str] = Counter()
        self._sound: OrderedDict[str, _Stamp] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # All shelves at once, so that no result waits for one.
        self._make_shelves()
        # What a server that was killed left half written; nobody else writes here.
        for orphan in folder.glob(f"{_TEMP}*"):
            with contextlib.suppress(FileNotFoundError):
                orphan.unlink()

    def _make_shelves(self) -> None:
        for shelf in range(256):
            (self.folder / f"{shelf:02x}").mkdir(exist_ok=True, mode=0o700)
        _sync_folder(self.folder)

    def writer(self) -> BlobWriter:
        return BlobWriter(self)

    def probe(self) -> None:
        """Store a blob and take it away again. Blocking.

        Raises
        ------
        Unavailable
            the disk still fails.
        """
        writer = self.writer()
        try:
            self._make_shelves()  # of a folder that was taken away and put back
            writer.write(bytes(_PROBE_BYTES))
        except OSError as error:
            raise self.suffer(error) from error
        finally:
            writer.abort()
        self.trouble = None

    def suffer(self, error: OSError) -> QpiError:
        """The disk failed: keep it in mind; the error for whoever asked."""
        self.trouble = storage_error(error) or fault(FAILED, str(error))
        self.on_trouble(self.trouble)
        return self.trouble

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
        """Take a blob away unless it is in use, or coming, or a backup holds them all; whether it is gone. Blocking.

        Parameters
        ----------
        in_use
            reads what is committed: a row that is only about to go, or to come, does not count.
        """
        gone = self.folder / f"{_TEMP}{secrets.token_hex(8)}"
        try:
            with self._lock, _unheld(self.folder) as unheld:
                if not unheld or sha256 in self._coming or in_use():
                    return False
                try:
                    os.replace(_path(self.folder, sha256), gone)
                except FileNotFoundError:
                    return True
            gone.unlink()  # freeing a large file takes its time
        except OSError as error:
            raise self.suffer(error) from error
        return True

    def shelf(self, number: int) -> list[str]:
        """The digests of the blobs on one of the 256 shelves."""
        name = f"{number:02x}"
        try:
            found = os.listdir(self.folder / name)
        except OSError as error:
            raise self.suffer(error) from error
        return [name + rest for rest in found if _SHA256.fullmatch(name + rest)]

    def path(self, sha256: str) -> Path:
        """Where the blob lies, found whole: its bytes are those of its name. Blocking.

        Raises
        ------
        NotFound
            there is none of that digest.
        Faulted
            it is damaged.
        Unavailable
            it cannot be read now.
        """
        if not _SHA256.fullmatch(sha256):
            raise NotFound(f"There is no data with the digest {sha256}.")
        path = _path(self.folder, sha256)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                self._check(sha256, "of no file")  # a pipe or a device would never end
            with path.open("rb") as stream:
                found = os.fstat(stream.fileno())
                if self._sound.get(sha256) != _stamp(found):
                    self._check(sha256, hashlib.file_digest(stream, "sha256").hexdigest())
                    self.remember(sha256, found)
        except FileNotFoundError as error:
            raise NotFound(f"There is no data with the digest {sha256}.") from error
        except OSError as error:
            raise self.suffer(error) from error
        return path

    def _check(self, sha256: str, found: str) -> None:
        if found != sha256:
            log.error("The result %s is damaged: its bytes now have the digest %s", sha256, found)
            raise Faulted(
                "The data of this job is damaged on the lab's disk: it no longer has the checksum that it was stored "
                "with. Ask the lab's manager to bring it back from a backup, or run the job again.",
                code=DATA_DAMAGED,
                sha256=sha256,
            )

    def remember(self, sha256: str, found: os.stat_result) -> None:
        """The blob is whole, and so it stays until its file is another or is written to."""
        with self._lock:
            self._sound[sha256] = _stamp(found)
            if len(self._sound) > _REMEMBERED:
                self._sound.popitem(last=False)


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody discards a blob of this folder meanwhile, in no process."""
    with _locked(folder) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _unheld(folder: Path) -> Iterator[bool]:
    """Whether nobody holds the blobs, and nobody will meanwhile."""
    with _locked(folder) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _path(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / sha256[2:]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
