"""Lets submits that arrive together share commits: each waits a moment for its neighbours, a lone one never does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

BATCH = 16
"""So many submits at once wait for one another, and so many are a commit."""
PATIENCE_S = 0.05
"""The longest wait for neighbours, whose checks may take their time (seconds)."""


class Batches:
    """The submits under way: those whose programs are still being checked, and those ready to be written."""

    def __init__(self) -> None:
        self._coming = 0
        self._ready = 0
        self._gate: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def submit(self) -> Iterator[Submit]:
        """One submit, from its arrival until it is ready or refused."""
        submit = Submit(self)
        self._coming += 1
        try:
            yield submit
        finally:
            submit.leave()

    def left(self) -> None:
        """One that was coming is ready, or refused."""
        self._coming -= 1
        if self._gate is not None and (self._coming == 0 or self._ready >= BATCH):
            self._open()

    async def together(self) -> None:
        """Wait until enough are ready, or no more are coming."""
        if self._gate is None and self._coming + 1 < BATCH:
            return
        self._ready += 1
        if self._coming == 0 or self._ready >= BATCH:
            self._open()
            return
        if self._gate is None:
            loop = asyncio.get_running_loop()
            self._gate = loop.create_future()
            self._timer = loop.call_later(PATIENCE_S, self._open)
        await asyncio.shield(self._gate)

    def _open(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._gate is not None:
            self._gate.set_result(None)
        self._gate, self._timer, self._ready = None, None, 0


class Submit:
    """One submit among the others."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._coming = True

    async def ready(self) -> None:
        """Wait for neighbours that are about to be ready too; returns at once where there are few."""
        self.leave()
        await self._batches.together()

    def leave(self) -> None:
        """Nobody needs to wait for this one any more."""
        if self._coming:
            self._coming = False
            self._batches.left()
