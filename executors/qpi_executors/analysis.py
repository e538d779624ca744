"""What a circuit does, found without expanding it: its size, its measurements, its control flow."""

from __future__ import annotations

import cmath
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import (
    AnnotatedOperation,
    CircuitInstruction,
    ControlFlowOp,
    ForLoopOp,
    Gate,
    Instruction,
    Operation,
    Qubit,
)

from qpi_jupyter.core import MAX_NAME, ProgramError
from qpi_jupyter.data.conventions import NOT_MEASURED, Slots

MAX_OPERATIONS = 1_000_000
"""Operations of one circuit after all gate definitions and counted loops are expanded."""
MAX_DELAY = 1e18
"""Every delay and duration is below so many of its unit."""
_PASSIVE = frozenset({"barrier", "delay"})
_NAMES_ONLY = (Instruction, Gate)
_QASM2 = "qiskit.qasm2.parse"


@dataclass(frozen=True, slots=True)
class Opaque:
    """An operation without a definition; ``shapes`` are those of its parameters, ``()`` for a number."""

    name: str
    num_qubits: int
    shapes: frozenset[tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The figures of one circuit; ``mid_circuit`` means that a measured qubit is used again.

    ``opaque`` are the operations at any depth that are nothing but a name and numbers: no class of Qiskit's and no
    definition says what they do. ``variables`` are the names of its variables and stretches, which have a value only
    while it runs. ``active`` counts the qubits that anything but a barrier touches.
    """

    operations: int
    slots: Slots
    has_measurement: bool
    control_flow: bool
    mid_circuit: bool
    names: frozenset[str]
    opaque: frozenset[Opaque]
    variables: frozenset[str]
    active: int


def require_names(circuit: QuantumCircuit, index: int) -> None:
    """Refuse registers whose names no result can hold.

    Raises
    ------
    ProgramError
        with the beginning of the name.
    """
    for name in (register.name for register in (*circuit.qregs, *circuit.cregs)):
        if len(name) > MAX_NAME:
            raise ProgramError(
                f"Circuit {index}: the name of the register {name[:20]}... has {len(name):,} characters: "
                f"shorten it to {MAX_NAME:,} at most.",
                code="long_name", circuit=index,
            )  # fmt: skip


def analyse(circuit: QuantumCircuit, *, index: int, unique_names: bool) -> Analysis:
    """Measure the circuit up.

    Parameters
    ----------
    index
        the circuit's number in the job, for messages.
    unique_names
        two gates of one name have one definition (true for a text, not for QPY).

    Raises
    ------
    ProgramError
        the circuit expands to more than `MAX_OPERATIONS`, or a number in it is not finite.
    """
    sizes = _Sizes(unique_names, index)
    if not _finite(circuit.global_phase):
        raise ProgramError(f"Circuit {index}: its global phase is not finite.", code="not_finite", circuit=index)
    try:
        total = _checked_size(circuit, sizes, index)
        sizes.note_variables(circuit)
        seen = _Measurements(
            qubit=[NOT_MEASURED] * circuit.num_clbits,
            acq_index=[NOT_MEASURED] * circuit.num_clbits,
        )
        seen.walk(circuit, range(circuit.num_qubits), range(circuit.num_clbits))
    except RecursionError:
        raise ProgramError(
            f"Circuit {index} nests its gates or blocks too deeply.", code="program_too_complex", circuit=index
        ) from None
    return Analysis(
        operations=total,
        slots=Slots(clbit=tuple(range(circuit.num_clbits)), qubit=tuple(seen.qubit), acq_index=tuple(seen.acq_index)),
        has_measurement=bool(seen.times),
        control_flow=seen.control_flow,
        mid_circuit=seen.mid_circuit,
        names=frozenset(circuit.count_ops()),
        opaque=frozenset(sizes.opaque),
        variables=frozenset(sizes.variables),
        active=len(active_qubits(circuit)),
    )


def active_qubits(circuit: QuantumCircuit) -> set[int]:
    """The qubits that anything but a barrier touches."""
    touched: set[Qubit] = set()
    for instruction in circuit.data:
        if instruction.name != "barrier":
            touched.update(instruction.qubits)
            if len(touched) == circuit.num_qubits:
                break
    return {circuit.find_bit(qubit).index for qubit in touched}


def _checked_size(circuit: QuantumCircuit, sizes: _Sizes, index: int) -> int:
    total = 0
    for instruction in circuit.data:
        size = sizes.of_instruction(instruction)
        total += size
        if total > MAX_OPERATIONS:
            raise ProgramError(
                f"Circuit {index} expands to more than {MAX_OPERATIONS:,} operations: {instruction.name!r} alone has "
                f"{size:,}. Use fewer nested definitions or shorter loops.",
                code="program_too_complex",
                circuit=index,
                gate=instruction.name,
                limit=MAX_OPERATIONS,
            )
    return total


class _Sizes:
    """Operations behind an instruction, each definition counted once and none expanded."""

    def __init__(self, unique_names: bool, index: int) -> None:
        self._unique_names, self._index = unique_names, index
        self.opaque: set[Opaque] = set()
        self.variables: set[str] = set()
        self._known: dict[Hashable, int] = {}
        # The keys may be ids: hold what they belong to, so that no id is used twice.
        self._kept: list[object] = []

    def of_instruction(self, instruction: CircuitInstruction) -> int:
        """Its size; on the way its numbers are looked at."""
        standard = instruction.is_standard_gate()
        # Qiskit keeps a matrix apart from the instruction's own parameters.
        if not all(map(_finite, instruction.params if standard else getattr(instruction.operation, "params", ()))):
            raise ProgramError(
                f"Circuit {self._index}: {instruction.name!r} has a number that is not finite.",
                code="not_finite",
                circuit=self._index,
                gate=instruction.name,
            )
        return 1 if standard else self.of(instruction.operation)

    def of(self, operation: Operation) -> int:
        if isinstance(operation, ControlFlowOp):
            turns = len(operation.params[0]) if isinstance(operation, ForLoopOp) else 1
            return 1 + turns * max(1, sum(self._of_circuit(block) for block in operation.blocks))
        if isinstance(operation, AnnotatedOperation):
            return 1 + self.of(operation.base_op)
        definition = _own_definition(operation)
        if definition is None:
            if type(operation) in _NAMES_ONLY or type(operation).__module__ == _QASM2:
                shapes = frozenset(tuple(getattr(value, "shape", ())) for value in operation.params)
                self.opaque.add(Opaque(operation.name, operation.num_qubits, shapes))
            return 1
        key: Hashable = id(definition)
        if self._unique_names:
            key = (operation.name, operation.num_qubits, operation.num_clbits)
        if key not in self._known:
            self._kept.append(definition)
            self._known[key] = max(1, self._of_circuit(definition))
        return self._known[key]

    def note_variables(self, circuit: QuantumCircuit) -> None:
        """Remember the variables and stretches that the circuit, or one of its blocks, declares."""
        self.variables.update(variable.name for variable in circuit.iter_declared_vars())
        self.variables.update(stretch.name for stretch in circuit.iter_declared_stretches())

    def _of_circuit(self, circuit: QuantumCircuit) -> int:
        self.note_variables(circuit)
        return sum(map(self.of_instruction, circuit.data))


def _finite(value: object) -> bool:
    """Whether a gate's parameter is finite, as far as it is a number."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, complex):
        return cmath.isfinite(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        return bool(np.isfinite(value).all())
    return True


def _own_definition(operation: Operation) -> QuantumCircuit | None:
    """The definition that came with the program; None where Qiskit would have to make one up."""
    definition = getattr(operation, "_definition", None)
    if definition is None and type(operation).__module__ == _QASM2:
        definition = operation.definition  # one level, from the text
    return definition


@dataclass(slots=True)
class _Measurements:
    """Which qubit each classical bit holds, in program order, through blocks and definitions."""

    qubit: list[int]
    acq_index: list[int]
    times: dict[int, int] = field(default_factory=dict)
    control_flow: bool = False
    mid_circuit: bool = False

    def walk(self, circuit: QuantumCircuit, qubits: Sequence[int], clbits: Sequence[int]) -> None:
        for instruction in circuit.data:
            if instruction.is_standard_gate():
                self._used(circuit, instruction.qubits, qubits)
                continue
            name = instruction.name
            if name in _PASSIVE:
                continue
            self._used(circuit, instruction.qubits, qubits)
            if name == "store":
                self.control_flow = True  # it too is carried out by whatever decides the branches
            elif name == "measure":
                qubit = qubits[circuit.find_bit(instruction.qubits[0]).index]
                clbit = clbits[circuit.find_bit(instruction.clbits[0]).index]
                self._measured(qubit, clbit)
            else:
                self._inside(circuit, instruction, qubits, clbits)

    def _used(self, circuit: QuantumCircuit, bits: Sequence[object], qubits: Sequence[int]) -> None:
        if self.times and not self.mid_circuit:
            self.mid_circuit = any(qubits[circuit.find_bit(bit).index] in self.times for bit in bits)

    def _measured(self, qubit: int, clbit: int) -> None:
        turn = self.times.get(qubit, 0)
        self.times[qubit] = turn + 1
        self.qubit[clbit], self.acq_index[clbit] = qubit, turn

    def _inside(
        self, circuit: QuantumCircuit, instruction: CircuitInstruction, qubits: Sequence[int], clbits: Sequence[int]
    ) -> None:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            self.control_flow = True
            blocks = operation.blocks
        elif operation.num_clbits and (definition := _own_definition(operation)) is not None:
            blocks = (definition,)
        else:
            return
        inner_qubits = [qubits[circuit.find_bit(bit).index] for bit in instruction.qubits]
        inner_clbits = [clbits[circuit.find_bit(bit).index] for bit in instruction.clbits]
        for block in blocks:
            self.walk(block, inner_qubits, inner_clbits)
