"""What people are told, read for the words of the libraries underneath."""

from __future__ import annotations

import re

_SIGNS = {
    "a place in a library's own notation": r"(?<![\w])\$\.|`\$|\$\[|at `",
    "a traceback": r"Traceback|File \".*\", line \d|\bline \d+, in \w",
    "a class or an exception": r"\b(?:[A-Z]\w*(?:Error|Exception|Warning)|NoneType|NotImplemented|KeyError)\b",
    "an object's address": r"\bobject at 0x|<\w[\w. ]* at 0x|\b0x[0-9a-f]{8,}",
    "a class's name": r"<class '|<enum |<function|<bound method|\bis not a valid [A-Z]\w+",
    "colour codes": r"\x1b|\[\d+m|\\x1b",
    "a library": r"\b(?:msgspec|sqlalchemy|sqlite3?|pydantic|tornado|traitlets|dateutil|zoneinfo|asyncio)\b|\[Errno",
    "a regular expression": r"\^\[|\(\?[:P=!]|\]\*\$|\\x00-|\[\^|\\d",
    "words of Python's own": r"\bint\(\)|\bfloat\(\)|positional argument|unexpected keyword|'\w+' object|codec can't"
    r"|invalid literal|unhashable|not iterable|\bstr\b|\bint\b|`(?:str|int|float|bool|array|object|null)",
    "an error of a C library": r"\bEOF\b|\bstrptime\b|out of range for platform|timestamp out of range",
}
_MARKS = [(what, re.compile(pattern)) for what, pattern in _SIGNS.items()]


def library_words(text: str) -> list[str]:
    """What in ``text`` no product would say, each with what it is; empty for plain words."""
    return [f"{what}: {match[0]!r}" for what, pattern in _MARKS if (match := pattern.search(text)) is not None]


def assert_plain(text: str, where: object = "") -> None:
    """Fail for a text that is empty, not a sentence, or has a library's words."""
    assert text.strip(), f"{where}: no text"
    assert not (found := library_words(text)), f"{where}: {text!r} has {'; '.join(found)}"
    assert text.rstrip()[-1] in ".!?)", f"{where}: {text!r} is no sentence"
