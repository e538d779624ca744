"""Read OpenQASM 2, OpenQASM 3 and QPY into circuits; whatever goes wrong becomes a `ProgramError` with its place."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit, qasm2, qpy

from qpi_jupyter.core.errors import ProgramError, Rejected

from .openqasm3_guard import MAX_BITS, check_tree

if TYPE_CHECKING:
    from openqasm3 import ast

_PLACE = re.compile(r"(?:<input>:|L)?(\d+)(?:,|:C)(\d+): (.*)", re.DOTALL)
_VERSION = re.compile(r"\s*(?://[^\n]*\n\s*|/\*.*?\*/\s*)*OPENQASM\s+(\d+)", re.DOTALL)
_KEYWORDS = {"for_loop": "for", "while_loop": "while", "if_else": "if", "switch_case": "switch"}
_REGISTER = re.compile(r"\b[qc]reg\s+\w+\s*\[\s*(\d+)\s*\]")


def parse_openqasm2(source: bytes, index: int) -> QuantumCircuit:
    """The circuit of an OpenQASM 2 text.

    Raises
    ------
    ProgramError
        the text is wrong; line and column count from 1.
    """
    text = _text(source, index, "2")
    bits = 0
    for match in _REGISTER.finditer(text):
        bits += int(match[1])
        if bits > MAX_BITS:
            line, column = _position(text, match.start())
            raise ProgramError(
                f"Circuit {index}: more than {MAX_BITS:,} bits in its registers.",
                code="program_too_complex", circuit=index, line=line, column=column,
            )  # fmt: skip
    with _reading(index):
        return qasm2.loads(text, custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS)


def parse_openqasm3(source: bytes, index: int) -> QuantumCircuit:
    """The circuit of an OpenQASM 3 text.

    Raises
    ------
    ProgramError
        the text is wrong or beyond what Qiskit imports; line and column count from 1.
    """
    # Not qiskit.qasm3.loads: between parsing and converting, the guard has to look at the tree, because the
    # converter copies gate definitions into one another.
    import openqasm3
    import qiskit_qasm3_import

    text = _text(source, index, "3")
    with _reading(index):
        tree = openqasm3.parse(text)
        check_tree(tree, index)
        return qiskit_qasm3_import.convert(tree)


def parse_qpy(source: bytes, index: int) -> list[QuantumCircuit]:
    """The circuits of a QPY file.

    Raises
    ------
    ProgramError
        the file is damaged, or newer than this Qiskit reads.
    """
    with _reading(index), warnings.catch_warnings():
        # A newer Qiskit wrote it: that it loads is what counts.
        warnings.filterwarnings("ignore", category=UserWarning, module="qiskit.qpy")
        circuits: list[QuantumCircuit] = qpy.load(io.BytesIO(source))
    if not circuits:
        raise ProgramError("The QPY file holds no circuit.", code="empty_program", circuit=index)
    for offset, circuit in enumerate(circuits):
        if not isinstance(circuit, QuantumCircuit):
            raise ProgramError("The QPY file holds something that is not a circuit.", circuit=index + offset)
    return circuits


def locate(text: str, operation: str) -> tuple[int | None, int | None]:
    """Line and column, from 1, of an operation's first use outside gate headers."""
    word = _KEYWORDS.get(operation, operation)
    match = re.search(rf"(?<!gate\s)\b{re.escape(word)}\b", text) if word else None
    return _position(text, match.start()) if match else (None, None)


def _text(source: bytes, index: int, version: str) -> str:
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        line, column = _position(source[: error.start].decode(), error.start)
        raise ProgramError(
            f"Circuit {index}, line {line}: the text is not UTF-8.", circuit=index, line=line, column=column
        ) from None
    found = _VERSION.match(text)
    if found and found[1] != version:
        line, column = _position(text, found.start(1))
        raise ProgramError(
            f"Circuit {index} is OpenQASM {found[1]}, and was sent as OpenQASM {version}: set the format to "
            f"'openqasm{found[1]}'.",
            code="bad_format",
            circuit=index,
            line=line,
            column=column,
        )
    return text


def _position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


@contextmanager
def _reading(index: int) -> Iterator[None]:
    """Turn whatever a parser raises into a `ProgramError` that says where."""
    try:
        yield
    except (Rejected, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a parser written in Rust panics with a BaseException
        line, column, message = _where(error)
        place = f", line {line}, column {column}" if line is not None else ""
        raise ProgramError(f"Circuit {index}{place}: {message}", circuit=index, line=line, column=column) from error


def _where(error: BaseException) -> tuple[int | None, int | None, str]:
    """Line, column (from 1) and message of a parser's error."""
    if isinstance(error, RecursionError):
        return None, None, "its expressions or blocks nest too deeply."
    text = str(getattr(error, "message", None) or error)
    match = _PLACE.match(text)
    if match:  # all these parsers count columns from 0
        return int(match[1]), int(match[2]) + 1, match[3]
    token = _offending_token(error)
    if token is not None:
        shown = "the end of the text" if token.text == "<EOF>" else repr(token.text)
        return token.line, token.column + 1, f"the text does not parse: unexpected {shown}."
    message = text or type(error).__name__
    span = _span(error.__traceback__)
    return (span.start_line, span.start_column + 1, message) if span is not None else (None, None, message)


def _offending_token(error: BaseException) -> Any:  # ANTLR's Token, which has no types
    """The token at which ANTLR gave up."""
    cause = error.__cause__
    inner = cause.args[0] if cause is not None and cause.args else None
    return getattr(inner, "offendingToken", None)


def _span(trace: TracebackType | None) -> ast.Span | None:
    """The place of the innermost syntax node that the OpenQASM 3 converter was visiting when it failed."""
    span: ast.Span | None = None
    while trace is not None:
        node = trace.tb_frame.f_locals.get("node")
        span = getattr(node, "span", None) or span
        trace = trace.tb_next
    return span
