"""A QPU's manifest as Qiskit's Target."""

from __future__ import annotations

import itertools

from qiskit.circuit import Delay, Instruction, Parameter, Reset
from qiskit.circuit.controlflow import BreakLoopOp, ContinueLoopOp, ForLoopOp, IfElseOp, SwitchCaseOp, WhileLoopOp
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.circuit.measure import Measure
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from qpi_jupyter.core import Manifest

Qargs = tuple[int, ...]
_CONTROL_FLOW = {
    "if_else": IfElseOp, "while_loop": WhileLoopOp, "for_loop": ForLoopOp, "switch_case": SwitchCaseOp,
    "break_loop": BreakLoopOp, "continue_loop": ContinueLoopOp,
}  # fmt: skip


def target_of(manifest: Manifest, *, description: str = "") -> Target:
    """The manifest as Qiskit's Target."""
    known_qubits = [QubitProperties(t1=one.t1_s, t2=one.t2_s, frequency=one.frequency_hz) for one in manifest.qubits]
    unknown = [QubitProperties()] * (manifest.num_qubits - len(known_qubits))
    target = Target(
        description=description,
        num_qubits=manifest.num_qubits,
        dt=manifest.dt_s,
        qubit_properties=[*known_qubits, *unknown] if known_qubits else None,
    )
    standard = get_standard_gate_name_mapping()
    known = {name: standard[name] for name in manifest.basis_gates if name in standard}
    known |= {"measure": Measure(), "delay": Delay(Parameter("t"), unit="dt" if manifest.dt_s else "s")}
    if manifest.mid_circuit_measurement:
        known["reset"] = Reset()
    for name, instruction in known.items():
        properties = _properties(manifest, name, instruction)
        # Where the manifest allows nothing of this width (a Toffoli on a line), the instruction is left out.
        if properties is None or properties:
            target.add_instruction(instruction, properties, name=name)
    if manifest.control_flow:
        for name, kind in _CONTROL_FLOW.items():
            target.add_instruction(kind, name=name)
    return target


def _properties(
    manifest: Manifest, name: str, instruction: Instruction
) -> dict[Qargs, InstructionProperties | None] | None:
    """Where an instruction acts and how well; None: anywhere, and nothing is known about it."""
    given: dict[Qargs, InstructionProperties | None] = {
        gate.qubits: InstructionProperties(duration=gate.duration_s, error=gate.error)
        for gate in manifest.gates
        if gate.gate == name
    }
    if name == "measure":
        for index, qubit in enumerate(manifest.qubits):
            if qubit.readout_error is not None:
                given.setdefault((index,), InstructionProperties(error=qubit.readout_error))
    if not given and manifest.coupling_map is None:
        return None
    return {qargs: given.get(qargs) for qargs in _places(manifest, instruction.num_qubits)} | given


def _places(manifest: Manifest, width: int) -> list[Qargs]:
    if width == 1 or manifest.coupling_map is None:
        return list(itertools.permutations(range(manifest.num_qubits), width))
    return [tuple(edge) for edge in manifest.coupling_map] if width == 2 else []
