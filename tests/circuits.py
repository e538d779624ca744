"""Circuits for tests, made from a seed."""

from __future__ import annotations

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Qubit

from qpi_executors.conformance.programs import BELL_QASM2, BELL_QASM3, bell, qpy_program, text_program

__all__ = [
    "BELL_QASM2", "BELL_QASM3", "bell", "interleaved_circuit", "qpy_program", "random_circuit", "text_program",
]  # fmt: skip


def random_circuit(seed: int, *, control_flow: bool = True) -> QuantumCircuit:
    """Two quantum and two or three classical registers, gates, measurements midway, resets and, if asked, branches."""
    rng = np.random.default_rng(seed)
    left, right = QuantumRegister(int(rng.integers(1, 4)), "left"), QuantumRegister(int(rng.integers(1, 4)), "right")
    registers = [ClassicalRegister(int(rng.integers(1, 4)), f"c{k}") for k in range(int(rng.integers(2, 4)))]
    circuit = QuantumCircuit(left, right, *registers, name=f"random_{seed}", metadata={"seed": seed})
    for _ in range(int(rng.integers(2, 5))):
        _gates(circuit, rng, int(rng.integers(3, 9)))
        _midway(circuit, rng, registers)
        if control_flow:
            _branch(circuit, rng, registers)
    last = registers[-1]
    for k, bit in enumerate(last):
        circuit.measure(circuit.qubits[k % circuit.num_qubits], bit)
    return circuit


def interleaved_circuit(seed: int) -> QuantumCircuit:
    """Measurements between gates, in any order, with resets and delays; control flow in every fifth."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 5))
    circuit = QuantumCircuit(QuantumRegister(size, "q"), ClassicalRegister(size, "c"), name=f"interleaved_{seed}")
    kinds = ("late", "any", "twice", "reset", "flow")
    live = list(range(size))
    for _ in range(int(rng.integers(8, 20))):
        if not live:
            break
        _gates_on(circuit, rng, live)
        qubit = live[int(rng.integers(len(live)))]
        match kinds[seed % len(kinds)]:
            case "late" if rng.random() < 0.3:
                circuit.measure(qubit, int(rng.integers(size)))
                live.remove(qubit)  # measured once, while others go on
            case "twice":
                circuit.measure(qubit, int(rng.integers(size)))
            case "reset":
                circuit.reset(qubit)
                circuit.delay(10, qubit)
            case "flow" if rng.random() < 0.3:
                circuit.measure(qubit, 0)
                with circuit.if_test((circuit.clbits[0], 1)):
                    circuit.h(qubit)
    for qubit in rng.permutation(live):
        circuit.measure(int(qubit), int(rng.integers(size)))
    return circuit


def _gates_on(circuit: QuantumCircuit, rng: np.random.Generator, live: list[int]) -> None:
    for _ in range(2):
        a, b = (int(qubit) for qubit in rng.choice(live, size=2))
        circuit.ry(float(rng.uniform(0, 3)), a)
        if a != b:
            circuit.cx(a, b)


def _gates(circuit: QuantumCircuit, rng: np.random.Generator, count: int) -> None:
    for _ in range(count):
        a, b = _pair(circuit, rng)
        angle = float(rng.uniform(0, 2 * np.pi))
        match int(rng.integers(7)):
            case 0:
                circuit.h(a)
            case 1:
                circuit.cx(a, b)
            case 2:
                circuit.ry(angle, a)
            case 3:
                circuit.u(angle, 0.3, 1.1, a)
            case 4:
                circuit.rzz(angle, a, b)
            case 5:
                circuit.ch(a, b)  # not one of Aer's own gates
            case _:
                circuit.swap(a, b)


def _midway(circuit: QuantumCircuit, rng: np.random.Generator, registers: list[ClassicalRegister]) -> None:
    register = registers[int(rng.integers(len(registers)))]
    circuit.measure(_pair(circuit, rng)[0], register[int(rng.integers(register.size))])
    if rng.random() < 0.3:
        circuit.reset(_pair(circuit, rng)[0])


def _branch(circuit: QuantumCircuit, rng: np.random.Generator, registers: list[ClassicalRegister]) -> None:
    register = registers[int(rng.integers(len(registers)))]
    a, b = _pair(circuit, rng)
    match int(rng.integers(4)):
        case 0:
            with circuit.if_test((register, int(rng.integers(2**register.size)))) as otherwise:
                circuit.x(a)
            with otherwise:
                circuit.ch(a, b)
        case 1:
            with circuit.for_loop(range(int(rng.integers(2, 5)))):
                circuit.ry(0.4, a)
                circuit.cx(a, b)
        case 2:
            with circuit.while_loop((register[0], 1)):
                circuit.h(a)
                circuit.measure(a, register[0])
        case _:
            with circuit.switch(register) as case:
                with case(0):
                    circuit.h(a)
                with case(case.DEFAULT):
                    circuit.rx(0.7, b)


def _pair(circuit: QuantumCircuit, rng: np.random.Generator) -> tuple[Qubit, Qubit]:
    a, b = rng.choice(circuit.num_qubits, size=2, replace=False)
    return circuit.qubits[int(a)], circuit.qubits[int(b)]
