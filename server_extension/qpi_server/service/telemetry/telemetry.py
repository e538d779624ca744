"""What QPUs say of themselves: kept as it came for a day, by the minute for a month, by the hour for years."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from qpi_jupyter.core import NotFound, Principal, Rejected, existing
from qpi_jupyter.wire.frames import Reading
from qpi_jupyter.wire.telemetry import ChannelList, ChannelModel, Series, SeriesPoint
from qpi_server.service.base import Context, Timers, Tx
from qpi_server.service.links import Links
from qpi_server.store import HOUR, MINUTE, RAW, ChannelRow, Point, Sample, telemetry
from qpi_server.store.load import loads

FLUSH_S = 10.0
"""How long readings wait for others before they are written; `TelemetryService` shows them meanwhile."""
KEPT = {RAW: timedelta(days=1), MINUTE: timedelta(days=31), HOUR: timedelta(days=3 * 366)}
_PRUNE_ROWS = 2_000
MAX_POINTS = 5_000
LOAD = "lab/"
"""Channels of the lab's own: how many jobs wait and run, and the share of the places that is taken."""
WRITE = "write telemetry"


class TelemetryService:
    """Takes readings in and gives them out as series."""

    def __init__(self, context: Context, links: Links) -> None:
        self._context, self._links = context, links
        self._buffer: list[Sample] = []
        self._timers = Timers(context.clock)
        self._counted_s = -math.inf

    def heard(self, qpu: str, readings: Sequence[Reading]) -> None:
        """Take what came with a heartbeat; its frame has bounds for all of it."""
        at = self._context.now()
        for reading in readings:
            sample = Sample(qpu=qpu, name=reading.channel, value=reading.value, unit=reading.unit, at=at)
            self._buffer.append(sample)
        if self._buffer and WRITE not in self._timers:
            self._timers.after(FLUSH_S, WRITE, lambda: self._context.tasks.start(self.flush(), WRITE))

    async def channels(self, principal: Principal, qpu: str) -> ChannelList:
        """Every channel with its newest reading.

        Raises
        ------
        NotFound
            there is no such QPU.
        """
        self._context.qpus.get(qpu)
        rows = await self._context.db.read(lambda connection: telemetry.all_channels(connection, qpu))
        newest = {row.name: _channel(row) for row in rows}
        for sample in self._buffered(qpu):
            newest[sample.name] = ChannelModel(
                name=sample.name, unit=sample.unit, calibration=False, value=sample.value, at=sample.at
            )
        return ChannelList(channels=[newest[name] for name in sorted(newest)])

    async def series(
        self,
        principal: Principal,
        qpu: str,
        name: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        points: int = 500,
    ) -> Series:
        """A channel over time: the finest steps that the interval still has and that give about ``points``."""
        now = self._context.now()
        end = end or now + timedelta(milliseconds=1)  # what was measured just now, too
        start = start or end - timedelta(hours=1)
        if start >= end:
            raise Rejected("start must be before end.", code="bad_query", field="start")
        self._context.qpus.get(qpu)
        await self.flush()

        def query(connection: Connection) -> Series:
            row = existing(
                next((row for row in telemetry.all_channels(connection, qpu) if row.name == name), None),
                NotFound(f"{qpu} has no channel {name!r}.", code="unknown_channel"),
            )
            width_s = RAW if row.calibration else _width(start, end, now, points)
            found = [p for p in telemetry.series(connection, row.id, width_s, start, end) if math.isfinite(p.total)]
            thinned = list(_thin(found, points))
            step_s = float(width_s) if len(thinned) == len(found) else (end - start).total_seconds() / points
            return Series(qpu=qpu, name=name, unit=row.unit, width_s=step_s, points=thinned)

        return await self._context.db.search(principal, query, narrow="Choose a shorter time between start and end.")

    async def flush(self) -> None:
        """Write what waits."""
        samples, self._buffer = self._buffer, []
        self._timers.cancel(WRITE)
        if not samples:
            return
        places = self._places()

        def unit(tx: Tx) -> None:
            telemetry.add(tx.connection, samples)
            telemetry.add(tx.connection, _load(tx.connection, places, tx.at))
            for width_s, kept in KEPT.items():
                telemetry.prune(tx.connection, width_s, tx.at - kept, _PRUNE_ROWS)

        await self._context.db.write(unit)

    def _places(self) -> dict[str, int]:
        """The places of every QPU, if its queue is to be noted: every `FLUSH_S`, however often somebody looks."""
        moment_s = self._context.clock.monotonic()
        if moment_s - self._counted_s < FLUSH_S:
            return {}
        self._counted_s = moment_s
        return {name: self._links.places(name) for name in self._context.qpus.names}

    def _buffered(self, qpu: str) -> Iterator[Sample]:
        return (sample for sample in self._buffer if sample.qpu == qpu)


def _load(connection: Connection, places: Mapping[str, int], at: datetime) -> Iterator[Sample]:
    """The queue of the QPUs of which ``places`` tells how many they have; without any, no share is taken."""
    for qpu, load in loads(connection).items() if places else ():
        there = places.get(qpu, 0)
        taken = 100.0 * min(1.0, load.running / there) if there else None
        for name, value, unit in (
            ("queued", float(load.waiting), ""),
            ("running", float(load.running), ""),
            ("utilisation", taken, "%"),
        ):
            yield Sample(qpu=qpu, name=f"{LOAD}{name}", value=value, unit=unit, at=at)


def _width(start: datetime, end: datetime, now: datetime, points: int) -> int:
    """The finest width that still reaches back to ``start`` and gives no more than a few times ``points``."""
    span_s = (end - start).total_seconds()
    for width_s in (RAW, MINUTE):
        if now - start <= KEPT[width_s] and span_s / (width_s or 2) <= 8 * points:
            return width_s
    return HOUR


def _thin(found: Sequence[Point], points: int) -> Iterator[SeriesPoint]:
    """Neighbours together, so that about ``points`` are left; extremes are kept."""
    step = max(1, math.ceil(len(found) / points))
    for first in range(0, len(found), step):
        yield _point(found[first : first + step])


def _point(group: Iterable[Point]) -> SeriesPoint:
    group = list(group)
    n = sum(point.n for point in group)
    return SeriesPoint(
        at=group[0].at.astimezone(UTC),
        mean=sum(point.total for point in group) / n,
        lowest=min(point.lowest for point in group),
        highest=max(point.highest for point in group),
        n=n,
    )


def _channel(row: ChannelRow) -> ChannelModel:
    return ChannelModel(name=row.name, unit=row.unit, calibration=row.calibration, value=row.value, at=row.at)
