"""A new job that waits for others joins their family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Forbidden, JobState, Principal, families
from qpi_server.service.lifecycle import find, visible
from qpi_server.store import JobRecord
from qpi_server.store import families as rows


@dataclass(frozen=True, slots=True)
class Needs:
    """What a new job of ``principal`` waits for; its children are a part of it."""

    principal: Principal
    after: Sequence[str]
    children: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.after or self.children)

    def enter(self, connection: Connection, record: JobRecord) -> tuple[JobRecord, list[JobRecord]]:
        """The new job as one of a family, blocked unless all that it needs is done; and what that is.

        Raises
        ------
        NotFound, Forbidden
            there is no such job, or it is somebody else's.
        Conflict
            one of them has no result, or is another job's child.
        TooLarge
            the family would have too many jobs.
        """
        ids = dict.fromkeys((*self.after, *self.children))
        found = rows.named(connection, ids)
        needed = [self._own(found.get(job_id) or find(connection, job_id)) for job_id in ids]
        for child in self.children:
            if (parent := found[child].parent) is not None:
                message = f"Job {child} is a child of job {parent} already: name it in after instead."
                raise Conflict(message, code="has_parent", job_id=child)
        count = families.waits_for(other.job for other in needed)
        together = {other.job.family for other in needed if other.job.family is not None}
        alone = sum(other.job.family is None for other in needed)
        families.require_size(rows.size(connection, together) + alone + 1)
        state = JobState.BLOCKED if count else JobState.QUEUED
        job = record.job.with_(state=state, waits_for=count, family=min(together, default=needed[0].id))
        return replace(record, job=job), needed

    def _own(self, other: JobRecord) -> JobRecord:
        visible(self.principal, other)
        if other.job.owner != self.principal.name:
            raise Forbidden(
                f"Job {other.id} belongs to {other.job.owner}: your jobs can only wait for your own.", code="not_yours"
            )
        return other
