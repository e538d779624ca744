"""What OpenQASM 3 computes before a program runs: numbers of bounded size, with the language's rules."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, cast

Number = bool | int | float
MAX_INT_BITS = 1024
"""Whole numbers are machine numbers in the language; this is room for masks of wide registers."""


class BadValueError(Exception):
    """A computation that has no result; the message says why."""


def binary(op: str, lhs: Number, rhs: Number) -> Number:
    """``lhs op rhs``.

    Raises
    ------
    BadValueError
        it is undefined, not finite or far too large.
    """
    if op in ("&&", "||"):
        return (bool(lhs) and bool(rhs)) if op == "&&" else (bool(lhs) or bool(rhs))
    if op in ("/", "%", "**"):
        return _bounded(_DIVIDING[op](lhs, rhs))
    if op in ("<<", ">>", "&", "|", "^") and (isinstance(lhs, float) or isinstance(rhs, float)):
        raise BadValueError(f"'{op}' works on whole numbers and bits only")
    if op == "<<" and not 0 <= int(rhs) <= MAX_INT_BITS:
        raise BadValueError(f"a shift is by 0 to {MAX_INT_BITS} bits")
    if op == ">>" and rhs < 0:
        raise BadValueError("a shift is by 0 bits or more")
    try:
        result: Number = _PLAIN[op](lhs, min(rhs, MAX_INT_BITS) if op == ">>" else rhs)
    except OverflowError:
        raise BadValueError("this number is not finite") from None
    return _bounded(result)


def unary(op: str, value: Number, width: int | None) -> Number:
    """``op value``; ``~`` needs the width of its bits, unless the value is a truth value."""
    if op == "!":
        return not value
    if op == "-":
        return -value
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        raise BadValueError("'~' works on whole numbers and bits only")
    return ~value if width is None else ~value & ((1 << width) - 1)


def wrapped(value: Number, width: int | None, signed: bool) -> int:
    """A whole number as a type of this width holds it."""
    if isinstance(value, float):
        _bounded(value)
    whole = int(value)
    if width is None:
        return int(_bounded(whole))
    whole &= (1 << width) - 1
    return whole - (1 << width) if signed and whole >> (width - 1) else whole


def real(value: Number) -> float:
    """A number as a float."""
    try:
        return float(_bounded(float(value)))
    except OverflowError:
        raise BadValueError("this number is not finite") from None


def call(name: str, values: list[Number]) -> Number:
    """A function of the language.

    Raises
    ------
    BadValueError
        the wrong number of values, or one at which it is not defined.
    """
    if name in ("pow", "mod"):
        if len(values) != 2:
            raise BadValueError(f"{name} takes two values")
        return binary({"pow": "**", "mod": "%"}[name], *values)
    if len(values) != 1:
        raise BadValueError(f"{name} takes one value, not {len(values)}")
    try:
        return _bounded(FUNCTIONS[name](values[0]))
    except (ValueError, OverflowError):
        raise BadValueError(f"{name}({values[0]}) is not defined") from None


def _bounded(value: Number) -> Number:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadValueError("this number is not finite")
    elif value.bit_length() > MAX_INT_BITS:
        raise BadValueError(f"this whole number has more than {MAX_INT_BITS} bits")
    return value


def _divided(lhs: Number, rhs: Number) -> Number:
    if not rhs:
        raise BadValueError("division by zero")
    if isinstance(lhs, float) or isinstance(rhs, float):
        return _real(operator.truediv, lhs, rhs)
    quotient = abs(lhs) // abs(rhs)
    return quotient if (lhs < 0) == (rhs < 0) else -quotient


def _rest(lhs: Number, rhs: Number) -> Number:
    if not rhs:
        raise BadValueError("division by zero")
    if isinstance(lhs, float) or isinstance(rhs, float):
        return _real(math.fmod, lhs, rhs)
    return lhs - int(_divided(lhs, rhs)) * rhs


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, float) or isinstance(exponent, float) or exponent < 0:
        if not base and exponent < 0:
            raise BadValueError("division by zero")
        return _real(math.pow, base, exponent)
    if abs(base) > 1 and int(base).bit_length() * exponent > 2 * MAX_INT_BITS:
        raise BadValueError(f"this whole number has more than {MAX_INT_BITS} bits")
    return cast(int, int(base) ** int(exponent))  # the exponent is not negative


def _real(function: Callable[[Any, Any], float], lhs: Number, rhs: Number) -> float:
    try:
        return float(function(lhs, rhs))
    except (OverflowError, ValueError):
        raise BadValueError("this number is not finite") from None


_DIVIDING: Mapping[str, Callable[[Number, Number], Number]] = {"/": _divided, "%": _rest, "**": _power}
_PLAIN: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "&": operator.and_, "|": operator.or_,
    "^": operator.xor, "<<": operator.lshift, ">>": operator.rshift, "==": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "arcsin": math.asin, "arccos": math.acos,
    "arctan": math.atan, "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "floor": math.floor,
    "ceiling": math.ceil, "popcount": lambda value: int(value).bit_count(), "abs": abs,
}  # fmt: skip
"""Of one value; ``pow`` and ``mod`` take two."""
