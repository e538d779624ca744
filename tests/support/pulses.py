"""Circuits for pulse executors, and what they ideally read, computed in another way than the twin of a device does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.circuit import Delay
from qiskit.quantum_info import Statevector
from qiskit.transpiler import InstructionDurations, PassManager
from qiskit.transpiler.passes import ALAPScheduleAnalysis, PadDelay
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, RelaxationNoisePass, depolarizing_error, thermal_relaxation_error
from scipy.stats import chi2_contingency

from qpi_executors.instruments.device import Device
from qpi_executors.instruments.timing import Timeline

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

    Each measurement copies its qubit to a fresh one, each reset swaps in a fresh one; nothing is measured before the end.
    """
    kept: dict[int, int] = {}
    fresh = circuit.num_qubits
    wide = QuantumCircuit(fresh + sum(1 for instruction in circuit.data if instruction.name in ("measure", "reset")))
    for instruction in circuit.data:
        qubits = [circuit.find_bit(bit).index for bit in instruction.qubits]
        if instruction.name == "measure":
            wide.cx(qubits[0], fresh)
            kept[circuit.find_bit(instruction.clbits[0]).index] = fresh
            fresh += 1
        elif instruction.name == "reset":
            wide.swap(qubits[0], fresh)
            fresh += 1
        elif instruction.name not in ("delay", "barrier"):
            wide.append(instruction.operation, qubits)
    clbits = sorted(kept)
    found: dict[str, float] = {}
    for key, p in Statevector(wide).probabilities_dict([kept[clbit] for clbit in clbits]).items():
        bits = ["0"] * circuit.num_clbits
        for clbit, bit in zip(clbits, reversed(key), strict=True):
            bits[clbit] = bit
        outcome = "".join(reversed(bits))
        found[outcome] = found.get(outcome, 0.0) + float(p)
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
        relaxed = thermal_relaxation_error(qubit.t1_s, qubit.t2_s, qubit.drive.duration_s)
        model.add_quantum_error(depolarizing_error(2 * qubit.gate_error, 1).compose(relaxed), ["sx", "x"], [k])
        readout = qubit.readout
        model.add_readout_error([[1 - readout.p01, readout.p01], [readout.p10, 1 - readout.p10]], [k])
    for pair, edge in device.edges.items():
        a, b = (device.qubits[name] for name in pair)
        relaxed = thermal_relaxation_error(a.t1_s, a.t2_s, edge.duration_s).expand(
            thermal_relaxation_error(b.t1_s, b.t2_s, edge.duration_s)
        )
        places = tuple(device.names.index(name) for name in pair)
        # `expand` puts the second on the lower qubit, which is the first of the two.
        swapped = thermal_relaxation_error(b.t1_s, b.t2_s, edge.duration_s).expand(
            thermal_relaxation_error(a.t1_s, a.t2_s, edge.duration_s)
        )
        model.add_quantum_error(depolarizing_error(4 / 3 * edge.gate_error, 2).compose(relaxed), "cz", places[::-1])
        model.add_quantum_error(depolarizing_error(4 / 3 * edge.gate_error, 2).compose(swapped), "cz", places)
    return model


def aer_counts(native: QuantumCircuit, device: Device, shots: int, seed: int) -> dict[str, int]:
    """What Aer counts with the device's noise, timed by Qiskit's own scheduler: reads and resets wait as they do there."""
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
    scheduled = PassManager(waits).run(scheduled)
    simulator = AerSimulator(noise_model=_aer_noise(device), seed_simulator=seed)
    return simulator.run(scheduled, shots=shots).result().get_counts()


def chi_squared(one: dict[str, int], other: dict[str, int]) -> float:
    """The p-value of two samples being of one distribution; rare outcomes are counted together."""
    keys = one.keys() | other.keys()
    total, mine = sum(other.values()) + sum(one.values()), sum(one.values())
    often = {key for key in keys if (one.get(key, 0) + other.get(key, 0)) * mine / total >= 8}
    table = [[sample.get(key, 0) for key in sorted(often)] for sample in (one, other)]
    for row, sample in zip(table, (one, other), strict=True):
        row.append(sum(count for key, count in sample.items() if key not in often))
    columns = [column for column in zip(*table, strict=True) if sum(column)]
    return 1.0 if len(columns) < 2 else float(chi2_contingency(np.array(columns).T)[1])


def distance(one: dict[str, float], other: dict[str, float]) -> float:
    """The total variation distance of two distributions."""
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in one.keys() | other.keys()) / 2


def noiseless(device: Device) -> Device:
    """The device without decay and errors; its pulses are the same."""
    qubits = {
        name: replace(
            qubit, t1_s=None, t2_s=None, gate_error=0.0, readout=replace(qubit.readout, p01=0.0, p10=0.0)
        )
        for name, qubit in device.qubits.items()
    }  # fmt: skip
    edges = {pair: replace(edge, gate_error=0.0) for pair, edge in device.edges.items()}
    return replace(device, qubits=qubits, edges=edges)
