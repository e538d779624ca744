"""What every store promises: durable units, one by one, searches with an end; and what its database can be asked."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from qpi_jupyter.core.errors import Conflict, NotFound, Rejected, Unavailable
from qpi_server.replay.trace import of_lab
from qpi_server.store import Store, TooCostly, facts
from qpi_server.store.facts import EventRow
from qpi_server.store.schema import SCHEMA_VERSION, metadata
from tests.faults.lab import small_lab
from tests.support.full_lab import furnish
from tests.support.stores import backend, opened, with_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READ_ONLY = "cannot write|read-?only"
pytestmark = pytest.mark.usefixtures("each_store")


def add(kind: str) -> Callable[[Connection], None]:
    return lambda connection: facts.add_event(connection, EventRow(kind=kind, at=NOW))


def kinds(connection: Connection) -> list[str]:
    rows, _, _ = facts.events_after(connection, 0, 1000, reader=None)
    return [row.kind for row in rows]


def test_units_run_in_the_order_of_their_writes_and_are_told_of_in_it(tmp_path: Path) -> None:
    told: list[str] = []
    counted: list[int] = []

    async def dialogue(store: Store) -> list[str]:
        names = [f"e{number}" for number in range(64)]
        await asyncio.gather(*(store.write(add(name), committed=lambda name=name: told.append(name)) for name in names))
        assert told == names
        return await store.read(kinds)

    found = with_store(tmp_path, dialogue, on_commit=lambda units, seconds: counted.append(units))
    assert found == told
    assert sum(counted) == 64


def test_a_unit_sees_those_before_it_and_reads_see_what_was_acknowledged(tmp_path: Path) -> None:
    async def dialogue(store: Store) -> None:
        first, second = store.write(add("e")), store.write(kinds)
        assert await second == ["e"]
        assert (first.done(), await store.read(kinds), store.glance(kinds)) == (True, ["e"], ["e"])

    with_store(tmp_path, dialogue)


def test_news_is_told_where_nobody_waits_any_more_and_not_of_what_failed(tmp_path: Path) -> None:
    told: list[str] = []

    def bad(connection: Connection) -> None:
        raise Rejected("no")

    async def dialogue(store: Store) -> None:
        store.write(add("e"), committed=lambda: told.append("e")).cancel()
        failed = store.write(bad, committed=lambda: told.append("bad"))
        await asyncio.wait([failed])
        assert isinstance(failed.exception(), Rejected)
        assert await store.read(kinds) == told == ["e"]

    with_store(tmp_path, dialogue)


def test_a_unit_that_fails_leaves_nothing_and_its_neighbours_stay(tmp_path: Path) -> None:
    def bad(connection: Connection) -> None:
        add("half")(connection)
        raise Rejected("no")

    async def dialogue(store: Store) -> tuple[list[Any], list[str]]:
        work = [store.write(unit) for unit in (add("before"), bad, add("after"))]
        return await asyncio.gather(*work, return_exceptions=True), await store.read(kinds)

    outcomes, found = with_store(tmp_path, dialogue)
    assert found == ["before", "after"]
    assert [type(outcome) for outcome in outcomes] == [int, Rejected, int]


def test_readers_cannot_write(tmp_path: Path) -> None:
    async def dialogue(store: Store) -> None:
        for reading in (store.read(add("no")), store.search(add("no"), 60.0)):
            with pytest.raises(Exception, match=READ_ONLY):
                await reading
        with pytest.raises(Exception, match=READ_ONLY):
            store.glance(add("no"))
        assert await store.read(kinds) == []

    with_store(tmp_path, dialogue)


def test_what_a_column_refuses_is_said_in_its_own_words(tmp_path: Path) -> None:
    late = EventRow(kind="e", at=datetime(2030, 1, 1))

    async def dialogue(store: Store) -> None:
        with pytest.raises(Rejected, match="needs a time zone"):
            await store.write(lambda connection: facts.add_event(connection, late))
        with pytest.raises(Rejected, match="needs a time zone"):
            await store.read(lambda connection: facts.add_event(connection, late))

    with_store(tmp_path, dialogue)


def test_after_closing_it_refuses_and_nothing_is_lost(tmp_path: Path) -> None:
    async def run() -> None:
        store = opened(tmp_path)
        last = store.write(add("last"))
        await store.close()
        await store.close()
        await last
        for late in (store.write(add("too late")), store.read(kinds), store.search(kinds, 1.0)):
            with pytest.raises(Unavailable, match="closing"):
                await late
        with pytest.raises(Unavailable, match="closing"):
            store.glance(kinds)

    asyncio.run(run())
    assert with_store(tmp_path, lambda store: store.read(kinds)) == ["last"]


def test_a_sound_store_says_that_it_is(tmp_path: Path) -> None:
    async def dialogue(store: Store) -> None:
        before = store.stored_at
        await store.probe()
        assert store.stored_at > before
        assert (store.trouble, store.look(), await store.check()) == (None, None, "")
        await store.write(add("e"))
        assert await store.read(kinds) == ["e"]

    with_store(tmp_path, dialogue)


def test_a_newer_schema_is_refused_by_both_numbers(tmp_path: Path) -> None:
    async def newer(store: Store) -> None:
        await store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0099'")).rowcount)

    with_store(tmp_path, newer)
    with pytest.raises(Conflict, match=rf"schema 99.*up to {SCHEMA_VERSION}. Install that version") as caught:
        opened(tmp_path)
    assert caught.value.code == "schema_newer"
    with pytest.raises(Conflict, match=rf"schema 99, not {SCHEMA_VERSION}: replay it with the newer version"):
        of_lab(backend(tmp_path), NOW, NOW)


ENDLESS = "WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k) SELECT count(*) FROM k"


def endless(connection: Connection) -> Any:
    return connection.execute(text(ENDLESS)).scalar()


def many_short_ones(connection: Connection) -> Any:
    while True:
        connection.execute(text("SELECT 1"))


@pytest.mark.slow
@pytest.mark.parametrize("query", [endless, many_short_ones])
def test_a_search_stops_when_its_time_is_over_and_reads_do_not_wait_for_it(tmp_path: Path, query: Any) -> None:
    async def dialogue(store: Store) -> None:
        searches = [asyncio.ensure_future(store.search(query, 2.0)) for _ in range(2)]
        await store.write(add("e"))
        assert await store.read(kinds) == ["e"]
        assert not any(search.done() for search in searches)
        assert {type(found) for found in await asyncio.gather(*searches, return_exceptions=True)} == {TooCostly}
        assert await store.search(kinds, 60.0) == ["e"]

    with_store(tmp_path, dialogue)


def test_a_search_that_nobody_awaits_any_more_stops(tmp_path: Path) -> None:
    async def dialogue(store: Store) -> None:
        for query in (endless, many_short_ones, endless):
            searches = [asyncio.ensure_future(store.search(query, 3600.0)) for _ in range(5)]
            await asyncio.sleep(0)
            for search in searches:
                search.cancel()
            await asyncio.gather(*searches, return_exceptions=True)
        # every thread is free again, and none of them is left with the last one's patience
        found = await asyncio.gather(*(store.search(kinds, 60.0) for _ in range(4)))
        assert found == [[]] * 4

    with_store(tmp_path, dialogue)


# --- the database, whether or not it is open --------------------------------------------------------------------------


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    database = backend(tmp_path / "lab")
    database.prepare()
    first, second = database.lock(), backend(tmp_path / "lab").lock()
    assert (first.acquire(), first.acquire(), second.acquire()) == (True, True, False)
    second.release()  # what it does not have
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_it_is_there_once_it_was_opened(tmp_path: Path) -> None:
    lab_dir = tmp_path / "lab"
    database = backend(lab_dir)
    database.prepare()
    assert not database.present()
    with pytest.raises(NotFound), database.reading():
        pass
    with_store(lab_dir, lambda store: store.write(add("e")))
    assert database.present()
    with database.reading() as connection:
        assert kinds(connection) == ["e"]
        with pytest.raises(Exception, match=READ_ONLY):
            add("no")(connection)


def rows(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All of them."""
    return {
        table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
        for table in metadata.sorted_tables
    }


def test_a_copy_is_a_file_of_sqlite_that_any_store_takes_over(tmp_path: Path) -> None:
    lab_dir, copy = tmp_path / "lab", tmp_path / "copy"
    copy.mkdir()

    async def fill() -> dict[str, list[tuple[Any, ...]]]:
        async with small_lab(lab_dir, db_url=str(backend(lab_dir).url)) as (lab, driver):
            await furnish(lab, driver)
            database = backend(lab_dir)
            await asyncio.to_thread(database.copy, copy / "copy.sqlite3")  # while it is open
            return await lab.context.db.read(rows)

    there = asyncio.run(fill())
    with closing(sqlite3.connect(copy / "copy.sqlite3")) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [path.name for path in copy.iterdir()] == ["copy.sqlite3"]
    again = backend(tmp_path / "again")
    again.prepare()
    again.put(copy / "copy.sqlite3")
    with again.reading() as connection:
        assert rows(connection) == there
    newest = max(row[0] for row in there["events"])
    assert with_store(again.lab_dir, lambda store: store.write(add("later"))) == newest + 1
    assert sum(map(bool, there.values())) > 15
