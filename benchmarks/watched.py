"""``jupyter qpi``, watched from inside: how long the longest callback held its event loop, or what came and went.

``$BENCH_WATCH`` says which; when ``SIGUSR2`` comes, what was seen since the last one is written to
``$BENCH_WATCH_FILE`` as JSON, and counting starts anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tornado.web import RequestHandler
from tornado.websocket import WebSocketProtocol13

from qpi_server.tools.standalone import main

CONTENT = (1, 2)
"""The opcodes of WebSocket frames that say something: text and bytes, no pings."""
seen: dict[str, Any] = {}


def loop() -> dict[str, Any]:
    """Time every callback of every event loop of this process: the longest's wall and CPU time, and what it was."""
    inner = asyncio.Handle._run  # noqa: SLF001  # asyncio has no public hook around a callback

    def run(self: asyncio.Handle) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        inner(self)
        took = time.perf_counter() - wall
        if took > seen["wall_s"]:
            seen.update(wall_s=took, cpu_s=time.thread_time() - cpu, what=repr(self))

    asyncio.Handle._run = run  # type: ignore[method-assign]  # noqa: SLF001  # as above
    return {"wall_s": 0.0, "cpu_s": 0.0, "what": ""}


def traffic() -> dict[str, Any]:
    """Count requests, and WebSocket frames both ways."""

    def counted(owner: type, name: str, key: str, counts: Callable[..., bool]) -> None:
        inner = getattr(owner, name)

        def call(self: Any, *args: Any, **named: Any) -> Any:
            seen[key] += counts(*args)
            return inner(self, *args, **named)

        setattr(owner, name, call)

    counted(RequestHandler, "on_finish", "requests", lambda: True)
    counted(WebSocketProtocol13, "_write_frame", "frames", lambda fin, opcode, *rest: opcode in CONTENT)
    counted(WebSocketProtocol13, "_handle_message", "frames", lambda opcode, data: opcode in CONTENT)
    return {"requests": 0, "frames": 0}


def report(empty: dict[str, Any]) -> None:
    """Write what was seen, and the CPU time of the process so far; forget the former."""
    target = Path(os.environ["BENCH_WATCH_FILE"])
    part = target.with_suffix(".part")
    part.write_text(json.dumps({**seen, "process_s": time.process_time()}))
    part.replace(target)
    seen.update(empty)


if __name__ == "__main__":
    nothing = {"loop": loop, "traffic": traffic}[os.environ["BENCH_WATCH"]]()
    seen.update(nothing)

    def asked(_signal: int, _frame: FrameType | None) -> None:
        report(nothing)

    signal.signal(signal.SIGUSR2, asked)
    main()
