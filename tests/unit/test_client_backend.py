"""A QPU's manifest as Qiskit's Target."""

from __future__ import annotations

import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.controlflow import IfElseOp

from qpi_jupyter.data.targets import target_of
from tests.faults.scripted_rest import SIM_A, SIM_B


def test_a_line_of_qubits_with_calibrations() -> None:
    assert SIM_B.manifest is not None
    target = target_of(SIM_B.manifest)
    assert target.num_qubits == 5
    assert target.dt == 1e-9
    assert set(target.build_coupling_map().get_edges()) == {(0, 1), (1, 2), (2, 3), (3, 4)}
    assert (target["sx"][(0,)].duration, target["sx"][(0,)].error) == (20e-9, 1e-4)
    assert target["sx"][(1,)] is None
    assert target["cz"][(0, 1)].error == 5e-3
    assert target["measure"][(0,)].duration == 1e-6
    assert (target.qubit_properties[0].t1, target.qubit_properties[0].frequency) == (50e-6, 5e9)
    assert "if_else" not in target.operation_names


def test_all_to_all_is_no_coupling_map_and_control_flow_is_known() -> None:
    assert SIM_A.manifest is not None
    target = target_of(SIM_A.manifest)
    assert target.num_qubits == 24
    assert target.build_coupling_map() is None
    assert target.operation_from_name("if_else") is IfElseOp
    # A name that is no standard gate is the executor's own affair.
    assert "unitary" not in target.operation_names


@pytest.mark.parametrize(
    ("qpu", "native"), [(SIM_A, {"h", "cx", "measure"}), (SIM_B, {"rz", "sx", "x", "cz", "measure"})]
)
def test_transpile_uses_only_what_is_there(qpu: object, native: set[str]) -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.measure(range(3), range(3))
    done = transpile(circuit, target=target_of(qpu.manifest), seed_transpiler=1)  # type: ignore[attr-defined]
    assert set(done.count_ops()) <= native
