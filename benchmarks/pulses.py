"""Pulse executors beside their library's own compile call and the instrument (here its dummy, and the device's twin).

What is ours is all that is neither: reading and checking the program, native gates, times, the schedule, the Dataset.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
            run_program(executor, _batch(1))  # what is loaded late
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
    """All that is not a run, against all that is not a run for one point of it."""
    theta = Parameter("theta")
    circuit = QuantumCircuit(2, 2, name="swept")
    circuit.rx(theta, 0)
    circuit.cx(0, 1)
    circuit.measure([0, 1], [0, 1])
    rows = tuple((float(angle),) for angle in np.linspace(0, 4 * np.pi, POINTS))
    one = min((_timed(executor, _program(circuit, rows=rows[:1])) for _ in range(3)), key=lambda spent: spent.ours_s)
    all_ = min((_timed(executor, _program(circuit, rows=rows)) for _ in range(3)), key=lambda spent: spent.ours_s)
    return Figure(
        name=f"{executor.name}: a sweep of {POINTS} points, runs apart, to one compile",
        ratio=all_.ours_s / one.ours_s, goal=SWEEP, ours=1e3 * all_.ours_s, bare=1e3 * one.ours_s, unit=" ms",
        note=f"{all_.compiles} compiled; all in all {all_.total_s:.2f} s, of which runs {all_.instrument_s:.2f} s",
    )  # fmt: skip


@dataclass(slots=True)
class _Spent:
    """Where the time of one program went (CPU seconds of this process)."""

    total_s: float = 0.0
    compile_s: float = 0.0
    instrument_s: float = 0.0
    compiles: int = field(default=0)

    @property
    def ours_s(self) -> float:
        """All but the instrument: the compile call is part of it."""
        return self.total_s - self.instrument_s


def _timed(executor: PulseExecutor, program: Program) -> _Spent:
    """Run it, with clocks around the library's calls and the twin's."""
    spent, stack = _Spent(), executor.opened
    twin = executor._twin_points  # noqa: SLF001 - the physics, which takes the place of an instrument

    def clocked(call: Callable[..., Any], share: str) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return call(*given, **named)
            finally:
                setattr(spent, share, getattr(spent, share) + time.process_time() - began)
                spent.compiles += share == "compile_s"

        return wrapped

    own: dict[Any, dict[str, Any]] = {
        stack: {"compiled": "compile_s", "run": "instrument_s", "inject": "instrument_s"},
    }
    for name, share in own[stack].items():
        setattr(stack, name, clocked(getattr(stack, name), share))
    executor._twin_points = clocked(twin, "instrument_s")  # type: ignore[method-assign]  # noqa: SLF001
    try:
        began = time.process_time()
        run_program(executor, program)
        spent.total_s = time.process_time() - began
    finally:
        for name in own[stack]:
            delattr(stack, name)
        del executor._twin_points  # noqa: SLF001
    return spent


def _batch(size: int) -> Program:
    return _program(*(_circuit(5, index) for index in range(size)))


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
