"""Circuits as OpenQASM 3 text, to be read by people: ``python -m qpi_executors.transcript`` has the packed QPY files of
a program on its standard input, and writes JSON.

The lab's server starts it where somebody looks at a job that came from Qiskit; it is a process of its own, with bounded
time and memory, because the files are anybody's.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.programs import unpack

from .sources import parse_qpy

MAX_CIRCUITS = 200
MAX_CHARS = 400_000
"""Of all texts together."""
CPU_S, MEMORY_BYTES = 20, 4 << 30


def transcribe(files: Sequence[bytes]) -> dict[str, Any]:
    """``{"total": circuits in all, "circuits": [{"name", "text" | null, "problem"}, ...]}`` of QPY files.

    Raises
    ------
    ProgramError
        a file cannot be read.
    """
    from qiskit import qasm3

    circuits = [circuit for file in files for circuit in parse_qpy(file, 0)]
    left, entries = MAX_CHARS, []
    for circuit in circuits[:MAX_CIRCUITS]:
        text, problem = None, ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                text = qasm3.dumps(circuit)
        except Exception as error:  # whatever of a circuit OpenQASM 3 has no words for
            problem = f"OpenQASM 3 cannot say this circuit: {error}"
        if text is not None and len(text) > left:
            text, problem = None, "The circuit is too long to show: download it."
        left -= len(text or "")
        entries.append({"name": circuit.name, "text": text, "problem": problem})
    return {"total": len(circuits), "circuits": entries}


def main() -> None:
    """Read, write, and say what is wrong with the program where something is."""
    for limit, most in ((resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY_BYTES)):
        resource.setrlimit(limit, (most, most))
    try:
        found = transcribe(unpack(sys.stdin.buffer.read()))
    except ProgramError as error:
        found = {"total": 0, "circuits": [], "problem": str(error)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
