"""Programs that executors of Qiskit's circuits are tried with."""

from __future__ import annotations

import io

from qiskit import QuantumCircuit, qpy

from qpi_jupyter.core import CircuitOptions, Program, RunOptions

BELL_QASM2 = b'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
BELL_QASM3 = (
    b'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
)


def bell() -> QuantumCircuit:
    """A Bell pair, measured."""
    circuit = QuantumCircuit(2, 2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def qpy_program(*circuits: QuantumCircuit, entries: tuple[CircuitOptions, ...] = (), **options: object) -> Program:
    """Circuits as a program, with run options."""
    buffer = io.BytesIO()
    qpy.dump(list(circuits), buffer)
    return Program(format="qpy", sources=(buffer.getvalue(),), options=RunOptions(circuits=entries, **options))  # type: ignore[arg-type]


def text_program(text: str | bytes, form: str = "openqasm3", **options: object) -> Program:
    """A text as a program, with run options."""
    source = text.encode() if isinstance(text, str) else text
    return Program(format=form, sources=(source,), options=RunOptions(**options))  # type: ignore[arg-type]
