"""``python -m qpi_server.calendars.worker``: a calendar file on standard input, its events on standard output."""

from __future__ import annotations

import resource
import sys

import msgspec

from qpi_jupyter.core import QpiError

from .events import Answer
from .reading import read

CPU_S, MEMORY_BYTES = 10, 1 << 30


def main() -> None:
    """Answer once."""
    for limit, most in ((resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY_BYTES)):
        resource.setrlimit(limit, (most, most))
    try:
        answer = Answer(events=read(sys.stdin.buffer.read().decode("utf-8")))
    except QpiError as error:
        answer = Answer(problem=error.to_dict())
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
