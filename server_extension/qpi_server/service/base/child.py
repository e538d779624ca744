"""A question to a Python process of its own: strangers' files are read there, in bounded time, and not for nobody."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

from qpi_jupyter.core import Unavailable

NO_PROCESS = "no_process"
"""The code of what `spawned` refuses."""
_INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""Of the environment: no token and no setting of the lab is any business of the child's."""


def inherited() -> dict[str, str]:
    """The environment of a child."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def spawned(module: str) -> asyncio.subprocess.Process:
    """``python -m module``, which reads its question and writes its answer.

    Raises
    ------
    Unavailable
        this machine starts no more processes now: it is short of memory, files or process ids.
    """
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, env=inherited(), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Unavailable(
            f"The lab's machine starts no more processes now ({error.strerror}): try again in a moment.",
            code=NO_PROCESS,
        ) from error


async def answer_of(module: str, question: bytes, *, timeout_s: float) -> bytes:
    """What ``python -m module`` writes, having read ``question``. Late or cancelled, it leaves no process behind.

    Raises
    ------
    TimeoutError
        it took longer.
    Unavailable
        as `spawned`.
    """
    process = await spawned(module)
    try:
        async with asyncio.timeout(timeout_s):
            answer, _ = await process.communicate(question)
        return answer
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
