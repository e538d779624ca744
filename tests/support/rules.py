"""Writes what the lab's rules are about straight into a lab's database, as a service that did it before would have."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from qpi_server.service import Lab
from qpi_server.service.base import Wake
from qpi_server.store import schema


async def book(lab: Lab, by: str, start_s: float, end_s: float, *, qpu: str = "q1", **fields: Any) -> str:
    """A booking, in seconds from now; its id."""
    now = lab.context.now()
    row = {
        "id": f"bkg-{by}-{qpu}-{start_s:g}",
        "qpu": qpu,
        "booked_by": by,
        "start_at": now + timedelta(seconds=start_s),
        "end_at": now + timedelta(seconds=end_s),
        "mode": "exclusive",
        "status": "booked",
        "invited": [],
        "created_at": now,
        "changed_at": now,
        **fields,
    }
    await lab.context.db.store.write(lambda connection: connection.execute(insert(schema.bookings), row) and None)
    lab.context.commits.tell([Wake(qpu)])
    return str(row["id"])


async def rows(lab: Lab, table: str) -> list[dict[str, Any]]:
    """Everything in a table."""
    query = select(schema.metadata.tables[table])
    return await lab.context.db.read(lambda connection: [dict(row._mapping) for row in connection.execute(query)])


def moment(lab: Lab) -> datetime:
    return lab.context.now()
