"""Bits into outcomes: counts and hex strings from one row of bits per shot."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, TooLarge, counted, parse_outcome

from . import conventions as c
from .limits import check_spread

_WORD = 64
_TALLY_BITS = 12
"""Up to here counting into a table beats sorting."""


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
    if bits.shape[1] <= _WORD:
        values, inverse, counts = np.unique(_words(bits), return_inverse=True, return_counts=True)
        return values.tolist(), inverse, counts
    packed = np.packbits(bits, axis=1, bitorder="little")
    width = packed.shape[1]
    # Big-endian rows compare as bytes in the order of their integers.
    rows = np.ascontiguousarray(packed[:, ::-1]).view(np.dtype((np.void, width)))[:, 0]
    keys, inverse, counts = np.unique(rows, return_inverse=True, return_counts=True)
    return [int.from_bytes(key.tobytes(), "big") for key in keys], inverse, counts


def _words(bits: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Each row of at most 64 bits as one integer."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    words = np.zeros((len(packed), _WORD // 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    integers: NDArray[np.uint64] = words.view("<u8")[:, 0]
    return integers


def tally(bits: NDArray[np.int8], max_bytes: int) -> tuple[list[int], NDArray[np.float64]]:
    """The outcomes that came anywhere, in rising order, and how often at each point.

    Parameters
    ----------
    bits
        shape ``(..., shots, bits)``; a point with a negative bit is not measured, and has no counts.
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
    *outer, shots, width = bits.shape
    points = math.prod(outer)
    flat = bits.reshape(points * shots, width)
    if width <= _TALLY_BITS and points << width <= max_bytes // 8:
        columns, count = _words(flat).astype(np.intp), 1 << width
        values = list(range(count))
    else:
        values, columns, _ = outcomes(flat)
        count = len(values)
        if 8 * points * count > max_bytes:
            raise TooLarge(
                f"There are {count:,} outcomes at {counted(points, 'point')}: ask for one of them, as in "
                'ds.qpi.probability("11"), or for a part of the sweep.',
                code="too_many_outcomes",
            )
    index = np.repeat(np.arange(points) * count, shots) + columns.reshape(-1)
    counts = np.bincount(index, minlength=points * count).reshape(points, count).astype(np.float64)
    if bits.dtype.kind == "i":
        counts[(bits.reshape(points, shots * width) < 0).any(axis=1)] = 0
    came = np.flatnonzero(counts.any(axis=0))
    return [values[k] for k in came.tolist()], counts[:, came].reshape(*outer, len(came))


def int_counts(dataset: xr.Dataset, memory_slots: int) -> dict[int, int]:
    """How often each outcome came, as integers over all classical bits, in rising order."""
    if c.COUNT in dataset.variables:
        keys, counts = dataset.variables[c.OUTCOME].values, dataset.variables[c.COUNT].values
        return {parse_outcome(str(key)): int(count) for key, count in zip(keys, counts, strict=True) if count}
    bits = full_bits(dataset, memory_slots)
    if (bits < 0).any():  # a row that is not measured yet
        return {}
    if memory_slots <= _TALLY_BITS:
        tally = np.bincount(_words(bits).astype(np.intp))
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
