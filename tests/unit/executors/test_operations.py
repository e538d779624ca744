"""Every operation runs, or is refused before the job is stored: none fails as the instrument's fault."""

from __future__ import annotations

import inspect
import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Gate, Instruction, Parameter
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import Kraus, SuperOp
from qiskit_aer import AerSimulator
from qiskit_aer import library as aer_library
from qiskit_aer.noise import depolarizing_error

from qpi_executors import Executor, run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.mock import MockExecutor
from qpi_jupyter.core.errors import ProgramError, Rejected
from qpi_jupyter.core.programs import CircuitOptions, Program
from tests.circuits import qpy_program

SIMULATORS: dict[str, Executor] = {"qiskit_aer": AerExecutor(num_qubits=4), "mock": MockExecutor(num_qubits=4)}
NATIVE = sorted(AerSimulator().target.operation_names)
PARAMS: dict[str, list[Any]] = {
    "none": [], "angle": [0.3], "vector": [np.array([1, 0, 0, 0])], "matrix": [np.eye(4)], "large": [np.eye(16)],
}  # fmt: skip


def outcome(executor: Executor, program: Program) -> str:
    """``ran``, or the refusal's code; an error while it runs is an error of the test."""
    try:
        executor.validate(program)
    except (Rejected, ProgramError) as error:
        return error.code
    executor.open()
    assert sum(run_program(executor, program)[0].qpi.counts().values()) == 1024
    return "ran"


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("params", PARAMS)
def test_an_operation_that_is_only_a_name_runs_or_is_refused_at_submit(simulator: str, params: str) -> None:
    """As QPY brings Aer's own instructions, and whatever else has no class in Qiskit."""
    found = {}
    for name in [*NATIVE, "snapshot_statevector", "no_such_thing"]:
        if name in get_standard_gate_name_mapping() or name in ("if_else", "for_loop", "while_loop", "switch_case"):
            continue  # read as Qiskit's own class, not as a name
        circuit = QuantumCircuit(2, 2)
        try:
            circuit.append(Instruction(name, 2, 0, PARAMS[params]), [0, 1])
            circuit.measure([0, 1], [0, 1])
            program = qpy_program(circuit)
            qpy.load(io.BytesIO(program.sources[0]))
        except (IndexError, TypeError, ValueError, QiskitError):
            continue  # Qiskit itself does not write or read it in this form
        found[name] = outcome(SIMULATORS[simulator], program)
    assert len(found) > 20
    assert all(code == "unsupported_operation" for name, code in found.items() if name.startswith("save_"))
    ran = {name for name, code in found.items() if code == "ran"}
    expected = {"vector": {"set_statevector"}, "matrix": {"kraus", "set_density_matrix"}, "large": {"superop"}}
    assert ran <= (expected.get(params, set()) if simulator == "qiskit_aer" else set()) | {"barrier"}


def saves() -> list[str]:
    return [name for name, kind in inspect.getmembers(aer_library, inspect.isclass) if name.startswith("Save")]


@pytest.mark.parametrize("inside", [False, True])
def test_what_a_result_cannot_hold_is_refused_with_its_name(inside: bool) -> None:
    assert len(saves()) > 10
    circuit = QuantumCircuit(2, 2)
    circuit.h(0)
    target = QuantumCircuit(2, 2) if inside else circuit
    target.save_statevector()
    if inside:
        circuit.measure(0, 0)
        circuit.if_test((circuit.clbits[0], 1), target, [0, 1], [0, 1])
    circuit.measure([0, 1], [0, 1])
    with pytest.raises(ProgramError, match=r"'save_statevector'.*no result of a lab holds") as caught:
        SIMULATORS["qiskit_aer"].validate(qpy_program(circuit))
    assert caught.value.data["gate"] == "save_statevector"


def test_an_opaque_gate_of_a_text_is_refused_with_its_place() -> None:
    text = (
        b'OPENQASM 2.0;\ninclude "qelib1.inc";\nopaque magic q;\nqreg q[1];\ncreg c[1];\nmagic q[0];\nmeasure q -> c;\n'
    )
    for simulator in SIMULATORS.values():
        with pytest.raises(ProgramError, match="'magic'") as caught:
            simulator.validate(Program(format="openqasm2", sources=(text,)))
        assert caught.value.line in (3, 6)


@pytest.mark.parametrize("channel", [Kraus, SuperOp])
def test_channels_run(channel: type) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.append(channel(depolarizing_error(0.75, 2)).to_instruction(), [0, 1])
    circuit.measure([0, 1], [0, 1])
    assert outcome(SIMULATORS["qiskit_aer"], qpy_program(circuit)) == "ran"
    circuit.append(depolarizing_error(0.1, 1).to_instruction(), [0])
    circuit.measure([0, 1], [0, 1])
    assert outcome(SIMULATORS["qiskit_aer"], qpy_program(circuit)) == "ran"


ROTATIONS = sorted(name for name, gate in get_standard_gate_name_mapping().items() if gate.params and gate.num_qubits)
BAD = st.sampled_from([math.inf, -math.inf, math.nan])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([name for name in ROTATIONS if name != "delay"]), BAD, st.booleans())
def test_no_number_that_is_not_finite_gets_through(name: str, value: float, inside: bool) -> None:
    standard = get_standard_gate_name_mapping()[name]
    gate = standard.base_class(*[value] * len(standard.params))
    circuit = QuantumCircuit(4, 4)
    if inside:
        own = QuantumCircuit(4)
        own.append(gate, range(gate.num_qubits))
        circuit.append(own.to_gate(), range(4))
    else:
        circuit.append(gate, range(gate.num_qubits))
    circuit.measure(range(4), range(4))
    for simulator in SIMULATORS.values():
        with pytest.raises(ProgramError, match="not finite"):
            simulator.validate(qpy_program(circuit))


@pytest.mark.parametrize("value", [np.nan, np.inf, complex(0, math.nan)])
def test_neither_in_a_matrix(value: complex) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.append(UnitaryGate(np.array([[1, value], [0, 1]], dtype=complex), check_input=False), [0])
    circuit.measure(0, 0)
    with pytest.raises(ProgramError, match="not finite"):
        SIMULATORS["qiskit_aer"].validate(qpy_program(circuit))


THETA = Parameter("theta")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (1 / THETA, 0.0),
        (THETA.log(), -1.0),
        (THETA.log(), 0.0),
        (THETA.arcsin(), 2.0),
        (THETA**0.5, -1.0),
        (THETA.exp(), 1e4),
    ],
)
def test_a_row_that_makes_no_finite_number_is_named(expression: Any, value: float) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(expression, 0)
    circuit.measure(0, 0)
    program = qpy_program(circuit, entries=(CircuitOptions(parameter_values=((0.25,), (value,))),))
    with pytest.raises(ProgramError, match=r"no finite real number from row 1.*theta"):
        SIMULATORS["qiskit_aer"].validate(program)


def test_a_gate_of_ones_own_with_a_definition_runs() -> None:
    own = QuantumCircuit(1, name="mine")
    own.x(0)
    circuit = QuantumCircuit(1, 1)
    circuit.append(own.to_gate(), [0])
    circuit.measure(0, 0)
    for simulator in SIMULATORS.values():
        assert outcome(simulator, qpy_program(circuit)) == "ran"
    empty = QuantumCircuit(1, 1)
    empty.append(Gate("nothing", 1, []), [0])
    empty.measure(0, 0)
    for simulator in SIMULATORS.values():
        with pytest.raises(ProgramError, match="only a name"):
            simulator.validate(qpy_program(empty))


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("value", [expr.lift(True), expr.lift(3, types.Uint(8)), expr.lift(0.5)])
def test_variables_that_a_simulator_cannot_compute_are_refused_with_their_name(value: expr.Expr, inside: bool) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    if inside:
        block = QuantumCircuit(1, 1)
        block.add_var("count", value)
        circuit.if_test((circuit.clbits[0], 1), block, [0], [0])
    else:
        circuit.add_var("count", value)
    for simulator in SIMULATORS.values():
        with pytest.raises(ProgramError, match=r"'count'|control flow"):
            simulator.validate(qpy_program(circuit))
