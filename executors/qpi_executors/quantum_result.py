"""The analysis of a program as JSON: ``python -m qpi_executors.quantum_result``.

Its standard input is packed: the name of a format, a packed program, and a JSON object in which each field is optional:
``counts`` (by outcome), ``observables`` (Pauli strings), ``esp`` (a number), ``circuit`` (which one; 0). The answer is
that of `qpi_jupyter.data.analysis.to_dict`, or an object with ``problem`` alone. What needs the exact state and cannot
have it, because the circuit is too wide, is left out where there are counts, and ``problem`` says why.

The lab's server starts it; it is a process of its own, with bounded time and memory: programs are anybody's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qpi_jupyter.core import Program, QpiError, RunOptions, unpack
from qpi_jupyter.data.analysis import analyse, to_dict

from .answers import answer_once
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


def answer(question: Sequence[bytes]) -> dict[str, Any]:
    """What `answer_once` writes."""
    name, packed, asked = question
    try:
        return quantum_result(name.decode(), unpack(packed), json.loads(asked))
    except QpiError as error:
        return {"problem": error.message}


if __name__ == "__main__":
    answer_once(answer, cpu_s=CPU_S, memory_bytes=MEMORY_BYTES)
