"""Expressions on measured bits, as Qiskit's classical expressions: what `if`, `while` and assignments to bits take."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Any

from openqasm3 import ast
from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr
from qiskit.circuit.classical import types as expr_types
from qiskit_qasm3_import.exceptions import raise_from_node

from qpi_jupyter.core import counted

from .openqasm3_expressions import Held, Typed, as_number
from .openqasm3_values import BadValueError, Number, binary, unary

Operand = Any
"""A number known now, a bit, a register, a list of bits, or an expression of Qiskit."""
MAX_WIDTH = 64
"""Bits of a register that an executor computes with."""
_ORDER = {"<": expr.less, "<=": expr.less_equal, ">": expr.greater, ">=": expr.greater_equal}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LOGIC = {"&&": expr.logic_and, "||": expr.logic_or}
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
        return _unsigned(operand), -(1 << (len(operand.bits) - 1)) if isinstance(operand, _Signed) else 0

    def operand(self, node: ast.Expression) -> Operand:
        """The expression's value, evaluated as far as it is known now."""
        if isinstance(node, ast.UnaryExpression):
            return self._unary(node, _unsigned(self.operand(node.expression)))
        if isinstance(node, ast.BinaryExpression):
            return self._binary(node)
        if isinstance(node, ast.Cast):
            return self._cast(node)
        return self._value(node)

    def _value(self, node: ast.Expression) -> Operand:
        value, type_ = self._typed(node)
        return _Signed(value) if isinstance(type_, Held) else value

    def _cast(self, node: ast.Cast) -> Operand:
        inner = _unsigned(self.operand(node.argument))
        if _is_number(inner):
            return self._value(node)
        if isinstance(node.type, ast.BoolType):
            return self._truth(inner, node)
        if isinstance(node.type, (ast.IntType, ast.UintType, ast.BitType)):
            width = None if node.type.size is None else self._width(node.type.size)
            if not _is_register(inner):
                return inner
            bits, signed = as_number(inner, width, isinstance(node.type, ast.IntType))
            return _Signed(bits) if signed else bits
        raise_from_node(node, "measured bits can be cast to bool, int, uint and bit.")

    def _unary(self, node: ast.UnaryExpression, inner: Operand) -> Operand:
        op = node.op.name
        if _is_number(inner):
            return _folded(
                node, lambda: unary(op, inner, None) if op != "~" or isinstance(inner, bool) else self._value(node)
            )
        if op == "-":
            raise_from_node(node, "measured bits have no sign: compare them with a whole number.")
        if op == "~" and _is_register(inner):
            return expr.bit_not(self._whole(inner, node))
        if op == "~" and isinstance(inner, expr.Expr) and not _is_truth(inner):
            return expr.bit_not(inner)
        if isinstance(inner, Clbit):
            return _Equal(inner, False)
        return expr.logic_not(_lifted(self._truth(inner, node)))

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
        if op not in ("==", "!=", *_ORDER):
            return _unsigned(lhs), _unsigned(rhs)
        lhs, rhs = (int(one) if isinstance(one, float) and one.is_integer() else one for one in (lhs, rhs))
        signed = next((one for one in (lhs, rhs) if isinstance(one, _Signed)), None)
        if signed is None:
            return lhs, rhs
        half = 1 << (len(signed.bits) - 1)
        if op in _ORDER:
            return self._biased(node, lhs, half), self._biased(node, rhs, half)
        return _pattern(lhs, half), _pattern(rhs, half)

    def _biased(self, node: ast.BinaryExpression, operand: Operand, half: int) -> Operand:
        """With its highest bit flipped a signed number is in the order of those without a sign."""
        if _is_number(operand):
            return operand + half
        if not isinstance(operand, _Signed):
            raise_from_node(node, "compare an int with a number or with another int: these bits have no sign.")
        left = self._whole(operand.bits, node)
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
        if _is_register(lhs) and len(lhs) == 1 and not _is_register(rhs):
            lhs = lhs[0]
        if isinstance(lhs, Clbit) and _is_number(rhs):
            return _Equal(lhs, bool(rhs)) if rhs in (0, 1) else False
        if _is_register(lhs) and _is_number(rhs):
            if not isinstance(rhs, int) or not 0 <= rhs < 1 << len(lhs):
                return False
            if isinstance(lhs, ClassicalRegister):
                return _Equal(lhs, int(rhs))
            if len(lhs) > MAX_WIDTH:
                raise_from_node(node, f"at most {MAX_WIDTH} bits can be compared while the program runs.")
            bits = [_Equal(bit, bool(rhs >> k & 1)) for k, bit in enumerate(lhs)]
            return _all([_lifted(bit) for bit in bits])
        if _is_register(lhs) and _is_register(rhs):
            return expr.equal(*self._pair(node, lhs, rhs))
        if _is_number(rhs) and isinstance(lhs, expr.Expr) and not _is_truth(lhs):
            return expr.equal(lhs, expr.lift(int(rhs), lhs.type)) if 0 <= rhs < 1 << lhs.type.width else False
        if isinstance(lhs, expr.Expr) and isinstance(rhs, expr.Expr) and lhs.type == rhs.type:
            return expr.equal(lhs, rhs)
        left, right = (self._truth(side, node) for side in (lhs, rhs))
        return expr.logic_not(expr.bit_xor(_lifted(left), _lifted(right)))

    def _order(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        op = node.op.name
        if _is_number(lhs):
            lhs, rhs, op = rhs, lhs, _MIRRORED[op]
        if isinstance(lhs, Clbit) or not (_is_register(lhs) or isinstance(lhs, expr.Expr)):
            raise_from_node(node, f"a bit is compared by == and !=, not by {op}.")
        left = lhs if isinstance(lhs, expr.Expr) else self._whole(lhs, node)
        if _is_number(rhs):
            top = 1 << left.type.width
            if not 0 <= rhs < top:
                return binary(op, 0 if rhs < 0 else top - 1, rhs)
            rhs = ceil(rhs) if op in ("<", ">=") else floor(rhs)
            return _ORDER[op](left, expr.lift(int(rhs), left.type))
        return _ORDER[op](*self._pair(node, lhs, rhs))

    def _bitwise(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> Operand:
        op = node.op.name
        if _is_number(lhs):
            lhs, rhs = rhs, lhs
        if isinstance(lhs, (Clbit, _Equal)) or _is_truth(lhs):
            left, right = self._truth(lhs, node), self._truth(rhs, node)
            return _BITWISE[op](_lifted(left), _lifted(right))
        left = lhs if isinstance(lhs, expr.Expr) else self._whole(lhs, node)
        if _is_number(rhs):
            if not isinstance(rhs, int) or not 0 <= rhs < 1 << left.type.width:
                raise_from_node(node, f"the register has {counted(left.type.width, 'bit')}, and {rhs} does not fit.")
            return _BITWISE[op](left, expr.lift(int(rhs), left.type))
        return _BITWISE[op](*self._pair(node, lhs, rhs))

    def _pair(self, node: ast.BinaryExpression, lhs: Operand, rhs: Operand) -> tuple[expr.Expr, expr.Expr]:
        left, right = (
            side if isinstance(side, expr.Expr) else self._whole(side, part)
            for side, part in ((lhs, node.lhs), (rhs, node.rhs))
        )
        if left.type != right.type:
            raise_from_node(node, "registers of different widths cannot be compared or combined.")
        return left, right

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


class _Signed:
    """Bits that are a whole number with a sign, in two's complement."""

    def __init__(self, bits: Operand) -> None:
        self.bits = bits


def _unsigned(operand: Operand) -> Operand:
    return operand.bits if isinstance(operand, _Signed) else operand


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


def _is_truth(operand: Operand) -> bool:
    return isinstance(operand, expr.Expr) and isinstance(operand.type, expr_types.Bool)


def _folded(node: ast.QASMNode, compute: Callable[[], Number]) -> Number:
    try:
        return compute()
    except BadValueError as error:
        raise_from_node(node, f"{error}.")
