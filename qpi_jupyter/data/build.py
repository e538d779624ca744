"""Make result Datasets: what an executor calls at the end of ``run``."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from qpi_jupyter.core import Faulted, format_outcome

from . import accessor as accessor  # registers ds.qpi
from . import conventions as c
from .arrays import variable_of

_KINDS = {**c.KIND_BY_VARIABLE, c.TRACE: "traces"}
_NO_DATA = "The instrument delivered no data for some of the shots."

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def bits_dataset(info: c.CircuitInfo, bits: ArrayLike, slots: c.Slots | None = None) -> xr.Dataset:
    """A level-2 Dataset from one bit per shot and slot.

    Parameters
    ----------
    info
        the circuit; ``run.info(program)`` makes it.
    bits
        zeros and ones, shape ``(shots, slots)``.
    slots
        what the columns are; by default one column per classical bit, in order.

    Raises
    ------
    Faulted
        another shape, or something that is neither 0 nor 1 (instruments mark missing data so).
    """
    values = np.asarray(bits)
    if values.dtype != np.int8:
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise Faulted(_NO_DATA, code="no_data")
        values = values.astype(np.int8)
    slots = slots or plain_slots(info.memory_slots)
    _check_shape(values.shape, (info.shots, len(slots)))
    if values.size and (values.min() < 0 or values.max() > 1):
        raise Faulted(_NO_DATA, code="no_data")
    return _filled(c.BIT, (c.SHOT, c.SLOT), slots, values, info)


def counts_dataset(info: c.CircuitInfo, counts: Mapping[int, int]) -> xr.Dataset:
    """A level-2 Dataset without single shots: how often each outcome (an integer over all classical bits) came.

    Raises
    ------
    Faulted
        the counts do not add up to the shots, or an outcome has more bits than the circuit.
    """
    outcomes = sorted(counts)
    _check_counts(info, outcomes, sum(counts.values()))
    keys = [format_outcome(value, info.creg_sizes, info.memory_slots) for value in outcomes]
    return xr.Dataset(
        {c.COUNT: (c.OUTCOME, np.array([counts[o] for o in outcomes], dtype=np.int64), c.VARIABLE_ATTRS[c.COUNT])},
        coords={c.OUTCOME: (c.OUTCOME, np.array(keys, dtype=str), c.VARIABLE_ATTRS[c.OUTCOME])},
        attrs=_attrs(info, "counts"),
    )


def iq_dataset(info: c.CircuitInfo, iq: ArrayLike, slots: c.Slots) -> xr.Dataset:
    """A level-1 Dataset from complex signals: shape ``(shots, slots)``, or ``(slots,)`` for ``meas_return="avg"``.

    Raises
    ------
    Faulted
        another shape, or points that are not finite (instruments mark missing data so).
    """
    signal = np.ascontiguousarray(iq, dtype=np.complex128)
    _check_shape(signal.shape, (len(slots),) if info.meas_return == "avg" else (info.shots, len(slots)))
    if not np.isfinite(signal).all():
        raise Faulted(_NO_DATA, code="no_data")
    values = signal.view(np.float64).reshape(*signal.shape, 2)
    dims = (c.SHOT, c.SLOT, c.COMPONENT) if signal.ndim == 2 else (c.SLOT, c.COMPONENT)
    return _filled(c.IQ, dims, slots, values, info)


def traces_dataset(info: c.CircuitInfo, traces: ArrayLike, slots: c.Slots, sample_s: float) -> xr.Dataset:
    """A level-0 Dataset from complex signals over time.

    Parameters
    ----------
    info
        the circuit; ``run.info(program)`` makes it.
    traces
        shape ``(shots, slots, samples)``, or ``(slots, samples)`` for ``meas_return="avg"``.
    slots
        what was measured.
    sample_s
        the time between two samples.

    Raises
    ------
    Faulted
        another shape, or samples that are not finite (instruments mark missing data so).
    """
    signal = np.ascontiguousarray(traces, dtype=np.complex128)
    samples = signal.shape[-1:] or (0,)
    _check_shape(signal.shape, (*(() if info.meas_return == "avg" else (info.shots,)), len(slots), *samples))
    if not np.isfinite(signal).all():
        raise Faulted(_NO_DATA, code="no_data")
    values = signal.view(np.float64).reshape(*signal.shape, 2)
    dims = (c.SHOT, c.SLOT, c.SAMPLE, c.COMPONENT)[4 - values.ndim :]
    dataset = _filled(c.TRACE, dims, slots, values, info)
    times = sample_s * np.arange(samples[0], dtype=np.float64)
    return dataset.assign_coords({c.TIME: (c.SAMPLE, times, c.VARIABLE_ATTRS[c.TIME])})


def expectation_dataset(info: c.CircuitInfo, found: Mapping[str, tuple[float, float]]) -> xr.Dataset:
    """A Dataset of expectation values: by observable the value and its standard error, NaN where it is not known."""
    columns = np.array(list(found.values()), dtype=np.float64).reshape(-1, 2)
    names = (c.EXPECTATION_VALUE, c.STANDARD_ERROR)
    return a_dataset(
        info,
        "expectation_values",
        {name: (c.OBSERVABLE, columns[:, k].copy(), c.VARIABLE_ATTRS[name]) for k, name in enumerate(names)},
        {c.OBSERVABLE: (c.OBSERVABLE, np.array(list(found), dtype=str), c.VARIABLE_ATTRS[c.OBSERVABLE])},
    )


def arrays_dataset(info: c.CircuitInfo, arrays: Mapping[str, Any]) -> xr.Dataset:
    """A Dataset of a primitive's arrays, by the names in its `DataBin`: NumPy's, or Qiskit's `BitArray`.

    The shots of a `BitArray` are those of ``info``.
    """
    return a_dataset(info, "arrays", {name: variable_of(name, array) for name, array in arrays.items()})


def a_dataset(
    info: c.CircuitInfo, kind: str, data: Mapping[str, Any], coords: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """A Dataset of any kind, from its variables and coordinates as xarray takes them: ``(dims, values, attrs)``.

    Nothing is checked here: whoever runs the executor does, with the kind itself.
    """
    return xr.Dataset(data, coords=coords, attrs=_attrs(info, kind))


def stamp(datasets: Iterable[xr.Dataset], provenance: c.Provenance) -> None:
    """Write where they come from into Datasets that do not say so yet."""
    text = json.dumps(provenance.to_dict())
    for dataset in datasets:
        dataset.attrs.setdefault(c.PROVENANCE_ATTR, text)


def plain_slots(count: int) -> c.Slots:
    """One slot per classical bit, with qubits unknown."""
    unknown = (c.NOT_MEASURED,) * count
    return c.Slots(clbit=tuple(range(count)), qubit=unknown, acq_index=unknown)


def _check_shape(found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise Faulted(f"The executor measured an array of shape {found} where {expected} was due.", code="bad_executor")


def _check_counts(info: c.CircuitInfo, outcomes: Sequence[int], total: int) -> None:
    if total != info.shots:
        raise Faulted(f"The executor counted {total:,} shots where {info.shots:,} were due.", code="bad_executor")
    if outcomes and (outcomes[0] < 0 or int(outcomes[-1]).bit_length() > info.memory_slots):
        message = f"The executor counted an outcome that does not fit into {info.memory_slots} classical bits."
        raise Faulted(message, code="bad_executor")


def _filled(name: str, dims: tuple[str, ...], slots: c.Slots, values: NDArray[Any], info: c.CircuitInfo) -> xr.Dataset:
    # Building a Dataset costs 0.1 ms, filling a copy of a built one 0.02 ms; a job may hold 4096 circuits.
    dataset = _blank(name, dims, slots, values.shape, values.dtype.str).copy(deep=False, data={name: values})
    dataset.attrs = _attrs(info, _KINDS[name])
    return dataset


@lru_cache(maxsize=64)
def _blank(name: str, dims: tuple[str, ...], slots: c.Slots, shape: tuple[int, ...], dtype: str) -> xr.Dataset:
    coords: dict[str, Any] = {
        coord: (c.SLOT, np.array(values, dtype=np.int32), c.VARIABLE_ATTRS[coord])
        for coord, values in ((c.QUBIT, slots.qubit), (c.CLBIT, slots.clbit), (c.ACQ_INDEX, slots.acq_index))
    }
    if c.COMPONENT in dims:
        coords[c.COMPONENT] = (c.COMPONENT, np.array(c.COMPONENTS, dtype=str), c.VARIABLE_ATTRS[c.COMPONENT])
    # broadcast_to: a template needs a shape, not the memory behind it.
    values = np.broadcast_to(np.zeros((), dtype=dtype), shape)
    return xr.Dataset({name: (dims, values, c.VARIABLE_ATTRS[name])}, coords=coords)


def _attrs(info: c.CircuitInfo, kind: str) -> dict[Hashable, Any]:
    return {c.CONVENTIONS_ATTR: c.CONVENTIONS, c.CIRCUIT_ATTR: json.dumps({**info.to_dict(), "kind": kind})}
