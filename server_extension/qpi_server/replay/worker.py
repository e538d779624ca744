"""``python -m qpi_server.replay.worker``: the process behind `process.replayed`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from qpi_jupyter.core import QpiError
from qpi_server.store import backend_of

from .process import MAX_JOBS, Ask, Failed, Figured, Loaded, Progress, Step
from .report import figures
from .simulate import simulate
from .trace import Trace, of_lab, synthetic

PACE_S = 0.5
"""Between two reports of progress."""


def main() -> None:
    """Answer one question, from standard input to standard output."""
    os.nice(19)
    ask = msgspec.json.decode(sys.stdin.buffer.readline(), type=Ask)
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    try:
        answer(ask, _say)
    except QpiError as error:
        _say(Failed(error=error.to_dict()))


def answer(ask: Ask, say: Callable[[Step], None]) -> None:
    """Everything there is to say, in order."""
    trace = _trace(ask)
    say(Loaded(jobs=len(trace.jobs), bookings=len(trace.bookings)))
    if trace.jobs:
        began = _Counter(len(trace.jobs) * len(ask.policies), say)
        for policy in ask.policies:
            say(Figured(figures=figures(trace, simulate(trace, policy, began))))


class _Counter:
    """Counts the jobs that began, and says so now and then."""

    def __init__(self, total: int, say: Callable[[Step], None]) -> None:
        self._total, self._say = total, say
        self._count = 0
        self._said_at = time.monotonic()

    def __call__(self) -> None:
        self._count += 1
        if self._count % 64 == 0 and time.monotonic() - self._said_at > PACE_S:
            self._said_at = time.monotonic()
            self._say(Progress(done=self._count / self._total))


def _trace(ask: Ask) -> Trace:
    if ask.seed is not None:
        return synthetic(ask.seed)
    return of_lab(backend_of(ask.db_url, Path(ask.lab_dir)), ask.since, ask.until, at_most=MAX_JOBS)


def _say(step: Step) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(step) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_the_asker() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
