"""Expressions on measured bits, as Qiskit's classical expressions: what `if`, `while` and assignments to bits take."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr
from qiskit.circuit.classical import types as expr_types
from qiskit_qasm3_import import types
from qiskit_qasm3_import.exceptions import raise_from_node

from qpi_jupyter.core import counted

from .openqasm3_expressions import Held, Typed
from .openqasm3_values import BadValueError, Number, binary, unary

Operand = Any
"""A number known now, a bit, a register, a list of bits, or an expression of Qiskit."""
MAX_WIDTH = 64
"""Bits of a register that an executor computes with."""
_ORDER = {"<": expr.less, "<=": expr.less_equal, ">": expr.greater, ">=": expr.greater_equal}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LOGIC = {"&&": expr.logic_and, "||": expr.logic_or}
_WIDTHS = "registers of different widths cannot be compared or combined."
_BITWISE = {"&": expr.bit_and, "|": expr.bit_or, "^": expr.bit_xor}


class Conditions:
    """Reads one expression; ``typed`` evaluates whatever is not an operator, ``width`` the size of a type."""

    def __init__(self, typed: Callable[[ast.Expression], Typed], width: Callable[[ast.Expression], int]) -> None:
        self._typed, self._width = typed, width

    def condition(self, node: ast.Expression) -> bool | tuple[Any, Any] | expr.Expr:
        """Known now, or as Qiskit's branches take it: a bit or a register and its value, where that is enough."""
        operand = _unsigned(self.operand(node))
        if isinstance(operand, Clbit):
            return (operand, True)
        if isinstance(operand, _Equal):
            return (operand.bits, operand.value)
        truth = self._truth(operand, node)
        return truth if isinstance(truth, bool) else _lifted(truth)

    def assigned(self, node: ast.Expression, width: int | None) -> expr.Expr | bool | int:
        """What a bit (``width`` None) or a register of this width is set to."""
        operand = _unsigned(self.operand(node))
        if width is None:
            if _is_register(operand) and len(operand) == 1:
                operand = operand[0]
            return _lifted(self._truth(operand, node))
        if isinstance(operand, (bool, int)):
            return int(operand) & ((1 << width) - 1)
        if not _is_register(operand) and not isinstance(operand, expr.Expr):
            raise_from_node(node, f"a register is set from bits: {width} are needed here.")
        found = operand if isinstance(operand, expr.Expr) else self._whole(operand, node)
        if getattr(found.type, "width", None) != width:
            raise_from_node(node, f"this does not have {counted(width, 'bit')}.")
        return found

    def target(self, node: ast.Expression) -> tuple[Operand, int]:
        """What a `switch` looks at, and the least number that it can be."""
        operand = self.operand(node)
        bits = _unsigned(operand)
        return bits, -(1 << (_width(bits) - 1)) if _is_signed(operand) else 0

    def operand(self, node: ast.Expression) -> Operand:
        """The expression's value, evaluated as far as it is known now."""
        if isinstance(node, ast.UnaryExpression):
            return self._unary(node, self.operand(node.expression))
        if isinstance(node, ast.BinaryExpression):
            return self._binary(node)
        if isinstance(node, ast.Cast):
            return self._cast(node)
        return self._value(node)

    def cast(self, operand: Operand, wanted: ast.ClassicalType, node: ast.QASMNode) -> Operand:
        """Measured bits in another type: the lowest ones, or the same number in a wider one."""
        bits, whole = _unsigned(operand), isinstance(wanted, ast.IntType)
        if isinstance(wanted, ast.BoolType):
            return self._truth(bits, node)
        have = _width(bits)
        if not have or not isinstance(wanted, (ast.IntType, ast.UintType, ast.BitType)):
            raise_from_node(node, "measured bits can be cast to bool, int, uint and bit.")
        width = None if wanted.size is None else self._width(wanted.size)
        if width is None and isinstance(wanted, ast.BitType):
            if have > 1:
                raise_from_node(node, f"a bit does not hold {have} of them: write bool(...), or name one bit.")
            width = 1
        if width is None or width > have:
            if _is_signed(operand) and not whole:
                raise_from_node(
                    node, f"a number that may be negative is cast to int, or to uint of at most {counted(have, 'bit')}."
                )
            return _Whole(bits, signed=_is_signed(operand))
        if width < have:
            if not _is_register(bits):
                raise_from_node(node, f"{have} computed bits cannot be cast to {width}: assign them to a bit[{have}].")
            bits = list(bits)[:width]
        return _Whole(bits, signed=True) if whole else bits

    def passed(self, given: Typed, wanted: ast.ClassicalType, node: ast.QASMNode) -> Typed:
        """Measured bits as the argument or the result of a subroutine, with their type there."""
        operand = self.cast(_operand(*given), wanted, node)
        bits, have = _unsigned(operand), _width(given[0])
        if isinstance(bits, (expr.Expr, _Equal)):
            raise_from_node(node, f"{counted(have, 'bit')} are no bool here: compute it first: bool found = ...")
        if isinstance(wanted, ast.BitType) and (isinstance(operand, _Whole) or _width(bits) != have):
            raise_from_node(node, f"this is {counted(have, 'bit')}, and the subroutine is defined with another number.")
        return typed(operand)

    def _value(self, node: ast.Expression) -> Operand:
        return _operand(*self._typed(node))

    def _cast(self, node: ast.Cast) -> Operand:
        inner = self.operand(node.argument)
        if _is_number(inner) or _is_duration(inner):
            return self._value(node)
        return self.cast(inner, node.type, node)

    def _unary(self, node: ast.UnaryExpression, operand: Operand) -> Operand:
        op, inner = node.op.name, _unsigned(operand)
        if _is_number(inner):
            return _folded(
                node, lambda: unary(op, inner, None) if op != "~" or isinstance(inner, bool) else self._value(node)
            )
        if op == "-":
            raise_from_node(node, "measured bits have no sign: compare them with a whole number.")
        if op == "~" and isinstance(operand, _Whole):
            if not operand.signed:
                raise_from_node(node, "this number is wider than its measured bits: write ~ before the bits.")
            return _Whole(self._inverted(inner, node), signed=True)
        if op == "~" and _is_many(inner):
            return self._inverted(inner, node)
        return self._denied(inner, node)

    def _inverted(self, bits: Operand, node: ast.UnaryExpression) -> Operand:
        return expr.bit_not(self._expression(bits, node)) if _is_many(bits) else self._denied(bits, node)

    def _denied(self, operand: Operand, node: ast.UnaryExpression) -> Operand:
        if isinstance(operand, Clbit):
            return _Equal(operand, False)
        return expr.logic_not(_lifted(self._truth(operand, node)))

    def _binary(self, node: ast.BinaryExpression) -> Operand:
        op = node.op.name
        lhs, rhs = self._compared(node, self.operand(node.lhs), self.operand(node.rhs))
        if _is_number(lhs) and _is_number(rhs):
            return _folded(node, lambda: binary(op, lhs, rhs))
        if _is_duration(lhs) or _is_duration(rhs):
            return self._value(node)
        if op in _LOGIC:
            return self._logic(op, self._truth(lhs, node.lhs), self._truth(rhs, node.rhs))
        if op in ("==", "!="):
            return self._equality(node, lhs, rhs)
        if op in _ORDER:
            return self._order(node, lhs, rhs)
        if op in _BITWISE:
            return self._bitwise(node, lhs, rhs)
        raise_from_node(node, f"'{op}' of measured bits cannot be computed while the program runs.")

    def _compared(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> tuple[Operand, Operand]:
        """Operands as bits and numbers without a sign that are as equal, or as large, as those given."""
        op = node.op.name
        if op in _BITWISE:
            return lhs, rhs
        if op not in ("==", "!=", *_ORDER):
            return _unsigned(lhs), _unsigned(rhs)
        lhs, rhs = (int(one) if isinstance(one, float) and one.is_integer() else one for one in (lhs, rhs))
        if not _is_signed(lhs) and not _is_signed(rhs):
            return _unsigned(lhs), _unsigned(rhs)
        half = self._half(node, lhs, rhs)
        if op in _ORDER:
            return self._biased(node, lhs, half), self._biased(node, rhs, half)
        return _pattern(lhs, half), _pattern(rhs, half)

    def _half(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> int:
        """The least number, without its sign, of an int that meets a number or another int."""
        widths = [_width(one.bits) for one in (lhs, rhs) if _is_signed(one)]
        if not all(_is_signed(one) or _is_number(one) for one in (lhs, rhs)):
            raise_from_node(node, "compare an int with a number or with another int: these bits have no sign.")
        if len(set(widths)) > 1:
            raise_from_node(node, _WIDTHS)
        return 1 << (widths[0] - 1)

    def _biased(self, node: ast.BinaryExpression, operand: Operand, half: int) -> Operand:
        """With its highest bit flipped a signed number is in the order of those without a sign."""
        if _is_number(operand):
            return operand + half
        left = self._expression(operand.bits, node)
        return expr.bit_xor(left, expr.lift(half, left.type))

    def _logic(self, op: str, lhs: bool | Operand, rhs: bool | Operand) -> Operand:
        for known, other in ((lhs, rhs), (rhs, lhs)):
            if isinstance(known, bool):
                return other if known == (op == "&&") else known
        return _LOGIC[op](_lifted(lhs), _lifted(rhs))

    def _equality(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        if _is_number(lhs):
            lhs, rhs = rhs, lhs
        same = self._same(node, lhs, rhs)
        if node.op.name == "==":
            return same
        if isinstance(same, bool):
            return not same
        if isinstance(same, _Equal) and isinstance(same.bits, Clbit):
            return _Equal(same.bits, not same.value)
        if isinstance(same, _Equal):
            return expr.not_equal(self._whole(same.bits, node), same.value)
        return expr.logic_not(_lifted(same))

    def _same(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        if _is_many(lhs) and _is_many(rhs):
            return expr.equal(*self._pair(node, lhs, rhs))
        lhs, rhs = _only(lhs), _only(rhs)
        width = _width(lhs)
        if _is_number(rhs) and width and (not isinstance(rhs, int) or not 0 <= rhs < 1 << width):
            return False
        if isinstance(lhs, Clbit) and _is_number(rhs):
            return _Equal(lhs, bool(rhs))
        if _is_register(lhs) and _is_number(rhs):
            if isinstance(lhs, ClassicalRegister):
                return _Equal(lhs, int(rhs))
            if len(lhs) > MAX_WIDTH:
                raise_from_node(node, f"at most {MAX_WIDTH} bits can be compared while the program runs.")
            bits = [_Equal(bit, bool(rhs >> k & 1)) for k, bit in enumerate(lhs)]
            return _all([_lifted(bit) for bit in bits])
        if _is_number(rhs) and _is_many(lhs):
            return expr.equal(lhs, expr.lift(int(rhs), lhs.type))
        left, right = self._one(node, lhs), self._one(node, rhs)
        return expr.logic_not(expr.bit_xor(_lifted(left), _lifted(right)))

    def _one(self, node: ast.BinaryExpression, operand: Operand) -> bool | Operand:
        """A single bit or truth value: more bits are not combined with one."""
        operand = _only(operand)
        if _is_number(operand) and operand in (0, 1):
            return bool(operand)
        if _is_number(operand):
            raise_from_node(node, f"a bit is 0 or 1, and {operand} is neither.")
        if _width(operand) > 1:
            raise_from_node(node, _WIDTHS)
        return self._truth(operand, node)

    def _order(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        op = node.op.name
        if _is_number(lhs):
            lhs, rhs, op = rhs, lhs, _MIRRORED[op]
        if not _is_many(lhs):
            raise_from_node(node, f"a bit is compared by == and !=, not by {op}.")
        left = self._expression(lhs, node)
        if _is_number(rhs):
            top = 1 << left.type.width
            if not 0 <= rhs < top:
                return binary(op, 0 if rhs < 0 else top - 1, rhs)
            rhs = ceil(rhs) if op in ("<", ">=") else floor(rhs)
            return _ORDER[op](left, expr.lift(int(rhs), left.type))
        return _ORDER[op](*self._pair(node, lhs, rhs))

    def _bitwise(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        if not isinstance(lhs, _Whole) and not isinstance(rhs, _Whole):
            return self._combined(node, lhs, rhs)
        signed = _is_signed(lhs) or _is_signed(rhs)
        if signed:
            half = self._half(node, lhs, rhs)
            lhs, rhs = _pattern(lhs, half), _pattern(rhs, half)
        return _Whole(self._combined(node, _unsigned(lhs), _unsigned(rhs)), signed=signed)

    def _combined(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        op = node.op.name
        if _is_number(lhs):
            lhs, rhs = rhs, lhs
        if not _is_many(lhs):
            return _BITWISE[op](_lifted(self._one(node, lhs)), _lifted(self._one(node, rhs)))
        left = self._expression(lhs, node)
        if _is_number(rhs):
            if not isinstance(rhs, int) or not 0 <= rhs < 1 << left.type.width:
                raise_from_node(node, f"the register has {counted(left.type.width, 'bit')}, and {rhs} does not fit.")
            return _BITWISE[op](left, expr.lift(int(rhs), left.type))
        return _BITWISE[op](*self._pair(node, lhs, rhs))

    def _pair(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> tuple[expr.Expr, expr.Expr]:
        left, right = (self._expression(side, part) for side, part in ((lhs, node.lhs), (rhs, node.rhs)))
        if left.type != right.type:
            raise_from_node(node, _WIDTHS)
        return left, right

    def _expression(self, operand: Operand, node: ast.QASMNode) -> expr.Expr:
        return operand if isinstance(operand, expr.Expr) else self._whole(operand, node)

    def _whole(self, operand: Operand, node: ast.QASMNode) -> expr.Expr:
        if _is_register(operand) and len(operand) > MAX_WIDTH:
            raise_from_node(node, f"at most {MAX_WIDTH} bits can be computed with while the program runs.")
        if not isinstance(operand, ClassicalRegister):
            raise_from_node(
                node, "only a whole register can be used so: compare its bits one by one with ==, or use all of it."
            )
        return expr.lift(operand)

    def _truth(self, operand: Operand, node: ast.QASMNode) -> bool | Operand:
        """A truth value, known or not: a register is true where it is not zero."""
        if _is_number(operand):
            return bool(operand)
        if isinstance(operand, (Clbit, _Equal)) or _is_truth(operand):
            return operand
        if isinstance(operand, ClassicalRegister):
            return expr.not_equal(self._whole(operand, node), 0)
        if isinstance(operand, expr.Expr):
            return expr.not_equal(operand, expr.lift(0, operand.type))
        if _is_register(operand) and len(operand) <= MAX_WIDTH:
            return expr.logic_not(_all([expr.logic_not(bit) for bit in operand]))
        raise_from_node(node, "a condition is a measured bit or register, or a comparison.")


class _Whole:
    """Bits that are a whole number: in two's complement, or without a sign in a type that is wider than they are."""

    def __init__(self, bits: Operand, *, signed: bool) -> None:
        self.bits, self.signed = bits, signed


def _operand(value: Any, type_: Any) -> Operand:
    if not isinstance(type_, Held):
        return value
    return _Whole(value[0] if len(value) == 1 else value, signed=type_.signed)


def typed(operand: Operand) -> Typed:
    """Bits that a number stands for, in a list where they are of a type of its own, and that type."""
    bits = _unsigned(operand)
    if isinstance(operand, _Whole):
        bits = [bits] if isinstance(bits, Clbit) else bits
        return bits, Held(len(bits), signed=operand.signed)
    return bits, types.Bit() if isinstance(bits, Clbit) else types.BitArray(len(bits))


def _unsigned(operand: Operand) -> Operand:
    return operand.bits if isinstance(operand, _Whole) else operand


def _is_signed(operand: Operand) -> bool:
    return isinstance(operand, _Whole) and operand.signed


def _pattern(operand: Operand, half: int) -> Operand:
    """What equals the same bits without a sign; a number that they cannot be equals none."""
    if not _is_number(operand):
        return _unsigned(operand)
    return operand % (2 * half) if -half <= operand < half else -1


class _Equal:
    """A bit or a register has this value: the condition that every QPU with branches knows."""

    def __init__(self, bits: Clbit | ClassicalRegister, value: bool | int) -> None:
        self.bits, self.value = bits, value

    def lifted(self) -> expr.Expr:
        if isinstance(self.bits, Clbit):
            return expr.lift(self.bits) if self.value else expr.logic_not(self.bits)
        return expr.equal(self.bits, self.value)


def _lifted(operand: Operand) -> expr.Expr:
    return operand.lifted() if isinstance(operand, _Equal) else expr.lift(operand)


def _all(bits: list[expr.Expr]) -> expr.Expr:
    result = bits[0]
    for bit in bits[1:]:
        result = expr.logic_and(result, bit)
    return result


def _is_number(operand: Operand) -> bool:
    return isinstance(operand, (bool, int, float))


def _is_duration(operand: Operand) -> bool:
    return isinstance(operand, tuple) and isinstance(operand[-1], str)


def _is_register(operand: Operand) -> bool:
    return isinstance(operand, ClassicalRegister) or (
        isinstance(operand, (list, tuple)) and bool(operand) and all(isinstance(bit, Clbit) for bit in operand)
    )


def _is_many(operand: Operand) -> bool:
    """Bits that are computed with as a number."""
    return _is_register(operand) or (isinstance(operand, expr.Expr) and not _is_truth(operand))


def _width(operand: Operand) -> int:
    """How many bits it has: 0 where it is none of them."""
    if _is_register(operand):
        return len(operand)
    if isinstance(operand, (Clbit, _Equal)) or _is_truth(operand):
        return 1
    return operand.type.width if isinstance(operand, expr.Expr) else 0


def _only(operand: Operand) -> Operand:
    return operand[0] if _is_register(operand) and len(operand) == 1 else operand


def _is_truth(operand: Operand) -> bool:
    return isinstance(operand, expr.Expr) and isinstance(operand.type, expr_types.Bool)


def _folded(node: ast.QASMNode, compute: Callable[[], Number]) -> Number:
    try:
        return compute()
    except BadValueError as error:
        raise_from_node(node, f"{error}.")
