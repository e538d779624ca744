"""`JobHandle`: one job, from any cell, thread or event loop. Nothing in it is authoritative: the lab is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import UNSET, UnsetType

from qpi_jupyter.core import Faulted, QpiError, Rejected, Unavailable, counted, length, unpack
from qpi_jupyter.wire.events import LabEvent, UnreadEventPage
from qpi_jupyter.wire.jobs import FamilyModel, JobChange, JobModel, JobProvenance, OriginIn, SubmitRequest
from qpi_jupyter.wire.rest import ProgramIn

from . import origin as origins
from .analysing import of_values
from .family import Family
from .growing import Growing
from .http import Http, delays, path
from .plan import RunningPlan
from .portal import both
from .progress import ProgressBar
from .prospects import prospect_of
from .results import Counts, Results
from .status import Status, qpus_of, word_of
from .story import Story

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from qiskit import QuantumCircuit
    from qiskit.result import Result

FINAL = frozenset({"completed", "failed", "cancelled"})
_PARK_S = 50.0
"""How long one long-poll stays open; the lab answers earlier as soon as there is something to say."""
_LOOK_S = 2.0
"""So often a plan's job is looked at whose progress is shown."""
_WAITS = frozenset({"wait", "result", "counts", "dataset", "analysis"})


class JobCancelled(QpiError):
    """The job was cancelled before it had a result."""

    default_code = "cancelled"


class Renderer(Protocol):
    """Shows jobs in a notebook."""

    def show(self, job: JobHandle) -> None:
        """Display the job, live while it runs."""

    def meanwhile(self, job: JobHandle, work: Future[Any] | None) -> None:
        """Display the job in a kernel, unless this handle is on display there, and keep it up to date until ``work``,
        which blocks this thread, is done."""

    def mimebundle(self, job: JobHandle) -> dict[str, Any]:
        """The job as it is now, by media type."""

    def job_widget(self, job: JobHandle) -> Any:
        """A widget of the job."""


class JobHandle:
    """One job of a lab.

    ``await job`` (in any cell, on any event loop) and ``job.result()`` (blocking) give Qiskit's Result. Every method
    that asks the lab comes both ways: ``job.dataset()`` blocks, ``await job.dataset.aio()`` does not. A job that
    failed or was cancelled raises there, with the reason.
    """

    renderer: ClassVar[Renderer | None] = None
    """How a notebook shows a job; the ui room is put in here, so that the client needs no widgets."""

    def __init__(self, http: Http, model: JobModel, sources: tuple[str, ...] = ()) -> None:
        self.http = http
        self.model = model
        self.sources = sources
        """The texts that were submitted, to show the line that an error names."""
        self.bar: ProgressBar | None = None
        """Shows how far the job is to those who wait for it in a terminal; in a notebook they see the job."""
        self._results = Results(http)
        self._growing = Growing(http, model.id)

    # -- what is known -------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def name(self) -> str:
        """What its submitter called it, or nothing."""
        return self.model.name

    @property
    def qpu(self) -> str | None:
        """The QPU that it runs or ran on, of a plan the first of them; None where that is not decided yet."""
        return self.model.qpu

    @property
    def final(self) -> bool:
        """Whether the job has ended, as far as this handle knows."""
        return self.model.status in FINAL

    @property
    def status(self) -> Status:
        """``pending``, ``running``, ``completed``, ``failed`` or ``cancelled``: asked of the lab until it is final.

        As a method, too: ``job.status() == "completed"``.
        """
        return Status(self.refresh().model.status)

    @property
    def error(self) -> QpiError | None:
        """Why there is no result: the failure, or that the job was cancelled; None otherwise."""
        if self.model.status == "cancelled":
            why = self.model.error  # where it was cancelled with another
            return JobCancelled(f"Job {self.id} was cancelled." if why is None else why.message, job_id=self.id)
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
        """What `why` tells, without asking the lab again."""
        model, error = self.model, self.error
        where = f" on {qpus}" if (qpus := qpus_of(model)) else ""
        if error is not None:
            return error.message
        word = word_of(model)
        if model.phase == "lost":
            return f"{word} with its driver{where}; waiting for its result"
        if model.status == "pending" and model.reason is not None:  # which names the QPU
            outlook = "" if model.phase == "blocked" else ", ".join(prospect_of(model))
            return f"{word}: {model.reason.message.rstrip('.')}" + (f" ({outlook})" if outlook else "")
        word = word if model.phase == "blocked" else f"{word}{where}"
        if model.phase == "completed" and model.busy_s is not None:
            return f"{word} in {length(model.busy_s)}"
        if model.phase == "running" and model.progress:
            return f"{word}, {model.progress:.0%} done"
        return word

    @property
    def _park_s(self) -> float:
        """How long to wait for a change: what a plan's fragments do is no change of its job."""
        return _LOOK_S if self.model.phase == "blocked" and self.model.qpus else _PARK_S

    def _take(self, model: JobModel) -> None:
        # Answers may overtake one another; a version only grows.
        if model.version >= self.model.version:
            self.model = model

    def _going_on(self, call: str) -> str:
        """What an interrupted ``call`` leaves behind: the job, until somebody stops it."""
        return "" if self.final else f"{self.id} goes on; `%qpi_cancel {self.id}` stops it."

    def _meanwhile(self, call: str) -> Callable[[Future[Any] | None], object] | None:
        """What somebody sees who waits for a sweep."""
        if self.bar is None or self.final or self.renderer is None or call not in _WAITS:
            return None
        return partial(self.renderer.meanwhile, self)

    # -- by Qiskit's names -----------------------------------------------------------------------------------------

    def job_id(self) -> str:
        """Its ``id``."""
        return self.id

    def done(self) -> bool:
        """Whether it has completed: Qiskit's ``DONE``."""
        return self.status == "completed"

    def running(self) -> bool:
        """Whether it runs now."""
        return self.status == "running"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.status == "cancelled"

    def errored(self) -> bool:
        """Whether it has failed; ``error`` says why."""
        return self.status == "failed"

    def in_final_state(self) -> bool:
        """Whether it has ended, however it did."""
        return self.status in FINAL

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5.0,
        callback: Callable[[str, Status, JobHandle], object] | None = None,
    ) -> None:
        """Wait until the job has ended, however it ends.

        Parameters
        ----------
        timeout
            seconds to wait at most (None: as long as it takes).
        wait
            seconds between two calls of ``callback``; the wait itself ends at once when the job does.
        callback
            called with the job's id, its status and the job, while it has not ended and once when it has.

        Raises
        ------
        TimeoutError
            it has not ended. The job goes on.
        """
        give_up_at = None if timeout is None else time.monotonic() + timeout
        while callback is not None:
            status = self.status
            callback(self.id, status, self)
            if status in FINAL:
                return
            left = wait if give_up_at is None else min(wait, give_up_at - time.monotonic())
            if left <= 0:
                break
            with contextlib.suppress(TimeoutError):
                self.wait(left)
        self.wait(None if give_up_at is None else max(0.0, give_up_at - time.monotonic()))

    # -- what the lab is asked -----------------------------------------------------------------------------------

    @both
    async def refresh(self) -> JobHandle:
        """Read the job again; a finished job does not change and is not asked for."""
        if not self.final:
            self._take(await read_job(self.http, self.id))
        return self

    @both
    async def wait(self, timeout: float | None = None) -> JobHandle:
        """Wait until the job has ended, however it ends; through restarts of the lab, too.

        Raises
        ------
        TimeoutError
            it has not ended after ``timeout`` seconds. The job goes on.
        """
        await self._ended(timeout)
        return self

    async def _ended(self, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._until_final()
        except TimeoutError:
            raise TimeoutError(f"Job {self.id} has not ended after {timeout:g} s. {self.explanation()}.") from None

    async def _until_final(self) -> None:
        pauses, bar = delays(), self.bar
        while not self.final:
            version = None if bar is None else self.model.version
            try:
                wait_s = _PARK_S if bar is None else self._park_s
                self._take(await read_job(self.http, self.id, wait_s=wait_s, version=version))
            except Unavailable:
                await asyncio.sleep(next(pauses))
            else:
                pauses = delays()
            if bar is not None:
                bar.show(self.model, self.explanation())
        if bar is not None:
            bar.end()

    @both
    async def changed(self, version: int | None = None, *, wait_s: float | None = None) -> JobHandle:
        """Wait for the next change after ``version`` (default: after what this handle knows), or for ``wait_s``
        (default: 50 s; 2 s for a running plan).

        Raises
        ------
        Unavailable
            the lab does not answer; unlike the other calls this one does not try again by itself.
        """
        if not self.final:
            known = self.model.version if version is None else version
            park_s = self._park_s if wait_s is None else wait_s
            self._take(await read_job(self.http, self.id, wait_s=park_s, version=known, retry_s=0.0))
        return self

    @both
    async def cancel(self) -> JobHandle:
        """Ask the lab to stop the job, and with it those that wait for it and its children; results stay."""
        self._take(await self.http.call("POST", f"v1/jobs/{path(self.id)}/cancel", JobModel))
        return self

    @both
    async def events(self) -> list[LabEvent]:
        """The life of the job, as the lab recorded it."""
        return (await self.http.call("GET", f"v1/jobs/{path(self.id)}/events", UnreadEventPage)).read().events

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
        return await self._results.result(self.model, memory=memory)

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
        counts = self.model.counts or await self._results.counts(self.model)
        return counts[0] if len(counts) == 1 else counts

    @both
    async def dataset(self, timeout: float | None = None, *, max_bytes: int | None = None) -> xr.Dataset | xr.DataTree:
        """Wait, then give the data: a Dataset for one circuit, a DataTree for several. Fetched once.

        Parameters
        ----------
        max_bytes
            the memory that it may take; by default a few times the size of its file, which no honest driver exceeds.

        Raises
        ------
        QpiError, TimeoutError
            as `result`; `TooLarge` where the file would swell.
        """
        await self._completed(timeout)
        return await self._results.dataset(self.model, max_bytes)

    @both
    async def partial(self) -> xr.Dataset | xr.DataTree | None:
        """What is measured so far: the Dataset that the job is going to have, in which the rows to come are missing.

        Missing numbers are NaN, missing bits -1. None as long as nothing is there; the whole once the job has ended.
        An attempt that fails takes its rows with it.

        Raises
        ------
        QpiError
            the job failed, or was cancelled.
        """
        await self.refresh.aio()
        if self.final:
            return await self.dataset.aio()
        return await self._growing.dataset(self.model)

    @both
    async def analysis(
        self, circuit: QuantumCircuit | None = None, timeout: float | None = None, *, observables: Sequence[str] = ()
    ) -> xr.Dataset | list[xr.Dataset]:
        """Wait, then analyse what was measured beside the exact state: a Dataset for one circuit, a list for several.

        Probabilities, observables, reduced density matrices, Bloch vectors, entropies, the likeliest states, and how
        alike counts and exact outcomes are. ``.qpi.plot()``, ``.qpi.bloch()`` and ``.qpi.city()`` draw it. Of a job of
        observables: their values with the standard errors, beside the exact ones up to 14 qubits.

        Parameters
        ----------
        circuit
            what ran. By default the job's own circuits, where they were sent as Qiskit's; of texts, the counts alone
            are analysed.
        timeout
            seconds to wait at most (None: as long as it takes).
        observables
            Pauli strings as Qiskit's labels, over all qubits of the circuit.

        Raises
        ------
        QpiError
            as `counts`; `TooLarge` above 14 qubits, `Rejected` for a sweep: analyse one of its points.
        """
        try:
            counts = await self.counts.aio(timeout)
        except QpiError as error:
            data = None if error.code != "no_counts" else await self.dataset.aio()
            if data is None or getattr(data.qpi, "kind", "") != "expectation_values":
                raise
            own = await self._circuits() if circuit is None else []
            return await asyncio.to_thread(of_values, data, circuit, own, observables)
        several = counts if isinstance(counts, list) else [counts]
        circuits = [circuit] if circuit is not None else await self._circuits()
        return await asyncio.to_thread(_analysed, circuits or [None] * len(several), several, observables)

    def plot(self, ax: Axes | None = None) -> Axes | list[Axes]:
        """Draw what there is, while the job runs or once it has ended: of a sweep a curve that has its points so far.

        Raises
        ------
        QpiError
            nothing is measured yet; or the job failed, or was cancelled.
        """
        found = self.partial()
        if found is None:
            raise QpiError(f"Job {self.id} has measured nothing yet. {self.explanation()}.", code="nothing_yet")
        axes: Axes | list[Axes] = found.qpi.plot() if ax is None else found.qpi.plot(ax)
        return axes

    def __await__(self) -> Generator[Any, None, Result]:
        return self.result.aio().__await__()

    # -- its row, not its run --------------------------------------------------------------------------------------

    @both
    async def family(self) -> Family:
        """The jobs that hang together with this one, itself included: what waits for what, and what all of them cost.

        Those are the jobs that it waits for (``after`` and ``children`` of the submit), those that wait for it, and
        so on.
        """
        model = await self.http.call("GET", f"v1/jobs/{path(self.id)}/family", FamilyModel)
        return Family(model, self.model)

    @both
    async def plan(self) -> RunningPlan:
        """The plan that this job runs, live: its fragments' jobs, their places on QPUs and their attempts.

        Raises
        ------
        NotFound
            it runs none.
        """
        return await self.http.call("GET", f"v1/jobs/{path(self.id)}/plan", RunningPlan)

    @both
    async def story(self) -> Story:
        """The life of the job in plain words: attempts and their drivers, leases lost and regained, costs, edits.

        Of a job that waits for others, or that others wait for, it is the story of all of them.
        """
        family = await self.family.aio()
        where, everybody = f"v1/jobs/{path(self.id)}/events", {"family": "true"}
        events = (await self.http.call("GET", where, UnreadEventPage, params=everybody)).read().events
        if len(family) > 1:
            return Story(family.caption, events, family.called)
        name = f" {self.model.name!r}" if self.model.name else ""
        return Story(f"Job {self.id}{name}", events)

    @both
    async def edit(
        self,
        *,
        name: str | UnsetType = UNSET,
        tags: str | Sequence[str] | UnsetType = UNSET,
        project: str | UnsetType = UNSET,
        shared_with: str | UnsetType | None = UNSET,
    ) -> JobHandle:
        """Change what is given; the rest stays. ``shared_with=None`` makes the job private."""
        wanted = JobChange(
            name=name,
            tags=tags if tags is UNSET else [tags] if isinstance(tags, str) else list(tags),
            project=project,
            shared_with=shared_with,
        )
        self._take(await self.http.call("PATCH", f"v1/jobs/{path(self.id)}", JobModel, body=wanted))
        return self

    @both
    async def delete(self) -> None:
        """Take the job out of the lab for good, its program and data with it; what it cost stays in the ledger.

        Raises
        ------
        Conflict
            it has not ended: cancel it first.
        """
        await self.http.call("DELETE", f"v1/jobs/{path(self.id)}", type(None))

    @both
    async def rerun(
        self,
        *,
        qpu: str | None = None,
        calibration: str | None = None,
        name: str | None = None,
        tags: str | Sequence[str] | None = None,
    ) -> JobHandle:
        """Submit the same program with the same options again: another job.

        Parameters
        ----------
        qpu
            another QPU than this job ran on.
        calibration
            ``"same"``: only on the calibration that this job's result was measured with; or the id of one. The job is
            refused where the QPU has another one now.
        name, tags
            other ones than this job has.

        Raises
        ------
        Rejected
            the QPU has another calibration now, or this job has no result whose calibration is known.
        QpiError
            what else the lab has against it.
        """
        if calibration == "same":
            calibration = (await self.refresh.aio()).model.calibration_id
            if calibration is None:
                message = f"Job {self.id} has no result with a calibration: leave out calibration='same'."
                raise Rejected(message, code="unknown_calibration")
        sources = await self._sources()
        asked = await self.http.call("GET", f"v1/jobs/{path(self.id)}/provenance", JobProvenance)
        request = SubmitRequest(
            program=ProgramIn(format=self.model.format, data=list(sources)),
            options=asked.options,
            qpu=qpu or self.qpu,
            name=self.name if name is None else name,
            tags=self.model.tags if tags is None else [tags] if isinstance(tags, str) else list(tags),
            project=self.model.project,
            retry_safe=self.model.retry_safe,
            calibration=calibration,
            origin=origins.here() or OriginIn(),
        )
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        return JobHandle(self.http, await self.http.call("POST", "v1/jobs", JobModel, body=request, headers=headers))

    @both
    async def bundle(
        self, path: str | os.PathLike[str] | None = None, *, family: bool = False, timeout: float | None = None
    ) -> Path:
        """Wait, then write one zip of the job, for an archive, a paper or a colleague without this lab; where it is.

        Program, options, plan, calibration, events, result (NetCDF), versions and provenance are in it, each in a
        format that other programs read; its ``README.txt`` says how. A job that failed has one, too.

        Parameters
        ----------
        path
            the file, which is replaced (default: the job's id with ``.zip``, here).
        family
            with all jobs that hang together with this one.
        timeout
            seconds to wait at most (None: as long as it takes).

        Raises
        ------
        TimeoutError
            it has not ended.
        """
        from . import bundle

        await self._ended(timeout)
        jobs = await bundle.family_of(self.http, self.model) if family else [self.model]
        return await bundle.bundle(self.http, jobs, self.model, Path(path or f"{self.id}.zip"))

    # -- inside --------------------------------------------------------------------------------------------------

    async def _sources(self) -> tuple[bytes, ...]:
        """The program as it was sent."""
        with tempfile.TemporaryFile() as file:
            await self.http.download(f"v1/jobs/{path(self.id)}/program", file)
            file.seek(0)
            return unpack(file.read())

    async def _circuits(self) -> list[Any]:
        """The circuits that were sent as Qiskit's; none of a text."""
        from qpi_jupyter.data.formats import QPY

        if self.model.format != QPY.name:
            return []
        return [circuit for source in await self._sources() for circuit in await asyncio.to_thread(QPY.read, source)]

    async def _completed(self, timeout: float | None) -> None:
        await self._ended(timeout)
        if (error := self.error) is not None:
            raise error

    # -- shown ---------------------------------------------------------------------------------------------------

    def widget(self) -> Any:
        """The job as a widget, for an ``ipywidgets.HBox`` or a dashboard: `qpi_jupyter.ui.job_widget.JobWidget`.

        Its traits can be observed: ``status``, ``phase``, ``progress`` and, once it is there, ``result``.
        """
        if self.renderer is None:
            raise QpiError("A widget is shown in a notebook: use qpi_jupyter.connect().", code="no_widgets")
        return self.renderer.job_widget(self)

    def __repr__(self) -> str:
        name = f" {self.model.name!r}" if self.model.name else ""
        return f"<Job {self.id}{name}: {self.explanation()}>"

    def _ipython_display_(self) -> None:
        if self.renderer is None:
            raise NotImplementedError  # IPython then asks for the representations
        self.renderer.show(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        return {"text/plain": repr(self)} if self.renderer is None else self.renderer.mimebundle(self)


def _analysed(
    circuits: Sequence[QuantumCircuit | None], counts: Sequence[Counts], observables: Sequence[str]
) -> xr.Dataset | list[xr.Dataset]:
    from qpi_jupyter.data.analysis import analyse

    if len(circuits) != len(counts):
        raise Rejected(
            f"The job has {counted(len(counts), 'result')} of {counted(len(circuits), 'circuit')}: analyse one of its "
            "points, as in job.dataset().isel(theta=0).qpi.analysis(circuit).",
            code="a_sweep",
        )
    pairs = zip(circuits, counts, strict=True)
    found = [analyse(circuit, some, observables=observables) for circuit, some in pairs]
    return found[0] if len(found) == 1 else found


async def read_job(
    http: Http, job_id: str, *, wait_s: float = 0.0, version: int | None = None, retry_s: float | None = None
) -> JobModel:
    """The job as the lab has it now, or after its next change; see `JobHandle.wait` and `JobHandle.changed`."""
    params = {"wait_s": wait_s or None, "version": version}
    return await http.call("GET", f"v1/jobs/{path(job_id)}", JobModel, params=params, wait_s=wait_s, retry_s=retry_s)
