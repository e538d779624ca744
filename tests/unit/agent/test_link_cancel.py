"""A driver that is told to end while its link breaks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from qpi_agent.backoff import Backoff
from qpi_agent.link import Link
from qpi_jupyter.core.errors import Unavailable


class BreakingLink(Link):
    """A link that ends with an error in the very moment in which it is cancelled."""

    def __init__(self) -> None:
        super().__init__(lab="the lab", bus="ws://nowhere", credential=None, driver=None)  # type: ignore[arg-type]
        self.broken = asyncio.Event()
        self.connections = 0

    async def _connected(self, backoff: Backoff) -> None:
        self.connections += 1

        async def read() -> None:
            await self.broken.wait()
            raise Unavailable("the lab closed the link")

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(read())
                await asyncio.get_running_loop().create_future()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None


def test_a_cancellation_that_meets_an_error_is_not_forgotten() -> None:
    async def scene() -> None:
        link = BreakingLink()
        task: asyncio.Task[Any] = asyncio.create_task(link.live())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        link.broken.set()
        link.end()
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        if not done:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            pytest.fail("the link went on after it was told to end")
        assert task.cancelled()
        assert link.connections == 1

    asyncio.run(scene())
