"""What people do with jobs: submit, look, wait, cancel, fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.errors import Conflict, Forbidden
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import Event, EventKind, advance, left_out
from qpi_jupyter.core.planner import Reason
from qpi_jupyter.core.results import qiskit_result
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.rest import (
    DatasetInfo,
    JobChange,
    JobModel,
    JobPage,
    JobProvenance,
    OptionsIn,
    SubmitRequest,
)
from qpi_server.store import facts, jobs
from qpi_server.store.facts import ResultRow
from qpi_server.store.jobs import JobRecord
from qpi_server.store.sorting import Sort

from . import job_edits, outlook
from .job_edits import own, visible
from .job_search import Wanted, pages, search_for, total
from .models import job_model
from .outbox import job_topic
from .reconcile import Reconciler
from .room import Room, find
from .sessions import Sessions
from .submit import Submitter
from .transitions import Change, carry_out

MAX_WAIT_S = 60.0
MAX_PAGE = 500


class JobService:
    """The jobs of the lab, as one person may see and change them."""

    def __init__(self, room: Room, sessions: Sessions, reconciler: Reconciler, submitter: Submitter) -> None:
        self._room, self._sessions, self._reconciler, self._submitter = room, sessions, reconciler, submitter

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
            raise Forbidden("You may not submit jobs.", code="forbidden")
        record, created = await self._submitter.submit(principal, request, idempotency_key)
        # As it is now: the commit that stored it may have given it to a driver, too.
        return await self.get(principal, record.id), created

    async def get(
        self, principal: Principal, job_id: str, *, wait_s: float = 0.0, version: int | None = None
    ) -> JobModel:
        """The job; with ``wait_s`` once it is final, or once it is not at ``version`` any more, or after that time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, MAX_WAIT_S)
        with self._room.outbox.bell.listening(job_topic(job_id)) as news:
            while True:
                news.clear()
                record, result = self._room.store.glance(lambda connection: _load(connection, job_id))
                visible(principal, record)
                seen = max(record.version, self._room.progress.version(job_id))
                left = deadline - loop.time()
                if record.job.state.final or left <= 0 or (version is not None and seen != version):
                    return await self._model(record, result)
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
        mine: bool | None = None,
        sort: Sort = "submitted",
        descending: bool | None = None,
        **wanted: Unpack[Wanted],
    ) -> JobPage:
        """The jobs that ``principal`` may see: one's own, unless ``mine=False``, or another ``owner`` or a ``group`` is
        asked for. Newest first, or by ``sort``, which begins with the smallest unless ``descending``.

        A page that looked at much and found little is shorter than ``limit``: its ``next`` goes on from there.
        """
        search = search_for(principal, mine, wanted)
        limit = max(1, min(limit, MAX_PAGE))
        find_page = pages(sort, descending, after)

        def query(connection: Connection) -> JobPage:
            found, below = find_page(connection, search, limit=limit)
            models = self._rows(connection, principal, found)
            return JobPage(jobs=[*models], next=below, total=total(connection, search))

        return await self._room.store.read(query)

    async def change(self, principal: Principal, job_id: str, wanted: JobChange) -> JobModel:
        """Its name, tags, project and the group that it is shared with.

        Raises
        ------
        NotFound, Forbidden
            the job is not there for ``principal``; it is somebody else's.
        Rejected
            the group is not one of theirs.
        """
        await job_edits.change(self._room, principal, job_id, wanted)
        return await self.get(principal, job_id)

    async def delete(self, principal: Principal, job_id: str) -> None:
        """Take a final job away, its program and its data with it; what it cost stays in the ledger.

        Raises
        ------
        NotFound, Forbidden
            the job is not there for ``principal``; it is somebody else's.
        Conflict
            it has not ended.
        """
        await job_edits.delete(self._room, principal, job_id)

    async def cancel(self, principal: Principal, job_id: str) -> JobModel:
        """Ask for the job to stop; a result that comes first wins. Again is fine."""
        at, floor = self._room.now(), self._room.progress.version(job_id)
        alive = self._reconciler.leases.alive

        def unit(connection: Connection) -> list[Change]:
            record = own(principal, find(connection, job_id), Permission.JOBS_CANCEL, "cancel")
            step = advance(record.job, Event(kind=EventKind.CANCEL_REQUESTED, at=at))
            first = carry_out(connection, record, step, at, floor=floor)
            job = first.after.job
            if job.state is not JobState.CANCELLING or alive(job.driver or ""):
                return [first]
            # Nobody is left who could confirm the stop.
            gone = left_out(job, at, "The job was cancelled while its driver was away.")
            return [first, carry_out(connection, first.after, gone, at)]

        changes = await self._room.store.write(unit)
        reach("cancel_after_commit")
        for change in changes:
            self._room.send(change)
        return await self.get(principal, job_id)

    async def result(self, principal: Principal, job_id: str) -> dict[str, Any]:
        """The result as Qiskit's Result JSON.

        Raises
        ------
        Conflict
            the job has no result; the error of a failed one is in ``data``.
        """
        record, row = await self._completed(principal, job_id)
        return await asyncio.to_thread(_qiskit, record, row)

    async def dataset(self, principal: Principal, job_id: str) -> tuple[Path, DatasetInfo]:
        """The file with the job's data, which never changes."""
        _, row = await self._completed(principal, job_id)
        path = self._room.blobs.path(row.blob_sha256)
        return path, DatasetInfo(sha256=row.blob_sha256, bytes=row.blob_bytes)

    async def program(self, principal: Principal, job_id: str) -> bytes:
        """The packed sources."""

        def query(connection: Connection) -> bytes:
            record = visible(principal, find(connection, job_id))
            packed = jobs.program(connection, record.program_sha256)
            assert packed is not None, "a program is there as long as its job"
            return packed

        return await self._room.store.read(query)

    async def provenance(self, principal: Principal, job_id: str) -> JobProvenance:
        """How the job was asked to run, and what its result came from."""

        def query(connection: Connection) -> JobProvenance:
            record, row = _load(connection, job_id)
            visible(principal, record)
            options = msgspec.json.decode(jobs.options(connection, job_id), type=OptionsIn)
            return JobProvenance(
                program_sha256=record.program_sha256,
                options=options,
                result=None if row is None else msgspec.json.decode(row.header).get("provenance"),
            )

        return await self._room.store.read(query)

    async def options(self, principal: Principal, job_id: str) -> OptionsIn:
        """The run options, as they were sent."""

        def query(connection: Connection) -> bytes:
            visible(principal, find(connection, job_id))
            return jobs.options(connection, job_id)

        return msgspec.json.decode(await self._room.store.read(query), type=OptionsIn)

    async def _completed(self, principal: Principal, job_id: str) -> tuple[JobRecord, ResultRow]:
        record, row = await self._room.store.read(lambda connection: _load(connection, job_id))
        visible(principal, record)
        if row is None:
            job = record.job
            raise Conflict(
                f"Job {job_id} has no result: it is {job.state.status}.",
                code="no_result",
                status=job.state.status,
                error=job.error,
            )
        return record, row

    async def _model(self, record: JobRecord, result: ResultRow | None = None) -> JobModel:
        reason = None
        if record.job.state is JobState.QUEUED:
            reason = await self._room.store.read(lambda c: self._why(c, record.job))
        return job_model(record, self._room.progress, reason=reason, result=result)

    def _rows(self, connection: Connection, principal: Principal, found: Sequence[JobRecord]) -> Sequence[JobModel]:
        stored = facts.datasets(connection, [r.id for r in found if r.job.state is JobState.COMPLETED])
        models = []
        for record in found:
            mine = record.job.owner == principal.name and record.job.state is JobState.QUEUED
            reason = self._why(connection, record.job) if mine else None
            dataset = stored.get(record.id)
            models.append(job_model(record, self._room.progress, reason=reason, dataset=dataset))
        return models

    def _why(self, connection: Connection, job: Job) -> Reason:
        return outlook.why(connection, self._room, self._sessions, job)


def _load(connection: Connection, job_id: str) -> tuple[JobRecord, ResultRow | None]:
    record = find(connection, job_id)
    result = facts.result(connection, job_id) if record.job.state is JobState.COMPLETED else None
    return record, result


def _qiskit(record: JobRecord, row: ResultRow) -> dict[str, Any]:
    return qiskit_result(msgspec.json.decode(row.header), record.id, record.job.qpu)
