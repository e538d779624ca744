"""Look at an OpenQASM 3 syntax tree before it is converted: the converter has no limits of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from itertools import accumulate
from typing import Any

from openqasm3 import ast

from qpi_jupyter.core import MAX_BITS, ProgramError
from qpi_jupyter.core.services import WORDS

from .analysis import MAX_OPERATIONS

MAX_POWER_QUBITS = 6
"""A power of a gate is computed as a matrix."""


def check_tree(tree: ast.Program, index: int) -> None:
    """Refuse registers and gate definitions that would blow up while they are converted.

    Raises
    ------
    ProgramError
        what is too large, with line and column.
    """
    bits = 0
    sizes: dict[str, int] = {}
    widths: dict[str, int] = {}
    total = 0
    for statement in tree.statements:
        bits += _declared_bits(statement)
        if bits > MAX_BITS:
            raise _refusal(f"more than {MAX_BITS:,} bits in its registers.", statement, index)
        if isinstance(statement, ast.QuantumGateDefinition):
            size = sum(_size(inner, sizes, widths, index) for inner in statement.body)
            sizes[statement.name.name], widths[statement.name.name] = max(1, size), len(statement.qubits)
        else:
            size = _size(statement, sizes, widths, index)
            total += size
        if max(size, total) > MAX_OPERATIONS:
            raise _refusal(f"it expands to more than {MAX_OPERATIONS:,} operations here.", statement, index)


def find(nodes: Any, kinds: Any) -> Iterator[Any]:
    """All nodes of these kinds in a tree."""
    waiting = [nodes]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (list, tuple)):
            waiting.extend(node)
        elif isinstance(node, ast.QASMNode):
            if isinstance(node, kinds):
                yield node
            kind: Any = type(node)  # to mypy, a class is only as hashable as its instances
            waiting.extend([getattr(node, name) for name in _children(kind)])


@cache
def _children(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name not in ("span", "annotations"))


def mend_places(tree: ast.Program, text: str) -> None:
    """Give identifiers their column: the parser puts the offset in the text there, for most of them."""
    starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
    for node in find(tree.statements, ast.Identifier):
        span = node.span
        if span is None:
            continue
        start, end = starts[span.start_line - 1 : span.start_line + 1]
        is_right = start + span.start_column < end and text.startswith(node.name, start + span.start_column)
        if not is_right and text.startswith(node.name, span.start_column):
            span.start_column -= start


def _size(node: ast.QASMNode, sizes: dict[str, int], widths: dict[str, int], index: int) -> int:
    """Operations in one statement, each gate as large as its definition; a loop's body counts once."""
    if isinstance(node, ast.QuantumGate):
        name = node.name.name
        powered = any(modifier.modifier is ast.GateModifierName.pow for modifier in node.modifiers)
        if powered and widths.get(name, 0) > MAX_POWER_QUBITS:
            raise _refusal(f"a power of a gate on more than {MAX_POWER_QUBITS} qubits.", node, index)
        return sizes[name] if name in sizes else _size_of_service(name, len(node.qubits))
    blocks = [getattr(node, field, None) for field in ("block", "if_block", "else_block", "body")]
    return sum(_size(inner, sizes, widths, index) for block in blocks if isinstance(block, list) for inner in block)


def _size_of_service(name: str, num_qubits: int) -> int:
    service = WORDS.get(name)
    return len(service.expand(num_qubits).steps) if service and num_qubits in service.counts else 1


def _declared_bits(node: ast.QASMNode) -> int:
    if isinstance(node, ast.QubitDeclaration):
        size = node.size
    elif isinstance(node, ast.ClassicalDeclaration) and isinstance(node.type, ast.BitType):
        size = node.type.size
    else:
        return 0
    return size.value if isinstance(size, ast.IntegerLiteral) else 1


def _refusal(what: str, node: ast.QASMNode, index: int) -> ProgramError:
    line, column = (node.span.start_line, node.span.start_column + 1) if node.span else (None, None)
    return ProgramError(
        f"Circuit {index}, line {line}, column {column}: {what}",
        code="program_too_complex",
        circuit=index,
        line=line,
        column=column,
    )
