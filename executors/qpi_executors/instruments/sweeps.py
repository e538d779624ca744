"""Circuits with parameters: native once for all their rows, and the same schedule where only angles differ.

The angles of `rz` that depend on a parameter are *marks* in the schedule that is compiled: numbers found nowhere else
in it. A row puts its own angles in their places (`frames.Frames`); the pulses and all times stay as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Delay, ParameterExpression
from qiskit.circuit.library import RZGate

from .device import Device
from .frames import phase_steps
from .timing import Timeline, timeline

_FIRST, _STEP = 0.1234567, 1e-6
"""Marks in radians: each is many steps of an instrument's phase away from the next."""


class Sweep:
    """One native circuit, parameters and all, in time."""

    def __init__(self, native: QuantumCircuit, device: Device, *, active_reset: bool = False) -> None:
        self._device, self._active = device, active_reset
        # What a branch plays for an angle is no change of frame alone: each row is one of its own.
        self._branching = native if native.parameters and "if_else" in native.count_ops() else None
        self._circuit, self._angles = (native, {}) if self._branching is not None else _marked(native)
        self._delays = [one.operation for one in native.data if _is_open(one, "delay")]
        self._patterns: dict[tuple[float, ...], Timeline] = {}

    def pattern(self, values: Mapping[str, float]) -> Timeline:
        """The schedule of a row, by the values of its parameters, with marks for its angles.

        It is the same object while no delay changes.
        """
        delays = tuple(_value(delay.params[0], values) for delay in self._delays)
        key = delays if self._branching is None else tuple(values.values())
        if key not in self._patterns:
            self._patterns.clear()
            circuit = self._delayed(iter(delays)) if self._branching is None else _bound(self._branching, values)
            self._patterns[key] = timeline(circuit, self._device, active_reset=self._active)
        return self._patterns[key]

    def angles(self, values: Mapping[str, float]) -> dict[float, float]:
        """What a row has in the place of each mark (radians)."""
        return {mark: _value(angle, values) for mark, angle in self._angles.items()}

    def timeline(self, values: Mapping[str, float]) -> Timeline:
        """The schedule of a row as it is."""
        return turned(self.pattern(values), self.angles(values))

    def _delayed(self, delays: Iterator[float]) -> QuantumCircuit:
        """The circuit with these delays, in its own units."""
        if not self._delays:
            return self._circuit
        found = self._circuit.copy_empty_like()
        for instruction in self._circuit.data:
            if _is_open(instruction, "delay"):
                duration, unit = next(delays), instruction.operation.unit
                found.append(Delay(round(duration) if unit == "dt" else duration, unit), instruction.qubits)
            else:
                found.append(instruction)
        return found


def _bound(circuit: QuantumCircuit, values: Mapping[str, float]) -> QuantumCircuit:
    bound: QuantumCircuit = circuit.assign_parameters(dict(values), strict=False)
    return bound


def turned(pattern: Timeline, angles: Mapping[float, float]) -> Timeline:
    """A schedule with angles for its marks."""
    operations = (
        replace(one, angle=angles[one.angle]) if one.name == "rz" and one.angle in angles else one
        for one in pattern.operations
    )
    return replace(pattern, operations=tuple(operations)) if angles else pattern


def _marked(native: QuantumCircuit) -> tuple[QuantumCircuit, dict[float, ParameterExpression]]:
    """The circuit with marks, and what each stands for."""
    if not native.parameters:
        return native, {}
    fixed = {phase_steps(float(one.params[0])) for one in native.data if one.name == "rz" and not _is_open(one, "rz")}
    free = (mark for k in itertools.count() if phase_steps(mark := _FIRST + k * _STEP) not in fixed)
    found: dict[float, ParameterExpression] = {}
    marked = native.copy_empty_like()
    marked.global_phase = 0.0
    for instruction in native.data:
        if _is_open(instruction, "rz"):
            mark = next(free)
            found[mark] = instruction.params[0]
            marked.append(RZGate(mark), instruction.qubits)
        else:
            marked.append(instruction)
    return marked, found


def _is_open(instruction: CircuitInstruction, name: str) -> bool:
    """Whether it is of this name, and depends on a parameter."""
    return instruction.name == name and isinstance(instruction.params[0], ParameterExpression)


def _value(angle: ParameterExpression, values: Mapping[str, float]) -> float:
    return float(angle.bind({parameter: values[parameter.name] for parameter in angle.parameters}))
