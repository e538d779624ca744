"""What people do with jobs: submit, look, wait, cancel, fetch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from qpi_jupyter.core import (
    NOTHING,
    Conflict,
    Event,
    EventKind,
    Faulted,
    Forbidden,
    Job,
    JobState,
    NotFound,
    Permission,
    Principal,
    Rejected,
    advance,
    allows,
    not_applied,
    qiskit_result,
)
from qpi_jupyter.core.families import FragmentState
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import RowChunk
from qpi_jupyter.wire.jobs import (
    DatasetInfo,
    FamilyModel,
    JobChange,
    JobFilters,
    JobModel,
    JobPage,
    JobProvenance,
    PartialResult,
    SubmitRequest,
)
from qpi_jupyter.wire.rest import OptionsIn
from qpi_jupyter.wire.results import read_header
from qpi_server.service.base import Context, Tx, end
from qpi_server.service.base import job as any_news
from qpi_server.service.lifecycle import Lifecycle, carry_out, find, job_model, kin, knows_all, own, told, visible
from qpi_server.service.links import Links
from qpi_server.service.submit import Prospects, Submitter, Tracks
from qpi_server.store import JobRecord, ResultRow, Sort, facts, jobs, reservations

from .edits import delete, discard, edit
from .families import family_of
from .search import NARROW, pages, search_for, total, walks_along

log = logging.getLogger(__name__)
MAX_WAIT_S = 60.0
MAX_PAGE = 500
ROWS_AT_ONCE_BYTES = 2 << 20


class JobService:
    """The jobs of the lab, as one person may see and change them.

    Parameters
    ----------
    unchecked
        why a job's check came to nothing; empty if it did not.
    """

    def __init__(
        self, context: Context, links: Links, lifecycle: Lifecycle, submitter: Submitter, tracks: Tracks, *,
        unchecked: Callable[[Job], str],
    ) -> None:  # fmt: skip
        self._context, self._db, self._links, self._submitter = context, context.db, links, submitter
        self._progress, self._rows_of, self._unchecked = lifecycle.progress, lifecycle.rows, unchecked
        self._tracks = tracks

    async def submit(
        self, principal: Principal, request: SubmitRequest, *, idempotency_key: str | None = None
    ) -> tuple[JobModel, bool]:
        """The stored job, and whether this call made it; on disk when it returns.

        Raises
        ------
        Rejected, TooLarge
            the program or its options cannot run; nothing is stored.
        NotFound
            there is no such QPU.
        Conflict
            the key came with another request before.
        """
        if not allows(principal, Permission.JOBS_SUBMIT):
            raise Forbidden("You don't have permission to submit jobs.", code="forbidden")
        record, created, prospect = await self._submitter.submit(principal, request, idempotency_key)
        if created and (prospect is not None or record.job.state in jobs.OPEN):
            return job_model(record, self._progress, prospect or NOTHING), True
        return await self.get(principal, record.id), created

    async def get(
        self, principal: Principal, job_id: str, *, wait_s: float = 0.0, version: int | None = None
    ) -> JobModel:
        """The job; with ``wait_s`` once it is final, or once it is not at ``version`` any more, or after that time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, MAX_WAIT_S)
        topic = end(job_id) if version is None else any_news(job_id)

        def look(connection: Connection) -> JobModel | None:
            record, result = _load(connection, job_id)
            visible(principal, record)
            seen = max(record.version, self._progress.version(job_id))
            if record.job.state.final or left <= 0 or (version is not None and seen != version):
                return self._model(connection, principal, record, result)
            return None

        with self._context.followers.listening(topic) as news:
            while True:
                news.clear()
                left = deadline - loop.time()
                if (model := self._db.glance(look)) is not None:
                    return model
                try:
                    async with asyncio.timeout(left):
                        await news.wait()
                except TimeoutError:
                    continue

    async def list(
        self,
        principal: Principal,
        *,
        limit: int = 50,
        after: str | None = None,
        sort: Sort = "submitted",
        descending: bool | None = None,
        leafing: bool = False,
        **wanted: Any,
    ) -> JobPage:
        """The jobs that ``principal`` may see: one's own, unless ``mine=False``, or another ``owner`` or a ``group`` is
        asked for; ``wanted`` are `JobFilters`. Newest first, or by ``sort``, which begins with the smallest unless
        ``descending``.

        A page that looked at much and found little is shorter than ``limit``: its ``next`` goes on from there. For
        ``leafing`` through everything it does not say why jobs wait.

        Raises
        ------
        Rejected
            too many jobs would have to be looked at; the message says what narrows it.
        """
        search = search_for(principal, JobFilters(**wanted))
        limit = max(1, min(limit, MAX_PAGE))
        find_page = pages(sort, descending, after)

        def query(connection: Connection) -> JobPage:
            found, below = find_page(connection, search, limit=limit)
            models = self._rows(connection, principal, found, reasons=not leafing)
            return JobPage(jobs=[*models], next=below, total=total(connection, search))

        if not leafing and walks_along(sort, descending, search):
            return await self._db.read(query)
        return await self._db.search(principal, query, narrow=NARROW)

    async def change(self, principal: Principal, job_id: str, wanted: JobChange) -> JobModel:
        """Its labels: name, tags and the like, and the group that it is shared with.

        Raises
        ------
        NotFound, Forbidden
            the job is not there for ``principal``; it is somebody else's.
        Rejected
            the group is not one of theirs.
        """
        floor = self._progress.version(job_id)
        await self._db.write(lambda tx: edit(tx, principal, job_id, wanted, floor=floor))
        return await self.get(principal, job_id)

    async def delete(self, principal: Principal, job_id: str) -> None:
        """Take a final job away, its program and its data with it; what it cost stays in the ledger.

        Raises
        ------
        NotFound, Forbidden
            the job is not there for ``principal``; it is somebody else's.
        Conflict
            it has not ended, or others of its family have not.
        """
        await discard(self._context, await self._db.write(lambda tx: delete(tx, principal, job_id)))

    async def cancel(self, principal: Principal, job_id: str) -> JobModel:
        """Ask for the job to stop, and with it those that wait for it and its children; a result that comes first wins.
        Again is fine."""

        def unit(tx: Tx) -> None:
            record = own(principal, find(tx.connection, job_id), Permission.JOBS_CANCEL, "cancel")
            step = advance(record.job, Event(kind=EventKind.CANCEL_REQUESTED, at=tx.at))
            carry_out(tx, record, step, seen=self._progress.version)

        await self._db.write(unit)
        reach("cancel_after_commit")
        return await self.get(principal, job_id)

    async def family(self, principal: Principal, job_id: str) -> FamilyModel:
        """The jobs that hang together with this one, itself included, as far as ``principal`` may see them."""

        def query(connection: Connection) -> FamilyModel:
            return family_of(connection, principal, visible(principal, find(connection, job_id)))

        return await self._db.read(query)

    async def result(self, principal: Principal, job_id: str) -> dict[str, Any]:
        """The result as Qiskit's Result JSON.

        Raises
        ------
        Conflict
            the job has no result; the error of a failed one is in ``data``.
        """
        record, row = await self._completed(principal, job_id)
        return await asyncio.to_thread(_qiskit, record, row)

    async def partial(
        self, principal: Principal, job_id: str, *, wait_s: float = 0.0, version: int | None = None,
        after: int | None = None,
    ) -> PartialResult:  # fmt: skip
        """What the running attempt has measured; with ``wait_s`` and ``version`` once there is more than that, or
        it has ended. With ``after`` its chunks from there on."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, MAX_WAIT_S)
        with self._context.followers.listening(any_news(job_id)) as news:
            while True:
                news.clear()
                record = self._db.glance(lambda connection: visible(principal, find(connection, job_id)))
                found = self._partial(record, after)
                left = deadline - loop.time()
                if record.job.state.final or left <= 0 or version is None or found.version != version:
                    return found
                try:
                    async with asyncio.timeout(left):
                        await news.wait()
                except TimeoutError:
                    continue

    def _partial(self, record: JobRecord, after: int | None) -> PartialResult:
        job, growing = record.job, self._rows_of.get(record.job)
        found = PartialResult(
            status=job.state.status,  # type: ignore[arg-type]  # one of the Literal's words
            attempt=job.attempt, version=0, measured=0, circuits=None, drawings=[], have=0,
        )  # fmt: skip
        if growing is None:
            return found
        chunks, room = list[RowChunk](), ROWS_AT_ONCE_BYTES
        for chunk in growing.chunks[after:] if after is not None else ():
            room -= len(chunk.data)
            if chunks and room < 0:
                break
            chunks.append(chunk)
        return replace(
            found, version=growing.version, measured=growing.measured, circuits=growing.circuits,
            drawings=growing.drawings, have=len(growing.chunks), chunks=chunks,
        )  # fmt: skip

    async def dataset(self, principal: Principal, job_id: str) -> tuple[Path, DatasetInfo]:
        """The file with the job's data, which never changes."""
        _, row = await self._completed(principal, job_id)
        try:
            path = await asyncio.to_thread(self._context.blobs.path, row.blob_sha256)
        except NotFound as error:
            await self._completed(principal, job_id)  # deleted meanwhile: there is no such job
            log.error("The data of job %s is missing: there is no blob %s", job_id, row.blob_sha256)
            raise Faulted(
                "The data of this job is missing on the lab's disk. Ask the lab's manager to bring it back from a "
                "backup, or run the job again.",
                code="data_missing",
                sha256=row.blob_sha256,
            ) from error
        return path, DatasetInfo(sha256=row.blob_sha256, bytes=row.blob_bytes)

    async def program(self, principal: Principal, job_id: str) -> bytes:
        """The packed sources."""

        def query(connection: Connection) -> bytes:
            record = visible(principal, find(connection, job_id))
            packed = jobs.program(connection, record.program_sha256)
            assert packed is not None, "a program is there as long as its job"
            return packed

        return await self._db.read(query)

    async def provenance(self, principal: Principal, job_id: str) -> JobProvenance:
        """How the job was asked to run, and what its result came from."""

        def query(connection: Connection) -> JobProvenance:
            record, row = _load(connection, job_id)
            visible(principal, record)
            options = msgspec.json.decode(jobs.options(connection, job_id), type=OptionsIn)
            header = None if row is None else msgspec.json.decode(row.header)
            at_submit = (record.origin.get("runtime") or {}).get("not_applied", [])
            return JobProvenance(
                program_sha256=record.program_sha256,
                options=options,
                result=None if header is None else header.get("provenance"),
                not_applied=[*at_submit, *([] if header is None else not_applied(header))],
            )

        return await self._db.read(query)

    async def options(self, principal: Principal, job_id: str) -> OptionsIn:
        """The run options, as they were sent."""

        def query(connection: Connection) -> bytes:
            visible(principal, find(connection, job_id))
            return jobs.options(connection, job_id)

        return msgspec.json.decode(await self._db.read(query), type=OptionsIn)

    async def _completed(self, principal: Principal, job_id: str) -> tuple[JobRecord, ResultRow]:
        def query(connection: Connection) -> tuple[JobRecord, ResultRow]:
            record, row = _load(connection, job_id)
            visible(principal, record)
            if row is None:
                job = self._model(connection, principal, record)
                raise Conflict(
                    f"Job {job_id} has no result: it is {job.status}.",
                    code="no_result",
                    status=job.status,
                    error=msgspec.to_builtins(job.error),
                )
            return record, row

        return await self._db.read(query)

    def _model(
        self, connection: Connection, principal: Principal, record: JobRecord, result: ResultRow | None = None
    ) -> JobModel:
        state = record.job.state
        waits = not state.final and (state is not JobState.BLOCKED or knows_all(principal, record))
        parts = _fragments(connection, [record]).get(record.id, ())
        prospect = self._prospects(connection).of(record, parts) if waits else NOTHING
        model = job_model(record, self._progress, prospect, result=result, fragments=parts)
        return _as_seen(connection, principal, record, model)

    def _rows(
        self, connection: Connection, principal: Principal, found: Sequence[JobRecord], *, reasons: bool
    ) -> Sequence[JobModel]:
        prospects, plans = self._prospects(connection), _fragments(connection, found)
        stored = facts.datasets(connection, [r.id for r in found if r.job.state is JobState.COMPLETED])
        models = []
        for record in found:
            parts = plans.get(record.id, ())
            mine = record.job.owner == principal.name
            prospect = prospects.of(record, parts) if reasons and mine else NOTHING
            model = job_model(record, self._progress, prospect, dataset=stored.get(record.id), fragments=parts)
            models.append(_as_seen(connection, principal, record, model))
        return models

    def _prospects(self, connection: Connection) -> Prospects:
        return Prospects(connection, self._context, self._links, self._tracks, self._unchecked)


def _fragments(connection: Connection, found: Iterable[JobRecord]) -> Mapping[str, Sequence[FragmentState]]:
    """The fragments of those of these jobs that run plans."""
    return reservations.fragments(connection, [one.id for one in found if one.job.family == one.id])


def _as_seen(connection: Connection, principal: Principal, record: JobRecord, model: JobModel) -> JobModel:
    """The model without what it says of jobs that ``principal`` may not see."""
    model.error = told(connection, principal, record, model.error)
    model.family, model.parent = kin(connection, principal, record)
    return model


def _load(connection: Connection, job_id: str) -> tuple[JobRecord, ResultRow | None]:
    record = find(connection, job_id)
    result = facts.result(connection, job_id) if record.job.state is JobState.COMPLETED else None
    return record, result


def _qiskit(record: JobRecord, row: ResultRow) -> dict[str, Any]:
    try:
        header = read_header(row.header)
    except Rejected as error:
        raise Conflict(
            f"The stored result of job {record.id} cannot be shown: {error.message} "
            "Its dataset can still be downloaded.",
            code="unreadable_result",
        ) from error
    return qiskit_result(msgspec.to_builtins(header), record.id, record.job.qpu)
