"""Many Datasets of one shape as one, along ``circuit``: a job of a hundred small circuits costs one file."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from . import conventions as c

CIRCUIT = "circuit"
ROW_SIZE = "row_size"
"""How many outcomes belong to each circuit, where their counts are laid end to end."""
MAX_STACK_BYTES = 16 << 20
"""Stacking copies: larger data get files of their own."""


def group(datasets: Sequence[xr.Dataset]) -> list[list[int]]:
    """Positions of Datasets that `stack` can put together, in the order of their first ones."""
    groups: dict[Hashable, list[int]] = {}
    sizes: dict[Hashable, int] = {}
    turn = 0
    for position, dataset in enumerate(datasets):
        key: Hashable = _shape(dataset)
        size = dataset.nbytes
        if sizes.get(key, 0) + size > MAX_STACK_BYTES and key in groups:
            turn += 1  # the full group keeps its place under another key
            groups[key, turn], sizes[key] = groups.pop(key), 0
        groups.setdefault(key, []).append(position)
        sizes[key] = sizes.get(key, 0) + size
    return sorted(groups.values())


def stack(datasets: Sequence[xr.Dataset]) -> xr.Dataset:
    """One Dataset of a `group`; its JSON attributes are lists with one entry a circuit."""
    first = datasets[0]
    if len(datasets) == 1:
        return first
    if c.COUNT in first.variables:
        data, coords = _end_to_end(datasets)
    else:
        data = {
            name: ((CIRCUIT, *variable.dims), np.stack([d.variables[name].values for d in datasets]), variable.attrs)
            for name, variable in first.data_vars.variables.items()
        }
        coords = dict(first.coords.variables)
    return xr.Dataset(data, coords=coords, attrs=_joined_attrs(datasets))


def unstack(stacked: xr.Dataset) -> Iterator[xr.Dataset]:
    """The Datasets that `stack` put together."""
    texts = stacked.attrs[c.CIRCUIT_ATTR]
    circuits = json.loads(texts)
    if isinstance(circuits, dict):
        yield stacked
        return
    origin = json.loads(stacked.attrs.get(c.PROVENANCE_ATTR, "null"))
    start = 0
    for position, circuit in enumerate(circuits):
        if ROW_SIZE in stacked.variables:
            end = start + int(stacked.variables[ROW_SIZE].values[position])
            dataset = stacked.drop_vars(ROW_SIZE).isel({c.OUTCOME: slice(start, end)})
            start = end
        else:
            dataset = stacked.isel({CIRCUIT: position})
        own = origin[position] if isinstance(origin, list) else origin
        dataset.attrs = {c.CONVENTIONS_ATTR: stacked.attrs[c.CONVENTIONS_ATTR], c.CIRCUIT_ATTR: json.dumps(circuit)}
        if own is not None:
            dataset.attrs[c.PROVENANCE_ATTR] = json.dumps(own)
        yield dataset


def _shape(dataset: xr.Dataset) -> Hashable:
    if c.COUNT in dataset.variables:
        return c.COUNT
    return (
        tuple((name, v.dims, v.shape, v.dtype.str) for name, v in dataset.variables.items()),
        tuple(v.values.tobytes() for v in dataset.coords.variables.values()),
    )


def _end_to_end(datasets: Sequence[xr.Dataset]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    counts = np.concatenate([d.variables[c.COUNT].values for d in datasets])
    outcomes = np.concatenate([d.variables[c.OUTCOME].values.astype(str) for d in datasets])
    sizes = np.array([d.sizes[c.OUTCOME] for d in datasets], dtype=np.int32)
    facts = {"long_name": "Outcomes of this circuit", "units": "1"}
    return (
        {c.COUNT: (c.OUTCOME, counts, c.VARIABLE_ATTRS[c.COUNT]), ROW_SIZE: (CIRCUIT, sizes, facts)},
        {c.OUTCOME: (c.OUTCOME, outcomes, c.VARIABLE_ATTRS[c.OUTCOME])},
    )


def _joined_attrs(datasets: Sequence[xr.Dataset]) -> dict[str, str]:
    attrs = {
        c.CONVENTIONS_ATTR: c.CONVENTIONS,
        c.CIRCUIT_ATTR: "[" + ",".join(d.attrs[c.CIRCUIT_ATTR] for d in datasets) + "]",
    }
    origins = [d.attrs.get(c.PROVENANCE_ATTR, "null") for d in datasets]
    # Nearly always one job, one provenance.
    attrs[c.PROVENANCE_ATTR] = origins[0] if len(set(origins)) == 1 else "[" + ",".join(origins) + "]"
    return attrs
