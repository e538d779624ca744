"""What all parts of the converter stand on: Qiskit's importer, its values in our arithmetic, names, and bounds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from openqasm3 import ast
from qiskit.circuit import ParameterExpression
from qiskit_qasm3_import import types
from qiskit_qasm3_import.converter import ConvertVisitor
from qiskit_qasm3_import.data import Symbol
from qiskit_qasm3_import.exceptions import raise_from_node
from qiskit_qasm3_import.state import State

from .analysis import MAX_DELAY, MAX_OPERATIONS
from .openqasm3_conditions import Conditions
from .openqasm3_expressions import RUN_TIME, Typed, Values
from .openqasm3_gates import STANDARD

MAX_STEPS = 100_000
"""Statements carried out while loops and subroutines are written out."""
_MAX_WORK = 5_000_000


class Subroutine(NamedTuple):
    """What a `def` says; in the symbol table it is the data of its name."""

    node: ast.SubroutineDefinition


class Conversion(ConvertVisitor, ABC):
    """One text's conversion: what every statement goes through."""

    def __init__(self) -> None:
        super().__init__()
        self.run_time_depth = 0
        """How many branches and loops around this statement are decided only while the program runs."""
        self.exact = False
        """Whether numbers become angles here: a division of whole numbers has to come out even."""
        self._steps = self._operations = self._work = 0

    @abstractmethod
    def call(self, node: ast.FunctionCall, context: State, target: Any) -> Typed | None:
        """Write a subroutine out; a measured result goes to ``target`` at once, where there is one."""

    @abstractmethod
    def check_held(self, symbol: Symbol, node: ast.QASMNode) -> None:
        """A number that stands for bits is read before they change."""

    def has_subroutine(self, name: str, context: State) -> bool:
        """Whether a name is that of a `def` above."""
        symbol = context.symbol_table.get(name)
        return symbol is not None and isinstance(symbol.data, Subroutine)

    def count_step(self, node: ast.QASMNode) -> None:
        """Bound what loops and subroutines come to, empty ones included."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise_from_node(node, f"its loops and subroutines write out more than {MAX_STEPS:,} statements.")

    def count_work(self, elements: int, node: ast.QASMNode) -> None:
        """Bound what is picked out of registers and arrays."""
        self._work += elements
        if self._work > _MAX_WORK:
            raise_from_node(node, "it picks too many bits and qubits out of registers: use smaller parts of them.")

    def emitted(self, count: int, node: ast.QASMNode) -> None:
        """Count operations that enter the circuit."""
        self._operations += count
        if self._operations > MAX_OPERATIONS:
            raise_from_node(node, f"it expands to more than {MAX_OPERATIONS:,} operations here.")

    def taken(self, name: str, node: ast.QASMNode) -> str:
        """Why a name cannot be declared."""
        if isinstance(node, ast.Include):
            return f"\"stdgates.inc\" brings the gate '{name}', defined above: include it first and rename yours."
        if name in STANDARD:
            return f"'{name}' is a gate of stdgates.inc already: choose another name."
        return f"'{name}' is declared already: choose another name."

    def declare(self, symbol: Symbol, context: State, node: ast.QASMNode) -> None:
        """A new name in the innermost scope."""
        table = context.symbol_table[len(context.symbol_table) - 1]
        if symbol.name in table.symbols:
            raise_from_node(node, self.taken(symbol.name, node))
        table.symbols[symbol.name] = symbol

    def conditions(self, context: State) -> Conditions:
        """A reader of conditions in this scope."""
        return Conditions(
            lambda node: self.value(node, context), lambda node: self._resolve_constant_int(node, context)
        )

    def value(self, node: ast.QASMNode, context: State) -> Typed:
        """What an expression stands for."""
        return self._resolve_generic(node, context, True)

    def _resolve_generic(self, node: ast.QASMNode, context: State, strict: bool) -> Typed:
        return Values(context, strict, self).resolve(node)  # type: ignore[arg-type]  # more nodes than expressions have values

    def _resolve_constant_int(self, node: ast.Expression, context: State) -> int:
        return Values(context, True, self).whole(node)

    def _resolve_constant_float(self, node: ast.Expression, context: State) -> float:
        value = self._resolve_angle(node, context)
        if not isinstance(value, (int, float)):
            raise_from_node(node, "a power is a number known before the program is sent.")
        return value

    def _resolve_constant_duration(self, node: ast.Expression, context: State) -> tuple[Any, str]:
        value, type_ = self._resolve_generic(node, context, strict=True)
        if not isinstance(type_, types.Duration):
            raise_from_node(node, "a duration has a unit: write for example 100ns or 16dt.")
        number, unit = value
        if isinstance(number, ParameterExpression) and number.parameters:
            return number, unit
        number = float(number)
        if not 0 <= number < MAX_DELAY:
            raise_from_node(node, f"a duration is not negative, and shorter than {MAX_DELAY:g} of its unit.")
        if unit == "dt":
            if number != int(number):
                raise_from_node(node, "a duration in dt is a whole number.")
            number = int(number)
        return number, unit

    def _resolve_angle(self, node: ast.Expression, context: State) -> Any:
        before, self.exact = self.exact, True
        try:
            value, _ = self._resolve_generic(node, context, strict=False)
        finally:
            self.exact = before
        if isinstance(value, bool) or not (isinstance(value, (int, float)) or hasattr(value, "parameters")):
            raise_from_node(node, f"an angle is a number; a measured bit is {RUN_TIME}.")
        if isinstance(value, (int, float)) and abs(value) == float("inf"):
            raise_from_node(node, "this number is not finite.")
        return value

    def _resolve_qarg(self, node: ast.QASMNode, context: State) -> Any:
        value, type_ = self._resolve_generic(node, context, strict=True)
        if not isinstance(type_, (types.Qubit, types.HardwareQubit, types.QubitArray)):
            raise_from_node(node, "a qubit or a register of qubits is needed here.")
        return value

    def _resolve_carg(self, node: ast.QASMNode, context: State) -> Any:
        value, type_ = self._resolve_generic(node, context, strict=True)
        if not isinstance(type_, (types.Bit, types.BitArray)):
            raise_from_node(node, "a measurement goes into bits: declare them with bit or bit[n], not as a number.")
        return value
