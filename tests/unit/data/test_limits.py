"""A result that would swell in the reader's memory, or looks elsewhere than in its file, is refused unread."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.archive import check_archive
from qpi_jupyter.core.errors import Faulted, Rejected, TooLarge
from qpi_jupyter.core.formats import MAX_CIRCUITS
from qpi_jupyter.data.bits import full_bits
from qpi_jupyter.data.build import counts_dataset, iq_dataset
from qpi_jupyter.data.codec import decode, encode
from qpi_jupyter.data.conventions import CircuitInfo, Slots, circuit_info
from qpi_jupyter.data.points import level1_memory

INFO = CircuitInfo(name="bell", shots=10, memory_slots=2, n_qubits=2, creg_sizes=(("c", 2),))
GOOD = encode([counts_dataset(INFO, {0: 4, 3: 6})])
MEMBER = zipfile.ZipFile(io.BytesIO(GOOD)).read("0.nc")
TEXT = h5py.string_dtype()


def packed(content: bytes, engine: str = "h5netcdf", *, compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    index = {"conventions": "qpi-1", "files": [{"name": "0.nc", "engine": engine, "circuits": [0]}]}
    with zipfile.ZipFile(target, "w", compression) as archive:
        archive.writestr("0.nc", content)
        archive.writestr("index.json", json.dumps(index))
    return target.getvalue()


def hdf5(fill: Callable[[h5py.File], object], path: Path) -> bytes:
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = "qpi-1"
        file.attrs["qpi"] = json.dumps(INFO.to_dict())
        fill(file)
    return packed(path.read_bytes())


def outside(file: h5py.File) -> None:
    file.create_dataset("bit", (100,), "i1", external=[("/etc/passwd", 0, 100)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((100,), "i1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (100,))
    file.create_virtual_dataset("bit", layout)


def texts_in_attributes(file: h5py.File) -> None:
    file.attrs.create("swollen", np.array(["x" * 1000] * 100, dtype=object), dtype=TEXT)


SWOLLEN: dict[str, Callable[[h5py.File], object]] = {
    "compressed": lambda f: f.create_dataset("bit", (2**30,), "i1", chunks=(2**22,), compression="gzip", data=None),
    "never written": lambda f: f.create_dataset("bit", (10**12, 1000), "f8", chunks=(10**6, 1)),
    "many variables": lambda f: [f.create_dataset(f"v{n}", (2**24,), "f8", chunks=True) for n in range(40)],
}
ELSEWHERE: dict[str, Callable[[h5py.File], object]] = {
    "external data": outside,
    "virtual data": virtual,
    "an external link": lambda f: f.__setitem__("bit", h5py.ExternalLink("/etc/passwd", "/bit")),
    "a soft link": lambda f: f.__setitem__("bit", h5py.SoftLink("/somewhere")),
    "a group": lambda f: f.create_group("g").create_dataset("bit", (2**30,), "i1", chunks=True),
    "texts in an attribute": texts_in_attributes,
    "too many variables": lambda f: [f.create_dataset(f"v{n}", (1,), "i1") for n in range(100)],
    "texts in chunks": lambda f: f.create_dataset("outcome", (100,), TEXT, chunks=(10,), data=["x" * 50] * 100),
    "lists of numbers": lambda f: f.create_dataset("outcome", (100,), h5py.vlen_dtype("i4")),
}


@pytest.mark.parametrize("name", SWOLLEN)
def test_what_swells_is_refused_before_it_is_read(name: str, tmp_path: Path) -> None:
    blob = hdf5(SWOLLEN[name], tmp_path / "x.h5")
    assert len(blob) < 4 << 20
    tracemalloc.start()
    with pytest.raises(TooLarge, match=r"It was not read.*job\.dataset\(max_bytes=") as caught:
        decode(blob)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert caught.value.data["bytes"] > caught.value.data["limit"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_looks_elsewhere_than_in_its_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="This is not a result file"):
        decode(hdf5(ELSEWHERE[name], tmp_path / "x.h5"))


def test_attributes_without_end_are_not_listed(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="it has 1,002 attributes"):
        decode(hdf5(lambda file: [file.attrs.__setitem__(f"a{n}", 1) for n in range(1000)], tmp_path / "x.h5"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([{"name": "0.nc", "engine": "scipy", "circuits": [n]} for n in range(50_000)], "twice"),
        (
            [{"name": "0.nc", "engine": "scipy", "circuits": list(range(MAX_CIRCUITS + 1))}],
            "more than 10,240 circuits",
        ),
    ],
    ids=["one file many times", "many circuits"],
)
def test_an_index_does_not_make_many_of_few(files: list[dict[str, object]], said: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("0.nc", MEMBER)
        archive.writestr("index.json", json.dumps({"conventions": "qpi-1", "files": files}))
    with pytest.raises(Rejected, match=said):
        decode(target.getvalue())


def test_one_text_that_is_meant_many_times_is_counted_as_often(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        texts = np.array(["y" * (1 << 20), *("x" for _ in range(999))], dtype=object)
        offset = file.create_dataset("outcome", data=texts, dtype=TEXT).id.get_offset()
    raw = bytearray(path.read_bytes())
    raw[offset : offset + 16_000] = raw[offset : offset + 16] * 1000
    with pytest.raises(TooLarge, match="It was not read"):
        decode(packed(bytes(raw)))


def test_integers_that_decode_to_floats_are_counted_as_floats(tmp_path: Path) -> None:
    points = xr.Dataset({"iq": ("shot", np.zeros(36 << 20, "i1"), {"scale_factor": 2.0})})
    points.to_netcdf(tmp_path / "x.h5", engine="h5netcdf", encoding={"iq": {"compression": "gzip"}})
    with pytest.raises(TooLarge, match="It was not read"):
        decode(packed((tmp_path / "x.h5").read_bytes()))


def test_the_reader_may_raise_the_limit_and_lower_it() -> None:
    with pytest.raises(TooLarge):
        decode(GOOD, max_bytes=10)
    assert decode(GOOD, max_bytes=1 << 20).identical(decode(GOOD))


def test_a_large_honest_result_is_read() -> None:
    shots = 100_000
    info = CircuitInfo(name="wide", shots=shots, memory_slots=60, n_qubits=60, creg_sizes=(("c", 60),))
    dataset = counts_dataset(info, {value * 7_919: 1 for value in range(shots)})
    again = decode(encode([dataset]))
    assert isinstance(again, xr.Dataset)
    assert again["outcome"].values.tolist() == dataset["outcome"].values.tolist()


def _overlapping(blob: bytes) -> bytes:
    """Both members' directory entries point at the larger one."""
    target = io.BytesIO()
    content = b"z" * 100_000
    with zipfile.ZipFile(target, "w") as archive:
        for name in ("0.nc", "1.nc", "2.nc", "index.json"):
            archive.writestr(name, content)
    raw = target.getvalue()
    directory = struct.unpack("<I", raw[-6:-2])[0]
    return raw[:100_080] + raw[directory:-6] + struct.pack("<I", 100_080) + raw[-2:]


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (packed(MEMBER, "scipy", compression=zipfile.ZIP_DEFLATED), "packed"),
        (packed(MEMBER, "scipy").replace(b"0.nc", b"../x"), "does not belong"),
        (packed(MEMBER, "scipy").replace(b"index.json", b"index.jsom"), "has no index.json"),
        (_overlapping(GOOD), "not a zip of a result"),
        (b"", "not a zip"),
    ],
)  # fmt: skip
def test_a_zip_that_is_not_a_results_is_refused_by_its_directory(blob: bytes, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        check_archive(io.BytesIO(blob))
    with pytest.raises(Rejected, match=message):
        decode(blob)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_blob_is_a_result_or_refused_in_words_of_ours(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(GOOD)
    for at, value in changes:
        raw[at] = value
    with contextlib.suppress(Rejected, TooLarge):
        decode(bytes(raw))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["name", "engine", "circuits"]), ANY | st.sampled_from(["0.nc", "scipy"])))
def test_an_index_of_nonsense_is_refused(entry: dict[str, object]) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("0.nc", MEMBER)
        archive.writestr("index.json", json.dumps({"conventions": "qpi-1", "files": [entry]}))
    with pytest.raises(Rejected):
        decode(target.getvalue())


@pytest.mark.parametrize(
    "figures",
    [{"memory_slots": 10**9}, {"memory_slots": -1}, {"shots": 1e300}, {"n_qubits": "5"}, {"meas_level": None}],
)
def test_figures_that_no_circuit_has_are_refused_where_they_are_read(figures: dict[str, object]) -> None:
    attrs = {"Conventions": "qpi-1", "qpi": json.dumps({**INFO.to_dict(), **figures})}
    with pytest.raises(Rejected, match=next(iter(figures))):
        circuit_info(attrs)


def test_bits_are_not_spread_over_more_than_any_circuit_has() -> None:
    bits = xr.Dataset({"bit": (("shot", "slot"), np.zeros((100_000, 1), "i1"))}, coords={"clbit": ("slot", [0])})
    with pytest.raises(TooLarge, match="measured ones"):
        full_bits(bits, 65_536)
    info = CircuitInfo(name="x", shots=1000, meas_level=1, memory_slots=1, n_qubits=1)
    points = iq_dataset(info, np.zeros((1000, 1)), Slots(clbit=(0,), qubit=(0,), acq_index=(0,)))
    with pytest.raises(TooLarge, match="measured ones"):
        level1_memory(points, 65_536)


@pytest.mark.parametrize("counts", [{0: 4, 3: 7}, {0: 4, 4: 6}, {-1: 10}, {}])
def test_counts_that_contradict_their_circuit_are_the_executors_fault(counts: dict[int, int]) -> None:
    with pytest.raises(Faulted, match="The executor counted"):
        counts_dataset(INFO, counts)
