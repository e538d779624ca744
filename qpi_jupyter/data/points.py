"""Results at level 1: points in the IQ plane, of every shot or averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind
from .views import MAX_POINTS, iq_points, mean_signal, measured_qubits

if TYPE_CHECKING:
    import xarray as xr

_POINT_BYTES = 26


class PointsPart:
    """The points as Qiskit's results hold them, all or none."""

    def __init__(self, points: Any) -> None:
        self._points, self._truncated = points, False

    @property
    def nbytes(self) -> int:
        return 0 if self._points is None else int(self._points.size) * _POINT_BYTES

    def cut(self, room: float) -> None:
        if self.nbytes > room:
            self._points, self._truncated = None, True

    def fields(self) -> dict[str, Any]:
        memory = None if self._points is None else self._points.round(9).tolist()
        return {"memory": memory, "truncated": self._truncated}


class Points(ResultKind):
    """A point in the IQ plane for each shot and measurement, or their mean."""

    name = "points"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        shots = () if info.meas_return == "avg" else (c.SHOT,)
        return {c.IQ: Quantity(dims=(*shots, c.SLOT, c.COMPONENT), dtype="float64")}

    def part(self, dataset: xr.Dataset, info: c.CircuitInfo) -> PointsPart:
        return PointsPart(level1_memory(dataset, info.memory_slots))

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
