"""What a person gets of a job: a Dataset of its circuit, or a DataTree of several under the circuits' own names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import xarray as xr

from . import conventions as c
from .formats import has_name
from .sweeps import from_rows, is_sweep


def as_tree(datasets: Sequence[xr.Dataset]) -> xr.Dataset | xr.DataTree:
    """The only Dataset, or a tree of all: a circuit without a name of its own is ``circuit_0``, by its place."""
    if len(datasets) == 1:
        return datasets[0]
    names = tree_names([c.circuit_info(dataset.attrs).name for dataset in datasets])
    return xr.DataTree.from_dict(dict(zip(names, datasets, strict=True)))


def tree_names(circuits: Sequence[str]) -> list[str]:
    """The name of each circuit in a tree, where each is there once."""
    found: dict[str, None] = {}
    for place, circuit in enumerate(circuits):
        name = named(circuit.replace("/", "_").strip(), place)
        free, number = name, 0
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found[free] = None
    return list(found)


def named(circuit: str, place: int) -> str:
    """What a circuit is called: ``circuit_0``, by its place in the job, where nobody named it."""
    return circuit if has_name(circuit) else f"circuit_{place}"


def rows_by_circuit(datasets: Sequence[xr.Dataset]) -> list[list[int]]:
    """The places of the Datasets that are rows of one circuit, and of each other one alone."""
    circuits = []
    for place, dataset in enumerate(datasets):
        info = None if is_sweep(dataset) else c.circuit_info(dataset.attrs)
        circuits.append((-1 - place, place) if info is None or info.row is None else (info.circuit, place))
    return [[place for _, place in members] for _, members in groupby(circuits, key=lambda pair: pair[0])]


def assembled(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """One Dataset for each circuit; rows of unlike shapes stay as they are."""
    found: list[xr.Dataset] = []
    for places in rows_by_circuit(datasets):
        members = [datasets[place] for place in places]
        rows = not is_sweep(members[0]) and c.circuit_info(members[0].attrs).row is not None
        sweep = from_rows(members) if rows else None
        found += members if sweep is None else [sweep]
    return found
