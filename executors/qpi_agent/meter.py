"""Asks for an executor's readings, in a child for which nothing else waits, and keeps them for the next heartbeat."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.frames import Reading

from .backoff import Backoff
from .messages import MAX_CHANNELS, Open, Read, Said
from .process import Child, Died, ForkServer, spawn_in_the_end

log = logging.getLogger(__name__)
EVERY_S = 5.0
TIMEOUT_S = 10.0
"""How long one call may take; then its process is ended, and another one starts."""


class Meter:
    """In the agent: asks every `EVERY_S`, and keeps the latest answer until it is taken.

    An executor that fails, hangs or dies is told of in the log, once for each trouble; its channels read None
    meanwhile, which is a gap in their charts.
    """

    def __init__(
        self, opening: Open, forks: ForkServer, *, every_s: float = EVERY_S, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._opening, self._forks, self._every_s, self._timeout_s = opening, forks, every_s, timeout_s
        self._child: Child | None = None
        self._units: dict[str, str] = {}
        self._fresh: dict[str, Reading] = {}
        self._problem = ""

    def take(self) -> list[Reading]:
        """What was read since the last call."""
        fresh, self._fresh = list(self._fresh.values()), {}
        return fresh

    async def live(self) -> None:
        """Ask for ever, from one child after the other."""
        backoff = Backoff(first_s=self._every_s)
        while True:
            child, _ = await spawn_in_the_end(self._opening, self._forks, self._no_start)
            self._child = child
            try:
                await self._ask(child, backoff)
            except TimeoutError:
                self._told(f"no answer within {self._timeout_s:g} s")
            except Died as died:
                self._told(str(died))
            await child.stop(0.0)
            await asyncio.sleep(backoff.next())

    async def close(self) -> None:
        """End the child that is there."""
        if self._child is not None:
            await self._child.stop(0.0)

    async def _ask(self, child: Child, backoff: Backoff) -> None:
        while True:
            child.send(Read())
            async with asyncio.timeout(self._timeout_s):
                answer = await child.receive()
            if not isinstance(answer, Said):  # it fails as a whole, and ends
                raise await asyncio.shield(child.exited)
            self._told(answer.problem, answer.readings)
            backoff.reset()
            await asyncio.sleep(self._every_s)

    def _no_start(self, problem: QpiError, wait_s: float) -> None:
        self._told(problem.message)

    def _told(self, problem: str, found: list[Reading] = []) -> None:  # noqa: B006 - nobody changes it
        if problem and problem != self._problem:
            log.warning("readings of %s: %s", self._opening.executor, problem)
        elif self._problem and not problem:
            log.info("readings of %s are back", self._opening.executor)
        self._problem = problem
        units = {reading.channel: reading.unit for reading in found}
        units |= {name: unit for name, unit in self._units.items() if name not in units}
        self._units = dict(
            islice(units.items(), MAX_CHANNELS)
        )  # a heartbeat has no room for more, whatever they are called
        lost = {name: Reading(channel=name, value=None, unit=unit) for name, unit in self._units.items()}
        self._fresh = {**lost, **{reading.channel: reading for reading in found}}
