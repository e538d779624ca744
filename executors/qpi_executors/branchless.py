"""Feed-forward of services on a QPU without branches: gates that the measured qubit controls.

A measured qubit holds what its bit says until something changes it, so a gate that it controls does what a branch on
the bit does (Nielsen and Chuang 2010, section 4.4).
"""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, IfElseOp, Qubit

from qpi_jupyter.core.services import WORDS


def without_branches(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same circuit without the branches that services brought; others stay."""
    out = circuit.copy_empty_like()
    measured: dict[Clbit, Qubit] = {}
    for instruction in circuit.data:
        operation = instruction.operation
        if operation.name == "measure":
            measured[instruction.clbits[0]] = instruction.qubits[0]
        if not isinstance(operation, IfElseOp) or operation.label not in WORDS:
            out.append(instruction)
            continue
        control, (block, *_) = measured[operation.condition[0]], operation.blocks
        for inner in block.data:
            target = instruction.qubits[block.find_bit(inner.qubits[0]).index]
            if target == control:
                out.reset(target)  # x on the very qubit that read 1
            else:
                out.append(inner.operation.control(), [control, target])
    return out
