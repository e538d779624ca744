"""The Datasets of pubs' results: a primitive's arrays along the axes of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qpi_jupyter.core import PRIMITIVE, ProgramError

from . import conventions as c
from .arrays import MAX_ARRAYS, variable_of
from .build import a_dataset

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_TAKEN = frozenset({c.SHOT, "circuit", "row_size"})


def pub_dataset(
    index: int,
    circuit: QuantumCircuit,
    parameters: Mapping[str, np.ndarray],
    data: Mapping[str, Any],
    *,
    shape: tuple[int, ...],
    shots: int,
    pub_metadata: Mapping[str, Any],
    result_metadata: Mapping[str, Any],
) -> xr.Dataset:
    """The Dataset (kind ``arrays``) of one pub's result, along the axes of its parameters.

    Parameters
    ----------
    parameters
        the values of each parameter, of a shape that broadcasts to ``shape``. An axis along which one parameter alone
        changes has its name; others are ``axis_0``, ``axis_1``, ...
    data
        the arrays by name, NumPy's or Qiskit's `BitArray`, whose shapes begin with ``shape``.
    result_metadata
        what is said of the result of all pubs: of the first pub alone.
    shots
        of a `BitArray`; of expectation values those of each measurement.
    """
    taken = {*data, *(f"{name}_byte" for name in data), *_TAKEN}
    dims, coords = _axes(shape, parameters, taken)
    variables = {}
    for name, array in data.items():
        own, values, attrs = variable_of(name, array)
        variables[name] = ((*dims, *own[len(shape) :]), values, attrs)
    facts = {"shape": list(shape), "pub": dict(pub_metadata), "result": dict(result_metadata)}
    info = c.CircuitInfo(
        name=circuit.name,
        circuit=index,
        shots=shots,
        memory_slots=circuit.num_clbits,
        n_qubits=circuit.num_qubits,
        creg_sizes=tuple((register.name, register.size) for register in circuit.cregs),
        metadata={PRIMITIVE: facts},
    )
    return a_dataset(info, "arrays", variables, coords)


def _axes(
    shape: tuple[int, ...], parameters: Mapping[str, np.ndarray], taken: set[str]
) -> tuple[list[str], dict[str, Any]]:
    """The names of the axes, and the parameters as coordinates along those on which they change."""
    along: dict[str, tuple[int, ...]] = {}
    for name, values in parameters.items():
        whole = np.broadcast_to(values, shape)
        along[name] = tuple(
            axis for axis, length in enumerate(shape) if length > 1 and (whole != whole.take([0], axis=axis)).any()
        )
    dims = [f"axis_{axis}" for axis in range(len(shape))]
    for axis in range(len(shape)):
        alone = [name for name, axes in along.items() if axis in axes]
        if len(alone) == 1 and along[alone[0]] == (axis,) and _usable(alone[0], {*taken, *dims}):
            dims[axis] = alone[0]
    coords = {}
    for name, axes in along.items():
        if name in dims or _usable(name, {*taken, *dims}):
            whole = np.broadcast_to(parameters[name], shape)
            values = whole[tuple(slice(None) if axis in axes else 0 for axis in range(len(shape)))]
            coords[name] = (tuple(dims[axis] for axis in axes), values, {"long_name": f"Parameter {name}"})
    return dims, coords


def _usable(name: str, taken: set[str]) -> bool:
    """Whether a file can hold a coordinate of that name."""
    return name not in taken and "/" not in name and name.isprintable() and name == name.strip() and bool(name)


def check_registers(index: int, circuit: QuantumCircuit) -> None:
    """Refuse registers whose bits cannot be told apart by name in a result.

    Raises
    ------
    ProgramError
        a name that is taken or cannot be an array's, or too many of them.
    """
    names = [register.name for register in circuit.cregs]
    wrong = next((name for name in names if not name.isidentifier() or name in _TAKEN or name.startswith("axis_")), "")
    if wrong or len(names) > MAX_ARRAYS:
        problem = f"a classical register called {wrong!r}: rename it" if wrong else "too many classical registers"
        raise ProgramError(f"The circuit of pub {index} has {problem}.", code="bad_registers", circuit=index)
