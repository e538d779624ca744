"""Tell 0 from 1 in the IQ plane."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, format_outcome

from . import conventions as c
from .bits import complex_iq, int_counts
from .sweeps import MISSING_BIT

_ROUNDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Discriminator:
    """The line halfway between the centres of 0 and 1.

    ``fidelity`` is the chance that a point lies on its own side, from the width of the blobs along the line between
    the centres; None where that width is unknown.
    """

    centre_0: complex
    centre_1: complex
    fidelity: float | None = None

    def bits(self, points: NDArray[np.complex128]) -> NDArray[np.int8]:
        """1 for each point nearer to the centre of 1."""
        return (_along(points, self.centre_0, self.centre_1) > 0).astype(np.int8)

    def line(self, half_length: float) -> tuple[complex, complex]:
        """Two ends of the threshold line."""
        middle = (self.centre_0 + self.centre_1) / 2
        axis = self.centre_1 - self.centre_0
        across = 1j * axis / abs(axis) if axis else 1j
        return middle - half_length * across, middle + half_length * across


def discriminator(dataset: xr.Dataset, slot: int) -> Discriminator:
    """The discriminator of one slot: the centres in the provenance, else those of the two clusters in the points.

    Raises
    ------
    Rejected
        the Dataset is not of level 1.
    """
    points = np.ravel(complex_iq(dataset)[..., slot])
    points = points[np.isfinite(points)]
    qubit = int(dataset.variables[c.QUBIT].values[slot])
    origin = c.provenance(dataset.attrs)
    readout = (origin.readout or {}) if origin is not None else {}
    known = readout.get("centres", {}).get(str(qubit))
    zero, one = (complex(*known[0]), complex(*known[1])) if known else _clusters(points)
    sigma = readout.get("sigma")
    if sigma is None and c.SHOT in dataset.variables[c.IQ].dims:
        sigma = _width(points, zero, one)
    return Discriminator(centre_0=zero, centre_1=one, fidelity=_fidelity(abs(one - zero), sigma))


def discriminate(dataset: xr.Dataset) -> xr.Dataset:
    """A level-1 Dataset of single shots as bits.

    Raises
    ------
    Rejected
        the shots were averaged.
    """
    if c.SHOT not in dataset.variables[c.IQ].dims:
        raise Rejected("Averaged IQ points have no counts: run with meas_return='single'.", code="no_bits")
    signal = complex_iq(dataset)
    bits = np.empty(signal.shape, dtype=np.int8)
    for slot in range(signal.shape[-1]):
        bits[..., slot] = discriminator(dataset, slot).bits(signal[..., slot])
    bits[np.isnan(signal)] = MISSING_BIT
    dims = dataset.variables[c.IQ].dims[:-1]
    converted = dataset.drop_vars([c.IQ, c.COMPONENT])
    return converted.assign({c.BIT: (dims, bits, c.VARIABLE_ATTRS[c.BIT])})


def counts_of(dataset: xr.Dataset) -> dict[str, int]:
    """How often each outcome came, keyed as Qiskit keys them; points are told apart first."""
    info = c.circuit_info(dataset.attrs)
    values = int_counts(discriminate(dataset) if c.IQ in dataset.variables else dataset, info.memory_slots)
    return {format_outcome(value, info.creg_sizes, info.memory_slots): count for value, count in values.items()}


def _along(points: NDArray[np.complex128], zero: complex, one: complex) -> NDArray[np.float64]:
    """Coordinate along the line from 0 to 1, from its middle."""
    axis = one - zero
    unit = axis / abs(axis) if axis else 1.0
    along: NDArray[np.float64] = ((points - (zero + one) / 2) * np.conj(unit)).real
    return along


def _clusters(points: NDArray[np.complex128]) -> tuple[complex, complex]:
    """Two means along the widest direction; the one with the smaller I is called 0."""
    middle = points.mean()
    spread = points - middle
    # The principal axis: half the angle of the mean square.
    axis = np.exp(0.5j * np.angle((spread**2).mean()))
    side = (spread * np.conj(axis)).real > 0
    for _ in range(_ROUNDS):
        if side.all() or not side.any():
            return complex(middle), complex(middle)
        low, high = points[~side].mean(), points[side].mean()
        moved = abs(points - high) < abs(points - low)
        if np.array_equal(moved, side):
            break
        side = moved
    pair = sorted((complex(low), complex(high)), key=lambda point: (point.real, point.imag))
    return pair[0], pair[1]


def _width(points: NDArray[np.complex128], zero: complex, one: complex) -> float | None:
    along = _along(points, zero, one)
    half = abs(one - zero) / 2
    if len(points) < 2 or not half:
        return None
    return float(np.where(along > 0, along - half, along + half).std())


def _fidelity(distance: float, sigma: float | None) -> float | None:
    if sigma is None or not distance:
        return None
    return 1.0 - math.erfc(distance / (2 * math.sqrt(2) * sigma)) / 2 if sigma else 1.0
