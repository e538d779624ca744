"""A primitive's pubs, measured on a Qiskit backend, as Datasets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.providers import BackendV2

from qpi_executors.base import RunCancelled
from qpi_jupyter.core import Rejected, plain_json
from qpi_jupyter.data.primitives import span
from qpi_jupyter.data.pub_results import pub_dataset
from qpi_jupyter.data.quantum_programs import SCHEMA

from .pubs import Work
from .quantum_programs import array_names

if TYPE_CHECKING:
    import xarray as xr

Cancelled = Callable[[], bool]
Measure = Callable[[Work, Cancelled], Sequence[Any]]
"""The results of all pubs of some work, unless it is cancelled meanwhile; Any: Qiskit's PubResult has no types."""


def measured(
    work: Work, measure: Measure, *, progress: Callable[[float], None], cancelled: Cancelled
) -> list[xr.Dataset]:
    """The Datasets of the pubs, one each, as ``measure`` finds their results.

    Raises
    ------
    Rejected
        it took longer than the job allows, as far as ``measure`` asks meanwhile whether to stop.
    RunCancelled
        ``cancelled()`` was true.
    """
    started_at, start, limit = datetime.now(UTC), time.perf_counter(), work.max_execution_time

    def late() -> bool:
        return limit is not None and time.perf_counter() - start > limit

    if cancelled():
        raise RunCancelled
    try:
        results = measure(work, lambda: cancelled() or late())
    except RunCancelled:
        if not late():
            raise
    if late():
        raise Rejected(
            f"The job took longer than its max_execution_time, {limit:g} s. Allow more, or run fewer pubs in one job.",
            code="max_execution_time",
        )  # fmt: skip
    progress(1.0)
    shapes = [(tuple(pub.shape), work.shots(index)) for index, pub in enumerate(work.pubs)]
    result_metadata: dict[str, Any] = {"version": 2}
    at = (started_at.isoformat(), datetime.now(UTC).isoformat())
    if work.schema_version:
        result_metadata = {SCHEMA: work.schema_version, "timing": {"start": at[0], "stop": at[1]}}
    elif work.sampler:
        result_metadata["execution"] = {"execution_spans": span(*at, shapes)}
    if work.not_applied:
        result_metadata["not_applied"] = list(work.not_applied)
    # Said once: it grows with the pubs, and in each of thousands it would be gigabytes.
    return [_dataset(work, index, results[index], {} if index else result_metadata) for index in range(len(work.pubs))]


def _dataset(work: Work, index: int, result: Any, result_metadata: dict[str, Any]) -> xr.Dataset:
    pub, shots = work.pubs[index], work.shots(index)
    data = {name: value if hasattr(value, "num_bits") else np.asarray(value) for name, value in result.data.items()}
    circuit, values = pub.circuit, pub.parameter_values
    metadata: dict[str, Any] = {"circuit_metadata": plain_json(circuit.metadata)[0]}
    names = array_names(work, index)
    if names or work.schema_version:
        data |= {plain: work.drawn[index][name] for name, plain in names.items()}
        metadata = {"names": {plain: name for name, plain in names.items()}}
    if not work.sampler:
        metadata |= {"shots": shots, "target_precision": pub.precision, "resilience": {}}
    rows = values.as_array(circuit.parameters)
    shape = tuple(pub.shape)
    parameters = {
        parameter.name: rows[..., k].reshape((1,) * (len(shape) - len(values.shape)) + values.shape)
        for k, parameter in enumerate(circuit.parameters if not names else ())
    }
    return pub_dataset(
        index, circuit, parameters, data,
        shape=shape, shots=shots, pub_metadata=metadata, result_metadata=result_metadata,
    )  # fmt: skip


def on_backend(work: Work, backend: BackendV2) -> Sequence[Any]:
    """What Qiskit's own primitives find on a backend: parameter sets of the same shots in one run."""
    options: dict[str, Any] = {"seed_simulator": work.seed}
    if not work.sampler:
        return _results(BackendEstimatorV2(backend=backend, options=options).run(work.pubs))
    if work.meas_level != 2:
        options["run_options"] = {"meas_level": work.meas_level, "meas_return": work.meas_return}
    return _results(BackendSamplerV2(backend=backend, options=options).run(work.pubs))


def _results(job: Any) -> Sequence[Any]:
    return list(job.result())
