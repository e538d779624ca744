"""The arrays of a primitive: what its `DataBin` has by name, numbers of any shape and `BitArray` s.

Where the parameters of a pub change along one axis or two, its first axes, that is a sweep and drawn as one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import TooLarge, counted

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

NUM_BITS, NUMPY_TYPE = "num_bits", "numpy_type"
"""Attributes of a variable: of how many bits a `BitArray` is, and NumPy's name of the type."""
MAX_ARRAYS = 48
_TYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float32", "float64", "complex64",
    "complex128",
}  # fmt: skip
_SHOWN = 6
_SWEPT_BYTES = 64 << 20
"""Of the counts of a sweep that is drawn."""
_EVS = "evs"


class Arrays(ResultKind):
    """Arrays by name. Complex ones lie along ``component``; a `BitArray` is packed along ``NAME_byte``."""

    name = "arrays"

    def quantities(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Quantity]:
        return {
            str(name): Quantity(
                dims=tuple(str(d) for d in variable.dims if d not in info.dims), dtype=_stored(variable)
            )
            for name, variable in dataset.data_vars.variables.items()
        }

    def check(self, dataset: xr.Dataset, info: c.CircuitInfo) -> None:
        """As `ResultKind.check`, and there are 1 to `MAX_ARRAYS` arrays of numbers, each with a name as in Python."""
        if not 0 < len(dataset.data_vars) <= MAX_ARRAYS:
            raise self.refusal(f"it has {len(dataset.data_vars):,} arrays; due: 1 to {MAX_ARRAYS}")
        for name, variable in dataset.data_vars.variables.items():
            if not str(name).isidentifier():
                raise self.refusal(f"{name!r} is not a valid array name: use letters, digits and _")
            if variable.attrs.get(NUMPY_TYPE) not in _TYPES:
                raise self.refusal(f"{name!r} does not say its type in the attribute {NUMPY_TYPE!r}")
        super().check(dataset, info)

    def drawing(self, dataset: xr.Dataset, qubit: int | None = None) -> drawings.Drawing:
        """Of a sweep its curve or heat map; else a table of the arrays: shape, type and first values."""
        from .curves import drawing_of_curve

        if (found := _curve(dataset)) is not None:
            curve, dims = found
            return drawing_of_curve(curve, dims)
        rows = [_row(name, array) for name, array in arrays(dataset).items()]
        return drawings.table(["Array", "Shape", "Type", "Values"], rows)

    def data_bin(self, dataset: xr.Dataset, info: c.CircuitInfo) -> Mapping[str, Any]:
        return arrays(dataset)


def arrays(dataset: xr.Dataset) -> dict[str, Any]:
    """The arrays by name, as the primitive gave them: NumPy's, or Qiskit's `BitArray`."""
    return {str(name): _array(variable) for name, variable in dataset.data_vars.variables.items()}


def variable_of(name: str, array: Any) -> tuple[tuple[str, ...], Any, dict[Hashable, str]]:
    """An array as the variable of a Dataset: its dimensions, numbers and attributes."""
    import numpy as np

    facts: dict[Hashable, str] = {"long_name": f"Array {name} of the primitive's result", "units": "1"}
    if (bits := getattr(array, NUM_BITS, None)) is not None:
        packed = array.array
        outer = tuple(f"{name}_{axis}" for axis in range(packed.ndim - 2))
        return (*outer, c.SHOT, f"{name}_byte"), packed, {**facts, NUM_BITS: str(bits), NUMPY_TYPE: "uint8"}
    values = np.ascontiguousarray(array).reshape(np.shape(array))
    dims = tuple(f"{name}_{axis}" for axis in range(values.ndim))
    kind = {**facts, NUMPY_TYPE: str(values.dtype)}
    if values.dtype.kind != "c":
        return dims, values, kind
    return (*dims, c.COMPONENT), np.stack([values.real, values.imag], axis=-1), kind


def _stored(variable: xr.Variable) -> str:
    """The type in which an array of complex numbers lies is that of their parts."""
    return {"complex64": "float32", "complex128": "float64"}.get(
        str(variable.attrs.get(NUMPY_TYPE)), str(variable.attrs.get(NUMPY_TYPE, variable.dtype))
    )


def _array(variable: xr.Variable) -> Any:
    import numpy as np

    if (bits := variable.attrs.get(NUM_BITS)) is not None:
        from qiskit.primitives import BitArray

        return BitArray(variable.values, int(bits))
    if not str(variable.attrs[NUMPY_TYPE]).startswith("complex"):
        return variable.values
    parts = variable.values
    return (parts[..., 0] + 1j * parts[..., 1]).astype(np.dtype(variable.attrs[NUMPY_TYPE]))


def _row(name: str, array: Any) -> list[object]:
    import numpy as np

    if (bits := getattr(array, NUM_BITS, None)) is not None:
        from .bits import counts_of_packed

        counts = sorted(counts_of_packed(array.array).items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{value:0{bits}b}: {count:,}" for value, count in counts[:_SHOWN])
        rest = ", ..." if len(counts) > _SHOWN else ""
        return [name, f"{array.shape} × {counted(array.num_shots, 'shot')}", f"{counted(bits, 'bit')}", shown + rest]
    values = np.ravel(array)
    shown = ", ".join(f"{value:.4g}" for value in values[:_SHOWN])
    return [name, np.shape(array), array.dtype, shown + (", ..." if values.size > _SHOWN else "")]


# --- sweeps -----------------------------------------------------------------------------------------------------------


def _curve(dataset: xr.Dataset) -> tuple[xr.DataArray, list[str]] | None:
    """What is drawn of a sweep, and the axes of its parameters: the shares of the outcomes in each register, or else
    the first array of real numbers, with a line for each entry along an axis without parameters; None: no sweep."""
    sampled = {name: array for name, array in dataset.data_vars.items() if NUM_BITS in array.attrs}
    numbers = [name for name, array in dataset.data_vars.items() if array.attrs.get(NUMPY_TYPE) == "float64"]
    if not sampled and not numbers:
        return None
    found = next(iter(sampled.values())).dims[:-2] if sampled else dataset[numbers[0]].dims
    outer = [str(dim) for dim in found if dataset.sizes[dim] != 1]
    dims = [dim for dim in outer if any(dim in coord.dims for coord in dataset.coords.values())]
    lines = [dim for dim in outer if dim not in dims]
    if not 0 < len(dims) <= 2 or len(lines) > (0 if sampled else 1):
        return None
    if not sampled:
        return _values(dataset[numbers[0]], str(numbers[0]), lines), dims
    try:
        return _shares(sampled, dims), dims
    except TooLarge:
        return None


def _values(array: xr.DataArray, name: str, lines: list[str]) -> xr.DataArray:
    import numpy as np

    told = c.VARIABLE_ATTRS[c.EXPECTATION_VALUE]["long_name"] if name == _EVS else name
    array = array.squeeze().assign_attrs(long_name=told)
    labels = {dim: np.array([f"{name}[{k}]" for k in range(array.sizes[dim])]) for dim in lines}
    return array.assign_coords(labels)


def _shares(sampled: Mapping[Hashable, xr.DataArray], dims: list[str]) -> xr.DataArray:
    """The shares of the outcomes, those of several registers one after the other."""
    import numpy as np
    import xarray as xr

    from .bits import tally_packed

    shares, labels = [], []
    for name, array in sampled.items():
        packed: NDArray[np.uint8] = array.values.reshape(*(array.sizes[dim] for dim in dims), *array.shape[-2:])
        bits = int(array.attrs[NUM_BITS])
        values, counts = tally_packed(packed, bits, _SWEPT_BYTES)
        shares.append(counts / packed.shape[-2])
        labels += [f"{name} {value:0{bits}b}" if len(sampled) > 1 else f"{value:0{bits}b}" for value in values]
    first = next(iter(sampled.values()))
    coords = {name: coord for name, coord in first.coords.items() if set(coord.dims) <= {*dims}}
    return xr.DataArray(
        np.concatenate(shares, axis=-1), dims=(*dims, c.OUTCOME), coords={**coords, c.OUTCOME: labels},
        attrs={"long_name": "Probability"},
    )  # fmt: skip


Arrays.offers = {"arrays": arrays}
ARRAYS = Arrays()
