"""Circuits from a seed with whatever a person can put into one: for what must survive a journey."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import AncillaRegister, Clbit, Duration, Operation, Parameter, ParameterVector, Qubit
from qiskit.circuit.classical import expr, types
from qiskit.transpiler import CouplingMap

from tests.instructions import every_instruction

UNITS = ("dt", "ps", "ns", "us", "ms", "s")
_NAMES = ("odd", "ein Kreis", "円", "a\nb", "", "x" * 300)


def odd_circuit(seed: int) -> QuantumCircuit:
    """Registers of all shapes, delays of all kinds, parameters, variables, control flow, a layout now and then."""
    return _Maker(np.random.default_rng(seed)).circuit(seed)


@cache
def _instructions() -> list[Operation]:
    return [one for one in every_instruction().values() if one.num_qubits <= 3 and one.num_clbits <= 1]


class _Maker:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.angle, self.time = Parameter("θ"), Parameter("time")
        self.vector = ParameterVector("v", 3)
        self.stretch: Any = None

    def circuit(self, seed: int) -> QuantumCircuit:
        circuit = QuantumCircuit(*self._bits(), name=_NAMES[seed % len(_NAMES)] or None, metadata=self._metadata())
        circuit.global_phase = self._one(0, 0.25, self.angle, 2 * self.vector[1])
        if self.rng.random() < 0.3:
            circuit.add_input("given", types.Uint(4))
        if self.rng.random() < 0.3:
            circuit.add_var("flag", expr.lift(True))
        if self.rng.random() < 0.2:
            self.stretch = circuit.add_stretch("gap")
        self._fill(circuit, 8, depth=2)
        return self._placed(circuit) if seed % 10 == 9 else circuit

    def _bits(self) -> list[Any]:
        qubits, clbits = [Qubit() for _ in range(4)], [Clbit() for _ in range(2)]
        bits: list[Any] = [
            QuantumRegister(2, "q"), ClassicalRegister(2, "c"), qubits, clbits,
            QuantumRegister(bits=[qubits[2], qubits[0]], name="some"), QuantumRegister(bits=qubits, name="all"),
            QuantumRegister(0, "none"), AncillaRegister(1, "anc"),
            ClassicalRegister(bits=[clbits[1]], name="one"), ClassicalRegister(bits=clbits[::-1], name="both"),
            ClassicalRegister(0, "empty"),
        ]  # fmt: skip
        keep = [k for k in range(4, len(bits)) if self.rng.random() < 0.5]
        return bits[:4] + [bits[k] for k in keep]

    def _metadata(self) -> dict[str, Any] | None:
        metadata = {"a": [1, 2.5, None, True], "b": {"c": "é"}, "n": int(self.rng.integers(1 << 40))}
        return self._one(None, {}, metadata)

    def _fill(self, circuit: QuantumCircuit, count: int, *, depth: int) -> None:
        for _ in range(count):
            kind = self.rng.integers(10)
            if kind < 3:
                self._delay(circuit)
            elif kind < 7 or not depth:
                self._append(circuit, self._one(*_instructions()))
            elif kind == 7:
                circuit.measure(*(self._some(bits, 1)[0] for bits in (circuit.qubits, circuit.clbits)))
            else:
                self._block(circuit, depth - 1)

    def _delay(self, circuit: QuantumCircuit) -> None:
        unit = self._one(*UNITS)
        number = int(self.rng.integers(1000))
        durations: list[Any] = [number, self.time, 2 * self.time + self.vector[0]]
        if unit != "dt":
            durations += [number / 7, np.float64(number / 3), 1e-9]
        durations += [expr.lift(Duration.us(1.5)), expr.lift(Duration.dt(8))]
        durations += [self.stretch] if self.stretch is not None else []
        duration = self._one(*durations)
        fixed = isinstance(duration, expr.Expr)
        circuit.delay(duration, self._some(circuit.qubits, 1)[0], unit=None if fixed else unit)

    def _append(self, circuit: QuantumCircuit, operation: Operation) -> None:
        qubits, clbits = (
            self._some(bits, count)
            for bits, count in ((circuit.qubits, operation.num_qubits), (circuit.clbits, operation.num_clbits))
        )
        circuit.append(operation, qubits, clbits)

    def _block(self, circuit: QuantumCircuit, depth: int) -> None:
        bit, register = self._some(circuit.clbits, 1)[0], circuit.cregs[0]
        kind = self.rng.integers(6)
        if kind == 0:
            with circuit.if_test((bit, int(self.rng.integers(2)))) as otherwise:
                self._fill(circuit, 2, depth=depth)
            with otherwise:
                self._fill(circuit, 2, depth=depth)
        elif kind == 1:
            with circuit.if_test(expr.less(register, 2)):
                self._fill(circuit, 2, depth=depth)
        elif kind == 2:
            with circuit.for_loop(self._one(range(1, 9, 2), (3, 1, 2)), self._one(None, Parameter(f"k{id(depth)}"))):
                self._fill(circuit, 2, depth=depth)
        elif kind == 3:
            with circuit.while_loop((register, 1)):
                self._fill(circuit, 2, depth=depth)
        elif kind == 4:
            with circuit.switch(register) as case:
                with case(0, 2):
                    self._fill(circuit, 2, depth=depth)
                with case(case.DEFAULT):
                    self._fill(circuit, 1, depth=depth)
        else:
            with circuit.box(
                duration=int(self.rng.integers(1, 500)), unit=self._one(*UNITS), label=self._one(None, "B")
            ):
                self._fill(circuit, 2, depth=depth)

    def _placed(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Compiled for a line of qubits: with a layout, and more qubits than before."""
        self.stretch = None
        plain = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(3, "c"), name=circuit.name)
        plain.h(0)
        for a, b in ((0, 1), (0, 2), (1, 2)):
            plain.cx(a, b)
        self._delay(plain)
        plain.rz(self.angle, 1)
        plain.measure(range(3), range(3))
        return transpile(
            plain, coupling_map=CouplingMap.from_line(5), basis_gates=["cx", "rz", "sx", "x", "delay"],
            optimization_level=1, seed_transpiler=int(self.rng.integers(100)),
        )  # fmt: skip

    def _some(self, things: list[Any], count: int) -> list[Any]:
        return [things[int(k)] for k in self.rng.choice(len(things), size=count, replace=False)]

    def _one(self, *things: Any) -> Any:
        return things[int(self.rng.integers(len(things)))]
