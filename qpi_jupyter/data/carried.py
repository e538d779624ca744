"""Operations on their way: what a QPY file gives back as it was, and the form in which the others travel.

Qiskit's own files lose the units of delays, and some gates of its library come back as others or not at all.  So a
delay becomes an instruction called `DELAY` and its unit, which no other reader takes for something else, and whatever
is not in `HELD` becomes its definition, under its own name and label.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    ControlFlowOp,
    ControlledGate,
    Delay,
    Gate,
    Instruction,
    Operation,
    ParameterExpression,
    Store,
    library,
)
from qiskit.quantum_info import Clifford, SparseObservable

from qpi_jupyter.core import MIN_QPY_VERSION

DELAY = "qpi.delay."
"""The name of a delay on its way, before its unit; its parameter is the duration."""
_BY_CLASS = (
    "Barrier", "Measure", "Reset", "DiagonalGate", "GraphStateGate", "HamiltonianGate", "Initialize", "LinearFunction",
    "PauliEvolutionGate", "PauliGate", "PauliProductMeasurement", "PermutationGate", "QFTGate", "StatePreparation",
    "UCRXGate", "UCRYGate", "UCRZGate", "UnitaryGate", "PauliProductRotationGate",
)  # fmt: skip
_BUILT_WITH_OPTIONS = ("MCXVChain", "MCXRecursive", "MCXGrayCode")
"""Standard gates whose options a file forgets."""
_GENERIC = (Gate, Instruction, ControlledGate)
HELD = frozenset(
    {Clifford, Store, *_GENERIC, *(getattr(library, name) for name in _BY_CLASS if hasattr(library, name))}
    | {
        kind
        for name, kind in vars(library).items()
        if isinstance(kind, type)
        and kind.__module__.startswith("qiskit.circuit.library.standard_gates")
        and name not in _BUILT_WITH_OPTIONS
    }
)
"""The classes that QPY gives back as they were, from version `SINCE` or `MIN_QPY_VERSION` on; all others travel as
definitions."""
SINCE = {"PauliProductRotationGate": 17}
"""By class, where Qiskit would write an older file that cannot be read."""


class Rewriting:
    """One change made to all operations of a circuit, those inside blocks, definitions and modifiers included."""

    def __init__(self, change: Callable[[Operation], Operation]) -> None:
        self._change = change
        self._done: dict[int, tuple[QuantumCircuit, QuantumCircuit]] = {}

    def circuit(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """A changed copy; the circuit itself where there is nothing to change."""
        if id(circuit) not in self._done:
            instructions = list(circuit.data)
            new = {}
            for index, instruction in enumerate(instructions):
                if not instruction.is_standard_gate():
                    old = instruction.operation
                    if (operation := self._operation(old)) is not old:
                        new[index] = instruction.replace(operation=operation)
            changed = circuit
            if new:  # built anew: Qiskit miscounts blocks that are replaced in place
                changed = circuit.copy_empty_like()
                for index, instruction in enumerate(instructions):
                    changed._append(new.get(index, instruction))
            self._done[id(circuit)] = circuit, changed
        return self._done[id(circuit)][1]

    def _operation(self, operation: Operation) -> Operation:
        operation = self._change(operation)
        if isinstance(operation, ControlFlowOp):
            blocks = [self.circuit(block) for block in operation.blocks]
            same = all(new is old for new, old in zip(blocks, operation.blocks, strict=True))
            return operation if same else operation.replace_blocks(blocks)
        if isinstance(operation, AnnotatedOperation):
            # A new one in any case: a circuit that was read does not know the parameters inside.
            return AnnotatedOperation(self._operation(operation.base_op), operation.modifiers)
        return self._inside(operation)

    def _inside(self, operation: Any) -> Operation:
        """A gate of one's own: what it is made of."""
        if type(operation) not in _GENERIC:
            return operation
        base = getattr(operation, "base_gate", None)
        new_base = None if base is None else self._operation(base)
        definition = operation._definition
        new_definition = None if definition is None else self.circuit(definition)
        if new_base is base and new_definition is definition:
            return operation
        operation = copy.copy(operation)
        if base is not None:
            operation.base_gate = new_base
        operation._definition = new_definition
        return operation


class Carrying:
    """Each operation as a file holds it; ``version`` is the oldest QPY that holds all that went through."""

    def __init__(self) -> None:
        self.version = MIN_QPY_VERSION

    def __call__(self, operation: Operation) -> Operation:
        if isinstance(operation, Delay):
            return Instruction(f"{DELAY}{operation.unit}", 1, 0, [operation.duration], label=operation.label)
        if isinstance(operation, (ControlFlowOp, AnnotatedOperation)):
            return operation
        if not isinstance(operation, Instruction):
            return operation
        if not _held(operation):
            return _by_definition(operation)
        self.version = max(self.version, SINCE.get(type(operation).__name__, MIN_QPY_VERSION))
        return operation


def _held(operation: Operation) -> bool:
    kind = getattr(operation, "base_class", type(operation))
    if kind not in HELD:
        return False
    if isinstance(operation, library.StatePreparation):
        # A file forgets its label, and that it is the inverse.
        return operation.label == "State Preparation" and not operation.name.endswith("_dg")
    if isinstance(operation, library.PauliEvolutionGate):
        terms = operation.operator
        return not any(isinstance(term, SparseObservable) for term in (terms if isinstance(terms, list) else [terms]))
    return not (kind is library.C4XGate and operation.label)


def _by_definition(operation: Any) -> Operation:
    """A gate that says what it is made of, or an instruction without any inside."""
    definition = getattr(operation, "definition", None)
    params = list(getattr(operation, "params", ()))
    if definition is not None:
        numbers = all(isinstance(value, (int, float, ParameterExpression)) for value in params)
        inside = {p for value in params if isinstance(value, ParameterExpression) for p in value.parameters}
        if not numbers or inside != set(definition.parameters):
            params = list(definition.parameters)
    label = getattr(operation, "label", None)
    carried: Instruction
    if isinstance(operation, Gate) and not operation.num_clbits:
        carried = Gate(operation.name, operation.num_qubits, params, label=label)
    else:
        carried = Instruction(operation.name, operation.num_qubits, operation.num_clbits, params, label=label)
    carried.definition = definition
    return carried


def restored(operation: Operation) -> Operation:
    """The operation as it was."""
    if type(operation) is Instruction and operation.name.startswith(DELAY) and operation.num_qubits == 1:
        unit = operation.name.removeprefix(DELAY)
        delay = Delay(operation.params[0], None if unit == "expr" else unit)
        delay.label = operation.label
        return delay
    return operation
