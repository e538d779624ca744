"""A question to a Python process of its own: strangers' files are read there, in bounded time, and not for nobody."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

_INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""Of the environment: no token and no setting of the lab is any business of the child's."""


def inherited() -> dict[str, str]:
    """The environment of a child."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


async def answer_of(module: str, question: bytes, *, timeout_s: float) -> bytes:
    """What ``python -m module`` writes, having read ``question``. Late or cancelled, it leaves no process behind.

    Raises
    ------
    TimeoutError
        it took longer.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=inherited(), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            answer, _ = await process.communicate(question)
        return answer
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
