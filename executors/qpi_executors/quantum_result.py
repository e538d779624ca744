"""The analysis of a program as JSON: ``python -m qpi_executors.quantum_result``.

Its standard input is packed: the name of a format, a packed program, and a JSON object in which each field is optional:
``counts`` (by outcome), ``observables`` (Pauli strings), ``esp`` (a number), ``circuit`` (which one; 0). The answer is
that of `qpi_jupyter.data.analysis.to_dict`, or an object with ``problem`` alone. What needs the exact state and cannot
have it, because the circuit is too wide, is left out where there are counts, and ``problem`` says why.

The lab's server starts it; it is a process of its own, with bounded time and memory: programs are anybody's.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

from qpi_jupyter.core import Program, QpiError, RunOptions, unpack
from qpi_jupyter.data.analysis import analyse, to_dict

from .answers import own_output
from .programs import parse

CPU_S, MEMORY_BYTES = 30, 4 << 30


def quantum_result(form: str, sources: tuple[bytes, ...], asked: dict[str, Any]) -> dict[str, Any]:
    """The analysis of one circuit of a program.

    Raises
    ------
    QpiError
        the program cannot be read, or there is nothing to say of it.
    """
    circuits = parse(Program(format=form, sources=sources, options=RunOptions()))
    circuit = circuits[int(asked.get("circuit", 0))].circuit
    counts, observables, esp = asked.get("counts"), tuple(asked.get("observables", ())), asked.get("esp")
    try:
        return {**to_dict(analyse(circuit, counts, observables=observables, esp=esp)), "problem": None}
    except QpiError as error:
        if counts is None:
            raise
        return {**to_dict(analyse(None, counts, esp=esp)), "problem": error.message}


def main() -> None:
    """Read, analyse, write."""
    for limit, most in ((resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, MEMORY_BYTES)):
        resource.setrlimit(limit, (most, most))
    name, packed, asked = unpack(sys.stdin.buffer.read())
    answer = own_output()
    try:
        found = quantum_result(name.decode(), unpack(packed), json.loads(asked))
    except QpiError as error:
        found = {"problem": error.message}
    with answer:
        json.dump(found, answer)


if __name__ == "__main__":
    main()
