"""The lock of a lab whose database is a file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


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
