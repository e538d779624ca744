"""What drivers say in their own logs: the last lines of each, kept for whoever operates QPUs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Connection

from qpi_jupyter.core import NotFound, Principal, bounds
from qpi_jupyter.wire.events import DriverLogData, DriverLogged
from qpi_jupyter.wire.frames import MAX_LOG_MESSAGE, MAX_LOG_NAME, Log, LogLevel, LogLine
from qpi_jupyter.wire.telemetry import DriverLog, DriverLogLine
from qpi_server.service.base import DRIVER_BURST, MANAGERS, Context, Rates, Tx
from qpi_server.store import LogRow, bench, driver_log

KEPT = 500
"""Lines of each driver."""
_MOST_DROPPED = 10**9
_OLDEST = timedelta(days=30)


class DriverLogs:
    """Takes log lines in, about as often as a driver's heart beats, and gives them out.

    They are in the database, so that they outlive both the driver that said them and this server.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pace = Rates(context.clock, per_s=1 / context.config.heartbeat_s, burst=DRIVER_BURST)
        self._dropped: Counter[str] = Counter()

    async def heard(self, driver: str, log: Log) -> None:
        """Keep what a driver sent; what comes too fast is only counted."""
        if not log.lines:
            return
        if not self._pace.admit(driver):
            self._dropped[driver] += len(log.lines) + sum(line.dropped for line in log.lines)
            return
        at = self._context.now()
        rows = [_row(driver, line, at) for line in log.lines]
        dropped = rows[0].dropped + self._dropped.pop(driver, 0)
        rows[0] = replace(rows[0], dropped=min(dropped, _MOST_DROPPED))
        await self._context.db.write(lambda tx: _keep(tx, rows), at=at)

    async def tail(self, principal: Principal, qpu: str, name: str, *, after: int = 0) -> DriverLog:
        """The last lines of a driver's log after a cursor, oldest first.

        Raises
        ------
        NotFound
            the QPU has no such driver.
        """
        self._context.qpus.get(qpu)

        def query(connection: Connection) -> list[LogRow]:
            driver = bench.driver_named(connection, name)
            if driver is None or driver.qpu != qpu or driver.revoked_at is not None:
                raise NotFound(f"{qpu} has no driver called {name!r}.", code="unknown_driver")
            return driver_log.after(connection, driver.id, after)

        rows = await self._context.db.read(query)
        return DriverLog(
            lines=[
                DriverLogLine(
                    seq=row.seq, at=row.at, level=cast(LogLevel, row.level), logger=row.logger, message=row.message,
                    dropped=row.dropped,
                )
                for row in rows
            ]
        )  # fmt: skip


def _keep(tx: Tx, rows: list[LogRow]) -> None:
    driver = bench.driver(tx.connection, rows[0].driver)
    if driver is None:
        return
    driver_log.add(tx.connection, rows, KEPT)
    tx.event(DriverLogged(at=tx.at, qpu=driver.qpu, data=DriverLogData(driver=driver.name)), owner=MANAGERS)


def _row(driver: str, line: LogLine, now: datetime) -> LogRow:
    """The line as it is kept, whatever its driver's clock says."""
    at = line.at if line.at.tzinfo is not None else line.at.replace(tzinfo=UTC)
    return LogRow(
        driver=driver,
        at=min(max(at, now - _OLDEST), now),
        level=line.level,
        logger=bounds.readable(line.logger, MAX_LOG_NAME),
        message=bounds.readable(line.message, MAX_LOG_MESSAGE),
        dropped=line.dropped,
    )
