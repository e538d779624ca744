"""``jupyter qpi`` with a watch on its event loop: how long the longest callback held it.

Writes ``{"wall_s", "cpu_s", "what"}`` of the longest callback since the last ``SIGUSR2`` to ``$BENCH_LOOP_FILE`` when
the signal comes, and starts counting anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from qpi_server.standalone import main

worst: dict[str, Any] = {"wall_s": 0.0, "cpu_s": 0.0, "what": ""}


def watch() -> None:
    """Time every callback of every event loop of this process."""
    inner = asyncio.Handle._run

    def run(self: asyncio.Handle) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        inner(self)
        took = time.perf_counter() - wall
        if took > worst["wall_s"]:
            worst.update(wall_s=took, cpu_s=time.thread_time() - cpu, what=repr(self))

    asyncio.Handle._run = run  # type: ignore[method-assign]


def report(_signal: int, _frame: FrameType | None) -> None:
    """Write the worst so far, and forget it."""
    target = Path(os.environ["BENCH_LOOP_FILE"])
    part = target.with_suffix(".part")
    part.write_text(json.dumps(worst))
    part.replace(target)
    worst.update(wall_s=0.0, cpu_s=0.0, what="")


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, report)
    watch()
    main()
