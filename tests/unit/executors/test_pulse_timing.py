"""When native operations happen: in parallel, as late as possible, on the grid."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qpi_executors.instruments.executor import EXAMPLE
from qpi_executors.instruments.files import load
from qpi_executors.instruments.front import Front
from qpi_executors.instruments.timing import TRIGGER_NS, timeline

DEVICE = load([Path(path) for path in EXAMPLE], library="qblox", dummy=True).device


def plan(circuit):
    return timeline(Front(DEVICE).native(circuit), DEVICE)


def native(*operations):
    circuit = QuantumCircuit(5, 5)
    for name, *given in operations:
        getattr(circuit, name)(*given)
    return circuit


def starts(found):
    return {(operation.name, *operation.qubits): operation.start_ns for operation in found.operations}


def test_what_waits_for_nothing_begins_as_late_as_it_can():
    found = starts(plan(native(("x", 0), ("delay", 200, 1, "ns"), ("x", 1), ("measure", [0, 1], [0, 1]))))
    assert found["x", "q0"] == found["x", "q1"] == 200
    assert found["measure", "q0"] == found["measure", "q1"] == 220


def test_a_barrier_holds_back_the_qubits_on_both_sides():
    found = starts(plan(native(("x", 0), ("barrier", [0, 1]), ("x", 1), ("measure", 0, 0), ("measure", 1, 1))))
    assert found["x", "q0"] + 20 == found["x", "q1"]


def test_measurements_into_one_bit_keep_their_order():
    found = plan(native(("measure", 0, 0), ("measure", 1, 0)))
    assert starts(found)["measure", "q0"] + 1100 == starts(found)["measure", "q1"]
    assert found.labels == {0: "q1_m0"}


def test_each_measurement_of_a_qubit_has_a_label_of_its_own():
    found = plan(native(("measure", 0, 3), ("x", 0), ("measure", 0, 1)))
    assert found.labels == {1: "q0_m1", 3: "q0_m0"}
    assert found.acquisitions == {"q0": ("q0_m0", "q0_m1")}


@pytest.mark.parametrize(("asked", "taken_ns"), [(10, 8), (11, 12), (1, 0), (12, 12)])
def test_a_delay_off_the_grid_is_rounded_and_told_of(asked, taken_ns):
    found = plan(native(("x", 0), ("delay", asked, 0, "ns"), ("measure", 0, 0)))
    assert starts(found)["measure", "q0"] - starts(found)["x", "q0"] == 20 + taken_ns
    rounded = [] if asked == taken_ns else [(asked * 1e-9, taken_ns * 1e-9)]
    assert [tuple(pytest.approx(value) for value in pair) for pair in found.rounded] == rounded


def test_a_shot_is_the_reset_and_the_circuit():
    found = plan(native(("x", 0), ("reset", 0), ("measure", 0, 0)))
    assert found.reset_ns == 250_000
    assert found.duration_ns == 20 + 250_000 + 1100
    assert found.shot_s == pytest.approx(501.12e-6)


def test_a_native_circuit_stays_as_it_is():
    circuit = native(("x", 3), ("rz", 0.3, 3), ("cz", 3, 2), ("measure", 3, 0))
    assert Front(DEVICE).native(circuit) is circuit
    far = native(("x", 3), ("cz", 0, 4), ("measure", 3, 0))
    assert Front(DEVICE).native(far) is not far


def branching():
    circuit = QuantumCircuit(4, 4)
    circuit.measure(0, 0)
    circuit.measure(1, 1)
    with circuit.if_test((1, 1)):
        circuit.x(2)
    with circuit.if_test((0, 1)):
        circuit.x(2)
    circuit.measure(2, 2)
    return circuit


def test_each_branch_comes_before_the_next_measurement_that_decides():
    found = plan(branching())
    kinds = [(operation.name, operation.label or operation.condition) for operation in found.operations]
    assert kinds == [
        ("measure", "q1_m0"), ("turn", "q1_m0"), ("measure", "q0_m0"), ("turn", "q0_m0"), ("measure", "q2_m0"),
    ]  # fmt: skip
    assert found.decides == {"q0_m0": "q0", "q1_m0": "q1"}
    assert found.splits == 4
    assert found.bins == 1


def test_a_branch_waits_for_its_trigger_and_holds_its_qubits():
    measured, turned, *_ = plan(branching()).operations
    assert turned.start_ns == measured.start_ns + measured.duration_ns + TRIGGER_NS


def test_with_branches_it_is_as_soon_as_possible_and_else_as_late():
    circuit = branching()
    circuit.x(3)
    circuit.measure(3, 3)
    assert starts(plan(circuit))["x", "q3"] == 0
    late = native(("x", 3), ("measure", 0, 0), ("measure", 0, 1), ("measure", 3, 2))
    assert starts(plan(late))["x", "q3"] == 1080


def test_a_branch_changes_no_frame():
    """Phases become axes of its pulses, and what is left of them two half turns."""
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.rz(0.5, 1)
        circuit.sx(1)
        circuit.rz(0.7, 1)
    circuit.measure(1, 0)
    turns = [operation for operation in plan(circuit).operations if operation.condition]
    assert {operation.name for operation in turns} == {"turn"}
    assert turns[0].axis == pytest.approx(-0.5, abs=1e-9)
    assert sum(1 for operation in turns if operation.angle == math.pi) == 2
    assert turns[-1].axis - turns[-2].axis == pytest.approx(0.6, abs=1e-9)


def test_active_resets_come_one_by_one_before_anything_else():
    found = timeline(Front(DEVICE).native(native(("x", 0), ("measure", [0, 1], [0, 1]))), DEVICE, active_reset=True)
    begin = starts(found)["x", "q0"]
    resets = [operation for operation in found.operations if operation.start_ns < begin]
    assert [operation.name for operation in resets] == ["measure", "turn"] * 2
    assert found.reset_ns == 0
    assert found.bins == 2
    assert found.acquisitions == {"q0": ("q0_m0",), "q1": ("q1_m0",)}


def test_branches_that_need_two_measurements_at_once_are_refused():
    circuit = QuantumCircuit(3, 2)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(1, 1)
    circuit.cx(0, 1)
    with circuit.if_test((0, 1)):
        circuit.cx(1, 2)
    with circuit.if_test((1, 1)):
        circuit.x(2)
    with pytest.raises(ValueError, match=r"several measurements at once \(q0_m0, q1_m0\)"):
        plan(circuit)
