"""A driver's log: kept, bounded, for operators only, and told by an event that nobody else hears."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from qpi_jupyter.core.errors import NotFound
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.events import DriverLogData, LabEvent
from qpi_jupyter.wire.frames import MAX_LOG_LINES, Log, LogLine
from qpi_server.service import Lab
from qpi_server.service.base import DRIVER_BURST
from qpi_server.service.telemetry import KEPT
from tests.faults.lab import ADMIN, ANN, FrozenClock, ScriptedDriver, open_lab, small_lab

HEARTBEAT_S = 2.0


def line(message: str, at: datetime, **fields: object) -> LogLine:
    return LogLine(**{"at": at, "level": "info", "logger": "qpi_agent.link", "message": message, **fields})


async def say(driver: ScriptedDriver, *lines: LogLine) -> None:
    await driver.peer.publish(frames.LOG, Log(epoch=driver.epoch, lines=list(lines)))


async def told(lab: Lab, after: int = 0) -> list[LabEvent]:
    page = await lab.events.page(ADMIN, after=after)
    return [event for event in page.events if event.kind == "driver.logged"]


def test_lines_are_read_in_their_order_and_after_a_cursor(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            assert (await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines == []
            await say(driver, line("linked", clock.now()), line("hm", clock.now(), level="warning", dropped=3))
            first, second = (await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines
            assert (first.message, first.level, first.logger) == ("linked", "info", "qpi_agent.link")
            assert (second.level, second.dropped) == ("warning", 3)
            assert (await lab.driver_logs.tail(ADMIN, "q1", "d1", after=first.seq)).lines == [second]
            for qpu, name in (("q1", "nobody"), ("nowhere", "d1")):
                with pytest.raises(NotFound):
                    await lab.driver_logs.tail(ADMIN, qpu, name)
            await lab.bench.revoke(ADMIN, "d1")
            with pytest.raises(NotFound):
                await lab.driver_logs.tail(ADMIN, "q1", "d1")

    asyncio.run(dialogue())


def test_the_event_of_a_log_is_heard_by_who_reads_everybodys_alone(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            waiting = asyncio.create_task(lab.events.page(ADMIN, after=(await lab.events.newest()).cursor, wait_s=60))
            await asyncio.sleep(0)
            await say(driver, line("ann's job failed", clock.now()))
            [event] = (await waiting).events
            assert (event.kind, event.qpu, event.data) == ("driver.logged", "q1", DriverLogData(driver="d1"))
            assert all(e.kind != "driver.logged" for e in (await lab.events.page(ANN)).events)

    asyncio.run(dialogue())


def test_only_the_last_lines_are_kept_and_they_outlive_the_server(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            sent = 0
            while sent < KEPT + 60:
                await say(driver, *(line(f"line {sent + n}", clock.now()) for n in range(MAX_LOG_LINES)))
                sent += MAX_LOG_LINES
                clock.advance(HEARTBEAT_S)
        async with open_lab(tmp_path, clock=clock) as lab:
            kept = (await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines
            assert [one.message for one in kept] == [f"line {n}" for n in range(sent - KEPT, sent)]

    asyncio.run(dialogue())


def test_what_comes_too_fast_is_counted_and_not_kept(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            for number in range(DRIVER_BURST + 3):
                await say(driver, line(f"line {number}", clock.now(), dropped=1))
            assert len(await told(lab)) == DRIVER_BURST
            clock.advance(HEARTBEAT_S)
            await say(driver, *(line(f"many {n}", clock.now()) for n in range(MAX_LOG_LINES)))
            kept = (await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines
            assert len(kept) == DRIVER_BURST + MAX_LOG_LINES
            assert (kept[DRIVER_BURST].message, kept[DRIVER_BURST].dropped) == ("many 0", 3 * 2)

    asyncio.run(dialogue())


def test_a_strange_line_is_made_to_fit(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            now = clock.now()
            await say(
                driver,
                line("x\0" * 400, now + timedelta(days=400), logger="y" * 100, dropped=7),
                line("naive", datetime(2020, 1, 1)),
                line("ancient", datetime(1, 1, 1, tzinfo=UTC)),
            )
            await say(driver)
            long, naive, ancient = (await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines
            assert (len(long.message), len(long.logger), long.at, long.dropped) == (400, 100, now, 7)
            assert naive.at == ancient.at == now - timedelta(days=30)
            end = datetime.max.replace(tzinfo=timezone(-timedelta(hours=23, minutes=59)))
            await say(
                driver, line("last", end), line("first", datetime.min.replace(tzinfo=timezone(timedelta(hours=23))))
            )
            assert [kept.at for kept in (await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines[3:]] == [now, ancient.at]
            # Another link's words, and a level that nobody knows, are left out.
            await driver.peer.publish(frames.LOG, Log(epoch=driver.epoch + 1, lines=[line("stale", now)]))
            await say(driver, line("loud", now, level="shouting"))
            await say(driver, line("x" * 801, now))
            await say(driver, *(line("many", now) for _ in range(MAX_LOG_LINES + 1)))
            assert len((await lab.driver_logs.tail(ADMIN, "q1", "d1")).lines) == 5

    asyncio.run(dialogue())
