"""What a circuit does exactly: its states, one for each way in which what it measures midway can come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import CircuitError, CircuitInstruction, Clbit, IfElseOp, Operation
from qiskit.circuit.controlflow import condition_resources
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import Operator, Statevector

from qpi_jupyter.core import Rejected, TooLarge

MAX_QUBITS = 14
MAX_AMPLITUDES = 1 << 20
"""Of all states together: so many ways at so many qubits."""
MAX_WORK = 1 << 30
"""Amplitudes changed by all operations together."""
_NEVER = 1e-12
"""What is less likely does not happen."""
_WIDE = 4
"""Gates on more qubits are applied by their definitions: as matrices they would fill the memory."""
_PASSIVE = ("barrier", "delay")

Amplitudes = NDArray[np.complex128]
Places = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in which it can go: how likely, the state that it leaves (2^n amplitudes, Qiskit's order), its bits."""

    probability: float
    state: Amplitudes
    bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """A circuit before its final measurements: ``ways``, and which qubit each classical bit is measured from then."""

    num_qubits: int
    num_bits: int
    ways: tuple[Way, ...]
    final: dict[int, int]

    @property
    def state(self) -> Amplitudes | None:
        """The one state that it leaves, up to a phase; None where that depends on what was measured."""
        first = self.ways[0].state
        same = all(abs(np.vdot(first, way.state)) > 1 - 1e-9 for way in self.ways)
        return first if same else None

    def probabilities(self) -> NDArray[np.float64]:
        """Of the 2^n basis states."""
        shares = np.zeros(1 << self.num_qubits)
        for way in self.ways:
            shares += way.probability * abs(way.state) ** 2
        return shares

    def outcomes(self) -> dict[int, float]:
        """How likely each value of all classical bits is."""
        found: dict[int, float] = {}
        for way in self.ways:
            shares = abs(way.state) ** 2 * way.probability
            kept = way.bits & ~sum(1 << bit for bit in self.final)
            for index in np.flatnonzero(shares > _NEVER):
                value = kept | sum((int(index) >> qubit & 1) << bit for bit, qubit in self.final.items())
                found[value] = found.get(value, 0.0) + float(shares[index])
        return found


def exact(circuit: QuantumCircuit) -> Exact:
    """The states of a circuit without its final measurements; what it measures before decides as it does on a QPU.

    Raises
    ------
    TooLarge
        too many qubits, outcomes or operations, with the figure.
    Rejected
        parameters without values, or what has no states: loops, variables.
    """
    if circuit.num_qubits > MAX_QUBITS:
        raise TooLarge(
            f"The exact state of {circuit.num_qubits} qubits is not computed: the limit is {MAX_QUBITS}. Analyse the "
            "counts alone.",
            code="too_many_qubits", qubits=circuit.num_qubits, limit=MAX_QUBITS,
        )  # fmt: skip
    if circuit.parameters:
        raise Rejected("Give the circuit's parameters values first: circuit.assign_parameters(...).", code="unbound")
    body, final = _without_final_measurements(circuit)
    walk = _Walk(circuit.num_qubits)
    walk.through(body, range(circuit.num_qubits), range(circuit.num_clbits))
    return Exact(num_qubits=circuit.num_qubits, num_bits=circuit.num_clbits, ways=tuple(walk.ways), final=final)


def _without_final_measurements(circuit: QuantumCircuit) -> tuple[QuantumCircuit, dict[int, int]]:
    """The circuit up to them, and their qubit by classical bit; nothing follows on such a qubit or uses such a bit."""
    used: set[object] = set()
    final: dict[int, int] = {}
    kept: list[CircuitInstruction] = []
    for instruction in reversed(circuit.data):
        bits = {*instruction.qubits, *instruction.clbits, *_read(instruction.operation)}
        if instruction.name == "measure" and not bits & used:
            final[circuit.find_bit(instruction.clbits[0]).index] = circuit.find_bit(instruction.qubits[0]).index
        elif instruction.name not in _PASSIVE:
            kept.append(instruction)
        if instruction.name not in _PASSIVE:
            used |= bits
    body = circuit.copy_empty_like()
    for instruction in reversed(kept):
        body.append(instruction)
    return body, final


def _read(operation: Operation) -> set[Clbit]:
    """The bits that a branch is decided by."""
    if not isinstance(operation, IfElseOp):
        return set()
    found = condition_resources(operation.condition)
    return {*found.clbits, *(bit for register in found.cregs for bit in register)}


class _Walk:
    """The ways so far."""

    def __init__(self, num_qubits: int) -> None:
        self._num_qubits, self._work = num_qubits, 0
        start = np.zeros(1 << num_qubits, dtype=np.complex128)
        start[0] = 1
        self.ways = [Way(probability=1.0, state=start, bits=0)]

    def through(self, circuit: QuantumCircuit, qubits: Places, clbits: Places) -> None:
        """All operations of a circuit whose bits are these."""
        if circuit.global_phase:
            turn = np.exp(1j * float(circuit.global_phase))
            self.ways = [_with(way, way.state * turn) for way in self.ways]
        for instruction in circuit.data:
            operation = instruction.operation
            on = [qubits[circuit.find_bit(bit).index] for bit in instruction.qubits]
            into = [clbits[circuit.find_bit(bit).index] for bit in instruction.clbits]
            if operation.name in _PASSIVE:
                continue
            if operation.name == "measure":
                self.ways = [part for way in self.ways for part in self._measured(way, on[0], into[0])]
            elif operation.name == "reset":
                self.ways = [_flipped(part, on[0]) for way in self.ways for part in self._measured(way, on[0], None)]
            elif isinstance(operation, IfElseOp):
                self._branch(circuit, operation, on, into, clbits)
            else:
                self._operation(operation, on, into)
            if len(self.ways) << self._num_qubits > MAX_AMPLITUDES:
                raise TooLarge(
                    f"The exact states are not computed: what is measured midway can come out in more than "
                    f"{MAX_AMPLITUDES >> self._num_qubits:,} ways. Analyse the counts alone.",
                    code="too_many_ways", limit=MAX_AMPLITUDES >> self._num_qubits,
                )  # fmt: skip

    def _branch(self, circuit: QuantumCircuit, operation: IfElseOp, on: Places, into: Places, clbits: Places) -> None:
        held, before = [], self.ways
        blocks = operation.blocks
        for way in before:
            chosen = blocks[0] if _holds(circuit, operation, way.bits, clbits) else (blocks[1:] or (None,))[0]
            self.ways = [way]
            if chosen is not None:
                self.through(chosen, on, into)
            held += self.ways
        self.ways = held

    def _operation(self, operation: Operation, on: Places, into: Places) -> None:
        matrix = None if into else _matrix(operation)
        if matrix is None:
            definition = getattr(operation, "definition", None)
            if definition is None:
                raise Rejected(f"A circuit with {operation.name!r} has no exact state here.", code="no_exact_state")
            self.through(definition, on, into)
            return
        self._work += len(self.ways) << self._num_qubits
        if self._work > MAX_WORK:
            raise TooLarge(
                f"The exact state is not computed: it takes more than {MAX_WORK:,} changes of amplitudes. Analyse the "
                "counts alone.",
                code="too_much_work", limit=MAX_WORK,
            )  # fmt: skip
        self.ways = [_with(way, Statevector(way.state).evolve(matrix, list(on)).data) for way in self.ways]

    def _measured(self, way: Way, qubit: int, bit: int | None) -> Iterator[Way]:
        """The ways that a measurement leaves; without a bit, nobody hears which."""
        parts = way.state.reshape(-1, 2, 1 << qubit)
        for value in (0, 1):
            share = float((abs(parts[:, value]) ** 2).sum())
            if share * way.probability <= _NEVER:
                continue
            state = np.zeros_like(parts)
            state[:, value] = parts[:, value] / np.sqrt(share)
            bits = way.bits if bit is None else way.bits & ~(1 << bit) | value << bit
            yield Way(probability=way.probability * share, state=state.reshape(-1), bits=bits)


def _matrix(operation: Operation) -> Operator | None:
    """Of a gate that has one, and is small or nothing but its matrix."""
    if not hasattr(operation, "to_matrix") or (operation.num_qubits > _WIDE and not isinstance(operation, UnitaryGate)):
        return None
    try:
        return Operator(operation.to_matrix())
    except CircuitError:  # it has a definition alone
        return None


def _with(way: Way, state: Amplitudes) -> Way:
    return Way(probability=way.probability, state=state, bits=way.bits)


def _flipped(way: Way, qubit: int) -> Way:
    """A way whose qubit is 0 or 1, with 0 in place of 1."""
    parts = way.state.reshape(-1, 2, 1 << qubit)
    return _with(way, (parts[:, ::-1] if parts[:, 1].any() else parts).reshape(-1))


def _holds(circuit: QuantumCircuit, operation: IfElseOp, bits: int, clbits: Places) -> bool:
    condition = operation.condition
    if not isinstance(condition, tuple):
        raise Rejected("A circuit with branches on expressions has no exact state here.", code="no_exact_state")
    target, wanted = condition
    read = list(target) if isinstance(target, ClassicalRegister) else [target]
    value = sum((bits >> clbits[circuit.find_bit(bit).index] & 1) << k for k, bit in enumerate(read))
    return bool(value == int(wanted))
