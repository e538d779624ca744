"""From what a person hands over to the wire's program and options."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter, ParameterVector

from qpi_jupyter.client import programs
from qpi_jupyter.client.numpy_values import encode
from qpi_jupyter.core.errors import ProgramError, Rejected
from qpi_jupyter.core.formats import MIN_QPY_VERSION, text_format
from tests.support.packages import TOY_LAB, a_package, installed


def bell(name: str = "bell") -> QuantumCircuit:
    circuit = QuantumCircuit(2, name=name)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OPENQASM 2.0;", "openqasm2"),
        ("  // a comment\n/* another\n one */ OPENQASM 3;", "openqasm3"),
        ("OPENQASM 3.1;\nqubit q;", "openqasm3"),
        ("qubit q;", "openqasm3"),
    ],
)
def test_a_text_says_its_format(text: str, expected: str) -> None:
    assert text_format(text).name == expected


def test_another_openqasm_is_refused_with_its_place() -> None:
    with pytest.raises(ProgramError, match="OpenQASM 4") as caught:
        text_format("// hello\nOPENQASM 4.0;")
    assert (caught.value.line, caught.value.column) == (2, 10)


def test_circuits_travel_in_one_qpy_file_that_an_older_qiskit_reads() -> None:
    program = programs.program_of([bell("a"), bell("b")])
    assert program.format == "qpy"
    assert len(program.data) == 1
    assert program.data[0][6] == MIN_QPY_VERSION
    assert [circuit.name for circuit in qpy.load(io.BytesIO(program.data[0]))] == ["a", "b"]


@pytest.mark.parametrize("version", [MIN_QPY_VERSION, qpy.QPY_VERSION])
def test_a_file_of_qiskits_own_with_delays_is_warned_of(version: int) -> None:
    circuit = bell()
    circuit.delay(100, 0, unit="ns")
    file = io.BytesIO()
    qpy.dump(circuit, file, version=version)
    with pytest.warns(UserWarning, match="do not keep the unit of a delay"):
        programs.program_of(file.getvalue())
    (ours,) = programs.program_of(circuit).data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert programs.program_of(ours).data == [ours]


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["rabi"], "rabi"),
        (["rabi", "circuit-155", "t1", "rabi", "circuit-7-4321"], "rabi, t1"),
        (list("abcde"), "a, b, c and 2 more"),
        (["a\nb\x00 \ud800c"], "a b c"),
        (["x" * 300], "x" * 80),
        (["circuit-155"], ""),
    ],
)
def test_a_job_is_called_by_its_circuits(names: list[str], called: str) -> None:
    assert programs.called([bell(name) for name in names]) == called
    assert programs.called(iter([bell(name) for name in names])) == called


def test_what_has_no_name_calls_no_job() -> None:
    assert programs.called("OPENQASM 3.0;") == programs.called([b"QISKIT", 7, None]) == ""


def test_what_is_no_circuit_is_named() -> None:
    with pytest.raises(TypeError, match="of type int: send"):
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
    with pytest.raises(Rejected, match="3 values for 2 circuits"):
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


@pytest.mark.parametrize("kind", [np.array, list, tuple])
def test_a_list_of_numbers_is_the_values_of_a_circuit_s_one_parameter(kind: Any) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("theta"), 0)
    text = "OPENQASM 3.0;\n// input float b;\ninput float[64] a; qubit q;\nrx(a) q;"
    two = "OPENQASM 3.0;\ninput float a; input float b;\nqubit q;\nrx(a + b) q;"

    def rows(program: object, values: object) -> list[list[list[float]]]:
        return [each.parameter_values for each in programs.options_of(program, parameter_values=values).circuits]

    values = kind([0.0, 0.5, 1.0])
    assert rows(circuit, values) == [[[0.0], [0.5], [1.0]]]
    assert rows(text, values) == [[[0.0], [0.5], [1.0]]]
    assert rows([circuit, circuit], [values, None]) == [[[0.0], [0.5], [1.0]], []]
    assert rows(two, kind([0.0, 0.5])) == [[[0.0, 0.5]]]


def test_parameter_vectors_are_taken_apart() -> None:
    v, a = ParameterVector("v", 3), Parameter("a")
    circuit = QuantumCircuit(1)
    for angle in (v[2], a, v[0]):  # of the vector, the circuit uses a part
        circuit.rx(angle, 0)

    def rows(values: object) -> list[list[float]]:
        return programs.options_of(circuit, parameter_values=values).circuits[0].parameter_values

    one, two = [[9.0, 1.0, 3.0]], [[9.0, 1.0, 3.0], [9.0, 4.0, 6.0]]
    for key in (v, "v", tuple(v), ("v[0]", "v[1]", "v[2]")):
        assert rows({key: [1, 2, 3], a: 9}) == rows({key: np.array([1, 2, 3]), "a": np.array(9)}) == one
        assert rows({key: np.arange(1, 7).reshape(2, 3), a: np.float32(9)}) == two
    assert rows({v[0]: [1, 4], v[2]: np.array([3, 6]), a: [9, 9]}) == two
    with pytest.raises(Rejected, match="2 values in a row for v, which has 3"):
        rows({v: [1, 2], a: 9})
    with pytest.raises(Rejected, match="parameters are"):
        rows({v: [1, 2, 3]})


def test_a_number_alone_is_the_row_of_one_parameter() -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    for value in (0.5, np.float32(0.5), np.array(0.5), [0.5], np.array([[0.5]])):
        assert programs.options_of(circuit, parameter_values=value).circuits[0].parameter_values == [[0.5]]


@pytest.mark.parametrize("kind", [np.int8, np.uint64, np.array, lambda n: np.array([n])[0], int])
def test_whole_numbers_of_every_kind(kind: Any) -> None:
    options = programs.options_of("x", shots=kind(7), seed_simulator=kind(3), meas_level=kind(1))
    assert [options.shots, options.seed_simulator, options.meas_level] == [7, 3, 1]
    assert {type(options.shots), type(options.seed_simulator), type(options.meas_level)} == {int}


@pytest.mark.parametrize("bad", [np.True_, np.float64(2), np.array(1.5), np.array([[1]]), 1 + 0j, "3"])
def test_what_is_no_whole_number_is_named(bad: object) -> None:
    for name in ("shots", "seed_simulator", "meas_level"):
        with pytest.raises(TypeError, match=f"{name} is a whole number"):
            programs.options_of("x", **{name: bad})


def test_options_of_a_qpu_are_plain() -> None:
    extra = {"a": np.int64(1), "b": np.array([1.5, 2]), "c": {"d": np.bool_(True)}, "e": np.str_("x")}
    options = programs.options_of("x", extra=extra)
    assert msgspec.json.decode(msgspec.json.encode(options.extra)) == {
        "a": 1,
        "b": [1.5, 2.0],
        "c": {"d": True},
        "e": "x",
    }
    with pytest.raises(TypeError, match=r"a\['b'\] is nan"):
        programs.options_of("x", extra={"a": {"b": float("nan")}})


def test_an_iterator_of_circuits_is_gone_through_once() -> None:
    circuits = programs.once(bell(name) for name in "ab")
    assert programs.program_of(circuits).data
    assert len(programs.options_of(circuits, shots=[1, 2]).circuits) == 2
    circuit = bell()
    assert programs.once(circuit) is circuit


def test_parameter_values_of_several_circuits() -> None:
    options = programs.options_of(["x", "y"], parameter_values=[[[1.0], [2.0]], None])
    assert [circuit.parameter_values for circuit in options.circuits] == [[[1.0], [2.0]], []]
    with pytest.raises(Rejected, match="1 value for 2 circuits"):
        programs.options_of(["x", "y"], parameter_values=[[1.0]])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf, 10**400, np.float32("nan"), "nan"])
def test_parameter_values_are_finite(value: Any) -> None:
    with pytest.raises(Rejected, match="finite"):
        programs.options_of(bell(), parameter_values=[[0.5, value]])


def test_a_text_that_no_file_can_hold_is_named() -> None:
    with pytest.raises(Rejected, match="half of a pair"):
        encode({"tags": ["good", "bad \ud800"]})


def test_another_packages_programs_are_recognised_whatever_else_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaves.py").write_text("raise SystemExit('no licence')")
    a_package(tmp_path, "broken-lab", {"qpi.formats": {"leaves": "leaves:X", "text": "string:digits"}})
    with pytest.raises(TypeError, match="of type object: send"), installed(tmp_path):
        programs.program_of(object())
    with installed(tmp_path), installed(TOY_LAB):
        from qpi_toy_lab import Coins

        rows = [Coins((50,)), Coins((10, 90))]
        assert programs.is_program(rows)
        assert programs.program_of(rows[0]).format == "toy-coins"
        looked: list[str] = []
        monkeypatch.setattr(programs.FORMATS, "members", lambda: looked.append("again"))
        assert programs.program_of(rows * 100).data == [b"COINS\x32", b"COINS\x0a\x5a"] * 100
        assert not looked
        monkeypatch.undo()
        with pytest.raises(ProgramError, match="not openqasm3 and toy-coins"):
            programs.program_of([Coins((50,)), "OPENQASM 3.0;"])
        with pytest.raises(Rejected, match=r"The format 'leaves' .* no licence"):
            programs.program_of("x", "leaves")
        with pytest.raises(Rejected, match=r"The format 'text' .* is not a qpi_jupyter\.core\.ProgramFormat"):
            programs.program_of("x", "text")
