"""Circuits for pulse executors, and what they ideally read, computed in another way than the twin of a device does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Delay
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Statevector
from qiskit.transpiler import InstructionDurations, PassManager
from qiskit.transpiler.passes import ALAPScheduleAnalysis, PadDelay
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, QuantumError, RelaxationNoisePass, depolarizing_error, thermal_relaxation_error
from scipy.stats import chi2_contingency

from qpi_executors.instruments.device import Device, Qubit, Readout
from qpi_executors.instruments.pulses import Event
from qpi_executors.instruments.timing import Timeline
from qpi_executors.instruments.twin import Walk

_NO_GATES = frozenset({"measure", "reset", "delay", "barrier", "global_phase", "id"})
GATES = {
    name: gate
    for name, gate in sorted(get_standard_gate_name_mapping().items())
    if name not in _NO_GATES and gate.num_qubits <= 5
}
"""All standard gates that a circuit of up to five qubits can have."""


def any_circuit(seed: int) -> QuantumCircuit:
    """One to five qubits, any standard gates, up to three measurements and resets midway, all measured at the end."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 6))
    circuit = QuantumCircuit(size, size + 2, name=f"any_{seed}")
    fitting = [gate for gate in GATES.values() if gate.num_qubits <= size]
    midway = sorted(rng.choice(10, size=int(rng.integers(0, 4)), replace=False).tolist())
    for step in range(10):
        gate = fitting[int(rng.integers(len(fitting)))]
        qubits = rng.choice(size, size=gate.num_qubits, replace=False).tolist()
        angles = rng.uniform(-np.pi, np.pi, size=len(gate.params)).tolist()
        circuit.append(gate.base_class(*angles) if gate.params else gate, qubits)
        if step in midway:
            qubit = int(rng.integers(size))
            if rng.random() < 0.5:
                circuit.measure(qubit, size + int(rng.integers(2)))
            else:
                circuit.reset(qubit)
    circuit.measure(range(size), range(size))
    return circuit


def ideal(circuit: QuantumCircuit) -> dict[str, float]:
    """The distribution of the classical bits (last bit first), from one state vector.

    Each measurement copies its qubit to a fresh one, each reset swaps in a fresh one; all are measured at the end. What
    a branch plays is controlled by the copy; loops have a fixed number of turns.
    """
    flat = list(_flat(circuit, circuit.qubits, circuit.clbits))
    kept: dict[int, int] = {}
    fresh = circuit.num_qubits
    wide = QuantumCircuit(fresh + sum(1 for operation, *_ in flat if operation.name in ("measure", "reset")))
    for operation, bits, clbits, conditions in flat:
        qubits = [circuit.find_bit(bit).index for bit in bits]
        read = [(kept.get(circuit.find_bit(bit).index), value) for bit, value in conditions]
        if any(place is None and value for place, value in read):
            continue  # a bit that nothing wrote is 0
        if operation.name == "measure":
            wide.cx(qubits[0], fresh)
            kept[circuit.find_bit(clbits[0]).index] = fresh
            fresh += 1
        elif operation.name == "reset":
            wide.swap(qubits[0], fresh)
            fresh += 1
        elif operation.name not in ("delay", "barrier"):
            for place, value in read:
                if place is not None:
                    operation, qubits = operation.control(1, ctrl_state=value), [place, *qubits]
            wide.append(operation, qubits)
    clbits = sorted(kept)
    found: dict[str, float] = {}
    for key, p in Statevector(wide).probabilities_dict([kept[clbit] for clbit in clbits]).items():
        read_bits = ["0"] * circuit.num_clbits
        for clbit, bit in zip(clbits, reversed(key), strict=True):
            read_bits[clbit] = bit
        outcome = "".join(reversed(read_bits))
        found[outcome] = found.get(outcome, 0.0) + float(p)
    return found


def _flat(circuit: QuantumCircuit, qubits: list, clbits: list, conditions: tuple = ()) -> Iterator[tuple]:
    """Every operation with its bits, and the bits that have to have a value for it to be played."""
    outer = dict(zip((*circuit.qubits, *circuit.clbits), (*qubits, *clbits), strict=True))
    for instruction in circuit.data:
        operation = instruction.operation
        own = [outer[bit] for bit in instruction.qubits], [outer[bit] for bit in instruction.clbits]
        if operation.name == "for_loop":
            indices, parameter, body = operation.params
            for index in indices:
                turn = body.assign_parameters({parameter: index}) if parameter else body
                yield from _flat(turn, *own, conditions)
        elif operation.name == "if_else":
            bit, wanted = operation.condition
            for block, value in zip(operation.blocks, (int(wanted), 1 - int(wanted)), strict=False):
                yield from _flat(block, *own, (*conditions, (outer.get(bit, bit), value)))
        else:
            yield operation, *own, conditions


def distribution(events: Sequence[Event], device: Device) -> dict[frozenset[tuple[str, int]], float]:
    """The exact probability of each outcome (pairs of acquisition and bit) by the twin, before any readout error."""
    found: dict[frozenset[tuple[str, int]], float] = {}
    for outcome, share in Walk(events, device).run(1.0, lambda whole, p: whole * p):
        key = frozenset(outcome.items())
        found[key] = found.get(key, 0.0) + share
    return found


def by_clbit(found: dict[frozenset[tuple[str, int]], float], plan: Timeline, clbits: int) -> dict[str, float]:
    """A distribution over acquisitions as one of the classical bits at the end."""
    read: dict[str, float] = {}
    for outcome, p in found.items():
        bits = dict(outcome)
        key = "".join(str(bits[plan.labels[k]]) if k in plan.labels else "0" for k in reversed(range(clbits)))
        read[key] = read.get(key, 0.0) + p
    return read


def _aer_noise(device: Device) -> NoiseModel:
    """The device's errors as Aer has them: of gates, of readout; relaxation of gates, that of waits comes by a pass."""
    model = NoiseModel(basis_gates=["rz", "sx", "x", "cz", "delay", "measure"])
    for k, qubit in enumerate(device.qubits.values()):
        relaxed = _relaxed(qubit, qubit.drive.duration_s)
        model.add_quantum_error(depolarizing_error(2 * qubit.gate_error, 1).compose(relaxed), ["sx", "x"], [k])
        model.add_readout_error(_confusion(qubit.readout), [k])
    for pair, edge in device.edges.items():
        a, b = (_relaxed(device.qubits[name], edge.duration_s) for name in pair)
        depolarized = depolarizing_error(4 / 3 * edge.gate_error, 2)
        places = [device.names.index(name) for name in pair]
        model.add_quantum_error(depolarized.compose(a.expand(b)), "cz", places)  # the first belongs to the first place
        model.add_quantum_error(depolarized.compose(b.expand(a)), "cz", places[::-1])
    return model


def aer_counts(native: QuantumCircuit, device: Device, shots: int, seed: int) -> dict[str, int]:
    """What Aer counts with the device's noise, timed by Qiskit's own scheduler; reads and resets take as long."""
    timed = native.copy_empty_like()
    for instruction in native.data:
        qubits = [native.find_bit(bit).index for bit in instruction.qubits]
        if instruction.name == "reset":
            timed.delay(round(device.qubits[device.names[qubits[0]]].reset_s * 1e9), qubits, "dt")
            continue
        timed.append(instruction)
        if instruction.name == "measure":
            readout = device.qubits[device.names[qubits[0]]].readout
            timed.delay(round((readout.acq_delay_s + readout.integration_s) * 1e9), qubits, "dt")
    lengths = [(name, None, 20) for name in ("sx", "x")] + [("cz", None, 40), ("rz", None, 0), ("measure", None, 0)]
    durations = InstructionDurations(lengths, dt=1e-9)
    qubits = list(device.qubits.values())
    scheduled = PassManager([ALAPScheduleAnalysis(durations), PadDelay(durations=durations)]).run(timed)
    waits = RelaxationNoisePass([q.t1_s for q in qubits], [q.t2_s for q in qubits], dt=1e-9, op_types=Delay)
    deferred, model = _deferred(PassManager(waits).run(scheduled), device)
    simulator = AerSimulator(method="density_matrix", noise_model=model, seed_simulator=seed, max_parallel_threads=1)
    return simulator.run(deferred, shots=shots).result().get_counts()


def _deferred(circuit: QuantumCircuit, device: Device) -> tuple[QuantumCircuit, NoiseModel]:
    """The same with measurements midway copied to fresh qubits and read at the end, so that Aer evolves it once."""
    model, late = _aer_noise(device), []
    last = {
        bit: k
        for k, instruction in enumerate(circuit.data)
        for bit in instruction.qubits
        if instruction.name not in ("delay", "quantum_channel")
    }
    midway = [k for k, one in enumerate(circuit.data) if one.name == "measure" and last[one.qubits[0]] != k]
    wide = QuantumCircuit(circuit.num_qubits + len(midway), circuit.num_clbits)
    overwritten = {}
    for k, instruction in enumerate(circuit.data):
        qubits = [circuit.find_bit(bit).index for bit in instruction.qubits]
        clbits = [circuit.find_bit(bit).index for bit in instruction.clbits]
        if k > last.get(instruction.qubits[0], -1):
            continue  # a wait after the end
        if k in midway:
            fresh = circuit.num_qubits + midway.index(k)
            wide.cx(qubits[0], fresh)
            model.add_readout_error(_confusion(device.qubits[device.names[qubits[0]]].readout), [fresh])
            overwritten[clbits[0]] = fresh
        elif instruction.name == "measure":
            late.append((qubits[0], clbits[0]))
            overwritten.pop(clbits[0], None)
        else:
            wide.append(instruction.operation, qubits, clbits)
    for qubit, clbit in (*late, *((fresh, clbit) for clbit, fresh in overwritten.items())):
        wide.measure(qubit, clbit)
    return wide, model


def _relaxed(qubit: Qubit, duration_s: float) -> QuantumError:
    return thermal_relaxation_error(qubit.t1_s, qubit.t2_s, duration_s)


def _confusion(readout: Readout) -> list[list[float]]:
    return [[1 - readout.p01, readout.p01], [readout.p10, 1 - readout.p10]]


def chi_squared(one: dict[str, int], other: dict[str, int]) -> float:
    """The p-value of two samples being of one distribution; rare outcomes are counted together."""
    shots, others = sum(one.values()), sum(other.values())
    table: list[list[int]] = [[0, 0]]
    for key in sorted(one.keys() | other.keys(), key=lambda key: one.get(key, 0) + other.get(key, 0)):
        if sum(table[-1]) * min(shots, others) / (shots + others) >= 8:  # else too few to stand alone
            table.append([0, 0])
        table[-1][0] += one.get(key, 0)
        table[-1][1] += other.get(key, 0)
    return 1.0 if len(table) < 2 else float(chi2_contingency(np.array(table))[1])


def distance(one: dict[str, float], other: dict[str, float]) -> float:
    """The total variation distance of two distributions."""
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in one.keys() | other.keys()) / 2


def noiseless(device: Device) -> Device:
    """The device without decay and errors; its pulses are the same."""
    qubits = {
        name: replace(
            qubit, t1_s=None, t2_s=None, gate_error=0.0, readout=replace(qubit.readout, p01=0.0, p10=0.0, sigma=0.0)
        )
        for name, qubit in device.qubits.items()
    }  # fmt: skip
    edges = {pair: replace(edge, gate_error=0.0) for pair, edge in device.edges.items()}
    return replace(device, qubits=qubits, edges=edges)
