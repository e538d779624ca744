"""Waiting for what nothing announces: another process, a file. Where there is an event, wait for that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import TypeVar

import psutil

PATIENCE_S = 240.0
PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.1
T = TypeVar("T")


def wait_until(probe: Callable[[], T | None], timeout_s: float = PATIENCE_S, what: str = "it") -> T:
    """The first truthy answer of ``probe``."""
    since = time.monotonic()
    while not (found := probe()):
        waited_s = time.monotonic() - since
        if waited_s > timeout_s:
            raise AssertionError(f"{what} did not happen within {timeout_s:g} s")
        time.sleep(pause_s(waited_s))
    return found


def pause_s(waited_s: float) -> float:
    """The longer it lasts, the less often one asks: whoever starts needs the processor more than whoever waits."""
    return min(LONGEST_PAUSE_S, max(PAUSE_S, waited_s / 20))


async def until(probe: Callable[[], T | Awaitable[T | None] | None], timeout_s: float = PATIENCE_S) -> T:
    """As `wait_until`, beside what else runs in the loop."""
    since = time.monotonic()
    async with asyncio.timeout(timeout_s):
        while True:
            answer = probe()
            if found := (await answer if isawaitable(answer) else answer):
                return found
            await asyncio.sleep(pause_s(time.monotonic() - since))


def survivors(processes: Iterable[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that have not ended by then."""
    since, alive = time.monotonic(), list(processes)
    while alive := [process for process in alive if lives(process)]:
        waited_s = time.monotonic() - since
        if waited_s > timeout_s:
            break
        time.sleep(pause_s(waited_s))
    return alive


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended. A zombie has: whoever inherited it may take seconds to hear of it."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
