"""Whether two circuits are the same in all that a person can put into one: Qiskit's ``==`` ignores half of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    Clbit,
    ControlFlowOp,
    ControlledGate,
    Operation,
    ParameterExpression,
    Register,
)
from qiskit.quantum_info import Clifford

from qpi_executors.own_gates import own_name

_OWN = (
    "num_qubits", "num_clbits", "label", "num_ctrl_qubits", "ctrl_state", "annotations", "unit", "duration",
    "time", "operator",
)  # fmt: skip
_GENERIC = ("Gate", "Instruction", "ControlledGate")


def differences(sent: QuantumCircuit, got: QuantumCircuit) -> list[str]:
    """What of ``sent`` is otherwise in ``got``, each with its place; empty if they are the same."""
    return list(_circuits("circuit", sent, got))


def _circuits(at: str, sent: QuantumCircuit, got: QuantumCircuit, *, inside: bool = False) -> Iterator[str]:
    """``inside`` a gate or a block a circuit's own name and metadata mean nothing."""
    if not inside:
        yield from _values(f"{at}.name", sent.name, got.name)
        yield from _values(f"{at}.metadata", sent.metadata, got.metadata)
        yield from _mappings(f"{at}.layout", _layout(sent), _layout(got))
    for facts in (_facts, _registers, _variables):
        yield from _mappings(at, facts(sent), facts(got))
    if len(sent.data) != len(got.data):
        yield f"{at}: {len(sent.data)} instructions, got {len(got.data)}"
        return
    for index, (a, b) in enumerate(zip(sent.data, got.data, strict=True)):
        here = f"{at}[{index}] {a.name}"
        bits = [[c.find_bit(x).index for x in (*i.qubits, *i.clbits)] for c, i in ((sent, a), (got, b))]
        yield from _values(f"{here}.bits", *bits)
        yield from _operations(here, a.operation, b.operation)


def _facts(circuit: QuantumCircuit) -> dict[str, Any]:
    return {
        "global_phase": circuit.global_phase,
        "parameters": [(p.name, p.uuid) for p in circuit.parameters],
        "calibrations": getattr(circuit, "calibrations", None),
    }


def _registers(circuit: QuantumCircuit) -> dict[str, Any]:
    def shape(register: Register) -> tuple[str, list[int]]:
        return register.name, [circuit.find_bit(bit).index for bit in register]

    bits = (*circuit.qubits, *circuit.clbits)
    return {
        "qregs": [shape(register) for register in circuit.qregs],
        "cregs": [shape(register) for register in circuit.cregs],
        "places": [[(register.name, k) for register, k in circuit.find_bit(bit).registers] for bit in bits],
    }


def _variables(circuit: QuantumCircuit) -> dict[str, Any]:
    return {
        "inputs": set(circuit.iter_input_vars()),
        "captures": set(circuit.iter_captures()),
        "declared": list(circuit.iter_declared_vars()),
        "stretches": list(circuit.iter_declared_stretches()),
    }


def _layout(circuit: QuantumCircuit) -> dict[str, Any]:
    layout = circuit.layout
    if layout is None:
        return {"present": False}
    return {
        "present": True,
        "initial": layout.initial_index_layout(),
        "final": layout.final_index_layout(),
        "routing": layout.routing_permutation(),
        "input qubits": len(layout.initial_index_layout(filter_ancillas=True)),
        "names": {place: repr(bit) for place, bit in layout.initial_layout.get_physical_bits().items()},
    }


def _operations(at: str, sent: Operation, got: Operation) -> Iterator[str]:
    if got.name not in (sent.name, own_name(sent.name)):  # the executor may give a gate of one's own another
        yield f"{at}: called {got.name!r}"
    for name in _OWN[: None if _kind(sent) == _kind(got) else 3]:
        mine = getattr(sent, name, None)
        if not callable(mine):
            yield from _values(f"{at}.{name}", mine, getattr(got, name, None))
    if _kind(sent) != _kind(got):
        yield from _another_kind(at, sent, got)
    elif isinstance(sent, AnnotatedOperation):
        yield from _values(f"{at}.modifiers", sent.modifiers, got.modifiers)
        yield from _operations(f"{at}.base_op", sent.base_op, got.base_op)
    elif isinstance(sent, Clifford):
        yield from _values(f"{at}.tableau", sent.tableau, got.tableau)
    elif isinstance(sent, ControlFlowOp):
        yield from _control_flow(at, sent, got)
    else:
        yield from _values(f"{at}.params", sent.params, got.params)
        if isinstance(sent, ControlledGate):
            yield from _operations(f"{at}.base_gate", sent.base_gate, got.base_gate)
        if _kind(sent) in _GENERIC and sent.definition is not None:
            yield from _circuits(f"{at}.definition", sent.definition, got.definition, inside=True)


def _another_kind(at: str, sent: Any, got: Any) -> Iterator[str]:
    """A gate may arrive as what it is made of, under its own name."""
    if _kind(got) not in _GENERIC:
        yield f"{at}: a {_kind(sent)}, got a {_kind(got)}"
    elif sent.definition is None:
        yield from _values(f"{at}.params", sent.params, got.params)
    else:
        yield from _circuits(f"{at}.definition", sent.definition, got.definition, inside=True)


def _control_flow(at: str, sent: Any, got: Any) -> Iterator[str]:
    yield from _values(f"{at}.target", getattr(sent, "target", None), getattr(got, "target", None))
    yield from _values(f"{at}.condition", _condition(sent), _condition(got))
    if sent.name == "switch_case":
        cases = ([[repr(label) for label in labels] for labels, _ in op.cases_specifier()] for op in (sent, got))
        yield from _values(f"{at}.cases", *cases)
    if sent.name == "for_loop":
        yield from _values(f"{at}.loop", sent.params[:2], got.params[:2])
    for index, (a, b) in enumerate(zip(sent.blocks, got.blocks, strict=True)):
        yield from _circuits(f"{at}.blocks[{index}]", a, b, inside=True)


def _condition(operation: Any) -> Any:
    condition = getattr(operation, "condition", None)
    return (condition[0], int(condition[1])) if isinstance(condition, tuple) else condition


def _kind(operation: Operation) -> str:
    """The class; that of Qiskit which it stands for where it is a person's own or Aer's."""
    kind = getattr(operation, "base_class", type(operation))
    return next(k.__name__ for k in kind.__mro__ if (k.__module__ or "").startswith("qiskit."))


def _mappings(at: str, sent: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[str]:
    for name in sent:
        yield from _values(f"{at}.{name}", sent[name], got.get(name))


def _values(at: str, sent: Any, got: Any) -> Iterator[str]:
    if not _same(sent, got):
        yield f"{at}: {sent!r}, got {got!r}"


def _same(sent: Any, got: Any) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(got, Mapping) and sent.keys() == got.keys() and all(_same(sent[k], got[k]) for k in sent)
    if isinstance(sent, (list, tuple)):
        return isinstance(got, (list, tuple)) and len(sent) == len(got) and all(map(_same, sent, got))
    if isinstance(sent, np.ndarray):
        return isinstance(got, np.ndarray) and np.array_equal(sent, got)
    if isinstance(sent, QuantumCircuit):
        return isinstance(got, QuantumCircuit) and not list(_circuits("", sent, got, inside=True))
    if isinstance(sent, Operation) and not isinstance(sent, Clifford):
        return isinstance(got, Operation) and not list(_operations("", sent, got))
    if isinstance(sent, ParameterExpression):
        return isinstance(got, ParameterExpression) and sent == got and sent.parameters == got.parameters
    if isinstance(sent, Clbit) and isinstance(got, Clbit):
        return True  # compared by place
    if isinstance(sent, bool) or isinstance(got, bool):
        return type(sent) is type(got) and sent == got
    return bool(sent == got) or (sent != sent and got != got)
