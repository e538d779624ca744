"""Waiting for what nothing announces: another process, a file. Where there is an event, wait for that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import TypeVar

import psutil

PATIENCE_S = 120.0
PAUSE_S = 0.01
T = TypeVar("T")


def wait_until(probe: Callable[[], T | None], timeout_s: float = PATIENCE_S, what: str = "it") -> T:
    """The first truthy answer of ``probe``."""
    deadline = time.monotonic() + timeout_s
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(PAUSE_S)
    return found


async def until(probe: Callable[[], T | Awaitable[T | None] | None], timeout_s: float = PATIENCE_S) -> T:
    """As `wait_until`, beside what else runs in the loop."""
    async with asyncio.timeout(timeout_s):
        while True:
            answer = probe()
            if found := (await answer if isawaitable(answer) else answer):
                return found
            await asyncio.sleep(PAUSE_S)


def survivors(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that have not ended by then. A zombie has: only that whoever inherited it has not heard of it yet."""
    _, alive = psutil.wait_procs(processes, timeout=timeout_s)
    return [process for process in alive if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
