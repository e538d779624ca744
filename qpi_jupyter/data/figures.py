"""How well a circuit would do on a QPU's Target, and how long it would take: after a transpilation, from calibration.

The estimated success probability is the product of 1 - error over all operations of the transpiled circuit, readout
among them (Nielsen and Chuang's independent errors; mqt-predictor calls it the expected fidelity). What a target does
not say counts as no error and no time.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.circuit import Bit, CircuitInstruction, ControlFlowOp
from qiskit.exceptions import QiskitError
from qiskit.transpiler import StagedPassManager, Target, generate_preset_pass_manager

from qpi_jupyter.core import Manifest
from qpi_jupyter.core.planning import Figures

from .branchless import as_it_runs
from .circuits import to_qpy
from .targets import target_of

_KEPT_MANAGERS, _KEPT_FIGURES = 256, 16_384
_FREE = frozenset({"barrier", "delay"})


class Transpiler:
    """Transpiles for targets, and remembers both the targets and what it found of each circuit; with ``digests``, also
    of what it made."""

    def __init__(self, *, digests: bool = False) -> None:
        self._digests = digests
        self._managers: OrderedDict[tuple[str, int], tuple[Target, StagedPassManager]] = OrderedDict()
        self._found: OrderedDict[tuple[str, str, int], Figures] = OrderedDict()

    def figures(self, digest: str, circuit: QuantumCircuit, target: str, manifest: Manifest, seed: int) -> Figures:
        """The circuit on a target.

        Parameters
        ----------
        digest
            says which circuit it is.
        target
            says which manifest it is, its calibration with it.
        """
        key = (digest, target, seed)
        if key not in self._found:
            self._found[key] = self._look(circuit, target, manifest, seed)
            if len(self._found) > _KEPT_FIGURES:
                self._found.popitem(last=False)
        return self._found[key]

    def _look(self, circuit: QuantumCircuit, name: str, manifest: Manifest, seed: int) -> Figures:
        circuit = as_it_runs(circuit, manifest)
        if (lacking := _lacking(circuit, manifest)) is not None:
            return lacking
        target, manager = self._manager(name, manifest, seed)
        try:
            native = manager.run(circuit)
        except (QiskitError, ValueError, KeyError) as error:  # whatever its gates cannot say
            return Figures(problem=f"its gates cannot carry out the circuit ({error!s:.200}).", missing="gates")
        of_native = digest(native) if self._digests else ""
        return Figures(esp=esp(native, target), shot_s=duration_s(native, target), digest=of_native)

    def _manager(self, name: str, manifest: Manifest, seed: int) -> tuple[Target, StagedPassManager]:
        key = (name, seed)
        if key not in self._managers:
            target = target_of(manifest)
            manager = generate_preset_pass_manager(optimization_level=1, target=target, seed_transpiler=seed)
            self._managers[key] = target, manager
            if len(self._managers) > _KEPT_MANAGERS:
                self._managers.popitem(last=False)
        self._managers.move_to_end(key)
        return self._managers[key]


def hardest(circuits: Sequence[QuantumCircuit]) -> QuantumCircuit:
    """The circuit whose figures stand for all of a program: of those that use qubits again, the one with most
    operations."""
    return max(circuits, key=lambda one: (uses_after_measurement(one), one.size()))


def digest(circuit: QuantumCircuit) -> str:
    """The circuit's own, whatever it is called."""
    same = circuit.copy()
    same.name, same.metadata = "circuit", {}
    return hashlib.sha256(to_qpy([same])).hexdigest()


def esp(circuit: QuantumCircuit, target: Target) -> float:
    """The estimated success probability of a circuit in a target's own operations.

    Of the branches of a condition the worst counts, and a loop counts once.
    """
    found = 1.0
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            found *= min((esp(block, target) for block in operation.blocks), default=1.0)
        else:
            found *= 1.0 - (_known(circuit, instruction, target, "error") or 0.0)
    return found


def duration_s(circuit: QuantumCircuit, target: Target) -> float:
    """The time of one shot (seconds): each operation begins when its qubits and bits are free."""
    free: dict[Bit, float] = {}
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            took = max((duration_s(block, target) for block in operation.blocks), default=0.0)
        else:
            took = _known(circuit, instruction, target, "duration") or 0.0
        bits = (*instruction.qubits, *instruction.clbits)
        end = max((free.get(bit, 0.0) for bit in bits), default=0.0) + took
        free.update(dict.fromkeys(bits, end))
    return max(free.values(), default=0.0)


def _known(circuit: QuantumCircuit, instruction: CircuitInstruction, target: Target, quantity: str) -> float | None:
    """What the target says of an operation on its qubits; None where it says nothing."""
    if instruction.name in _FREE or instruction.name not in target.operation_names:
        return None
    places = target[instruction.name]
    qubits = tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
    properties = None if places is None else places.get(qubits)
    found: float | None = getattr(properties, quantity, None)
    return found


def _lacking(circuit: QuantumCircuit, manifest: Manifest) -> Figures | None:
    """What of the circuit a QPU is known not to do."""
    if not manifest.control_flow and any(isinstance(one.operation, ControlFlowOp) for one in circuit.data):
        return Figures(
            problem="it cannot run control flow (if, for, while, switch).", missing="control_flow"
        )  # fmt: skip
    if not manifest.mid_circuit_measurement and uses_after_measurement(circuit):
        return Figures(
            problem="it cannot measure or reset a qubit in the middle of a circuit.", missing="mid_circuit_measurement"
        )
    return None


def uses_after_measurement(circuit: QuantumCircuit) -> bool:
    """Whether a qubit is reset, or used again after its measurement."""
    measured: set[Bit] = set()
    for instruction in circuit.data:
        if instruction.name == "barrier":
            continue
        if instruction.name == "reset" or not measured.isdisjoint(instruction.qubits):
            return True
        if instruction.name == "measure":
            measured.update(instruction.qubits)
    return False
