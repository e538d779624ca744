"""What was wrong with a request, in words for its sender: which field, what it has, what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args

import msgspec
from msgspec import Meta, Struct, inspect

from qpi_jupyter.core import Rejected
from qpi_jupyter.core.times import moment

END = r"$(?!\n)"
"""The end of a text. A bare ``$`` also stands before a last line end, and lets that pass."""
PRINTABLE = rf"^[^\x00-\x1f\x7f]*{END}"
NAME = rf"^[A-Za-z0-9][A-Za-z0-9._-]*{END}"
PERSON = rf"^[A-Za-z0-9][A-Za-z0-9._@+-]*{END}"
EMAIL = rf"^([^\s\x00-\x1f\x7f@]+@[^\s\x00-\x1f\x7f@]+)?{END}"
CLOCK = rf"^([01]\d|2[0-3]):[0-5]\d{END}"
EXECUTOR = rf"^([A-Za-z_][\w.-]*(:[A-Za-z_][\w.]*)?)?{END}"
FORMAT = rf"^[a-z0-9][a-z0-9._-]*{END}"
PAULI = rf"^[IXYZ]+{END}"
PATTERNS = {
    PRINTABLE: "one line of text without control characters",
    NAME: "letters, digits and . _ - with a letter or a digit first",
    PERSON: "letters, digits and . _ @ + - with a letter or a digit first",
    EMAIL: "an e-mail address, such as ann@example.org",
    CLOCK: "a time of day such as 22:00",
    EXECUTOR: "the name of an executor, or module:Class",
    FORMAT: "the name of a program format, such as openqasm3",
    PAULI: "a Pauli string of the letters I, X, Y and Z, such as ZZI",
}
"""What each pattern of a field asks for."""
LINE = Meta(max_length=200, pattern=PRINTABLE)
"""One line: names of things, titles, marks."""
MOMENT = "a time with its zone (2030-01-31T09:00:00Z)"

_KINDS = {
    "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list",
    "object": "an object", "null": "null", "datetime": MOMENT, "bytes": "text in base64",
}  # fmt: skip
_AT = re.compile(r" ?- at `(?:key` in `)?\$(?P<path>[^`]*)`$")
_BYTE = re.compile(r"\(byte (\d+)\)")
MAX_PATH = 200
"""Of what its sender calls a field, so much is said back."""
_ALLOWED = 20
"""So many possible values are named."""
Say = Callable[[re.Match[str], Any], str]


def refused(error: msgspec.ValidationError, kind: Any, *, code: str, whole: str = "The body") -> Rejected:
    """The refusal of a value that is not a ``kind``. ``whole`` is what all of it is called."""
    text = str(error)
    at = _AT.search(text)
    path = at["path"].lstrip(".").replace("[...]", "") if at is not None else ""
    told = text[: at.start()] if at is not None else text
    place = _member(inspect.type_info(kind), path)
    found = ((match, say) for pattern, say in _WORDS if (match := re.fullmatch(pattern, told, re.DOTALL)) is not None)
    match, say = next(found, (None, None))
    if match is not None and "name" in match.groupdict():
        path = f"{path}.{match['name']}" if path else match["name"]
    if isinstance(error.__cause__, ValueError):  # of the value's own checks, which say what it has to be
        what = f": {told}"
    else:
        what = f" {say(match, place) if match is not None and say is not None else 'cannot be read'}"
    what = f"{path[:MAX_PATH] or whole}{what}{'' if what.endswith('?') else '.'}"
    message = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in what)
    return Rejected(message, code=code, **({"field": path[:MAX_PATH]} if path else {}))


def not_json(error: Exception) -> Rejected:
    """The refusal of a body that is not JSON."""
    at = _BYTE.search(str(error))
    if isinstance(error, RecursionError):
        message = "The body is not JSON that can be read: it is nested too deeply."
    elif at is not None:
        message = f"The body is not JSON: look at its byte {at[1]}."
    else:
        message = "The body is not JSON: it is cut short, or not UTF-8."
    return Rejected(message, code="bad_json")


def unknown(name: str, known: Sequence[str]) -> str:
    """Why a name is refused, with what was probably meant."""
    if near := get_close_matches(name[:MAX_PATH], known, n=1):
        return f"is not known here; did you mean {near[0]}?"
    return f"is not known here{'; known are ' + ', '.join(known) if known else ''}"


def _unknown(match: re.Match[str], place: Any) -> str:
    known = [field.encode_name for field in place.fields] if isinstance(place, inspect.StructType) else []
    return unknown(match["name"], known)


def _kinds(match: re.Match[str], place: Any) -> str:
    if values := _values(place):
        return f"must be one of {', '.join(values[:_ALLOWED])}"
    wanted = " or ".join(_KINDS.get(kind.strip(), "something else") for kind in match["wanted"].split("|"))
    return f"must be {wanted}"


def _values(place: Any) -> list[str]:
    """What a field with a list of values may be."""
    if isinstance(place, inspect.LiteralType):
        return sorted(str(value) for value in place.values)
    return sorted(str(value.value) for value in place.cls) if isinstance(place, inspect.EnumType) else []


def _allowed(match: re.Match[str], place: Any) -> str:
    values = _values(place)
    near = get_close_matches(match["value"].strip("'\""), values, n=1)
    if near and len(values) > _ALLOWED:
        return f"must be one of {len(values)} values; did you mean {near[0]}?"
    return f"must be one of {', '.join(values[:_ALLOWED])}, not {match['value'][:60]}"


def _bound(match: re.Match[str], _place: Any) -> str:
    words = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
    whole = match["wanted"] == "int"
    number = f"{int(match['number']):,}" if whole else f"{float(match['number']):,.10g}"
    return f"must be a {'whole ' if whole else ''}number, {words[match['sign']]} {number}"


def _length(match: re.Match[str], _place: Any) -> str:
    number, what = int(match["number"]), "characters" if match["wanted"] in ("str", "bytes") else "entries"
    if match["sign"] == ">=" and number == 1:
        return "must not be empty"
    return f"must have {'at most' if match['sign'] == '<=' else 'at least'} {number:,} {what}"


_WORDS: list[tuple[str, Say]] = [
    (r"Object missing required field `(?P<name>.*)`", lambda _match, _place: "is missing"),
    (r"Object contains unknown field `(?P<name>.*)`", _unknown),
    (r"Expected `(?P<wanted>[a-z |]+)`, got `.*`", _kinds),
    (r"Expected `(?P<wanted>int|float)(?: \| null)?` (?P<sign>[<>]=?) (?P<number>\S+)", _bound),
    (r"Expected `(?P<wanted>\w+)(?: \| null)?` of length (?P<sign>[<>]=?) (?P<number>\d+)", _length),
    (
        r"Expected `str(?: \| null)?` matching regex '(?P<pattern>.*)'",
        lambda match, _place: f"must be {_of_pattern(match['pattern'])}",
    ),
    (r"(?s)Invalid enum value (?P<value>.*)", _allowed),
    (
        r"Invalid RFC3339 encoded datetime|Timestamp is out of range *|Invalid epoch timestamp",
        lambda _m, _p: f"must be {MOMENT}",
    ),
    (r"Expected `datetime(?: \| null)?` with a timezone component", lambda _m, _p: f"must be {MOMENT}"),
    (r"Invalid base64 encoded string", lambda _match, _place: "must be text in base64"),
    (r"Number out of range|Integer value out of range", lambda _match, _place: "is a number out of range"),
]
"""What the reading library says, and how it is told."""


def _of_pattern(told: str) -> str:
    return next(
        (words for pattern, words in PATTERNS.items() if repr(pattern)[1:-1] == told or pattern == told),
        "text of another form",
    )


def _member(info: Any, path: str) -> Any:
    """The type at a path such as ``policies[0].name``."""
    for name, _ in re.findall(r"([^.\[\]]+)|(\[[^\]]*\])", path):
        info = _inside(info, name)
    return _plain(info)


def _inside(info: Any, name: str) -> Any:
    info = _plain(info)
    if isinstance(info, inspect.StructType):
        return next((field.type for field in info.fields if field.encode_name == name), info)
    if isinstance(info, inspect.ListType | inspect.VarTupleType):
        return info.item_type
    return info.value_type if isinstance(info, inspect.DictType) else info


def _plain(info: Any) -> Any:
    """The type without null, UNSET and notes around it."""
    while isinstance(info, inspect.Metadata | inspect.UnionType):
        if isinstance(info, inspect.Metadata):
            info = info.type
            continue
        info = next((one for one in info.types if not isinstance(one, inspect.NoneType)), inspect.NoneType())
    return info


class Timed(Struct, kw_only=True):
    """A body or a query string. Each of its times is in UTC, and within the lab's calendar."""

    def __post_init__(self) -> None:
        for name, sent_as in time_fields(type(self)):
            value = getattr(self, name)
            if isinstance(value, datetime):
                setattr(self, name, moment(value, sent_as))


@cache
def time_fields(kind: type[Struct]) -> tuple[tuple[str, str], ...]:
    """The fields that hold a time, each with what its sender calls it."""
    return tuple((f.name, f.encode_name) for f in msgspec.structs.fields(kind) if datetime in _members(f.type))


def _members(kind: Any) -> tuple[Any, ...]:  # Any: whatever an annotation may be
    return (kind, *(inner for member in get_args(kind) for inner in _members(member)))
