"""A sweep, one circuit at many parameter values, as one Dataset with the parameters as its first dimensions.

`sweep_dataset` makes it, of all rows or of those that are there, and `rows_of` takes it apart again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, SweepAxis, counted

from . import conventions as c

POINT = "point"
"""The dimension along which several parameters change together."""
PARAMETER = "parameter"
"""The attribute of a coordinate with its parameter's name, and the dimension of many parameters' names."""
MISSING_BIT = -1
"""A bit of a row that is not there yet."""
MAX_SPREAD_BYTES = 64 << 20
"""Counts of all rows by all outcomes: of circuits with very many the rows stay alone, which have theirs only."""
MAX_NAMED = 16
"""Parameters of one axis that have a coordinate each; more share one."""
_ELEMENT = re.compile(r"(.+)\[(\d+)\]")
_RESERVED = frozenset({"circuit", "row_size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The grid of a circuit's parameter rows.

    ``names`` are the parameters in the circuit's order, ``values`` their values, one row a point: shape
    ``(points, parameters)``.  The rows are the grid of ``axes`` in C order: the last axis runs fastest.  Parameters of
    no axis have one value.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    axes: tuple[SweepAxis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Points along each axis."""
        return tuple(axis.length for axis in self.axes)

    @property
    def size(self) -> int:
        """Points in all."""
        return math.prod(self.shape)


def sweep_of(names: Sequence[str], rows: Sequence[Sequence[float]], axes: Sequence[SweepAxis] = ()) -> Sweep:
    """The sweep that these parameter rows are, all of them.

    Parameters
    ----------
    names
        the circuit's parameters, in its order.
    rows
        a row of values for each point, in the order of ``names``.
    axes
        the grid, if it is known.  Otherwise rows in the order of a grid are that grid, other rows one axis along which
        all parameters change together, and a single row is a point without axes.

    Raises
    ------
    Rejected
        the rows are no such grid.
    """
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    sweep = Sweep(names=tuple(names), values=values, axes=tuple(axes) or _found_axes(tuple(names), values))
    _check_grid(sweep)
    return sweep


def sweep_dataset(sweep: Sweep, rows: Mapping[int, xr.Dataset]) -> xr.Dataset:
    """One Dataset of a sweep, final or growing: the axes' dimensions before those of a single row's Dataset.

    ``theta: 41, shot: 1000, slot: 2`` for one parameter, ``theta: 41, phi: 21, ...`` for a grid of two, ``point: 41,
    ...`` for several that change together. The parameters are coordinates with ``units`` and ``long_name``. What is
    not there yet is NaN in numbers, -1 in bits, 0 in counts; once all rows are there the Dataset is the final one.

    Parameters
    ----------
    sweep
        all points, measured or not.
    rows
        the Datasets of the rows that are there, by their index in ``sweep.values``: at least one.

    Raises
    ------
    Rejected
        there is none, or they are of unlike shapes.
    """
    if not rows or not all(0 <= index < sweep.size for index in rows):
        raise Rejected(
            f"A sweep of {counted(sweep.size, 'point')} takes rows from 0 to {sweep.size - 1:,}.", code="bad_result"
        )
    present = sorted(rows)
    datasets = [rows[index] for index in present]
    first = datasets[0]
    labels = _labels(datasets)
    if labels is None:
        _check_alike(datasets)
    elif 8 * sweep.size * len(labels.values) > MAX_SPREAD_BYTES:
        raise Rejected("The rows of this sweep have very many outcomes: they stay alone.", code="unlike_rows")
    dims, parameters = _coordinates(sweep, first)
    where = slice(None) if len(present) == sweep.size else present
    data: dict[Hashable, Any] = {}
    for name, variable in first.data_vars.variables.items():
        arrays = [dataset.variables[name].values for dataset in datasets]
        inner = variable.shape if labels is None else (len(labels.values),)
        flat = np.full((sweep.size, *inner), _missing(name, variable.dtype), dtype=variable.dtype)
        flat[where] = np.stack(arrays) if labels is None else labels.spread(arrays, _missing(name, variable.dtype))
        data[name] = ((*dims, *variable.dims), flat.reshape(*sweep.shape, *inner), variable.attrs)
    coords: dict[Hashable, Any] = {**parameters, **first.coords.variables}
    if labels is not None:
        coords[labels.dim] = (labels.dim, labels.values, first.variables[labels.dim].attrs)
    return xr.Dataset(data, coords=coords, attrs=_attrs(sweep, dims, datasets))


def is_sweep(dataset: xr.Dataset) -> bool:
    """Whether it is a Dataset of all rows, or a part of one."""
    return dataset.attrs.get(c.CONVENTIONS_ATTR) == c.SWEEP_CONVENTIONS


def from_rows(datasets: Sequence[xr.Dataset]) -> xr.Dataset | None:
    """The sweep of all rows of one circuit, in their order; None where some are missing or shapes are unlike.

    Rows of versions that did not tell the parameters lie along `POINT`.
    """
    infos = [c.circuit_info(dataset.attrs) for dataset in datasets]
    if [info.row for info in infos] != list(range(len(infos))):
        return None
    names = list(infos[0].parameters)
    values = [[info.parameters.get(name, math.nan) for name in names] for info in infos]
    try:
        return sweep_dataset(sweep_of(names, values, infos[0].axes), dict(enumerate(datasets)))
    except Rejected:
        return None


def along(circuits: Sequence[xr.Dataset], values: Mapping[str, Any]) -> xr.Dataset:
    """Circuits that differ in more than a parameter as one Dataset: the sequences of a randomized benchmarking, say.

    Parameters
    ----------
    circuits
        their Datasets, of one shape.
    values
        by name a number for each circuit, not necessarily different ones; the ``units`` of an xarray coordinate go
        with it. Several names change together.

    Raises
    ------
    Rejected
        there are other numbers of values than circuits, or the Datasets are of unlike shapes.
    """
    rows = np.array([np.asarray(column, dtype=np.float64) for column in values.values()]).T
    if rows.ndim != 2 or len(rows) != len(circuits):
        raise Rejected(f"Give a list of {counted(len(circuits), 'number')}, one for each circuit.", code="unlike_rows")
    units = {name: str(getattr(column, "attrs", {}).get("units", "")) for name, column in values.items()}
    axis = SweepAxis(
        parameters=tuple(values), length=len(circuits), units={name: unit for name, unit in units.items() if unit}
    )
    return sweep_dataset(sweep_of(tuple(values), rows.tolist(), (axis,)), dict(enumerate(circuits)))


def rows_of(dataset: xr.Dataset) -> Iterator[xr.Dataset]:
    """The rows of a sweep as Datasets of their own, in the order of the sweep; of any other Dataset only itself."""
    dims = sweep_dims(dataset)
    if not is_sweep(dataset):
        yield dataset
        return
    info = json.loads(dataset.attrs[c.CIRCUIT_ATTR])
    seeds = info.pop("seeds", ())
    info.pop("dims", None)
    dataset = dataset.transpose(*dims, ...)
    values = parameters_of(dataset)
    size = math.prod(dataset.sizes[dim] for dim in dims)
    template = dataset.isel(dict.fromkeys(dims, 0)).drop_vars(_of_parameter(dataset))
    flat = {
        name: variable.values.reshape(size, *variable.shape[len(dims) :])
        for name, variable in dataset.data_vars.variables.items()
    }
    for row in range(size):
        found = template.copy(deep=False, data={name: array[row] for name, array in flat.items()})
        if c.COUNT in flat:
            found = found.isel({c.OUTCOME: np.flatnonzero(flat[c.COUNT][row])})
        about = {**info, "row": row, "parameters": {name: float(array[row]) for name, array in values.items()}}
        if len(seeds) == size:
            about["seed"] = seeds[row]
        found.attrs = {**dataset.attrs, c.CONVENTIONS_ATTR: c.CONVENTIONS, c.CIRCUIT_ATTR: json.dumps(about)}
        yield found


def sweep_dims(dataset: xr.Dataset) -> tuple[str, ...]:
    """The dimensions of a Dataset that are a sweep's, in its own order; none where one point of it was picked."""
    if not is_sweep(dataset):
        return ()
    parameters = {str(dim) for v in dataset.coords.variables.values() if PARAMETER in v.attrs for dim in v.dims[:1]}
    stated = {*c.circuit_info(dataset.attrs).dims, *parameters}
    return tuple(str(dim) for dim in dataset.dims if dim in stated)


def parameters_of(dataset: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """The value of each parameter at each point of a sweep, in the order of its rows."""
    dims = sweep_dims(dataset)
    shape = [dataset.sizes[dim] for dim in dims]
    found: dict[str, NDArray[np.float64]] = {}
    for variable in dataset.coords.variables.values():
        if PARAMETER not in variable.attrs:
            continue
        inner = [dim for dim in variable.dims if dim not in dims]
        values = variable.set_dims({dim: size for dim, size in zip(dims, shape, strict=True)} | {
            dim: dataset.sizes[dim] for dim in inner
        }).transpose(*dims, *inner).values.reshape(math.prod(shape), -1)  # fmt: skip
        parameter = str(variable.attrs[PARAMETER])
        names = [parameter] if not inner else _element_names(dataset, parameter, inner[0])
        found |= {one: values[:, k] for k, one in enumerate(names)}
    return found


class _Labels:
    """What lies along labels that differ from row to row, as counts do along their outcomes."""

    def __init__(self, dim: Hashable, each: Sequence[NDArray[Any]]) -> None:
        self.dim = dim
        self._lengths = [len(labels) for labels in each]
        self.values, self._columns = np.unique(np.concatenate(each), return_inverse=True)

    def spread(self, arrays: Sequence[NDArray[Any]], fill: Any) -> NDArray[Any]:
        """Rows of all labels."""
        full = np.full((len(arrays), len(self.values)), fill, dtype=arrays[0].dtype)
        full[np.repeat(np.arange(len(arrays)), self._lengths), self._columns] = np.concatenate(arrays)
        return full


def _labels(datasets: Sequence[xr.Dataset]) -> _Labels | None:
    """The labels along which everything lies, where they are not the same in all rows; else None."""
    first = datasets[0]
    (dim,) = first.dims if len(first.dims) == 1 else (None,)
    if dim not in first.coords or any(variable.dims != (dim,) for variable in first.variables.values()):
        return None
    names = list(first.variables)
    if any(list(dataset.variables) != names for dataset in datasets):
        return None
    each = [dataset.variables[dim].values for dataset in datasets]
    if first.variables[dim].dtype.kind not in "UO" or all(np.array_equal(each[0], labels) for labels in each[1:]):
        return None
    return _Labels(dim, each)


def _check_alike(datasets: Sequence[xr.Dataset]) -> None:
    first = datasets[0].variables
    coords = list(datasets[0].coords)
    for dataset in datasets[1:]:
        other = dataset.variables
        alike = other.keys() == first.keys() and all(
            other[name].dims == variable.dims
            and other[name].shape == variable.shape
            and other[name].dtype == variable.dtype
            for name, variable in first.items()
        )
        if not alike or not all(np.array_equal(first[name].values, other[name].values) for name in coords):
            raise Rejected("The rows of this sweep are of unlike shapes.", code="unlike_rows")


def _missing(name: Hashable, dtype: np.dtype[Any]) -> Any:
    if name == c.BIT:
        return MISSING_BIT
    return {"f": np.nan, "c": np.nan, "U": ""}.get(dtype.kind, 0)


def _attrs(sweep: Sweep, dims: Sequence[str], datasets: Sequence[xr.Dataset]) -> dict[Hashable, Any]:
    first = datasets[0].attrs
    info = json.loads(first[c.CIRCUIT_ATTR])
    info.pop("parameters", None)
    info |= {"row": None, "axes": [asdict(axis) for axis in sweep.axes], "dims": list(dims)}
    seeds = [json.loads(dataset.attrs[c.CIRCUIT_ATTR]).get("seed") for dataset in datasets]
    if len(set(seeds)) > 1 and len(seeds) == sweep.size:
        info["seeds"] = seeds
    return {**first, c.CONVENTIONS_ATTR: c.SWEEP_CONVENTIONS, c.CIRCUIT_ATTR: json.dumps(info)}


# Which grid rows are


def _found_axes(names: tuple[str, ...], values: NDArray[np.float64]) -> tuple[SweepAxis, ...]:
    """The axes of rows that do not say theirs: none of a single one."""
    if len(values) == 1:
        return ()
    lengths = _grid(values)
    if lengths is None:
        changing = [name for name, column in zip(names, values.T, strict=True) if (column != column[0]).any()]
        return (SweepAxis(parameters=tuple(changing or names), length=len(values)),)
    return tuple(SweepAxis(parameters=tuple(names[k] for k in columns), length=length) for length, columns in lengths)


def _grid(values: NDArray[np.float64]) -> list[tuple[int, list[int]]] | None:
    """The axes (points, columns) of rows that are a grid of at least two, the last one running fastest; else None."""
    changing = np.flatnonzero((values != values[:1]).any(axis=0)).tolist()
    axes: list[tuple[int, list[int]]] = []
    while True:
        inner = [k for k in changing if len(values) > 1 and values[1, k] != values[0, k]]
        if not inner:
            return None
        again = (values[1:, inner] == values[0, inner]).all(axis=1)
        length = int(np.argmax(again)) + 1 if again.any() else len(values)
        outer = [k for k in changing if k not in inner]
        if len(values) % length or (not outer and length < len(values)):
            return None
        blocks = values.reshape(-1, length, values.shape[1])
        if (blocks[:, :, inner] != blocks[:1, :, inner]).any() or (blocks[:, :, outer] != blocks[:, :1, outer]).any():
            return None
        axes.insert(0, (length, inner))
        if length == len(values):
            return axes if len(axes) > 1 and not outer else None
        values, changing = blocks[:, 0], outer


def _check_grid(sweep: Sweep) -> None:
    """Each parameter changes along its own axis only."""
    if sweep.size != len(sweep.values):
        points = " x ".join(map(str, sweep.shape))
        raise Rejected(
            f"The axes of this sweep have {points} points, and its values {counted(len(sweep.values), 'row')}.",
            code="bad_result",
        )
    grid = sweep.values.reshape(*sweep.shape, len(sweep.names))
    owner = {name: k for k, axis in enumerate(sweep.axes) for name in axis.parameters}
    if unknown := owner.keys() - set(sweep.names):
        raise Rejected(f"An axis names {min(unknown)!r}, which the circuit does not have.", code="bad_result")
    for column, name in enumerate(sweep.names):
        one = grid[..., column]
        own = owner.get(name)
        first = one[tuple(slice(None) if k == own else slice(0, 1) for k in range(one.ndim))]
        if (one != first).any() and not np.isnan(one).any():
            raise Rejected(f"The values of {name!r} change along an axis that is not its own.", code="bad_result")


# Coordinates


def _coordinates(sweep: Sweep, first: xr.Dataset) -> tuple[list[str], dict[Hashable, Any]]:
    """The dimension of each axis, and the coordinates of all parameters."""
    taken = {*map(str, first.variables), *map(str, first.dims), *_RESERVED}
    grid = sweep.values.reshape(*sweep.shape, len(sweep.names))
    columns = {name: k for k, name in enumerate(sweep.names)}
    dims: list[str] = []
    coords: dict[Hashable, Any] = {}
    for k, axis in enumerate(sweep.axes):
        along = grid[tuple(slice(None) if other == k else 0 for other in range(len(sweep.axes)))]
        if len(axis.parameters) == 1:
            (name,) = axis.parameters
            dims.append(_free(name, taken))
            coords[dims[-1]] = (dims[-1], along[:, columns[name]], _facts(name, axis.units.get(name)))
        else:
            dims.append(_free(POINT, taken))
            coords |= _together(axis, (dims[-1],), along, columns, taken)
    owned = {name for axis in sweep.axes for name in axis.parameters}
    rest = SweepAxis(parameters=tuple(name for name in sweep.names if name not in owned), length=1)
    first_point = sweep.values[0]
    return dims, coords | _together(rest, (), first_point, columns, taken)


def _together(
    axis: SweepAxis, at: tuple[str, ...], values: NDArray[np.float64], columns: Mapping[str, int], taken: set[str]
) -> dict[Hashable, Any]:
    """The coordinates of parameters that change together, or not at all: a vector's as one, very many as one."""
    vectors: dict[str, list[str]] = {}
    for name in axis.parameters:
        matched = _ELEMENT.fullmatch(name)
        vectors.setdefault(matched[1] if matched else name, []).append(name)
    found: dict[Hashable, Any] = {}
    single = [names[0] for names in vectors.values() if len(names) == 1]
    for base, names in vectors.items():
        if len(names) > 1:
            variable, element = _free(base, taken), _free(f"{base}_element", taken)
            numbers = np.array([int(name[len(base) + 1 : -1]) for name in names], dtype=np.int32)
            unit = axis.units.get(base, axis.units.get(names[0]))
            found[variable] = ((*at, element), values[..., [columns[name] for name in names]], _facts(base, unit))
            found[element] = (element, numbers, {"long_name": f"Element of {base}", "units": "1"})
    if len(single) > MAX_NAMED:
        variable, label = _free("parameter_value", taken), _free(PARAMETER, taken)
        found[variable] = ((*at, label), values[..., [columns[name] for name in single]], _facts("", None))
        found[label] = (label, np.array(single, dtype=str), {"long_name": "Parameter of the circuit", "units": "1"})
        return found
    for name in single:
        found[_free(name, taken)] = (at, values[..., columns[name]], _facts(name, axis.units.get(name)))
    return found


def _free(name: str, taken: set[str]) -> str:
    """A name for a variable that files can hold and that nothing else has; it is taken from now on."""
    free = name.replace("/", "_").strip() or PARAMETER
    while free in taken:
        free += "_"
    taken.add(free)
    return free


def _facts(parameter: str, unit: str | None) -> dict[str, str]:
    return {"long_name": f"Parameter {parameter}".rstrip(), "units": unit or "1", PARAMETER: parameter}


def _of_parameter(dataset: xr.Dataset) -> set[Hashable]:
    """The coordinates that tell parameters, labels of their elements included."""
    dims = sweep_dims(dataset)
    own = {name for name, variable in dataset.coords.variables.items() if PARAMETER in variable.attrs}
    return own | {dim for name in own for dim in dataset.variables[name].dims if dim not in dims}


def _element_names(dataset: xr.Dataset, parameter: str, label: Hashable) -> list[str]:
    """The parameters along a dimension of elements."""
    labels = dataset.variables[label].values.tolist()
    return [f"{parameter}[{k}]" for k in labels] if parameter else [str(name) for name in labels]
