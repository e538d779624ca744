"""Circuits by their names, and what they would give without noise and without shots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qpi_jupyter.core import Rejected

from .scenarios import Circuit

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def circuit_of(wanted: Circuit, folder: Path) -> QuantumCircuit:
    """The circuit, without measurements; files are looked for in ``folder``.

    ``ghz``: all qubits in one chain; ``qft``: the quantum Fourier transform of an X on qubit 0; ``pairs``: Bell pairs
    that nothing connects; ``blocks``: two random halves and one CZ between them.

    Raises
    ------
    Rejected
        the file is no circuit, or one with too many qubits.
    """
    makers = {"ghz": _ghz, "qft": _qft, "pairs": _pairs, "blocks": _blocks}
    circuit = _from_file(folder / wanted.file) if wanted.kind == "file" else makers[wanted.kind](wanted)
    circuit.name = wanted.name
    return circuit


def observables_of(wanted: Circuit, num_qubits: int) -> list[str]:
    """The Pauli strings to measure; the last letter is for qubit 0.

    Raises
    ------
    Rejected
        one of them is for another number of qubits.
    """
    if any(len(label) != num_qubits for label in wanted.observables):
        raise Rejected(f"The circuit {wanted.name!r} has {num_qubits} qubits: its observables need as many letters.")
    if wanted.observables:
        return list(wanted.observables)
    single = [_label(num_qubits, qubit) for qubit in range(num_qubits)]
    return single + [_label(num_qubits, qubit, qubit + 1) for qubit in range(num_qubits - 1)]


def exact_values(circuit: QuantumCircuit, observables: list[str]) -> list[float]:
    """The expectation values of the circuit's state vector."""
    from qiskit.quantum_info import SparsePauliOp, Statevector

    state = Statevector(circuit)
    return [float(state.expectation_value(SparsePauliOp(label)).real) for label in observables]


def _label(num_qubits: int, *qubits: int) -> str:
    return "".join("Z" if qubit in qubits else "I" for qubit in reversed(range(num_qubits)))


def _ghz(wanted: Circuit) -> QuantumCircuit:
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(wanted.num_qubits)
    circuit.h(0)
    for qubit in range(wanted.num_qubits - 1):
        circuit.cx(qubit, qubit + 1)
    return circuit


def _qft(wanted: Circuit) -> QuantumCircuit:
    from qiskit import QuantumCircuit
    from qiskit.synthesis.qft import synth_qft_full

    circuit = QuantumCircuit(wanted.num_qubits)
    circuit.x(0)
    return circuit.compose(synth_qft_full(wanted.num_qubits))


def _pairs(wanted: Circuit) -> QuantumCircuit:
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(wanted.num_qubits)
    for qubit in range(0, wanted.num_qubits - 1, 2):
        circuit.h(qubit)
        circuit.cx(qubit, qubit + 1)
    return circuit


def _blocks(wanted: Circuit) -> QuantumCircuit:
    import numpy as np
    from qiskit import QuantumCircuit

    rng, circuit, half = np.random.default_rng(wanted.seed), QuantumCircuit(wanted.num_qubits), wanted.num_qubits // 2
    for block in (range(half), range(half, wanted.num_qubits)):
        for _ in range(2):
            for qubit in block:
                circuit.ry(rng.uniform(-1.5, 1.5), qubit)
                circuit.rz(rng.uniform(-1.5, 1.5), qubit)
            for qubit in block[:-1]:
                circuit.cx(qubit, qubit + 1)
    if 0 < half < wanted.num_qubits:
        circuit.cz(half - 1, half)
        for qubit in (half - 1, half):
            circuit.ry(rng.uniform(-1.5, 1.5), qubit)
    return circuit


def _from_file(path: Path) -> QuantumCircuit:
    from qiskit import qasm2, qasm3

    try:
        text = path.read_text(encoding="utf-8")
        circuit: QuantumCircuit = qasm2.loads(text) if "OPENQASM 2" in text else qasm3.loads(text)
    except Exception as error:  # parsers raise errors of their own
        raise Rejected(f"{path} cannot be read as OpenQASM: {error}") from error
    circuit.remove_final_measurements()
    return circuit
