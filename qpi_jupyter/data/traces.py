"""Results at level 0: the readout signal over time, of every shot or averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import counted

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind
from .views import last_slot, mean_signal, measured_qubits

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from numpy.typing import NDArray

MAX_SAMPLES = 100_000
"""Of one trace."""


class Traces(ResultKind):
    """A trace for each shot and measurement, or their mean over the shots."""

    name = "traces"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        shots = () if info.meas_return == "avg" else (c.SHOT,)
        return {c.TRACE: Quantity(dims=(*shots, c.SLOT, c.SAMPLE, c.COMPONENT), dtype="float64")}

    def check(self, dataset: xr.Dataset, info: c.CircuitInfo) -> None:
        """As `ResultKind.check`, and each sample has its time; there are `MAX_SAMPLES` at most."""
        super().check(dataset, info)
        if c.TIME not in dataset.coords or dataset.coords[c.TIME].dims != (c.SAMPLE,):
            raise self.refusal(f"it has no coordinate {c.TIME!r} along {c.SAMPLE!r}")
        if not 0 < (samples := dataset.sizes[c.SAMPLE]) <= MAX_SAMPLES:
            raise self.refusal(f"its traces have {samples:,} samples; due: 1 to {MAX_SAMPLES:,}")

    def memory(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Sequence[Any]:
        """As Qiskit has level 0: ``[re, im]`` per sample, classical bit and, unless averaged, shot."""
        import numpy as np

        from .limits import check_spread

        signal = complex_traces(dataset)
        check_spread(16 * signal[..., :1, :].size * info.memory_slots, dataset)
        full = np.zeros((*signal.shape[:-2], info.memory_slots, signal.shape[-1]), dtype=np.complex128)
        full[..., dataset.variables[c.CLBIT].values, :] = signal
        memory: Sequence[Any] = full.view(np.float64).reshape(*full.shape, 2).tolist()
        return memory

    def qubits(self, dataset: xr.Dataset) -> Sequence[int]:
        return measured_qubits(dataset)

    def curve(self, dataset: xr.Dataset, qubit: int | None = None) -> xr.DataArray | None:
        """The mean over shots and time of one qubit's last measurement, as I and Q."""
        return mean_signal(dataset, c.TRACE, qubit)

    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> drawings.Drawing:
        """The mean over the shots of one qubit's last measurement."""
        import numpy as np

        chosen, slot = last_slot(dataset, qubit)
        one = complex_traces(dataset)[..., slot, :]
        mean = one if one.ndim == 1 else one.mean(axis=0)
        shots = c.circuit_info(dataset.attrs).shots
        return drawings.lines(
            (1e9 * np.atleast_1d(dataset.variables[c.TIME].values)).tolist(),
            {"I": mean.real.tolist(), "Q": mean.imag.tolist()},
            x_label="Time (ns)",
            y_label=f"Signal ({c.VARIABLE_ATTRS[c.TRACE]['units']})",
            label=f"q{chosen}",
            about=f"Mean of {counted(shots, 'shot')}",
        )


def complex_traces(dataset: xr.Dataset) -> NDArray[np.complex128]:
    """The traces as complex numbers, shape ``(..., shots, slots, samples)``, without ``shots`` where averaged."""
    import numpy as np

    parts = np.ascontiguousarray(dataset.variables[c.TRACE].values, dtype=np.float64)
    return parts.view(np.complex128)[..., 0]


Traces.offers = {"traces": complex_traces}
TRACES = Traces()
