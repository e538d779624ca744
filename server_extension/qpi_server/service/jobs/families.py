"""The family of a job, as one person may see it."""

from __future__ import annotations

from sqlalchemy import Connection

from qpi_jupyter.core import Principal
from qpi_jupyter.wire.jobs import FamilyJob, FamilyModel
from qpi_server.service.lifecycle import knows_all, relatives
from qpi_server.store import JobRecord, families


def family_of(connection: Connection, principal: Principal, record: JobRecord) -> FamilyModel:
    """The family, with what waits for what; what it cost is for its owner and managers."""
    family = record.job.family
    edges = {} if family is None else families.edges(connection, family)
    sees_all = knows_all(principal, record)
    seen = {other.id: other for other in relatives(connection, principal, record)}

    def told(job_id: str | None) -> bool:
        return sees_all or job_id in seen

    listed = [
        FamilyJob(
            id=other.id,
            name=other.name,
            qpu=other.job.qpu,
            status=other.job.state.status,  # type: ignore[arg-type]  # one of the Literal's words
            phase=other.job.phase,  # type: ignore[arg-type]
            parent=other.parent if told(other.parent) else None,
            after=[needed for needed in edges.get(other.id, []) if told(needed)],
        )
        for other in seen.values()
    ]
    return FamilyModel(jobs=listed, cost_s=families.cost_s(connection, record.job) if sees_all else None)
