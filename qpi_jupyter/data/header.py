"""The JSON header of a result: what the server keeps of it, at most 1 MiB."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from qpi_jupyter.core import HEADER_VERSION, MAX_HEADER_BYTES, MAX_NAME, MAX_SHARED_BYTES, share_common

from . import conventions as c
from .bits import complex_iq, int_counts
from .limits import check_spread

_MARGIN = 0.95
_COUNT_BYTES = 14
"""JSON around one outcome and its count."""
_POINT_BYTES = 26


def result_header(datasets: Sequence[xr.Dataset], *, max_bytes: int = MAX_HEADER_BYTES) -> dict[str, Any]:
    """The header of a job's Datasets, in the shape that `qpi_jupyter.core.results` describes.

    What does not fit is cut: rare outcomes and level-1 points first (``truncated`` says so), then circuit metadata.
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
    bulk = [_bulk(dataset, info) for dataset, info in zip(datasets, infos, strict=True)]
    wanted = sum(part.nbytes + len(ds.attrs[c.CIRCUIT_ATTR]) for part, ds in zip(bulk, datasets, strict=True))
    if wanted > max_bytes // 4:
        room = max_bytes * _MARGIN - _fit(header, int(max_bytes * 0.75))
        _cut(bulk, room)
    for entry, part in zip(header["circuits"], bulk, strict=True):
        entry.update(part.fields())
    return header


class _Bulk:
    """The part of one circuit that may be too large: counts, or level-1 points."""

    def __init__(self, counts: dict[int, int] | None, points: xr.Variable | None) -> None:
        self.counts, self.points, self.truncated = counts, points, False

    @property
    def nbytes(self) -> int:
        """About what it takes as JSON."""
        if self.counts is None:
            return 0 if self.points is None else int(self.points.size) * _POINT_BYTES
        widest = max(self.counts, default=0).bit_length() // 4
        return len(self.counts) * (_COUNT_BYTES + widest)

    def cut(self, room: float) -> None:
        """Keep what fits into ``room`` bytes."""
        if self.nbytes <= room:
            return
        self.truncated = True
        self.points = None
        if self.counts is not None:
            keep = int(len(self.counts) * room / self.nbytes)
            ranked = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
            self.counts = dict(ranked[:keep])

    def fields(self) -> dict[str, Any]:
        """The circuit's JSON fields."""
        return {
            "counts": None if self.counts is None else {hex(value): count for value, count in self.counts.items()},
            "memory": None if self.points is None else np.round(self.points, 9).tolist(),
            "truncated": self.truncated,
        }


def _bulk(dataset: xr.Dataset, info: c.CircuitInfo) -> _Bulk:
    if info.meas_level == 2:
        return _Bulk(int_counts(dataset, info.memory_slots), None)
    return _Bulk(None, level1_memory(dataset, info.memory_slots))


def level1_memory(dataset: xr.Dataset, memory_slots: int) -> Any:
    """The points as Qiskit's results hold them: ``[re, im]`` per classical bit, per shot unless averaged.

    A classical bit that nothing measures has the point 0.
    """
    signal = complex_iq(dataset)
    check_spread(16 * signal[..., :1].size * memory_slots, dataset)
    full = np.zeros((*signal.shape[:-1], memory_slots), dtype=np.complex128)
    full[..., dataset.variables[c.CLBIT].values] = signal
    return full.view(np.float64).reshape(*full.shape, 2)


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
    return size


def _cut(bulk: list[_Bulk], room: float) -> None:
    """Share the room: small circuits keep all, the large ones divide what those leave."""
    left = len(bulk)
    for part in sorted(bulk, key=lambda p: p.nbytes):
        part.cut(room / left)
        room -= part.nbytes
        left -= 1
