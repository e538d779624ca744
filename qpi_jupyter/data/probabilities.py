"""Shares of the shots: of all outcomes, of one, and expectation values of Pauli strings, at each point of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from qpi_jupyter.core import Rejected, counted, format_outcome, parse_outcome

from . import conventions as c
from .bits import full_bits, tally
from .discrimination import discriminate
from .sweeps import MAX_SPREAD_BYTES, sweep_dims

PROBABILITY, EXPECTATION = "probability", "expectation"
SHOTS = "shots"
"""The attribute with how many shots each share is of."""
ALL_BITS = 6
"""Up to so many classical bits all outcomes are listed; of more those that came."""


def probabilities(dataset: xr.Dataset) -> xr.DataArray:
    """The share of the shots with each outcome: the sweep's dimensions and ``outcome``; NaN where nothing is measured.

    All outcomes of up to `ALL_BITS` classical bits; of more those that came at any point. Points in the IQ plane are
    told apart first.

    Raises
    ------
    Rejected
        a result without counts.
    TooLarge
        very many outcomes at very many points: ask for one (`probability`).
    """
    info = c.circuit_info(dataset.attrs)
    values, counts = _counted(dataset)
    if info.memory_slots <= ALL_BITS and not dataset_picks_outcomes(dataset):
        every = list(range(1 << info.memory_slots))
        full = np.zeros((*counts.shape[:-1], len(every)))
        full[..., values] = counts
        values, counts = every, full
    labels = np.array([format_outcome(value, info.creg_sizes, info.memory_slots) for value in values], dtype=str)
    attrs = c.VARIABLE_ATTRS[c.OUTCOME]
    return _array(dataset, _share(counts), PROBABILITY, "Probability", {c.OUTCOME: (c.OUTCOME, labels, attrs)})


def probability(dataset: xr.Dataset, outcome: str | int) -> xr.DataArray:
    """The share of the shots with one outcome, ``"11"`` (spaces between registers may be left out) or a number.

    Raises
    ------
    Rejected
        as `probabilities`; or no circuit of so many bits has such an outcome.
    """
    info = c.circuit_info(dataset.attrs)
    wanted = _outcome(outcome, info)
    values, counts = _counted(dataset)
    shares = _share(counts)
    found = shares[..., values.index(wanted)] if wanted in values else 0.0 * shares.sum(axis=-1)
    label = format_outcome(wanted, info.creg_sizes, info.memory_slots)
    return _array(dataset, found, PROBABILITY, f"Probability of {label}", {c.OUTCOME: ((), label)})


def expectation(dataset: xr.Dataset, pauli: str) -> xr.DataArray:
    """The expectation value of a Pauli string of Z and I; the first letter is of the last classical bit, as in Qiskit.

    <P> is the sum over all outcomes b of p(b) times (-1) to the number of ones in b at the places of the Zs: measured
    in the computational basis each Z is +1 for a 0 and -1 for a 1 (Nielsen and Chuang, Quantum Computation and Quantum
    Information, 2010, sections 2.2.5 and 4.3). Its standard error is sqrt((1 - <P>^2) / shots).

    Raises
    ------
    Rejected
        another letter or another length; a result without counts.
    """
    if c.EXPECTATION_VALUE in dataset.variables:
        return _observable(dataset, pauli)
    info = c.circuit_info(dataset.attrs)
    text = pauli.replace(" ", "").upper()
    if len(text) != info.memory_slots or set(text) - set("IZ"):
        raise Rejected(
            f"{pauli!r} is no Pauli string of this result: give {info.memory_slots} letters I or Z, the first for the "
            "last classical bit. For X or Y turn the qubit before it is measured.",
            code="bad_observable",
        )
    mask = int(text.replace("Z", "1").replace("I", "0") or "0", 2)
    values, counts = _counted(dataset)
    signs = np.array([-1.0 if (value & mask).bit_count() % 2 else 1.0 for value in values])
    return _array(dataset, _share(counts) @ signs, EXPECTATION, f"<{text}>")


def dataset_picks_outcomes(dataset: xr.Dataset) -> bool:
    """Whether it has lost some of its outcomes, as ``ds.sel(outcome=["00", "11"])`` does."""
    if c.COUNT not in dataset.variables:
        return False
    shots = c.circuit_info(dataset.attrs).shots
    sums = dataset.variables[c.COUNT].values.sum(axis=-1)
    return bool(((sums != shots) & (sums != 0)).any())


def _counted(dataset: xr.Dataset) -> tuple[list[int], NDArray[np.float64]]:
    """The outcomes that came, in rising order, and how often at each point: the sweep's dimensions and these."""
    if c.IQ in dataset.variables:
        dataset = discriminate(dataset)
    info = c.circuit_info(dataset.attrs)
    if c.COUNT in dataset.variables:
        values = [parse_outcome(str(key)) for key in dataset.variables[c.OUTCOME].values]
        return values, dataset[c.COUNT].transpose(*sweep_dims(dataset), c.OUTCOME).values.astype(np.float64)
    dims = sweep_dims(dataset)
    if c.BIT not in dataset.variables:
        raise Rejected("This result has no counts, and so no probabilities.", code="no_counts")
    bits = full_bits(dataset.transpose(*dims, c.SHOT, c.SLOT, ...), info.memory_slots)
    return tally(bits, MAX_SPREAD_BYTES)


def _share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all shots of a point; NaN where there are none."""
    total = counts.sum(axis=-1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    return shares


def _outcome(outcome: str | int, info: c.CircuitInfo) -> int:
    text = str(outcome).replace(" ", "")
    try:
        value = outcome if isinstance(outcome, int) else parse_outcome(text)
    except ValueError:
        value = -1
    long = not isinstance(outcome, int) and not text.startswith("0x") and len(text) != info.memory_slots
    if value < 0 or value.bit_length() > info.memory_slots or long:
        example = format_outcome((1 << info.memory_slots) - 1, info.creg_sizes, info.memory_slots)
        bits = counted(info.memory_slots, "bit")
        message = f"{outcome!r} is not an outcome of this circuit: it has {bits}, as in {example!r}."
        raise Rejected(message, code="bad_outcome")
    return value


def _observable(dataset: xr.Dataset, name: str) -> xr.DataArray:
    names = [str(one) for one in dataset.coords[c.OBSERVABLE].values]
    if name not in names:
        raise Rejected(
            f"There is no observable {name!r} in this result: {', '.join(names[:16])}.", code="bad_observable"
        )
    values = dataset[c.EXPECTATION_VALUE].isel({c.OBSERVABLE: names.index(name)})
    found = values.transpose(*sweep_dims(dataset)).values
    return _array(dataset, found, EXPECTATION, f"<{name}>")


def _array(
    dataset: xr.Dataset, values: NDArray[Any], name: str, long_name: str, more: dict[str, Any] | None = None
) -> xr.DataArray:
    """Values along a sweep's dimensions, with the coordinates of its parameters."""
    dims = sweep_dims(dataset)
    more = more or {}
    coords = {key: coord for key, coord in dataset.coords.items() if "parameter" in coord.attrs or key in dims}
    labels = {key: coord for key, coord in dataset.coords.items() if any(key in one.dims for one in coords.values())}
    extra = tuple(key for key, coord in more.items() if coord[0])
    shots = c.circuit_info(dataset.attrs).shots
    return xr.DataArray(
        values,
        dims=(*dims, *extra),
        coords={**coords, **labels, **more},
        name=name,
        attrs={"long_name": long_name, "units": "1", SHOTS: shots},
    )
