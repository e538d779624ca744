"""Studies of circuits, the programs that come of them, and the results that these give together."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.synthesis.qft import synth_qft_full

from qpi_jupyter.core import Faulted, ProgramError, Rejected
from qpi_jupyter.core.plans import PlanKind, PlanRequest
from qpi_jupyter.data.circuits import from_qpy
from qpi_jupyter.data.cutting import Cutter, installed
from qpi_jupyter.data.planning import study
from qpi_jupyter.data.reconstruction import PartRecipe, Recipe, reconstruct
from tests.support.chips import chip
from tests.support.fragments import counted, planned, put_together

SMALL = {"q1": chip(5, 0.01), "q2": chip(5, 0.02), "q3": chip(7, 0.015)}
CUTTER = installed()


def chain(width: int, seed: int, *, measured: bool = False) -> QuantumCircuit:
    """Random gates on a line, in a random order."""
    chance, circuit = np.random.default_rng(seed), QuantumCircuit(width)
    for qubit in range(width):
        circuit.u(*chance.uniform(-3, 3, 3), qubit)
    for qubit in chance.permutation(width - 1):
        angle = chance.uniform(-3, 3)
        [
            lambda a, b: circuit.cx(a, b), lambda a, b: circuit.cz(a, b),
            lambda a, b, angle=angle: circuit.rzz(angle, a, b), lambda a, b, angle=angle: circuit.cp(angle, a, b),
        ][chance.integers(4)](int(qubit), int(qubit) + 1)  # fmt: skip
    for qubit in range(width):
        circuit.u(*chance.uniform(-3, 3, 3), qubit)
    if measured:
        circuit.measure_all()
    return circuit


def exact(circuit: QuantumCircuit, observable: str) -> float:
    return float(Statevector(circuit).expectation_value(SparsePauliOp(observable)).real)


def compare(seed: int, shots: int) -> None:
    """Values of random strings on a random circuit of 8 qubits over QPUs of 5, 5 and 7, within 5 sigma of exact."""
    chance = np.random.default_rng(seed)
    observables = tuple("".join(chance.choice(list("IXYZ"), 8)) for _ in range(2))
    circuit = chain(8, seed)
    plan, way, blobs, _ = planned(circuit, PlanRequest(observables=observables, seed=seed), SMALL, CUTTER)
    assert plan.kind is PlanKind.CUT
    assert len({one.choices[0].qpu for one in plan.fragments}) > 1
    found = put_together(way, blobs, counted(way, blobs, shots, seed))
    for observable, value, std in zip(observables, found.values, found.stds, strict=True):
        assert abs(value - exact(circuit, observable)) <= 5 * std, (seed, observable)
        assert 0 < std < 1


def test_a_cut_circuit_has_its_values_within_five_sigma() -> None:
    compare(1, 100)


@pytest.mark.slow
def test_fifty_random_circuits_over_qpus_of_5_5_and_7_have_their_values_within_five_sigma() -> None:
    for seed in range(50):
        compare(seed, 100)


def test_counts_of_a_cut_circuit_are_a_quasi_distribution_near_the_exact_one() -> None:
    circuit = chain(8, 3)
    wanted = Statevector(circuit).probabilities()
    plan, way, blobs, _ = planned(chain(8, 3, measured=True), PlanRequest(seed=3), SMALL, CUTTER)
    assert plan.kind is PlanKind.CUT
    results = counted(way, blobs, 500, 3)
    found = put_together(way, blobs, results)
    assert (found.quasi, found.shots) == (True, 500)
    assert sum(found.counts.values()) == pytest.approx(500)
    shares = np.array([found.counts.get(outcome, 0) for outcome in range(256)]) / 500
    assert np.abs(shares - wanted).sum() / 2 < 0.3
    # Every fragment's results enter: another result of one is another result of all.
    corrupted = [list(one) for one in results]
    corrupted[0][0] = {0: 500}
    assert put_together(way, blobs, corrupted).counts != found.counts


def test_a_separable_circuit_costs_no_overhead() -> None:
    circuit = QuantumCircuit(8, 8)
    for first in (0, 4):
        circuit.h(first)
        for qubit in range(first, first + 3):
            circuit.cx(qubit, qubit + 1)
    circuit.measure(range(8), reversed(range(8)))
    plan, way, blobs, _ = planned(circuit, PlanRequest(shots=400), SMALL, CUTTER)
    assert (plan.kind, plan.overhead, plan.num_cuts) == (PlanKind.COMPONENTS, 1.0, 0)
    assert [one.qubits for one in plan.fragments] == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert all(one.num_circuits == 1 for one in plan.fragments)
    found = put_together(way, blobs, counted(way, blobs, 400, 1))
    assert not found.quasi
    assert set(found.counts) == {0x00, 0x0F, 0xF0, 0xFF}
    assert sum(found.counts.values()) == 400
    bare = circuit.remove_final_measurements(inplace=False)
    observables = ("ZIIIIIIZ", "IIIIXXXX", "XXXXYYXX", "IIIIIIII")
    plan, way, blobs, _ = planned(bare, PlanRequest(observables=observables), SMALL, CUTTER)
    assert plan.kind is PlanKind.COMPONENTS
    found = put_together(way, blobs, counted(way, blobs, 400, 2))
    for observable, value, std in zip(observables, found.values, found.stds, strict=True):
        assert abs(value - exact(bare, observable)) <= 5 * std + 1e-9


def test_qubits_that_nothing_acts_on_stay_zero() -> None:
    circuit = QuantumCircuit(6)
    circuit.h(4)
    plan, way, blobs, _ = planned(circuit, PlanRequest(observables=("ZXIIIZ", "XXIIII")), {"q": chip(2)}, CUTTER)
    assert (plan.kind, [one.qubits for one in plan.fragments]) == (PlanKind.COMPONENTS, [(4,)])
    assert put_together(way, blobs, counted(way, blobs, 50, 1)).values == (1.0, 0.0)


def test_qft_8_over_qpus_of_4_is_refused_with_its_overhead() -> None:
    circuit = synth_qft_full(8)
    circuit.measure_all()
    with pytest.raises(Rejected) as caught:
        planned(circuit, PlanRequest(), {"a": chip(4), "b": chip(4)}, CUTTER)
    error = caught.value
    assert (error.code, error.data["missing"], error.data["need"]) == ("infeasible", "overhead", {"qubits": 8})
    assert error.data["best"] == {"qpu": "a", "qubits": 4}
    assert error.data["overhead"]["min"] > 1_000
    assert error.data["overhead"]["budget"] == 81


def test_the_same_circuit_has_the_same_programs_whatever_it_is_called() -> None:
    request = PlanRequest(seed=4)
    plans = []
    for name in ("one", "two"):
        circuit = chain(8, 5, measured=True)
        circuit.name, circuit.metadata = name, {"run": name}
        plans.append(planned(circuit, request, SMALL, CUTTER)[0])
    assert plans[0] == plans[1]


@pytest.mark.parametrize(
    ("change", "cutter", "why"),
    [
        (lambda circuit: circuit.measure_all(), None, "pip install"),
        (lambda circuit: [circuit.reset(0), circuit.measure_all()], CUTTER, "before its end"),
        (lambda circuit: [circuit.measure_all(), circuit.h(0)], CUTTER, "before its end"),
    ],
)
def test_why_a_circuit_is_not_cut(change, cutter: Cutter | None, why: str) -> None:  # type: ignore[no-untyped-def]
    circuit = chain(8, 1)
    change(circuit)
    found, _ = study(circuit, PlanRequest(), SMALL, cutter=cutter)
    problems = [way.problem for way in found.ways if way.kind is PlanKind.CUT]
    assert [why in problem for problem in problems] == [True]


def test_classical_control_is_never_cut_nor_taken_apart() -> None:
    circuit = QuantumCircuit(8, 8)
    circuit.h(range(8))
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(7)
    circuit.measure(7, 7)
    with pytest.raises(Rejected, match=r"decide what it does.*before its end") as caught:
        planned(circuit, PlanRequest(), SMALL, CUTTER)
    assert caught.value.data["missing"] == "qubits"


def test_what_cannot_be_written_as_gates_on_two_qubits_is_not_cut_and_is_told() -> None:
    circuit = chain(8, 1)
    circuit.append(Gate("mystery", 3, []), [0, 1, 2])
    circuit.measure_all()
    with pytest.raises(Rejected, match=r"cannot be written as gates"):
        planned(circuit, PlanRequest(), SMALL, CUTTER)
    with pytest.raises(Rejected, match=r"q8.*cannot run it: its gates cannot carry out") as caught:
        planned(circuit, PlanRequest(), {"q8": chip(8)}, CUTTER)
    assert caught.value.data["missing"] == "gates"


def test_delays_stay_where_a_circuit_is_cut() -> None:
    circuit = QuantumCircuit(8)
    circuit.h(0)
    circuit.delay(100, 0, "ns")
    for qubit in range(7):
        circuit.cx(qubit, qubit + 1)
    _, way, blobs, _ = planned(circuit, PlanRequest(observables=("Z" * 8,)), SMALL, CUTTER)
    assert way.kind is PlanKind.CUT
    assert sum(one.count_ops().get("delay", 0) > 0 for part in way.parts for one in from_qpy(blobs[part.program])) > 0


def test_a_wire_that_is_cut_has_its_place_and_goes_on_in_the_other_fragment() -> None:
    circuit = QuantumCircuit(3)
    for first, second, angle in ((0, 1, 0.3), (0, 1, 0.4), (1, 2, 0.5), (1, 2, 0.6)):
        circuit.ry(angle, second)
        circuit.cx(first, second)
    plan, way, _, _ = planned(circuit, PlanRequest(observables=("ZZZ",)), {"q": chip(2)}, CUTTER)
    assert (way.kind, way.cut, plan.num_cuts) == (PlanKind.CUT, (), 1)
    assert [one.qubits for one in plan.fragments] == [(0, 1), (1, 2)]
    assert [one.cut_wires for one in plan.operations if one.cut_wires] == [(1,)]
    assert {(one.qubits, one.fragment) for one in plan.operations if len(one.qubits) == 2} == {((0, 1), 0), ((1, 2), 1)}
    at = next(index for index, one in enumerate(plan.operations) if one.cut_wires)
    assert all(one.fragment == int(index >= at) for index, one in enumerate(plan.operations) if 1 in one.qubits)


def test_values_of_a_circuit_that_measures_in_its_middle() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.cx(0, 1)
    circuit.h(2)
    _, way, blobs, _ = planned(circuit, PlanRequest(observables=("IZI", "XII", "XZZ")), {"q": chip(3)}, CUTTER)
    assert put_together(way, blobs, counted(way, blobs, 50, 1)).values == (-1.0, 1.0, 1.0)


def test_counts_of_thirteen_qubits_are_not_cut() -> None:
    with pytest.raises(Rejected, match=r"13 qubits cannot be put together.*up to 12 can"):
        planned(chain(13, 1, measured=True), PlanRequest(), SMALL, CUTTER)


def test_the_parts_of_a_cut_need_measurements_in_the_middle() -> None:
    still = {name: replace(one, mid_circuit_measurement=False) for name, one in SMALL.items()}
    with pytest.raises(Rejected, match="middle of a circuit"):
        planned(chain(8, 1, measured=True), PlanRequest(), still, CUTTER)


def test_bad_requests() -> None:
    with pytest.raises(Rejected, match="has 3 letters, and the circuit 8 qubits") as caught:
        study(chain(8, 1), PlanRequest(observables=("ZZZ",)), SMALL, cutter=CUTTER)
    assert caught.value.code == "bad_observable"
    with pytest.raises(ProgramError, match="measures nothing"):
        study(chain(8, 1), PlanRequest(), SMALL, cutter=CUTTER)
    with pytest.raises(ProgramError, match="no qubits"):
        study(QuantumCircuit(0), PlanRequest(), SMALL, cutter=CUTTER)


def test_results_that_are_not_all_there_are_refused() -> None:
    recipe = Recipe(
        kind=PlanKind.COMPONENTS, observables=(), num_clbits=1, registers=(("c", 1),),
        parts=(PartRecipe(num_bits=(1,), bits=(0,)),),
    )  # fmt: skip
    for results in ([], [[]], [[{}]], [[{0: 1}, {0: 1}]]):
        with pytest.raises(Faulted, match="cannot be put together"):
            reconstruct(recipe, results)


def test_shots_of_many_components_are_put_together_in_the_memory_of_a_few() -> None:
    parts = tuple(PartRecipe(num_bits=(1,), bits=(bit,)) for bit in range(200))
    recipe = Recipe(
        kind=PlanKind.COMPONENTS, observables=(), num_clbits=200, registers=(("c", 200),), parts=parts
    )  # fmt: skip
    tracemalloc.start()
    try:
        found = reconstruct(recipe, [[{0: 2_000, 1: 3_000}]] * 200)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert (found.shots, sum(found.counts.values())) == (5_000, 5_000)
    ones = sum(outcome.bit_count() * count for outcome, count in found.counts.items())
    assert ones == 200 * 3_000
