"""The calibrations of a QPU as an xarray Dataset over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import quantity_label
from qpi_jupyter.wire.telemetry import CalibrationFigure, CalibrationModel

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


def place(figure: CalibrationFigure) -> int | str:
    """Where a figure stands along its dimension: the number of its qubit, or its gate, as ``cz(0, 1)``."""
    return f"{figure.gate}({', '.join(map(str, figure.qubits))})" if figure.gate else figure.qubits[0]


def dataset_of(qpu: str, newest_first: Sequence[CalibrationModel]) -> xr.Dataset:
    """One variable a quantity, NaN where a calibration does not have it.

    Dims: ``time``, and ``qubit`` (t1, t2, frequency, readout_error) or ``gate`` (gate_error, gate_duration).
    Coordinates: ``time`` (UTC), ``calibration_id`` along it, ``qubit`` (numbers), ``gate`` (``cz(0, 1)``). ``units``
    are in the attributes: s, Hz, and 1 for probabilities.
    """
    import numpy as np
    import xarray as xr

    models = newest_first[::-1]
    figures = [figure for model in models for figure in model.figures]
    places = {
        "qubit": sorted({place(f) for f in figures if not f.gate}),
        "gate": sorted({place(f) for f in figures if f.gate}),
    }  # fmt: skip
    index = {dim: {name: n for n, name in enumerate(names)} for dim, names in places.items()}
    variables: dict[str, Any] = {}
    for quantity, gate in dict.fromkeys((f.quantity, bool(f.gate)) for f in figures):
        dim = "gate" if gate else "qubit"
        wanted = [[f for f in model.figures if (f.quantity, bool(f.gate)) == (quantity, gate)] for model in models]
        values = _values(wanted, index[dim])
        unit = next(f.unit for row in wanted for f in row)
        attrs = {"units": unit or "1", "long_name": quantity_label(quantity)}
        variables[f"gate_{quantity}" if gate else quantity] = (("time", dim), values, attrs)
    times = np.array([model.at.replace(tzinfo=None) for model in models], dtype="datetime64[ns]")
    coords = {
        "time": ("time", times),
        "calibration_id": ("time", [model.id for model in models]),
        **{dim: (dim, names) for dim, names in places.items() if names},
    }
    return xr.Dataset(variables, coords, {"qpu": qpu})


def _values(rows: Iterable[Iterable[CalibrationFigure]], index: dict[Any, int]) -> np.ndarray[Any, Any]:
    """The figures of each calibration at their places."""
    import numpy as np

    rows = list(rows)
    values = np.full((len(rows), len(index)), np.nan)
    for n, row in enumerate(rows):
        for figure in row:
            values[n, index[place(figure)]] = figure.value
    return values
