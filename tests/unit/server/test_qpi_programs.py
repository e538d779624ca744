"""Circuits of QPI's clients as requests of ours, and our results as theirs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.programs import pack
from qpi_jupyter.core.results import qiskit_result
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn
from qpi_server.web.compat.qpi.programs import Submit, payload_of, request_of
from qpi_server.web.compat.qpi.results import MAX_MEMORY_BYTES, qpi_results

QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'


def submit(**body: Any) -> Any:
    return request_of(msgspec.json.decode(msgspec.json.encode(body), type=Submit))


def test_a_plain_submit_gets_qpis_defaults() -> None:
    for body in ({}, {"shots": 0, "meas_return": "", "qpu_target": ""}, {"shots": None, "meas_level": None}):
        request = submit(circuits=[{"circuit": QASM3}], **body)
        assert request.program.format == "openqasm3"
        assert (request.options.shots, request.options.meas_level, request.options.meas_return) == (1024, 2, "single")
        assert request.qpu is None


def test_a_text_goes_by_any_one_name() -> None:
    for circuit in ({"qasm": QASM2}, {"circuit_qasm": QASM2, "circuit": ""}, QASM2):
        request = submit(circuits=[circuit], qpu_target="q1")
        assert request.program.sources == [QASM2]
        assert (request.program.format, request.qpu) == ("openqasm2", "q1")


def test_the_default_backends_name_is_no_qpu() -> None:
    assert submit(circuits=[QASM3], qpu_target="qpi").qpu is None


def test_what_is_no_openqasm_has_no_circuits_there() -> None:
    options = OptionsIn(circuits=[CircuitIn(shots=3), CircuitIn()])
    for form in ("qpy", "toy-coins"):
        job: Any = SimpleNamespace(format=form, qpu="q1")
        assert payload_of(job, pack((b"\0", b"\1")), options)["circuits"] == []


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (QASM3 + "input float[64] t;\nqubit[1] q;", [[0.5], [1.0]]),
        (QASM3 + "  input angle t;", [[0.5], [1.0]]),
        (QASM3 + "// input float t;\nqubit[1] q;", [[], []]),
        (QASM3 + "/* \ninput float t; */ qubit[1] inputs;", [[], []]),
        (QASM2 + "qreg q[1];", [[], []]),
    ],
)
def test_values_count_only_where_a_circuit_has_inputs(text: str, rows: list[list[float]]) -> None:
    request = submit(circuits=[{"circuit": text, "parameter_values": [[0.5], [1.0]]}])
    assert request.options.circuits[0].parameter_values == rows


def test_one_row_may_come_without_its_brackets() -> None:
    request = submit(circuits=[{"circuit": QASM3 + "input float t;\n", "parameter_values": [0.5]}])
    assert request.options.circuits[0].parameter_values == [[0.5]]


@pytest.mark.parametrize("circuits", [[], [{"circuit": "qubit q;"}], [{}], [QASM2, QASM3]])
def test_what_is_no_program_is_refused(circuits: list[Any]) -> None:
    with pytest.raises(Rejected):
        submit(circuits=circuits)


def result(**circuit: Any) -> dict[str, Any]:
    entry = {
        "name": "bell", "circuit": 0, "row": None, "shots": 10, "meas_level": 2, "meas_return": "single",
        "creg_sizes": [["a", 2], ["b", 1]], "qreg_sizes": [], "memory_slots": 3, "n_qubits": 3, "seed": 1,
        "metadata": None, "counts": {"0x0": 4, "0x5": 6}, "truncated": False, **circuit,
    }  # fmt: skip
    header = {"v": 1, "success": True, "circuits": [entry], "provenance": None}
    rendered = qpi_results(qiskit_result(header, "job-1", "q1"))
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rendered))
    return decoded


def test_keys_are_padded_and_every_shot_is_there() -> None:
    found = result()
    [circuit] = found["circuit_results"]
    assert circuit["counts"] == found["counts"] == {"000": 4, "101": 6}
    assert sorted(circuit["memory"]) == ["0x0"] * 4 + ["0x5"] * 6
    assert circuit["header"] == {"name": "bell", "memory_slots": 3, "creg_sizes": [["a", 2], ["b", 1]]}
    assert (found["shots"], found["backend"], found["success"]) == (10, "q1", True)
    assert "truncated" not in circuit


def test_loose_bits_are_not_cut_off() -> None:
    [circuit] = result(creg_sizes=[["a", 2]])["circuit_results"]
    assert circuit["header"] == {"name": "bell", "memory_slots": 3}


def test_points_keep_qpis_shape() -> None:
    points = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
    [single] = result(meas_level=1, counts=None, memory=[points, points])["circuit_results"]
    assert single["memory"] == [points, points]
    found = result(meas_level=1, meas_return="avg", counts=None, memory=points)
    assert found["circuit_results"][0]["memory"] == found["memory"] == [points]
    assert "counts" not in found


def test_more_shots_than_fit_are_left_out() -> None:
    [circuit] = result(counts={"0x0": MAX_MEMORY_BYTES})["circuit_results"]
    assert "memory" not in circuit
    assert circuit["counts"] == {"000": MAX_MEMORY_BYTES}


def test_the_header_of_a_result_that_was_cut_says_so() -> None:
    assert result(truncated=True)["circuit_results"][0]["truncated"] is True


def test_of_two_texts_of_one_circuit_none_is_taken() -> None:
    with pytest.raises(Rejected, match="two texts"):
        submit(circuits=[{"qasm": QASM2, "circuit": QASM2 + " "}])
