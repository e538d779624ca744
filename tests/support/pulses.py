"""Circuits for pulse executors, and what they ideally read, computed in another way than the twin of a device does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Statevector

from qpi_executors.instruments.device import Device
from qpi_executors.instruments.timing import Timeline

_NO_GATES = frozenset({"measure", "reset", "delay", "barrier", "global_phase", "id"})
GATES = {
    name: gate
    for name, gate in sorted(get_standard_gate_name_mapping().items())
    if name not in _NO_GATES and gate.num_qubits <= 5
}
"""All standard gates that a circuit of up to five qubits can have."""


def any_circuit(seed: int) -> QuantumCircuit:
    """One to five qubits, any standard gates, up to three measurements and resets midway, all measured at the end."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 6))
    circuit = QuantumCircuit(size, size + 2, name=f"any_{seed}")
    fitting = [gate for gate in GATES.values() if gate.num_qubits <= size]
    midway = sorted(rng.choice(10, size=int(rng.integers(0, 4)), replace=False).tolist())
    for step in range(10):
        gate = fitting[int(rng.integers(len(fitting)))]
        qubits = rng.choice(size, size=gate.num_qubits, replace=False).tolist()
        angles = rng.uniform(-np.pi, np.pi, size=len(gate.params)).tolist()
        circuit.append(gate.base_class(*angles) if gate.params else gate, qubits)
        if step in midway:
            qubit = int(rng.integers(size))
            if rng.random() < 0.5:
                circuit.measure(qubit, size + int(rng.integers(2)))
            else:
                circuit.reset(qubit)
    circuit.measure(range(size), range(size))
    return circuit


def ideal(circuit: QuantumCircuit) -> dict[str, float]:
    """The distribution of the classical bits (last bit first), from one state vector.

    Each measurement copies its qubit to a fresh one, each reset swaps in a fresh one; nothing is measured before the end.
    """
    kept: dict[int, int] = {}
    fresh = circuit.num_qubits
    wide = QuantumCircuit(fresh + sum(1 for instruction in circuit.data if instruction.name in ("measure", "reset")))
    for instruction in circuit.data:
        qubits = [circuit.find_bit(bit).index for bit in instruction.qubits]
        if instruction.name == "measure":
            wide.cx(qubits[0], fresh)
            kept[circuit.find_bit(instruction.clbits[0]).index] = fresh
            fresh += 1
        elif instruction.name == "reset":
            wide.swap(qubits[0], fresh)
            fresh += 1
        elif instruction.name not in ("delay", "barrier"):
            wide.append(instruction.operation, qubits)
    clbits = sorted(kept)
    found: dict[str, float] = {}
    for key, p in Statevector(wide).probabilities_dict([kept[clbit] for clbit in clbits]).items():
        bits = ["0"] * circuit.num_clbits
        for clbit, bit in zip(clbits, reversed(key), strict=True):
            bits[clbit] = bit
        outcome = "".join(reversed(bits))
        found[outcome] = found.get(outcome, 0.0) + float(p)
    return found


def by_clbit(found: dict[tuple[int, ...], float], plan: Timeline, labels: list[str], clbits: int) -> dict[str, float]:
    """A distribution over acquisitions (`labels`, in its order) as one of the classical bits at the end."""
    place = {label: k for k, label in enumerate(labels)}
    read: dict[str, float] = {}
    for outcome, p in found.items():
        bits = [str(outcome[place[plan.labels[clbit]]]) if clbit in plan.labels else "0" for clbit in range(clbits)]
        key = "".join(reversed(bits))
        read[key] = read.get(key, 0.0) + p
    return read


def distance(one: dict[str, float], other: dict[str, float]) -> float:
    """The total variation distance of two distributions."""
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in one.keys() | other.keys()) / 2


def noiseless(device: Device) -> Device:
    """The device without decay and errors; its pulses are the same."""
    qubits = {
        name: replace(
            qubit, t1_s=None, t2_s=None, gate_error=0.0, readout=replace(qubit.readout, p01=0.0, p10=0.0)
        )
        for name, qubit in device.qubits.items()
    }  # fmt: skip
    edges = {pair: replace(edge, gate_error=0.0) for pair, edge in device.edges.items()}
    return replace(device, qubits=qubits, edges=edges)
