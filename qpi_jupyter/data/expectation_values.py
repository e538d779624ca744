"""Expectation values of observables with their standard errors, as an estimator gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import counted

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind

if TYPE_CHECKING:
    import xarray as xr


class ExpectationValues(ResultKind):
    """A value and its standard error (NaN: not known) for each observable."""

    name = "expectation_values"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        along = Quantity(dims=(c.OBSERVABLE,), dtype="float64")
        return {c.EXPECTATION_VALUE: along, c.STANDARD_ERROR: along}

    def check(self, dataset: xr.Dataset, info: c.CircuitInfo) -> None:
        """As `ResultKind.check`, and each value is finite and has an observable."""
        import numpy as np

        super().check(dataset, info)
        if c.OBSERVABLE not in dataset.coords:
            raise self.refusal(f"it has no coordinate {c.OBSERVABLE!r}")
        if not np.isfinite(dataset.variables[c.EXPECTATION_VALUE].values).all():
            raise self.refusal("one of its expectation values is not finite")
        if (dataset.variables[c.STANDARD_ERROR].values < 0).any():
            raise self.refusal("one of its standard errors is negative")

    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> drawings.Drawing:
        values, errors = expectation_values(dataset), standard_errors(dataset)
        shots = c.circuit_info(dataset.attrs).shots
        return drawings.error_bars(
            [(name, value, errors[name]) for name, value in values.items()],
            x_label="Observable",
            y_label="Expectation value",
            about=counted(shots, "shot") if shots else "",
        )

    def curve(self, dataset: xr.Dataset, qubit: int | None = None) -> xr.DataArray | None:
        """The values of the observables."""
        return dataset[c.EXPECTATION_VALUE]

    def data_bin(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Any]:
        """``evs`` and ``stds``, as an EstimatorV2 names them."""
        return {
            "evs": dataset.variables[c.EXPECTATION_VALUE].values,
            "stds": dataset.variables[c.STANDARD_ERROR].values,
        }


def expectation_values(dataset: xr.Dataset) -> dict[str, float]:
    """The expectation value of each observable."""
    return _by_observable(dataset, c.EXPECTATION_VALUE)


def standard_errors(dataset: xr.Dataset) -> dict[str, float]:
    """The standard error of each observable's expectation value; NaN where it is not known."""
    return _by_observable(dataset, c.STANDARD_ERROR)


def _by_observable(dataset: xr.Dataset, name: str) -> dict[str, float]:
    names = map(str, dataset.coords[c.OBSERVABLE].values.tolist())
    return dict(zip(names, dataset.variables[name].values.tolist(), strict=True))


ExpectationValues.offers = {"expectation_values": expectation_values, "standard_errors": standard_errors}
EXPECTATION_VALUES = ExpectationValues()
