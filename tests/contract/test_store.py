"""What every store promises: durable units, one by one, many to a commit."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from qpi_jupyter.core.errors import Conflict, Rejected, Unavailable
from qpi_server.store import TooCostly, facts
from qpi_server.store.facts import EventRow
from qpi_server.store.filesystem import filesystem_type, require_local
from qpi_server.store.schema import SCHEMA_VERSION, metadata
from qpi_server.store.sqlite import SqliteStore

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def add(kind: str) -> Callable[[Connection], None]:
    return lambda connection: facts.add_event(connection, EventRow(kind=kind, at=NOW))


def kinds(connection: Connection) -> list[str]:
    rows, _, _ = facts.events_after(connection, 0, 1000, reader=None)
    return [row.kind for row in rows]


def with_store(path: Path, dialogue: Callable[[SqliteStore], Any], **options: Any) -> Any:
    async def run() -> Any:
        store = SqliteStore(path, **options)
        try:
            return await dialogue(store)
        finally:
            await store.close()

    return asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lab.sqlite3"


def test_what_is_asked_in_one_turn_shares_a_commit_and_keeps_its_order(path: Path) -> None:
    batches: list[int] = []

    async def dialogue(store: SqliteStore) -> list[str]:
        await asyncio.gather(*(store.write(add(f"e{number}")) for number in range(64)))
        return await store.read(kinds)

    found = with_store(path, dialogue, on_commit=lambda units, seconds: batches.append(units))
    assert found == [f"e{number}" for number in range(64)]
    assert batches == [64]


def test_what_waits_while_a_commit_runs_shares_the_next_one(path: Path) -> None:
    batches: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    async def dialogue(store: SqliteStore) -> None:
        first = store.write(slow)
        await asyncio.to_thread(begun.wait, 10)
        later = []
        for number in range(5):
            later.append(store.write(add(f"e{number}")))
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *later)

    with_store(path, dialogue, on_commit=lambda units, seconds: batches.append(units))
    assert batches == [1, 5]


def test_a_unit_that_fails_leaves_nothing_and_its_neighbours_stay(path: Path) -> None:
    def bad(connection: Connection) -> None:
        add("half")(connection)
        raise Rejected("no")

    async def dialogue(store: SqliteStore) -> tuple[list[Any], list[str]]:
        work = [store.write(unit) for unit in (add("before"), bad, add("after"))]
        return await asyncio.gather(*work, return_exceptions=True), await store.read(kinds)

    outcomes, found = with_store(path, dialogue)
    assert found == ["before", "after"]
    assert [type(outcome) for outcome in outcomes] == [int, Rejected, int]


def test_what_is_acknowledged_survives_a_copy_of_the_files_taken_at_that_moment(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()

    async def dialogue(store: SqliteStore) -> None:
        await store.write(add("kept"))
        for file in tmp_path.glob("lab.sqlite3*"):
            if not file.name.endswith("-shm"):
                (copy / file.name).write_bytes(file.read_bytes())

    with_store(path, dialogue)

    async def look(store: SqliteStore) -> list[str]:
        return await store.read(kinds)

    assert with_store(copy / path.name, look) == ["kept"]


def test_commits_reach_the_disk(path: Path) -> None:
    async def dialogue(store: SqliteStore) -> tuple[Any, Any]:
        def pragmas(connection: Connection) -> tuple[Any, Any]:
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            return journal, connection.exec_driver_sql("PRAGMA synchronous").scalar()

        return await store.write(pragmas)

    full = 2
    assert with_store(path, dialogue) == ("wal", full)


def test_readers_cannot_write(path: Path) -> None:
    async def dialogue(store: SqliteStore) -> None:
        await store.read(add("no"))

    with pytest.raises(Exception, match="cannot write"):
        with_store(path, dialogue)


def test_a_full_disk_is_unavailable_and_the_store_goes_on(path: Path) -> None:
    blob = "x" * 100_000

    def big(connection: Connection) -> None:
        facts.add_event(connection, EventRow(kind="big", at=NOW, data={"text": blob}))

    def pages(connection: Connection, limit: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    async def dialogue(store: SqliteStore) -> tuple[list[Any], list[str]]:
        used = await store.read(lambda c: int(c.exec_driver_sql("PRAGMA page_count").scalar() or 0))
        await store.write(lambda c: pages(c, used + 4))
        work = [store.write(unit) for unit in (add("small"), big, add("also small"))]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        await store.write(lambda c: pages(c, 1_000_000))
        await store.write(add("later"))
        return outcomes, await store.read(kinds)

    outcomes, found = with_store(path, dialogue)
    assert isinstance(outcomes[1], Unavailable)
    assert outcomes[1].code == "disk_full"
    assert found == ["small", "also small", "later"]
    assert outcomes[0] == 1
    assert outcomes[2] == 2


def test_after_closing_it_refuses_and_leaves_one_whole_file(path: Path, tmp_path: Path) -> None:
    async def run() -> None:
        store = SqliteStore(path)
        last = store.write(add("last"))
        await store.close()
        await last
        with pytest.raises(Unavailable):
            await store.write(add("too late"))

    asyncio.run(run())
    assert [file.name for file in tmp_path.iterdir()] == ["lab.sqlite3"]
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_a_newer_schema_is_refused_by_both_numbers(path: Path) -> None:
    async def newer(store: SqliteStore) -> None:
        await store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '0099'")).rowcount)

    with_store(path, newer)
    with pytest.raises(Conflict, match=rf"schema 99.*up to {SCHEMA_VERSION}") as caught:
        SqliteStore(path)
    assert caught.value.code == "schema_newer"


def test_the_migrations_make_the_tables_that_the_code_uses(path: Path) -> None:
    async def differences(store: SqliteStore) -> list[Any]:
        return await store.read(lambda c: compare_metadata(MigrationContext.configure(c), metadata))

    assert with_store(path, differences) == []


def test_a_second_opening_needs_no_alembic(path: Path) -> None:
    import subprocess
    import sys

    async def nothing(store: SqliteStore) -> None:
        await store.read(kinds)

    with_store(path, nothing)
    script = (
        "import asyncio, pathlib, sys\n"
        "from qpi_server.store.sqlite import SqliteStore\n"
        "async def main():\n"
        f"    await SqliteStore(pathlib.Path({str(path)!r})).close()\n"
        "asyncio.run(main())\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "SMB3", "9p", "fuse.sshfs", "fuse.gcsfuse", "ceph", "lustre"])
def test_a_network_file_system_is_refused_with_the_remedy(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's own list says where a folder lies: the deepest mount, and of two on one folder the last."""
    shared = tmp_path / "my share"
    shared.mkdir()
    escaped = str(shared).replace(" ", "\\040")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "filesystems").write_text("\text4\n")
    (tmp_path / "proc" / "self" / "mounts").write_text(
        f"/dev/sda / ext4 rw 0 0\n/dev/sdb {escaped} ext4 rw 0 0\nserver:/home {escaped} {kind} rw 0 0\n"
    )
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
    assert filesystem_type(tmp_path) == "ext4"
    require_local(tmp_path)
    with pytest.raises(Conflict, match=rf"{kind}.*QPI_LAB_DIR") as refused:
        require_local(shared / "lab")
    assert refused.value.code == "network_file_system"


ENDLESS = "WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k) SELECT count(*) FROM k"


def endless(connection: Connection) -> Any:
    return connection.execute(text(ENDLESS)).scalar()


def many_short_ones(connection: Connection) -> Any:
    while True:
        connection.execute(text("SELECT 1"))


@pytest.mark.parametrize("query", [endless, many_short_ones])
def test_a_search_stops_when_its_time_is_over_and_reads_do_not_wait_for_it(path: Path, query: Any) -> None:
    async def dialogue(store: SqliteStore) -> None:
        searches = [asyncio.ensure_future(store.search(query, 2.0)) for _ in range(2)]
        await store.write(add("e"))
        assert await store.read(kinds) == ["e"]
        assert not any(search.done() for search in searches)
        assert {type(found) for found in await asyncio.gather(*searches, return_exceptions=True)} == {TooCostly}
        assert await store.search(kinds, 60.0) == ["e"]

    with_store(path, dialogue)


def test_a_search_that_nobody_awaits_any_more_stops(path: Path) -> None:
    async def dialogue(store: SqliteStore) -> None:
        for query in (endless, many_short_ones, endless):
            searches = [asyncio.ensure_future(store.search(query, 3600.0)) for _ in range(5)]
            await asyncio.sleep(0)
            for search in searches:
                search.cancel()
            await asyncio.gather(*searches, return_exceptions=True)
        # every thread is free again, and none of them is left with the last one's patience
        found = await asyncio.gather(*(store.search(kinds, 60.0) for _ in range(4)))
        assert found == [[]] * 4

    with_store(path, dialogue)
