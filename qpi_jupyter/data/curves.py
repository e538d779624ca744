"""What is drawn of a sweep: a curve over one parameter, a heat map over two; of anything else what its kind draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from qpi_jupyter.core import Program

from . import conventions as c
from . import drawings
from .drawings import Drawing
from .kinds import ResultKind, drawn_by, kind_of
from .sweeps import PARAMETER, sweep_dataset, sweep_dims, sweep_of

MAX_CURVES = 4
"""Lines over one parameter: those that change most."""


def drawing_of(dataset: xr.Dataset, qubit: int | None = None) -> Drawing:
    """The drawing of one circuit's result, or of its sweep.

    Parameters
    ----------
    qubit
        one of the kind's `qubits`, where each has a drawing of its own; by default the first.
    """
    kind = kind_of(dataset)
    return drawn_by(kind, lambda: _drawing(kind, dataset, qubit))


def _drawing(kind: ResultKind, dataset: xr.Dataset, qubit: int | None) -> Drawing:
    dims = sweep_dims(dataset)
    if not dims:
        return kind.drawing(dataset, qubit)
    curve = kind.curve(dataset, qubit)
    if curve is None:
        return drawings.note(f"A sweep of results of kind {kind.name!r} has no drawing: pick a point (ds.isel(...)).")
    return drawing_of_curve(curve, dims)


def drawing_of_curve(curve: xr.DataArray, dims: Sequence[str], label: str = "") -> Drawing:
    """The drawing of values along a sweep's dimensions and at most one more, with a line for each of its entries."""
    if len(dims) > 2:
        named = ", ".join(dims)
        return drawings.note(
            f"A sweep of {named} has no drawing: pick one or two of them (ds.isel({dims[-1]}=0)).", label
        )
    if curve.size == 0:
        return drawings.note("Nothing to draw: this part of the sweep has no points.", label)
    more = [str(dim) for dim in curve.dims if dim not in dims]
    stacked = curve.transpose(*dims, *more)
    values = stacked.values.reshape(*stacked.shape[: len(dims)], -1)
    names = [str(name) for name in stacked.coords[more[0]].values] if more else [str(curve.attrs.get("long_name", ""))]
    spread = _spread(values)
    quantity = str(curve.attrs.get("long_name", curve.name or ""))
    if len(dims) == 1:
        ranked = np.argsort(-spread, kind="stable").tolist()
        seen = [k for k in ranked if np.nan_to_num(values[:, k]).any()] or ranked[:1]
        chosen, left = sorted(seen[:MAX_CURVES]), len(seen[MAX_CURVES:])
        x, x_label = axis_of(stacked, dims[0])
        return drawings.lines(
            x,
            {names[k]: values[:, k].tolist() for k in chosen},
            x_label=x_label,
            y_label=with_unit(quantity, curve.attrs),
            label=label,
            about=f"{left:,} more change less." if left else "",
        )
    best = int(np.argmax(spread))
    x, x_label = axis_of(stacked, dims[1])
    y, y_label = axis_of(stacked, dims[0])
    told = quantity if len(names) == 1 else f"{quantity} of {names[best]}"
    return drawings.heat_map(
        x, y, values[..., best].tolist(), x_label=x_label, y_label=y_label, z_label=with_unit(told, curve.attrs),
        label=label,
        about=f"Shown is the one of {len(names):,} that changes most." if len(names) > 1 else "",
    )  # fmt: skip


def drawings_of(datasets: Sequence[xr.Dataset], *, most: int) -> list[tuple[int, Drawing]]:
    """The first drawings of a job's circuits, each with the number of its circuit in ``datasets``."""
    found: list[tuple[int, Drawing]] = []
    for place, dataset in enumerate(datasets):
        for qubit in kind_of(dataset).qubits(dataset)[: most - len(found)]:
            found.append((place, drawing_of(dataset, qubit)))
    return found


def growing(rows: Mapping[int, xr.Dataset], program: Program, *, most: int = 8) -> list[Drawing]:
    """What is drawn of a running job's sweeps: the rows that are there, of all points.

    Parameters
    ----------
    rows
        the Datasets that are there, by their place among all of the job: at least one.
    program
        the job's.
    """
    found: list[Drawing] = []
    by_circuit: dict[int, dict[int, xr.Dataset]] = {}
    for dataset in rows.values():
        info = c.circuit_info(dataset.attrs)
        if info.row is not None:
            by_circuit.setdefault(info.circuit, {})[info.row] = dataset
    for circuit, members in sorted(by_circuit.items()):
        options = program.circuit_options(circuit)
        first = c.circuit_info(next(iter(members.values())).attrs)
        sweep = sweep_of(tuple(first.parameters), options.parameter_values, options.axes)
        if sweep.axes and len(found) < most:
            found.append(
                {**drawing_of(sweep_dataset(sweep, members)), "label": first.name if len(by_circuit) > 1 else ""}
            )
    return found


def axis_of(array: xr.DataArray, dim: str) -> tuple[list[float], str]:
    """The values along a dimension, and what is written at their axis: a parameter and its unit."""
    along = [coord for coord in array.coords.values() if coord.dims == (dim,) and coord.dtype.kind in "iuf"]
    if not along:
        return list(range(array.sizes[dim])), dim.capitalize()
    named = next((coord for coord in along if coord.name == dim), along[0])
    values: list[float] = named.values.astype(float).tolist()
    return values, with_unit(str(named.attrs.get(PARAMETER, named.name)), named.attrs)


def with_unit(name: str, attrs: Mapping[Any, Any]) -> str:
    """A quantity and its unit, as an axis says them."""
    unit = str(attrs.get("units", "1"))
    return name if unit in ("", "1") else f"{name} ({unit})"


def _spread(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How far each line's values are apart."""
    flat = values.reshape(-1, values.shape[-1])
    known = np.isfinite(flat)
    high = np.where(known, flat, -np.inf).max(axis=0)
    low = np.where(known, flat, np.inf).min(axis=0)
    return np.where(high >= low, high - low, -1.0)
