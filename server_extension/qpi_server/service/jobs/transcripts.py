"""A job's program as text to be read. To the server a program is bytes: a child process reads what is no text."""

from __future__ import annotations

import msgspec

from qpi_jupyter.core import Principal, ProgramFormat, limited, pack, unknown_format, unpack
from qpi_jupyter.wire.jobs import CircuitText, ProgramText
from qpi_server.service.base import Context, Joined, Turns, answer_of

from .jobs import JobService

TIMEOUT_S = 30.0
"""Of a child that starts, loads what the format needs and writes."""
KEPT = 32
"""Programs whose text is remembered."""
CHILDREN = 2
"""At once, of everybody together; one of each person."""


class TranscriptService:
    """What jobs run, in words."""

    def __init__(self, context: Context, jobs: JobService) -> None:
        self._context, self._jobs = context, jobs
        self._texts: Joined[ProgramText] = Joined(kept=KEPT)
        self._turns = Turns("reading program text", places=CHILDREN)

    async def text(self, principal: Principal, job_id: str) -> ProgramText:
        """The program of a job that one may read: as it was sent, or, of what is no text, as its format writes it.

        Raises
        ------
        TooMany
            too many texts for ``principal`` are under way.
        """
        job = await self._jobs.get(principal, job_id)
        packed = await self._jobs.program(principal, job_id)
        form = self._context.qpus.format(job.format)
        if (texts := _texts(unpack(packed), form)) is not None:
            return ProgramText(
                circuits=texts, total=len(texts), as_sent=True, language=form.language, suffix=form.suffix
            )
        digest = (await self._jobs.provenance(principal, job_id)).program_sha256
        key = f"{digest} {job.format}"
        if (known := self._texts.made(key)) is not None:
            return known
        async with self._turns.turn(principal.name, free=not limited(principal)):
            return await self._texts.get(key, lambda: _transcribed(packed, form))


def _texts(sources: tuple[bytes, ...], form: ProgramFormat) -> list[CircuitText] | None:
    """The sources themselves; None where they are no text. Of a format that nobody knows, those that read like one."""
    if form.text:
        return [CircuitText(text=source.decode(errors="replace")) for source in sources]
    if form != unknown_format(form.name) or any(b"\0" in source for source in sources):
        return None
    try:
        return [CircuitText(text=source.decode()) for source in sources]
    except UnicodeDecodeError:
        return None


async def _transcribed(packed: bytes, form: ProgramFormat) -> ProgramText:
    """What a child process makes of a packed program."""
    try:
        output = await answer_of("qpi_executors.transcript", pack((form.name.encode(), packed)), timeout_s=TIMEOUT_S)
        text = msgspec.json.decode(output, type=ProgramText)
    except (TimeoutError, msgspec.DecodeError):
        # Too large for its limits, or what reads it is not installed: the program itself is none the worse.
        text = ProgramText(circuits=[], total=0, problem="The program cannot be shown as text here: download it.")
    text.language, text.suffix = form.language, form.suffix
    return text
