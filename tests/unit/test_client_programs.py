"""From what a person hands over to the wire's program and options."""

from __future__ import annotations

import io

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter

from qpi_jupyter.client import programs
from qpi_jupyter.core.errors import ProgramError, Rejected
from qpi_jupyter.core.programs import MAX_SOURCE_BYTES, MIN_QPY_VERSION, ProgramFormat


def bell(name: str = "bell") -> QuantumCircuit:
    circuit = QuantumCircuit(2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OPENQASM 2.0;", ProgramFormat.OPENQASM2),
        ("  // a comment\n/* another\n one */ OPENQASM 3;", ProgramFormat.OPENQASM3),
        ("OPENQASM 3.1;\nqubit q;", ProgramFormat.OPENQASM3),
        ("qubit q;", ProgramFormat.OPENQASM3),
    ],
)
def test_a_text_says_its_format(text: str, expected: ProgramFormat) -> None:
    assert programs.text_format(text) is expected


def test_another_openqasm_is_refused_with_its_place() -> None:
    with pytest.raises(ProgramError, match="OpenQASM 4") as caught:
        programs.text_format("// hello\nOPENQASM 4.0;")
    assert (caught.value.line, caught.value.column) == (2, 10)


def test_circuits_travel_in_one_qpy_file_that_an_older_qiskit_reads() -> None:
    program = programs.program_of([bell("a"), bell("b")])
    assert program.format is ProgramFormat.QPY
    assert len(program.data) == 1
    assert program.data[0][6] == MIN_QPY_VERSION
    assert [circuit.name for circuit in qpy.load(io.BytesIO(program.data[0]))] == ["a", "b"]


def test_more_circuits_than_fit_one_source_are_split_in_order() -> None:
    wide = QuantumCircuit(10)
    for _ in range(4000):
        wide.rx(0.1, range(10))
    circuits = [wide.copy(name=f"c{n}") for n in range(3)]
    program = programs.program_of(circuits)
    assert len(program.data) > 1
    assert all(len(file) <= MAX_SOURCE_BYTES or len(qpy.load(io.BytesIO(file))) == 1 for file in program.data)
    names = [circuit.name for file in program.data for circuit in qpy.load(io.BytesIO(file))]
    assert names == ["c0", "c1", "c2"]


def test_what_is_no_circuit_is_named() -> None:
    with pytest.raises(TypeError, match="int is no circuit"):
        programs.program_of([3])
    with pytest.raises(ProgramError, match="empty"):
        programs.program_of([])
    with pytest.raises(ProgramError, match="openqasm2 and openqasm3"):
        programs.program_of(["OPENQASM 2.0;", "OPENQASM 3.0;"])
    with pytest.raises(ProgramError, match="openqasm3 and qpy"):
        programs.program_of(["OPENQASM 3.0;", bell()])


def test_numpy_numbers_are_numbers() -> None:
    options = programs.options_of("x", shots=np.int64(5), seed_simulator=np.uint8(3), meas_level=np.int32(1))
    assert (options.shots, options.seed_simulator, options.meas_level) == (5, 3, 1)
    assert type(options.shots) is int


@pytest.mark.parametrize("shots", [1.5, "10", True, np.float64(3)])
def test_shots_are_whole_numbers(shots: object) -> None:
    with pytest.raises(TypeError, match="shots is a whole number"):
        programs.options_of("x", shots=shots)


def test_shots_for_each_circuit() -> None:
    options = programs.options_of(["x", "y"], shots=[10, 20])
    assert [circuit.shots for circuit in options.circuits] == [10, 20]
    with pytest.raises(Rejected, match="3 entries for 2 circuits"):
        programs.options_of(["x", "y"], shots=np.array([1, 2, 3]))


def test_parameter_values_as_row_rows_and_dict() -> None:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.rx(b, 0)
    circuit.rz(a, 0)

    def rows(values: object) -> list[list[float]]:
        return programs.options_of(circuit, parameter_values=values).circuits[0].parameter_values

    assert rows([1, 2]) == [[1.0, 2.0]]
    assert rows(np.array([[1, 2], [3, 4]])) == [[1.0, 2.0], [3.0, 4.0]]
    assert rows({b: [1, 2, 3], "a": 0.5}) == [[0.5, 1.0], [0.5, 2.0], [0.5, 3.0]]
    with pytest.raises(Rejected, match="parameters are a, b; parameter_values has a"):
        rows({a: 1})
    with pytest.raises(TypeError, match="row of numbers"):
        rows(["x", None])


def test_parameter_values_of_several_circuits() -> None:
    options = programs.options_of(["x", "y"], parameter_values=[[[1.0], [2.0]], None])
    assert [circuit.parameter_values for circuit in options.circuits] == [[[1.0], [2.0]], []]
    with pytest.raises(Rejected, match="1 entries for 2 circuits"):
        programs.options_of(["x", "y"], parameter_values=[[1.0]])
