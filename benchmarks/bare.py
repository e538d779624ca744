"""The baseline: AerSimulator called directly, with a pass manager that is made once."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

from qiskit import QuantumCircuit, transpile
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

SHOTS = 1024


class Bare:
    """``aer.run(pm.run(circuits)).result().get_counts()``."""

    def __init__(self, circuits: QuantumCircuit | list[QuantumCircuit], *, shots: int = SHOTS) -> None:
        self.aer = AerSimulator()
        self.passes = generate_preset_pass_manager(optimization_level=1, backend=self.aer)
        self.circuits, self.shots = circuits, shots
        self()

    def __call__(self) -> Any:
        return self.aer.run(self.passes.run(self.circuits), shots=self.shots).result().get_counts()


def bell() -> QuantumCircuit:
    """Two qubits, entangled and measured."""
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def layered(width: int, depth: int, seed: int = 7) -> QuantumCircuit:
    """Layers of rotations and a ring of CX on ``width`` qubits, measured: work that grows with ``depth``."""
    circuit = QuantumCircuit(width)
    for layer in range(depth):
        for qubit in range(width):
            circuit.ry(0.1 + 0.37 * ((seed * (layer + 1) * (qubit + 3)) % 17), qubit)
        for qubit in range(layer % 2, width - 1, 2):
            circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return transpile(circuit, basis_gates=["ry", "cx"], optimization_level=0)


def lasting(seconds: float) -> QuantumCircuit:
    """A circuit that Aer needs about ``seconds`` for on this machine."""
    depth = 2
    while True:
        circuit = layered(16, depth)
        run = Bare(circuit)
        took = min(_once(run) for _ in range(3))
        if took >= seconds or depth > 4096:
            return circuit
        depth = max(depth + 1, int(depth * min(4.0, 1.05 * seconds / took)))


def _once(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _loop(circuits: Any, shots: int, seconds: float, barrier: Barrier, count: Any) -> None:
    run = Bare(circuits, shots=shots)
    barrier.wait()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        run()
        with count.get_lock():
            count.value += 1


def rate(circuits: Any, *, seconds: float, processes: int = 2, shots: int = SHOTS) -> float:
    """Runs a second of ``processes`` bare processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, count = context.Barrier(processes + 1), context.Value("l", 0)
    workers = [context.Process(target=_loop, args=(circuits, shots, seconds, barrier, count)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return float(count.value) / max(seconds, time.perf_counter() - began - 0.05)
