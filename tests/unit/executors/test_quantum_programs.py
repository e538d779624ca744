"""Quantum programs of IBM's client, in every schema version: what runs, what comes back, and what is refused."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import PauliLindbladMap
from qiskit_ibm_runtime import QuantumProgram
from qiskit_ibm_runtime.decoders.executor.decoder import AVAILABLE_DECODERS
from qiskit_ibm_runtime.options_models.executor import ExecutorOptions
from qiskit_ibm_runtime.quantum_program.params_converters import QUANTUM_PROGRAM_PARAMS_CONVERTERS
from samplomatic import InjectNoise, Twirl, build

from qpi_executors import load, run_program
from qpi_executors.primitives import for_program
from qpi_jupyter.core import Program, ProgramFormat, QpiError, RunOptions
from qpi_jupyter.data.conventions import circuit_info
from qpi_jupyter.data.primitives import SAMPLER
from qpi_jupyter.data.quantum_programs import QUANTUM_PROGRAM, VERSIONS, rendered

BACKEND = "fake_manila@ideal"


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.rz(Parameter("phi"), 0)
    circuit.x(0)
    circuit.measure_all()
    return circuit


def twirled() -> tuple[QuantumCircuit, Any]:
    circuit = QuantumCircuit(2)
    with circuit.box([Twirl(), InjectNoise("noise")]):
        circuit.cx(0, 1)
    with circuit.box([Twirl()]):
        circuit.measure_all()
    return build(circuit)


def of_both() -> QuantumProgram:
    """Two items: one with values along two axes, one that draws 4 randomizations."""
    program = QuantumProgram(shots=30)
    program.append_circuit_item(turned(), circuit_arguments=np.linspace(0, 1, 6).reshape(3, 2, 1))
    template, samplex = twirled()
    noise = PauliLindbladMap.from_list([("XI", 0.1)])
    program.append_samplex_item(template, samplex, {"pauli_lindblad_maps.noise": noise}, shape=(4,))
    return program


def params(program: QuantumProgram, version: str = "v2.0", **options: Any) -> Any:
    """As the client sends them."""
    encoder = QUANTUM_PROGRAM_PARAMS_CONVERTERS[version].encoder
    return encoder(program, ExecutorOptions(**options)).model_dump(mode="json")


def job(asked: Any, backend: str = BACKEND) -> Program:
    source = json.dumps({"backend": backend, "params": asked}).encode()
    return Program(format="runtime-executor", sources=(source,), options=RunOptions(shots=30, seed_simulator=3))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("executor", ["fake_backends", "mock"])
def test_the_client_decodes_what_was_measured(version: str, executor: str) -> None:
    asked = job(params(of_both(), version))
    bench = load(executor)
    assert for_program(bench, asked).estimate(asked).num_circuits == 2
    datasets = run_program(for_program(bench, asked), asked)
    decoder, model = AVAILABLE_DECODERS[version]
    swept, drawn = decoder(model.model_validate_json(rendered(datasets) or b""))
    assert swept["meas"].shape == (3, 2, 30, 2)
    assert swept["meas"].any(axis=(0, 1, 2)).tolist() == [True, False]
    flips = drawn["measurement_flips.meas"]
    assert (drawn["meas"].shape, flips.shape) == ((4, 30, 2), (4, 1, 2))
    assert drawn["pauli_signs"].shape[0] == 4
    # Undone by what was drawn, only what the noise map flips is left: it acts on the second qubit alone.
    assert not (drawn["meas"] ^ flips)[..., 0].any()
    assert dict(datasets[0].sizes)["shot"] == 30
    assert set(datasets[1].qpi.arrays()) >= {"meas", "measurement_flips_meas", "pauli_signs"}


def test_the_same_seed_draws_the_same() -> None:
    asked = job(params(of_both()))
    first, second = (
        [dataset.qpi.arrays() for dataset in run_program(load("fake_backends"), asked)][1] for _ in range(2)
    )
    assert (first["measurement_flips_meas"] == second["measurement_flips_meas"]).all()
    assert (first["meas"].array == second["meas"].array).all()


def test_iq_points_come_from_who_measures_them() -> None:
    program = QuantumProgram(shots=30, items=of_both().items[:1], meas_level="kerneled")
    asked = job(params(program))
    with pytest.raises(QpiError, match="simulates bits, not IQ points"):
        load("fake_backends").validate(asked)
    [dataset] = run_program(for_program(load("mock"), asked), asked)
    assert dataset.qpi.arrays()["meas"].shape == (3, 2, 30, 2)
    assert dataset.qpi.arrays()["meas"].dtype == complex


def test_options_that_change_nothing_are_named() -> None:
    asked = params(of_both(), execution={"rep_delay": 1e-4, "init_qubits": False}, experimental={"odd": 1})
    [dataset, _] = run_program(load("fake_backends"), job(asked))
    named = circuit_info(dataset.attrs).metadata["primitive"]["result"]["not_applied"]
    assert named == ["execution.init_qubits", "execution.rep_delay", "experimental"]


def old_qpy(asked: Any) -> None:
    asked["quantum_program"]["circuits"]["b64_data"] = base64.b64encode(
        zlib.compress(b"QISKIT" + bytes([10]) + b"\x00" * 40)
    ).decode()


def old_qpy_in_the_samplex(asked: Any) -> None:
    """Deep inside, in JSON within JSON."""
    hidden = json.dumps({"circuit_base64": base64.b64encode(b"QISKIT" + bytes([10]) + b"\x00" * 40).decode()})
    samplex = asked["quantum_program"]["items"][1]["samplex"]
    samplex["samplex_json"] = json.dumps({**json.loads(samplex["samplex_json"]), "more": [{"table": hidden}]})


def in_program(**fields: Any) -> Callable[[Any], None]:
    return lambda asked: asked["quantum_program"].update(fields)


def in_item(index: int, **fields: Any) -> Callable[[Any], None]:
    return lambda asked: asked["quantum_program"]["items"][index].update(fields)


def tensor(data: bytes, shape: list[int], dtype: str = "f64") -> Any:
    return {"data": base64.b64encode(zlib.compress(data)).decode(), "shape": shape, "dtype": dtype}


BAD: dict[str, tuple[Callable[[Any], object], str]] = {
    "no program": (lambda asked: asked.pop("quantum_program"), "cannot be read"),
    "another version": (lambda asked: asked.update(schema_version="v9.0"), "schema versions"),
    "version of a wrong type": (lambda asked: asked.update(schema_version=[1]), "schema versions"),
    "no items": (in_program(items=[]), "circuits for 0 items"),
    "shots": (in_program(shots=True), "whole number"),
    "no shots": (in_program(shots=0), "not valid|shots"),
    "too many shots": (in_program(shots=10**9), "asks for"),
    "both levels": (in_program(meas_level="both"), "meas_level is"),
    "OpenQASM": (in_program(circuits={"data": ["OPENQASM 3.0;"]}), "QPY only"),
    "old QPY": (old_qpy, "QPY version 10"),
    "old QPY in the samplex": (old_qpy_in_the_samplex, "QPY version 10"),
    "item type": (in_item(0, item_type="other"), "cannot be read"),
    "too few values": (in_item(0, circuit_arguments=tensor(b"", [0])), "Item 0"),
    "a wrong tensor": (in_item(0, circuit_arguments=tensor(b"\x00" * 8, [2, 1])), "has 1 elements"),
    "a negative tensor": (in_item(0, circuit_arguments=tensor(b"\x00" * 8, [-1, -1])), "has 1 elements"),
    "NaN": (in_item(0, circuit_arguments=tensor(np.array([np.nan]).tobytes(), [1])), "finite"),
    "more booleans than are there": (
        in_item(0, circuit_arguments=tensor(b"\x00", [2**45], "bool")), r"has \d elements",
    ),
    "a kind of tensor": (in_item(0, circuit_arguments=tensor(b"\x00" * 8, [1], "q8")), "cannot be read"),
    "shapes that do not fit": (in_item(0, shape=[7]), "Item 0"),
    "nothing to run": (in_item(0, shape=[0, 3, 2]), "nothing to run|Item 0"),
    "too many sets": (in_item(1, shape=[20_000]), "limit is 10,240"),
    "a huge shape": (in_item(1, shape=[2**62]), "list of a few lengths"),
    "no samplex": (in_item(1, samplex={"samplex_json": "{}"}), "Item 1|cannot be read"),
    "JSON too deep": (in_item(1, samplex={"samplex_json": "[" * 100_000}), "cannot be read"),
    "unknown arguments": (in_item(1, samplex_arguments={"odd": 1}), "Item 1"),
    "no arguments": (in_item(1, samplex_arguments={}), "Item 1"),
    "a map of the wrong width": (
        in_item(1, samplex_arguments={"pauli_lindblad_maps.noise": {"sparse_terms": [], "num_qubits": 9}}), "Item 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_said_and_nothing_runs(what: str) -> None:
    damage, match = BAD[what]
    asked = params(of_both())
    damage(asked)
    with pytest.raises(QpiError, match=match):
        load("fake_backends").validate(job(asked))


def test_it_is_for_the_gates_of_its_backend() -> None:
    far = QuantumCircuit(4, 1)
    far.cx(0, 3)
    far.measure(0, 0)
    program = QuantumProgram(shots=10)
    program.append_circuit_item(far)
    with pytest.raises(QpiError, match=r"cx on qubits \(0, 3\)"):
        load("fake_backends").validate(job(params(program)))


@pytest.mark.parametrize("form", [SAMPLER, QUANTUM_PROGRAM])
def test_a_time_limit_is_a_number(form: ProgramFormat) -> None:
    source = json.dumps(json.loads(form.example()) | {"max_execution_time": "soon"}).encode()
    with pytest.raises(QpiError, match="max_execution_time is a number of seconds, not 'soon'"):
        load("fake_backends").validate(Program(format=form.name, sources=(source,)))
