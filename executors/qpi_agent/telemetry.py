"""What a driver says of itself with every heartbeat: its latest log, bounded and without secrets, and its load."""

from __future__ import annotations

import contextlib
import logging
import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil

from qpi_jupyter.wire.frames import MAX_LOG_LINES, MAX_LOG_MESSAGE, MAX_LOG_NAME, LogLevel, LogLine, Reading

_HIDDEN = "[hidden]"
_TOKEN = re.compile(r"qpi_[A-Za-z0-9_-]{24,}")
"""Any lab's token, whosever it is."""
_SECRET_OPTION = re.compile(r"token|secret|passw|key|credential", re.IGNORECASE)


def secrets_of(token: str, options: Iterable[tuple[str, object]]) -> list[str]:
    """What must not be in a log: the driver's token, and options of the executor that sound like credentials."""
    return [token, *(str(value) for name, value in options if _SECRET_OPTION.search(name) and value)]


class LogTail(logging.Handler):
    """Keeps what is logged at INFO and above until it is taken; the oldest go first when there is too much."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(logging.INFO)
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._lines: deque[LogLine] = deque()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; nothing waits for anybody here."""
        try:
            message = self._clean(_message(record))
        except Exception:
            self.handleError(record)
            return
        at, level = datetime.fromtimestamp(record.created, UTC), _level(record.levelno)
        for piece in _pieces(message):
            if len(self._lines) == MAX_LOG_LINES:
                self._drop()
            self._lines.append(LogLine(at=at, level=level, logger=record.name[:MAX_LOG_NAME], message=piece))

    def _drop(self) -> None:
        """Make room for a line: the oldest goes that says nothing of trouble, if there is one."""
        del self._lines[next((place for place, line in enumerate(self._lines) if line.level == "info"), 0)]
        self._dropped += 1

    def take(self) -> list[LogLine]:
        """What was logged since the last call, oldest first; the first line says how many were dropped before it."""
        self.acquire()
        try:
            lines, dropped = list(self._lines), self._dropped
            self._lines.clear()
            self._dropped = 0
        finally:
            self.release()
        if lines:
            lines[0].dropped = dropped
        return lines

    def _clean(self, message: str) -> str:
        for secret in self._secrets:
            message = message.replace(secret, _HIDDEN)
        return _TOKEN.sub(_HIDDEN, message)


def _pieces(message: str) -> list[str]:
    """The message in parts that a line can hold: whole lines, as many as fit; what is too long for one is cut."""
    pieces: list[str] = []
    for line in message.split("\n"):
        line = line if len(line) <= MAX_LOG_MESSAGE else line[: MAX_LOG_MESSAGE - 1] + "…"
        if pieces and len(pieces[-1]) + 1 + len(line) <= MAX_LOG_MESSAGE:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line)
    return pieces


def _message(record: logging.LogRecord) -> str:
    """The text; of an exception its last line."""
    message = record.getMessage()
    if record.exc_info and (error := record.exc_info[1]) is not None:
        message += f": {type(error).__name__}: {error}"
    return message


def _level(number: int) -> LogLevel:
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info"


class Gauges:
    """Reads the driver's own processes, wherever they were forked; the first reading of the load only starts the
    measurement."""

    def __init__(self, children: Callable[[], Iterable[int]] = tuple) -> None:
        self._children = children
        self._known: dict[int, psutil.Process] = {}

    def read(self, *, staged: int, running: int, run_s: float | None) -> list[Reading]:
        """The readings of now; ``run_s`` is how long the latest run took."""
        load, resident = self._processes()
        found = [
            Reading(channel="driver/cpu", value=load, unit="%"),
            Reading(channel="driver/memory", value=resident, unit="B"),
            Reading(channel="driver/staged", value=float(staged)),
            Reading(channel="driver/running", value=float(running)),
        ]
        if run_s is not None:
            found.append(Reading(channel="driver/run_time", value=run_s, unit="s"))
        return found

    def _processes(self) -> tuple[float, float]:
        """Load (percent of one core) and resident memory (bytes) of the driver and its children; of memory that
        processes share each has its part."""
        own = psutil.Process()
        alive = {process.pid: process for process in (own, *own.children(recursive=True))}
        for pid in self._children():
            with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
                alive.setdefault(pid, psutil.Process(pid))
        # A process object measures its load since its previous call: keep those that are still there.
        self._known = {pid: self._known.get(pid, process) for pid, process in alive.items()}
        load = resident = 0.0
        for pid, process in self._known.items():
            with contextlib.suppress(psutil.Error, OSError):
                load += process.cpu_percent()
                resident += _own_bytes(pid)
        return load, resident


def _own_bytes(pid: int) -> int:
    """What a process holds in memory, with its part of what it shares."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next((int(line.split()[1]) * 1024 for line in said.splitlines() if line.startswith("Pss:")), 0)
