"""Checks programs in the prepare child: one at a time, within a time limit, remembering the latest answers."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from qpi_jupyter.core.errors import Faulted, ProgramError, QpiError, TooLarge
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.wire.frames import Prepared

from .backoff import Backoff
from .messages import Check, Checked, Circuits, Open
from .process import Child, Died, Lifeline, spawn

log = logging.getLogger(__name__)
_REMEMBERED = 256


class Checker:
    """Answers ``qpu.prepare``. `start` it first."""

    def __init__(self, opening: Open, lifeline: Lifeline, *, timeout_s: float) -> None:
        self._opening, self._lifeline, self._timeout_s = opening, lifeline, timeout_s
        self._child: Child | None = None
        self._turn = asyncio.Lock()
        self._answers: OrderedDict[str, Prepared] = OrderedDict()
        self._crashed: set[str] = set()

    async def start(self) -> Manifest:
        """Start the child; what its executor can do.

        Raises
        ------
        QpiError
            the executor cannot be made.
        """
        self._child, manifest = await spawn(self._opening, self._lifeline)
        return manifest

    async def live(self) -> None:
        """Start the child again whenever it ends."""
        backoff = Backoff(first_s=0.5)
        while True:
            if self._child is not None:
                await asyncio.shield(self._child.exited)
                self._child = None
            try:
                await self.start()
                backoff.reset()
            except QpiError as problem:
                log.error("the prepare child does not start: %s", problem)
                await asyncio.sleep(backoff.next())

    async def prepare(self, key: str, program: Circuits) -> Prepared:
        """The estimate, or what is wrong.

        Raises
        ------
        Faulted
            nothing was found out, because the child is down. A program that it crashes on twice is refused.
        """
        async with self._turn:
            if (known := self._answers.get(key)) is not None:
                self._answers.move_to_end(key)
                return known
            answer = self._within_cap(await self._ask(key, program))
            self._answers[key] = answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
            return answer

    async def close(self) -> None:
        if self._child is not None:
            await self._child.stop(0.5)

    async def _ask(self, key: str, program: Circuits) -> Prepared:
        child = self._child
        if child is None or not child.alive:
            raise Faulted("The prepare child is starting.", code="checker_down")
        child.send(Check(program=program))
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await child.receive()
        except TimeoutError:
            await child.stop(0.0)
            message = f"Checking the program took longer than {self._timeout_s:g} s: it is refused."
            error = ProgramError(message, code="check_timeout", timeout_s=self._timeout_s)
            return Prepared(error=error.to_dict())
        except asyncio.CancelledError:
            # Its answer would be taken for the next question's.
            await child.stop(0.0)
            raise
        except Died as died:
            if key not in self._crashed:
                self._crashed.add(key)
                raise Faulted(f"The executor crashed during a check: {died}.", code="checker_down") from died
            self._crashed.discard(key)
            error = ProgramError(f"The executor crashes while it checks this program: {died}.", code="check_crashed")
            return Prepared(error=error.to_dict())
        assert isinstance(answer, Checked)
        return Prepared(estimate=answer.estimate, error=answer.error)

    def _within_cap(self, answer: Prepared) -> Prepared:
        cap, estimate = self._opening.memory_cap_bytes, answer.estimate
        if cap is None or estimate is None or estimate.memory_bytes <= cap:
            return answer
        error = TooLarge(
            f"The program needs about {estimate.memory_bytes / 2**30:,.1f} GiB of memory; "
            f"a place of this QPU has {cap / 2**30:,.1f} GiB.",
            code="too_much_memory",
            memory_bytes=estimate.memory_bytes,
            limit=cap,
        )
        return Prepared(error=error.to_dict())
