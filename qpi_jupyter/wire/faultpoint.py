"""Named places where an acceptance test may kill the process with SIGKILL.

Servers and drivers call `reach` where a crash would be worst. It does nothing, unless the process was started with::

    QPI_FAULT_POINT=submit_after_commit:3     die the third time that this point is reached
    QPI_FAULT_LOG=/path/of/a/file             first append the point's name there, synced to disk

so that a test can prove that the process died at that point and nowhere else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Literal, get_args

Point = Literal[
    "submit_before_commit",
    "submit_after_commit",
    "assign_after_commit",
    "started_after_commit",
    "result_blob_stored",
    "result_after_commit",
    "cancel_after_commit",
    "assigned_received",
    "run_started",
    "run_finished",
    "spool_written",
    "put_sent",
    "put_answered",
    "plan_before_commit",
    "plan_after_commit",
    "plan_before_assembly",
    "plan_after_assembly",
]
POINTS: tuple[Point, ...] = get_args(Point)
SERVER_POINTS, DRIVER_POINTS, PLAN_POINTS = POINTS[:7], POINTS[7:13], POINTS[13:]


class Trap:
    """Kills the process when ``point`` is reached for the ``count``-th time."""

    def __init__(self, point: str, count: int, log: str | None) -> None:
        self._point, self._left, self._log = point, count, log

    def reach(self, point: Point) -> None:
        if point != self._point:
            return
        self._left -= 1
        if self._left > 0:
            return
        if self._log is not None:
            _append(self._log, point)
        os.kill(os.getpid(), signal.SIGKILL)


def trap_from(environ: Mapping[str, str]) -> Trap | None:
    """The trap that the environment asks for, if it asks for one.

    Raises
    ------
    ValueError
        there is no such point, or its count is no whole number from 1.
    """
    if not (wanted := environ.get("QPI_FAULT_POINT")):
        return None
    point, _, count = wanted.partition(":")
    if point not in POINTS:
        raise ValueError(f"QPI_FAULT_POINT: no point {point!r}; there are {', '.join(POINTS)}")
    if not (count or "1").isdecimal() or int(count or 1) < 1:
        raise ValueError(f"QPI_FAULT_POINT: {count!r} is no count; write {point}:1 or more")
    return Trap(point, int(count or 1), environ.get("QPI_FAULT_LOG"))


_trap = trap_from(os.environ)


def reach(point: Point) -> None:
    """Say that the process is at ``point``; it does not return if a test wants the process dead there."""
    if _trap is not None:
        _trap.reach(point)


def _append(path: str, line: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(fd, f"{line}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)
