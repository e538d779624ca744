"""From the tree of an OpenQASM 3 text to a circuit: Qiskit's importer, and what people write beyond its subset.

Whatever is known before the program runs is computed here: constants and variables, loops over them, branches on them
and subroutines become the gates they stand for, where they stand; every message keeps its place in the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from openqasm3 import ast
from qiskit.circuit import Gate, QuantumCircuit, QuantumRegister, Qubit
from qiskit_qasm3_import import types
from qiskit_qasm3_import.converter import GateBuilder
from qiskit_qasm3_import.data import Scope, Symbol
from qiskit_qasm3_import.exceptions import raise_from_node
from qiskit_qasm3_import.state import State

from .openqasm3_calls import Calls
from .openqasm3_classical import Holder, Variable
from .openqasm3_expressions import MIXED
from .openqasm3_flow import EndOfProgram, Flow
from .openqasm3_gates import advice
from .openqasm3_guard import MAX_POWER_QUBITS, find
from .openqasm3_services import Services
from .own_gates import own_name

_MAX_CONTROLS = 32
_MAX_POWER = 1e6


def convert(tree: ast.Program) -> QuantumCircuit:
    """The circuit of a syntax tree that `openqasm3_guard.check_tree` let through.

    Raises
    ------
    ConversionError
        what cannot run here, with its place and what to write instead.
    """
    circuit: QuantumCircuit = Converter(tree).convert(tree).circuit
    return circuit


class Converter(Calls, Flow, Services):
    """One text's conversion."""

    def __init__(self, tree: ast.Program) -> None:
        super().__init__()
        self.find_measured(tree)
        self.find_services(tree)

    # --- what every statement goes through ---

    def visit(self, node: ast.QASMNode, context: Any = None) -> Any:
        """Convert a statement, and count it if it is written out for a loop or a subroutine."""
        if self._loops or self.is_in_subroutine:
            self.count_step(node)
        return super().visit(node, context)

    def generic_visit(self, node: ast.QASMNode, context: Any = None) -> NoReturn:
        """Say which statement it is, and what can be done."""
        raise_from_node(node, _REFUSED.get(type(node), "this statement is not supported."))

    def visit_Program(self, node: ast.Program, context: State) -> State:
        try:
            for statement in node.statements:
                self.visit(statement, context)
        except EndOfProgram:
            pass
        return context

    # --- gates ---

    def _define_gate(self, name: str, definition: Any, *rest: Any) -> State:
        if isinstance(definition, GateBuilder):
            definition._name = own_name(name)
            # The importer orders them by name, and would swap the angles of a gate g(b, a).
            named = {parameter.name: parameter for parameter in definition._definition.parameters}
            definition._order = tuple(named[argument.name] for argument in rest[-2].arguments)
        node, context = rest[-2], rest[-1]
        if context.symbol_table.get(name, node) is not None:
            raise_from_node(node, self.taken(name, node))
        return super()._define_gate(name, definition, *rest)

    def visit_QubitDeclaration(self, node: ast.QubitDeclaration, context: State) -> State:
        if context.scope is not Scope.GLOBAL:
            raise_from_node(node, "qubits are declared at the top level of the program.")
        if context.symbol_table.get(node.qubit.name, node) is not None:
            raise_from_node(node, self.taken(node.qubit.name, node))
        if context.addressing_mode.is_physical():
            raise_from_node(node, MIXED)
        context.addressing_mode.set_virtual_mode(node)
        size = 1 if node.size is None else self._resolve_constant_int(node.size, context)
        self.check_size(size, node)
        if node.size is None:
            context.circuit.add_bits([qubits := Qubit()])
        else:
            qubits = QuantumRegister(size, name=self.register_name(node.qubit.name, context))
            context.circuit.add_register(qubits)
        kind = types.Qubit() if node.size is None else types.QubitArray(size)
        self.declare(Symbol(node.qubit.name, qubits, kind, Scope.GLOBAL, node), context, node)
        return context

    def visit_QuantumGateDefinition(self, node: ast.QuantumGateDefinition, context: State) -> State:
        names = [name.name for name in (*node.arguments, *node.qubits)]
        if len(set(names)) < len(names):
            raise_from_node(node, f"'{node.name.name}' has two arguments of one name.")
        for statement in find(node.body, ast.Statement):
            if not isinstance(statement, _IN_GATES):
                raise_from_node(statement, "a gate is made of gates: measure and reset outside of it, or write a def.")
        return super().visit_QuantumGateDefinition(node, context)

    def visit_QuantumGate(self, node: ast.QuantumGate, context: State) -> State:
        name = node.name.name
        if node.duration is not None:
            raise_from_node(node, "a gate has no duration here: leave the brackets out.")
        symbol = context.symbol_table.get(name, node)
        if symbol is None and (service := self.service_of(name)):
            return self.write_out(service, node, self._controls(node, context), context)
        if symbol is None or not isinstance(symbol.type, types.Gate):
            if self.has_subroutine(name, context):
                raise_from_node(node, f"'{name}' is a subroutine: write {name}(...) with its qubits in the brackets.")
            if symbol is not None:
                raise_from_node(node, f"'{name}' is not a gate.")
            known = {one.name for one in context.symbol_table.globals() if isinstance(one.type, types.Gate)}
            raise_from_node(node, advice(name, known, "cx" in known))
        angles = _count(symbol.type.n_classical)
        if len(node.arguments) != angles:
            raise_from_node(node, f"'{name}' takes {angles} angle{'s' * (angles != 1)}, not {len(node.arguments)}.")
        arguments = [self._resolve_angle(argument, context) for argument in node.arguments]
        return self._append(symbol.data(*arguments), node, context)

    def _append(self, gate: Gate, node: ast.QuantumGate | ast.QuantumPhase, context: State) -> State:
        self._check_controls(node, gate, context)
        for modifier in reversed(node.modifiers):
            gate = self._apply_gate_modifier(modifier, gate, context)
        operands = [self._resolve_qarg(qubit, context) for qubit in node.qubits]
        for at, qubits in enumerate(self._broadcast_gate(operands, node)):
            context.circuit.append(gate if not at else gate.copy(), qubits, [], copy=False)
        return context

    def visit_QuantumPhase(self, node: ast.QuantumPhase, context: State) -> State:
        if node.qubits and not node.modifiers:
            raise_from_node(node, "gphase takes no qubits; with them it needs ctrl @.")
        if node.qubits:
            phase = QuantumCircuit(global_phase=self._resolve_angle(node.argument, context))
            return self._append(phase.to_gate(), node, context)
        if self.run_time_depth:
            return context  # of a branch alone it cannot be told: no measurement sees it
        return super().visit_QuantumPhase(node, context)

    def _broadcast_gate(self, arguments: Sequence[Any], node: ast.QASMNode) -> Iterator[tuple[Qubit, ...]]:
        lengths = {len(argument) for argument in arguments if not isinstance(argument, Qubit)}
        if len(lengths) > 1:
            raise_from_node(node, f"registers of different sizes ({_and(sorted(lengths))}) in one gate.")
        count = lengths.pop() if lengths else 1
        self.emitted(count, node)
        for k in range(count):
            qubits = tuple(argument if isinstance(argument, Qubit) else argument[k] for argument in arguments)
            if len(set(qubits)) < len(qubits):
                raise_from_node(node, "the same qubit twice in one gate.")
            yield qubits

    def _apply_gate_modifier(self, modifier: ast.QuantumGateModifier, gate: Gate, context: State) -> Gate:
        name = modifier.modifier.name
        if name == "pow":
            power = self._resolve_power(modifier, context)
            if gate.num_qubits > MAX_POWER_QUBITS:
                raise_from_node(modifier, f"a power of a gate on more than {MAX_POWER_QUBITS} qubits.")
            if abs(power) > _MAX_POWER:
                raise_from_node(modifier, f"a power is at most {_MAX_POWER:,.0f}.")
            return gate.power(int(power) if power == int(power) else power)
        return super()._apply_gate_modifier(modifier, gate, context)

    def _controls(self, node: ast.QuantumGate | ast.QuantumPhase, context: State) -> int:
        controls = 0
        for modifier in node.modifiers:
            if modifier.modifier.name in ("ctrl", "negctrl"):
                count = 1 if modifier.argument is None else self._resolve_constant_int(modifier.argument, context)
                controls += count
                if count < 1 or controls > _MAX_CONTROLS:
                    raise_from_node(modifier, f"a gate has 1 to {_MAX_CONTROLS} controls.")
        return controls

    def _check_controls(self, node: ast.QuantumGate | ast.QuantumPhase, gate: Gate, context: State) -> None:
        controls = self._controls(node, context)
        if len(node.qubits) != gate.num_qubits + controls:
            wanted = gate.num_qubits + controls
            name = node.name.name if isinstance(node, ast.QuantumGate) else "gphase"
            with_controls = " with its controls" if controls else ""
            raise_from_node(
                node, f"'{name}'{with_controls} takes {wanted} qubit{'s' * (wanted != 1)}, not {len(node.qubits)}."
            )

    def _resolve_power(self, modifier: ast.QuantumGateModifier, context: State) -> float:
        argument = modifier.argument
        if isinstance(argument, ast.BinaryExpression) and argument.op.name == "/":  # pow(1/2) is a half in the language
            divisor = self._resolve_constant_float(argument.rhs, context)
            if not divisor:
                raise_from_node(argument, "division by zero.")
            return self._resolve_constant_float(argument.lhs, context) / divisor
        if argument is None:
            raise_from_node(modifier, "a power is written pow(2) @.")
        return self._resolve_constant_float(argument, context)

    def visit_QuantumBarrier(self, node: ast.QuantumBarrier, context: State) -> State:
        operands = [self._resolve_qarg(qubit, context) for qubit in node.qubits]
        self.emitted(sum(1 if isinstance(operand, Qubit) else len(operand) for operand in operands) or 1, node)
        context.circuit.barrier(*operands)
        return context

    def visit_QuantumReset(self, node: ast.QuantumReset, context: State) -> State:
        qubits = self._resolve_qarg(node.qubits, context)
        self.emitted(1 if isinstance(qubits, Qubit) else len(qubits), node)
        context.circuit.reset(qubits)
        return context

    def visit_DelayInstruction(self, node: ast.DelayInstruction, context: State) -> State:
        duration, unit = self._resolve_constant_duration(node.duration, context)
        operands = [self._resolve_qarg(qubit, context) for qubit in node.qubits] or [context.circuit.qubits]
        for qubits in operands:
            self.emitted(1 if isinstance(qubits, Qubit) else len(qubits), node)
            context.circuit.delay(duration, qubits, unit=unit)
        return context

    def visit_AliasStatement(self, node: ast.AliasStatement, context: State) -> State:
        """A name for qubits or bits; the circuit needs no register for it."""
        bits, type_ = self._resolve_generic(node.value, context, strict=True)
        if not isinstance(type_, (types.Qubit, types.HardwareQubit, types.QubitArray, types.Bit, types.BitArray)):
            raise_from_node(node.value, "let names qubits or measured bits; for a number write const.")
        named = [context.symbol_table.get(inner.name, inner) for inner in find([node.value], ast.Identifier)]
        if any(isinstance(one, Variable) and isinstance(one.type, (types.Bit, types.BitArray)) for one in named):
            raise_from_node(node.value, "let names qubits or measured bits; a number that stands for some is no bits.")
        whole = list(bits) if isinstance(bits, (tuple, QuantumRegister)) else bits
        held = self.state_of(whole) if any(isinstance(symbol, Holder) for symbol in named) else None
        self.declare(Holder(node.target.name, whole, type_, context.scope, node, held=held), context, node)
        return context


def _count(quantity: Any) -> int:
    """The built-in U lists its angles where other gates count them."""
    return quantity if isinstance(quantity, int) else len(quantity)


def _and(sizes: list[int]) -> str:
    return " and ".join(str(size) for size in sizes)


_IN_GATES = (
    ast.QuantumGate, ast.QuantumPhase, ast.QuantumBarrier, ast.ForInLoop, ast.BranchingStatement, ast.CompoundStatement
)  # fmt: skip
_REFUSED = {
    ast.ExternDeclaration: "extern functions are not available: compute the values before, and write them as const.",
    ast.CalibrationDefinition: "defcal is not supported: programs are made of gates here.",
    ast.CalibrationStatement: "cal is not supported: programs are made of gates here.",
    ast.CalibrationGrammarDeclaration: "defcalgrammar is not supported: programs are made of gates here.",
    ast.Pragma: "pragmas are not understood here: remove this line.",
    ast.ExpressionStatement: "an expression alone does nothing: assign it, or remove it.",
}
