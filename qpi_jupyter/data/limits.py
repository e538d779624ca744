"""What a result may take of the reader's memory, told from what its files declare before anything of it is read."""

from __future__ import annotations

from typing import IO, Any

import h5py
import numpy as np
import xarray as xr

from qpi_jupyter.core import Rejected, TooLarge, counted

TIMES, AT_LEAST = 4, 256 << 20
"""Nothing that a driver writes takes more memory than so many times its file, or than this many bytes."""
_SPREAD = 64
"""How much larger a result with all its classical bits may be than with the measured ones alone."""
_MAX_VARIABLES = 64
_MAX_ATTRIBUTES = 64
"""Of a variable, or of the file: many take minutes to list."""
_TEXT_BYTES = 16
"""An element of a variable of texts: length, address, index."""


class Room:
    """The bytes that the data of one result may still take.

    Parameters
    ----------
    file_bytes
        how large its file is: an honest one does not swell.
    max_bytes
        the reader's own limit instead.
    """

    def __init__(self, file_bytes: int, max_bytes: int | None = None) -> None:
        self._file_bytes = file_bytes
        self._limit = max(AT_LEAST, TIMES * file_bytes) if max_bytes is None else max_bytes
        self._taken = 0

    def take(self, count: int) -> None:
        """Set ``count`` bytes aside.

        Raises
        ------
        TooLarge
            there are not so many left.
        """
        self._taken += count
        if self._taken > self._limit:
            raise TooLarge(
                f"The data of this result would take at least {_size(self._taken)} of memory, out of a file of "
                f"{_size(self._file_bytes)}; the limit is {_size(self._limit)}. It was not read. If you trust its "
                "driver, give a higher limit: job.dataset(max_bytes=...).",
                code="result_too_large",
                bytes=self._taken,
                limit=self._limit,
            )


def check_hdf5(file: IO[bytes], room: Room) -> None:
    """Count what the variables of an HDF5 file declare, and refuse what would look elsewhere than in the file.

    Raises
    ------
    TooLarge
        they take more than there is ``room``.
    Rejected
        it has links, groups, or data outside.
    """
    with h5py.File(file, "r") as root:
        if len(root) > _MAX_VARIABLES:
            raise _refusal(f"it has {counted(len(root), 'variable')}")
        _count_attributes(root.attrs, room)
        for name in root:
            if not isinstance(root.get(name, getlink=True), h5py.HardLink):
                raise _refusal(f"{name!r} is a link")
            variable = root[name]
            if not isinstance(variable, h5py.Dataset) or variable.is_virtual or variable.external:
                raise _refusal(f"{name!r} is not a variable with its data in the file")
            _count_attributes(variable.attrs, room)
            room.take(int(variable.size or 0) * variable.dtype.itemsize)
            if variable.dtype.hasobject and variable.size:
                _count_texts(variable, file, room)


def check_decoded(dataset: xr.Dataset, room: Room) -> None:
    """Count what the variables of an opened Dataset take once they are read and decoded."""
    room.take(dataset.nbytes)


def check_spread(wanted_bytes: int, dataset: xr.Dataset) -> None:
    """Refuse to spread a Dataset over more classical bits than any circuit has beside its measured ones.

    Raises
    ------
    TooLarge
        that takes many times what the Dataset takes.
    """
    limit = max(AT_LEAST, _SPREAD * dataset.nbytes)
    if wanted_bytes > limit:
        raise TooLarge(
            f"With all its classical bits this result takes {_size(wanted_bytes)} of memory; the limit is "
            f"{_size(limit)}. Its dataset has the measured ones: use job.dataset().",
            code="result_too_large",
            bytes=wanted_bytes,
            limit=limit,
        )


def _count_attributes(attrs: Any, room: Room) -> None:  # h5py has no types
    if len(attrs) > _MAX_ATTRIBUTES:
        raise _refusal(f"it has {counted(len(attrs), 'attribute')} in one place")
    for name in attrs:
        kind = attrs.get_id(name)
        size = int(np.prod(kind.shape, dtype=np.int64))
        if h5py.check_string_dtype(kind.dtype) is None:
            room.take(size * kind.dtype.itemsize)
        elif size > 1:
            raise _refusal(f"its attribute {name!r} has several texts")
        else:
            room.take(len(attrs[name]) if size else 0)


def _count_texts(variable: h5py.Dataset, file: IO[bytes], room: Room) -> None:
    """Texts lie in the file once and may be meant a million times: their lengths stand where the variable lies, in the
    first four bytes of each element."""
    offset, stored = variable.id.get_offset(), variable.id.get_storage_size()
    if variable.chunks is not None or offset is None or stored != _TEXT_BYTES * variable.size:
        raise _refusal(f"{variable.name!r} is not a plain list of texts")
    file.seek(offset)
    elements = np.frombuffer(file.read(stored), dtype="<u4").reshape(-1, _TEXT_BYTES // 4)
    room.take(int(elements[:, 0].sum(dtype=np.int64)))


def _refusal(what: str) -> Rejected:
    return Rejected(f"This is not a result file of a QPI lab: {what}.", code="bad_result")


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 1 << 30 else f"{count / 2**20:,.1f} MiB"
