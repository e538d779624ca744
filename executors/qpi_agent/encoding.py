"""Datasets into a spool file, in the child that measured them: encode, sync, then give it its name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import xarray as xr

from qpi_jupyter.data.build import counts_dataset
from qpi_jupyter.data.codec import encode, encode_to_file
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.data.header import result_header
from qpi_jupyter.wire.results import encode_header, prefix

from .spool import PART, sync_folder

_IN_MEMORY_BYTES = 16 << 20
"""Up to here the blob is made in memory; above it passes through a file."""


def write_result(path: str | Path, datasets: Sequence[xr.Dataset]) -> None:
    """Write the result (see `qpi_jupyter.wire.results`); when this returns, ``path`` is on disk, whole.

    Raises
    ------
    OSError
        the disk is full, or the like; no ``path`` is left.
    """
    target = Path(path)
    part = target.with_name(target.name + PART)
    try:
        with part.open("wb") as file:
            if sum(dataset.nbytes for dataset in datasets) <= _IN_MEMORY_BYTES:
                blob = encode(datasets)
                file.write(_head(datasets, hashlib.sha256(blob).hexdigest(), len(blob)) + blob)
            else:
                _write_large(file, part.with_name(part.name + "-blob"), datasets)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def warm_up() -> None:
    """Encode something small once, for what that loads."""
    info = CircuitInfo(name="warm-up", shots=1, memory_slots=1, n_qubits=1, creg_sizes=(("c", 1),))
    datasets = [counts_dataset(info, {0: 1})]
    result_header(datasets)
    encode(datasets)


def _head(datasets: Sequence[xr.Dataset], sha256: str, nbytes: int) -> bytes:
    return prefix(encode_header(result_header(datasets), sha256=sha256, nbytes=nbytes))


def _write_large(file: BinaryIO, blob_path: Path, datasets: Sequence[xr.Dataset]) -> None:
    try:
        encode_to_file(datasets, blob_path)
        with blob_path.open("rb") as blob:
            sha256 = hashlib.file_digest(blob, "sha256").hexdigest()
            size = blob.seek(0, os.SEEK_END)
            file.write(_head(datasets, sha256, size))
            file.flush()
            offset = 0
            while offset < size:
                offset += os.sendfile(file.fileno(), blob.fileno(), offset, size - offset)
    finally:
        blob_path.unlink(missing_ok=True)
