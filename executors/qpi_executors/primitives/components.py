"""Wide circuits in parts: qubits that nothing connects are simulated apart, and their shots put together."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Bit, ControlFlowOp
from qiskit.result import Result
from qiskit.result.models import ExperimentResultData

from qpi_jupyter.core.groups import groups_of

Operation = tuple[str, tuple[int, ...]]
"""An instruction by its name, and the qubits that it acts on."""


def operations_of(circuit: QuantumCircuit, places: Sequence[int] | None = None) -> set[Operation]:
    """What the circuit does where, in the blocks of its control flow too, whose qubits lie at ``places``."""
    found: set[Operation] = set()
    for one in circuit.data:
        at = (circuit.find_bit(qubit).index for qubit in one.qubits)
        qubits = tuple(at if places is None else (places[index] for index in at))
        found.add((one.operation.name, qubits))
        for block in one.operation.blocks if isinstance(one.operation, ControlFlowOp) else ():
            found |= operations_of(block, qubits)
    return found


def parts_of(circuit: QuantumCircuit) -> list[QuantumCircuit]:
    """The circuit as several of the same registers, each with the instructions of qubits that no gate and no classical
    bit connects with the others; the circuit itself where there is one such part, or variables that all may read."""
    if circuit.num_vars or circuit.num_stretches:
        return [circuit]
    told = [one for one in circuit.data if one.operation.name != "barrier" and (one.qubits or one.clbits)]
    groups = groups_of([*one.qubits, *one.clbits] for one in told)
    parts: dict[Bit, QuantumCircuit] = {}
    for one in told:
        group = groups[one.qubits[0] if one.qubits else one.clbits[0]]
        if group not in parts:
            parts[group] = circuit.copy_empty_like()
            parts[group].global_phase = 0
        parts[group].append(one)
    return list(parts.values()) or [circuit]


def joined(result: Result, counts: Sequence[int]) -> Result:
    """The result of circuits that ran in ``counts`` parts each, with their memories put together shot by shot."""
    whole, at = copy.copy(result), 0
    whole.results = []
    for count in counts:
        several = result.results[at : at + count]
        at += count
        first = copy.copy(several[0])
        if count > 1:
            size = max(1, -(-first.header["memory_slots"] // 8))
            rows = np.bitwise_or.reduce([_rows(one.data.memory, size) for one in several])
            memory = [hex(int.from_bytes(row.tobytes(), "big")) for row in rows]
            first.data = ExperimentResultData(counts=dict(Counter(memory)), memory=memory)
        whole.results.append(first)
    return whole


def _rows(memory: Sequence[str], size: int) -> np.ndarray:
    """Shots in hexadecimal as bytes, the last bits first."""
    values, places = np.unique(np.asarray(memory), return_inverse=True)
    table = np.array([list(int(value, 16).to_bytes(size, "big")) for value in values], dtype=np.uint8)
    return table[places]
