"""Results side by side: overlaid, their differences, and what each was measured with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, counted

from . import conventions as c
from . import drawings
from .attributes import JOB_ID, QPU, bare
from .curves import axis_of, with_unit
from .drawings import Drawing
from .kinds import kind_of
from .pictures import html_of
from .selection import whole
from .sweeps import sweep_dims

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RESULT = "result"
"""The dimension of the compared results."""
MAX_SHOWN = 16
"""Outcomes in the picture of results without a sweep: those that differ most."""


class Comparison:
    """Results of one circuit on several QPUs, days or settings; `qpi_jupyter.compare` makes it.

    Parameters
    ----------
    results
        by their names.
    written
        how a moment, which results have in ISO 8601, is shown.

    Raises
    ------
    Rejected
        fewer than two results, or results that have nothing in common that could be compared.
    """

    def __init__(self, results: Mapping[str, xr.Dataset], *, written: Callable[[str], str] = str) -> None:
        if len(results) < 2:
            raise Rejected("Give two results or more to compare.", code="nothing_to_compare")
        self._written = written
        self._told = {name: dict(dataset.attrs) for name, dataset in results.items()}
        self._datasets = {name: whole(bare(dataset)) for name, dataset in results.items()}
        self.values = _aligned(self._datasets)
        """The results along `RESULT`: probabilities, signals or expectation values; NaN where one has no such point."""

    @property
    def difference(self) -> xr.DataArray:
        """Each result but the first minus the first."""
        found: xr.DataArray = (
            self.values.isel({RESULT: slice(1, None)}) - self.values.isel({RESULT: 0}, drop=True)
        ).rename("difference")
        return found.assign_attrs({**self.values.attrs, "long_name": f"Difference to {self.names[0]}"})

    @property
    def names(self) -> list[str]:
        """What the results are called here."""
        return list(self._datasets)

    def facts(self) -> list[dict[str, str]]:
        """What each was measured with: job, QPU, executor, shots, start, calibration."""
        found = []
        for name, dataset in self._datasets.items():
            info, origin = c.circuit_info(dataset.attrs), c.provenance(dataset.attrs)
            found.append(
                {
                    "Result": name,
                    "Job": str(self._told[name].get(JOB_ID, "")),
                    "QPU": str(self._told[name].get(QPU, "")),
                    "Executor": "" if origin is None else f"{origin.executor} {origin.executor_version}",
                    "Shots": f"{info.shots:,}",
                    "Started": "" if origin is None else self._written(origin.started_at),
                    "Calibration": "" if origin is None else origin.calibration_id,
                }
            )
        return found

    def drawing(self) -> Drawing:
        """The results overlaid: curves over a parameter; else a table of the values that differ most."""
        dims = _swept(self._datasets)
        if len(dims) == 1:
            return self._curves(dims[0])
        if dims:
            return drawings.note("Compare sweeps over one parameter: pick a value of the others (ds.isel(...)).")
        (along,) = [str(dim) for dim in self.values.dims if dim != RESULT] or [""]
        values = self.values.transpose(RESULT, ...).values.reshape(len(self.names), -1)
        labels = [str(label) for label in self.values.coords[along].values] if along else [""]
        widest = np.argsort(-np.nan_to_num(np.ptp(values, axis=0)), kind="stable")[:MAX_SHOWN]
        rows = [
            [
                labels[k],
                *(f"{value:.4g}" for value in values[:, k]),
                *(_signed(v - values[0, k]) for v in values[1:, k]),
            ]
            for k in sorted(widest.tolist())
        ]
        columns = [along.capitalize(), *self.names, *(f"{name} minus {self.names[0]}" for name in self.names[1:])]
        left = len(labels) - len(rows)
        return drawings.table(columns, rows, about=f"{left:,} more differ less." if left else "")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the results over one another: curves, or bars side by side."""
        from .plots import bars_side_by_side, draw, new_axes

        ax = ax or new_axes()
        drawing = self.drawing()
        if drawing["draw"] == drawings.TABLE:
            bars_side_by_side(ax, drawing, self.names, with_unit(_quantity(self.values), self.values.attrs))
        else:
            draw(ax, drawing)
        return ax

    def __repr__(self) -> str:
        facts = self.facts()
        told = drawings.table(list(facts[0]), [list(row.values()) for row in facts])
        return f"{drawings.text_of(told)}\n\n{drawings.text_of(self.drawing())}"

    def _repr_html_(self) -> str:
        facts = self.facts()
        told = drawings.table(list(facts[0]), [list(row.values()) for row in facts])
        return f"{html_of(told)}<p>{escape(_quantity(self.values))}</p>{html_of(self.drawing())}"

    def _curves(self, dim: str) -> Drawing:
        more = [str(d) for d in self.values.dims if d not in (RESULT, dim)]
        stacked = self.values.transpose(RESULT, dim, *more)
        values = stacked.values.reshape(len(self.names), stacked.sizes[dim], -1)
        labels = [str(label) for label in stacked.coords[more[0]].values] if more else [""]
        best = int(np.argmax(np.nan_to_num(np.nanmax(values, axis=(0, 1)) - np.nanmin(values, axis=(0, 1)))))
        if len(labels) == 2:
            best = 1
        x, x_label = axis_of(stacked, dim)
        quantity = f"{_quantity(self.values)} of {labels[best]}" if labels[best] else _quantity(self.values)
        return drawings.lines(
            x,
            {name: values[k, :, best].tolist() for k, name in enumerate(self.names)},
            x_label=x_label,
            y_label=with_unit(quantity, self.values.attrs),
            joined=True,
            about="; ".join(
                _apart(name, values[0, :, best], values[k, :, best]) for k, name in enumerate(self.names) if k
            ),
        )


def _signed(difference: float) -> str:
    return f"{difference:+.4g}" if difference else "0"


def _apart(name: str, first: NDArray[np.float64], other: NDArray[np.float64]) -> str:
    away = np.abs(other - first)
    shared = int(np.isfinite(away).sum())
    if not shared:
        return f"{name} shares no point"
    where = "" if shared == len(away) else f" at the {counted(shared, 'point')} that both have"
    return f"{name} differs by at most {np.nanmax(away):.3g}{where}"


def _quantity(values: xr.DataArray) -> str:
    return str(values.attrs.get("long_name", values.name or "Value"))


def _swept(datasets: Mapping[str, xr.Dataset]) -> tuple[str, ...]:
    return sweep_dims(next(iter(datasets.values())))


def _aligned(datasets: Mapping[str, xr.Dataset]) -> xr.DataArray:
    """What can be compared of each, on the points and outcomes of all of them."""
    dims = _swept(datasets)
    curves: list[xr.DataArray] = []
    for name, dataset in datasets.items():
        kind = kind_of(dataset)
        curve = kind.curve(dataset)
        if curve is None:
            raise Rejected(
                f"{name!r} cannot be compared: its kind of result, {kind.name!r}, has no curve.",
                code="nothing_to_compare",
            )
        if sweep_dims(dataset) != dims:
            first = next(iter(datasets))
            raise Rejected(
                f"{name!r} cannot be compared with {first!r}: one has other swept parameters.",
                code="nothing_to_compare",
            )
        curves.append(curve.drop_vars([k for k in curve.coords if k not in curve.dims]))
    if {curve.name for curve in curves} != {curves[0].name} or {curve.dims for curve in curves} != {curves[0].dims}:
        raise Rejected("These results cannot be compared: they are of unlike kinds.", code="nothing_to_compare")
    joined: Sequence[xr.DataArray] = xr.align(*curves, join="outer")
    if c.OUTCOME in curves[0].dims:
        # An outcome that is listed for one of them came in the others 0 times; a point that lacks stays NaN.
        joined = [
            curve.where(curve.notnull() | ~curve.notnull().any(c.OUTCOME), 0.0) for curve in joined
        ]  # fmt: skip
    found: xr.DataArray = xr.concat(list(joined), dim=RESULT, coords="minimal", compat="override", join="outer")
    return found.assign_coords({RESULT: list(datasets)}).assign_attrs(curves[0].attrs)
