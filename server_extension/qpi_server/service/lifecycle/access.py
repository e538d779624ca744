"""Which jobs somebody may see and change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET
from msgspec.structs import asdict
from sqlalchemy import Connection

from qpi_jupyter.core import Forbidden, NotFound, Permission, Principal, Rejected, allows, existing, may_read_job
from qpi_jupyter.wire.jobs import LABELS, JobChange, JobLabels
from qpi_jupyter.wire.rest import JobError
from qpi_server.store import JobRecord, families, jobs

NO_LABELS: Mapping[str, Any] = asdict(JobLabels())


def find(connection: Connection, job_id: str) -> JobRecord:
    """The job's row.

    Raises
    ------
    NotFound
        there is none.
    """
    record = existing(jobs.find(connection, job_id), _unknown(job_id))
    return record


def visible(principal: Principal, record: JobRecord) -> JobRecord:
    """The job, if ``principal`` may read it; somebody else's private one is as good as none.

    Raises
    ------
    NotFound
        they may not.
    """
    if not may_read_job(principal, owner=record.job.owner, shared_with=record.shared_with):
        raise _unknown(record.id)
    return record


def relatives(connection: Connection, principal: Principal, record: JobRecord) -> Sequence[JobRecord]:
    """The jobs of a family that ``principal`` may read, oldest first; the job alone where it has none."""
    if record.job.family is None:
        return [record]
    found = families.members(connection, record.job.family)
    return [one for one in found if may_read_job(principal, owner=one.job.owner, shared_with=one.shared_with)]


def knows_all(principal: Principal, record: JobRecord) -> bool:
    """Whether the job is one's own, or everybody's are: what it cost and what it hangs together with is for these."""
    return record.job.owner == principal.name or allows(principal, Permission.JOBS_READ_ANY)


def kin(connection: Connection, principal: Principal, record: JobRecord) -> tuple[str | None, str | None]:
    """The job's family and its parent, as far as ``principal`` sees others of it: their ids are jobs' own."""
    if record.job.family is None or knows_all(principal, record):
        return record.job.family, record.parent
    seen = {one.id for one in relatives(connection, principal, record)}
    family = record.job.family
    return family if family in seen else None, record.parent if record.parent in seen else None


def told(connection: Connection, principal: Principal, record: JobRecord, error: JobError | None) -> JobError | None:
    """Why the job ended, without what another job says that ``principal`` does not see."""
    cause = None if error is None else error.data.get("job_id")
    if error is None or cause in (None, record.id) or knows_all(principal, record):
        return error
    other = jobs.find(connection, str(cause))
    if other is not None and may_read_job(principal, owner=other.job.owner, shared_with=other.shared_with):
        return error
    return JobError(kind=error.kind, code=error.code, message="Another job of its owner did not complete.")


def own(principal: Principal, record: JobRecord, permission: Permission, what: str) -> JobRecord:
    """The job, if ``principal`` may do ``what`` with it.

    Raises
    ------
    NotFound, Forbidden
        they may not even see it; they only may see it.
    """
    visible(principal, record)
    if not allows(principal, permission, record.job.owner):
        raise Forbidden(
            f"Job {record.id} belongs to {record.job.owner}: you don't have permission to {what} it.", code="not_yours"
        )
    return record


def labelled(
    principal: Principal, wanted: JobLabels | JobChange, before: Mapping[str, Any] = NO_LABELS
) -> dict[str, Any]:
    """The labels of a job that had those of ``before``; what ``wanted`` leaves out stays.

    Raises
    ------
    Rejected
        the group that it is to be shared with is not one of the asker's own.
    """
    given = {name: value for name in LABELS if (value := getattr(wanted, name)) is not UNSET}
    labels = {**before, **given}
    labels["tags"] = list(dict.fromkeys(labels["tags"]))
    group = labels["shared_with"]
    if group is not None and group != before["shared_with"] and group not in principal.groups:
        yours = ", ".join(sorted(principal.groups)) or "none"
        raise Rejected(
            f"You are not in a group called {group!r}; yours: {yours}.", code="not_your_group", field="shared_with"
        )
    return labels


def _unknown(job_id: str) -> NotFound:
    return NotFound(f"There is no job {job_id!r}, or it is not yours.", code="unknown_job")
