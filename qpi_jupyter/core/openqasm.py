"""What can be told of an OpenQASM text without a parser: its clean form, its version, its words and their places."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Possessive, and a comment without an end reaches to the end: no text makes these try a place twice.
_COMMENT = r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?+"
_SPACE = re.compile(rf"(?:\s|{_COMMENT})*+")
_VERSION = re.compile(r"OPENQASM\s++(\d++)")
_TOKEN = re.compile(
    rf"""{_COMMENT}
    | "(?P<string>[^"\n]*+)"?+ | '(?P<single>[^'\n]*+)'?+
    | (?P<number>(?:\d[\d_]*+\.?+[\d_]*+|\.\d[\d_]*+)(?:[eE][+-]?+\d[\d_]*+)?+)
    | (?P<word>[^\W\d]\w*+) | (?P<mark>\S)""",
    re.VERBOSE,
)


def clean(text: str) -> str:
    """The text without a byte order mark, with plain line ends and plain spaces; lines and columns stay."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\N{NO-BREAK SPACE}", " ")


def version(text: str) -> re.Match[str] | None:
    """The version line of a clean text, after space and comments; group 1 is the major version."""
    start = _SPACE.match(text)
    return _VERSION.match(text, start.end() if start else 0)


def words(text: str) -> Iterator[re.Match[str]]:
    """The tokens of a text without its comments; ``lastgroup`` is string, single (quotes), number, word or mark."""
    return (match for match in _TOKEN.finditer(text) if match.lastgroup)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1
