"""A Python process that answers questions one after the other, and is kept while there are some."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from qpi_jupyter.core import Unavailable

from .child import spawned
from .clock import Clock, Timers

_LENGTH = 8
MAX_ANSWER_BYTES = 512 << 20


class Worker:
    """``python -m module``, started at the first question.

    Each question and each answer come after their length, as 8 bytes, big-endian. Strangers' programs are read there:
    an answer that is late, or that nobody waits for any more, ends the process, and the next question starts another.

    Parameters
    ----------
    idle_s
        how long it is kept without a question.
    """

    def __init__(self, module: str, clock: Clock, *, idle_s: float) -> None:
        self._module, self._idle_s, self._timers = module, idle_s, Timers(clock)
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def ask(self, question: bytes, *, timeout_s: float) -> bytes:
        """The answer to a question, after those that came before.

        Raises
        ------
        TimeoutError
            it took longer, the turn not counted.
        Unavailable
            the process ended, out of memory or by its own fault (``worker_ended``), or none starts (`NO_PROCESS`).
        """
        async with self._turn:
            self._timers.cancel("idle")
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await self._answer(question)
            except BaseException:
                await self._end()
                raise
            self._timers.after(self._idle_s, "idle", self._idle)
            return answer

    async def close(self) -> None:
        """End the process."""
        self._timers.close()
        await self._end()
        await asyncio.gather(*self._ending)

    async def _answer(self, question: bytes) -> bytes:
        if self._process is None:
            self._process = await spawned(self._module)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(len(question).to_bytes(_LENGTH, "big"))
            process.stdin.write(question)
            await process.stdin.drain()
            size = int.from_bytes(await process.stdout.readexactly(_LENGTH), "big")
            if size > MAX_ANSWER_BYTES:
                raise Unavailable(f"The answer has {size:,} bytes.", code="worker_ended")
            return await process.stdout.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Unavailable("The process that works on this ended.", code="worker_ended") from error

    def _idle(self) -> None:
        # Let go of at once: whoever asks now has another.
        task = asyncio.get_running_loop().create_task(_ended(self._let_go()))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self) -> None:
        await _ended(self._let_go())

    def _let_go(self) -> asyncio.subprocess.Process | None:
        process, self._process = self._process, None
        return process


async def _ended(process: asyncio.subprocess.Process | None) -> None:
    if process is not None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
