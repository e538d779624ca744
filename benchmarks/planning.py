"""How long a plan takes with ever more QPUs, each with a calibration of its own that is new to the lab's child."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import msgspec
from qiskit import QuantumCircuit

from qpi_executors.planning import Answered, Planner
from qpi_jupyter.core import pack, unpack
from qpi_jupyter.core.planning import Candidate, make_plan
from qpi_jupyter.core.plans import PlanRequest
from qpi_jupyter.data.circuits import to_qpy
from tests.support.chips import chip

from .harness import Figure

COUNTS = (10, 100, 1_000)
QUICK = (2, 10, 50)
OBSERVABLES = ("Z" * 8, "X" * 8)


def run(*, quick: bool) -> Iterator[Figure]:
    """Processor time for ten times the QPUs, against ten times the time."""
    counts = QUICK if quick else COUNTS
    _plan(2, seed=0)  # what is loaded once
    taken = {count: min(_plan(count, seed) for seed in range(1, 4 if count < COUNTS[-1] else 2)) for count in counts}
    for fewer, more in pairwise(counts):
        linear = taken[fewer] * more / fewer
        yield Figure(
            name=f"planning for {more:,} QPUs, to {fewer:,} times {more / fewer:g}", ratio=taken[more] / linear,
            goal=1.1, ours=taken[more], bare=linear, unit=" s",
        )  # fmt: skip
    yield Figure(
        name=f"compile 50 operations for {counts[0]} QPUs (s)", ratio=taken[counts[0]], goal=2.0, ours=taken[counts[0]],
        bare=2.0, unit=" s",
    )  # fmt: skip


def _plan(count: int, seed: int) -> float:
    """Processor seconds of one plan, by a child that knows none of these QPUs."""
    chips = {f"q{index}": chip(5 + index % 3, 1e-3 + 1e-6 * index + 1e-4 * seed) for index in range(count)}
    request = PlanRequest(observables=OBSERVABLES, seed=seed)
    head = msgspec.json.encode({"format": "qpy", "request": request, "targets": chips})
    question, planner = pack((head, to_qpy([_circuit()]))), Planner()
    began = time.process_time()
    answered = msgspec.json.decode(unpack(planner.answer(question))[0], type=Answered)
    assert answered.study is not None, answered.error
    there = [
        Candidate(qpu=name, target=name, calibration_id=one.calibration_id, num_qubits=one.num_qubits)
        for name, one in chips.items()
    ]
    make_plan(request, answered.study, there)
    return time.process_time() - began


def _circuit() -> QuantumCircuit:
    """50 operations on a line of 8 qubits, which one cut takes apart."""
    circuit = QuantumCircuit(8)
    for step in range(43):
        circuit.rx(0.1 + 0.1 * step, step % 8)
    for qubit in range(7):
        circuit.cx(qubit, qubit + 1)
    return circuit
