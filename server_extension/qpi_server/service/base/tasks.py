"""Work that a lab's end has to do with: in the background, which ends with it, and requests, which it waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.tasks import ended

log = logging.getLogger(__name__)


class Underway:
    """The requests that are being answered: a lab that closes lets them end first."""

    def __init__(self) -> None:
        self._requests: set[object] = set()
        self._none = asyncio.Event()
        self._none.set()

    def begin(self, request: object) -> None:
        """It is one of them, until its `end`."""
        self._requests.add(request)
        self._none.clear()

    def end(self, request: object) -> None:
        """It has been answered, or its asker has gone; again, or without a beginning, that is nothing."""
        self._requests.discard(request)
        if not self._requests:
            self._none.set()

    async def over(self, within_s: float) -> None:
        """Wait until all have ended, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._none.wait()


class Tasks:
    """Background work that ends with the lab. What goes wrong in it is logged, never lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run ``work``; once the lab is closed there is nothing left to do it with."""
        if self._closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, QpiError):
            log.warning("%s: %s", task.get_name(), error)
        else:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        self._closed = True
        await ended(*self._tasks)
