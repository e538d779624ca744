"""Pulse executors beside their library's own compile call and the instrument (here its dummy, and the device's twin).

What is ours is all that is neither: reading and checking the program, native gates, times, the schedule, the Dataset.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qpi_executors import load, run_program
from qpi_executors.instruments.executor import PulseExecutor
from qpi_jupyter.core import CircuitOptions, Program, RunOptions
from qpi_jupyter.data.circuits import to_qpy

from .harness import Figure

LIBRARIES = ("qblox", "quantify")
OVERHEAD, SWEEP, GHZ_S = 1.1, 1.5, 1.0
POINTS, SHOTS = 41, 1000


def run(*, quick: bool) -> Iterator[Figure]:
    """Both libraries: batches, a GHZ state on the twin, and a sweep."""
    warnings.simplefilter("ignore")  # the schedulers' own
    for name in LIBRARIES:
        executor = load(name)
        executor.open()
        try:
            run_program(executor, _program(_circuit(5, 0)))  # what is loaded late
            for size in (1, 10) if quick else (1, 10, 100):
                yield _overhead(executor, size)
            yield _ghz(executor)
            yield _sweep(executor)
        finally:
            executor.close()


def _overhead(executor: PulseExecutor, size: int) -> Figure:
    """A batch against the library's compile and run calls in the same batch."""
    spent = _timed(executor, _batch(size))
    library_s = spent.compile_s + spent.instrument_s
    return Figure(
        name=f"{executor.name}: {size} circuits, compiled and run", ratio=spent.total_s / library_s, goal=OVERHEAD,
        ours=1e3 * spent.total_s / size, bare=1e3 * library_s / size, unit=" ms each",
        note=f"of them {1e3 * spent.compile_s / size:.0f} ms to compile",
    )  # fmt: skip


def _ghz(executor: PulseExecutor) -> Figure:
    """Seconds, all in all."""
    spent = _timed(executor, _program(_circuit(5, 0), shots=SHOTS))
    return Figure(
        name=f"{executor.name}: GHZ on the twin, 5 qubits, {SHOTS} shots (s)", ratio=spent.total_s, goal=GHZ_S
    )


def _sweep(executor: PulseExecutor) -> Figure:
    """Until the schedules of all points are ready to run, against those of a sweep of one point."""
    one, every = (
        min((_timed(executor, _swept(number, points)) for number in range(3)), key=lambda spent: spent.ready_s)
        for points in (1, POINTS)
    )
    return Figure(
        name=f"{executor.name}: a sweep of {POINTS} points, ready to run, to one point", goal=SWEEP,
        ratio=every.ready_s / one.ready_s, ours=1e3 * every.ready_s, bare=1e3 * one.ready_s, unit=" ms",
        note=f"{every.compiles} compiled; all in all {every.total_s:.2f} s, of which runs {every.instrument_s:.2f} s",
    )  # fmt: skip


def _swept(number: int, points: int) -> Program:
    """Each number is another program, of which nothing is remembered."""
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2, name=f"swept_{number}_{points}")
    circuit.rx(theta, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    return _program(circuit, rows=tuple((float(angle),) for angle in np.linspace(0, 4 * np.pi, points)))


@dataclass(slots=True)
class _Spent:
    """Where the time of one program went (CPU seconds of this process)."""

    total_s: float = 0.0
    compile_s: float = 0.0
    instrument_s: float = 0.0
    ready_s: float = 0.0
    compiles: int = 0


def _timed(executor: PulseExecutor, program: Program) -> _Spent:
    """Run it, with clocks around the library's calls and the twin's."""
    spent, stack = _Spent(), executor.opened

    def clocked(call: Callable[..., Any], share: str) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return call(*given, **named)
            finally:
                setattr(spent, share, getattr(spent, share) + time.process_time() - began)
                spent.compiles += share == "compile_s"

        return wrapped

    clocks = [
        (stack, "compiled", "compile_s"), (stack, "run", "instrument_s"), (stack, "inject", "instrument_s"),
        # The physics takes the place of an instrument.
        (executor, "_twin_points", "instrument_s"), (executor, "_plan", "ready_s"), (executor, "_compiled", "ready_s"),
    ]  # fmt: skip
    for thing, name, share in clocks:
        setattr(thing, name, clocked(getattr(thing, name), share))
    try:
        began = time.process_time()
        run_program(executor, program)
        spent.total_s = time.process_time() - began
    finally:
        for thing, name, _ in clocks:
            delattr(thing, name)
    return spent


def _batch(size: int) -> Program:
    """Each size has other circuits: nothing of them is remembered."""
    return _program(*(_circuit(5, size + index) for index in range(size)))


def _circuit(size: int, index: int) -> QuantumCircuit:
    """A GHZ state with some turns; each index another circuit."""
    circuit = QuantumCircuit(size, size, name=f"ghz_{index}")
    circuit.h(0)
    for qubit in range(size - 1):
        circuit.cx(qubit, qubit + 1)
        if index:
            circuit.ry(0.1 * index, qubit)
    circuit.measure(range(size), range(size))
    return circuit


def _program(*circuits: QuantumCircuit, shots: int = 100, rows: tuple[tuple[float, ...], ...] = ()) -> Program:
    own = tuple(CircuitOptions(parameter_values=rows) for _ in circuits) if rows else ()
    options = RunOptions(shots=shots, seed_simulator=1, circuits=own)
    return Program(format="qpy", sources=(to_qpy(circuits),), options=options)
