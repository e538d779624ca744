"""Feed-forward of services on a QPU without branches: gates that the measured qubit controls.

A measured qubit holds what its bit says until something changes it, so a gate that it controls does what a branch on
the bit does (Nielsen and Chuang 2010, section 4.4).
"""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import Clbit, IfElseOp, Qubit

from qpi_jupyter.core import Manifest
from qpi_jupyter.core.services import WORDS


def as_it_runs(circuit: QuantumCircuit, manifest: Manifest) -> QuantumCircuit:
    """The circuit for a QPU: where that has no branches, without those that services brought."""
    if manifest.control_flow or not manifest.mid_circuit_measurement:
        return circuit
    return without_branches(circuit)


def without_branches(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without the branches that services brought, or itself; others stay, and so do those whose measured
    qubit was used since."""
    if not any(_is_of_service(instruction.operation) for instruction in circuit.data):
        return circuit
    out = circuit.copy_empty_like()
    holds: dict[Clbit, Qubit] = {}
    for instruction in circuit.data:
        operation = instruction.operation
        if _is_of_service(operation) and operation.condition[0] in holds:
            control, block = holds[operation.condition[0]], operation.blocks[0]
            for inner in block.data:
                target = instruction.qubits[block.find_bit(inner.qubits[0]).index]
                if target == control:
                    out.reset(target)  # x on the very qubit that read 1
                else:
                    out.append(inner.operation.control(), [control, target])
                holds = {bit: qubit for bit, qubit in holds.items() if qubit != target}
            continue
        out.append(instruction)
        if operation.name != "barrier":
            changed = {*instruction.qubits, *instruction.clbits}
            holds = {bit: qubit for bit, qubit in holds.items() if bit not in changed and qubit not in changed}
        if operation.name == "measure":
            holds[instruction.clbits[0]] = instruction.qubits[0]
    return out


def _is_of_service(operation: object) -> bool:
    """As the expansions have them: one gate on one qubit, where one bit reads 1."""
    if not isinstance(operation, IfElseOp) or operation.label not in WORDS or len(operation.blocks) != 1:
        return False
    condition, gates = operation.condition, operation.blocks[0].data
    by_one_bit = isinstance(condition, tuple) and isinstance(condition[0], Clbit) and condition[1] == 1
    return by_one_bit and len(gates) == 1 and gates[0].name in ("x", "z")
