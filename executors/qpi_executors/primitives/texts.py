"""Pubs whose circuit is a text in OpenQASM 3, as QRMI sends them."""

from __future__ import annotations

from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import Qubit

from qpi_executors.sources import parse_openqasm3


def circuit_of(text: str, index: int, observables: Any = None) -> QuantumCircuit:
    """The circuit of a text on physical qubits (``$3`` is qubit 3), as wide as its observables, if there are any.

    Raises
    ------
    ProgramError
        the text is wrong; line and column count from 1.
    """
    circuit = parse_openqasm3(text.encode(), index)
    width = _width(observables)
    if width <= circuit.num_qubits:
        return circuit
    # Qubits that no gate touches are not in the text.
    wide = QuantumCircuit([Qubit() for _ in range(width)], circuit.clbits, *circuit.cregs)
    return wide.compose(circuit, range(circuit.num_qubits), range(circuit.num_clbits))


def _width(observables: Any) -> int:
    """Of an observable as JSON has it: a term, terms with their factors, or lists of those."""
    while isinstance(observables, list | dict) and observables:
        observables = next(iter(observables))
    return len(observables) if isinstance(observables, str) else 0
