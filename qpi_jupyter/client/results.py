"""What came out of a job: Qiskit's Result, counts, the dataset."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qpi_jupyter.core import QpiError, Unavailable, format_outcome, result_kind
from qpi_jupyter.wire.jobs import JobModel

from .http import Http, path

if TYPE_CHECKING:
    import xarray as xr
    from qiskit.result import Result

Counts = dict[str, int]

_IN_MEMORY_BYTES = 16 << 20
"""Larger datasets pass through a temporary file."""


class Results:
    """The results of one job that is completed, each fetched once."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._raw: dict[str, Any] | None = None
        self._dataset: xr.Dataset | xr.DataTree | None = None
        self._loading = asyncio.Lock()

    async def result(self, job: JobModel, *, memory: bool) -> Result:
        """Qiskit's Result; from the dataset where it needs more than the counts."""
        if not memory:
            raw = await self._json(job)
            if not _truncated(raw):
                return await asyncio.to_thread(_from_dict, raw)
        return await self._from_dataset(job)

    async def counts(self, job: JobModel) -> list[Counts]:
        """The counts of every circuit, keyed as Qiskit keys them."""
        raw = await self._json(job)
        experiments = raw["results"]
        if _truncated(raw):
            result = await self._from_dataset(job)
            return [dict(result.get_counts(i)) for i in range(len(experiments))]
        if any("counts" not in experiment["data"] for experiment in experiments):
            raise QpiError(
                f"Job {job.id} has no counts: its results are of kind {_kinds(experiments)}. Use "
                "dataset() or result().",
                code="no_counts",
            )
        return [_keyed(experiment) for experiment in experiments]

    async def dataset(self, job: JobModel, max_bytes: int | None = None) -> xr.Dataset | xr.DataTree:
        """The data, in at most ``max_bytes`` of memory."""
        async with self._loading:
            if self._dataset is None:
                self._dataset = await self._download(job, max_bytes)
        return self._dataset

    async def _json(self, job: JobModel) -> dict[str, Any]:
        if self._raw is None:
            self._raw = await self._http.call("GET", f"v1/jobs/{path(job.id)}/result", dict[str, Any])
        return self._raw

    async def _from_dataset(self, job: JobModel) -> Result:
        from qpi_jupyter.data.qiskit_results import to_result
        from qpi_jupyter.data.selection import as_list

        datasets = as_list(await self.dataset(job))
        return await asyncio.to_thread(to_result, datasets, job_id=job.id, backend_name=job.qpu or "")

    async def _download(self, job: JobModel, max_bytes: int | None) -> xr.Dataset | xr.DataTree:
        if job.dataset is None:
            raise QpiError(f"Job {job.id} has no dataset.", code="no_dataset")
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, prefix="qpi-", dir=_temp_dir()) as file:
            got = await self._http.download(f"v1/jobs/{path(job.id)}/dataset", file)
            if got != job.dataset.sha256:
                raise Unavailable(
                    f"The dataset of job {job.id} arrived damaged (its checksum differs): fetch it again.",
                    code="bad_checksum",
                )
            file.seek(0)
            return await asyncio.to_thread(_decode, file, max_bytes, job)


def _kinds(experiments: Sequence[dict[str, Any]]) -> str:
    return " and ".join(sorted({repr(result_kind(experiment)) for experiment in experiments}))


def _truncated(raw: dict[str, Any]) -> bool:
    return any(experiment.get("truncated") for experiment in raw["results"])


def _temp_dir() -> str | None:
    """Not the memory file system, where there is another: a dataset may be larger than the memory."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None


def _decode(file: Any, max_bytes: int | None, job: JobModel) -> xr.Dataset | xr.DataTree:
    from qpi_jupyter.data.codec import decode

    return as_told(decode(file, max_bytes=max_bytes), job)


def as_told(found: xr.Dataset | xr.DataTree, job: JobModel) -> xr.Dataset | xr.DataTree:
    """A result of a job as a person gets it, with what the job says of it."""
    import xarray as xr

    import qpi_jupyter.data.accessor  # noqa: F401 - gives the dataset its .qpi
    from qpi_jupyter.data.attributes import flat

    def one(dataset: xr.Dataset) -> xr.Dataset:
        return flat(dataset, job_id=job.id, qpu=job.qpu or "", job_name=job.name)

    if isinstance(found, xr.Dataset):
        return one(found)
    circuits = {name: one(node.to_dataset(inherit=False)) for name, node in found.children.items()}
    return xr.DataTree.from_dict(circuits)


def _from_dict(raw: dict[str, Any]) -> Result:
    from qiskit.result import Result

    return Result.from_dict(raw)


def _keyed(experiment: dict[str, Any]) -> Counts:
    header = experiment["header"]
    return {
        format_outcome(int(key, 16), header["creg_sizes"], header["memory_slots"]): count
        for key, count in experiment["data"]["counts"].items()
    }
