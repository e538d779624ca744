"""Result Datasets as Qiskit objects: ``Result``, ``BitArray``, ``PrimitiveResult``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from qiskit.primitives import BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit.result import Result

from qpi_jupyter.core import qiskit_result

from . import conventions as c
from .bits import full_bits
from .header import result_header
from .kinds import kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHOLE = "c"


def to_result(datasets: Sequence[xr.Dataset], *, job_id: str = "", backend_name: str = "") -> Result:
    """Qiskit's Result with everything in it: counts, and single shots where the Datasets have them."""
    raw = qiskit_result(result_header(datasets, max_bytes=1 << 62), job_id, backend_name)
    for dataset, experiment in zip(datasets, raw["results"], strict=True):
        info = c.circuit_info(dataset.attrs)
        if (memory := kind_of(dataset, info).memory(dataset, info)) is not None:
            experiment["data"]["memory"] = memory
    return Result.from_dict(raw)


def to_primitive_result(datasets: Sequence[xr.Dataset]) -> PrimitiveResult[SamplerPubResult]:
    """What a SamplerV2 returns: one pub per circuit, shaped by its parameter rows."""
    pubs = []
    numbered = [(c.circuit_info(dataset.attrs), dataset) for dataset in datasets]
    for index, members in groupby(numbered, key=lambda item: item[0].circuit):
        rows = list(members)
        info = rows[0][0]
        registers = [_registers(dataset) for _, dataset in rows]
        stacked = {name: np.stack([entry[name] for entry in registers]) for name in registers[0]}
        shape = (len(rows),) if info.row is not None else ()
        arrays = {
            name: BitArray.from_bool_array(bits if shape else bits[0], order="little") for name, bits in stacked.items()
        }
        pubs.append(
            SamplerPubResult(
                DataBin(**arrays, shape=shape),
                metadata={"shots": info.shots, "circuit_metadata": dict(info.metadata), "circuit": index},
            )
        )
    return PrimitiveResult(pubs, metadata={"version": 2})


def _registers(dataset: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    info = c.circuit_info(dataset.attrs)
    bits = full_bits(dataset, info.memory_slots).astype(bool)
    if sum(size for _, size in info.creg_sizes) != info.memory_slots:
        return {_WHOLE: bits}
    found, start = {}, 0
    for name, size in info.creg_sizes:
        found[name] = bits[:, start : start + size]
        start += size
    return found
