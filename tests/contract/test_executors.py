"""What an executor that computes Qiskit's circuits promises, on every installed one of circuits."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qpi_executors import CircuitExecutor, RunCancelled, load, names, run_program
from qpi_executors.instruments.executor import PulseExecutor
from qpi_executors.registry import EXECUTORS
from qpi_jupyter.core.errors import ProgramError, Rejected
from qpi_jupyter.core.programs import CircuitOptions, RunOptions, digest, pack
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CONVENTIONS, provenance
from qpi_jupyter.data.selection import as_list
from tests.circuits import BELL_QASM2, BELL_QASM3, bell, qpy_program, text_program


@pytest.fixture(scope="module", params=[name for name in names() if issubclass(EXECUTORS.load(name), CircuitExecutor)])
def executor(request):
    executor = load(request.param)
    executor.open()
    yield executor
    executor.close()


def counts(executor, program):
    (dataset,) = run_program(executor, program)
    return dataset.qpi.counts()


def mostly(executor, found, *expected):
    """All shots read what they ideally do; of a noisy device most."""
    noisy = any(qubit.readout_error for qubit in executor.capabilities().qubits)
    shots = sum(found.values())
    return sum(found.get(key, 0) for key in expected) >= (0.75 if noisy else 1) * shots


def test_the_built_in_ones_are_installed():
    assert {"mock", "qblox", "qiskit_aer", "quantify"} <= set(names())
    assert [member.problem for member in EXECUTORS.checked() if member.name == "mock"] == [""]


def test_open_and_close_may_be_repeated(executor):
    executor.open()
    executor.close()
    executor.close()
    executor.open()


def test_capabilities_are_stable_and_answer_before_open(executor):
    fresh = load(executor.capabilities().executor)
    assert fresh.capabilities() == executor.capabilities() == executor.capabilities()
    assert executor.capabilities().num_qubits >= 2
    assert executor.capabilities().basis_gates


@pytest.mark.parametrize(
    "program",
    [text_program(BELL_QASM2, "openqasm2"), text_program(BELL_QASM3), qpy_program(bell())],
    ids=["openqasm2", "openqasm3", "qpy"],
)
def test_a_bell_pair_in_every_format(executor, program):
    executor.validate(program)
    found = counts(executor, program)
    assert sum(found.values()) == RunOptions().shots
    assert found["00"] + found["11"] >= 0.9 * RunOptions().shots
    assert abs(found["00"] - found["11"]) < 0.2 * RunOptions().shots


@pytest.mark.parametrize(
    "program",
    [
        text_program(BELL_QASM2, "openqasm2"),
        text_program(BELL_QASM3),
        replace(text_program(BELL_QASM3), sources=(BELL_QASM3, BELL_QASM3 + b"// again")),
        qpy_program(bell()),
        qpy_program(bell(), bell()),
    ],
    ids=["openqasm2", "openqasm3", "two texts", "qpy", "two circuits in one file"],
)
def test_a_result_names_its_program_as_its_job_does(executor, program):
    packed = pack(program.sources)
    assert program.sha256 == digest(packed) == hashlib.sha256(packed).hexdigest()
    for dataset in run_program(executor, program):
        assert provenance(dataset.attrs).program_sha256 == program.sha256


def test_the_same_seed_gives_the_same_shots(executor):
    first, second, other = (
        run_program(executor, qpy_program(bell(), seed_simulator=seed))[0].qpi.bits().tolist() for seed in (5, 5, 6)
    )
    assert first == second != other


def test_without_a_seed_the_result_names_the_one_that_repeats_it(executor):
    (dataset,) = run_program(executor, qpy_program(bell()))
    seed = dataset.qpi.info["seed"]
    (again,) = run_program(executor, qpy_program(bell(), seed_simulator=seed))
    assert dataset.qpi.counts() == again.qpi.counts()


def test_parameter_rows_and_shots_of_a_batch_keep_their_index(executor):
    theta = Parameter("theta")
    turned = QuantumCircuit(1, 1, name="turned")
    turned.rx(theta, 0)
    turned.measure(0, 0)
    program = qpy_program(
        bell(),
        turned,
        shots=50,
        entries=(CircuitOptions(), CircuitOptions(shots=20, parameter_values=((0.0,), (3.141592653589793,)))),
    )
    datasets = run_program(executor, program)
    places = [(d.qpi.info["circuit"], d.qpi.info["row"], d.qpi.info["shots"]) for d in datasets]
    assert places == [(0, None, 50), (1, 0, 20), (1, 1, 20)]
    assert [mostly(executor, d.qpi.counts(), key) for d, key in zip(datasets[1:], "01", strict=True)] == [True, True]


def test_registers_are_the_users_own(executor):
    from qiskit import ClassicalRegister, QuantumRegister

    left, right = ClassicalRegister(1, "left"), ClassicalRegister(2, "right")
    circuit = QuantumCircuit(QuantumRegister(3, "q"), left, right)
    circuit.x(2)
    circuit.measure([0, 1, 2], [left[0], right[0], right[1]])
    (dataset,) = run_program(executor, qpy_program(circuit, shots=100))
    found = dataset.qpi.counts()
    assert sum(found.values()) == 100
    assert mostly(executor, found, "10 0")
    assert dataset.coords["qubit"].values.tolist() == [0, 1, 2]
    assert np.median(dataset.qpi.bits(), axis=0).tolist() == [0, 0, 1]


def test_a_circuit_off_the_edges_is_compiled(executor):
    far = executor.capabilities().num_qubits - 1
    circuit = QuantumCircuit(far + 1, 2)
    circuit.h(0)
    circuit.ccx(0, 1, far)
    circuit.cx(0, far)
    circuit.measure([0, far], [0, 1])
    assert mostly(executor, counts(executor, qpy_program(circuit, shots=200, seed_simulator=1)), "00", "11")


def test_measuring_midway_and_resetting(executor):
    circuit = QuantumCircuit(1, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.x(0)
    circuit.reset(0)
    circuit.measure(0, 2)
    (dataset,) = run_program(executor, qpy_program(circuit, shots=200))
    assert mostly(executor, dataset.qpi.counts(), "001")
    assert dataset.coords["acq_index"].values.tolist() == [0, 1, 2]
    assert dataset.coords["qubit"].values.tolist() == [0, 0, 0]


def test_counts_without_single_shots(executor):
    (dataset,) = run_program(executor, qpy_program(bell(), shots=30, memory=False))
    assert list(dataset.data_vars) == ["count"]
    assert sum(dataset.qpi.counts().values()) == 30
    with pytest.raises(Rejected, match="memory=True"):
        dataset.qpi.bits()


def test_iq_points_agree_with_the_bits_and_repeat_with_the_seed(executor):
    if 1 not in executor.capabilities().meas_levels:
        pytest.skip("no level 1")
    first, second = (run_program(executor, qpy_program(bell(), meas_level=1, seed_simulator=9))[0] for _ in range(2))
    assert first.qpi.iq().shape == (1024, 2)
    assert (first.qpi.iq() == second.qpi.iq()).all()
    found = first.qpi.counts()
    assert found["00"] + found["11"] > 0.9 * 1024
    (mean,) = run_program(executor, qpy_program(bell(), meas_level=1, meas_return="avg", seed_simulator=9))
    assert mean.qpi.iq().values == pytest.approx(first.qpi.iq().mean("shot").values)


def test_the_mean_of_a_trace_is_the_point_of_its_shot(executor):
    if 0 not in executor.capabilities().meas_levels:
        with pytest.raises(Rejected, match="meas_level 0"):
            executor.validate(qpy_program(bell(), meas_level=0))
        return
    seeded = {"shots": 40, "seed_simulator": 9}
    if isinstance(executor, PulseExecutor):  # the instrument adds up what comes; tests/integration/test_pulses.py
        with pytest.raises(Rejected, match="meas_return='avg'"):
            executor.validate(qpy_program(bell(), meas_level=0, **seeded))
        return
    (points,) = run_program(executor, qpy_program(bell(), meas_level=1, **seeded))
    (traces,) = run_program(executor, qpy_program(bell(), meas_level=0, **seeded))
    assert traces.qpi.traces().shape == (40, 2, 100)
    assert traces.qpi.traces().mean(axis=-1) == pytest.approx(points.qpi.iq().values)
    early, late = (traces.qpi.traces()[:, :, part].mean(axis=-1) for part in (slice(10), slice(-10, None)))
    assert abs(early).mean() < abs(late).mean(), "the resonator rings up"
    (mean,) = run_program(executor, qpy_program(bell(), meas_level=0, meas_return="avg", **seeded))
    assert mean.qpi.traces() == pytest.approx(traces.qpi.traces().mean(axis=0))
    assert mean.coords["time"].values[[0, -1]] == pytest.approx([0, 0.99e-6])
    assert mean.qpi.to_qiskit().get_memory().shape == (2, 100)


def test_every_result_follows_the_conventions_and_says_where_it_comes_from(executor):
    program = qpy_program(bell(), seed_simulator=4)
    (dataset,) = run_program(executor, program)
    assert dataset.attrs["Conventions"] == CONVENTIONS
    for variable in dataset.variables.values():
        assert {"long_name", "units"} <= set(variable.attrs)
    origin = dataset.qpi.info["provenance"]
    assert origin["executor"] == executor.capabilities().executor
    assert origin["seed"] == 4
    assert len(origin["program_sha256"]) == 64
    assert origin["busy_s"] > 0
    assert origin["started_at"].endswith("Z")
    assert origin["libraries"]["qiskit"]
    (decoded,) = as_list(decode(encode([dataset])))
    assert decoded.identical(dataset)


def test_progress_grows_to_one(executor):
    shares = []
    run_program(executor, qpy_program(bell(), bell(), shots=5), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_cancel(executor):
    with pytest.raises(RunCancelled):
        run_program(executor, qpy_program(bell()), cancelled=lambda: True)
    assert counts(executor, qpy_program(bell()))  # and it is still good for the next one


def test_estimate(executor):
    small = executor.estimate(qpy_program(bell()))
    assert 0 < small.estimate_s <= small.upper_s
    assert small.num_circuits == 1
    assert executor.estimate(qpy_program(*[bell()] * 10)).num_circuits == 10


def test_too_many_qubits_names_both_figures(executor):
    limit = executor.capabilities().num_qubits
    circuit = QuantumCircuit(limit + 1, 1)
    circuit.measure(0, 0)
    with pytest.raises(ProgramError, match=rf"needs {limit + 1} qubits; .* has {limit}") as caught:
        executor.validate(qpy_program(circuit))
    assert caught.value.code == "too_many_qubits"


def test_an_unknown_option_names_the_known_ones(executor):
    with pytest.raises(Rejected, match=r"'nonsense'.*num_qubits|'nonsense'; it knows") as caught:
        load(executor.capabilities().executor, nonsense=1)
    assert caught.value.code == "unknown_option"
    with pytest.raises(Rejected, match="no run option 'nonsense'"):
        executor.validate(qpy_program(bell(), extra={"nonsense": 1}))


def test_control_flow_runs_or_is_refused_clearly(executor):
    circuit = QuantumCircuit(2, 2)
    circuit.x(0)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    program = qpy_program(circuit, shots=100)
    if executor.capabilities().control_flow:
        assert mostly(executor, counts(executor, program), "11")
    else:
        with pytest.raises(ProgramError, match="control flow"):
            executor.validate(program)
