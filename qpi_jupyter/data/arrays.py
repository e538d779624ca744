"""The arrays of a primitive: what its `DataBin` has by name, numbers of any shape and `BitArray` s."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import counted

from . import conventions as c
from . import drawings
from .kinds import Quantity, ResultKind

if TYPE_CHECKING:
    import xarray as xr

NUM_BITS, NUMPY_TYPE = "num_bits", "numpy_type"
"""Attributes of a variable: of how many bits a `BitArray` is, and NumPy's name of the type."""
MAX_ARRAYS = 48
_TYPES = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float32", "float64", "complex64",
    "complex128",
}  # fmt: skip
_SHOWN = 6


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
        """A table of the arrays: shape, type and first values."""
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
        counts = sorted(array.get_counts().items(), key=lambda item: (-item[1], item[0]))
        shown = ", ".join(f"{key}: {count:,}" for key, count in counts[:_SHOWN])
        rest = ", ..." if len(counts) > _SHOWN else ""
        return [name, f"{array.shape} × {counted(array.num_shots, 'shot')}", f"{counted(bits, 'bit')}", shown + rest]
    values = np.ravel(array)
    shown = ", ".join(f"{value:.4g}" for value in values[:_SHOWN])
    return [name, np.shape(array), array.dtype, shown + (", ..." if values.size > _SHOWN else "")]


Arrays.offers = {"arrays": arrays}
ARRAYS = Arrays()
