"""The last lines of each driver's own log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select

from .rows import each, whole
from .schema import driver_log


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line; ``dropped`` lines before it were left out."""

    driver: str
    at: datetime
    level: str
    logger: str
    message: str
    dropped: int = 0
    seq: int = 0


_ADD = insert(driver_log)
_OLDEST_KEPT = (
    select(driver_log.c.seq)
    .where(driver_log.c.driver == bindparam("whose"))
    .order_by(driver_log.c.seq.desc())
    .limit(1)
    .offset(bindparam("behind"))
)


def add(connection: Connection, rows: Sequence[LogRow], keep: int) -> None:
    """Append lines of one driver, and forget all but its last ``keep``."""
    fields = ("driver", "at", "level", "logger", "message", "dropped")
    connection.execute(_ADD, [{name: getattr(row, name) for name in fields} for row in rows])
    driver = rows[0].driver
    oldest = connection.execute(_OLDEST_KEPT, {"whose": driver, "behind": keep - 1}).scalar()
    if oldest is not None:
        connection.execute(delete(driver_log).where(driver_log.c.driver == driver, driver_log.c.seq < oldest))


def after(connection: Connection, driver: str, seq: int) -> list[LogRow]:
    """The lines of a driver after ``seq``, oldest first."""
    query = select(driver_log).where(driver_log.c.driver == driver, driver_log.c.seq > seq).order_by(driver_log.c.seq)
    return list(each(connection.execute(query), whole(LogRow)))
