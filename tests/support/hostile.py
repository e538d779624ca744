"""What a driver could say instead of what is right: made from the messages' own types, field by field."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import inspect

from qpi_jupyter.core import Rejected
from qpi_jupyter.wire.results import ResultHeader, check_circuit, read_header

Path = tuple[str | int, ...]

_DEEP = "[" * 400 + "]" * 400
_TEXTS = ["", "x" * 300, "x" * 100_000, "\x00\x1b[31m\n", "‮ \ud7ff", "../../etc/passwd", "0x_1", "null", "١"]
_NUMBERS = [0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, -1e308]
_LITERALS = ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, _DEEP]
"""What Python's own JSON cannot write: put into the text as it is."""
_TURNS = itertools.cycle(_LITERALS)
_MOMENTS = [
    "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2030-01-01T00:00:00", "2030-02-30T00:00:00Z", "now",
]  # fmt: skip
_OTHERS: list[Any] = [None, True, [], {}, [[]], {"x": {}}, [0] * 5_000, {str(n): n for n in range(5_000)}]


class Literal:
    """A piece of JSON text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text[:20]


def values(kind: inspect.Type) -> list[Any]:
    """What to put where a ``kind`` belongs: its bounds, what is just past them, and what belongs nowhere."""
    return [*_bounds(kind), *_NUMBERS, *_TEXTS, *_MOMENTS, *_OTHERS, *map(Literal, _LITERALS)]


def _bounds(kind: inspect.Type) -> Iterator[Any]:
    if isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from _bounds(one)
    elif isinstance(kind, inspect.IntType | inspect.FloatType):
        for bound in (kind.ge, kind.gt, kind.le, kind.lt):
            if bound is not None:
                yield from (bound, bound - 1, bound + 1)
    elif isinstance(kind, inspect.StrType) and kind.max_length is not None:
        yield from ("a" * kind.max_length, "a" * (kind.max_length + 1))


def fields(kind: type | inspect.Type, at: Path = ()) -> Iterator[tuple[Path, inspect.Type]]:
    """Every field of a message, those of what is in it included, each with its path and its type."""
    info = kind if isinstance(kind, inspect.Type) else inspect.type_info(kind)
    if isinstance(info, inspect.StructType | inspect.DataclassType):
        for field in info.fields:
            name = field.encode_name if isinstance(field, inspect.Field) else field
            yield (*at, name), field.type
            yield from fields(field.type, (*at, name))
    elif isinstance(info, inspect.UnionType):
        for one in info.types:
            yield from fields(one, at)
    elif isinstance(info, inspect.ListType | inspect.VarTupleType):
        yield (*at, 0), info.item_type
        yield from fields(info.item_type, (*at, 0))
    elif isinstance(info, inspect.TupleType):
        for index, item in enumerate(info.item_types):
            yield (*at, index), item
            yield from fields(item, (*at, index))


def changed(message: Any, path: Path, value: Any) -> str:
    """The message as JSON, with ``value`` at ``path``."""
    body = json.loads(msgspec.json.encode(message))
    where = body
    for step, following in pairwise(path):
        if where[step] is None:
            where[step] = [None] if isinstance(following, int) else {}
        where = where[step]
    mark = "@the literal@"
    where[path[-1]] = mark if isinstance(value, Literal) else value
    text = json.dumps(body)
    return text.replace(f'"{mark}"', value.text) if isinstance(value, Literal) else text


def telling(
    kind: inspect.Type, message: Callable[[Any], str], read: Callable[[bytes], object]
) -> Iterator[tuple[Any, str]]:
    """Of `values` those that can do something, each with its message: what is read, and of what is not, the first value
    and one of the texts that are no JSON, another one each time.

    That ``read`` refuses each of the others alike, `tests/unit/wire/test_hostile.py` shows without a lab.
    """
    literal, refused = next(_TURNS), False
    for value in values(kind):
        text = message(value)
        if not _reads(read, text):
            if value.text != literal if isinstance(value, Literal) else refused:
                continue
            refused = refused or not isinstance(value, Literal)
        yield value, text


def _reads(read: Callable[[bytes], object], text: str) -> bool:
    try:
        read(text.encode())
    except Rejected:
        return False
    return True


def checked_header(raw: bytes) -> ResultHeader:
    """A result's header as the lab reads it."""
    header = read_header(raw)
    for index, circuit in enumerate(header.circuits):
        check_circuit(index, circuit)
    return header


def walk(kind: type, message: Any) -> Iterator[tuple[Path, Any, str]]:
    """Every field of a message with every value: the path, the value, and the message as JSON."""
    for path, info in fields(kind):
        for value in values(info):
            yield path, value, changed(message, path, value)
