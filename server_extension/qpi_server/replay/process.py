"""A replay in a process of its own: what it is asked, what it says, and waiting for its end.

The process works at the lowest priority and ends with whoever asked: its standard input closes with them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Faulted, Policy, QpiError

MAX_JOBS = 250_000
"""Of a past that is replayed for somebody who waits for it."""
LINE_BYTES = 64 << 20
"""The longest line that the process may say."""


class Ask(Struct, kw_only=True):
    """What to replay: the lab's past between two moments, or the invented month of ``seed``."""

    db_url: str
    lab_dir: str
    since: datetime
    until: datetime
    seed: int | None = None
    policies: list[Policy]


class Loaded(Struct, tag=True, kw_only=True):
    """How much there is to replay."""

    jobs: int
    bookings: int


class Progress(Struct, tag=True, kw_only=True):
    """The part that is done, from 0 to 1."""

    done: float


class Figured(Struct, tag=True, kw_only=True):
    """The figures of the next policy, as `report.figures` has them."""

    figures: dict[str, Any]


class Failed(Struct, tag=True, kw_only=True):
    """Why it cannot be done: a `QpiError` as a dictionary."""

    error: dict[str, Any]


Step = Loaded | Progress | Figured | Failed


async def replayed(ask: Ask, hear: Callable[[Loaded | Progress | Figured], Awaitable[None]]) -> None:
    """Run ``ask`` to its end and pass on what it says. Cancelled, it leaves no process behind.

    Raises
    ------
    QpiError
        it cannot be done.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "qpi_server.replay.worker", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES, start_new_session=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("QPI_", "JUPYTER_TOKEN"))},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(ask) + b"\n")
        async for line in process.stdout:
            step = msgspec.json.decode(line, type=Step)
            if isinstance(step, Failed):
                raise QpiError.from_dict(step.error)
            await hear(step)
        if (status := await process.wait()) != 0:
            raise Faulted(f"The replay's process ended with status {status}; the server's log may say why.")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.stdin.close()
        await process.wait()
