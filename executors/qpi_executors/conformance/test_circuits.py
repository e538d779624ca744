"""What an executor of Qiskit's circuits promises: it measures what the circuits say, however they come."""

from __future__ import annotations

import math

import numpy as np
import pytest
import xarray as xr
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter

from qpi_executors import Executor, run_program
from qpi_executors.conformance.programs import BELL_QASM2, BELL_QASM3, bell, qpy_program, text_program
from qpi_jupyter.core import CircuitOptions, Program, ProgramError, Rejected, RunOptions
from qpi_jupyter.data.conventions import circuit_info


def measured(executor: Executor, program: Program) -> xr.Dataset:
    """The Dataset of a program with one circuit."""
    (dataset,) = run_program(executor, program)
    return dataset


def mostly(executor: Executor, dataset: xr.Dataset, *expected: str) -> bool:
    """Whether all shots read what they ideally do; of a noisy device three quarters of them."""
    manifest, found = executor.capabilities(), dataset.qpi.counts()
    noisy = not manifest.simulator or any(qubit.readout_error for qubit in manifest.qubits)
    noisy = noisy or any(gate.error for gate in manifest.gates)
    right: int = sum(found.get(key, 0) for key in expected)
    return bool(right >= (0.75 if noisy else 1) * sum(found.values()))


@pytest.mark.parametrize(
    "program",
    [text_program(BELL_QASM2, "openqasm2"), text_program(BELL_QASM3), qpy_program(bell())],
    ids=["openqasm2", "openqasm3", "qpy"],
)
def test_a_bell_pair_in_every_format(qpi_executor: Executor, program: Program) -> None:
    qpi_executor.validate(program)
    found = measured(qpi_executor, program).qpi.counts()
    assert sum(found.values()) == RunOptions().shots
    assert found["00"] + found["11"] >= 0.9 * RunOptions().shots
    assert abs(found["00"] - found["11"]) < 0.2 * RunOptions().shots


def test_the_same_seed_gives_a_simulators_shots_again(qpi_executor: Executor) -> None:
    if qpi_executor.capabilities().simulator:  # an instrument has no seed
        first, second, other = (
            measured(qpi_executor, qpy_program(bell(), seed_simulator=seed)).qpi.bits().tolist() for seed in (5, 5, 6)
        )
        assert first == second != other


def test_a_seed_that_a_result_names_repeats_it(qpi_executor: Executor) -> None:
    dataset = measured(qpi_executor, qpy_program(bell()))
    if (seed := dataset.qpi.info.get("seed")) is not None:
        again = measured(qpi_executor, qpy_program(bell(), seed_simulator=seed))
        assert dataset.qpi.counts() == again.qpi.counts()


def test_parameter_rows_and_shots_of_a_batch_keep_their_index(qpi_executor: Executor) -> None:
    turned = QuantumCircuit(1, 1, name="turned")
    turned.rx(Parameter("theta"), 0)
    turned.measure(0, 0)
    rows = CircuitOptions(shots=20, parameter_values=((0.0,), (math.pi,)))
    datasets = run_program(qpi_executor, qpy_program(bell(), turned, shots=50, entries=(CircuitOptions(), rows)))
    places = [(d.qpi.info["circuit"], d.qpi.info["row"], d.qpi.info["shots"]) for d in datasets]
    assert places == [(0, None, 50), (1, 0, 20), (1, 1, 20)]
    assert mostly(qpi_executor, datasets[1], "0")
    assert mostly(qpi_executor, datasets[2], "1")


def test_registers_are_the_users_own(qpi_executor: Executor) -> None:
    left, right = ClassicalRegister(1, "left"), ClassicalRegister(2, "right")
    circuit = QuantumCircuit(QuantumRegister(2, "q"), left, right)
    circuit.x(1)
    circuit.measure([0, 1], [left[0], right[1]])
    dataset = measured(qpi_executor, qpy_program(circuit, shots=100))
    assert sum(dataset.qpi.counts().values()) == 100
    assert mostly(qpi_executor, dataset, "10 0")
    qubits = dict(zip(dataset.coords["clbit"].values.tolist(), dataset.coords["qubit"].values.tolist(), strict=True))
    assert {clbit: qubit for clbit, qubit in qubits.items() if qubit >= 0} == {0: 0, 2: 1}
    assert np.median(dataset.qpi.bits(), axis=0).tolist() == [0, 0, 1]


def test_a_circuit_off_the_edges_is_compiled(qpi_executor: Executor) -> None:
    far = qpi_executor.capabilities().num_qubits - 1
    circuit = QuantumCircuit(far + 1, 2)
    circuit.h(0)
    if far > 1:
        circuit.ccx(0, 1, far)
    circuit.cx(0, far)
    circuit.measure([0, far], [0, 1])
    dataset = measured(qpi_executor, qpy_program(circuit, shots=200, seed_simulator=1))
    assert mostly(qpi_executor, dataset, "00", "11")


def test_measuring_midway_and_resetting(qpi_executor: Executor) -> None:
    circuit = QuantumCircuit(1, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.x(0)
    circuit.reset(0)
    circuit.measure(0, 2)
    dataset = measured(qpi_executor, qpy_program(circuit, shots=200))
    assert mostly(qpi_executor, dataset, "001")
    assert dataset.coords["acq_index"].values.tolist() == [0, 1, 2]
    assert dataset.coords["qubit"].values.tolist() == [0, 0, 0]


def test_counts_without_single_shots(qpi_executor: Executor) -> None:
    dataset = measured(qpi_executor, qpy_program(bell(), shots=30, memory=False))
    assert sum(dataset.qpi.counts().values()) == 30


@pytest.mark.parametrize("meas_return", ["single", "avg"])
def test_each_level_that_it_has_gives_its_own_data(qpi_executor: Executor, meas_return: str) -> None:
    shots = 40
    for level in qpi_executor.capabilities().meas_levels:
        program = qpy_program(bell(), shots=shots, meas_level=level, meas_return=meas_return)
        try:
            qpi_executor.validate(program)
        except Rejected as refused:
            assert refused.data.get("field") == "meas_return"  # noqa: PT017 - a refusal is one of two good answers
            continue
        dataset = measured(qpi_executor, program)
        assert circuit_info(dataset.attrs).meas_level == level
        each = (shots,) if meas_return == "single" else ()
        if level == 2:
            assert sum(dataset.qpi.counts().values()) == shots
        elif level == 1:
            assert dataset.qpi.iq().shape == (*each, 2)
        else:
            assert dataset.qpi.traces().shape[:-1] == (*each, 2)


def test_progress_grows_to_one(qpi_executor: Executor) -> None:
    shares: list[float] = []
    run_program(qpi_executor, qpy_program(bell(), bell(), shots=5), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1:] in ([], [1.0])


def test_an_estimate_counts_the_circuits(qpi_executor: Executor) -> None:
    assert qpi_executor.estimate(qpy_program(bell())).num_circuits == 1
    assert qpi_executor.estimate(qpy_program(*[bell()] * 10)).num_circuits == 10


def test_too_many_qubits_are_refused_with_both_figures(qpi_executor: Executor) -> None:
    limit = qpi_executor.capabilities().num_qubits
    circuit = QuantumCircuit(limit + 1, 1)
    circuit.measure(0, 0)
    with pytest.raises(ProgramError, match=rf"needs {limit + 1} qubits; .* has {limit}") as caught:
        qpi_executor.validate(qpy_program(circuit))
    assert caught.value.code == "too_many_qubits"


def test_control_flow_runs_or_is_refused_clearly(qpi_executor: Executor) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, True)):
        circuit.x(1)
    circuit.measure(1, 1)
    program = qpy_program(circuit, shots=40)
    if qpi_executor.capabilities().control_flow:
        assert mostly(qpi_executor, measured(qpi_executor, program), "11")
    else:
        with pytest.raises(ProgramError, match="control flow"):
            qpi_executor.validate(program)
