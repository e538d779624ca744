"""Seeded counts are Aer's own: the same circuits through the executor and through AerSimulator directly."""

from __future__ import annotations

from typing import Any

import pytest
import qiskit_aer
from qiskit import QuantumCircuit
from qiskit.transpiler import generate_preset_pass_manager

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.simulator import SEED_SHIFT
from qpi_jupyter.core.programs import CircuitOptions
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.selection import as_list
from tests.circuits import bell, interleaved_circuit, qpy_program, random_circuit

pytestmark = pytest.mark.slow

SHOTS = 500
SEED = 20_261
CIRCUITS = [random_circuit(seed) for seed in range(30)]


@pytest.fixture(scope="module")
def executor():
    executor = AerExecutor()
    executor.open()
    yield executor
    executor.close()


def direct(circuits: QuantumCircuit | list[QuantumCircuit], shots: int = SHOTS, seed: int = SEED, **options: object):
    aer = qiskit_aer.AerSimulator(**options)
    passes = generate_preset_pass_manager(0, aer)
    return aer.run(passes.run(circuits), shots=shots, seed_simulator=seed).result()


def through_lab(executor: AerExecutor, *circuits: QuantumCircuit, **options: object):
    return as_list(decode(encode(run_program(executor, qpy_program(*circuits, **options)))))


def test_the_random_circuits_are_what_the_promise_is_about():
    kinds = [set(circuit.count_ops()) for circuit in CIRCUITS]
    for operation in ("if_else", "for_loop", "while_loop", "switch_case", "reset", "measure"):
        assert any(operation in names for names in kinds), operation
    assert all(len(circuit.cregs) >= 2 for circuit in CIRCUITS)


@pytest.mark.parametrize("circuit", CIRCUITS, ids=lambda circuit: circuit.name)
def test_single_job(executor, circuit):
    (dataset,) = through_lab(executor, circuit, shots=SHOTS, seed_simulator=SEED)
    assert dataset.qpi.counts() == direct(circuit).get_counts()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "matrix_product_state"},
        {"noise_model": {"gate_1q": 0.01, "gate_2q": 0.02, "readout": 0.05}},
        {"coupling_map": [[0, 1], [1, 2], [2, 3]], "num_qubits": 4},
        {"fake_backend": "generic-5"},
    ],
    ids=str,
)
@pytest.mark.parametrize("count", [3, pytest.param(40, marks=pytest.mark.slow)])
def test_interleaved_measurements(options: dict[str, Any], count: int):
    """However a circuit is simulated (all samples from one state, or shot by shot), one by one and as one batch."""
    executor = AerExecutor(**options)
    circuits = [interleaved_circuit(seed) for seed in range(count)]
    if not executor.capabilities().control_flow:
        circuits = [circuit for circuit in circuits if "if_else" not in circuit.count_ops()]
    compiled = executor.passes.run(circuits)
    each = [executor.simulator.run(one, shots=SHOTS, seed_simulator=SEED).result().get_counts() for one in compiled]
    found = [through_lab(executor, circuit, shots=SHOTS, seed_simulator=SEED)[0].qpi.counts() for circuit in circuits]
    assert found == each
    batch = executor.simulator.run(compiled, shots=SHOTS, seed_simulator=SEED).result().get_counts()
    assert [ds.qpi.counts() for ds in through_lab(executor, *circuits, shots=SHOTS, seed_simulator=SEED)] == batch


def test_the_pass_manager_is_the_documented_one(executor):
    circuits = [interleaved_circuit(seed) for seed in range(10)]
    found = [through_lab(executor, circuit, shots=SHOTS, seed_simulator=SEED)[0].qpi.counts() for circuit in circuits]
    assert found == [direct(circuit).get_counts() for circuit in circuits]
    # Without it the order of the operations would be another, and with it the samples.
    aer = qiskit_aer.AerSimulator()
    assert found != [aer.run(c, shots=SHOTS, seed_simulator=SEED).result().get_counts() for c in circuits]


def test_one_batch_equals_aers_own_batch(executor):
    expected = direct(CIRCUITS)
    datasets = through_lab(executor, *CIRCUITS, shots=SHOTS, seed_simulator=SEED)
    assert [dataset.qpi.counts() for dataset in datasets] == [expected.get_counts(k) for k in range(len(CIRCUITS))]
    assert [dataset.qpi.info["seed"] for dataset in datasets] == [e.seed_simulator for e in expected.results]


def test_a_batch_that_is_cut_into_chunks_keeps_its_seeds(executor, monkeypatch):
    monkeypatch.setattr("qpi_executors.simulator._CHUNK_S", 0.0)
    calls = []
    simulate = executor.simulate
    monkeypatch.setattr(
        executor, "simulate", lambda circuits, **options: calls.append(len(circuits)) or simulate(circuits, **options)
    )
    datasets = through_lab(executor, *CIRCUITS[:6], shots=SHOTS, seed_simulator=SEED)
    assert calls == [1] * 6
    expected = direct(CIRCUITS[:6])
    assert [dataset.qpi.counts() for dataset in datasets] == [expected.get_counts(k) for k in range(6)]


def test_circuits_with_their_own_shots(executor):
    shots = (100, 100, 300, 50)
    datasets = through_lab(
        executor,
        *CIRCUITS[:4],
        seed_simulator=SEED,
        entries=tuple(CircuitOptions(shots=count) for count in shots),
    )
    for index, (count, dataset) in enumerate(zip(shots, datasets, strict=True)):
        expected = direct(CIRCUITS[index], shots=count, seed=SEED + SEED_SHIFT * index)
        assert dataset.qpi.counts() == expected.get_counts()


def test_single_shots_are_aers_memory(executor):
    (dataset,) = through_lab(executor, bell(), shots=SHOTS, seed_simulator=SEED)
    aer = qiskit_aer.AerSimulator()
    expected = aer.run(bell(), shots=SHOTS, seed_simulator=SEED, memory=True).result()
    assert dataset.qpi.to_qiskit().get_memory() == expected.get_memory()


@pytest.mark.parametrize("method", ["statevector", "density_matrix", "matrix_product_state"])
def test_methods(method):
    circuit = random_circuit(3, control_flow=False)
    (dataset,) = through_lab(AerExecutor(method=method), circuit, shots=SHOTS, seed_simulator=SEED)
    assert dataset.qpi.counts() == direct(circuit, method=method).get_counts()


@pytest.mark.parametrize("method", ["stabilizer", "extended_stabilizer"])
def test_clifford_methods(method):
    (dataset,) = through_lab(AerExecutor(method=method), bell(), shots=SHOTS, seed_simulator=SEED)
    assert dataset.qpi.counts() == direct(bell(), method=method).get_counts()
