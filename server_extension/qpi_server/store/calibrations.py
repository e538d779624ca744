"""Calibrations of QPUs: a row whenever one says that it has another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from .rows import each, first, whole
from .schema import calibrations


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRow:
    """One calibration; ``figures`` are lists of quantity, qubits, value and gate (JSON)."""

    qpu: str
    calibration_id: str
    at: datetime
    config_sha256: str = ""
    figures: Sequence[Sequence[Any]] = field(default_factory=list)
    seq: int = 0


_OLDEST_KEPT = (
    select(calibrations.c.seq)
    .where(calibrations.c.qpu == bindparam("on"))
    .order_by(calibrations.c.seq.desc())
    .limit(1)
    .offset(bindparam("behind"))
)


def newest(connection: Connection, qpu: str) -> CalibrationRow | None:
    """The present calibration of a QPU."""
    query = select(calibrations).where(calibrations.c.qpu == qpu).order_by(calibrations.c.seq.desc()).limit(1)
    return first(connection, query, whole(CalibrationRow))


def known(connection: Connection, qpu: str, calibration_id: str) -> bool:
    """Whether the QPU has, or had, this calibration, as far as it is kept."""
    query = select(calibrations.c.seq).where(
        calibrations.c.qpu == qpu, calibrations.c.calibration_id == calibration_id
    )  # fmt: skip
    return connection.execute(query.limit(1)).first() is not None


def find(connection: Connection, qpu: str, calibration_id: str) -> CalibrationRow | None:
    """A calibration of a QPU, as far as it is kept."""
    query = (
        select(calibrations)
        .where(calibrations.c.qpu == qpu, calibrations.c.calibration_id == calibration_id)
        .order_by(calibrations.c.seq.desc())
        .limit(1)
    )
    return first(connection, query, whole(CalibrationRow))


def add(connection: Connection, row: CalibrationRow, *, keep: int, since: datetime) -> None:
    """Append a calibration, and forget those of its QPU from before ``since`` and all but the last ``keep``."""
    values = {"qpu": row.qpu, "calibration_id": row.calibration_id, "at": row.at, "config_sha256": row.config_sha256}
    connection.execute(insert(calibrations).values(**values, figures=row.figures))
    oldest = connection.execute(_OLDEST_KEPT, {"on": row.qpu, "behind": keep - 1}).scalar()
    newest_seq = select(func.max(calibrations.c.seq)).where(calibrations.c.qpu == row.qpu).scalar_subquery()
    old = (calibrations.c.at < since) | (calibrations.c.seq < (oldest or 0))
    connection.execute(delete(calibrations).where(calibrations.c.qpu == row.qpu, old, calibrations.c.seq < newest_seq))


def page(
    connection: Connection, qpu: str, *, start: datetime | None, end: datetime | None, before: int | None, limit: int
) -> Iterator[CalibrationRow]:
    """Up to ``limit`` calibrations in ``[start, end)`` below the ``seq`` of ``before``, newest first."""
    query = select(calibrations).where(calibrations.c.qpu == qpu)
    if start is not None:
        query = query.where(calibrations.c.at >= start)
    if end is not None:
        query = query.where(calibrations.c.at < end)
    if before is not None:
        query = query.where(calibrations.c.seq < before)
    return each(connection.execute(query.order_by(calibrations.c.seq.desc()).limit(limit)), whole(CalibrationRow))
