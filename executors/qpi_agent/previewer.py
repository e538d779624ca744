"""Previews programs in a child of their own: forked when somebody asks, ended when nobody has for a while."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from qpi_jupyter.core import Faulted, ProgramError, QpiError, TooLarge
from qpi_jupyter.wire.frames import Previewed, ProgramRef

from .messages import Look, Looked, Open
from .process import Child, Died, ForkServer, oom_kills, spawn

log = logging.getLogger(__name__)
TIMEOUT_S = 60.0
"""Of one preview: a scheduler is imported first."""
_IDLE_S = 300.0
_WAIT_S = 90.0
"""How long a preview waits for others: whoever asked has gone by then."""
_MEMORY_BYTES = 4 << 30


class Previewer:
    """Answers ``qpu.preview``, one program after the other; checks and runs go on meanwhile."""

    def __init__(
        self, opening: Open, forks: ForkServer, *, timeout_s: float = TIMEOUT_S, idle_s: float = _IDLE_S,
        wait_s: float = _WAIT_S,
    ) -> None:  # fmt: skip
        cap = min(opening.memory_cap_bytes or _MEMORY_BYTES, _MEMORY_BYTES)
        self._opening, self._forks = msgspec.structs.replace(opening, memory_cap_bytes=cap), forks
        self._timeout_s, self._idle_s, self._wait_s = timeout_s, idle_s, wait_s
        self._lock = asyncio.Lock()
        self._child: Child | None = None
        self._end: asyncio.TimerHandle | None = None

    async def preview(self, program: ProgramRef) -> Previewed:
        """What the program becomes, or what is wrong with it.

        Raises
        ------
        QpiError
            no child starts, or others take too long.
        """
        async with self._turn():
            if self._end is not None:
                self._end.cancel()
            if self._child is None or not self._child.alive:
                self._child, _ = await spawn(self._opening, self._forks)
            try:
                return await self._ask(self._child, program)
            finally:
                self._end = asyncio.get_running_loop().call_later(self._idle_s, self._halt)

    async def close(self) -> None:
        """End the child."""
        if self._end is not None:
            self._end.cancel()
        if self._child is not None:
            await self._child.stop(0.5)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._lock.acquire()
        except TimeoutError:
            raise Faulted("Other previews of this QPU take too long. Try again later.", code="preview_busy") from None
        try:
            yield
        finally:
            self._lock.release()

    async def _ask(self, child: Child, program: ProgramRef) -> Previewed:
        kills = oom_kills()
        child.send(Look(program=program))
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await child.receive()
        except TimeoutError:
            await child.stop(0.0)
            return _refused(ProgramError(
                f"The preview took longer than {self._timeout_s:g} s. Preview fewer or smaller circuits.",
                code="preview_timeout", timeout_s=self._timeout_s,
            ))  # fmt: skip
        except asyncio.CancelledError:
            # Its answer would be taken for the next question's.
            await child.stop(0.0)
            raise
        except Died as died:
            log.warning("preview: %s", died)
            died.starved = oom_kills() > kills
            return _refused(_blamed(died, self._opening.memory_cap_bytes))
        if not isinstance(answer, Looked):  # it fails as a whole, and ends
            return _refused(_blamed(await asyncio.shield(child.exited), None))
        return Previewed(preview=answer.preview, error=answer.error)

    def _halt(self) -> None:
        """Nobody has asked for a while."""
        if self._child is not None and not self._lock.locked():
            self._child.signal(signal.SIGTERM)


def _blamed(died: Died, cap: int | None) -> QpiError:
    """Why the child ended: a program may be too large, or make an executor crash."""
    if died.starved or died.over(cap):
        return TooLarge("The preview needs more memory than there is.", code="out_of_memory")
    if died.from_outside:
        return Faulted(f"The preview was interrupted: {died}. Try again.", code="preview_failed")
    return ProgramError(f"The executor crashed during the preview: {died}.", code="preview_crashed")


def _refused(error: QpiError) -> Previewed:
    return Previewed(error=error.to_dict())
