"""The options of the built-in simulators, their readout model and their estimates."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qpi_executors import aer, load, run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.mock import MAX_QUBITS, MockExecutor
from qpi_executors.simulator import ReadoutModel
from qpi_jupyter.core.errors import Faulted, Rejected
from tests.circuits import bell, qpy_program


def ghz(qubits: int, *, clifford: bool = True) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits, qubits)
    circuit.h(0)
    if not clifford:
        circuit.t(0)
    for k in range(qubits - 1):
        circuit.cx(k, k + 1)
    circuit.measure(range(qubits), range(qubits))
    return circuit


def counts(executor, circuit, **options):
    return run_program(executor, qpy_program(circuit, **options))[0].qpi.counts()


# --- mock ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "edges"),
    [
        ({"num_qubits": 3}, ((0, 1), (1, 0), (1, 2), (2, 1))),
        ({"num_qubits": 3, "coupling": "ring"}, ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))),
        ({"num_qubits": 3, "coupling": "all"}, None),
        ({"num_qubits": 3, "coupling_map": [[0, 2]]}, ((0, 2), (2, 0))),
        ({"num_qubits": 3, "coupling_map": "[[0, 2]]"}, ((0, 2), (2, 0))),
    ],
)
def test_mock_couplings(options, edges):
    assert MockExecutor(**options).capabilities().coupling_map == edges


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_qubits": MAX_QUBITS + 1}, f"1 to {MAX_QUBITS}, not"),
        ({"num_qubits": 0}, "1 to"),
        ({"coupling": "star"}, "'all' or 'line' or 'ring'"),
        ({"coupling_map": [[0, 9]]}, "pairs of different qubits"),
        ({"coupling_map": [[1, 1]]}, "pairs of different qubits"),
    ],
)
def test_mock_refuses_bad_options(options, message):
    with pytest.raises(Rejected, match=message):
        MockExecutor(**options)


def test_the_largest_mock_does_not_pay_for_idle_qubits():
    mock = MockExecutor(num_qubits=MAX_QUBITS)
    (run,) = mock.runs(qpy_program(ghz(3)))
    assert mock.compile(run).num_qubits == 3


def test_a_circuit_in_the_chips_own_terms_is_left_alone():
    circuit = QuantumCircuit(5, 2)
    circuit.sx(3)
    circuit.cz(3, 4)
    circuit.measure([3, 4], [0, 1])
    mock = MockExecutor()
    (run,) = mock.runs(qpy_program(circuit))
    assert dict(mock.compile(run).count_ops()) == {"sx": 1, "cz": 1, "measure": 2}


def test_a_seed_of_the_lab_serves_jobs_that_bring_none():
    assert counts(MockExecutor(seed=3), bell()) == counts(MockExecutor(), bell(), seed_simulator=3)


# --- Aer ----------------------------------------------------------------------------------------------------------


def test_a_noise_models_errors_are_the_calibration():
    rates = {"gate_1q": 0.01, "gate_2q": 0.1, "readout": 0.02}
    manifest = AerExecutor(num_qubits=3, noise_model=rates, coupling_map=[[0, 1], [1, 2]]).capabilities()
    errors = {(gate.gate, gate.qubits): gate.error for gate in manifest.gates}
    assert errors["x", (2,)] == pytest.approx(0.005)
    assert errors["cx", (0, 1)] == pytest.approx(0.075)
    assert ("cx", (0, 2)) not in errors
    assert [qubit.readout_error for qubit in manifest.qubits] == [0.02] * 3
    assert {qubit.t1_s for qubit in manifest.qubits} == {None}
    assert not AerExecutor().capabilities().gates
    assert not AerExecutor(noise_model={"readout": 0.1}).capabilities().gates
    wide = AerExecutor(num_qubits=3, noise_model=rates).capabilities()
    assert {len(gate.qubits) for gate in wide.gates} == {1}, "between all pairs one number would only be repeated"


def test_a_noise_model_shows():
    clean, noisy = AerExecutor(), AerExecutor(noise_model={"gate_1q": 0.05, "gate_2q": 0.1, "readout": 0.1})
    assert set(counts(clean, bell(), seed_simulator=1)) == {"00", "11"}
    found = counts(noisy, bell(), seed_simulator=1)
    assert found["01"] + found["10"] > 50
    assert clean.capabilities().config_sha256 != noisy.capabilities().config_sha256


@pytest.mark.parametrize("rates", [{"gate_3q": 0.1}, {"readout": 2}, {"readout": "x"}, {"readout": True}])
def test_rates_are_probabilities_by_name(rates):
    with pytest.raises(Rejected, match=r"each a number from 0 to 1|has the rates"):
        AerExecutor(noise_model=rates)


def test_a_generic_fake_backend_brings_its_calibration():
    executor = AerExecutor(fake_backend="generic-3")
    manifest = executor.capabilities()
    assert manifest.num_qubits == 3
    assert {"cx", "sx", "rz"} <= set(manifest.basis_gates)
    assert any(gate.gate == "cx" and gate.error and gate.duration_s for gate in manifest.gates)
    assert manifest.qubits[0].t1_s
    assert len(counts(executor, ghz(3), seed_simulator=1, shots=4000)) > 2


def test_a_named_fake_backend():
    manifest = load("qiskit_aer", fake_backend="FakeManilaV2").capabilities()
    assert manifest.num_qubits == 5
    assert (0, 1) in manifest.coupling_map
    assert (0, 2) not in manifest.coupling_map
    with pytest.raises(Rejected, match=r"no fake backend 'FakeMoon'; there are: .*FakeManilaV2"):
        load("qiskit_aer", fake_backend="FakeMoon")


def test_a_coupling_map_routes():
    executor = AerExecutor(num_qubits=4, coupling_map=[[0, 1], [1, 2], [2, 3]])
    circuit = QuantumCircuit(4, 2)
    circuit.h(0)
    circuit.cx(0, 3)
    circuit.measure([0, 3], [0, 1])
    assert set(counts(executor, circuit, seed_simulator=1)) == {"00", "11"}
    assert "ccx" not in executor.capabilities().basis_gates
    with circuit.if_test((0, 1)):
        circuit.ccx(0, 1, 3)
    circuit.measure(3, 1)
    assert set(counts(executor, circuit, seed_simulator=1)) == {"00", "11"}
    with pytest.raises(Rejected, match="pairs of qubits below 4"):
        AerExecutor(num_qubits=4, coupling_map=[[0, 4]])
    with pytest.raises(Rejected, match="its own coupling_map"):
        AerExecutor(fake_backend="generic-3", coupling_map=[[0, 1]])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"method": "magic"}, "magic"), ({"precision": "half"}, "half")],
)
def test_aer_refuses_bad_options_by_name(options, message):
    def start():
        AerExecutor(**options).open()

    with pytest.raises((Rejected, Faulted), match=message):
        start()


def test_what_a_method_cannot_do_is_the_programs_fault():
    with pytest.raises(Rejected, match=r'Aer cannot run circuit .* "stabilizer" method'):
        counts(AerExecutor(method="stabilizer"), ghz(2, clifford=False))


def test_a_forty_qubit_statevector_is_seen_before_it_runs():
    executor = AerExecutor(num_qubits=40, method="statevector")
    program = qpy_program(ghz(40))
    executor.validate(program)
    assert executor.estimate(program).memory_bytes >= 16 * 2**40
    halved = AerExecutor(num_qubits=40, method="statevector", precision="single").estimate(program)
    assert 8 * 2**40 <= halved.memory_bytes < 16 * 2**40


def test_the_estimate_follows_the_method():
    def need(method, circuit, **options):
        return AerExecutor(num_qubits=60, method=method, **options).estimate(qpy_program(circuit)).memory_bytes

    small = 1 << 30
    assert need("automatic", ghz(40)) < small  # Clifford: a tableau
    assert need("automatic", ghz(40, clifford=False)) > 2**40
    assert need("stabilizer", ghz(60)) < small
    assert need("matrix_product_state", ghz(60)) < small
    assert need("matrix_product_state", ghz(60, clifford=False)) < small
    assert need("density_matrix", ghz(16)) > need("statevector", ghz(16))


@pytest.mark.slow
def test_idle_qubits_cost_nothing():
    def need(width, *used, **options):
        circuit = QuantumCircuit(width, len(used))
        circuit.t(used)
        circuit.barrier()
        circuit.measure(used, range(len(used)))
        executor = AerExecutor(num_qubits=width, **options)
        assert sum(counts(executor, circuit).values()) == 1024
        return executor.estimate(qpy_program(circuit)).memory_bytes

    small = 1 << 28
    noise = {"gate_1q": 0.01}
    assert need(50, 3, 40) < small
    assert need(50, 3, 40, noise_model=noise) < small
    assert need(27, 3, 12, fake_backend="generic-27") < small
    assert need(40, 0, 1, coupling_map=[[i, i + 1] for i in range(39)]) < small


def test_with_noise_one_state_a_shot_runs_where_a_density_matrix_would_not_fit(monkeypatch):
    """Aer by itself takes the density matrix, which it then has no room for."""
    executor = AerExecutor(num_qubits=4, noise_model={"gate_1q": 0.01, "gate_2q": 0.05})
    circuit = ghz(4)
    monkeypatch.setattr(aer, "usable_bytes", lambda: 16 * 4**4)
    dense = executor.estimate(qpy_program(circuit, shots=100)).memory_bytes
    monkeypatch.setattr(aer, "usable_bytes", lambda: 16 * 4**4 - 1)
    assert executor.estimate(qpy_program(circuit, shots=100)).memory_bytes < dense
    taken = []
    run = executor.simulator.run
    monkeypatch.setattr(executor.simulator, "run", lambda *a, **k: taken.append(k.get("method")) or run(*a, **k))
    assert sum(counts(executor, circuit, shots=100).values()) == 100
    assert taken == ["statevector"]


def test_flipped_bits_alone_need_no_density_matrix():
    executor = AerExecutor(num_qubits=40, noise_model={"readout": 0.1})
    assert executor.estimate(qpy_program(ghz(40), shots=10)).memory_bytes < 1 << 28
    assert sum(counts(executor, ghz(40), shots=10).values()) == 10


@pytest.mark.parametrize("method", ["unitary", "superop"])
def test_a_method_that_measures_nothing_is_refused(method):
    with pytest.raises(Rejected, match="measures nothing"):
        AerExecutor(method=method)


def test_a_number_too_large_is_the_programs_fault():
    circuit = QuantumCircuit(1, 1)
    circuit.delay(1e30, 0, unit="s")
    circuit.measure(0, 0)
    with pytest.raises(Rejected, match="too large"):
        counts(AerExecutor(), circuit)


def test_measuring_midway_multiplies_the_time():
    circuit = ghz(10, clifford=False)
    once = AerExecutor().estimate(qpy_program(circuit)).estimate_s
    circuit.measure(0, 0)
    assert AerExecutor().estimate(qpy_program(circuit)).estimate_s > 10 * once


def test_every_option_is_in_the_reference():
    text = (Path(__file__).parents[3] / "docs" / "reference" / "simulators.md").read_text(encoding="utf-8")
    for name in {*AerExecutor.Options.__struct_fields__, *MockExecutor.Options.__struct_fields__}:
        assert f"`{name}`" in text, name


# --- readout ------------------------------------------------------------------------------------------------------


def test_the_readout_model_has_the_error_it_says():
    model = ReadoutModel(separation=1.0, sigma=0.5)
    bits = np.zeros((40_000, 1), dtype=np.int8)
    points = model.signal(bits, [3], seed=1)[:, 0]
    zero, one = model.centres([3])[0]
    wrong = np.mean(abs(points - one) < abs(points - zero))
    assert wrong == pytest.approx(math.erfc(1 / (2 * math.sqrt(2) * 0.5)) / 2, abs=0.01)
    assert points.mean() == pytest.approx(zero, abs=0.02)


def test_the_centres_are_in_the_provenance():
    circuit = QuantumCircuit(3, 1)
    circuit.measure(2, 0)
    executor = AerExecutor(iq_separation=4.0, iq_sigma=0.1)
    (dataset,) = run_program(executor, qpy_program(circuit, meas_level=1, seed_simulator=1))
    readout = dataset.qpi.info["provenance"]["readout"]
    assert (readout["separation"], readout["sigma"], list(readout["centres"])) == (4.0, 0.1, ["2"])
    zero = complex(*readout["centres"]["2"][0])
    assert dataset.qpi.iq().mean() == pytest.approx(zero, abs=0.02)
    assert dataset.qpi.counts() == {"0": 1024}


def test_what_cannot_be_routed_is_told_in_the_estimate_too():
    circuit = QuantumCircuit(1, 1)
    with circuit.box():
        circuit.x(0)
    circuit.measure(0, 0)
    with pytest.raises(Rejected, match="cannot be compiled for this simulator"):
        AerExecutor(num_qubits=2, coupling_map=[[0, 1]]).estimate(qpy_program(circuit))
