"""The JSON header, and the Qiskit results made of it and of the Datasets."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from qiskit.primitives import BitArray
from qiskit.result import Result

from qpi_jupyter.core import MAX_CIRCUITS
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.results import (
    MAX_HEADER_BYTES,
    format_outcome,
    header_circuits,
    parse_outcome,
    qiskit_result,
)
from qpi_jupyter.data.bits import outcomes
from qpi_jupyter.data.build import arrays_dataset, bits_dataset, counts_dataset, expectation_dataset, iq_dataset
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.header import result_header
from qpi_jupyter.data.qiskit_results import to_primitive_result, to_result


def info(slots: int = 2, **changes) -> CircuitInfo:
    plain = {"name": "c", "shots": 4, "memory_slots": slots, "n_qubits": slots, "creg_sizes": (("c", slots),)}
    return CircuitInfo(**{**plain, **changes})


BITS = [[0, 0], [1, 0], [1, 1], [1, 0]]
POINTS = np.array([[0.25 + 1j, -1.0], [0.5, 2j]])
SLOTS = Slots(clbit=(0, 2), qubit=(1, 0), acq_index=(0, 0))
ONE = Slots(clbit=(0,), qubit=(0,), acq_index=(0,))


def test_header_of_bits():
    header = json.loads(json.dumps(result_header([bits_dataset(info(seed=7), BITS)])))
    (circuit,) = header_circuits(header)
    assert (header["v"], header["success"], header["provenance"]) == (1, True, None)
    assert circuit["counts"] == {"0x0": 1, "0x1": 2, "0x3": 1}
    assert (circuit["truncated"], circuit["seed"], circuit["creg_sizes"]) == (False, 7, [["c", 2]])


@pytest.mark.parametrize(
    ("value", "registers", "slots", "key"),
    [
        (5, [("a", 1), ("b", 2)], 3, "10 1"),
        (1, [("a", 1)], 1, "1"),
        (5, [("a", 1)], 3, "101"),  # loose bits: no register says where to split
        (2**70, [("a", 64), ("b", 7)], 71, "1000000 " + "0" * 64),
        (0, [], 0, ""),
    ],
)
def test_outcomes_are_written_as_qiskit_writes_them(value, registers, slots, key):
    assert format_outcome(value, registers, slots) == key
    if key:
        assert parse_outcome(key) == parse_outcome(hex(value)) == value


@pytest.mark.parametrize("width", [1, 8, 9, 12, 13, 63, 64, 65, 130])
def test_counting_is_exact_at_every_width(width):
    bits = np.random.default_rng(width).integers(0, 2, (300, width), dtype=np.int8)
    bits[200:] = bits[:100]
    expected: dict[int, int] = {}
    for row in bits.tolist():
        value = sum(bit << k for k, bit in enumerate(row))
        expected[value] = expected.get(value, 0) + 1
    (entry,) = header_circuits(result_header([bits_dataset(info(width, shots=300), bits)]))
    assert entry["counts"] == {hex(value): expected[value] for value in sorted(expected)}
    values, inverse, _ = outcomes(bits)
    assert [values[k] for k in inverse] == [sum(b << k for k, b in enumerate(row)) for row in bits.tolist()]


def test_too_many_outcomes_keep_the_most_frequent_ones():
    counts = {value: 1 for value in range(200_000)} | {77: 900, 78: 800}
    header = result_header([counts_dataset(info(20, shots=201_698), counts), bits_dataset(info(), BITS)])
    large, small = header_circuits(header)
    assert len(json.dumps(header)) <= MAX_HEADER_BYTES
    assert large["truncated"]
    assert not small["truncated"]
    assert list(large["counts"].items())[:2] == [(hex(77), 900), (hex(78), 800)]
    assert len(large["counts"]) > 30_000


@pytest.mark.parametrize("metadata", [pytest.param({}, marks=pytest.mark.slow), {"note": "x" * 500}])
def test_a_job_of_the_most_circuits_fits(metadata):
    datasets = [bits_dataset(info(circuit=k, metadata={**metadata, "k": k}), BITS) for k in range(MAX_CIRCUITS)]
    header = result_header(datasets)
    assert len(json.dumps(header)) <= MAX_HEADER_BYTES
    circuits = header_circuits(header)
    assert [entry["circuit"] for entry in circuits] == list(range(MAX_CIRCUITS))
    assert all(entry["counts"] == {"0x0": 1, "0x1": 2, "0x3": 1} for entry in circuits)
    assert all(isinstance(entry["metadata"], dict) for entry in circuits)
    assert Result.from_dict(qiskit_result(header, "j", "q")).get_counts(MAX_CIRCUITS - 1) == {"00": 1, "01": 2, "11": 1}


def test_values_of_more_parameters_than_fit_stay_in_the_dataset():
    values = {f"a_parameter_{k}": k / 3 for k in range(40)}
    datasets = [bits_dataset(info(row=k, parameters=values | {"k": k}), BITS) for k in range(60)]
    header = result_header(datasets, max_bytes=40_000)
    assert len(json.dumps(header)) <= 40_000
    assert all("parameters" not in entry and entry["counts"] for entry in header_circuits(header))


@pytest.mark.parametrize(("meas_return", "shape"), [("single", (2, 3)), ("avg", (3,))])
def test_level_1_has_qiskits_shapes(meas_return, shape):
    points = POINTS if meas_return == "single" else POINTS.mean(axis=0)
    dataset = iq_dataset(info(3, shots=2, meas_level=1, meas_return=meas_return), points, SLOTS)
    for result in (
        to_result([dataset]),
        Result.from_dict(json.loads(json.dumps(qiskit_result(result_header([dataset]), "j", "q")))),
    ):
        memory = result.get_memory()
        assert memory.shape == shape
        assert memory[..., [0, 2]] == pytest.approx(points)
        assert (memory[..., 1] == 0).all()  # nothing measures it
        assert not hasattr(result.results[0].data, "counts")


def test_level_1_says_what_is_drawn_of_it():
    (entry,) = header_circuits(result_header([iq_dataset(info(3, shots=2, meas_level=1), POINTS, SLOTS)]))
    assert [(one["draw"], one["label"], one["total"]) for one in entry["drawings"]] == [
        ("iq", "q0", 2),
        ("iq", "q1", 2),
    ]


def test_level_1_points_that_do_not_fit_stay_in_the_dataset_and_are_drawn_in_part():
    points = np.zeros((100_000, 2), dtype=complex)
    header = result_header([iq_dataset(info(3, shots=100_000, meas_level=1), points, SLOTS)])
    (entry,) = header_circuits(header)
    assert (entry["memory"], entry["truncated"]) == (None, True)
    assert [(one["total"], len(one["i"])) for one in entry["drawings"]] == [(100_000, 800)] * 2


def test_where_points_and_drawings_do_not_fit_the_points_that_qiskit_reads_are_kept():
    about = [info(1, shots=1000, circuit=k, meas_level=1) for k in range(16)]
    datasets = [iq_dataset(one, np.ones((1000, 1)), ONE) for one in about]
    header = result_header(datasets, max_bytes=1 << 20)
    assert len(json.dumps(header)) <= 1 << 20
    entries = header_circuits(header)
    assert all(len(entry["memory"]) == 1000 and not entry["truncated"] for entry in entries)
    assert not any("drawings" in entry for entry in entries[:5])


def test_the_rows_of_a_sweep_have_one_drawing_together():
    about = [info(1, shots=2, meas_level=1, row=k, axes=(), parameters={"theta": k / 2}) for k in range(5)]
    rows = [iq_dataset(one, np.full((2, 1), k), ONE) for k, one in enumerate(about)]
    first, *others = header_circuits(result_header(rows))
    assert [drawing["draw"] for drawing in first["drawings"]] == ["lines"]
    assert not any("drawings" in entry for entry in others)


def test_qiskit_result_json_is_a_qiskit_result():
    dataset = bits_dataset(info(3, shots=2, creg_sizes=(("a", 1), ("b", 2)), metadata={"k": 1}), [[1, 0, 1], [1, 0, 1]])
    raw = json.loads(json.dumps(qiskit_result(result_header([dataset]), "job-1", "sim-a")))
    result = Result.from_dict(raw)
    assert (result.job_id, result.backend_name, result.success) == ("job-1", "sim-a", True)
    assert result.get_counts() == {"10 1": 2}
    assert result.results[0].header["metadata"] == {"k": 1}
    assert Result.from_dict(result.to_dict()).get_counts() == {"10 1": 2}


def test_single_shots_come_from_the_datasets():
    result = to_result([bits_dataset(info(), BITS), bits_dataset(info(name="d"), BITS)], job_id="j", backend_name="q")
    assert result.get_memory(0) == ["00", "01", "11", "01"]
    assert result.get_counts("d") == {"00": 1, "01": 2, "11": 1}


def test_primitive_results_have_registers_and_row_shapes():
    about = {"creg_sizes": (("a", 1), ("b", 1)), "metadata": {"k": 1}}
    rows = [bits_dataset(info(circuit=1, row=row, **about), BITS) for row in range(3)]
    result = to_primitive_result([bits_dataset(info(circuit=0), BITS), *rows])
    assert len(result) == 2
    assert result[0].data.c.get_counts() == {"00": 1, "01": 2, "11": 1}
    assert result[1].data.a.shape == (3,)
    assert result[1].data.a.num_shots == 4
    assert result[1].data.b.get_counts(2) == {"0": 3, "1": 1}
    assert result[1].metadata["circuit_metadata"] == {"k": 1}


def test_bits_that_no_register_holds_are_not_lost():
    [pub] = to_primitive_result([bits_dataset(info(2, creg_sizes=(("a", 1),)), BITS)])
    assert list(pub.data) == ["c"]
    assert pub.data.c.get_counts() == {"00": 1, "01": 2, "11": 1}


def test_the_server_renders_without_numerics_and_the_packages_import_nothing_heavy():
    code = (
        "import sys, qpi_jupyter.core.results, qpi_jupyter.data, qpi_jupyter.data.conventions, qpi_executors\n"
        "heavy = {'numpy', 'xarray', 'qiskit', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_primitive_results_of_an_estimator_and_of_arrays():
    rows = [expectation_dataset(info(circuit=1, row=row), {"ZZ": (row / 2, 0.1), "XX": (0.0, 0.2)}) for row in range(3)]
    bits = BitArray(np.array([[1], [2], [3], [0]], dtype=np.uint8), 2)
    result = to_primitive_result([arrays_dataset(info(circuit=0), {"c": bits, "x": np.array(2j)}), *rows])
    assert result[0].data.c.get_counts() == bits.get_counts()
    assert result[0].data.x == 2j
    assert result[1].data.evs.tolist() == [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]
    assert result[1].data.stds.shape == (3, 2)
    with pytest.raises(Rejected, match="cannot be a primitive's result"):
        to_primitive_result([iq_dataset(info(3, shots=2, meas_level=1), POINTS, SLOTS)])
