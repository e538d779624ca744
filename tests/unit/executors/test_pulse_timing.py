"""When native operations happen: in parallel, as late as possible, on the grid."""

from __future__ import annotations

from pathlib import Path

import pytest
from qiskit import QuantumCircuit

from qpi_executors.instruments.executor import EXAMPLE
from qpi_executors.instruments.files import load
from qpi_executors.instruments.front import Front
from qpi_executors.instruments.timing import timeline

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
