"""Gates that a program defines itself under a name that Qiskit or Aer gives to something else.

Both go by the name alone, and would run their own gate instead; such a gate gets another name and keeps its meaning.
"""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import ControlledGate, Gate, Instruction, Operation
from qiskit.circuit.library import get_standard_gate_name_mapping

from qpi_jupyter.data.carried import Rewriting

_SUFFIX = "_own"
_AER = """
    barrier break_loop continue_loop cu2 diagonal for_loop if_else initialize jump kraus mark mcp mcphase mcr mcrx mcry
    mcrz mcswap mcsx mcu mcu1 mcu2 mcu3 mcx mcx_gray mcy mcz multiplexer nop pauli qerror_loc quantum_channel roerror
    save_amplitudes save_amplitudes_sq save_clifford save_density_matrix save_expval save_expval_var
    save_matrix_product_state save_probabilities save_probabilities_dict save_stabilizer save_state save_statevector
    save_statevector_dict save_superop save_unitary set_density_matrix set_matrix_product_state set_stabilizer
    set_statevector set_superop set_unitary snapshot store superop switch_case unitary while_loop
"""
TAKEN = frozenset(get_standard_gate_name_mapping()) | frozenset(_AER.split())
"""What Qiskit's translators and Aer know by name."""


def own_name(name: str) -> str:
    """The name under which a gate that a program defines may run."""
    return name + _SUFFIX if name in TAKEN else name


def with_own_names(circuit: QuantumCircuit) -> QuantumCircuit:
    """The same circuit; gates defined by the program under a taken name are called otherwise, at any depth."""
    return _Renaming().circuit(circuit)


class _Renaming(Rewriting):
    """Gates get another name after what is inside of them."""

    def __init__(self) -> None:
        super().__init__(lambda operation: operation)
        self._fine: set[str] = set()
        """Gates of an OpenQASM 2 text that need no change; there a name has one definition, made when asked for."""

    def _inside(self, operation: Operation) -> Operation:
        if operation.name in self._fine or not is_own(operation):
            return operation
        definition = self.circuit(operation.definition)
        if definition is operation.definition and operation.name not in TAKEN:
            if _is_text_gate(operation):
                self._fine.add(operation.name)
            return operation
        return _renamed(operation, definition)


def is_own(operation: Operation) -> bool:
    """Whether an operation is one that the program defined: of no class of its own, with a definition."""
    if type(operation) in (Gate, Instruction, ControlledGate):
        return operation._definition is not None
    return _is_text_gate(operation)


def _is_text_gate(operation: Operation) -> bool:
    return type(operation).__name__ == "_DefinedGate" and type(operation).__module__ == "qiskit.qasm2.parse"


def _renamed(operation: Instruction, definition: QuantumCircuit) -> Instruction:
    name, params = own_name(operation.name), operation.params
    new: Instruction
    if isinstance(operation, Gate):
        new = Gate(name, operation.num_qubits, params, label=operation.label)
    else:
        new = Instruction(name, operation.num_qubits, operation.num_clbits, params, label=operation.label)
    new.definition = definition
    return new
