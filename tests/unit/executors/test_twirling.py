"""Pauli twirling of IBM's primitives: nothing changes without noise, and noise loses its direction."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.circuit.library import CXGate, RXGate
from qiskit.quantum_info import Operator
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, coherent_unitary_error
from qiskit_ibm_runtime.executor.calculate_twirling_shots import calculate_twirling_shots
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qpi_executors import load, run_program
from qpi_executors.primitives.measuring import on_backend
from qpi_executors.primitives.on_executor import Primitives
from qpi_executors.primitives.quantum_programs import work_of
from qpi_executors.primitives.twirling import STRATEGIES, Twirling, frames
from qpi_jupyter.core import Program, Rejected, TooLarge
from tests.support.pubs import pubs_program as program

MANILA = FakeManilaV2()
BOTH = {"enable_gates": True, "enable_measure": True}


def native(circuit: QuantumCircuit) -> QuantumCircuit:
    return generate_preset_pass_manager(
        1, backend=MANILA, seed_transpiler=1, initial_layout=range(circuit.num_qubits)
    ).run(circuit)


def ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(4)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(2, 3)
    circuit.cx(1, 0)
    return circuit


def counts(asked: Program, register: str = "meas") -> dict[str, int]:
    (dataset,) = run_program(load("fake_backends"), asked)
    return dataset.qpi.arrays()[register].get_counts()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_twirled_circuit_does_what_the_circuit_does(strategy: str) -> None:
    circuit = native(ghz())
    circuit.cx(0, 1)  # a third layer: the second has all four qubits
    circuit.rz(Parameter("phi"), 3)
    pub = work_of(program("estimator", [circuit, {"IIIIZ": 1.0}, [[0.3]]]), max_shots=4000).pubs[0]
    twirling = Twirling(gates=True, measure=False, num_randomizations=6, strategy=strategy)
    found = frames(pub, 600, twirling, MANILA.target, np.random.default_rng(1))
    whole = Operator(circuit.assign_parameters([0.3]))
    for frame in found:
        assert Operator(frame.pub.circuit.assign_parameters([0.3])).equiv(whole)
        assert set(frame.pub.circuit.count_ops()) <= {"rz", "sx", "x", "cx", "barrier"}
    assert len({str(frame.pub.circuit.draw()) for frame in found}) > 1
    barriers = [one for one in found[0].pub.circuit.data if one.operation.name == "barrier"]
    fenced = {found[0].pub.circuit.find_bit(bit).index for one in barriers for bit in one.qubits}
    due = {"active": (0, 0), "active-accum": (2, 4), "active-circuit": (4, 4), "all": (6, 5)}
    assert (len(barriers), len(fenced)) == due[strategy]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_counts_without_noise_are_those_of_the_circuit(strategy: str) -> None:
    circuit = native(ghz())
    circuit.measure_all()
    asked = program("sampler", [circuit], shots=1001, twirling={**BOTH, "strategy": strategy})
    found = counts(asked)
    assert set(found) == {"00000", "01111"}
    assert sum(found.values()) == 1001
    assert abs(found["00000"] - 500.5) < 5 * 1001**0.5 / 2
    assert counts(asked) == found


def test_bits_that_the_circuit_reads_and_qubits_that_go_on_stay_right() -> None:
    circuit = QuantumCircuit(3, 2)
    circuit.x(0)
    circuit.measure(0, 0)  # read below: not flipped
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)
    circuit.measure(1, 1)
    circuit.measure(1, 1)  # the qubit goes on, and the bit is written again
    circuit.cx(1, 2)
    circuit.measure_all()

    asked = program("sampler", [circuit], backend="lab_statevector", shots=640, twirling=BOTH)
    (dataset,) = run_program(load("fake_backends"), asked)
    assert dataset.qpi.arrays()["c"].get_counts() == {"11": 640}
    assert dataset.qpi.arrays()["meas"].get_counts() == {"111": 640}


def test_a_sweep_keeps_its_shape() -> None:
    circuit = QuantumCircuit(2)
    circuit.rx(theta := Parameter("theta"), 0)
    circuit.cx(0, 1)
    values = np.linspace(0, np.pi, 6).reshape(3, 2, 1)
    sampled, estimated = circuit.measure_all(inplace=False), [circuit, {"ZZ": 1.0, "IZ": 2.0, "XX": 0.5}, values]
    twirling = {"twirling": {**BOTH, "num_randomizations": 5, "shots_per_randomization": 300}}
    (dataset,) = run_program(
        load("fake_backends"), program("sampler", [sampled, values], backend="lab_statevector", **twirling)
    )
    bits = dataset.qpi.arrays()["meas"]
    assert (bits.shape, bits.num_shots) == ((3, 2), 1500)
    assert bits[0, 0].get_counts() == {"00": 1500}
    assert bits[2, 1].get_counts() == {"11": 1500}
    work = work_of(program("estimator", estimated, **twirling), max_shots=4000)
    (result,) = on_backend(work, AerSimulator())
    exact = 1 + 2 * np.cos(values[..., 0])
    assert work.shots(0) == 1500
    assert np.abs(result.data["evs"] - exact).max() < 5 * 3.5 / 1500**0.5
    assert result.data["stds"].shape == (3, 2)
    assert theta.name == "theta"


def readout() -> AerSimulator:
    """Ones are read as zeros a fifth of the time, zeros always right."""
    model = NoiseModel()
    model.add_all_qubit_readout_error(ReadoutError([[1, 0], [0.2, 0.8]]))
    return AerSimulator(noise_model=model)


@pytest.mark.parametrize("twirled", [False, True])
def test_readout_errors_lose_their_direction(twirled: bool) -> None:
    zero, one = QuantumCircuit(1), QuantumCircuit(1)
    one.x(0)
    pubs = [[circuit.measure_all(inplace=False)] for circuit in (zero, one)]
    twirling = {"enable_measure": twirled, "num_randomizations": 200}
    asked = program("sampler", *pubs, shots=10_000, twirling=twirling)
    ones = [
        result.data["meas"].get_counts().get("1", 0)
        for result in on_backend(work_of(asked, max_shots=10_000), readout())
    ]
    wrong = [ones[0], 10_000 - ones[1]]
    due = [1000, 1000] if twirled else [0, 2000]
    # The number of flipped randomizations has its own spread: 200 of them, half of which are.
    assert np.abs(np.subtract(wrong, due)).max() < 5 * (10_000 * 0.1 * 0.9 + (10_000 * 0.2) ** 2 / 800) ** 0.5


@pytest.mark.parametrize("twirled", [False, True])
def test_expectation_values_lose_the_direction_of_the_readout_in_any_basis(twirled: bool) -> None:
    pubs: list[Any] = []
    for letter, prepare in (("Z", ""), ("Z", "x"), ("X", "h"), ("X", "xh"), ("Y", "hs"), ("Y", "xhs")):
        circuit = QuantumCircuit(1)
        for gate in prepare:
            getattr(circuit, gate)(0)
        pubs.append([circuit, {letter: 1.0}])
    twirling = {"enable_measure": twirled, "num_randomizations": 80, "shots_per_randomization": 100}
    work = work_of(program("estimator", *pubs, twirling=twirling), max_shots=10_000)
    found = np.array([float(result.data["evs"]) for result in on_backend(work, readout())]).reshape(3, 2)
    due = np.tile([0.8, -0.8] if twirled else [1, -0.6], (3, 1))
    assert np.abs(found - due).max() < 5 * (1 / 8000 + 0.04 / 80) ** 0.5


@pytest.mark.parametrize("twirled", [False, True])
def test_a_gates_coherent_error_no_longer_adds_up(twirled: bool) -> None:
    gates, angle = 10, 0.2
    model = NoiseModel()
    over = np.kron(np.asarray(RXGate(angle)), np.eye(2))
    model.add_all_qubit_quantum_error(coherent_unitary_error(over), ["cx"])
    circuit = QuantumCircuit(2)
    for _ in range(gates):
        circuit.append(CXGate(), [0, 1])
        circuit.barrier()
    circuit.measure_all()
    asked = program("sampler", [circuit], shots=8000, twirling={"enable_gates": twirled, "num_randomizations": 100})
    (result,) = on_backend(work_of(asked, max_shots=8000), AerSimulator(noise_model=model))
    found = result.data["meas"].slice_bits([1]).get_counts().get("1", 0) / 8000
    once = np.sin(angle / 2) ** 2
    due = (1 - (1 - 2 * once) ** gates) / 2 if twirled else np.sin(gates * angle / 2) ** 2
    assert abs(found - due) < 5 * (due * (1 - due) / (100 if twirled else 8000)) ** 0.5


@pytest.mark.parametrize("shots", [1, 63, 64, 1000, 4096, 100_001])
def test_shots_are_split_as_the_client_documents(shots: int) -> None:
    for count, each in ((None, None), (None, 50), (7, None)):
        split = Twirling(gates=True, measure=False, num_randomizations=count, shots_per_randomization=each).split(shots)
        due = calculate_twirling_shots(shots, count or "auto", each or "auto")
        assert split == (min(due[0], shots), min(due[1], shots))
    # Shots of a pub are always obeyed, whatever the product of the two numbers.
    given = Twirling(gates=True, measure=False, num_randomizations=8, shots_per_randomization=2).split(shots)
    assert shots <= given[0] * given[1] < shots + given[0]


@pytest.mark.parametrize(("meas_type", "shape"), [("kerneled", (1000, 2)), ("avg_kerneled", (2,))])
def test_iq_points_of_twirled_gates(meas_type: str, shape: tuple[int, ...]) -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    execution = {"meas_type": meas_type}
    mock = Primitives(load("mock"))
    asked = program("sampler", [circuit], backend="", shots=1000, execution=execution, twirling={"enable_gates": True})
    (dataset,) = run_program(mock, asked)
    assert dataset.qpi.arrays()["meas"].shape == shape
    with pytest.raises(Rejected, match="flips bits"):
        mock.validate(program("sampler", [circuit], backend="", execution=execution, twirling=BOTH))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enable_gates", "yes"), ("enable_measure", 3), ("num_randomizations", 0), ("num_randomizations", True),
        ("num_randomizations", 10**400),
        ("shots_per_randomization", "some"), ("strategy", "passive"),
        ("enable_gates", np.ones(3)), ("num_randomizations", np.ones(3)), ("strategy", np.ones(3)),
    ],
)  # fmt: skip
def test_a_value_that_is_none_of_the_clients_is_refused(name: str, value: Any) -> None:
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    with pytest.raises(Rejected, match=rf"options.twirling.{name} is .*, not {re.escape(repr(value))}"):
        work_of(program("sampler", [circuit], twirling={name: value}), max_shots=1000)


def test_more_randomized_circuits_than_a_job_may_have_are_refused() -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("x"), 0)
    circuit.measure_all()
    asked = program("sampler", [circuit, np.zeros((1000, 1))], shots=2000, twirling=BOTH)
    with pytest.raises(TooLarge, match=r"32,000 parameter sets .* randomizations"):
        work_of(asked, max_shots=2000)


def test_what_the_client_leaves_unset_is_off() -> None:
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    unset = {"enable_gates": "Unset", "num_randomizations": "auto", "strategy": "unset"}
    work = work_of(
        program("sampler", [circuit], twirling=unset, dynamical_decoupling={"enable": "Unset"}), max_shots=4000
    )
    assert (work.twirling, work.decoupling, work.not_applied) == (None, None, ())
