"""Rows of plans. Whoever plans the same for the same QPUs again gets the same row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from .rows import first, whole
from .schema import plan_jobs, plans


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """A plan of its owner's; ``doc`` is `qpi_jupyter.core.plans.Plan` as JSON."""

    plan_id: str
    owner: str
    doc: dict[str, Any]
    created_at: datetime


_SEEN = (plans.c.plan_id, plans.c.owner, plans.c.doc, plans.c.created_at)


def _is(owner: str, plan_id: str) -> tuple[Any, Any]:  # Any: SQLAlchemy's comparisons
    return plans.c.plan_id == plan_id, plans.c.owner == owner


def find(connection: Connection, owner: str, plan_id: str) -> PlanRow | None:
    """The plan of that id, if it is theirs."""
    return first(connection, select(*_SEEN).where(*_is(owner, plan_id)), whole(PlanRow))


def choices(connection: Connection, owner: str, plan_id: str, fragment: int) -> Any | None:
    """The QPUs of one fragment (JSON), as they stand in the plan of that id, if it is theirs."""
    query = select(plans.c.doc["fragments", fragment, "choices"]).where(*_is(owner, plan_id))
    return connection.execute(query).scalar()


def parts(connection: Connection, owner: str, plan_id: str) -> bytes | None:
    """What the fragments run and how their results are put together, as `add` was given it."""
    found: bytes | None = connection.execute(select(plans.c.parts).where(*_is(owner, plan_id))).scalar()
    return found


def add(connection: Connection, row: PlanRow, parts: bytes, *, keep: int) -> None:
    """Write a plan, or note that it was made again; of its owner's that no job runs, only the newest are kept."""
    again = update(plans).where(*_is(row.owner, row.plan_id)).values(created_at=row.created_at)
    if connection.execute(again).rowcount == 0:
        values = {"plan_id": row.plan_id, "owner": row.owner, "doc": row.doc, "created_at": row.created_at}
        connection.execute(insert(plans).values(**values, parts=parts))
    runs = exists().where(plan_jobs.c.plan_id == plans.c.plan_id, plan_jobs.c.owner == plans.c.owner)
    idle = select(plans.c.plan_id).where(plans.c.owner == row.owner, ~runs)
    old = connection.execute(idle.order_by(plans.c.created_at.desc(), plans.c.plan_id).offset(keep)).scalars().all()
    if old:
        connection.execute(delete(plans).where(plans.c.owner == row.owner, plans.c.plan_id.in_(old)))
