"""A job's program as text to be read. To the server a program is bytes: a child process reads those of Qiskit."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import OrderedDict
from contextlib import suppress

import msgspec

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.programs import ProgramFormat, unpack
from qpi_jupyter.wire.rest import CircuitText, ProgramText

from .jobs import JobService

TIMEOUT_S = 30.0
"""Of a child that starts, loads Qiskit and writes."""
KEPT = 16
"""Programs whose text is remembered."""
_COMMAND = (sys.executable, "-m", "qpi_executors.transcript")
_INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""Of the environment: no token and no setting of the lab is any business of the child's."""


class TranscriptService:
    """What jobs run, in OpenQASM."""

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs
        self._known: OrderedDict[str, ProgramText] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def text(self, principal: Principal, job_id: str) -> ProgramText:
        """The circuits of a job that one may read: as they were sent, or what was QPY as OpenQASM 3."""
        job = await self._jobs.get(principal, job_id)
        packed = await self._jobs.program(principal, job_id)
        if job.format is not ProgramFormat.QPY:
            texts = [CircuitText(text=source.decode(errors="replace")) for source in unpack(packed)]
            return ProgramText(circuits=texts, total=len(texts))
        digest = (await self._jobs.provenance(principal, job_id)).program_sha256
        async with self._one_at_a_time:
            found = self._known.pop(digest, None) or await _transcribed(packed)
            self._known[digest] = found
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return found


async def _transcribed(packed: bytes) -> ProgramText:
    """What a child process makes of packed QPY files."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate(packed)
        return msgspec.json.decode(output, type=ProgramText)
    except (TimeoutError, msgspec.DecodeError):
        # Too large for its limits, or there is no Qiskit: the program itself is none the worse.
        return ProgramText(circuits=[], total=0, problem="The program cannot be shown as text here: download it.")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
