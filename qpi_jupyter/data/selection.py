"""A part of a result, as a Dataset with all its dimensions again: ``ds.isel(slot=0)`` drops the one it picks from."""

from __future__ import annotations

import numpy as np
import xarray as xr

from qpi_jupyter.core import QpiError, Rejected

from . import conventions as c
from .attributes import bare
from .kinds import Quantity, kind_of
from .sweeps import rows_of

_WHOLE = "iub"
_BY_SLOT = (c.QUBIT, c.CLBIT, c.ACQ_INDEX)


def whole(dataset: xr.Dataset) -> xr.Dataset:
    """``dataset`` with the dimensions that a selection of one slot, shot, outcome or quadrature took away.

    Raises
    ------
    Rejected
        it holds no single values any more: they were averaged, or masked.
    """
    for name, due in _quantities(dataset).items():
        dims, variable = due.dims, dataset.variables[name]
        if np.dtype(due.dtype).kind in _WHOLE and variable.dtype.kind not in _WHOLE:
            raise Rejected(
                f"The {variable.attrs.get('long_name', name).lower()} of this dataset is no longer a whole number "
                f"({variable.dtype}): ask the dataset that the job gave, before averaging or masking it.",
                code="not_single_values",
            )
        lead = tuple(dim for dim in variable.dims if dim not in dims)
        if variable.dims == (*lead, *dims):
            continue
        # A coordinate that a selection made a scalar becomes an axis of length 1 again.
        scalars = [k for k in (*dims, *_BY_SLOT) if k in dataset.coords and not dataset.coords[k].ndim]
        along = {k: dataset.coords[k] for k in scalars if k in _BY_SLOT and c.SLOT in dims}
        missing = [dim for dim in dims if dim not in variable.dims]
        dataset = dataset.drop_vars(along).expand_dims(missing).transpose(*lead, *dims, ..., missing_dims="ignore")
        dataset = dataset.assign_coords({k: (c.SLOT, [v.item()], v.attrs) for k, v in along.items()})
    return dataset


def as_list(result: xr.Dataset | xr.DataTree) -> list[xr.Dataset]:
    """The Datasets of a job's result, one for each circuit and parameter row, in the order of the job."""
    return [row for dataset in circuits_of(result) for row in rows_of(dataset)]


def circuits_of(result: xr.Dataset | xr.DataTree) -> list[xr.Dataset]:
    """The Datasets of a job's result, one for each circuit, as files hold them."""
    if isinstance(result, xr.Dataset):
        return [bare(result)]
    return [bare(node.to_dataset(inherit=False)) for node in result.children.values()]


def _quantities(dataset: xr.Dataset) -> dict[str, Quantity]:
    """The dataset's variables as its kind has them; none where the kind is not known here."""
    info = c.circuit_info(dataset.attrs)
    try:
        kind = kind_of(dataset, info)
    except QpiError:
        return {}
    return {name: due for name, due in kind.quantities(dataset, info).items() if name in dataset.variables}
