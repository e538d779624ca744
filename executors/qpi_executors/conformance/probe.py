"""What an executor leaves behind, in a process of its own that it may end.

``python -m qpi_executors.conformance.probe`` has its name and options as JSON on its standard input, and writes JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

import psutil

from qpi_executors.answers import own_output
from qpi_executors.base import Executor
from qpi_executors.registry import load
from qpi_executors.runner import run_program
from qpi_jupyter.core import Program, RunOptions

CYCLES = 2
"""What the first one opens may be a library's own for good; what the second adds is a leak."""


def lives(executor: Executor) -> list[dict[str, int]]:
    """Open it, run an example of its first format, close it; each time what is there afterwards."""
    form = executor.formats[0]
    program = Program(format=form.name, sources=(form.example(),), options=RunOptions(shots=20))
    found = []
    for _ in range(CYCLES):
        executor.open()
        run_program(executor, program)
        executor.close()
        found.append({
            "threads": threading.active_count(), "processes": len(psutil.Process().children(recursive=True)),
            "open files": len(os.listdir("/proc/self/fd")),
        })  # fmt: skip
    return found


if __name__ == "__main__":
    with own_output() as answer:
        asked: dict[str, Any] = json.load(sys.stdin)
        json.dump(lives(load(asked["name"], **asked["options"])), answer)
