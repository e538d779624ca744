"""Look at an OpenQASM 3 syntax tree before it is converted: the converter has no limits of its own."""

from __future__ import annotations

from openqasm3 import ast

from qpi_jupyter.core.errors import ProgramError

from .analysis import MAX_OPERATIONS

MAX_BITS = 65_536
"""Quantum and classical bits that a text may declare in all."""
_MAX_POWER_QUBITS = 6
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


def _size(node: ast.QASMNode, sizes: dict[str, int], widths: dict[str, int], index: int) -> int:
    """Operations in one statement, each gate as large as its definition; a loop's body counts once."""
    if isinstance(node, ast.QuantumGate):
        name = node.name.name
        powered = any(modifier.modifier is ast.GateModifierName.pow for modifier in node.modifiers)
        if powered and widths.get(name, 0) > _MAX_POWER_QUBITS:
            raise _refusal(f"a power of a gate on more than {_MAX_POWER_QUBITS} qubits.", node, index)
        return sizes.get(name, 1)
    blocks = [getattr(node, field, None) for field in ("block", "if_block", "else_block", "body")]
    return sum(_size(inner, sizes, widths, index) for block in blocks if isinstance(block, list) for inner in block)


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
