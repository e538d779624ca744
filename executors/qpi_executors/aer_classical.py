"""What of a circuit's conditions Aer cannot carry out, or carries out wrongly, found before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qiskit import QuantumCircuit
from qiskit.circuit import (
    BreakLoopOp,
    ContinueLoopOp,
    ControlFlowOp,
    IfElseOp,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr, types

_BINARY = frozenset({
    expr.Binary.Op.BIT_AND, expr.Binary.Op.BIT_OR, expr.Binary.Op.BIT_XOR, expr.Binary.Op.LOGIC_AND,
    expr.Binary.Op.LOGIC_OR, expr.Binary.Op.EQUAL, expr.Binary.Op.NOT_EQUAL, expr.Binary.Op.LESS,
    expr.Binary.Op.LESS_EQUAL, expr.Binary.Op.GREATER, expr.Binary.Op.GREATER_EQUAL,
})  # fmt: skip
_UNARY = frozenset({expr.Unary.Op.BIT_NOT, expr.Unary.Op.LOGIC_NOT})
_JUMPS = (IfElseOp, WhileLoopOp, SwitchCaseOp, BreakLoopOp, ContinueLoopOp)

_MAX_STORED = 32
"""Bits of a register that Aer can set: of a wider one it loses the others, or fills them with the last."""


def unsupported(circuit: QuantumCircuit) -> str | None:
    """The first thing that Aer does not do, at any depth, with what to write instead; None if there is none."""
    return next(_in_circuit(circuit), None)


def _in_circuit(circuit: QuantumCircuit) -> Iterator[str]:
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, _JUMPS) and not instruction.qubits:
            # Aer jumps for the qubits of an operation: without any it carries out all branches, and loops for ever.
            yield "has a branch or loop without qubits, which Aer cannot decide: add a barrier on a qubit to its body"
        if isinstance(operation, ControlFlowOp):
            yield from _in_expression(_decides(operation))
            for block in operation.blocks:
                yield from _in_circuit(block)
        elif isinstance(operation, Store):
            if isinstance(operation.lvalue.type, types.Uint) and operation.lvalue.type.width > _MAX_STORED:
                yield (
                    f"sets a register of more than {_MAX_STORED} bits at once, which Aer handles incorrectly: "
                    "use smaller registers, or set it bit by bit"
                )
            yield from _in_expression(operation.lvalue)
            yield from _in_expression(operation.rvalue)


def _decides(operation: ControlFlowOp) -> Any:
    if isinstance(operation, IfElseOp | WhileLoopOp):
        return operation.condition
    return operation.target if isinstance(operation, SwitchCaseOp) else None


def _in_expression(node: object) -> Iterator[str]:
    if not isinstance(node, expr.Expr):
        return
    if isinstance(node, expr.Index):
        yield "takes a bit of an expression by its index, which Aer does not: name the classical bit itself"
    elif not isinstance(node.type, types.Bool | types.Uint):
        yield "computes with numbers that are no integers while it runs, which Aer does not: give them beforehand"
    elif isinstance(node, expr.Cast):
        if isinstance(node.type, types.Bool) and not isinstance(node.operand.type, types.Bool):
            # Aer takes it for False, whatever the number.
            yield (
                "takes a number for true or false, which Aer handles incorrectly: "
                "compare it, expr.not_equal(register, 0)"
            )
        yield from _in_expression(node.operand)
    elif isinstance(node, expr.Unary):
        yield from _known(node.op, _UNARY)
        yield from _in_expression(node.operand)
    elif isinstance(node, expr.Binary):
        yield from _known(node.op, _BINARY)
        yield from _in_expression(node.left)
        yield from _in_expression(node.right)


def _known(op: Any, known: frozenset[Any]) -> Iterator[str]:
    if op not in known:
        name = op.name.lower().replace("_", " ")
        yield f"computes {name!r} while it runs, which Aer does not: it compares, and knows and, or, xor and not"
