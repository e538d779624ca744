"""Pauli twirling of pubs: their gates and measurements in random frames, and what was measured in them as one result.

Shots are split over the randomizations as IBM's client documents it for its ``TwirlingOptions``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction, Clbit, Gate, Qubit, pauli_twirl_2q_gates
from qiskit.circuit.library import XGate, YGate, ZGate
from qiskit.converters import circuit_to_dag
from qiskit.primitives import BitArray
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.transpiler import PassManager, Target
from qiskit.transpiler.passes import Optimize1qGatesDecomposition

from qpi_jupyter.core import Rejected

STRATEGIES = ("active-accum", "active", "active-circuit", "all")
"""Which qubits a layer of twirled gates takes with it, the usual one first."""
_AUTO = "auto"
_LEAST, _MOST = 64, 32
"""At least so many shots in a randomization, and at most so many randomizations, where neither is given."""
_LIMIT = 10**9
"""No backend takes as many randomizations, or as many shots."""
_TWIRLED = frozenset({"cx", "cz", "ecr", "iswap"})
_PAULIS: dict[str, Gate] = {"X": XGate(), "Y": YGate(), "Z": ZGate()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Twirling:
    """What is twirled, and how often; None leaves a number to the shots."""

    gates: bool
    measure: bool
    num_randomizations: int | None = None
    shots_per_randomization: int | None = None
    strategy: str = STRATEGIES[0]

    @property
    def usual_shots(self) -> int | None:
        """Those of pubs that have none of their own, where both numbers are given."""
        if self.num_randomizations is None or self.shots_per_randomization is None:
            return None
        return self.num_randomizations * self.shots_per_randomization

    def split(self, shots: int) -> tuple[int, int]:
        """How many randomizations there are for some shots, and how many shots each has: together as many or a few
        more."""
        if self.num_randomizations is not None:
            count = min(self.num_randomizations, shots)
            return count, math.ceil(shots / count)
        each = min(shots, self.shots_per_randomization or max(_LEAST, math.ceil(shots / _MOST)))
        return math.ceil(shots / each), each


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One randomization: a pub, and for each classical register the bits that it flips (a sampler's)."""

    pub: Any  # SamplerPub or EstimatorPub, which have no types
    flips: Mapping[str, int] = field(default_factory=dict)


def twirling_of(options: Mapping[str, Any]) -> Twirling | None:
    """What a primitive's options, by their paths, say of twirling; None: nothing is twirled.

    Raises
    ------
    Rejected
        a value that is none of the client's.
    """
    gates, measure = (_switch(options, f"twirling.enable_{name}") for name in ("gates", "measure"))
    numbers = [_number(options, f"twirling.{name}") for name in ("num_randomizations", "shots_per_randomization")]
    told = options.get("twirling.strategy")
    strategy = STRATEGIES[0] if told is None else told
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise _bad("twirling.strategy", f"one of {', '.join(STRATEGIES)}", strategy)
    if not gates and not measure:
        return None
    return Twirling(
        gates=gates, measure=measure, num_randomizations=numbers[0], shots_per_randomization=numbers[1],
        strategy=strategy,
    )  # fmt: skip


def _switch(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name)
    if value is not None and not isinstance(value, bool):
        raise _bad(name, "True or False", value)
    return bool(value)


def _number(options: Mapping[str, Any], name: str) -> int | None:
    value = options.get(name)
    if value is None or (isinstance(value, str) and value == _AUTO):
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LIMIT:
        raise _bad(name, f"a whole number from 1 to {_LIMIT:,}, or 'auto'", value)
    return value


def _bad(name: str, due: str, value: Any) -> Rejected:
    return Rejected(f"options.{name} is {due}, not {value!r}.", code="bad_option", field=name)


# --- frames -----------------------------------------------------------------------------------------------------------


def frames(pub: Any, shots: int, twirling: Twirling, target: Target, random: np.random.Generator) -> list[Frame]:
    """The randomizations of a pub; Any: Qiskit's pubs have no types."""
    count, each = twirling.split(shots)
    paulis = _native(target)
    circuit = pub.circuit
    gates = twirling.gates and any(one.operation.name in _TWIRLED for one in circuit.data)
    layered = _layers(circuit) if gates and twirling.strategy != "active" else None
    found = []
    for _ in range(count):
        framed = circuit if layered is None else _with_idle(circuit, layered, twirling.strategy, paulis, random)
        flips: dict[str, int] = {}
        observables = pub.observables if isinstance(pub, EstimatorPub) else None
        if twirling.measure and observables is None:
            framed, flips = _flipped(framed, paulis["X"], random)
        elif twirling.measure:
            framed, observables = _turned(framed, observables, paulis, random)
        if gates:
            seed = int(random.integers(2**63))
            framed = pauli_twirl_2q_gates(framed, seed=seed, target=target if _has_gates(target) else None)
        if observables is None:
            found.append(Frame(pub=SamplerPub(framed, pub.parameter_values, each), flips=flips))
        else:
            same = EstimatorPub.coerce((framed, observables, pub.parameter_values, precision_of(each)))
            found.append(Frame(pub=same))
    return found


def precision_of(shots: int) -> float:
    """The precision that takes as many shots."""
    precision = 1 / math.sqrt(shots)
    while math.ceil(1 / precision**2) > shots:  # rounded, the square would ask for one more
        precision = math.nextafter(precision, 1)
    return precision


def observed_qubits(observables: Any) -> set[int]:
    """The qubits that observables, which have no types, measure."""
    terms = {term for each in np.ravel(observables) for term in each}
    return {len(term) - 1 - k for term in terms for k, letter in enumerate(term) if letter != "I"}


def _has_gates(target: Target) -> bool:
    return any(
        getattr(operation, "num_qubits", 0) == 1 and isinstance(operation, Gate) for operation in target.operations
    )


def _native(target: Target) -> dict[str, list[Gate]]:
    """The Paulis in the gates of a target."""
    made = {}
    basis = [name for name in target.operation_names if isinstance(target.operation_from_name(name), Gate)]
    passes = PassManager([Optimize1qGatesDecomposition(basis=basis)])
    for letter, gate in _PAULIS.items():
        circuit = QuantumCircuit(1)
        circuit.append(gate, [0])
        native = gate.name in basis or not _has_gates(target)
        made[letter] = [one.operation for one in (circuit if native else passes.run(circuit)).data]
    return made


def _flipped(
    circuit: QuantumCircuit, flip: Sequence[Gate], random: np.random.Generator
) -> tuple[QuantumCircuit, dict[str, int]]:
    """The circuit with a flip before some measurements, and for each register the bits that are turned by it: of those
    that nothing in the circuit reads."""
    dag = circuit_to_dag(circuit)
    read = {
        wire
        for node in dag.op_nodes()
        if node.op.name not in ("measure", "barrier")
        for *_, wire in dag.edges(node)
        if isinstance(wire, Clbit)
    } | {bit for one in circuit.data if one.operation.name != "measure" for bit in one.clbits}
    last = {qubit: at for at, one in enumerate(circuit.data) if one.operation.name != "barrier" for qubit in one.qubits}
    framed, turned = circuit.copy_empty_like(), {}
    for at, one in enumerate(circuit.data):
        if one.operation.name != "measure" or one.clbits[0] in read or not random.integers(2):
            framed.append(one)
            turned.update(dict.fromkeys(one.clbits if one.operation.name == "measure" else (), False))
            continue
        (qubit,) = one.qubits
        _add(framed, flip, qubit)
        framed.append(one)
        if last[qubit] > at:
            _add(framed, flip, qubit)
        turned[one.clbits[0]] = True
    return framed, {
        register.name: sum(1 << place for place, bit in enumerate(register) if turned.get(bit))
        for register in circuit.cregs
    }


def _turned(
    circuit: QuantumCircuit, observables: Any, paulis: Mapping[str, Sequence[Gate]], random: np.random.Generator
) -> tuple[QuantumCircuit, Any]:
    """The circuit with a random Pauli at the end of each qubit that is measured, and the observables behind them: with
    the sign of those that it turns, whatever their basis."""
    width = circuit.num_qubits
    drawn = {qubit: "IXYZ"[random.integers(4)] for qubit in sorted(observed_qubits(observables))}
    framed = circuit.copy()
    for qubit, letter in drawn.items():
        _add(framed, paulis.get(letter, ()), framed.qubits[qubit])

    def sign(term: str) -> int:
        return math.prod(
            -1 if "I" not in (term[width - 1 - qubit], letter) and term[width - 1 - qubit] != letter else 1
            for qubit, letter in drawn.items()
        )

    signed = np.empty(observables.shape, dtype=object)
    for place in np.ndindex(signed.shape):
        signed[place] = {term: sign(term) * factor for term, factor in observables[place].items()}
    return framed, signed.tolist() if signed.shape else signed[()]


def _add(circuit: QuantumCircuit, gates: Sequence[Gate], qubit: Qubit) -> None:
    for gate in gates:
        circuit.append(gate, [qubit])


# --- layers -----------------------------------------------------------------------------------------------------------

Layers = list[tuple[list[CircuitInstruction], list[CircuitInstruction]]]
"""What comes before the twirled gates of a layer, and these: on different qubits each."""


def _layers(circuit: QuantumCircuit) -> Layers:
    """The circuit layer by layer, each gate as early as it can be."""
    dag = circuit_to_dag(circuit)
    free: dict[int, int] = {}
    layers: Layers = []
    for node in dag.topological_op_nodes():
        layer = max((free.get(before._node_id, 0) for before in dag.predecessors(node)), default=0)  # noqa: SLF001
        twirled = node.op.name in _TWIRLED
        free[node._node_id] = layer + twirled  # noqa: SLF001
        while len(layers) <= layer:
            layers.append(([], []))
        layers[layer][twirled].append(CircuitInstruction(node.op, node.qargs, node.cargs))
    return layers


def _with_idle(
    circuit: QuantumCircuit,
    layers: Layers,
    strategy: str,
    paulis: Mapping[str, Sequence[Gate]],
    random: np.random.Generator,
) -> QuantumCircuit:
    """The circuit with random Paulis around each layer on the other qubits that the strategy names."""
    union = {qubit for _, gates in layers for one in gates for qubit in one.qubits}
    taken: set[Qubit] = set() if strategy == "active-accum" else set(circuit.qubits) if strategy == "all" else union
    framed = circuit.copy_empty_like()
    for others, gates in layers:
        for one in others:
            framed.append(one)
        active = {qubit for one in gates for qubit in one.qubits}
        taken |= active
        idle = [qubit for qubit in circuit.qubits if gates and qubit in taken - active]
        drawn = [(qubit, paulis.get("IXYZ"[random.integers(4)], ())) for qubit in idle]
        for qubit, own in drawn:
            _add(framed, own, qubit)
        if idle:  # so that the layer, with its own Paulis, stays between those of the others
            framed.barrier(*idle, *active)
        for one in gates:
            framed.append(one)
        if idle:
            framed.barrier(*idle, *active)
        for qubit, own in drawn:
            _add(framed, own, qubit)
    return framed


# --- results ----------------------------------------------------------------------------------------------------------


def together(found: Sequence[Frame], results: Sequence[Any], shots: int) -> Any:
    """The result of a pub from those of its frames. Shot ``k`` is of randomization ``k % len(frames)``: of shots that
    there are beyond those asked for, each randomization loses its last."""
    data = [result.data for result in results]
    if "evs" in data[0]:
        stds = np.sqrt(np.sum([np.square(one["stds"]) for one in data], axis=0)) / len(data)
        return SimpleNamespace(data={"evs": np.mean([one["evs"] for one in data], axis=0), "stds": stds})
    whole: dict[str, Any] = {}
    for name, first in data[0].items():
        several = [one[name] for one in data]
        if isinstance(first, BitArray):
            flipped = [
                bits.array ^ np.frombuffer(frame.flips.get(name, 0).to_bytes(bits.array.shape[-1], "big"), np.uint8)
                for frame, bits in zip(found, several, strict=True)
            ]
            whole[name] = BitArray(_interleaved(flipped, shots), first.num_bits)
        elif first.ndim > len(found[0].pub.shape) + 1:
            whole[name] = _interleaved(several, shots)
        else:  # IQ points that are averaged already
            whole[name] = np.mean(several, axis=0)
    return SimpleNamespace(data=whole)


def _interleaved(arrays: Sequence[np.ndarray], shots: int) -> np.ndarray:
    """Arrays of shots, the axis before the last, as one."""
    stacked = np.stack(arrays, axis=-2)
    return stacked.reshape(*stacked.shape[:-3], -1, stacked.shape[-1])[..., :shots, :]
