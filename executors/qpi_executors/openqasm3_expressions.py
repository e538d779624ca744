"""Expressions of OpenQASM 3 that have a value before the program runs, and the bits and qubits that others name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit, ParameterExpression, Qubit, Register
from qiskit_qasm3_import import types
from qiskit_qasm3_import.data import Symbol
from qiskit_qasm3_import.exceptions import ConversionError, raise_from_node
from qiskit_qasm3_import.expression import ValueResolver
from qiskit_qasm3_import.state import State, physical_qubit_index

from qpi_jupyter.core import MAX_BITS

from .openqasm3_values import FUNCTIONS, BadValueError, Number, binary, call, real, unary, wrapped

MIXED = "physical qubits ($0) and declared ones are not mixed: use one kind in a program."
RUN_TIME = "known only while the program runs: it can be used in conditions and assigned to bits, nowhere else"
_OF_BITS = "a number that stands for measured bits is not taken apart or joined: use the bits themselves."
Typed = tuple[Any, Any]
"""A value, and its type as Qiskit's importer has it (which has no types of its own for a checker)."""


class Program(Protocol):
    """What the arithmetic asks of the program that it is done for."""

    exact: bool

    def has_subroutine(self, name: str, context: State) -> bool: ...
    def call(self, node: ast.FunctionCall, context: State, target: Any) -> Typed | None: ...
    def check_held(self, symbol: Symbol, node: ast.QASMNode) -> None: ...
    def count_work(self, elements: int, node: ast.QASMNode) -> None: ...


class Values(ValueResolver):
    """Qiskit's resolver with all the language's arithmetic on constants."""

    __slots__ = ("_program",)

    def __init__(self, context: State, strict: bool, program: Program) -> None:
        super().__init__(context, strict)
        self._program = program

    def generic_visit(self, node: ast.QASMNode, context: None = None) -> NoReturn:
        """Say what it is in the language's words."""
        raise_from_node(node, f"{_WORDS.get(type(node), 'this expression')} cannot be used here.")

    def visit_Identifier(self, node: ast.Identifier) -> Typed:
        index = physical_qubit_index(node.name)
        if index is not None and index >= MAX_BITS:
            raise_from_node(node, f"physical qubits are $0 to ${MAX_BITS - 1}.")
        if index is None and self._context.symbol_table.get(node.name, node) is None:
            raise_from_node(node, f"'{node.name}' is not declared.")
        try:
            found: Typed = super().visit_Identifier(node)
        except ConversionError as error:
            if "addressing mode" not in str(error):
                raise
            raise_from_node(node, MIXED)
        symbol = self._context.symbol_table.get(node.name, node)
        if symbol is not None:
            self._program.check_held(symbol, node)
        return found

    def visit_Concatenation(self, node: ast.Concatenation) -> Typed:
        joined: list[Any] = []
        for side in (node.lhs, node.rhs):
            value, type_ = self.visit(side)
            if isinstance(type_, Held):
                raise_from_node(side, _OF_BITS)
            joined += value if isinstance(value, (list, tuple, Register)) else [value]
        kind = Qubit if any(isinstance(bit, Qubit) for bit in joined) else Clbit
        if not all(isinstance(bit, kind) for bit in joined):
            raise_from_node(node, "++ joins registers of qubits, or registers of measured bits.")
        self._program.count_work(len(joined), node)
        return joined, types.QubitArray(len(joined)) if kind is Qubit else types.BitArray(len(joined))

    def visit_BitstringLiteral(self, node: ast.BitstringLiteral) -> Typed:
        return node.value, types.Uint(const=True, size=node.width)

    def visit_ArrayLiteral(self, node: ast.ArrayLiteral) -> Typed:
        return [self.visit(value)[0] for value in node.values], Array()

    def visit_UnaryExpression(self, node: ast.UnaryExpression) -> Typed:
        value, type_ = self.visit(node.expression)
        if isinstance(value, ParameterExpression) and node.op.name == "-":
            return -value, type_
        if isinstance(type_, types.Duration) and node.op.name == "-":
            return (-value[0], value[1]), type_
        number = self._number(value, node.expression)
        result = self._computed(node, unary, node.op.name, number, getattr(type_, "size", None))
        return result, types.Bool(const=True) if isinstance(result, bool) else type_

    def visit_BinaryExpression(self, node: ast.BinaryExpression) -> Typed:
        (lhs, left), (rhs, right) = self.visit(node.lhs), self.visit(node.rhs)
        if isinstance(left, types.Duration) or isinstance(right, types.Duration):
            return self._duration(node, lhs, rhs)
        if isinstance(lhs, ParameterExpression) or isinstance(rhs, ParameterExpression):
            return self._symbolic(node, lhs, rhs), types.Angle()
        numbers = self._number(lhs, node.lhs), self._number(rhs, node.rhs)
        if node.op.name == "/" and self._program.exact and _is_inexact(*numbers):
            raise_from_node(
                node,
                f"{numbers[0]:d}/{numbers[1]:d} between whole numbers is {binary('/', *numbers)} in OpenQASM 3: write "
                f"{numbers[0]:d}.0/{numbers[1]:d} for the fraction.",
            )
        result = self._computed(node, binary, node.op.name, *numbers)
        return result, self._type_of(result, left, right)

    def visit_FunctionCall(self, node: ast.FunctionCall) -> Typed:
        name = node.name.name
        if self._program.has_subroutine(name, self._context):
            result = self._program.call(node, self._context, None)
            if result is None:
                raise_from_node(node, f"'{name}' returns nothing.")
            return result
        values = [self.visit(argument)[0] for argument in node.arguments]
        if len(values) == 1 and isinstance(values[0], ParameterExpression):
            return self._symbolic_call(node, values[0]), types.Angle()
        if name not in FUNCTIONS and name not in ("pow", "mod"):
            raise_from_node(node, f"there is no function '{name}': define it with def before its first use.")
        numbers = [self._number(value, node) for value in values]
        result = self._computed(node, call, name, numbers)
        return result, self._type_of(result)

    def visit_Cast(self, node: ast.Cast) -> Typed:
        return self.cast(self.visit(node.argument), node.type, node)

    def visit_SizeOf(self, node: ast.SizeOf) -> Typed:
        value, _ = self.visit(node.target)
        for _ in range(0 if node.index is None else int(self.visit(node.index)[0])):
            value = value[0] if isinstance(value, list) and value else None
        if isinstance(value, (int, float)) or value is None:
            raise_from_node(node, "sizeof takes a register or an array.")
        return len(value), types.Uint(const=True)

    def visit_RangeDefinition(self, node: ast.RangeDefinition) -> Typed:
        """Only as the values of a loop: as an index it depends on what it indexes."""
        if node.start is None or node.end is None:
            raise_from_node(node, "a loop's range has a start and an end: [start:end] or [start:step:end].")
        return self.range(node, 0), types.Range(types.Int(const=True))

    def range(self, node: ast.RangeDefinition, size: int) -> range:
        """The whole numbers of a range, both ends included; negative ones count from ``size`` where there is one."""
        step = 1 if node.step is None else self.whole(node.step)
        if not step:
            raise_from_node(node, "the step of a range is not 0.")
        first, last = (0, size - 1) if step > 0 else (size - 1, 0)
        start = first if node.start is None else self.index(node.start, size)
        end = last if node.end is None else self.index(node.end, size)
        return range(start, end + (1 if step > 0 else -1), step)

    def whole(self, node: ast.Expression) -> int:
        """A whole number, known before the program runs."""
        value, _ = self.visit(node)
        if not isinstance(value, int):
            raise_from_node(node, "a whole number is needed here, known before the program runs.")
        return int(value)

    def cast(self, typed: Typed, wanted: ast.ClassicalType, node: ast.QASMNode) -> Typed:
        """A constant in another type."""
        value, type_ = typed
        if isinstance(wanted, ast.ArrayType) and isinstance(value, list):
            return copied(value), Array()
        if isinstance(wanted, ast.DurationType):
            if not isinstance(type_, types.Duration):
                raise_from_node(node, "a duration has a unit: write for example 100ns.")
            return value, type_
        if isinstance(value, ParameterExpression) and isinstance(wanted, (ast.FloatType, ast.AngleType)):
            return value, types.Angle()
        number = self._number(value, node)
        if isinstance(wanted, ast.BoolType):
            return bool(number), types.Bool(const=True)
        size = getattr(wanted, "size", None)
        width = None if size is None else self.whole(size)
        if width is not None and not 0 < width <= MAX_BITS:
            raise_from_node(node, f"a type has 1 to {MAX_BITS:,} bits.")
        if isinstance(wanted, ast.BitType):
            return self._bits(number, width or 1, node), types.Uint(const=True, size=width or 1)
        if isinstance(wanted, (ast.IntType, ast.UintType)):
            signed = isinstance(wanted, ast.IntType)
            kind = types.Int if signed else types.Uint
            return self._computed(node, wrapped, number, width, signed), kind(const=True, size=width)
        if isinstance(wanted, (ast.FloatType, ast.AngleType)):
            return self._computed(node, real, number), (
                types.Angle if isinstance(wanted, ast.AngleType) else types.Float
            )(const=True)
        raise_from_node(node, f"{_WORDS.get(type(wanted), 'this type')} is not supported.")

    def _bits(self, number: Number, width: int, node: ast.QASMNode) -> int:
        if isinstance(number, float):
            raise_from_node(node, f'bits are written as a whole number, or in quotes: "{"0" * min(width, 8)}".')
        return int(number) & ((1 << width) - 1)

    def _computed(self, node: ast.QASMNode, function: Any, *values: Any) -> Any:
        try:
            return function(*values)
        except BadValueError as error:
            raise_from_node(node, f"{error}.")

    def _number(self, value: Any, node: ast.QASMNode) -> Number:
        if isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, (Clbit, ClassicalRegister)) or _is_bits(value, Clbit):
            raise_from_node(node, f"a measured bit is {RUN_TIME}.")
        if isinstance(value, ParameterExpression):
            raise_from_node(node, "an input is known only when the program is sent: use it in the angles of gates.")
        raise_from_node(node, "a number is needed here.")

    def _type_of(self, result: Number, *operands: Any) -> Any:
        if isinstance(result, bool):
            return types.Bool(const=True)
        if isinstance(result, float):
            return types.Float(const=True)
        sizes = [getattr(operand, "size", None) for operand in operands]
        known = [size for size in sizes if size is not None]
        if known and len(known) == len(sizes) and all(isinstance(operand, types.Uint) for operand in operands):
            return types.Uint(const=True, size=max(known))
        return types.Int(const=True)

    def _duration(self, node: ast.BinaryExpression, lhs: Any, rhs: Any) -> Typed:
        """Durations are added and subtracted, divided and compared among themselves, and scaled by numbers."""
        op = node.op.name
        if isinstance(lhs, tuple) and isinstance(rhs, tuple) and op in _AMONG_DURATIONS:
            unit = lhs[1] if lhs[1] == rhs[1] else "ns"
            left, right = (_real(self._in_unit(value, unit, node)) for value in (lhs, rhs))
            result = self._combined(node, left, right)
            if op in ("+", "-"):
                return (result, unit), types.Duration(const=True)
            return result, types.Angle() if isinstance(result, ParameterExpression) else self._type_of(result)
        if (
            op in ("*", "/")
            and isinstance(lhs, tuple) != isinstance(rhs, tuple)
            and (op == "*" or isinstance(lhs, tuple))
        ):
            (value, unit), factor = (lhs, rhs) if isinstance(lhs, tuple) else (rhs, lhs)
            if not isinstance(factor, ParameterExpression):
                factor = self._number(factor, node)
            return (self._combined(node, _real(value), factor), unit), types.Duration(const=True)
        raise_from_node(node, f"durations cannot be combined so with '{op}'.")

    def _combined(self, node: ast.BinaryExpression, lhs: Any, rhs: Any) -> Any:
        """Two numbers, known now or with the inputs."""
        if isinstance(lhs, ParameterExpression) or isinstance(rhs, ParameterExpression):
            return self._symbolic(node, lhs, rhs)
        return self._computed(node, binary, node.op.name, lhs, rhs)

    def _in_unit(self, duration: tuple[Any, str], unit: str, node: ast.QASMNode) -> Any:
        if duration[1] == unit:
            return duration[0]
        if "dt" in (duration[1], unit):
            raise_from_node(node, "dt and seconds cannot be combined: how long dt is depends on the QPU.")
        return duration[0] * _NANOSECONDS[duration[1]]

    def _symbolic(self, node: ast.BinaryExpression, lhs: Any, rhs: Any) -> Any:
        op = node.op.name
        if op not in ("+", "-", "*", "/", "**") or not _are_numbers(lhs, rhs):
            raise_from_node(node, f"an input cannot be combined so with '{op}'.")
        if op == "/" and not isinstance(rhs, ParameterExpression) and not rhs:
            raise_from_node(node, "division by zero.")
        if op == "**":
            return lhs**rhs
        return {"+": lambda: lhs + rhs, "-": lambda: lhs - rhs, "*": lambda: lhs * rhs, "/": lambda: lhs / rhs}[op]()

    def _symbolic_call(self, node: ast.FunctionCall, value: ParameterExpression) -> Any:
        method = getattr(value, node.name.name, None) if node.name.name in FUNCTIONS else None
        if method is None:
            raise_from_node(node, f"'{node.name.name}' of an input is not supported.")
        return method()

    def index(self, node: ast.Expression, size: int) -> int:
        """A place among ``size`` of them; negative ones count from the end."""
        value = self.whole(node)
        if not size:
            return value
        if not -size <= value < size:
            raise_from_node(node, f"index {value} is out of range: there are {size}, from 0 to {size - 1}.")
        return value % size

    def _index_collection(self, collection: Any, type_: Any, indexer: Any, base: ast.QASMNode) -> Typed:
        if isinstance(collection, int) and getattr(type_, "size", None) is not None:
            self._program.count_work(type_.size, base)
            collection = [bool(collection >> k & 1) for k in range(type_.size)]
            return self._constant_bits(collection, indexer, base)
        if isinstance(collection, list) and isinstance(type_, Array):
            return self._element(collection, indexer, base)
        if isinstance(type_, Held):
            raise_from_node(base, _OF_BITS)
        if not isinstance(type_, (types.BitArray, types.QubitArray)):
            raise_from_node(base, "only registers, arrays and whole numbers with a width can be indexed.")
        picked, single = self._picked(collection, indexer, base)
        if single:
            return picked[0], types.Bit() if isinstance(picked[0], Clbit) else types.Qubit()
        return picked, type(type_)(len(picked))

    def _picked(self, collection: Sequence[Any], indexer: Any, base: ast.QASMNode) -> tuple[list[Any], bool]:
        """What an index takes out, and whether it is a single one."""
        size = len(collection)
        if isinstance(indexer, ast.DiscreteSet):
            return [collection[self.index(value, size)] for value in indexer.values], False
        if len(indexer) != 1:
            raise_from_node(base, "a register has one index; several bits are a set: q[{0, 2}].")
        if isinstance(indexer[0], ast.RangeDefinition):
            picked = self.range(indexer[0], size)
            self._program.count_work(len(picked), base)
            return [collection[k] for k in picked], False
        return [collection[self.index(indexer[0], size)]], True

    def _constant_bits(self, bits: list[bool], indexer: Any, base: ast.QASMNode) -> Typed:
        picked, single = self._picked(bits, indexer, base)
        if single:
            return picked[0], types.Bool(const=True)
        return sum(bit << k for k, bit in enumerate(picked)), types.Uint(const=True, size=len(picked))

    def _element(self, values: list[Any], indexer: Any, base: ast.QASMNode) -> Typed:
        current: Any = values
        for index in [indexer] if isinstance(indexer, ast.DiscreteSet) else indexer:
            if not isinstance(current, list):
                raise_from_node(base, "this array has fewer dimensions.")
            picked, single = self._picked(current, index if isinstance(index, ast.DiscreteSet) else [index], base)
            current = picked[0] if single else picked
        return current, Array() if isinstance(current, list) else self._type_of(current)


class Held(types.BitArray):  # type: ignore[misc]  # the importer's types are none to a checker
    """The type of measured bits that an int or a wider number stands for; where it has a sign, their highest one."""

    def __init__(self, size: int, *, signed: bool) -> None:
        super().__init__(size)
        self.signed = signed


class Array:
    """The type of a constant array."""

    const = True

    def pretty(self) -> str:
        """As in the language."""
        return "array"


def copied(values: list[Any]) -> list[Any]:
    """An array of its own."""
    return [copied(value) if isinstance(value, list) else value for value in values]


def _real(duration: Any) -> Any:
    """How long, not in whole numbers: half of 1us is not nothing."""
    return duration if isinstance(duration, ParameterExpression) else real(duration)


def _is_inexact(lhs: Number, rhs: Number) -> bool:
    return not isinstance(lhs, float) and not isinstance(rhs, float) and bool(rhs) and bool(lhs % rhs)


def _is_bits(value: Any, kind: type[Clbit] | type[Qubit]) -> bool:
    return isinstance(value, (list, tuple)) and any(isinstance(bit, kind) for bit in value)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, (int, float, ParameterExpression)) for value in values)


_AMONG_DURATIONS = {"+", "-", "/", "==", "!=", "<", "<=", ">", ">="}
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_WORDS = {
    ast.ImaginaryLiteral: "a complex number",
    ast.ComplexType: "complex",
    ast.DurationOf: "durationof",
    ast.StretchType: "stretch",
    ast.ArrayReferenceType: "a reference to an array",
    ast.DiscreteSet: "a set",
    ast.QuantumMeasurement: "a measurement",
}
