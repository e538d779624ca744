"""What QPUs say of themselves: kept as it came for a day, by the minute for a month, by the hour for years."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.wire.frames import Reading
from qpi_jupyter.wire.telemetry import ChannelList, ChannelModel, Series, SeriesPoint
from qpi_server.store import bench, telemetry
from qpi_server.store.telemetry import HOUR, MINUTE, RAW, ChannelRow, Point, Sample

from .clock import Timer
from .room import Room
from .sessions import Sessions

FLUSH_S = 10.0
"""How long readings wait for others before they are written; `TelemetryService` shows them meanwhile."""
KEPT = {RAW: timedelta(days=1), MINUTE: timedelta(days=31), HOUR: timedelta(days=3 * 366)}
_PRUNE_ROWS = 2_000
MAX_READINGS = 256
"""In one heartbeat."""
MAX_POINTS = 5_000
LOAD = "lab/"
"""Channels of the lab's own: how many jobs wait and run, and the share of the places that is taken."""
_NAME, _UNIT = 128, 16


class TelemetryService:
    """Takes readings in and gives them out as series."""

    def __init__(self, room: Room, sessions: Sessions) -> None:
        self._room, self._sessions = room, sessions
        self._buffer: list[Sample] = []
        self._timer: Timer | None = None
        self._counted_s = -math.inf

    def heard(self, qpu: str, readings: Sequence[Reading]) -> None:
        """Take what came with a heartbeat; what makes no sense is left out."""
        at = self._room.now()
        for reading in readings[:MAX_READINGS]:
            value = reading.value
            if not reading.channel or (value is not None and not math.isfinite(value)):
                continue
            name, unit = reading.channel[:_NAME], reading.unit[:_UNIT]
            self._buffer.append(Sample(qpu=qpu, name=name, value=value, unit=unit, at=at))
        if self._buffer and self._timer is None:
            self._timer = self._room.clock.call_at(self._room.clock.monotonic() + FLUSH_S, self._due)

    async def calibrated(self, qpu: str) -> None:
        """Keep what changed in a QPU's calibration since its last driver said hello."""
        manifest, at = self._room.qpu(qpu).manifest, self._room.now()
        said = [] if manifest is None else list(calibration(manifest))
        if not said:
            return

        def unit(connection: Connection) -> None:
            known = {row.name: row.value for row in telemetry.all_channels(connection, qpu)}
            fresh = (
                Sample(qpu=qpu, name=name, value=value, unit=unit_, at=at, calibration=True)
                for name, value, unit_ in said
                if known.get(name) != value
            )
            telemetry.add(connection, fresh)

        await self._room.store.write(unit)

    async def channels(self, principal: Principal, qpu: str) -> ChannelList:
        """Every channel with its newest reading.

        Raises
        ------
        NotFound
            there is no such QPU.
        """
        self._room.qpu(qpu)
        rows = await self._room.store.read(lambda connection: telemetry.all_channels(connection, qpu))
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
        now = self._room.now()
        end = end or now + timedelta(milliseconds=1)  # what was measured just now, too
        start = start or end - timedelta(hours=1)
        if start.tzinfo is None or end.tzinfo is None or start >= end:
            raise Rejected("start and end carry a time zone, and start comes first.", code="bad_query", field="start")
        self._room.qpu(qpu)
        await self.flush()

        def query(connection: Connection) -> Series:
            row = next((row for row in telemetry.all_channels(connection, qpu) if row.name == name), None)
            if row is None:
                raise NotFound(f"{qpu} has no channel {name!r}.", code="unknown_channel")
            width_s = RAW if row.calibration else _width(start, end, now, points)
            found = telemetry.series(connection, row.id, width_s, start, end)
            thinned = list(_thin(found, points))
            step_s = float(width_s) if len(thinned) == len(found) else (end - start).total_seconds() / points
            return Series(qpu=qpu, name=name, unit=row.unit, width_s=step_s, points=thinned)

        return await self._room.store.read(query)

    async def flush(self) -> None:
        """Write what waits."""
        samples, self._buffer = self._buffer, []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not samples:
            return
        now, places = self._room.now(), self._places()

        def unit(connection: Connection) -> None:
            telemetry.add(connection, samples)
            telemetry.add(connection, _load(connection, places, now))
            for width_s, kept in KEPT.items():
                telemetry.prune(connection, width_s, now - kept, _PRUNE_ROWS)

        await self._room.store.write(unit)

    def _places(self) -> dict[str, int]:
        """The places of every QPU, if its queue is to be noted: every `FLUSH_S`, however often somebody looks."""
        moment_s = self._room.clock.monotonic()
        if moment_s - self._counted_s < FLUSH_S:
            return {}
        self._counted_s = moment_s
        return {name: self._sessions.places(name) for name in self._room.qpus}

    def _due(self) -> None:
        self._timer = None
        self._room.outbox.tasks.start(self.flush(), "write telemetry")

    def _buffered(self, qpu: str) -> Iterator[Sample]:
        return (sample for sample in self._buffer if sample.qpu == qpu)


def _load(connection: Connection, places: Mapping[str, int], at: datetime) -> Iterator[Sample]:
    """The queue of the QPUs of which ``places`` tells how many they have; without any, no share is taken."""
    for row in bench.all_qpus(connection) if places else ():
        there = places.get(row.name, 0)
        taken = 100.0 * min(1.0, row.running / there) if there else None
        for name, value, unit in (
            ("queued", float(row.queued), ""),
            ("running", float(row.running), ""),
            ("utilisation", taken, "%"),
        ):
            yield Sample(qpu=row.name, name=f"{LOAD}{name}", value=value, unit=unit, at=at)


def calibration(manifest: Manifest) -> Iterator[tuple[str, float, str]]:
    """Name, value and unit of every calibrated figure: ``q0/t1``, ``cx/0-1/error``."""
    for index, qubit in enumerate(manifest.qubits):
        for name, value, unit in (
            ("t1", qubit.t1_s, "s"),
            ("t2", qubit.t2_s, "s"),
            ("frequency", qubit.frequency_hz, "Hz"),
            ("readout_error", qubit.readout_error, ""),
        ):
            if value is not None:
                yield f"q{index}/{name}", value, unit
    for gate in manifest.gates:
        where = "-".join(map(str, gate.qubits))
        if gate.error is not None:
            yield f"{gate.gate}/{where}/error", gate.error, ""
        if gate.duration_s is not None:
            yield f"{gate.gate}/{where}/duration", gate.duration_s, "s"


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
