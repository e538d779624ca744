"""The compiler front of all pulse executors: a circuit becomes one of native gates on the device's qubits."""

from __future__ import annotations

from functools import cached_property

from qiskit import QuantumCircuit
from qiskit.circuit import Delay, IfElseOp, Measure, Parameter, Reset
from qiskit.circuit.library import CZGate, RZGate, SXGate, XGate
from qiskit.transpiler import InstructionProperties, PassManager, QubitProperties, Target, generate_preset_pass_manager

from qpi_jupyter.core import GateProperties
from qpi_jupyter.core import QubitProperties as QubitFacts

from .branches import written_out
from .device import Device, Qubit

BASIS = ("rz", "sx", "x", "cz")
GRID_NS = 4
"""Everything begins and ends on this grid: the sequencers' shortest step."""
DT_S = 1e-9
"""Qiskit's ``dt`` on these devices."""
_PASSIVE = frozenset({"measure", "reset", "barrier", "delay"})


def on_grid(seconds: float) -> int:
    """A duration in ns, rounded up to the grid."""
    return -int(-round(seconds * 1e9, 3) // GRID_NS) * GRID_NS


def readout_ns(qubit: Qubit) -> int:
    """How long a measurement takes: until the pulse and the integration are over."""
    readout = qubit.readout
    return on_grid(max(readout.duration_s, readout.acq_delay_s + readout.integration_s))


class Front:
    """Transpiles for one device; circuit qubit ``i`` starts on device qubit ``i``, swaps are inserted where needed."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def native(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """The circuit in `BASIS` with measure, reset, delay and barrier, on the device's edges, and with branches that
        play where one measured bit is 1.

        One that is so already stays as it is.

        Raises
        ------
        ValueError
            control flow that the instruments do not have (`written_out`).
        """
        circuit = written_out(circuit)
        if self._fits(circuit):
            return circuit
        compiled: QuantumCircuit = self._passes.run(circuit)
        return compiled

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Both directions of every edge, by index."""
        index = {name: k for k, name in enumerate(self.device.names)}
        pairs = [(index[parent], index[child]) for parent, child in self.device.edges]
        return tuple(sorted({edge for a, b in pairs for edge in ((a, b), (b, a))}))

    @cached_property
    def gates(self) -> tuple[GateProperties, ...]:
        """Durations and errors of all operations, as the manifest has them."""
        found = []
        for k, qubit in enumerate(self.device.qubits.values()):
            drive_s = on_grid(qubit.drive.duration_s) * 1e-9
            readout = qubit.readout
            found += [
                GateProperties(gate="rz", qubits=(k,), duration_s=0.0, error=0.0),
                GateProperties(gate="sx", qubits=(k,), duration_s=drive_s, error=qubit.gate_error),
                GateProperties(gate="x", qubits=(k,), duration_s=drive_s, error=qubit.gate_error),
                GateProperties(
                    gate="measure", qubits=(k,), duration_s=readout_ns(qubit) * 1e-9,
                    error=(readout.p01 + readout.p10) / 2,
                ),
                GateProperties(gate="reset", qubits=(k,), duration_s=on_grid(qubit.reset_s) * 1e-9),
            ]  # fmt: skip
        for a, b in self.edges:
            edge = self.device.edges[self.device.edge(self.device.names[a], self.device.names[b])]
            duration_s = on_grid(edge.duration_s) * 1e-9
            found.append(GateProperties(gate="cz", qubits=(a, b), duration_s=duration_s, error=edge.gate_error))
        return tuple(found)

    @cached_property
    def qubits(self) -> tuple[QubitFacts, ...]:
        """Coherence, frequency and readout of all qubits, as the manifest has them."""
        return tuple(
            QubitFacts(
                t1_s=qubit.t1_s, t2_s=qubit.t2_s, frequency_hz=qubit.f01_hz,
                readout_error=(qubit.readout.p01 + qubit.readout.p10) / 2,
            )
            for qubit in self.device.qubits.values()
        )  # fmt: skip

    @cached_property
    def target(self) -> Target:
        """The device as Qiskit's Target."""
        target = Target(
            num_qubits=len(self.device.names), dt=DT_S,
            qubit_properties=[
                QubitProperties(t1=qubit.t1_s, t2=qubit.t2_s, frequency=qubit.frequency_hz) for qubit in self.qubits
            ],
        )  # fmt: skip
        theta = Parameter("theta")
        kinds = {
            "rz": RZGate(theta),
            "sx": SXGate(),
            "x": XGate(),
            "cz": CZGate(),
            "measure": Measure(),
            "reset": Reset(),
        }
        for name, kind in kinds.items():
            facts = {
                gate.qubits: InstructionProperties(duration=gate.duration_s, error=gate.error)
                for gate in self.gates
                if gate.gate == name
            }
            if facts:
                target.add_instruction(kind, facts)
        target.add_instruction(Delay(theta), {(k,): None for k in range(len(self.device.names))})
        target.add_instruction(IfElseOp, name="if_else")
        return target

    @cached_property
    def _passes(self) -> PassManager:
        return generate_preset_pass_manager(
            1, target=self.target, layout_method="trivial", routing_method="sabre", seed_transpiler=0
        )

    def _fits(self, circuit: QuantumCircuit) -> bool:
        """It is in the basis and on the edges already: a client transpiled it."""
        find = circuit.find_bit
        return circuit.num_qubits == len(self.device.names) and all(
            instruction.name in _PASSIVE
            or (instruction.name in BASIS and instruction.name != "cz")
            or (instruction.name == "cz" and tuple(find(bit).index for bit in instruction.qubits) in self.edges)
            for instruction in circuit.data
        )
