"""Results on disk until the lab has them: ``<data dir>/spool``, and ``archive`` for those it does not want.

A result file appears under its name only when it is whole and synced, and goes only when the lab has answered for it.
So what is there after a crash is exactly what was measured and not delivered.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from qpi_jupyter.core import MAX_HEADER_BYTES, Conflict, Rejected
from qpi_jupyter.wire.disk import sync_folder
from qpi_jupyter.wire.results import MAGIC, PREFIX_BYTES, digest

from .messages import Key

log = logging.getLogger(__name__)
SUFFIX = ".result"
PART = ".part"
SPARE_BYTES = 16 << 20
"""With less space on its disk a driver takes no more jobs."""
_NAME = re.compile(r"(?P<job>[A-Za-z0-9_-]{1,128})\.(?P<attempt>[1-9][0-9]{0,9})" + re.escape(SUFFIX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One spooled result."""

    key: Key
    path: Path


class Spool:
    """The folder, for this process alone.

    Raises
    ------
    Conflict
        another agent uses it.
    Rejected
        it cannot be made, or not be written.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "spool"
        self._archive = data_dir / "archive"
        self._had_space = True
        try:
            for folder in (self._folder, self._archive):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Rejected(
                f"The driver cannot keep its results in {data_dir}: {error.strerror}. Give it a folder that it may "
                "write to (--data-dir).",
                code="bad_data_dir",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            message = f"Another qpi-agent uses {data_dir}: give each its own --data-dir."
            raise Conflict(message, code="data_dir_in_use") from None
        for leftover in self._folder.glob(f"*{PART}*"):
            leftover.unlink()  # its attempt was cut short: the lab knows by now that it was not finished

    def close(self) -> None:
        os.close(self._lock)

    def has_space(self) -> bool:
        """Whether the disk has room for another result: what is measured without it is lost."""
        try:
            enough = shutil.disk_usage(self._folder).free >= SPARE_BYTES
        except OSError:
            enough = False
        if enough != self._had_space:
            self._had_space = enough
            if enough:
                log.info("there is room for results again in %s", self._folder)
            else:
                log.error("no more jobs: less than %d MiB free for results in %s", SPARE_BYTES >> 20, self._folder)
        return enough

    def path(self, key: Key) -> Path:
        """Where the result of an attempt goes.

        Raises
        ------
        Rejected
            the lab sent an id that is no file name.
        """
        name = f"{key.job_id}.{key.attempt}{SUFFIX}"
        if not _NAME.fullmatch(name):
            raise Rejected(f"{key.job_id!r} is not a job id.", code="bad_job_id")
        return self._folder / name

    def entries(self) -> list[Entry]:
        """What waits, oldest first."""
        found = []
        for path in self._folder.iterdir():
            if match := _NAME.fullmatch(path.name):
                found.append(Entry(key=Key(match["job"], int(match["attempt"])), path=path))
        return sorted(found, key=lambda entry: entry.path.stat().st_mtime_ns)

    def remove(self, key: Key) -> None:
        """The lab has it."""
        self.path(key).unlink(missing_ok=True)

    def archive(self, key: Key, reason: str) -> None:
        """The lab does not want it: keep it aside for a person to look at."""
        path = self.path(key)
        if path.exists():
            log.warning("job %s, attempt %d: %s; the result is kept in %s", *key, reason, self._archive)
            path.rename(self._archive / path.name)
            sync_folder(self._archive)
            sync_folder(self._folder)


def header_digest(path: Path) -> str:
    """What the upload of a spooled result announces.

    Raises
    ------
    Rejected
        the file is no result.
    """
    with path.open("rb") as file:
        start = file.read(PREFIX_BYTES)
        length = int.from_bytes(start[len(MAGIC) :], "big")
        if not start.startswith(MAGIC) or not 0 < length <= MAX_HEADER_BYTES:
            raise Rejected(f"{path} is not a result.", code="bad_result")
        return digest(file.read(length))
