"""Programs as text, to be read by people: ``python -m qpi_executors.transcript`` has the name of a format and a packed
program, packed, on its standard input, and writes JSON.

The lab's server starts it where somebody looks at a job whose program is no text; it is a process of its own, with
bounded time and memory, because the programs are anybody's, and what reads them another package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qpi_jupyter.core import ProgramError, ProgramFormat, QpiError, unpack
from qpi_jupyter.data.formats import FORMATS

from .answers import answer_once

MAX_CIRCUITS = 200
MAX_CHARS = 400_000
"""Of all texts together."""
CPU_S, MEMORY_BYTES = 20, 4 << 30


def transcribe(form: ProgramFormat, sources: Sequence[bytes]) -> dict[str, Any]:
    """``{"total": programs in all, "circuits": [{"name", "text" | null, "problem"}, ...]}``.

    Raises
    ------
    QpiError
        a source cannot be read.
    """
    programs = [program for source in sources for program in _read(form, source)]
    left, entries = MAX_CHARS, []
    for program in programs[:MAX_CIRCUITS]:
        text, problem = None, ""
        try:
            text = form.to_text(program)
        except Exception as error:  # whatever a guest raises
            problem = str(error)
        if text is not None and len(text) > left:
            text, problem = None, f"The {form.noun} is too long to show: download it."
        left -= len(text or "")
        entries.append({"name": str(getattr(program, "name", "")), "text": text, "problem": problem})
    return {"total": len(programs), "circuits": entries}


def _read(form: ProgramFormat, source: bytes) -> Sequence[object]:
    try:
        return form.read(source)
    except (QpiError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a reader written in Rust panics with a BaseException
        raise ProgramError(f"The {form.noun} cannot be read: {error}".rstrip(".") + ".", code="bad_program") from error


def answer(question: Sequence[bytes]) -> dict[str, Any]:
    """What `answer_once` writes; what is wrong with the program, where something is."""
    name, packed = question
    try:
        return transcribe(FORMATS.load(name.decode()), unpack(packed))
    except QpiError as error:
        problem = f"{error.message} The program can be downloaded as it was sent."
        return {"total": 0, "circuits": [], "problem": problem}


if __name__ == "__main__":
    answer_once(answer, cpu_s=CPU_S, memory_bytes=MEMORY_BYTES)
