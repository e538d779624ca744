"""Results at level 1: points in the IQ plane, of every shot or averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import MAX_DRAWINGS

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind
from .views import MAX_POINTS, iq_points, mean_signal, measured_qubits

if TYPE_CHECKING:
    import xarray as xr

_POINT_BYTES, _DRAWN_BYTES, _DRAWING_BYTES = 26, 28, 400
"""What takes so much as JSON: a number in Qiskit's memory, a point in a drawing, and the rest of a drawing."""


class PointsPart:
    """The points as Qiskit's results hold them, and their drawings; of each all or none."""

    def __init__(self, points: Any, drawn_bytes: int, draw: Callable[[], Sequence[drawings.Drawing]]) -> None:
        self._points, self._drawn_bytes, self._draw = points, drawn_bytes, draw
        self._truncated = False

    @property
    def nbytes(self) -> int:
        return (0 if self._points is None else int(self._points.size) * _POINT_BYTES) + self._drawn_bytes

    def cut(self, room: float) -> None:
        """Drawings go first, for they can be made of the points; where those don't fit, drawings alone may."""
        drawn_bytes = self._drawn_bytes
        if self.nbytes > room:
            self._drawn_bytes = 0
        if self.nbytes > room:
            self._points, self._truncated = None, True
            self._drawn_bytes = drawn_bytes if drawn_bytes <= room else 0

    def fields(self) -> dict[str, Any]:
        memory = None if self._points is None else self._points.round(9).tolist()
        told = {"drawings": self._draw()} if self._drawn_bytes else {}
        return {"memory": memory, "truncated": self._truncated, **told}


class Points(ResultKind):
    """A point in the IQ plane for each shot and measurement, or their mean."""

    name = "points"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        shots = () if info.meas_return == "avg" else (c.SHOT,)
        return {c.IQ: Quantity(dims=(*shots, c.SLOT, c.COMPONENT), dtype="float64")}

    def part(self, dataset: xr.Dataset, info: c.CircuitInfo) -> PointsPart:
        # A sweep's rows are drawn together, with the first of them.
        drawn = 0 if info.row else min(len(self.qubits(dataset)), MAX_DRAWINGS)
        each = min(dataset.sizes.get(c.SHOT, 1), MAX_POINTS) * _DRAWN_BYTES + _DRAWING_BYTES
        return PointsPart(level1_memory(dataset, info.memory_slots), drawn * each, lambda: self.drawings(dataset))

    def memory(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Sequence[Any]:
        memory: Sequence[Any] = level1_memory(dataset, info.memory_slots).tolist()
        return memory

    def qubits(self, dataset: xr.Dataset) -> Sequence[int]:
        return measured_qubits(dataset)

    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> drawings.Drawing:
        return drawings.iq(iq_points(dataset, qubit, MAX_POINTS))

    def curve(self, dataset: xr.Dataset, qubit: int | None = None) -> xr.DataArray | None:
        """The mean over the shots of one qubit's last measurement, as I and Q."""
        return mean_signal(dataset, c.IQ, qubit)


def level1_memory(dataset: xr.Dataset, memory_slots: int) -> Any:
    """The points as Qiskit's results hold them: ``[re, im]`` per classical bit, per shot unless averaged.

    A classical bit that nothing measures has the point 0.
    """
    import numpy as np

    from .bits import complex_iq
    from .limits import check_spread

    signal = complex_iq(dataset)
    check_spread(16 * signal[..., :1].size * memory_slots, dataset)
    full = np.zeros((*signal.shape[:-1], memory_slots), dtype=np.complex128)
    full[..., dataset.variables[c.CLBIT].values] = signal
    return full.view(np.float64).reshape(*full.shape, 2)


POINTS = Points()
