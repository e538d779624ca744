"""Lets submits that arrive in a crowd share commits: each waits a moment for its neighbours, a lone one never does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

CROWD = 16
"""So many submits at once are a crowd, and so many are a commit."""
PATIENCE_S = 0.05
"""The longest wait for neighbours, whose checks may take their time (seconds)."""


class Crowd:
    """The submits under way: those whose programs are still being checked, and those ready to be written."""

    def __init__(self) -> None:
        self._coming = 0
        self._ready = 0
        self._gate: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def member(self) -> Iterator[Member]:
        """One submit, from its arrival until it is ready or refused."""
        member = Member(self)
        self._coming += 1
        try:
            yield member
        finally:
            member.leave()

    def _left(self) -> None:
        self._coming -= 1
        if self._gate is not None and (self._coming == 0 or self._ready >= CROWD):
            self._open()

    async def _together(self) -> None:
        if self._gate is None and self._coming + 1 < CROWD:
            return
        self._ready += 1
        if self._coming == 0 or self._ready >= CROWD:
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


class Member:
    """One submit's place in the crowd."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._there = True

    async def ready(self) -> None:
        """Wait for neighbours that are about to be ready too; returns at once where there is no crowd."""
        self.leave()
        await self._crowd._together()

    def leave(self) -> None:
        """Nobody needs to wait for this one any more."""
        if self._there:
            self._there = False
            self._crowd._left()
