"""The blob of a job: an uncompressed zip of NetCDF files, circuits of the same shape stacked in one file."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr

from qpi_jupyter.core.errors import Rejected

from . import accessor as accessor  # registers ds.qpi
from . import conventions as c
from .stacking import group, stack, unstack

CLASSIC_MAX_BYTES = 256 << 10
"""Up to here a file is NetCDF classic, which is quick to write; above it is HDF5."""
INDEX = "index.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def encode(datasets: Sequence[xr.Dataset]) -> bytes:
    """The blob of a job's Datasets; the same Datasets give the same bytes in NetCDF classic."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        _write(archive, datasets, None)
    return buffer.getvalue()


def encode_to_file(datasets: Sequence[xr.Dataset], path: str | os.PathLike[str]) -> None:
    """Write the blob to a file, which is replaced; extra memory stays constant however large the data.

    Big parts pass through a temporary file in the same folder.  Making the file durable is the caller's.
    """
    target = Path(path)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        _write(archive, datasets, target.parent)


def decode(source: bytes | str | os.PathLike[str] | IO[bytes]) -> xr.Dataset | xr.DataTree:
    """The result in a blob: a Dataset for one circuit, else a DataTree with ``circuit_0``, ``circuit_1``, ...

    Raises
    ------
    Rejected
        it is not such a blob, or it follows other conventions.
    """
    return as_tree(decode_list(source))


def as_tree(datasets: Sequence[xr.Dataset]) -> xr.Dataset | xr.DataTree:
    """What a person gets of a list of Datasets: the only one, or a tree of all."""
    if len(datasets) == 1:
        return datasets[0]
    return xr.DataTree.from_dict({f"circuit_{index}": dataset for index, dataset in enumerate(datasets)})


def as_list(result: xr.Dataset | xr.DataTree) -> list[xr.Dataset]:
    """The Datasets of what `decode` returned, in the order of the job."""
    if isinstance(result, xr.Dataset):
        return [result]
    return [node.to_dataset(inherit=False) for node in result.children.values()]


def decode_list(source: bytes | str | os.PathLike[str] | IO[bytes]) -> list[xr.Dataset]:
    """The Datasets in a blob, in the order of the job.

    Raises
    ------
    Rejected
        as `decode`.
    """
    opened = io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source
    try:
        with zipfile.ZipFile(opened) as archive:
            index = json.loads(archive.read(INDEX))
            c.check_conventions({c.CONVENTIONS_ATTR: index.get("conventions")})
            found: dict[int, xr.Dataset] = {}
            for entry in index["files"]:
                stacked = _load(archive, entry["name"], entry["engine"])
                found.update(zip(entry["circuits"], unstack(stacked), strict=True))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise Rejected(f"This is no result file of a QPI lab: {error}", code="bad_result") from error
    return [found[position] for position in sorted(found)]


def _write(archive: zipfile.ZipFile, datasets: Sequence[xr.Dataset], folder: Path | None) -> None:
    files = []
    for number, positions in enumerate(group(datasets)):
        stacked = stack([datasets[position] for position in positions])
        classic = stacked.nbytes <= CLASSIC_MAX_BYTES
        name = f"{number}.nc"
        if classic:
            archive.writestr(_entry(name), bytes(stacked.to_netcdf(engine="scipy")))
        else:
            _add_hdf5(archive, name, stacked, folder)
        files.append({"name": name, "engine": "scipy" if classic else "h5netcdf", "circuits": list(positions)})
    archive.writestr(_entry(INDEX), json.dumps({"conventions": c.CONVENTIONS, "files": files}))


def _add_hdf5(archive: zipfile.ZipFile, name: str, dataset: xr.Dataset, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".encode-") as private:
        path = Path(private) / name
        dataset.to_netcdf(path, engine="h5netcdf")
        entry = _entry(name)
        entry.file_size = path.stat().st_size  # lets zipfile choose the 64-bit form before it writes
        with archive.open(entry, "w") as target, path.open("rb") as source:
            for piece in _pieces(source):
                target.write(piece)


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(1 << 20):
        yield piece


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=_EPOCH)


def _load(archive: zipfile.ZipFile, name: str, engine: str) -> xr.Dataset:
    if engine == "scipy":
        dataset = xr.load_dataset(io.BytesIO(archive.read(name)), engine="scipy")
    else:
        with archive.open(name) as member:
            # The member is a part of the file: HDF5 reads it where it lies.
            dataset = xr.load_dataset(member, engine="h5netcdf")
    return _native(dataset)


def _native(dataset: xr.Dataset) -> xr.Dataset:
    """What the classic format changes: byte order, and 64-bit integers."""
    changed: dict[Any, Any] = {}
    for name, variable in dataset.variables.items():
        dtype = np.dtype(np.int64) if name == c.COUNT else variable.dtype.newbyteorder("=")
        if variable.dtype != dtype:
            changed[name] = (variable.dims, variable.values.astype(dtype), variable.attrs)
    return dataset.assign(_only(changed, dataset.data_vars)).assign_coords(_only(changed, dataset.coords))


def _only(changed: dict[Any, Any], names: Iterable[Any]) -> dict[Any, Any]:
    wanted = set(names)
    return {name: value for name, value in changed.items() if name in wanted}
