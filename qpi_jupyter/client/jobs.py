"""`JobHandle`: one job, from any cell, thread or event loop. Nothing in it is authoritative: the lab is."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from qpi_jupyter.core.errors import Faulted, QpiError, Unavailable
from qpi_jupyter.core.results import format_outcome
from qpi_jupyter.wire.rest import EventModel, EventPage, JobModel, WaitReason

from . import times
from .http import delays
from .job_care import JobCare
from .portal import both

if TYPE_CHECKING:
    import xarray as xr
    from qiskit.result import Result

    from .lab import Lab

Counts = dict[str, int]

FINAL = frozenset({"completed", "failed", "cancelled"})
_PARK_S = 50.0
"""How long one long-poll stays open; the lab answers earlier as soon as there is something to say."""
_SOON_S = 600.0
"""What is nearer is told to the second."""
_IN_MEMORY_BYTES = 16 << 20
"""Larger datasets pass through a temporary file."""


class JobCancelled(QpiError):
    """The job was cancelled before it had a result."""

    default_code = "cancelled"


class Renderer(Protocol):
    """Shows jobs in a notebook."""

    def show(self, job: JobHandle) -> None:
        """Display the job, live while it runs."""

    def mimebundle(self, job: JobHandle) -> dict[str, Any]:
        """The job as it is now, by media type."""


class JobHandle(JobCare):
    """One job of a lab.

    ``await job`` (in any cell, on any event loop) and ``job.result()`` (blocking) give Qiskit's Result. Every method
    that asks the lab comes both ways: ``job.dataset()`` blocks, ``await job.dataset.aio()`` does not. A job that
    failed or was cancelled raises there, with the reason.
    """

    renderer: ClassVar[Renderer | None] = None
    """How a notebook shows a job; the ui room is put in here, so that the client needs no widgets."""

    def __init__(self, lab: Lab, model: JobModel, sources: tuple[str, ...] = ()) -> None:
        self.lab = lab
        self.model = model
        self.sources = sources
        """The texts that were submitted, to show the line that an error names."""
        self._result: dict[str, Any] | None = None
        self._dataset: xr.Dataset | xr.DataTree | None = None
        self._loading: asyncio.Lock | None = None

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def final(self) -> bool:
        """Whether the job has ended, as far as this handle knows."""
        return self.model.status in FINAL

    @property
    def status(self) -> str:
        """``pending``, ``running``, ``completed``, ``failed`` or ``cancelled``: asked of the lab until it is final."""
        return self.refresh().model.status

    @property
    def error(self) -> QpiError | None:
        """Why there is no result: the failure, or that the job was cancelled; None otherwise."""
        if self.model.status == "cancelled":
            return JobCancelled(f"Job {self.id} was cancelled.", job_id=self.id)
        if self.model.status != "failed":
            return None
        if self.model.error is None:
            return Faulted(f"Job {self.id} failed, and the lab does not say why.", job_id=self.id)
        error = self.model.error
        return QpiError.from_dict(
            {"kind": error.kind, "code": error.code, "message": error.message, "data": error.data}
        )

    def why(self) -> str:
        """In words: what the job waits for, or how it ended."""
        return self.refresh().explanation()

    def explanation(self) -> str:
        """The same without asking the lab again."""
        model, error = self.model, self.error
        where = f" on {model.qpu}" if model.qpu else ""
        if error is not None:
            return error.message
        if model.status == "completed":
            return f"completed{where}" + (f" in {model.busy_s:.3g} s" if model.busy_s is not None else "")
        if model.phase == "lost":
            return f"running{where}; its driver is silent, and what it measured is waited for"
        if model.phase == "cancelling":
            return f"stopping{where}"
        if model.status == "running":
            return f"running{where}" + (f", {model.progress:.0%} done" if model.progress else "")
        if model.reason is None:
            return f"waiting{where}"
        outlook = ", ".join(outlook_of(model.reason))
        return f"waiting{where}: {model.reason.message.rstrip('.')}" + (f" ({outlook})" if outlook else "")

    # -- what the lab is asked -----------------------------------------------------------------------------------

    @both
    async def refresh(self) -> JobHandle:
        """Read the job again; a finished job does not change and is not asked for."""
        if not self.final:
            self._take(await self.lab.get_job(self.id))
        return self

    @both
    async def wait(self, timeout: float | None = None) -> JobHandle:
        """Wait until the job has ended, however it ends; through restarts of the lab, too.

        Raises
        ------
        TimeoutError
            it has not ended after ``timeout`` seconds. The job goes on.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._until_final()
        except TimeoutError:
            raise TimeoutError(f"Job {self.id} has not ended after {timeout:g} s: {self.explanation()}.") from None
        return self

    async def _until_final(self) -> None:
        pauses = delays()
        while not self.final:
            try:
                self._take(await self.lab.get_job(self.id, wait_s=_PARK_S))
            except Unavailable:
                await asyncio.sleep(next(pauses))
            else:
                pauses = delays()

    @both
    async def changed(self, version: int | None = None, *, wait_s: float = _PARK_S) -> JobHandle:
        """Wait for the next change after ``version`` (default: after what this handle knows), or for ``wait_s``.

        Raises
        ------
        Unavailable
            the lab does not answer; unlike the other calls this one does not try again by itself.
        """
        if not self.final:
            known = self.model.version if version is None else version
            self._take(await self.lab.get_job(self.id, wait_s=wait_s, version=known, retry_s=0.0))
        return self

    @both
    async def cancel(self) -> JobHandle:
        """Ask the lab to stop the job; a result that is already there stays."""
        self._take(await self.lab.http.call("POST", f"v1/jobs/{self.id}/cancel", JobModel, content=b""))
        return self

    @both
    async def events(self) -> list[EventModel]:
        """The life of the job, as the lab recorded it."""
        return (await self.lab.http.call("GET", f"v1/jobs/{self.id}/events", EventPage)).events

    @both
    async def result(self, timeout: float | None = None, *, memory: bool = False) -> Result:
        """Wait, then give Qiskit's Result.

        Parameters
        ----------
        timeout
            seconds to wait at most (None: as long as it takes).
        memory
            with every single shot in it, read from the dataset; counts alone are a smaller answer.

        Raises
        ------
        QpiError
            the job failed (its own error, with line and column of a bad circuit), or was cancelled.
        TimeoutError
            it has not ended.
        """
        await self._completed(timeout)
        if not memory:
            raw = await self._result_json()
            if not any(experiment.get("truncated") for experiment in raw["results"]):
                return await asyncio.to_thread(_to_result, raw)
        from qpi_jupyter.data.codec import as_list
        from qpi_jupyter.data.qiskit_results import to_result

        datasets = as_list(await self._load_dataset())
        return await asyncio.to_thread(to_result, datasets, job_id=self.id, backend_name=self.model.qpu or "")

    @both
    async def counts(self, timeout: float | None = None) -> Counts | list[Counts]:
        """Wait, then give the counts, keyed as Qiskit keys them: a dict for one circuit, a list for several.

        Raises
        ------
        QpiError
            as `result`; also when the job measured no bits (``meas_level`` 1 or 0).
        TimeoutError
            it has not ended.
        """
        await self._completed(timeout)
        counts = self.model.counts
        if counts is None:
            counts = await self._counts_from_result()
        return counts[0] if len(counts) == 1 else counts

    @both
    async def dataset(self, timeout: float | None = None) -> xr.Dataset | xr.DataTree:
        """Wait, then give the data: a Dataset for one circuit, a DataTree for several. Fetched once.

        Raises
        ------
        QpiError, TimeoutError
            as `result`.
        """
        await self._completed(timeout)
        return await self._load_dataset()

    def __await__(self) -> Generator[Any, None, Result]:
        return self.result.aio().__await__()

    # -- inside --------------------------------------------------------------------------------------------------

    async def _completed(self, timeout: float | None) -> None:
        if not self.final:
            try:
                async with asyncio.timeout(timeout):
                    await self._until_final()
            except TimeoutError:
                raise TimeoutError(f"Job {self.id} has not ended after {timeout:g} s: {self.explanation()}.") from None
        if (error := self.error) is not None:
            raise error

    async def _result_json(self) -> dict[str, Any]:
        if self._result is None:
            self._result = await self.lab.http.call("GET", f"v1/jobs/{self.id}/result", dict[str, Any])
        return self._result

    async def _counts_from_result(self) -> list[Counts]:
        experiments = (await self._result_json())["results"]
        if any(experiment.get("truncated") for experiment in experiments):
            from qpi_jupyter.data.codec import as_list
            from qpi_jupyter.data.qiskit_results import to_result

            result = to_result(as_list(await self._load_dataset()))
            return [dict(result.get_counts(i)) for i in range(len(experiments))]
        if any("counts" not in experiment["data"] for experiment in experiments):
            raise QpiError(
                f"Job {self.id} has no counts: it was measured at meas_level {experiments[0]['meas_level']}. Use "
                "dataset() or result().",
                code="no_counts",
            )
        return [_keyed(experiment) for experiment in experiments]

    async def _load_dataset(self) -> xr.Dataset | xr.DataTree:
        if self._loading is None:
            self._loading = asyncio.Lock()
        async with self._loading:
            if self._dataset is None:
                self._dataset = await self._download()
        return self._dataset

    async def _download(self) -> xr.Dataset | xr.DataTree:
        info = self.model.dataset
        if info is None:
            raise QpiError(f"Job {self.id} has no dataset.", code="no_dataset")
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES, prefix="qpi-", dir=_temp_dir()) as file:
            got = await self.lab.http.download(f"v1/jobs/{self.id}/dataset", file)
            if got != info.sha256:
                raise Unavailable(
                    f"The dataset of job {self.id} arrived damaged (its checksum differs): fetch it again.",
                    code="bad_checksum",
                )
            file.seek(0)
            return await asyncio.to_thread(_decode, file)

    # -- shown ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        name = f" {self.model.name!r}" if self.model.name else ""
        return f"<Job {self.id}{name}: {self.explanation()}>"

    def _ipython_display_(self) -> None:
        if self.renderer is None:
            raise NotImplementedError  # IPython then asks for the representations
        self.renderer.show(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {"text/plain": repr(self)} if self.renderer is None else self.renderer.mimebundle(self)


def outlook_of(reason: WaitReason) -> list[str]:
    """Its place in the queue, about when its wait ends, and how far off such predictions were lately."""
    parts = [] if reason.position is None else [f"position {reason.position}"]
    if reason.about_at is not None:
        now = datetime.now(UTC)
        soon = (reason.about_at - now).total_seconds() < _SOON_S
        at = reason.about_at.replace(microsecond=0) if soon else reason.about_at.replace(second=0, microsecond=0)
        error = f" ± {times.length(reason.error_s)}" if reason.error_s else ""
        parts.append(f"about {times.clock(at, times.zone_of(), now, exact=soon)}{error}")
    return parts


def _temp_dir() -> str | None:
    """Not the memory file system, where there is another: a dataset may be larger than the memory."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None


def _decode(file: Any) -> xr.Dataset | xr.DataTree:
    import qpi_jupyter.data.accessor  # noqa: F401 - gives the dataset its .qpi
    from qpi_jupyter.data.codec import decode

    return decode(file)


def _to_result(raw: dict[str, Any]) -> Result:
    from qiskit.result import Result

    return Result.from_dict(raw)


def _keyed(experiment: dict[str, Any]) -> Counts:
    header = experiment["header"]
    return {
        format_outcome(int(key, 16), header["creg_sizes"], header["memory_slots"]): count
        for key, count in experiment["data"]["counts"].items()
    }
