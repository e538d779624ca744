"""What a running job has measured so far, as the Dataset that it is going to be."""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qpi_jupyter.core import MAX_CIRCUITS, CircuitOptions, Rejected
from qpi_jupyter.wire.frames import RowChunk
from qpi_jupyter.wire.jobs import JobProvenance, PartialResult
from qpi_jupyter.wire.rest import options_from

from .http import Http, path

if TYPE_CHECKING:
    import xarray as xr

_MAX_CHUNK_BYTES = 64 << 20
"""Unpacked: an honest driver's are an eighth of it."""


class Growing:
    """The rows of one job's running attempt; each is fetched once."""

    def __init__(self, http: Http, job_id: str) -> None:
        self._http, self._path = http, f"v1/jobs/{path(job_id)}"
        self._attempt = self._have = 0
        self._rows: dict[int, xr.Dataset] = {}
        self._circuits: Sequence[CircuitOptions] | None = None
        self._fetching = asyncio.Lock()

    async def dataset(self) -> xr.Dataset | xr.DataTree | None:
        """What there is now; None where that is nothing."""
        async with self._fetching:
            await self._fetch()
            if not self._rows:
                return None
            if self._circuits is None:
                asked = await self._http.call("GET", f"{self._path}/provenance", JobProvenance)
                self._circuits = options_from(asked.options).circuits
            return await asyncio.to_thread(_assembled, dict(self._rows), self._circuits)

    async def _fetch(self) -> None:
        while True:
            asked = {"after": str(self._have)}
            found = await self._http.call("GET", f"{self._path}/partial", PartialResult, params=asked)
            if (
                found.attempt != self._attempt or found.have < self._have
            ):  # another attempt, or the lab was started again
                self._rows, self._attempt = {}, found.attempt
                if self._have:
                    self._have = 0
                    continue
            for chunk in found.chunks:
                self._rows |= await asyncio.to_thread(_unpacked, chunk)
            self._have += len(found.chunks)
            if not found.chunks or self._have >= found.have:
                return


def _unpacked(chunk: RowChunk) -> dict[int, xr.Dataset]:
    from qpi_jupyter.data.codec import decode
    from qpi_jupyter.data.selection import as_list

    expander = zlib.decompressobj()
    try:
        blob = expander.decompress(chunk.data, _MAX_CHUNK_BYTES)
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if expander.unconsumed_tail:
        raise _damaged(f"unpacked they have more than {_MAX_CHUNK_BYTES:,} bytes")
    datasets = as_list(decode(blob))
    if len(datasets) != len(chunk.rows):
        raise _damaged(f"{len(chunk.rows)} were promised, and {len(datasets)} came")
    return dict(zip(chunk.rows, datasets, strict=True))


def _damaged(what: str) -> Rejected:
    return Rejected(f"The rows that this job has measured so far cannot be read: {what}.", code="bad_result")


def _assembled(rows: dict[int, xr.Dataset], circuits: Sequence[CircuitOptions]) -> xr.Dataset | xr.DataTree:
    """One Dataset a circuit, of which something is there; a sweep has all its points."""
    from qpi_jupyter.data import conventions as c
    from qpi_jupyter.data.sweeps import sweep_dataset, sweep_of
    from qpi_jupyter.data.trees import as_tree

    found: list[xr.Dataset] = []
    first = 0
    for circuit in circuits or itertools.repeat(CircuitOptions(), MAX_CIRCUITS):
        count = len(circuit.parameter_values)
        mine = {index - first: rows[index] for index in range(first, first + max(1, count)) if index in rows}
        if mine and count:
            info = c.circuit_info(next(iter(mine.values())).attrs)
            sweep = sweep_of(list(info.parameters), circuit.parameter_values, circuit.axes)
            found.append(sweep_dataset(sweep, mine))
        else:
            found += mine.values()
        first += max(1, count)
    return as_tree(found)
