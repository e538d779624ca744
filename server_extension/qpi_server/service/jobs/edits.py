"""What people change of a job beside its state: its name, tags, project and sharing, and that it goes away."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import asdict

from qpi_jupyter.core import Conflict, Permission, Principal
from qpi_jupyter.core.words import counted
from qpi_jupyter.wire.events import JobDeleted, JobEdited
from qpi_jupyter.wire.jobs import JobChange, JobDeletionData, JobEditData
from qpi_server.service.base import Context, Tx
from qpi_server.service.lifecycle import find, job_data, labelled, own
from qpi_server.store import JobRecord, families, jobs, removal


def edit(tx: Tx, principal: Principal, job_id: str, wanted: JobChange, *, floor: int) -> None:
    """Write what is new; see `JobService.change`. ``floor`` is the version that readers have seen in memory."""
    before = own(principal, find(tx.connection, job_id), Permission.JOBS_EDIT, "change")
    labels = labelled(principal, wanted, before.labels)
    new = {name: value for name, value in labels.items() if value != before.labels[name]}
    if not new:
        return
    after = replace(before, labels=labels, version=max(before.version, floor) + 1)
    jobs.edit(tx.connection, after)
    data = JobEditData(**{**asdict(job_data(after)), "by": principal.name, "changed": [*new], **new})
    event = JobEdited(at=tx.at, job_id=job_id, qpu=after.job.qpu, data=data)
    tx.event(event, owner=after.job.owner)
    _note(tx, principal, after, "job.edit", fields=[*new])


def delete(tx: Tx, principal: Principal, job_id: str) -> str | None:
    """Take the job away; see `JobService.delete` and `remove`."""
    record = own(principal, find(tx.connection, job_id), Permission.JOBS_EDIT, "delete")
    status = record.job.state.status
    if not record.job.state.final:
        raise Conflict(f"Job {job_id} is {status}: cancel it first.", code="job_not_final", status=status)
    if record.job.family is not None and (others := families.unfinished(tx.connection, record.job.family)):
        raise Conflict(
            f"Job {job_id} cannot be deleted while others of its family go on ({counted(others, 'job')}): wait for "
            "them, or cancel them.",
            code="family_not_final", jobs=others,
        )  # fmt: skip
    _note(tx, principal, record, "job.delete", name=record.name)
    return remove(tx, record, by=principal.name)


def remove(tx: Tx, record: JobRecord, *, by: str) -> str | None:
    """Delete a final job; the data that `discard` may free after the commit."""
    after, blob = removal.delete_job(tx.connection, record, tx.at)
    data = JobDeletionData(**asdict(job_data(after)), by=by)
    tx.event(JobDeleted(at=tx.at, job_id=after.id, qpu=after.job.qpu, data=data), owner=after.job.owner)
    return blob


async def discard(context: Context, blob: str | None) -> None:
    """Free data, unless a job has it as its result. What is cut short here the next start makes good."""
    if blob is not None:
        await context.db.read(lambda c: context.blobs.discard(blob, lambda: removal.blob_in_use(c, blob)))


def _note(tx: Tx, principal: Principal, record: JobRecord, action: str, **data: object) -> None:
    """The managers' log has what somebody does to another person's job."""
    if principal.name != (owner := record.job.owner):
        tx.audit(principal, action, f"job:{record.id}", owner=owner, **data)
