"""Services in OpenQASM 3: calls of the lab's vocabulary, written out as gates where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from openqasm3 import ast
from qiskit.circuit import Gate, Measure, QuantumCircuit, QuantumRegister, Qubit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit_qasm3_import.data import Scope
from qiskit_qasm3_import.exceptions import raise_from_node
from qiskit_qasm3_import.state import State

from qpi_jupyter.core.services import WORDS, Expansion, Service, Step

from .openqasm3_classical import Classical
from .openqasm3_guard import find

_DEFINITIONS = (ast.QuantumGateDefinition, ast.SubroutineDefinition)


class Services(Classical):
    """The part of the converter that knows the services; what a program defines by such a name is its own."""

    def find_services(self, tree: ast.Program) -> None:
        """Note which words keep the meaning of the vocabulary in this text."""
        defined = {node.name.name for node in find(tree.statements, _DEFINITIONS)}
        self._services = {word: service for word, service in WORDS.items() if word not in defined}
        self._ancillas: list[Qubit] = []

    def service_of(self, name: str) -> Service | None:
        """The service that a gate of this name is, where no symbol has the name."""
        return self._services.get(name)

    def write_out(self, service: Service, node: ast.QuantumGate, controls: int, context: State) -> State:
        """The gates of a call; modifiers go around all of them."""
        if not service.unitary:
            self._check_measuring(service, node, context)
        angles = [self._resolve_angle(argument, context) for argument in node.arguments]
        try:
            given = service.given(angles)
            for qubits in self._places(service, node, controls, context):
                expansion = service.expand(len(qubits) - controls)
                self.emitted(len(expansion.steps), node)
                if node.modifiers:
                    self._append_modified(service, expansion, given, qubits, node, context)
                else:
                    self._append_steps(service, expansion, given, qubits, node, context)
        except ValueError as error:
            raise_from_node(node, str(error))
        return context

    def _check_measuring(self, service: Service, node: ast.QuantumGate, context: State) -> None:
        if node.modifiers:
            raise_from_node(node, f"'{service.word}' measures: it cannot be controlled, inverted or raised to a power.")
        if context.scope is Scope.GATE:
            raise_from_node(node, f"'{service.word}' measures: use it outside of gates, or write a def.")

    def _places(
        self, service: Service, node: ast.QuantumGate, controls: int, context: State
    ) -> Iterator[Sequence[Qubit]]:
        """The qubits of each of its uses: with a fixed number, registers are gone through qubit by qubit."""
        operands = [self._resolve_qarg(qubit, context) for qubit in node.qubits]
        if len(service.counts) == 1:
            service.expand(len(operands) - controls)  # says how many it takes
            yield from self._broadcast_gate(operands, node)
            return
        qubits = [qubit for operand in operands for qubit in ([operand] if isinstance(operand, Qubit) else operand)]
        if len(set(qubits)) < len(qubits):
            raise_from_node(node, "the same qubit twice in one gate.")
        yield qubits

    def _append_modified(
        self,
        service: Service,
        expansion: Expansion,
        given: Mapping[str, object],
        qubits: Sequence[Qubit],
        node: ast.QuantumGate,
        context: State,
    ) -> None:
        gate = _as_gate(service, expansion, given)
        for modifier in reversed(node.modifiers):
            gate = self._apply_gate_modifier(modifier, gate, context)
        context.circuit.append(gate, qubits, [], copy=False)

    def _append_steps(
        self,
        service: Service,
        expansion: Expansion,
        given: Mapping[str, object],
        qubits: Sequence[Qubit],
        node: ast.QuantumGate,
        context: State,
    ) -> None:
        circuit, places = context.circuit, [*qubits, *self._ancillas_for(service, expansion, node, context)]
        bits = self.hidden_bits(service.word, expansion.num_bits, context, node) if expansion.num_bits else ()
        for step in expansion.steps:
            on = [places[k] for k in step.qubits]
            if step.bit is not None:
                circuit.append(Measure(), on, [bits[step.bit]], copy=False)
            elif step.when is not None:
                with circuit.if_test((bits[step.when], 1), label=service.word):
                    circuit.append(_gate(step, given), on, [], copy=False)
            else:
                circuit.append(_gate(step, given), on, [], copy=False)

    def _ancillas_for(
        self, service: Service, expansion: Expansion, node: ast.QuantumGate, context: State
    ) -> list[Qubit]:
        """Qubits in ``|0>`` that no name of the program has; all services of a text use the same."""
        count = expansion.num_ancillas
        if count and context.addressing_mode.is_physical():
            raise_from_node(node, f"'{service.word}' needs ancillas: declare qubits, for example qubit[2] q;")
        used = self._ancillas[:count]
        if missing := count - len(used):
            self.check_size(missing, node)
            added = QuantumRegister(missing, name=self.register_name("ancilla", context))
            context.circuit.add_register(added)
            self._ancillas += added
        repeated = any(not written_out for written_out, _ in self._loops)
        for qubit in self._ancillas[:count] if repeated else used:
            self.emitted(1, node)
            context.circuit.reset(qubit)
        return self._ancillas[:count]


def _as_gate(service: Service, expansion: Expansion, given: Mapping[str, object]) -> Gate:
    if len(expansion.steps) == 1:
        return _gate(expansion.steps[0], given)
    circuit = QuantumCircuit(expansion.num_qubits, name=service.word)
    for step in expansion.steps:
        circuit.append(_gate(step, given), step.qubits, copy=False)
    return circuit.to_gate()


def _gate(step: Step, given: Mapping[str, Any]) -> Gate:
    angles = [given[angle] if isinstance(angle, str) else angle for angle in step.angles]
    gate: Gate = _standard()[step.gate](*angles)
    return gate


@cache
def _standard() -> dict[str, type[Any]]:
    return {name: type(gate) for name, gate in get_standard_gate_name_mapping().items()}
