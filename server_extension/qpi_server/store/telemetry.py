"""Readings: as they came for a while, then summed up by the minute and by the hour."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Insert, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from qpi_jupyter.core import times

from .prepared import Prepared
from .rows import each, whole
from .schema import channels, readings

log = logging.getLogger(__name__)
MAX_CHANNELS = 10_000
"""Of one QPU; readings of further ones are not kept."""
RAW, MINUTE, HOUR = 0, 60, 3600
WIDTHS = (RAW, MINUTE, HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one channel of a QPU; ``calibration`` marks what its manifest says."""

    qpu: str
    name: str
    value: float | None
    unit: str
    at: datetime
    calibration: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    id: int
    qpu: str
    name: str
    unit: str
    calibration: bool
    value: float | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The readings of an interval that begins at ``at``."""

    at: datetime
    n: int
    total: float
    lowest: float
    highest: float


def all_channels(connection: Connection, qpu: str) -> list[ChannelRow]:
    """What a QPU has readings of, by name."""
    query = select(channels).where(channels.c.qpu == qpu).order_by(channels.c.name)
    return list(each(connection.execute(query), whole(ChannelRow)))


_FIND = Prepared(select(channels.c.id).where(channels.c.qpu == bindparam("on"), channels.c.name == bindparam("called")))
_TOUCH = Prepared(update(channels).where(channels.c.id == bindparam("this")))


def _adding(new: sqlite.Insert | postgresql.Insert) -> Insert:
    """A reading into its point, which may be there."""
    was, came = readings.c, new.excluded
    return new.on_conflict_do_update(
        index_elements=[was.channel, was.width_s, was.at],
        set_={
            "n": was.n + came.n,
            "total": was.total + came.total,
            "lowest": case((came.lowest < was.lowest, came.lowest), else_=was.lowest),
            "highest": case((came.highest > was.highest, came.highest), else_=was.highest),
        },
    )


_ADD = {
    "sqlite": Prepared(_adding(sqlite.insert(readings))),
    "postgresql": Prepared(_adding(postgresql.insert(readings))),
}
"""By the name of a dialect: the standard has no words for it."""


def add(connection: Connection, samples: Iterable[Sample]) -> None:
    """Keep samples, each raw and in its minute and hour."""
    full: dict[str, bool] = {}
    for sample in samples:
        channel = _touch(connection, sample, full)
        if sample.value is None or channel is None:
            continue
        for width_s in (RAW,) if sample.calibration else WIDTHS:
            at = _milliseconds(sample.at)
            start = at - at % (1000 * width_s) if width_s else at
            _ADD[connection.dialect.name].run(
                connection, channel=channel, width_s=width_s, at=start, n=1, total=sample.value, lowest=sample.value,
                highest=sample.value,
            )  # fmt: skip


_COUNT = select(func.count()).where(channels.c.qpu == bindparam("on"))


def _touch(connection: Connection, sample: Sample, full: dict[str, bool]) -> int | None:
    """The channel's id, with its newest value noted; None for a new one of a QPU that is full."""
    found = _FIND.scalar(connection, on=sample.qpu, called=sample.name)
    if found is None:
        if full.get(sample.qpu) is None:
            # Counted once for each batch, which cannot add many more.
            full[sample.qpu] = connection.execute(_COUNT, {"on": sample.qpu}).scalar_one() >= MAX_CHANNELS
            if full[sample.qpu]:
                log.warning("%s has %d channels: new ones are not kept (%r)", sample.qpu, MAX_CHANNELS, sample.name)
        if full[sample.qpu]:
            return None
        row = {
            "qpu": sample.qpu, "name": sample.name, "unit": sample.unit, "calibration": sample.calibration,
            "value": sample.value, "at": sample.at,
        }  # fmt: skip
        made = connection.execute(insert(channels), row)
        assert made.inserted_primary_key is not None
        return int(made.inserted_primary_key[0])
    _TOUCH.run(
        connection, this=found, value=sample.value, at=sample.at, unit=sample.unit, calibration=sample.calibration
    )  # fmt: skip
    return int(found)


def series(connection: Connection, channel: int, width_s: int, start: datetime, end: datetime) -> list[Point]:
    """The points of a channel in ``[start, end)``, oldest first."""
    query = (
        select(readings)
        .where(
            readings.c.channel == channel,
            readings.c.width_s == width_s,
            readings.c.at >= _milliseconds(start),
            readings.c.at < _milliseconds(end),
        )
        .order_by(readings.c.at)
    )
    return [
        Point(at=_moment(row.at), n=row.n, total=row.total, lowest=row.lowest, highest=row.highest)
        for row in connection.execute(query)
    ]


def prune(connection: Connection, width_s: int, before: datetime, limit: int) -> int:
    """Forget up to ``limit`` of the oldest points of a width; how many it was. Calibrations are kept."""
    old = (
        select(readings.c.channel, readings.c.at)
        .join(channels, channels.c.id == readings.c.channel)
        .where(readings.c.width_s == width_s, readings.c.at < _milliseconds(before), channels.c.calibration.is_(False))
        .order_by(readings.c.at)
        .limit(limit)
    )
    rows = connection.execute(old).all()
    one = delete(readings).where(
        readings.c.channel == bindparam("this"), readings.c.width_s == width_s, readings.c.at == bindparam("when")
    )
    if rows:
        connection.execute(one, [{"this": channel, "when": at} for channel, at in rows])
    return len(rows)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return times.nearest(milliseconds / 1000)
