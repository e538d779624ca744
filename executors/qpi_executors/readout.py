"""The readout model of the simulators: a bit becomes a point in the IQ plane.

Qubit ``q`` has the centres ``+-separation/2 * exp(i * q * 0.6)``, minus for 0 and plus for 1; each shot adds Gaussian
noise of width ``sigma`` on both quadratures. A bit is told apart at the line between the centres, so the model's own
assignment error is ``erfc(separation / (2 * sqrt(2) * sigma)) / 2``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .base import Option

_TURN_PER_QUBIT = 0.6
"""Radians between the axes of neighbouring qubits, as cable lengths differ."""
_STREAM = 0x51
"""Keeps the noise apart from what else a seed is used for."""

READOUT_OPTIONS = {
    "iq_separation": Option(doc="distance between the centres of 0 and 1 in the IQ plane", default=1.0, kind=float),
    "iq_sigma": Option(doc="width of the readout noise per quadrature", default=0.2, kind=float),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutModel:
    """Gaussian blobs around one pair of centres per qubit."""

    separation: float
    sigma: float

    def centres(self, qubits: Iterable[int]) -> NDArray[np.complex128]:
        """The centres of 0 and 1, shape ``(qubits, 2)``."""
        axis = np.exp(1j * _TURN_PER_QUBIT * np.asarray(list(qubits), dtype=np.float64))
        centres: NDArray[np.complex128] = (self.separation / 2) * axis[:, None] * np.array([-1.0, 1.0])
        return centres

    def signal(self, bits: NDArray[np.int8], qubits: Iterable[int], seed: int) -> NDArray[np.complex128]:
        """One point per bit of ``bits`` (shots, slots); the same seed gives the same points."""
        centres = self.centres(qubits)
        noise = np.random.default_rng([_STREAM, seed]).normal(scale=self.sigma, size=(*bits.shape, 2))
        return np.where(bits == 1, centres[:, 1], centres[:, 0]) + noise.view(np.complex128)[..., 0]

    def to_dict(self, qubits: Iterable[int]) -> dict[str, Any]:
        """The model as JSON, with the centres ``[[I, Q] of 0, [I, Q] of 1]`` of these qubits."""
        listed = sorted(set(qubits))
        return {
            "model": "gaussian",
            "separation": self.separation,
            "sigma": self.sigma,
            "centres": {
                str(qubit): [[round(point.real, 9), round(point.imag, 9)] for point in pair]
                for qubit, pair in zip(listed, self.centres(listed).tolist(), strict=True)
            },
        }
