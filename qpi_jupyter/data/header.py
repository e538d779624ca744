"""The JSON header of a result: what the server keeps of it, bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import xarray as xr

from qpi_jupyter.core import HEADER_VERSION, MAX_DRAWINGS, MAX_HEADER_BYTES, MAX_NAME, MAX_SHARED_BYTES, share_common

from . import conventions as c
from .curves import drawings_of
from .drawings import Drawing
from .kinds import Part, kind_of
from .sweeps import from_rows
from .trees import rows_by_circuit

_MARGIN = 0.95


def result_header(datasets: Sequence[xr.Dataset], *, max_bytes: int = MAX_HEADER_BYTES) -> dict[str, Any]:
    """The header of a job's Datasets, in the shape that `qpi_jupyter.core.results` describes.

    What does not fit is cut: rare outcomes, points and drawings first (``truncated`` says so), then circuit metadata
    and the values of parameters.
    """
    infos = [c.circuit_info(dataset.attrs) for dataset in datasets]
    origin = c.provenance(datasets[0].attrs)
    infos = [info if len(info.name) <= MAX_NAME else replace(info, name=info.name[:MAX_NAME]) for info in infos]
    header: dict[str, Any] = {
        "v": HEADER_VERSION,
        "success": True,
        "circuits": [{**info.to_dict(), "counts": None, "memory": None, "truncated": False} for info in infos],
        "provenance": None if origin is None else origin.to_dict(),
    }
    bulk = [kind_of(dataset, info).part(dataset, info) for dataset, info in zip(datasets, infos, strict=True)]
    swept = _sweeps(datasets)
    wanted = sum(part.nbytes + len(ds.attrs[c.CIRCUIT_ATTR]) for part, ds in zip(bulk, datasets, strict=True))
    wanted += (taken := len(json.dumps(swept)))
    if wanted > max_bytes // 4:
        room = max_bytes * _MARGIN - _fit(header, int(max_bytes * 0.75)) - taken
        _cut(bulk, room)
    for entry, part in zip(header["circuits"], bulk, strict=True):
        entry.update(part.fields())
    for place, drawings in swept.items():
        header["circuits"][place]["drawings"] = drawings
    return header


def _sweeps(datasets: Sequence[xr.Dataset]) -> dict[int, list[Drawing]]:
    """What is drawn of each sweep, by the place of its first row, as long as all of it is small."""
    found: dict[int, list[Drawing]] = {}
    room = MAX_HEADER_BYTES // 8
    for places in rows_by_circuit(datasets):
        if len(places) < 2 or (sweep := from_rows([datasets[place] for place in places])) is None:
            continue
        drawings = [drawing for _, drawing in drawings_of([sweep], most=MAX_DRAWINGS)]
        room -= len(json.dumps(drawings))
        if room > 0:
            found[places[0]] = drawings
    return found


def _fit(header: dict[str, Any], limit: int) -> int:
    """Bring the header's fixed part below the limit; its size after that."""
    size = len(json.dumps(header))
    if size > limit:
        share_common(header)
        size = len(json.dumps(header))
    if size > limit or len(json.dumps(header.get("common", {}))) * len(header["circuits"]) > MAX_SHARED_BYTES:
        for entry in [header.get("common", {}), *header["circuits"]]:
            if entry.pop("metadata", None):
                entry["truncated"] = True
        header.setdefault("common", {})["metadata"] = {}
        size = len(json.dumps(header))
    if size > limit:  # the dataset has the values of the parameters, too
        for entry in header["circuits"]:
            entry.pop("parameters", None)
        size = len(json.dumps(header))
    return size


def _cut(bulk: list[Part], room: float) -> None:
    """Share the room: small circuits keep all, the large ones divide what those leave."""
    left = len(bulk)
    for part in sorted(bulk, key=lambda p: p.nbytes):
        part.cut(room / left)
        room -= part.nbytes
        left -= 1
