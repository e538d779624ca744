"""Circuit cutting behind a port of our own: `Cutter`. The one implementation is qiskit-addon-cutting's.

A cut replaces a two-qubit gate, or a wire, by a sum of local operations with signs, some of which measure. What it
costs is the sampling overhead: so many times the shots give the same precision (9 for a CX, 16 for a wire).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from qiskit import QuantumCircuit
from qiskit.circuit import Bit, CircuitInstruction, Qubit
from qiskit.quantum_info import PauliList

from qpi_jupyter.core import Rejected
from qpi_jupyter.core.groups import groups_of

from .reconstruction import IGNORED, PartRecipe

if TYPE_CHECKING:
    from qiskit_addon_cutting.utils.observable_grouping import ObservableCollection

MAX_BACKJUMPS = 1_000
INSTALL = "pip install 'qpi-jupyter[cutting]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPart:
    """A fragment: ``circuits`` are its experiments, sample by sample; ``qubits`` those of the circuit that it holds."""

    qubits: tuple[int, ...]
    num_qubits: int
    circuits: tuple[QuantumCircuit, ...]
    recipe: PartRecipe
    operations: tuple[int, ...]
    """Which of the circuit's it has."""
    ends: tuple[int, ...]
    """The qubits of the circuit that end in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Where a circuit is cut: the indices of the operations that go, the wires that are cut before others (the index of
    the operation, and the qubit), and what that costs."""

    circuit: QuantumCircuit
    """With the cuts in it, as the implementation marks them."""
    gates: tuple[int, ...]
    wires: tuple[tuple[int, int], ...]
    overhead: float

    @property
    def num_cuts(self) -> int:
        """Of gates and wires."""
        return len(self.gates) + len(self.wires)


class Cutter(Protocol):
    """Cuts circuits without classical bits, of operations on one or two qubits."""

    @property
    def version(self) -> str:
        """Its library and version."""

    def find(self, circuit: QuantumCircuit, width: int, *, max_overhead: float, seed: int) -> Cuts:
        """The cheapest cuts after which no fragment has more than ``width`` qubits, as far as it searches.

        Beyond ``max_overhead`` it stops, and gives the cheapest that it has seen.

        Raises
        ------
        Rejected
            it cannot cut this circuit.
        """

    def parts(
        self, cuts: Cuts, observables: Sequence[str], measured: Sequence[tuple[int, int]]
    ) -> tuple[list[CutPart], list[float]]:
        """The fragments and the coefficients of their samples.

        With ``observables`` (as wide as the circuit) the experiments measure those; else ``measured``, pairs of a qubit
        and the classical bit that it is read into.
        """


class AddonCutter:
    """qiskit-addon-cutting 0.9 and later."""

    def __init__(self) -> None:
        import qiskit_addon_cutting  # noqa: F401  # whether it is there, before anything is promised

    @property
    def version(self) -> str:
        from importlib.metadata import version

        return version("qiskit-addon-cutting")

    def find(self, circuit: QuantumCircuit, width: int, *, max_overhead: float, seed: int) -> Cuts:
        """As `Cutter.find`."""
        from qiskit_addon_cutting import find_cuts
        from qiskit_addon_cutting.automated_cut_finding import DeviceConstraints, OptimizationParameters

        wanted = OptimizationParameters(seed=seed, max_gamma=math.sqrt(max_overhead), max_backjumps=MAX_BACKJUMPS)
        try:
            found, said = find_cuts(circuit, wanted, DeviceConstraints(qubits_per_subcircuit=width))
        except (ValueError, AssertionError, AttributeError) as error:
            raise Rejected(f"No cuts were found ({error!s:.200}).", code="no_cuts") from error
        wires, gates = list[tuple[int, int]](), list[int]()
        for index, instruction in enumerate(found.data):
            if instruction.name == "cut_wire":
                wires.append((index - len(wires), found.find_bit(instruction.qubits[0]).index))
            elif instruction.name == "qpd_2q":
                gates.append(index - len(wires))
        overhead = float(said["sampling_overhead"])
        return Cuts(circuit=found, gates=tuple(gates), wires=tuple(wires), overhead=overhead)

    def parts(
        self, cuts: Cuts, observables: Sequence[str], measured: Sequence[tuple[int, int]]
    ) -> tuple[list[CutPart], list[float]]:
        """As `Cutter.parts`."""
        from qiskit_addon_cutting import generate_cutting_experiments, partition_problem
        from qiskit_addon_cutting.utils.observable_grouping import ObservableCollection

        circuit, last, owner = _with_moves(cuts.circuit)
        held = components(circuit, apart=("qpd_2q",))
        labels = {qubit: label for label, qubits in enumerate(held) for qubit in qubits}
        problem = partition_problem(
            circuit=circuit,
            partition_labels=[labels[qubit] for qubit in range(circuit.num_qubits)],
            observables=_expanded(observables, measured, last, circuit.num_qubits),
        )
        experiments, weighted = generate_cutting_experiments(
            problem.subcircuits, problem.subobservables, num_samples=float("inf")
        )
        read_into = {} if observables else {last[qubit]: bit for qubit, bit in measured}
        parts, carried = [], defaultdict[int, list[int]](list)
        kept = [new for old, new in zip(cuts.circuit.data, circuit.data, strict=True) if old.name != "cut_wire"]
        for index, instruction in enumerate(kept):
            carried[labels[circuit.find_bit(instruction.qubits[0]).index]].append(index)
        for label, qubits in enumerate(held):
            paulis = problem.subobservables[label]
            recipe = _recipe(ObservableCollection(paulis), list(paulis), qubits, read_into)
            own = tuple(sorted({owner[qubit] for qubit in qubits}))
            ends = tuple(qubit for qubit, place in enumerate(last) if labels[place] == label)
            parts.append(
                CutPart(
                    qubits=own, num_qubits=len(qubits), circuits=tuple(experiments[label]), recipe=recipe,
                    operations=tuple(carried[label]), ends=ends,
                )
            )  # fmt: skip
        return parts, [float(coefficient) for coefficient, _ in weighted]


def installed() -> Cutter | None:
    """The cutter; None where its library is not installed."""
    try:
        return AddonCutter()
    except ImportError:
        return None


def _with_moves(cut: QuantumCircuit) -> tuple[QuantumCircuit, list[int], list[int]]:
    """Each cut wire goes on on a new qubit.

    Returns the circuit, where each qubit of the old one is at its end, and which old one each qubit is.
    """
    from qiskit_addon_cutting.instructions import Move
    from qiskit_addon_cutting.qpd import TwoQubitQPDGate

    circuit = QuantumCircuit(cut.num_qubits)
    last, owner = list(range(cut.num_qubits)), list(range(cut.num_qubits))
    for instruction in cut.data:
        places = [cut.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.name == "cut_wire":
            circuit.add_bits([Qubit()])
            new = circuit.num_qubits - 1
            circuit.append(TwoQubitQPDGate.from_instruction(Move()), [last[places[0]], new])
            last[places[0]] = new
            owner.append(places[0])
        else:
            circuit.data.append(
                CircuitInstruction(instruction.operation, [circuit.qubits[last[place]] for place in places])
            )
    return circuit, last, owner


def _expanded(
    observables: Sequence[str], measured: Sequence[tuple[int, int]], last: Sequence[int], num_qubits: int
) -> PauliList:
    """The observables on the qubits where the wires end; without any, Z on all that are measured."""
    rows = list(observables) or [_letters({qubit: "Z" for qubit, _ in measured}, len(last))]
    return PauliList(
        [_letters({last[qubit]: letter for qubit, letter in enumerate(reversed(row))}, num_qubits) for row in rows]
    )


def _letters(at: dict[int, str], num_qubits: int) -> str:
    return "".join(at.get(qubit, "I") for qubit in reversed(range(num_qubits)))


def components(circuit: QuantumCircuit, *, apart: Collection[str] = ()) -> list[tuple[int, ...]]:
    """The qubits that operations connect, or bits that several use; those that nothing acts on are left out.

    Parameters
    ----------
    apart
        names of operations that connect nothing, besides barriers.
    """
    groups: list[Sequence[Bit]] = []
    for instruction in circuit.data:
        bits = (*instruction.qubits, *instruction.clbits)
        if instruction.name in apart:
            groups += [[bit] for bit in bits]
        elif instruction.name != "barrier":
            groups.append(bits)
    leader = groups_of(groups)
    together: dict[Bit, list[int]] = {}
    for index, qubit in enumerate(circuit.qubits):
        if qubit in leader:
            together.setdefault(leader[qubit], []).append(index)
    return [tuple(qubits) for qubits in together.values()]


def _recipe(
    grouped: ObservableCollection, paulis: Sequence[Any], held: Sequence[int], read_into: dict[int, int]
) -> PartRecipe:
    """How the outcomes of a fragment are read; Any: Pauli objects."""
    measured = [list(group.pauli_indices) or [0] for group in grouped.groups]
    masks = []
    for pauli in paulis:
        group, place = grouped.lookup[pauli][0]
        active = grouped.groups[group].commuting_observables[place]
        mask = sum(1 << index for index, qubit in enumerate(measured[group]) if active.x[qubit] or active.z[qubit])
        masks.append((group, mask))
    bits = tuple(read_into.get(held[qubit], IGNORED) for qubit in measured[0]) if read_into else ()
    return PartRecipe(num_bits=tuple(map(len, measured)), bits=bits, masks=tuple(masks))
