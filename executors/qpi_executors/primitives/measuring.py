"""A primitive's pubs, measured on a Qiskit backend, as Datasets."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub
from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from qpi_executors.analysis import active_qubits
from qpi_executors.base import RunCancelled
from qpi_jupyter.core import Rejected, plain_json
from qpi_jupyter.data.primitives import span
from qpi_jupyter.data.pub_results import pub_dataset
from qpi_jupyter.data.quantum_programs import SCHEMA

from .decoupling import decoupled
from .pubs import Work
from .quantum_programs import array_names
from .twirling import Frame, frames, observed_qubits, together

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


def on_backend(work: Work, backend: BackendV2, timed: Target | None = None) -> Sequence[Any]:
    """What Qiskit's own primitives find on a backend: parameter sets of the same shots in one run. Dynamical decoupling
    takes the gate times of ``timed``, or else of the backend."""
    randomized = _randomized(work, backend)
    pubs = [frame.pub for several in randomized for frame in several]
    if work.decoupling is not None:
        owners = [index for index, several in enumerate(randomized) for _ in several]
        times = backend.target if timed is None else timed
        pubs = [_decoupled(work, index, pub, times) for index, pub in zip(owners, pubs, strict=True)]
    options: dict[str, Any] = {"seed_simulator": work.seed}
    if not work.sampler:
        found = list(BackendEstimatorV2(backend=backend, options=options).run(pubs).result())
    else:
        if work.meas_level != 2:
            options["run_options"] = {"meas_level": work.meas_level, "meas_return": work.meas_return}
        found = list(BackendSamplerV2(backend=backend, options=options).run(pubs).result())
    if work.twirling is None:
        return found
    left = iter(found)
    return [
        together(several, [next(left) for _ in several], work.shots(index)) for index, several in enumerate(randomized)
    ]


def _randomized(work: Work, backend: BackendV2) -> list[list[Frame]]:
    if work.twirling is None:
        return [[Frame(pub=pub)] for pub in work.pubs]
    random = np.random.default_rng(work.seed)
    return [
        frames(pub, work.shots(index), work.twirling, backend.target, random) for index, pub in enumerate(work.pubs)
    ]


def _decoupled(work: Work, index: int, pub: Any, timed: Target) -> Any:
    """The same pub; Any: Qiskit's have no types."""
    assert work.decoupling is not None
    if work.sampler:
        circuit = decoupled(index, pub.circuit, work.decoupling, timed, None)
        return SamplerPub(circuit, pub.parameter_values, pub.shots)
    used = active_qubits(pub.circuit) | observed_qubits(pub.observables)
    circuit = decoupled(index, pub.circuit, work.decoupling, timed, used)
    return EstimatorPub(circuit, pub.observables, pub.parameter_values, pub.precision)
