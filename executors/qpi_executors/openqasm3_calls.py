"""Subroutines of OpenQASM 3: their statements are written out where they are called."""

from __future__ import annotations

from typing import Any

from openqasm3 import ast
from qiskit.circuit import Clbit, Qubit
from qiskit_qasm3_import import types
from qiskit_qasm3_import.data import Scope, Symbol
from qiskit_qasm3_import.exceptions import raise_from_node
from qiskit_qasm3_import.state import State, SymbolTable, SymbolTables

from .openqasm3_classical import Classical, Holder, Variable
from .openqasm3_conversion import Subroutine
from .openqasm3_expressions import Array, Typed, Values
from .openqasm3_guard import find

_MAX_DEPTH = 64


class ReturnedError(Exception):
    """A subroutine came to its `return`."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class Calls(Classical):
    """The part of the converter that knows `def`."""

    _depth = _base_depth = 0
    _target: Any = None
    """Where the measurement that the running subroutine returns goes."""
    _returned_name: str | None = None

    def visit_SubroutineDefinition(self, node: ast.SubroutineDefinition, context: State) -> State:
        if context.scope is not Scope.GLOBAL:
            raise_from_node(node, "subroutines are defined at the top level of the program.")
        self.declare(Symbol(node.name.name, Subroutine(node), types.Never(), Scope.GLOBAL, node), context, node)
        return context

    def visit_ExpressionStatement(self, node: ast.ExpressionStatement, context: State) -> State:
        call = node.expression
        if not isinstance(call, ast.FunctionCall):
            raise_from_node(node, "an expression alone does nothing: assign it, or remove it.")
        if not self.has_subroutine(call.name.name, context):
            raise_from_node(
                node, f"there is no subroutine '{call.name.name}': define it with def before its first use."
            )
        self.call(call, context, None)
        return context

    def visit_ReturnStatement(self, node: ast.ReturnStatement, context: State) -> State:
        if not self._depth:
            raise_from_node(node, "return belongs into a subroutine.")
        if self.run_time_depth > self._base_depth:
            raise_from_node(node, "return under a measured condition is not supported: return at the end.")
        value = node.expression
        if isinstance(value, ast.QuantumMeasurement):
            target = self._target
            if target is None:
                target = self.hidden_bits("result", self._width_of(value.qubit, context), context, node)
            self.measure(value.qubit, target, context, node)
            raise ReturnedError(_bits(target))
        if value is None:
            raise ReturnedError(None)
        if self._target is not None:
            self._return_bits(value, context, node)
            raise ReturnedError(_bits(self._target))
        raise ReturnedError(self.value(value, context))

    def _return_bits(self, value: ast.Expression, context: State, node: ast.ReturnStatement) -> None:
        """Set the bits that the caller named, unless the local variable stands for them already."""
        if isinstance(value, ast.Identifier):
            symbol = context.symbol_table.get(value.name, node)
            if symbol is not None and symbol.data is self._target:
                return
        self.assign_bits(self._target, value, context, node)

    def call(self, node: ast.FunctionCall, context: State, target: Any) -> Typed | None:
        definition = context.symbol_table.get(node.name.name, node).data.node
        if self._depth >= _MAX_DEPTH:
            raise_from_node(node, f"subroutines call one another more than {_MAX_DEPTH} deep.")
        count = len(definition.arguments)
        if len(node.arguments) != count:
            raise_from_node(
                node,
                f"'{node.name.name}' takes {count} argument{'s' * (count != 1)}, not {len(node.arguments)}.",
            )
        inner = self._scope(context)
        measured = False
        for wanted, given in zip(definition.arguments, node.arguments, strict=True):
            symbol = self._bound(wanted, given, context)
            measured = measured or isinstance(symbol.type, (types.Bit, types.BitArray))
            self.declare(symbol, inner, given)
        returned = _returned_name(definition)
        outer = self._target, self._returned_name, self._depth, self._base_depth
        self._target, self._depth, self._base_depth = target, self._depth + 1, self.run_time_depth
        self._returned_name = None if measured or target is None else returned
        try:
            for statement in definition.body:
                self.visit(statement, inner)
        except ReturnedError as done:
            return self._as_declared(done.result, definition, inner)
        finally:
            self._target, self._returned_name, self._depth, self._base_depth = outer
        return None

    @property
    def is_in_subroutine(self) -> bool:
        """Whether a call is being written out."""
        return bool(self._depth)

    def returned_bits(self, name: str) -> Any:
        """The bits that stand for this local variable, where it is what the subroutine returns."""
        return self._target if self._returned_name == name else None

    def _as_declared(self, result: Typed | None, definition: ast.SubroutineDefinition, context: State) -> Typed | None:
        if result is None or definition.return_type is None:
            return result
        if isinstance(result[1], (types.Bit, types.BitArray)):
            return self.conditions(context).passed(result, definition.return_type, definition)
        return Values(context, True, self).cast(result, definition.return_type, definition)

    def _scope(self, context: State) -> State:
        """What a subroutine sees: what is declared at the top level, and its own."""
        inner: State = State._new_scope(Scope.LOCAL, context)
        inner.symbol_table.pop()
        tables = SymbolTables.__new__(SymbolTables)
        tables._stack = [context.symbol_table[0], SymbolTable(Scope.LOCAL)]
        inner.symbol_table, inner.circuit, inner._unique = tables, context.circuit, context._unique
        return inner

    def _bound(self, wanted: Any, given: ast.Expression, context: State) -> Symbol:
        name = wanted.name.name
        if isinstance(wanted, ast.QuantumArgument):
            qubits = self._resolve_qarg(given, context)
            size = None if wanted.size is None else self._resolve_constant_int(wanted.size, context)
            count = None if isinstance(qubits, Qubit) else len(qubits)
            if size != count and {size, count} != {1, None}:
                raise_from_node(given, f"'{name}' is {_qubits(size)}, and this is {_qubits(count)}.")
            kind = types.Qubit() if count is None else types.QubitArray(count)
            return Symbol(name, qubits, kind, Scope.LOCAL, wanted)
        value, type_ = self.value(given, context)
        if isinstance(type_, (types.Bit, types.BitArray)):
            value, type_ = self.conditions(context).passed((value, type_), wanted.type, given)
            return Holder(name, value, type_, Scope.LOCAL, wanted, held=self.state_of(value))
        if isinstance(type_, Array):
            return Variable(name, value, type_, Scope.LOCAL, wanted, depth=self.run_time_depth)
        value, type_ = Values(context, True, self).cast((value, type_), wanted.type, given)
        return Variable(name, value, type_, Scope.LOCAL, wanted, depth=self.run_time_depth)

    def _width_of(self, node: Any, context: State) -> int | None:
        qubits = self._resolve_qarg(node, context)
        return None if isinstance(qubits, Qubit) else len(qubits)


def _returned_name(definition: ast.SubroutineDefinition) -> str | None:
    """The local variable that a subroutine returns at its one and last return."""
    returns = [node for node in find(definition.body, ast.ReturnStatement)]
    last = definition.body[-1] if definition.body else None
    if len(returns) != 1 or returns[0] is not last or not isinstance(last.expression, ast.Identifier):
        return None
    return str(last.expression.name)


def _bits(target: Any) -> Typed:
    return target, types.Bit() if isinstance(target, Clbit) else types.BitArray(len(target))


def _qubits(size: int | None) -> str:
    return "one qubit" if size is None else f"{size} qubits"
