"""Result Datasets as Qiskit objects: ``Result``, ``BitArray``, ``PrimitiveResult``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import xarray as xr
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, PubResult, SamplerPubResult
from qiskit.result import Result

from qpi_jupyter.core import PRIMITIVE, qiskit_result

from . import conventions as c
from .header import result_header
from .kinds import kind_of


def to_result(datasets: Sequence[xr.Dataset], *, job_id: str = "", backend_name: str = "") -> Result:
    """Qiskit's Result with everything in it: counts, and single shots where the Datasets have them."""
    raw = qiskit_result(result_header(datasets, max_bytes=1 << 62), job_id, backend_name)
    for dataset, experiment in zip(datasets, raw["results"], strict=True):
        info = c.circuit_info(dataset.attrs)
        if (memory := kind_of(dataset, info).memory(dataset, info)) is not None:
            experiment["data"]["memory"] = memory
    return Result.from_dict(raw)


def to_primitive_result(datasets: Sequence[xr.Dataset]) -> PrimitiveResult[PubResult]:
    """What a primitive returns: one pub per circuit, shaped by its parameter rows.

    Raises
    ------
    Rejected
        results of a kind that no primitive gives.
    """
    pubs = []
    numbered = [(c.circuit_info(dataset.attrs), dataset) for dataset in datasets]
    for index, members in groupby(numbered, key=lambda item: item[0].circuit):
        rows = list(members)
        info = rows[0][0]
        bins = [kind_of(dataset, about).data_bin(dataset, about) for about, dataset in rows]
        own = info.metadata.get(PRIMITIVE)
        shape = (len(rows),) if info.row is not None else ()
        data = {name: _stacked([entry[name] for entry in bins]) for name in bins[0]} if shape else bins[0]
        shape = tuple(own["shape"]) if own else shape
        sampled = any(isinstance(array, BitArray) for array in data.values())
        pub = SamplerPubResult if sampled else PubResult
        about = own["pub"]["circuit_metadata"] if own else dict(info.metadata)
        metadata = {"shots": info.shots, "circuit_metadata": about, "circuit": index}
        pubs.append(pub(DataBin(**data, shape=shape), metadata=metadata))
    return PrimitiveResult(pubs, metadata={"version": 2})


def _stacked(rows: Sequence[Any]) -> Any:
    """One array of those of all parameter rows."""
    first = rows[0]
    if isinstance(first, BitArray):
        return BitArray(np.stack([row.array for row in rows]), first.num_bits)
    return np.stack(rows)
