"""What drivers say in their own logs: the last lines of each, kept for whoever operates QPUs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import NotFound
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.frames import MAX_LOG_LINES, MAX_LOG_MESSAGE, MAX_LOG_NAME, Log, LogLevel, LogLine
from qpi_jupyter.wire.telemetry import DriverLog, DriverLogLine
from qpi_server.store import bench, driver_log, facts
from qpi_server.store.driver_log import LogRow
from qpi_server.store.facts import EventRow

from .room import Room

KEPT = 500
"""Lines of each driver."""
BURST = 5
"""Messages that may come at once; after that one a heartbeat, which is how often an honest driver has one."""
_OLDEST = timedelta(days=30)


class DriverLogs:
    """Takes log lines in, about as often as a driver's heart beats, and gives them out.

    They are in the database, so that they outlive both the driver that said them and this server.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._credit: dict[str, tuple[float, float]] = {}
        """When each driver's credit was counted last, and how many messages it was then."""
        self._dropped: Counter[str] = Counter()

    async def heard(self, driver: str, log: Log) -> None:
        """Keep what a driver sent; what comes too fast is only counted."""
        if not log.lines:
            return
        if not self._admit(driver):
            self._dropped[driver] += len(log.lines) + sum(max(0, line.dropped) for line in log.lines)
            return
        excess = max(0, len(log.lines) - MAX_LOG_LINES)
        at = self._room.now()
        rows = [_row(driver, line, at) for line in log.lines[excess:]]
        rows[0] = replace(rows[0], dropped=rows[0].dropped + excess + self._dropped.pop(driver, 0))
        await self._room.store.write(lambda connection: _keep(connection, rows, at))
        self._room.outbox.news(driver)

    async def tail(self, principal: Principal, qpu: str, name: str, *, after: int = 0) -> DriverLog:
        """The last lines of a driver's log after a cursor, oldest first.

        Raises
        ------
        NotFound
            the QPU has no such driver.
        """
        self._room.qpu(qpu)

        def query(connection: Connection) -> list[LogRow]:
            driver = bench.driver_named(connection, name)
            if driver is None or driver.qpu != qpu or driver.revoked_at is not None:
                raise NotFound(f"{qpu} has no driver called {name!r}.", code="unknown_driver")
            return driver_log.after(connection, driver.id, after)

        rows = await self._room.store.read(query)
        return DriverLog(
            lines=[
                DriverLogLine(
                    seq=row.seq, at=row.at, level=cast(LogLevel, row.level), logger=row.logger, message=row.message,
                    dropped=row.dropped,
                )
                for row in rows
            ]
        )  # fmt: skip

    def _admit(self, driver: str) -> bool:
        now_s = self._room.clock.monotonic()
        counted_s, credit = self._credit.get(driver, (now_s, float(BURST)))
        credit = min(BURST, credit + (now_s - counted_s) / self._room.config.heartbeat_s)
        self._credit[driver] = (now_s, credit - 1 if credit >= 1 else credit)
        return credit >= 1


def _keep(connection: Connection, rows: list[LogRow], at: datetime) -> None:
    driver = bench.driver(connection, rows[0].driver)
    if driver is None:
        return
    driver_log.add(connection, rows, KEPT)
    # Of the driver itself, which reads no events: so only those hear it who hear everybody's.
    event = EventRow(kind=EventName.DRIVER_LOGGED, at=at, owner=driver.id, qpu=driver.qpu, data={"driver": driver.name})
    facts.add_event(connection, event)


def _row(driver: str, line: LogLine, now: datetime) -> LogRow:
    """The line as it is kept, whatever its driver's clock says."""
    at = line.at if line.at.tzinfo is not None else line.at.replace(tzinfo=UTC)
    return LogRow(
        driver=driver,
        at=min(max(at, now - _OLDEST), now),
        level=line.level,
        logger=line.logger[:MAX_LOG_NAME],
        message=line.message[:MAX_LOG_MESSAGE],
        dropped=max(0, line.dropped),
    )
