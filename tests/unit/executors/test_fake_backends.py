"""IBM's fake backends in the bench: the same counts as of Aer with the whole device, whatever their size."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import RuntimeDecoder, RuntimeEncoder
from qiskit_ibm_runtime.fake_provider import FakeKolkataV2, FakeManilaV2, FakeSherbrooke

from qpi_executors import load, run_program
from qpi_executors.analysis import active_qubits
from qpi_executors.primitives.components import parts_of
from qpi_jupyter.core import Program, ProgramError, Rejected, RunOptions
from qpi_jupyter.data.primitives import rendered


def program(primitive: str, backend: str, *pubs: Any, **options: Any) -> Program:
    asked = {"backend": backend, "params": {"pubs": pubs, "options": options, "version": 2}}
    return Program(
        format=f"runtime-{primitive}",
        sources=(json.dumps(asked, cls=RuntimeEncoder).encode(),),
        options=RunOptions(shots=2000),
    )


def ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.rz(0.3, 1)
    circuit.cx(1, 2)
    circuit.delay(1600, 0)
    return circuit


@pytest.mark.parametrize(
    "device",
    [
        FakeManilaV2,
        pytest.param(FakeKolkataV2, marks=pytest.mark.slow),
        pytest.param(FakeSherbrooke, marks=pytest.mark.slow),
    ],
)
def test_seeded_counts_are_those_of_the_whole_device(device: Any) -> None:
    fake = device()
    circuit = ghz()
    circuit.measure_all()
    compiled = generate_preset_pass_manager(1, backend=fake, seed_transpiler=1).run(circuit)
    asked = program("sampler", f"{fake.name}@aer", [compiled], [compiled], simulator={"seed_simulator": 5})
    datasets = run_program(load("fake_backends"), asked)
    whole = AerSimulator.from_backend(fake).run([compiled, compiled], shots=2000, seed_simulator=5).result()
    for index, dataset in enumerate(datasets):
        assert dataset.qpi.arrays()["meas"].get_counts() == whole.get_counts(index)


def test_branches_and_resets_have_the_whole_devices_errors() -> None:
    fake = FakeSherbrooke()
    circuit = QuantumCircuit(3, 3)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.cx(0, 1)
        with circuit.if_test((circuit.clbits[0], 1)):
            circuit.sx(2)
    with otherwise:
        circuit.x(1)
    circuit.reset(0)
    circuit.measure([0, 1, 2], [0, 1, 2])
    compiled = generate_preset_pass_manager(1, backend=fake, seed_transpiler=1).run(circuit)
    asked = program("sampler", f"{fake.name}@aer", [compiled], simulator={"seed_simulator": 5})
    (dataset,) = run_program(load("fake_backends"), asked)
    whole = AerSimulator.from_backend(fake).run(compiled, shots=2000, seed_simulator=5).result()
    assert dataset.qpi.arrays()["c"].get_counts() == whole.get_counts()


@pytest.mark.parametrize("device", [FakeManilaV2, pytest.param(FakeSherbrooke, marks=pytest.mark.slow)])
def test_what_ibms_client_decodes_is_what_was_measured(device: Any) -> None:
    fake = device()
    compiled = generate_preset_pass_manager(1, backend=fake, seed_transpiler=1).run(ghz())
    observable = SparsePauliOp(["ZZI", "XXX"], [1, 0.5]).apply_layout(compiled.layout)
    pub = [compiled, dict(observable.to_list())]
    asked = program("estimator", f"{fake.name}@ideal", pub, seed_estimator=5, resilience_level=1)
    datasets = run_program(load("fake_backends"), asked)
    result = json.loads(rendered(datasets) or b"", cls=RuntimeDecoder)
    assert result[0].data.evs == datasets[0].evs.values
    assert abs(float(result[0].data.evs) - 1 - 0.5 * 0.955336) < 5 / 2000**0.5
    assert result.metadata["not_applied"] == ["resilience_level"]


@pytest.mark.parametrize("primitive", ["sampler", "estimator"])
def test_results_keep_to_ibms_schemas(primitive: str) -> None:
    model = import_module(f"ibm_quantum_schemas.{primitive}.version_0_1.primitive_result").PrimitiveResultWrapperModel
    circuit = QuantumCircuit(2)
    circuit.rz(Parameter("phi"), 0)
    values = np.linspace(0, 1, 6).reshape(3, 2, 1)
    pub: list[Any] = [circuit, {"ZZ": 1.0, "XI": 0.5}, values]
    if primitive == "sampler":
        circuit.measure_all()
        pub = [circuit, values]
    asked = program(primitive, "fake_manila@ideal", pub, pub, twirling={"enable_gates": True})
    result = model.model_validate_json(rendered(run_program(load("fake_backends"), asked)) or b"")
    assert [one.value_.data.value_.shape for one in result.value_.pub_results] == [(3, 2), (3, 2)]
    assert result.value_.metadata.version == 2


def test_a_circuit_that_is_not_the_devices_says_what_to_do() -> None:
    far = QuantumCircuit(4, 1)
    far.cx(0, 3)
    with pytest.raises(ProgramError, match=r"cx on qubits \(0, 3\) .* Transpile"):
        load("fake_backends").validate(program("sampler", "fake_manila@aer", [far]))
    with pytest.raises(Rejected, match="There is no backend 'fake_nowhere@aer'"):
        load("fake_backends").validate(program("sampler", "fake_nowhere@aer", [far]))


def pairs(width: int) -> QuantumCircuit:
    """Bell pairs of neighbours, all measured, and one conditional flip that joins two of them."""
    circuit = QuantumCircuit(width, width)
    for qubit in range(0, width - 1, 2):
        circuit.h(qubit)
        circuit.cx(qubit, qubit + 1)
    circuit.barrier()
    circuit.measure(range(width), range(width))
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(2)
    circuit.measure(2, 2)
    return circuit


def test_a_wide_circuit_runs_in_parts_that_nothing_connects() -> None:
    parts = parts_of(pairs(40))
    assert sorted(len(active_qubits(part)) for part in parts) == [2] * 18 + [4]
    assert [len(parts_of(ghz())), len(parts_of(QuantumCircuit(3)))] == [1, 1]


def test_the_parts_of_a_wide_circuit_have_their_shots_in_common() -> None:
    circuit = generate_preset_pass_manager(0, backend=FakeSherbrooke(), initial_layout=range(40)).run(pairs_in_a_line())
    [dataset] = run_program(load("fake_backends"), program("sampler", "fake_sherbrooke@ideal", [circuit]))
    bits = dataset.qpi.arrays()["meas"].to_bool_array(order="little")
    assert bits.shape == (2000, 40)
    assert (bits[:, 0:38:2] == bits[:, 1:39:2]).all()
    assert abs(bits[:, ::2].mean() - 0.5) < 0.03
    assert abs(np.corrcoef(bits[:, 0], bits[:, 2])[0, 1]) < 0.15


def pairs_in_a_line() -> QuantumCircuit:
    circuit = QuantumCircuit(40)
    for qubit in range(0, 38, 2):
        circuit.h(qubit)
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    return circuit


@pytest.mark.slow
def test_the_clients_estimator_measures_every_qubit_of_a_large_device() -> None:
    """127 measurements of which two are connected."""
    fake = FakeSherbrooke()
    circuit = QuantumCircuit(127, 127)
    compiled = generate_preset_pass_manager(1, backend=fake, seed_transpiler=1).run(circuit)
    compiled.sx(0)
    compiled.measure(range(127), range(127))
    [dataset] = run_program(load("fake_backends"), program("sampler", "fake_sherbrooke@aer", [compiled]))
    ones = dataset.qpi.arrays()["c"].to_bool_array(order="little").mean(axis=0)
    assert abs(ones[0] - 0.5) < 0.1
    assert 0 < ones[1:].mean() < 0.1


def test_what_is_said_of_all_pubs_is_said_once() -> None:
    """In each of them it would take memory as their number squared."""
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    first, *others = run_program(
        load("fake_backends"), program("sampler", "lab_statevector", *[[circuit, None, 1]] * 200)
    )
    assert max(len(str(dataset.attrs)) for dataset in others) < 2_000
    result = json.loads(rendered([first, *others]) or b"", cls=RuntimeDecoder)
    [span] = result.metadata["execution"]["execution_spans"]
    assert span.size == 200
