"""The pushed stream: one encoding for all, nothing from the database, and nothing lost when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.wire import sse
from qpi_jupyter.wire.events import LabEvent, QpuChanged, QpuData, TokenChanged, TokenData, read_event
from qpi_server.service import Lab
from qpi_server.service.base import Tx, followers
from qpi_server.service.events import events as service
from tests.faults.lab import ADMIN, ANN, BOB, bell, open_lab, settled, small_lab, turn
from tests.support.waiting import until


class Reader:
    """Takes in what is pushed; with ``room``, only so many pieces of it."""

    def __init__(self, room: int | None = None) -> None:
        self._room, self._parser = room, sse.Parser()
        self.pieces: list[bytes] = []
        self.events: list[LabEvent] = []
        self.cursor = 0
        self.end: str | None = None

    def push(self, chunk: bytes) -> bool:
        if self._room is not None and len(self.pieces) >= self._room:
            return False
        self.pieces.append(chunk)
        self._read(chunk)
        return True

    async def send(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self._read(chunk)

    def _read(self, chunk: bytes) -> None:
        for fields in self._parser.feed(chunk):
            self.cursor = int(fields.get(b"id", self.cursor))
            if b"event" in fields:
                self.end = msgspec.json.decode(fields[b"data"])["code"]
            elif b"data" in fields:
                self.events.append(read_event(msgspec.json.decode(fields[b"data"])))


@asynccontextmanager
async def following(
    lab: Lab, person: Principal, reader: Reader, after: int | None
) -> AsyncIterator[asyncio.Task[None]]:
    """The stream of a person, up to date."""
    task = asyncio.create_task(lab.events.stream(person, reader, after=after))
    try:
        await settled(lab)
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def online(tx: Tx) -> None:
    tx.event(QpuChanged(at=tx.at, qpu="q1", data=QpuData(status="online")))


def test_many_hear_each_event_in_the_same_bytes_and_nobody_reads_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    halves = sse.halves

    def counted(event: LabEvent) -> tuple[bytes, bytes]:
        encoded.append(event.seq)
        return halves(event)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver), AsyncExitStack() as stack:
            people = [ADMIN] * 4 + [ANN] * 4 + [BOB]
            readers = [Reader() for _ in people]
            begun = (await lab.events.newest()).cursor
            for person, reader in zip(people, readers, strict=True):
                await stack.enter_async_context(following(lab, person, reader, None))
            monkeypatch.setattr(sse, "halves", counted)
            reads: list[object] = []
            for name in ("read", "glance", "search"):
                monkeypatch.setattr(lab.context.db.store, name, reads.append)
            for _ in range(50):
                await lab.context.db.write(online)
            await turn()
            assert reads == []
            monkeypatch.undo()
            assert encoded == list(range(begun + 1, begun + 51))
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            await driver.run()
            await lab.jobs.submit(BOB, bell())
            await turn()
            for person, reader in zip(people, readers, strict=True):
                assert reader.events == (await lab.events.page(person, after=begun)).events
                first = readers[people.index(person)]
                assert all(one is other for one, other in zip(reader.pieces, first.pieces, strict=True))
            assert len(readers[0].events) > len(readers[4].events) > len(readers[-1].events) > 50

    asyncio.run(dialogue())


@pytest.mark.parametrize("end", ["broken", "too slow", "closed"])
def test_who_comes_again_with_the_last_id_has_missed_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(followers, "KEPT", 8)
    monkeypatch.setattr(service, "MAX_PAGE", 3)
    heard: list[LabEvent] = []
    cursor = 0

    async def part(lab: Lab, reader: Reader) -> None:
        """Follow while ten things happen, five of them unheard."""
        nonlocal cursor
        async with following(lab, ANN, reader, cursor) as task:
            for number in range(5):
                await lab.jobs.submit([ANN, BOB][number % 2], bell())
                await turn()
            if end == "closed":
                lab.events.close()
            if end != "broken":
                await task
                assert reader.end == end.replace(" ", "_").replace("closed", "closing")
        heard.extend(reader.events)
        cursor = reader.cursor
        for _ in range(5):
            await lab.context.db.write(online)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            for _ in range(1 if end == "closed" else 2):
                await part(lab, Reader(2 if end == "too slow" else None))
        async with open_lab(tmp_path) as lab:  # the memory of it is empty
            reader = Reader()
            async with following(lab, ANN, reader, cursor):
                await lab.context.db.write(online)
                newest = (await lab.events.newest()).cursor
                await until(lambda: reader.cursor == newest)
            heard.extend(reader.events)
            monkeypatch.undo()
            assert heard == (await lab.events.page(ANN)).events
            assert len(heard) >= 8

    asyncio.run(dialogue())


def test_an_event_that_is_written_while_a_reader_catches_up_comes_once(tmp_path: Path) -> None:
    class Busy(Reader):
        """Things happen while it reads."""

        async def send(self, chunk: bytes) -> None:
            await super().send(chunk)
            if len(self.events) < 20:
                await lab.context.db.write(online)
            lab.context.db.write(online)  # told once the next piece is being made

    lab: Any = None

    async def dialogue() -> None:
        nonlocal lab
        async with small_lab(tmp_path) as (lab, _):
            reader = Busy()
            async with following(lab, BOB, reader, 0):
                while len(reader.events) < 25:
                    await lab.context.db.write(online)
                await turn()
                assert reader.events == (await lab.events.page(BOB)).events

    asyncio.run(dialogue())


def test_a_reader_ahead_of_the_lab_hears_what_happens_from_now_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            reader = Reader()
            newest = (await lab.events.newest()).cursor
            async with following(lab, ANN, reader, 10**6):
                assert (reader.cursor, reader.events) == (newest, [])
                await lab.context.db.write(online)
                await turn()
                assert [event.seq for event in reader.events] == [newest + 1]

    asyncio.run(dialogue())


def test_a_stream_ends_when_its_person_may_do_something_else_and_others_go_on(tmp_path: Path) -> None:
    def revoke(tx: Tx) -> None:
        data = TokenData(id="t1", action="revoked", by="root")
        tx.event(TokenChanged(at=tx.at, data=data), owner=ANN.name)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            readers = Reader(), Reader()
            async with following(lab, ANN, readers[0], None) as ann, following(lab, BOB, readers[1], None) as bob:
                await lab.context.db.write(revoke)
                await ann
                assert (readers[0].end, readers[0].events[-1].kind) == ("rights_changed", "token.changed")
                assert not bob.done()

    asyncio.run(dialogue())


def test_a_stream_ends_when_its_person_may_do_something_else_while_they_catch_up(tmp_path: Path) -> None:
    class Slow(Reader):
        async def send(self, chunk: bytes) -> None:
            await super().send(chunk)
            if self.end is None:
                await reading.wait()

    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            mia = await lab.authenticator.admit(Principal(name="mia", roles=frozenset({Role.MANAGER})))
            reader = Slow()
            async with following(lab, mia, reader, 0) as stream:
                await lab.authenticator.admit(Principal(name="mia", roles=frozenset({Role.USER})))
                await lab.context.db.write(lambda tx: tx.audit(ADMIN, "secret", "x"))
                reading.set()
                await asyncio.wait_for(stream, 5)
            assert reader.end == "rights_changed"
            assert reader.events == []

    reading = asyncio.Event()
    asyncio.run(dialogue())


def test_a_stream_does_not_outlive_its_token(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            reader = Reader()
            ends_soon = replace(ANN, expires_at=lab.context.now() + timedelta(milliseconds=50))
            await asyncio.wait_for(lab.events.stream(ends_soon, reader), 5)
            assert reader.end == "expired"

    asyncio.run(dialogue())


def test_a_stream_lives_so_long_and_says_meanwhile_that_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PING_S", 0.001)
    monkeypatch.setattr(service, "LIFE_S", 0.01)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            reader = Reader()
            await lab.events.stream(ANN, reader)
            assert reader.end == "expired"
            assert set(reader.pieces) == {sse.PING}

    asyncio.run(dialogue())
