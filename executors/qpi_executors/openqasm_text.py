"""The border at which an OpenQASM text enters: decoded, cleaned, of the format it says, and without a path."""

from __future__ import annotations

import re
from typing import Any

from qpi_jupyter.core import ProgramError
from qpi_jupyter.core.openqasm import clean, position, version, words

STANDARD = {"2": "qelib1.inc", "3": "stdgates.inc"}
"""The one include of each version; Qiskit's parsers know both without a file."""
_LONG_NUMBER = re.compile(r"(?<![\w\"])[0-9_]{400,}")
_BAD = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u2028\u2029\ufeff]")


def read_text(source: bytes, index: int, form: str) -> str:
    """The clean text of a source, which is in the version ``form`` and includes nothing but the standard gates.

    Raises
    ------
    ProgramError
        what is wrong with it, with line and column from 1.
    """
    text = clean(_decoded(source, index))
    if bad := _BAD.search(text):
        raise problem(text, bad.start(), index, f"remove the invisible character U+{ord(bad[0]):04X}.")
    found = version(text)
    if found and found[1] != form:
        raise _other_version(text, found, index, form)
    _check_includes(text, index, form)
    if long := _LONG_NUMBER.search(text):
        raise problem(text, long.start(), index, "this number has too many digits.", code="bad_number")
    return text


def syntax_advice(text: str, line: int) -> str:
    """What is probably meant by a line of OpenQASM 3 that does not parse; empty where nothing comes to mind."""
    lines = text.split("\n")
    near = lines[line - 1] if line <= len(lines) else ""
    for pattern, advice in _SLIPS:
        if found := pattern.search(near):
            return " " + found.expand(advice)
    before = next((other for other in reversed(lines[: line - 1]) if other.strip()), "")
    code = before.partition("//")[0].rstrip()
    return "" if not code or code[-1] in ";{}/" else " Is there a ; missing at the end of the line before?"


_SLIPS = [
    (re.compile(pattern), advice)
    for pattern, advice in (
        (
            r"\b(qubit|bit|int|uint|float|angle)\s+(\w+)\s*\[([^\]]*)\]",
            r"The size stands before the name: write \1[\3] \2;",
        ),
        (r"\bfor\s+(\w+)\s+in\b", r"In OpenQASM 3, write the variable's type: for uint \1 in"),
        (r"\bconst\s+(\w+)\s*=", r"In OpenQASM 3, write the constant's type: const int \1 ="),
        (r"(\w+)(\+\+|--)", r"Write \1 += 1; or \1 -= 1;"),
        (r"\bdef\s+\w+[^(\n]*\bqubit", r"The arguments stand in brackets: def name(qubit q)"),
        (r"\b(opaque|kernel|length|fixed|boxas|lengthof)\b", r"'\1' is not a word of OpenQASM 3."),
        (r"\bconst\s+array\b", "An array that a subroutine only reads is written readonly array[...]."),
        (r"%\w*\d", r"Physical qubits are written $0, $1 and so on."),
        (r"\bif\s*[^(\s]", r"The condition stands in brackets: if (c == 1)"),
    )
]


def problem(text: str, offset: int, index: int, what: str, **data: Any) -> ProgramError:
    """An error at an offset of a text."""
    line, column = position(text, offset)
    return ProgramError(
        f"Circuit {index}, line {line}, column {column}: {what}", circuit=index, line=line, column=column, **data
    )


def _decoded(source: bytes, index: int) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        before = source[: error.start].decode()
        if source.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise problem(before, 0, index, "the text is UTF-16, not UTF-8: save it as UTF-8.") from None
        text = clean(before)
        raise problem(text, len(text), index, "the text is not UTF-8: save it as UTF-8.") from None


def _other_version(text: str, found: re.Match[str], index: int, form: str) -> ProgramError:
    if found[1] not in STANDARD:
        what = f"OpenQASM {found[1]} is not supported: the lab reads versions 2 and 3."
    else:
        what = f"this is OpenQASM {found[1]}, sent as OpenQASM {form}: set the format to 'openqasm{found[1]}'."
    return problem(text, found.start(1), index, what, code="bad_format")


def _check_includes(text: str, index: int, form: str) -> None:
    """No include of a program reaches the file system, whatever a parser would do with it."""
    if "include" not in text:
        return
    standard, included = STANDARD[form], False
    tokens = words(text)
    for token in tokens:
        if token["word"] != "include":
            continue
        name = next(tokens, None)
        if name is None or name.lastgroup not in ("string", "single"):
            at = token if name is None else name
            raise problem(text, at.start(), index, f'write include "{standard}"; with the file name in quotes.')
        if name[name.lastgroup] != standard:
            raise problem(text, name.start(), index, _include_advice(name[name.lastgroup], form), code="bad_include")
        if included:
            raise problem(text, token.start(), index, f'"{standard}" is included already: remove this line.')
        included = True


def _include_advice(name: str, form: str) -> str:
    standard = STANDARD[form]
    if name in STANDARD.values():
        return f'"{name}" belongs to the other version of OpenQASM: write include "{standard}"; here.'
    if name.strip().lower().rpartition("/")[2] == standard:
        return f'write include "{standard}"; without a folder, in lower case.'
    return (
        f'cannot include "{name[:80]}": programs cannot read files. Include "{standard}", or write the definitions '
        "of the other file into the program."
    )
