"""Pubs whose circuit is a text in OpenQASM 3 on physical qubits: what QRMI sends."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager, qasm3
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import RuntimeEncoder
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qpi_executors import load, run_program
from qpi_executors.primitives.on_executor import for_program
from qpi_jupyter.core import Program, ProgramError, RunOptions
from qpi_jupyter.data.primitives import SAMPLER


def text(circuit: QuantumCircuit) -> str:
    """As QRMI writes it."""
    return qasm3.dumps(circuit, disable_constants=True, allow_aliasing=True)


def program(primitive: str, backend: str, *pubs: Any) -> Program:
    asked = {"backend": backend, "params": {"pubs": pubs, "options": {}, "version": 2}}
    return Program(
        format=f"runtime-{primitive}", sources=(json.dumps(asked).encode(),), options=RunOptions(shots=400)
    )  # fmt: skip


def laid(circuit: QuantumCircuit) -> QuantumCircuit:
    """On qubits 3 and 4 of a device of five."""
    return generate_preset_pass_manager(1, backend=FakeManilaV2(), initial_layout=[3, 4]).run(circuit)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit


@pytest.mark.parametrize("backend", ["fake_manila@ideal", "own"])
def test_a_sampler_has_its_registers_and_rows(backend: str) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    circuit.measure_all()
    compiled = generate_preset_pass_manager(1, backend=FakeManilaV2(), initial_layout=[4]).run(circuit)
    asked = program("sampler", backend, [text(compiled), [[0.0], [np.pi]], 50])
    executor = load("fake_backends") if "@" in backend else for_program(load("qiskit_aer", num_qubits=5), asked)
    executor.validate(asked)
    [dataset] = run_program(executor, asked)
    bits = dataset.qpi.arrays()["meas"]
    assert [bits[row].get_counts() for row in (0, 1)] == [{"0": 50}, {"1": 50}]


def test_an_estimator_s_circuit_is_as_wide_as_its_observables() -> None:
    circuit = QuantumCircuit(1)
    circuit.x(0)
    compiled = generate_preset_pass_manager(1, backend=FakeManilaV2(), initial_layout=[1]).run(circuit)
    observable = SparsePauliOp("Z").apply_layout(compiled.layout).to_list()
    asked = program(
        "estimator", "fake_manila@ideal", [text(compiled), [{term: 1.0 for term, _ in observable}], [], 0.1]
    )
    [dataset] = run_program(load("fake_backends"), asked)
    assert dataset.qpi.arrays()["evs"].tolist() == pytest.approx([-1.0], abs=0.6)


def test_a_wrong_text_is_told_with_its_place() -> None:
    wrong = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nh $0 $1;\n'
    with pytest.raises(ProgramError, match="line 3") as refused:
        load("fake_backends").validate(program("sampler", "fake_manila@ideal", [wrong]))
    assert refused.value.circuit == 0
    with pytest.raises(ProgramError, match="not supported by the target system"):
        load("fake_backends").validate(program("sampler", "fake_manila@ideal", [text(_measured(bell()))]))


def _measured(circuit: QuantumCircuit) -> QuantumCircuit:
    circuit.measure_all()
    return circuit


def test_the_panel_shows_the_text_as_it_was_sent() -> None:
    sent = text(laid(bell()))
    [found] = SAMPLER.read(program("sampler", "fake_manila@aer", [sent]).sources[0])
    assert SAMPLER.to_text(found) == sent


def test_a_sampler_s_bits_are_in_a_register() -> None:
    asked = program("sampler", "lab_statevector", ["OPENQASM 3.0; qubit q; bit c; c = measure q;", None, 10])
    with pytest.raises(ProgramError, match="measures into no register"):
        load("fake_backends").validate(asked)


def test_angles_are_real() -> None:
    """Qiskit would drop the imaginary parts."""
    theta = Parameter("theta")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    circuit.measure_all()
    compiled = generate_preset_pass_manager(1, backend=FakeManilaV2(), initial_layout=[4]).run(circuit)
    numbers = json.loads(json.dumps(np.array([0.5 + 0.1j]), cls=RuntimeEncoder))
    asked = program("sampler", "fake_manila@ideal", [text(compiled), numbers, 50])
    with pytest.raises(ProgramError, match="The parameter values of pub 0 are complex: send real numbers"):
        load("fake_backends").validate(asked)
