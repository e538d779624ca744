"""Bits into outcomes: counts and hex strings from one row of bits per shot."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, TooLarge, counted, parse_outcome

from . import conventions as c
from .limits import check_spread

_WORD = 64
_TALLY_BITS = 12
"""Up to here counting into a table beats sorting."""
_ROWS = 1 << 20
"""So many shots are told apart at a time: each takes some dozens of bytes meanwhile."""


def full_bits(dataset: xr.Dataset, memory_slots: int) -> NDArray[np.int8]:
    """One column per classical bit, shape ``(..., shots, memory_slots)``; bits that have no slot are 0.

    Raises
    ------
    Rejected
        the Dataset holds no single shots at level 2.
    """
    if c.BIT not in dataset.variables:
        if not {c.COUNT, c.IQ, c.TRACE}.intersection(map(str, dataset.variables)):
            kind = c.circuit_info(dataset.attrs).kind
            has = ", ".join(map(str, dataset.data_vars))
            raise Rejected(f"A result of kind {kind!r} has neither bits nor counts; it has {has}.", code="no_bits")
        raise Rejected(
            "This dataset holds no bits of single shots: run with meas_level=2 and memory=True.", code="no_bits"
        )
    bits = dataset.variables[c.BIT].values
    clbits = dataset.variables[c.CLBIT].values
    if len(clbits) == memory_slots and np.array_equal(clbits, np.arange(memory_slots)):
        return bits
    check_spread(bits[..., 0].size * memory_slots, dataset)
    full = np.zeros((*bits.shape[:-1], memory_slots), dtype=np.int8)
    full[..., clbits] = bits
    return full


def outcomes(bits: NDArray[np.int8]) -> tuple[list[int], NDArray[np.intp], NDArray[np.intp]]:
    """The different outcomes in rising order, the index of each shot's outcome among them, and how often each came."""
    return _distinct(_packed(bits))


def _packed(bits: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Rows of bits, the first one the least, as bytes, the last one the least: so `BitArray` s have them."""
    return np.packbits(bits, axis=1, bitorder="little")[:, ::-1]


def _distinct(packed: NDArray[np.uint8]) -> tuple[list[int], NDArray[np.intp], NDArray[np.intp]]:
    if (width := packed.shape[1]) <= _WORD // 8:
        values, inverse, counts = np.unique(_words(packed), return_inverse=True, return_counts=True)
        return values.tolist(), inverse, counts
    # Big-endian rows compare as bytes in the order of their integers.
    rows = np.ascontiguousarray(packed).view(np.dtype((np.void, width)))[:, 0]
    keys, inverse, counts = np.unique(rows, return_inverse=True, return_counts=True)
    return [int.from_bytes(key.tobytes(), "big") for key in keys], inverse, counts


def _words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Each row of at most 8 bytes as one integer."""
    words = np.zeros((len(packed), _WORD // 8), dtype=np.uint8)
    words[:, words.shape[1] - packed.shape[1] :] = packed
    integers: NDArray[np.uint64] = words.view(">u8")[:, 0].astype(np.uint64)
    return integers


def tally(bits: NDArray[np.int8], max_bytes: int) -> tuple[list[int], NDArray[np.float64]]:
    """As `tally_packed`, of shape ``(..., shots, bits)``; a point with a negative bit is not measured, and has no
    counts."""
    *outer, shots, width = bits.shape
    packed = _packed(bits.reshape(-1, width))
    values, counts = tally_packed(packed.reshape(*outer, shots, packed.shape[1]), width, max_bytes)
    if bits.dtype.kind == "i":
        counts[(bits.reshape(*outer, shots * width) < 0).any(axis=-1)] = 0
        came = np.flatnonzero(counts.any(axis=tuple(range(len(outer)))))
        values, counts = [values[k] for k in came.tolist()], counts[..., came]
    return values, counts


def tally_packed(packed: NDArray[np.uint8], width: int, max_bytes: int) -> tuple[list[int], NDArray[np.float64]]:
    """The outcomes that came anywhere, in rising order, and how often at each point.

    Parameters
    ----------
    packed
        shape ``(..., shots, bytes)``, ``width`` bits as Qiskit's `BitArray` has them.
    max_bytes
        the memory that the counts may take.

    Returns
    -------
    values, counts
        outcomes as integers, and counts of shape ``(..., outcomes)``.

    Raises
    ------
    TooLarge
        they take more.
    """
    *outer, shots, row_bytes = packed.shape
    points, step = math.prod(outer), max(1, _ROWS // max(1, shots))
    rows = packed.reshape(points, shots, row_bytes)
    every = list(range(1 << width)) if width <= _TALLY_BITS and points << width <= max_bytes // 8 else None
    parts = [_tallied(rows[first : first + step], every, max_bytes) for first in range(0, points, step)]
    values = sorted({value for found, _ in parts for value in found}) if every is None else every
    _check_tally(points, len(values), max_bytes)
    counts, column = np.zeros((points, len(values))), {value: k for k, value in enumerate(values)}
    for part, (found, there) in enumerate(parts):
        counts[part * step : (part + 1) * step, [column[value] for value in found]] = there
    came = np.flatnonzero(counts.any(axis=0))
    return [values[k] for k in came.tolist()], counts[:, came].reshape(*outer, len(came))


def _tallied(rows: NDArray[np.uint8], every: list[int] | None, max_bytes: int) -> tuple[list[int], NDArray[np.int64]]:
    """The outcomes at some points, or those given, and how often each came there."""
    points, shots, row_bytes = rows.shape
    flat = rows.reshape(points * shots, row_bytes)
    values, columns = (every, _words(flat).astype(np.intp)) if every is not None else _distinct(flat)[:2]
    count = len(values)
    _check_tally(points, count, max_bytes)
    index = np.repeat(np.arange(points) * count, shots) + columns.reshape(-1)
    return values, np.bincount(index, minlength=points * count).reshape(points, count)


def _check_tally(points: int, count: int, max_bytes: int) -> None:
    if 8 * points * count > max_bytes:
        raise TooLarge(
            f"There are {count:,} outcomes at {counted(points, 'point')}: ask for one of them, as in "
            'ds.qpi.probability("11"), or for a part of the sweep.',
            code="too_many_outcomes",
        )


def counts_of_packed(packed: NDArray[np.uint8]) -> dict[int, int]:
    """How often each outcome came at all points together, in bits as `tally_packed` takes them."""
    rows, found = packed.reshape(-1, packed.shape[-1]), Counter[int]()
    for first in range(0, len(rows), _ROWS):
        values, _, counts = _distinct(rows[first : first + _ROWS])
        found.update(dict(zip(values, counts.tolist(), strict=True)))
    return found


def int_counts(dataset: xr.Dataset, memory_slots: int) -> dict[int, int]:
    """How often each outcome came, as integers over all classical bits, in rising order."""
    if c.COUNT in dataset.variables:
        keys, counts = dataset.variables[c.OUTCOME].values, dataset.variables[c.COUNT].values
        return {parse_outcome(str(key)): int(count) for key, count in zip(keys, counts, strict=True) if count}
    bits = full_bits(dataset, memory_slots)
    if (bits < 0).any():  # a row that is not measured yet
        return {}
    if memory_slots <= _TALLY_BITS:
        tally = np.bincount(_words(_packed(bits)).astype(np.intp))
        return {value: int(tally[value]) for value in np.flatnonzero(tally).tolist()}
    values, _, counts = outcomes(bits)
    return dict(zip(values, counts.tolist(), strict=True))


def hex_memory(dataset: xr.Dataset, memory_slots: int) -> list[str]:
    """Each shot's outcome as Qiskit's results hold it (``0x3``)."""
    values, inverse, _ = outcomes(full_bits(dataset, memory_slots))
    names = [hex(value) for value in values]
    return [names[index] for index in inverse.tolist()]


def complex_iq(dataset: xr.Dataset) -> NDArray[np.complex128]:
    """The readout signal as complex numbers, shape ``(..., shots, slots)`` or ``(..., slots)``.

    Raises
    ------
    Rejected
        the Dataset is not of level 1.
    """
    if c.IQ not in dataset.variables:
        raise Rejected("This dataset holds no IQ signal: run with meas_level=1.", code="no_iq")
    parts = np.ascontiguousarray(dataset.variables[c.IQ].values, dtype=np.float64)
    return parts.view(np.complex128)[..., 0]
