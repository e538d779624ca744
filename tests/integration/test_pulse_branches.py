"""Branches, loops and active resets on both schedulers: what the compiled pulses do where a measurement decides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from qpi_executors import load, run_program
from qpi_executors.instruments import twin
from qpi_executors.instruments.executor import PulseExecutor
from qpi_executors.instruments.pulses import Acquire, Play
from qpi_executors.instruments.timing import TRIGGER_NS, timeline
from qpi_jupyter.core import ProgramError, Rejected
from tests.circuits import qpy_program, text_program
from tests.support.pulses import by_clbit, chi_squared, distance, distribution, ideal, noiseless


@pytest.fixture(scope="module", params=["qblox", "quantify"])
def executor(request):
    executor = load(request.param)
    executor.open()
    yield executor
    executor.close()


def teleported(angle: float) -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    circuit.ry(angle, 0)
    circuit.rz(0.4, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((1, True)):
        circuit.x(2)
    with circuit.if_test((0, True)):
        circuit.z(2)
    circuit.rz(-0.4, 2)
    circuit.ry(-angle + 1.0, 2)
    circuit.measure(2, 2)
    return circuit


def otherwise() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(1.1, 0)
    circuit.h(1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as other:
        circuit.ry(0.7, 1)
    with other:
        circuit.rx(2.1, 1)
        circuit.s(1)
    circuit.h(1)
    circuit.measure(1, 1)
    return circuit


def entangling() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    circuit.h([0, 1])
    circuit.ry(0.9, 2)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.cx(1, 2)
        circuit.t(2)
    circuit.h([1, 2])
    circuit.measure([1, 2], [1, 2])
    return circuit


def looped() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 3)
    circuit.ry(1.0, 0)
    with circuit.for_loop(range(3)):
        circuit.ry(0.5, 0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.x(0)
    circuit.measure(0, 1)
    return circuit


def not_measured() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 2)
    with circuit.if_test((0, 1)) as other:
        circuit.x(0)
    with other:
        circuit.ry(0.8, 0)
    circuit.measure(0, 1)
    return circuit


CIRCUITS = {
    "teleported": teleported(0.9), "otherwise": otherwise(), "entangling": entangling(), "looped": looped(),
    "not measured": not_measured(),
}  # fmt: skip


def compiled(executor: PulseExecutor, circuit: QuantumCircuit, **options: bool):
    plan = timeline(executor.front.native(circuit), executor.device, **options)
    return plan, executor.opened.events(executor.opened.compile(plan, 1, average=False))


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_compiled_pulses_branch_as_the_circuit_does(executor, name):
    circuit = CIRCUITS[name]
    plan, events = compiled(executor, circuit)
    found = by_clbit(distribution(events, noiseless(executor.device)), plan, circuit.num_clbits)
    assert distance(found, ideal(circuit)) < 1e-9


def test_branches_are_decided_by_what_the_instrument_reads(executor, monkeypatch):
    """Readout errors send a branch the wrong way as Aer has them, by density matrices and shot by shot."""
    circuit = CIRCUITS["teleported"]
    device = replace(
        noiseless(executor.device),
        qubits={
            name: replace(qubit, readout=replace(qubit.readout, p01=0.1, p10=0.2))
            for name, qubit in noiseless(executor.device).qubits.items()
        },
    )
    model = NoiseModel()
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    aer = AerSimulator(noise_model=model, seed_simulator=5, max_parallel_threads=1)
    right = aer.run(circuit, shots=4000).result().get_counts()
    plan, events = compiled(executor, circuit)
    walk = twin.Walk(events, device)
    drawn = (walk.by_way, walk.by_shot)
    for way in drawn:
        columns = way(8000, np.random.default_rng(3))
        last = columns[plan.labels[2]]
        wrong = np.random.default_rng(4).random(8000) < np.where(last == 1, 0.2, 0.1)
        bits = [np.where(wrong, 1 - last, last), columns[plan.labels[1]], columns[plan.labels[0]]]
        keys, numbers = np.unique(np.stack(bits, axis=1), axis=0, return_counts=True)
        found = {"".join(map(str, key)): int(n) for key, n in zip(keys, numbers, strict=True)}
        assert chi_squared(found, right) > 0.01, way
