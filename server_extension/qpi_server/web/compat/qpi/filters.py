"""PocketBase's filter expressions: parsed into a test of a record, never into anything that is executed.

::

    expression = all ("||" all)*        all = one ("&&" one)*
    one = "(" expression ")" | operand operator operand
    operator = ["?"] ("=" | "!=" | ">" | ">=" | "<" | "<=" | "~" | "!~")
    operand = field | "text" | 'text' | number | true | false | null | @now

``~`` is "contains", or "is like" where the text has a ``%``; ``?`` asks for any element of a list.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qpi_jupyter.core import Rejected

from .base import Record, moment, stamp

MAX_CHARS = 2_000
MAX_DEPTH = 20
MAX_TESTS = 100

Test = Callable[[Record], bool]
_TOKENS = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>[+-]?\d+(?:\.\d+)?)(?![\w.])
    |(?P<word>@?[A-Za-z_]\w*)|(?P<operator>\??(?:!=|>=|<=|!~|=|>|<|~))|(?P<join>&&|\|\|)|(?P<bracket>[()]))""",
    re.VERBOSE,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
TIMES = frozenset({"created", "updated", "finished_at", "start_time", "end_time", "expires_at", "last_used"})
"""The fields that are times."""
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Equal:
    """A condition ``field = value`` that every match fulfils; a source may look for it by index."""

    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed expression: the test, and what it certainly demands."""

    test: Test
    demands: tuple[Equal, ...] = ()
    whole: bool = True
    """Whether ``demands`` are all that the test asks for."""

    def __call__(self, record: Record) -> bool:
        return self.test(record)


EVERYTHING = Filter(test=lambda _record: True)


def parse_filter(text: str, fields: frozenset[str], now: datetime) -> Filter:
    """The expression as a test of records that have ``fields``.

    Raises
    ------
    Rejected
        it is not an expression, it is too long, or it names another field.
    """
    if not text.strip():
        return EVERYTHING
    if len(text) > MAX_CHARS:
        raise _bad(f"it has {len(text):,} characters; the limit is {MAX_CHARS:,}")
    parser = _Parser(list(_tokens(text)), fields, now)
    found = parser.expression(0)
    if (left := parser.peek()) is not None:
        raise _bad(f"{left[1]!r} stands where the expression could end")
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise _bad(f"nothing can be made of {text[at : at + 20].strip()!r}")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]], fields: frozenset[str], now: datetime) -> None:
        self._tokens, self._fields, self._now = tokens, fields, now
        self._at = self._tests = 0

    def peek(self) -> tuple[str, str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def expression(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise _bad(f"its brackets are more than {MAX_DEPTH} deep")
        parts = [self._all(depth)]
        while self._take("||"):
            parts.append(self._all(depth))
        if len(parts) == 1:
            return parts[0]
        return Filter(lambda record: any(part.test(record) for part in parts), whole=False)

    def _all(self, depth: int) -> Filter:
        parts = [self._one(depth)]
        while self._take("&&"):
            parts.append(self._one(depth))
        if len(parts) == 1:
            return parts[0]
        return Filter(
            lambda record: all(part.test(record) for part in parts),
            tuple(demand for part in parts for demand in part.demands),
            all(part.whole for part in parts),
        )

    def _one(self, depth: int) -> Filter:
        if self._take("("):
            inside = self.expression(depth + 1)
            if not self._take(")"):
                raise _bad("a bracket is not closed")
            return inside
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise _bad(f"it compares more than {MAX_TESTS} times")
        left, left_field = self._operand()
        _, sign = self._next("an operator", "operator")
        right, right_field = self._operand()
        if left_field in TIMES and right_field is None:
            right = _as_time(right)
        elif right_field in TIMES and left_field is None:
            left = _as_time(left)
        test = _comparison(sign, left, right)
        if sign == "=" and (left_field is None) != (right_field is None):
            value = right({}) if left_field is not None else left({})
            return Filter(test, (Equal(left_field or right_field or "", value),))
        return Filter(test, whole=False)

    def _operand(self) -> tuple[Callable[[Record], Any], str | None]:
        """What reads the operand of a record, and the field that it is, if it is one."""
        kind, text = self._next("a field or a value", "text", "number", "word")
        if kind == "word" and text not in _WORDS and text != "@now":
            if text not in self._fields:
                raise _bad(f"there is no field {text!r}; there are {', '.join(sorted(self._fields))}")
            return lambda record: record[text], text
        value = self._value(kind, text)
        return lambda _record: value, None

    def _value(self, kind: str, text: str) -> Any:
        if text == "@now":
            return stamp(self._now)
        if kind == "word":
            return _WORDS[text]
        if kind == "number":
            return float(text)
        return re.sub(r"\\(.)", r"\1", text[1:-1])

    def _next(self, wanted: str, *kinds: str) -> tuple[str, str]:
        token = self.peek()
        if token is None or token[0] not in kinds:
            raise _bad(f"{wanted} is missing" + (f" before {token[1]!r}" if token is not None else " at its end"))
        self._at += 1
        return token

    def _take(self, text: str) -> bool:
        token = self.peek()
        if token is None or token[0] not in ("join", "bracket") or token[1] != text:
            return False
        self._at += 1
        return True


def _as_time(constant: Callable[[Record], Any]) -> Callable[[Record], Any]:
    """A text that is compared with a time, spelt as records spell theirs, if it is one."""
    text = constant({})
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return constant
    told = stamp(moment(text, "filter"))
    return lambda _record: told


def _comparison(sign: str, left: Callable[[Record], Any], right: Callable[[Record], Any]) -> Test:
    anyone, plain = sign.startswith("?"), sign.lstrip("?")
    quantify = any if anyone else all

    def test(record: Record) -> bool:
        values, other = left(record), right(record)
        if not isinstance(values, list):
            return _holds(plain, values, other)
        if plain in ("~", "!~"):
            found = any(_holds("~", value, other) for value in values)
            return found is (plain == "~")
        return bool(values) and quantify(_holds(plain, value, other) for value in values)

    return test


def _holds(sign: str, left: Any, right: Any) -> bool:
    if isinstance(right, list):
        return any(_holds(sign, left, element) for element in right)
    if sign in ("~", "!~"):
        return _like(_text(left), _text(right)) is (sign == "~")
    left, right = _comparable(left), _comparable(right)
    if sign in ("=", "!="):
        return (type(left) is type(right) and left == right) is (sign == "=")
    return type(left) is type(right) and _ORDER[sign](left, right)


def _comparable(value: Any) -> float | str:
    """Numbers as numbers, everything else as text; PocketBase tells null, empty and false apart as little as this."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return float(value)
    return _text(value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _like(text: str, pattern: str) -> bool:
    """SQL's LIKE with ``%`` alone, in time that is linear in the text."""
    text, pattern = text.lower(), pattern.lower()
    if "%" not in pattern:
        return pattern in text
    first, *middle, last = pattern.split("%")
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _bad(why: str) -> Rejected:
    return Rejected(f"The filter cannot be read: {why}.", code="bad_filter", field="filter")
