"""Read OpenQASM 2, OpenQASM 3 and QPY into circuits; whatever goes wrong becomes a `ProgramError` with its place."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice, pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit, __version__, qasm2
from qiskit.circuit import ControlFlowOp
from qiskit.qpy.common import QPY_VERSION

from qpi_jupyter.core import MAX_BITS, ProgramError, Rejected
from qpi_jupyter.core.openqasm import clean, position, words
from qpi_jupyter.core.services import WORDS
from qpi_jupyter.data.circuits import expand, from_qpy

from .openqasm2_services import Spliced, instructions, spliced, with_branches
from .openqasm3_guard import check_tree, mend_places
from .openqasm_text import problem, read_text, syntax_advice

if TYPE_CHECKING:
    from openqasm3 import ast

_PLACE = re.compile(r"(?:<input>:|L)?(\d+)(?:,|:C)(\d+): (.*)", re.DOTALL)
_NO_PARSE = "the text does not parse:"
_TRANSLATED = [
    (re.compile(r"token recognition error at: '(.*)'$", re.DOTALL), r"cannot read \1: is a quote missing?"),
    (re.compile(r"Symbol (\S+) is not visible in the scope of a gate"), r"'\1' cannot be used inside of a gate."),
    (re.compile(r"takes exactly one argument, but received .*"), "takes one angle."),
]
_HEADER_BYTES = 10
"""``QISKIT``, the QPY version, and the major, minor and patch version of the Qiskit that wrote the file."""
_NO_CLASS = re.compile(r"(?:[Cc]lass not found|[Uu]nknown (?:gate|instruction)):? \W*([A-Za-z_][\w.]*)")
_KEYWORDS = {"for_loop": "for", "while_loop": "while", "if_else": "if", "switch_case": "switch"}
_ARCS = {"asin": math.asin, "acos": math.acos, "atan": math.atan}
"""What Qiskit's first parser knew beyond the functions of OpenQASM 2."""
_MAX_IDLE = 1_000
"""Cycles of one ``u0``: its definition has a gate for each."""


def parse_openqasm2(source: bytes, index: int) -> QuantumCircuit:
    """The circuit of an OpenQASM 2 text.

    Raises
    ------
    ProgramError
        the text is wrong; line and column count from 1.
    """
    text = read_text(source, index, "2")
    _check_registers(text, index)
    written_out = spliced(text, index)
    with reading(index, place=written_out.place):
        return _load_openqasm2(written_out, index)


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

    from .openqasm3_convert import convert

    text = read_text(source, index, "3")
    with reading(index, text):
        tree = openqasm3.parse(text)
        mend_places(tree, text)
        check_tree(tree, index)
        return convert(tree)


def parse_qpy(source: bytes, index: int) -> list[QuantumCircuit]:
    """The circuits of a QPY file.

    Raises
    ------
    ProgramError
        the file is damaged, or newer than this Qiskit reads.
    """
    source = expand(source)
    try:
        circuits = from_qpy(source)
    except (Rejected, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a reader written in Rust panics with a BaseException
        raise ProgramError(f"Circuit {index}: {_qpy_problem(source, error)}", code="bad_qpy", circuit=index) from error
    if not circuits:
        raise ProgramError("The QPY file holds no circuit.", code="empty_program", circuit=index)
    for offset, circuit in enumerate(circuits):
        if not isinstance(circuit, QuantumCircuit):
            raise ProgramError("The QPY file holds something that is not a circuit.", circuit=index + offset)
    return circuits


def locate(source: bytes, operation: str) -> tuple[int | None, int | None]:
    """Line and column, from 1, of an operation's first use outside gate headers."""
    text, word, before = clean(source.decode()), _KEYWORDS.get(operation, operation), ""
    for token in words(text):
        if token["word"] == word and before != "gate":
            return position(text, token.start())
        before = token[0]
    return None, None


def measuring_service(source: bytes) -> str:
    """The word of the first service in a text that measures; empty where none does."""
    tokens = [token[0] for token in words(clean(source.decode()))]
    defined = {name for word, name in pairwise(tokens) if word in ("gate", "def")}
    return next((word for word in tokens if word in WORDS and word not in defined and not WORDS[word].unitary), "")


@contextmanager
def reading(
    index: int, text: str = "", place: Callable[[int, int], tuple[int, int]] = lambda line, column: (line, column)
) -> Iterator[None]:
    """Turn whatever a parser raises into a `ProgramError` that says where: ``place`` of the line and column it saw."""
    try:
        yield
    except (Rejected, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # a parser written in Rust panics with a BaseException
        line, column, message = _where(error)
        if line is not None and column is not None:
            line, column = place(line, column)
        if line is not None and message.startswith(_NO_PARSE):
            message += syntax_advice(text, line)
        at = f", line {line}, column {column}" if line is not None else ""
        raise ProgramError(f"Circuit {index}{at}: {message}", circuit=index, line=line, column=column) from error


def _where(error: BaseException) -> tuple[int | None, int | None, str]:
    """Line, column (from 1) and message of a parser's error."""
    if isinstance(error, RecursionError):
        return None, None, "its expressions or blocks nest too deeply."
    text = str(getattr(error, "message", None) or error)
    for theirs, ours in _TRANSLATED:
        text = theirs.sub(ours, text)
    match = _PLACE.match(text)
    if match:  # all these parsers count columns from 0
        return int(match[1]), int(match[2]) + 1, match[3]
    token = _offending_token(error)
    if token is not None:
        shown = "the end of the text" if token.text == "<EOF>" else repr(token.text)
        return token.line, token.column + 1, f"{_NO_PARSE} unexpected {shown}."
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


def _qpy_problem(source: bytes, error: BaseException) -> str:
    """Why Qiskit could not read ``source``, and what would help.

    Parameters
    ----------
    source
        the file; its header follows https://quantum.cloud.ibm.com/docs/api/qiskit/qpy.
    error
        what Qiskit raised.
    """
    version, writer = source[6], tuple(source[7:_HEADER_BYTES])
    ours = tuple(map(int, re.findall(r"\d+", __version__)[:3]))
    wrote = ".".join(map(str, writer))
    if version > QPY_VERSION:
        return (
            f"the QPY file is of version {version} (Qiskit {wrote}), and this QPU's driver, with Qiskit {__version__}, "
            f"reads up to version {QPY_VERSION}: write it with qpy.dump(..., version={QPY_VERSION}), or send the "
            "circuit with qpi_jupyter, which does that."
        )
    if found := _NO_CLASS.search(str(error)):
        return (
            f"the QPY file has the operation {found[1]!r}, which this QPU's driver, with Qiskit {__version__}, does "
            f"not know (Qiskit {wrote} wrote it): transpile the circuit to basis gates first."
        )
    newer = f" Qiskit {wrote} wrote it, and this QPU's driver has {__version__}: it may hold what is unknown to that."
    return "the QPY file is damaged or cut off: write it again with qiskit.qpy.dump and send all of it." + (
        newer if writer > ours else ""
    )


def _load_openqasm2(source: Spliced, index: int) -> QuantumCircuit:
    """The circuit of a text whose services are written out; the parser's own errors pass.

    What the text defines itself means what it says there, whatever Qiskit's parser knows by that name.

    Raises
    ------
    ProgramError
        a number that is not finite.
    """
    defined = {name[0] for word, name in pairwise(words(source.text)) if word["word"] == "gate"}
    circuit = _load(source.text, defined)
    if _endless(circuit):
        raise _endless_at(source, defined, index)
    return with_branches(circuit, source.registers)


def _load(text: str, defined: set[str]) -> QuantumCircuit:
    return qasm2.loads(
        text,
        include_path=(),  # no folder to search: the one include that is let through needs no file
        custom_instructions=[known for known in [*_INSTRUCTIONS, *instructions()] if known.name not in defined],
        custom_classical=[
            qasm2.CustomClassical(name, 1, function) for name, function in _ARCS.items() if name not in defined
        ],
    )


def _idle(count: float) -> object:
    if not 0 <= count <= _MAX_IDLE:
        raise qasm2.QASM2ParseError(f"u0 waits for 0 to {_MAX_IDLE:,} cycles, not {count:g}: use a delay")
    return _LEGACY["u0"].constructor(count)


_LEGACY = {known.name: known for known in qasm2.LEGACY_CUSTOM_INSTRUCTIONS}
_INSTRUCTIONS = [*(_LEGACY[name] for name in _LEGACY if name != "u0"), qasm2.CustomInstruction("u0", 1, 1, _idle, True)]


def _check_registers(text: str, index: int) -> None:
    bits = 0
    tokens = words(text)
    for token in tokens:
        if token["word"] not in ("qreg", "creg"):
            continue
        size = [after[0] for after in islice(tokens, 3)][-1:]  # a name, a bracket, the size
        if size and size[0].isdecimal():
            bits += int(size[0]) if len(size[0]) < 10 else MAX_BITS + 1
        if bits > MAX_BITS:
            what = f"more than {MAX_BITS:,} bits in its registers."
            raise problem(text, token.start(), index, what, code="program_too_complex")


def _endless(circuit: QuantumCircuit) -> bool:
    """Whether a gate has a number that is not finite."""
    for instruction in circuit.data:
        if not all(math.isfinite(value) for value in instruction.params if isinstance(value, float)):
            return True
        if isinstance(instruction.operation, ControlFlowOp) and any(map(_endless, instruction.operation.blocks)):
            return True
    return False


def _endless_at(source: Spliced, defined: set[str], index: int) -> ProgramError:
    """The first statement with such a number, found by reading ever shorter parts of the text."""
    text = source.text
    ends, depth, starts, previous = [], 0, [], ";"
    for token in words(text):
        if previous in (";", "}") and not depth:
            starts.append(token.start())
        depth += (token[0] == "{") - (token[0] == "}")
        previous = token[0]
        if previous in (";", "}") and not depth:
            ends.append(token.end())
    at = bisect_left(ends, True, key=lambda end: _endless(_load(text[:end], defined)))
    return problem(
        source.original, source.origin(starts[at]), index, "a number of this gate is not finite.", code="bad_number"
    )
