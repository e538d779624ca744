"""Conditions of a circuit are carried out as they are written, or refused when it is submitted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit
from qiskit.circuit.classical import expr, types
from qiskit.circuit.exceptions import CircuitError

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.aer_classical import unsupported
from qpi_jupyter.core.errors import ProgramError
from tests.circuits import qpy_program

VALUE = 0b101
LEAVES: dict[str, tuple[Callable[[ClassicalRegister], Any], int | bool]] = {
    "register": (expr.lift, VALUE),
    "bit 0": (lambda c: expr.lift(c[0]), True),
    "bit 1": (lambda c: expr.lift(c[1]), False),
    "number": (lambda c: expr.lift(3, types.Uint(3)), 3),
    "truth": (lambda c: expr.lift(True), True),
    "widened": (lambda c: expr.cast(c, types.Uint(5)), VALUE),
    "narrowed": (lambda c: expr.cast(c, types.Uint(2)), VALUE & 0b11),
    "as truth": (lambda c: expr.cast(c, types.Bool()), True),
    "index": (lambda c: expr.index(c, 2), True),
    "fraction": (lambda c: expr.lift(0.5), 1),
}
OPERATORS: dict[str, tuple[Callable[..., Any], Callable[[Any, Any], Any]]] = {
    "bit_and": (expr.bit_and, lambda a, b: a & b), "bit_or": (expr.bit_or, lambda a, b: a | b),
    "bit_xor": (expr.bit_xor, lambda a, b: a ^ b), "equal": (expr.equal, lambda a, b: a == b),
    "not_equal": (expr.not_equal, lambda a, b: a != b), "less": (expr.less, lambda a, b: a < b),
    "less_equal": (expr.less_equal, lambda a, b: a <= b), "greater": (expr.greater, lambda a, b: a > b),
    "greater_equal": (expr.greater_equal, lambda a, b: a >= b), "logic_and": (expr.logic_and, lambda a, b: a and b),
    "logic_or": (expr.logic_or, lambda a, b: a or b), "shift_left": (expr.shift_left, lambda a, b: a << b),
    "shift_right": (expr.shift_right, lambda a, b: a >> b), "add": (expr.add, lambda a, b: a + b),
    "sub": (expr.sub, lambda a, b: a - b), "mul": (expr.mul, lambda a, b: a * b), "div": (expr.div, lambda a, b: a),
}  # fmt: skip


@pytest.fixture(scope="module")
def executor() -> AerExecutor:
    executor = AerExecutor(num_qubits=4)
    executor.open()
    return executor


def branching() -> tuple[QuantumCircuit, ClassicalRegister]:
    """A circuit whose first register is measured to be `VALUE`."""
    c, out = ClassicalRegister(3, "c"), ClassicalRegister(1, "out")
    circuit = QuantumCircuit(QuantumRegister(4, "q"), c, out)
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], c)
    return circuit, c


def deciding(condition: Callable[[ClassicalRegister], Any]) -> QuantumCircuit | None:
    """A circuit that writes down whether it took the branch; None where Qiskit builds no such condition."""
    circuit, c = branching()
    try:
        node = condition(c)
        with circuit.if_test(expr.not_equal(node, 0) if isinstance(node.type, types.Uint) else node):
            circuit.x(3)
    except (TypeError, ValueError, CircuitError):
        return None
    circuit.measure(3, 3)
    return circuit


def check(executor: AerExecutor, conditions: list[tuple[Callable[[ClassicalRegister], Any], bool]]) -> None:
    """Each condition with what it means: Aer agrees, or it is `unsupported`."""
    built = [(circuit, meaning) for condition, meaning in conditions if (circuit := deciding(condition)) is not None]
    assert built
    runnable = [(circuit, meaning) for circuit, meaning in built if unsupported(circuit) is None]
    if runnable:
        datasets = run_program(executor, qpy_program(*(circuit for circuit, _ in runnable), shots=1))
        shots = [next(iter(dataset.qpi.counts()))[0] == "1" for dataset in datasets]
        assert shots == [meaning for _, meaning in runnable]


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_condition_means_what_it_says_or_is_refused(executor: AerExecutor, operator: str) -> None:
    build, meaning = OPERATORS[operator]
    check(
        executor,
        [
            (lambda c, left=left, right=right: build(left(c), right(c)), bool(meaning(a, b)))
            for (left, a), (right, b) in product(LEAVES.values(), repeat=2)
        ],
    )


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf != "fraction"])
def test_a_negation_means_what_it_says_or_is_refused(executor: AerExecutor, leaf: str) -> None:
    build, value = LEAVES[leaf]
    check(
        executor,
        [
            (lambda c: expr.logic_not(build(c)), not value),
            (lambda c: expr.logic_not(expr.logic_not(build(c))), bool(value)),
        ],
    )


def in_loop(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.for_loop(range(2)), circuit.if_test((c, VALUE)), circuit.if_test(expr.index(c, 1)):
        circuit.x(0)


def in_while(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.while_loop(expr.logic_not(c)):
        circuit.x(0)


def in_switch(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.switch(expr.shift_left(c, 1)) as case, case(case.DEFAULT):
        circuit.x(0)


def in_store(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    circuit.store(c[1], expr.cast(c, types.Bool()))


def without_qubits(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.while_loop((c[0], True)):
        circuit.store(c[0], False)


def branch_without_qubits(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.if_test((c, VALUE)):
        circuit.x(0)
        with circuit.if_test((c[1], True)):
            circuit.store(c[0], False)


def cases_without_qubits(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.switch(c) as case, case(1):
        circuit.store(c[1], True)


def turns_without_qubits(circuit: QuantumCircuit, c: ClassicalRegister) -> None:
    with circuit.for_loop(range(2)):
        circuit.store(c[1], True)
        circuit.break_loop()


WITHOUT_QUBITS = [without_qubits, branch_without_qubits, cases_without_qubits, turns_without_qubits]


@pytest.mark.parametrize("put", [in_loop, in_while, in_switch, in_store, *WITHOUT_QUBITS])
def test_what_aer_cannot_do_is_found_wherever_it_stands(
    executor: AerExecutor, put: Callable[[QuantumCircuit, ClassicalRegister], None]
) -> None:
    circuit, c = branching()
    put(circuit, c)
    with pytest.raises(ProgramError, match="Aer"):
        executor.validate(qpy_program(circuit))


def test_a_bit_is_stored(executor: AerExecutor) -> None:
    circuit = QuantumCircuit(1, 1)
    bit = circuit.clbits[0]
    assert isinstance(bit, Clbit)
    circuit.measure(0, 0)
    circuit.store(bit, expr.lift(True))
    assert run_program(executor, qpy_program(circuit, shots=3))[0].qpi.counts() == {"1": 3}


@pytest.mark.parametrize("size", [32, 33])
def test_a_wide_register_is_set_as_it_says_or_refused(executor: AerExecutor, size: int) -> None:
    """Beyond 32 bits Aer loses the others."""
    c, out = ClassicalRegister(size, "c"), ClassicalRegister(size, "out")
    circuit = QuantumCircuit(QuantumRegister(1, "q"), c, out)
    circuit.x(0)
    circuit.measure(0, c[size - 1])
    circuit.store(out, c)
    program = qpy_program(circuit, shots=3)
    if size > 32:
        with pytest.raises(ProgramError, match="more than 32 bits at once"):
            executor.validate(program)
        return
    wanted = "1".ljust(size, "0")
    assert run_program(executor, program)[0].qpi.counts() == {f"{wanted} {wanted}": 3}
