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
