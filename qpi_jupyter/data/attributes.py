"""The attributes of a person's Dataset: flat ones in sight; the JSON of the conventions behind a coordinate."""

from __future__ import annotations

from typing import Any

import xarray as xr

from . import conventions as c
from .formats import has_name
from .trees import named

CIRCUIT = "circuit"
"""The coordinate with the circuit's name; its attributes are what `bare` puts back."""
JOB_ID, QPU = "job_id", "qpu"
ANALYSIS = "qpi_analysis"
"""Of a Dataset that is an analysis, and no result: the version of its form."""
_HIDDEN = (c.CIRCUIT_ATTR, c.PROVENANCE_ATTR)


def flat(dataset: xr.Dataset, *, job_id: str = "", qpu: str = "", job_name: str = "") -> xr.Dataset:
    """A result as a person gets it: ``job_id, qpu, name, shots, started_at, executor, seed`` as attributes.

    What is not known is left out. ``name`` is the circuit's, or the job's where nobody named the circuit.
    """
    info, origin = c.circuit_info(dataset.attrs), c.provenance(dataset.attrs)
    name = info.name if has_name(info.name) else job_name
    known: dict[str, Any] = {
        JOB_ID: job_id,
        QPU: qpu,
        "name": name,
        "shots": info.shots,
        "started_at": "" if origin is None else origin.started_at,
        "executor": "" if origin is None else f"{origin.executor} {origin.executor_version}".strip(),
        "seed": info.seed if origin is None or origin.seed is None else origin.seed,
    }
    hidden = {key: dataset.attrs[key] for key in _HIDDEN if key in dataset.attrs}
    facts = {"long_name": "Circuit", "units": "1", **hidden}
    found = dataset.assign_coords({CIRCUIT: ((), name or named(info.name, info.circuit), facts)})
    kept = {key: value for key, value in dataset.attrs.items() if key not in _HIDDEN}
    found.attrs = {**kept, **{key: value for key, value in known.items() if value not in ("", None)}}
    return found


def bare(dataset: xr.Dataset) -> xr.Dataset:
    """A result in the conventions, as files hold it; of a Dataset that is so already itself."""
    circuit = dataset.coords.get(CIRCUIT)
    if circuit is None or c.CIRCUIT_ATTR not in circuit.attrs:
        return dataset
    found = dataset.drop_vars(CIRCUIT)
    found.attrs = {key: value for key, value in dataset.attrs.items() if key == c.CONVENTIONS_ATTR}
    found.attrs |= {key: circuit.attrs[key] for key in _HIDDEN if key in circuit.attrs}
    return found
