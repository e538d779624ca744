"""Files: every NetCDF engine, one circuit or many, small and large, and what is refused."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from qpi_jupyter.core.errors import Faulted, Rejected
from qpi_jupyter.data.build import bits_dataset, counts_dataset, iq_dataset, stamp
from qpi_jupyter.data.codec import decode, encode, encode_to_file
from qpi_jupyter.data.conventions import CircuitInfo, Provenance, Slots
from qpi_jupyter.data.selection import as_list

SLOTS = Slots(clbit=(0, 1, 2), qubit=(4, 0, 4), acq_index=(0, 0, 1))
PROVENANCE = Provenance(
    executor="chip",
    executor_version="1",
    program_sha256="0" * 64,
    simulator=True,
    seed=None,
    started_at="2026-01-01T00:00:00Z",
    finished_at="2026-01-01T00:00:01Z",
    busy_s=1.0,
)


def info(**changes) -> CircuitInfo:
    plain = {
        "name": "π/2 pulse",
        "shots": 100,
        "memory_slots": 3,
        "n_qubits": 5,
        "creg_sizes": (("a", 1), ("b", 2)),
        "metadata": {"k": [1, None]},
    }
    return CircuitInfo(**{**plain, **changes})


def make(kind: str, draw: int = 0, shots: int = 100, **changes) -> xr.Dataset:
    rng = np.random.default_rng(draw)
    about = info(shots=shots, **changes)
    if kind == "bit":
        return bits_dataset(about, rng.integers(0, 2, (shots, 3)), SLOTS)
    if kind == "count":
        counts = np.bincount(rng.integers(0, 8, shots))
        return counts_dataset(about, {value: int(count) for value, count in enumerate(counts) if count})
    points = rng.normal(size=(shots, 3)) + 1j * rng.normal(size=(shots, 3))
    if kind == "iq":
        return iq_dataset(about, points, SLOTS)
    return iq_dataset(replace(about, meas_return="avg"), points.mean(axis=0), SLOTS)


KINDS = ["bit", "count", "iq", "avg"]


@pytest.mark.parametrize("engine", ["scipy", "netcdf4", "h5netcdf"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_netcdf_engine_keeps_everything(kind, engine, tmp_path):
    dataset = make(kind)
    stamp([dataset], PROVENANCE)
    dataset.to_netcdf(tmp_path / "result.nc", engine=engine)
    again = xr.load_dataset(tmp_path / "result.nc", engine=engine)
    xr.testing.assert_identical(again, dataset)
    assert again.qpi.info == dataset.qpi.info
    assert again.attrs == dataset.attrs


@pytest.mark.parametrize("kind", KINDS)
def test_one_circuit_comes_back_as_a_dataset_with_its_types(kind):
    dataset = make(kind)
    again = decode(encode([dataset]))
    xr.testing.assert_identical(again, dataset)
    for name, variable in dataset.variables.items():
        if variable.dtype.kind in "if":
            assert again.variables[name].dtype == variable.dtype


@pytest.mark.parametrize("kind", KINDS)
def test_many_circuits_of_one_shape_share_a_file_and_come_back_in_order(kind):
    datasets = [make(kind, seed, circuit=seed, name=f"c{seed}", seed=seed) for seed in range(5)]
    stamp(datasets, PROVENANCE)
    blob = encode(datasets)
    assert zipfile.ZipFile(io.BytesIO(blob)).namelist() == ["0.nc", "index.json"]
    tree = decode(blob)
    assert isinstance(tree, xr.DataTree)
    assert list(tree.children) == [f"c{k}" for k in range(5)]
    for dataset, again in zip(datasets, as_list(tree), strict=True):
        xr.testing.assert_identical(again, dataset)
        assert again.qpi.info == dataset.qpi.info


def test_different_shapes_and_origins_keep_their_places():
    datasets = [make("bit"), make("iq"), make("bit", 1), make("count"), make("bit", 2, shots=7), make("count", 5)]
    stamp(datasets[:3], PROVENANCE)
    again = as_list(decode(encode(datasets)))
    assert all(a.identical(b) for a, b in zip(datasets, again, strict=True))


def test_large_data_go_to_hdf5_and_are_read_from_a_path(tmp_path):
    dataset = make("iq", shots=20_000)
    encode_to_file([dataset, make("bit")], tmp_path / "blob")
    assert [path.name for path in tmp_path.iterdir()] == ["blob"]
    with zipfile.ZipFile(tmp_path / "blob") as archive:
        assert archive.testzip() is None
        assert archive.read("0.nc")[:4] == b"\x89HDF"
        assert archive.read("1.nc")[:3] == b"CDF"
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    again = as_list(decode(tmp_path / "blob"))
    xr.testing.assert_identical(again[0], dataset)
    assert as_list(decode(encode([dataset])))[0].identical(dataset)


def test_writing_a_large_result_takes_constant_memory(tmp_path):
    size = 96 << 20
    bits = np.zeros((size // 3, 3), dtype=np.int8)
    datasets = [bits_dataset(info(shots=len(bits)), bits, SLOTS)]
    encode_to_file(datasets[:1], tmp_path / "warm")
    tracemalloc.start()
    encode_to_file(datasets, tmp_path / "blob")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert (tmp_path / "blob").stat().st_size > size


def test_the_same_small_result_gives_the_same_bytes():
    assert encode([make("bit")]) == encode([make("bit")])


def repacked(blob: bytes, **changes: object) -> bytes:
    source, target = zipfile.ZipFile(io.BytesIO(blob)), io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            content = source.read(name)
            if name == "index.json":
                content = json.dumps({**json.loads(content), **changes}).encode()
            archive.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"not a zip", "not a zip of a result"),
        (encode([make("bit")])[:-30], "not a zip of a result"),
        (repacked(encode([make("bit")]), conventions="qpi-3"), "follows the conventions 'qpi-3'"),
        (repacked(encode([make("bit")]), files=[{"name": "9.nc", "engine": "scipy", "circuits": [0]}]), "not a result"),
    ],
)
def test_what_is_no_result_is_refused(blob, message):
    with pytest.raises(Rejected, match=message):
        decode(blob)


def test_a_dataset_of_somebody_else_is_refused_by_the_accessor():
    with pytest.raises(Rejected, match="follows the conventions None"):
        _ = xr.Dataset({"x": 1}).qpi


@pytest.mark.parametrize("missing", [-1, 2, float("nan")])
def test_missing_data_are_never_taken_for_zeros(missing):
    bits = np.zeros((100, 3))
    bits[50, 1] = missing
    with pytest.raises(Faulted, match="no data"):
        bits_dataset(info(), bits, SLOTS)
    points = np.zeros((100, 3), dtype=complex)
    points[50, 1] = float("nan")
    with pytest.raises(Faulted, match="no data"):
        iq_dataset(info(meas_level=1), points, SLOTS)


def test_the_wrong_shape_is_the_executors_fault():
    with pytest.raises(Faulted, match=r"shape \(99, 3\) where \(100, 3\)"):
        bits_dataset(info(), np.zeros((99, 3)), SLOTS)
    with pytest.raises(Faulted, match=r"shape \(100, 3\) where \(3,\)"):
        iq_dataset(info(meas_level=1, meas_return="avg"), np.zeros((100, 3)), SLOTS)


def test_fields_of_a_newer_writer_are_ignored():
    dataset = make("bit")
    raw = json.loads(dataset.attrs["qpi"])
    dataset.attrs["qpi"] = json.dumps({**raw, "invented_later": 1})
    assert dataset.qpi.info["name"] == "π/2 pulse"
