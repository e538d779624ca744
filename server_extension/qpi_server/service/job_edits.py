"""What people change of a job beside its state: its name, tags, project and sharing, and that it goes away."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows, may_read_job
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, Rejected
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.rest import JobChange
from qpi_server.store import audit, facts, jobs, removal
from qpi_server.store.audit import AuditRow
from qpi_server.store.jobs import JobRecord

from .room import Room, find
from .transitions import changed_event

EDITABLE = ("name", "tags", "project", "shared_with")


def visible(principal: Principal, record: JobRecord) -> JobRecord:
    """The job, if ``principal`` may read it; somebody else's private one is as good as none.

    Raises
    ------
    NotFound
        they may not.
    """
    if not may_read_job(principal, owner=record.job.owner, shared_with=record.shared_with):
        raise NotFound(f"There is no job {record.id!r}, or it is not yours.", code="unknown_job")
    return record


def own(principal: Principal, record: JobRecord, permission: Permission, what: str) -> JobRecord:
    """The job, if ``principal`` may do ``what`` with it.

    Raises
    ------
    NotFound, Forbidden
        they may not even see it; they only may see it.
    """
    visible(principal, record)
    if not allows(principal, permission, record.job.owner):
        raise Forbidden(f"Job {record.id} belongs to {record.job.owner}: you may not {what} it.", code="not_yours")
    return record


def sharing(principal: Principal, group: str | None) -> str | None:
    """The group that a job is shared with: one of the asker's own.

    Raises
    ------
    Rejected
        it is not.
    """
    if group is not None and group not in principal.groups:
        yours = ", ".join(sorted(principal.groups)) or "none"
        raise Rejected(
            f"You are not in a group called {group!r}; yours: {yours}.", code="not_your_group", field="shared_with"
        )
    return group


async def change(room: Room, principal: Principal, job_id: str, wanted: JobChange) -> None:
    """Write what is new; see `JobService.change`."""
    at, floor = room.now(), room.progress.version(job_id)

    def unit(connection: Connection) -> JobRecord | None:
        before = own(principal, find(connection, job_id), Permission.JOBS_EDIT, "change")
        after = _changed(before, principal, wanted)
        if after == before:
            return None
        after = replace(after, version=max(before.version, floor) + 1)
        jobs.edit(connection, after)
        fields = [name for name in EDITABLE if _value(after, name) != _value(before, name)]
        event = changed_event(after, at, EventName.JOB_EDITED)
        more = {"by": principal.name, "changed": fields, **{name: _value(after, name) for name in fields}}
        facts.add_event(connection, replace(event, data={**event.data, **more}))
        _note(connection, principal, after, "job.edit", at, {"fields": fields})
        return after

    if (record := await room.store.write(unit)) is not None:
        room.outbox.told(job_id, record.job.owner)


def _value(record: JobRecord, name: str) -> object:
    return list(record.job.tags) if name == "tags" else getattr(record, name)


def _changed(record: JobRecord, principal: Principal, wanted: JobChange) -> JobRecord:
    if wanted.name is not UNSET:
        record = replace(record, name=wanted.name)
    if wanted.tags is not UNSET:
        record = replace(record, job=record.job.with_(tags=tuple(dict.fromkeys(wanted.tags))))
    if wanted.project is not UNSET:
        record = replace(record, project=wanted.project)
    if wanted.shared_with is not UNSET and wanted.shared_with != record.shared_with:
        record = replace(record, shared_with=sharing(principal, wanted.shared_with))
    return record


async def delete(room: Room, principal: Principal, job_id: str) -> None:
    """Take the job away; see `JobService.delete`."""
    at = room.now()

    def unit(connection: Connection) -> tuple[JobRecord, str | None]:
        record = own(principal, find(connection, job_id), Permission.JOBS_EDIT, "delete")
        if not record.job.state.final:
            raise Conflict(
                f"Job {job_id} is {record.job.state.status}: cancel it first.",
                code="job_not_final",
                status=record.job.state.status,
            )
        _note(connection, principal, record, "job.delete", at, {"name": record.name})
        return remove(connection, record, at, by=principal.name)

    record, blob = await room.store.write(unit)
    await let_go(room, record, blob)


def remove(connection: Connection, record: JobRecord, at: datetime, *, by: str) -> tuple[JobRecord, str | None]:
    """Delete a final job in the caller's transaction; `let_go` comes after its commit."""
    after, blob = removal.delete_job(connection, record, at)
    event = changed_event(after, at, EventName.JOB_DELETED)
    facts.add_event(connection, replace(event, data={**event.data, "by": by}))
    return after, blob


async def let_go(room: Room, record: JobRecord, blob: str | None) -> None:
    """Tell who watched the job, and free its data. What is cut short here the next start makes good."""
    room.outbox.told(record.id, record.job.owner)
    if blob is not None:
        await discard(room, blob)


async def discard(room: Room, blob: str) -> bool:
    """Free data that no job has as its result any more; whether it is gone."""
    return await room.store.read(lambda c: room.blobs.discard(blob, lambda: removal.blob_in_use(c, blob)))


def _note(
    connection: Connection, principal: Principal, record: JobRecord, action: str, at: datetime, data: dict[str, object]
) -> None:
    """The managers' log has what somebody does to another person's job."""
    owner = record.job.owner
    if principal.name != owner:
        data = {"owner": owner, **data}
        audit.add(connection, AuditRow(at=at, who=principal.name, action=action, subject=f"job:{record.id}", data=data))
