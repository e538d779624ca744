"""The blob of a job: an uncompressed zip of NetCDF files, circuits of the same shape stacked in one file."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import shutil
import tempfile
import zipfile
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr

from qpi_jupyter.core import INDEX, MAX_CIRCUITS, PRIMITIVE_RESULT, QpiError, Rejected, check_archive, counted

from . import accessor as accessor  # registers ds.qpi
from . import conventions as c
from .kinds import CIRCUIT, ROW_SIZE, ResultKind, known, name_of
from .limits import Room, check_decoded, check_hdf5
from .quantum_programs import rendered
from .sweeps import from_rows, is_sweep, sweep_dims
from .trees import as_tree, assembled, rows_by_circuit

CLASSIC_MAX_BYTES = 256 << 10
"""Up to here a file is NetCDF classic, which is quick to write; above it is HDF5."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
MAX_STACK_BYTES = 16 << 20
"""Stacking copies: larger data get files of their own."""


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


def decode(
    source: bytes | str | os.PathLike[str] | IO[bytes], *, max_bytes: int | None = None
) -> xr.Dataset | xr.DataTree:
    """The result in a blob: a Dataset for one circuit, with its parameters as dimensions; a DataTree for several.

    Parameters
    ----------
    max_bytes
        the memory that it may take; by default a few times the size of the blob, which no honest one exceeds.

    Raises
    ------
    Rejected
        it is not such a blob, or it follows other conventions.
    TooLarge
        it declares more than ``max_bytes``; nothing was read.
    """
    return as_tree(_opened(source, max_bytes))


def _opened(source: bytes | str | os.PathLike[str] | IO[bytes], max_bytes: int | None) -> list[xr.Dataset]:
    """The Datasets in a blob, one for each circuit, in order."""
    with contextlib.ExitStack() as stack:
        if isinstance(source, bytes | bytearray | memoryview):
            opened: IO[bytes] = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            opened = stack.enter_context(Path(source).open("rb"))
        else:
            opened = source
        check_archive(opened)
        try:
            return assembled(_decoded(opened, max_bytes))
        except (QpiError, MemoryError):
            raise
        except Exception as error:  # four libraries read it, each with errors of its own for what it cannot
            raise Rejected(f"This is not a result file of a QPI lab: {error}", code="bad_result") from error


def _decoded(opened: IO[bytes], max_bytes: int | None) -> list[xr.Dataset]:
    room = Room(opened.seek(0, os.SEEK_END), max_bytes)
    found: dict[int, xr.Dataset] = {}
    positions: list[int] = []
    with zipfile.ZipFile(opened) as archive:
        index = json.loads(archive.read(INDEX))
        c.check_conventions({c.CONVENTIONS_ATTR: index.get("conventions")})
        _check_index(index["files"])
        for entry in index["files"]:
            stacked = _load(archive, entry["name"], entry["engine"], room)
            positions += entry["circuits"]
            if is_sweep(stacked):
                _check_size(stacked, len(entry["circuits"]))
                found[entry["circuits"][0]] = stacked
            else:
                found.update(zip(entry["circuits"], unstack(stacked), strict=True))
    if sorted(positions) != list(range(len(positions))) or not found:
        raise ValueError("its circuits are not numbered from 0")
    return of_their_kinds([found[position] for position in sorted(found)])


def _check_size(sweep: xr.Dataset, due: int) -> None:
    held = math.prod(sweep.sizes[dim] for dim in sweep_dims(sweep))
    if held != due:
        raise ValueError(f"a sweep in it has {counted(held, 'point')}; due: {due:,}")


def of_their_kinds(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Each with the types that its kind asks for (NetCDF classic knows few), once its kind has checked it.

    Those of kinds that are not known here are as they came.
    """
    kinds: dict[str, ResultKind | None] = {}
    checked = []
    for dataset in datasets:
        info = c.circuit_info(dataset.attrs)
        name = name_of(dataset, info)
        if name not in kinds:
            kinds[name] = known(name)
        if (kind := kinds[name]) is not None:
            due = kind.quantities(dataset, info)
            dataset = _as_types(dataset, {name: np.dtype(quantity.dtype) for name, quantity in due.items()})
            # All rows of a sweep are of one shape: what is true of one is true of all.
            kind.check(dataset.isel(dict.fromkeys(sweep_dims(dataset), 0)), info)
        checked.append(dataset)
    return checked


def _check_index(files: Sequence[Any]) -> None:
    """Each file once, and no more circuits than a job has: a Dataset of nothing takes memory, too."""
    if len({entry["name"] for entry in files}) != len(files):
        raise ValueError("a file is in its index twice")
    if sum(len(entry["circuits"]) for entry in files) > MAX_CIRCUITS:
        raise ValueError(f"it has more than {MAX_CIRCUITS:,} circuits")


def _write(archive: zipfile.ZipFile, datasets: Sequence[xr.Dataset], folder: Path | None) -> None:
    files = []
    whole = _sweeps(datasets)
    left = sorted(set(range(len(datasets))).difference(*whole))
    parts = [
        *whole.items(),
        *(
            ([left[k] for k in places], stack([datasets[left[k]] for k in places]))
            for places in group([datasets[k] for k in left])
        ),
    ]
    for number, (positions, stacked) in enumerate(sorted(parts, key=lambda part: part[0][0])):
        name, classic = f"{number}.nc", _classic(stacked)
        if classic is not None:
            archive.writestr(_entry(name), classic)
        else:
            _add_hdf5(archive, name, stacked, folder)
        engine = "h5netcdf" if classic is None else "scipy"
        files.append({"name": name, "engine": engine, "circuits": list(positions)})
    conventions = c.SWEEP_CONVENTIONS if whole else c.CONVENTIONS
    archive.writestr(_entry(INDEX), json.dumps({"conventions": conventions, "files": files}))
    if (primitive := rendered(datasets)) is not None:
        archive.writestr(_entry(PRIMITIVE_RESULT), primitive)


def _sweeps(datasets: Sequence[xr.Dataset]) -> dict[tuple[int, ...], xr.Dataset]:
    """By their places, the sweeps that are small enough to be put together in memory."""
    found = {}
    for places in rows_by_circuit(datasets):
        rows = [datasets[place] for place in places]
        if len(rows) > 1 and sum(row.nbytes for row in rows) <= MAX_STACK_BYTES:
            sweep = from_rows(rows)
            if sweep is not None and sweep.nbytes <= MAX_STACK_BYTES:
                found[tuple(places)] = sweep
    return found


def _classic(stacked: xr.Dataset) -> bytes | None:
    """The file in NetCDF classic; None for what is too large, or has numbers that this format can't hold."""
    if stacked.nbytes > CLASSIC_MAX_BYTES:
        return None
    try:
        return bytes(stacked.to_netcdf(engine="scipy"))
    except ValueError:
        return None


def _add_hdf5(archive: zipfile.ZipFile, name: str, dataset: xr.Dataset, folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=".encode-") as private:
        path = Path(private) / name
        dataset.to_netcdf(path, engine="h5netcdf")
        entry = _entry(name)
        entry.file_size = path.stat().st_size  # lets zipfile choose the 64-bit form before it writes
        with archive.open(entry, "w") as target, path.open("rb") as source:
            shutil.copyfileobj(source, target, 1 << 20)


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, date_time=_EPOCH)


def _load(archive: zipfile.ZipFile, name: str, engine: str, room: Room) -> xr.Dataset:
    if engine == "scipy":
        return _read(io.BytesIO(archive.read(name)), "scipy", room)
    with archive.open(name) as member:
        # The member is a part of the file: HDF5 reads it where it lies.
        check_hdf5(member, room)
        member.seek(0)
        return _read(member, "h5netcdf", room)


def _read(file: IO[bytes], engine: str, room: Room) -> xr.Dataset:
    with xr.open_dataset(file, engine=engine) as dataset:
        check_decoded(dataset, room)
        loaded = dataset.load()
    return _native(loaded)


def _native(dataset: xr.Dataset) -> xr.Dataset:
    """In this machine's byte order."""
    return _as_types(dataset, {name: variable.dtype.newbyteorder("=") for name, variable in dataset.variables.items()})


def _as_types(dataset: xr.Dataset, dtypes: Mapping[Any, np.dtype[Any]]) -> xr.Dataset:
    changed: dict[Any, Any] = {}
    for name, dtype in dtypes.items():
        if (variable := dataset.variables.get(name)) is not None and variable.dtype != dtype:
            changed[name] = (variable.dims, variable.values.astype(dtype), variable.attrs)
    if not changed:
        return dataset
    return dataset.assign(_only(changed, dataset.data_vars)).assign_coords(_only(changed, dataset.coords))


def _only(changed: dict[Any, Any], names: Iterable[Any]) -> dict[Any, Any]:
    wanted = set(names)
    return {name: value for name, value in changed.items() if name in wanted}


def group(datasets: Sequence[xr.Dataset]) -> list[list[int]]:
    """Positions of Datasets that `stack` can put together, in the order of their first ones.

    Many Datasets of one shape become one, along ``circuit``: a job of a hundred small circuits costs one file.
    """
    groups: dict[Hashable, list[int]] = {}
    sizes: dict[Hashable, int] = {}
    turn = 0
    for position, dataset in enumerate(datasets):
        key: Hashable = _shape(dataset)
        size = dataset.nbytes
        if sizes.get(key, 0) + size > MAX_STACK_BYTES and key in groups:
            turn += 1  # the full group keeps its place under another key
            groups[key, turn], sizes[key] = groups.pop(key), 0
        groups.setdefault(key, []).append(position)
        sizes[key] = sizes.get(key, 0) + size
    return sorted(groups.values())


def stack(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """One Dataset of a `group`; its JSON attributes are lists with one entry a circuit."""
    first = datasets[0]
    if len(datasets) == 1:
        return first
    if (along := _along(first)) is not None:
        data, coords = _end_to_end(datasets, along)
    else:
        data = {
            name: ((CIRCUIT, *variable.dims), np.stack([d.variables[name].values for d in datasets]), variable.attrs)
            for name, variable in first.data_vars.variables.items()
        }
        coords = dict(first.coords.variables)
    return xr.Dataset(data, coords=coords, attrs=_joined_attrs(datasets))


def unstack(stacked: xr.Dataset) -> Iterator[xr.Dataset]:
    """The Datasets that `stack` put together."""
    texts = stacked.attrs[c.CIRCUIT_ATTR]
    circuits = json.loads(texts)
    if isinstance(circuits, dict):
        yield stacked
        return
    origin = json.loads(stacked.attrs.get(c.PROVENANCE_ATTR, "null"))
    along = next((dim for dim in stacked.dims if dim != CIRCUIT), "")
    start = 0
    for position, circuit in enumerate(circuits):
        if ROW_SIZE in stacked.variables:
            end = start + int(stacked.variables[ROW_SIZE].values[position])
            dataset = stacked.drop_vars(ROW_SIZE).isel({along: slice(start, end)})
            start = end
        else:
            dataset = stacked.isel({CIRCUIT: position})
        own = origin[position] if isinstance(origin, list) else origin
        dataset.attrs = {c.CONVENTIONS_ATTR: stacked.attrs[c.CONVENTIONS_ATTR], c.CIRCUIT_ATTR: json.dumps(circuit)}
        if own is not None:
            dataset.attrs[c.PROVENANCE_ATTR] = json.dumps(own)
        yield dataset


def _along(dataset: xr.Dataset) -> Hashable | None:
    """The dimension along which everything in a Dataset lies, as counts do along their outcomes; else None.

    Those of several circuits can be laid end to end, however many there are of each.
    """
    dims = {variable.dims for variable in dataset.variables.values()}
    return dims.pop()[0] if len(dims) == 1 and len(dataset.dims) == 1 and len(next(iter(dims))) == 1 else None


def _shape(dataset: xr.Dataset) -> Hashable:
    if _along(dataset) is not None:
        return tuple((name, v.dims, _type(v), str(v.attrs)) for name, v in dataset.variables.items())
    return (
        tuple((name, v.dims, v.shape, v.dtype.str) for name, v in dataset.variables.items()),
        tuple(v.values.tobytes() for v in dataset.coords.variables.values()),
    )


def _type(variable: xr.Variable) -> str:
    """Texts of any length are of one type."""
    return "U" if variable.dtype.kind == "U" else str(variable.dtype)


def _end_to_end(datasets: Sequence[xr.Dataset], along: Hashable) -> tuple[dict[Any, Any], dict[Any, Any]]:
    joined = {
        name: (along, np.concatenate([d.variables[name].values for d in datasets]), variable.attrs)
        for name, variable in datasets[0].variables.items()
    }
    sizes = np.array([d.sizes[along] for d in datasets], dtype=np.int32)
    facts = {"long_name": "Entries of this circuit", "units": "1"}
    data: dict[Any, Any] = {**_only(joined, datasets[0].data_vars), ROW_SIZE: (CIRCUIT, sizes, facts)}
    return data, _only(joined, datasets[0].coords)


def _joined_attrs(datasets: Sequence[xr.Dataset]) -> dict[str, str]:
    attrs = {
        c.CONVENTIONS_ATTR: c.CONVENTIONS,
        c.CIRCUIT_ATTR: "[" + ",".join(d.attrs[c.CIRCUIT_ATTR] for d in datasets) + "]",
    }
    origins = [d.attrs.get(c.PROVENANCE_ATTR, "null") for d in datasets]
    # Nearly always one job, one provenance.
    attrs[c.PROVENANCE_ATTR] = origins[0] if len(set(origins)) == 1 else "[" + ",".join(origins) + "]"
    return attrs
