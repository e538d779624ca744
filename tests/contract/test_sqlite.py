"""What SQLite's store promises beyond the port: many units to a commit, on the disk, in one file."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from qpi_jupyter.core.errors import Conflict, Rejected, Unavailable
from qpi_server.store import USUAL, Store, backend_of, checkpoints, facts, open_store
from qpi_server.store.checkpoints import ROWS, Checkpoints
from qpi_server.store.engine import immediate, make_engine
from qpi_server.store.facts import EventRow
from qpi_server.store.migrate import upgrade
from qpi_server.store.schema import metadata
from qpi_server.store.sqlite_file import filesystem_type, require_local
from tests.contract.test_prepared import BY_NAME
from tests.contract.test_store import NOW, add, kinds
from tests.support.stores import in_a_unit, with_store
from tests.support.waiting import PATIENCE_S, until


def test_nobody_else_reads_the_database(tmp_path: Path) -> None:
    async def dialogue(store: Store) -> list[int]:
        await store.write(add("first"))
        await store.read(kinds)
        return [stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("lab.sqlite3*")]

    before = os.umask(0o022)
    try:
        assert with_store(tmp_path, dialogue) == [0o600] * 3
        (tmp_path / "lab.sqlite3").chmod(0o644)  # as earlier versions made it
        assert with_store(tmp_path, dialogue) == [0o600] * 3
    finally:
        os.umask(before)


def test_no_commit_waits_for_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go, begun = threading.Event(), threading.Event()
    checkpoint, file = Checkpoints.checkpoint, tmp_path / "lab.sqlite3"

    def held(self: Checkpoints) -> None:
        begun.set()
        assert go.wait(PATIENCE_S)
        checkpoint(self)

    async def many(store: Store) -> None:
        for number in range(3):  # a thousand pages and more
            await store.write(lambda c, n=number: [add(f"{n}.{at}" + "x" * 5_000)(c) for at in range(ROWS)])

    async def dialogue(store: Store) -> None:
        before = file.stat().st_size
        await many(store)
        assert begun.wait(PATIENCE_S)
        assert file.stat().st_size == before
        go.set()
        await until(lambda: file.stat().st_size > before + 1_000 * 4_096)

    monkeypatch.setattr(Checkpoints, "checkpoint", held)
    with_store(tmp_path, dialogue)


def test_what_is_committed_is_so_on_a_machine_that_starts_no_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(ThreadPoolExecutor):
        def submit(self, *_args: object, **_options: object) -> Any:
            raise RuntimeError("can't start new thread")

    async def dialogue(store: Store) -> int:
        await store.write(lambda c: [add(f"{at}")(c) for at in range(ROWS)])
        return len(await store.read(kinds))

    monkeypatch.setattr(checkpoints, "ThreadPoolExecutor", Full)
    assert with_store(tmp_path, dialogue) == ROWS


def test_what_is_asked_in_one_turn_shares_a_commit_and_keeps_its_order(tmp_path: Path) -> None:
    batches: list[int] = []

    async def dialogue(store: Store) -> list[str]:
        await asyncio.gather(*(store.write(add(f"e{number}")) for number in range(64)))
        return await store.read(kinds)

    found = with_store(tmp_path, dialogue, on_commit=lambda units, seconds: batches.append(units))
    assert found == [f"e{number}" for number in range(64)]
    assert batches == [64]


def test_what_waits_while_a_commit_runs_shares_the_next_one(tmp_path: Path) -> None:
    batches: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        assert go_on.wait(10)

    async def dialogue(store: Store) -> None:
        first = store.write(slow)
        await asyncio.to_thread(begun.wait, 10)
        later = []
        for number in range(5):
            later.append(store.write(add(f"e{number}")))
            await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, *later)

    with_store(tmp_path, dialogue, on_commit=lambda units, seconds: batches.append(units))
    assert batches == [1, 5]


def test_what_is_acknowledged_survives_a_copy_of_the_files_taken_at_that_moment(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()

    async def dialogue(store: Store) -> None:
        await store.write(add("kept"))
        for file in tmp_path.glob("lab.sqlite3*"):
            if not file.name.endswith("-shm"):
                (copy / file.name).write_bytes(file.read_bytes())

    with_store(tmp_path, dialogue)

    async def look(store: Store) -> list[str]:
        return await store.read(kinds)

    assert with_store(copy, look) == ["kept"]


def test_commits_reach_the_disk(tmp_path: Path) -> None:
    async def dialogue(store: Store) -> tuple[Any, Any]:
        def pragmas(connection: Connection) -> tuple[Any, Any]:
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            return journal, connection.exec_driver_sql("PRAGMA synchronous").scalar()

        return await store.write(pragmas)

    full = 2
    assert with_store(tmp_path, dialogue) == ("wal", full)


def test_a_full_disk_is_unavailable_and_the_store_goes_on(tmp_path: Path) -> None:
    blob = "x" * 100_000

    def big(connection: Connection) -> None:
        facts.add_event(connection, EventRow(kind="big", at=NOW, data={"text": blob}))

    def pages(connection: Connection, limit: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")

    async def dialogue(store: Store) -> tuple[list[Any], list[str]]:
        used = await store.read(lambda c: int(c.exec_driver_sql("PRAGMA page_count").scalar() or 0))
        await store.write(lambda c: pages(c, used + 4))
        work = [store.write(unit) for unit in (add("small"), big, add("also small"))]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        await store.write(lambda c: pages(c, 1_000_000))
        await store.write(add("later"))
        return outcomes, await store.read(kinds)

    outcomes, found = with_store(tmp_path, dialogue)
    assert isinstance(outcomes[1], Unavailable)
    assert outcomes[1].code == "disk_full"
    assert found == ["small", "also small", "later"]
    assert outcomes[0] == 1
    assert outcomes[2] == 2


def test_after_closing_it_refuses_and_leaves_one_whole_file(tmp_path: Path) -> None:
    async def run() -> None:
        store = open_store(USUAL, tmp_path)
        last = store.write(add("last"))
        await store.close()
        await last
        with pytest.raises(Unavailable):
            await store.write(add("too late"))

    asyncio.run(run())
    assert [file.name for file in tmp_path.iterdir()] == ["lab.sqlite3"]
    database = sqlite3.connect(tmp_path / "lab.sqlite3")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def schema_of(connection: Connection) -> dict[str, Any]:
    """What there is in a database, in whatever order its columns are, and however its foreign keys are called."""
    found = {}
    for name, sql in connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        plain = re.sub(r"CONSTRAINT fk_\w+ |\"", "", " ".join(sql.split()))
        inside, _, behind = plain.partition("(")[2].rpartition(")")
        found[name] = (sorted(re.split(r", (?![^(]*\))", inside.strip())), behind.strip())
    return {name: ([part.strip() for part in parts], behind) for name, (parts, behind) in found.items()}


def test_the_migrations_make_the_tables_of_a_new_database(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    new = with_store(tmp_path / "new", lambda store: store.read(schema_of))
    with make_engine(tmp_path / "old.sqlite3").connect() as connection:
        upgrade(connection, immediate)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        old = schema_of(connection)
    assert new.pop("alembic_version")
    assert old.pop("alembic_version")
    assert new == old


def test_a_second_opening_needs_no_alembic(tmp_path: Path) -> None:
    async def nothing(store: Store) -> None:
        await store.read(kinds)

    with_store(tmp_path, nothing)
    script = (
        "import asyncio, pathlib, sys\n"
        "from qpi_server.store import open_store\n"
        "async def main():\n"
        f"    await open_store('sqlite://', pathlib.Path({str(tmp_path)!r})).close()\n"
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


@pytest.mark.parametrize(
    "address", ["sqlite:///other.sqlite3", "sqlite:////data/lab.sqlite3", "sqlite://host/", "sqlite://?x=1"]
)
def test_the_file_is_in_the_labs_folder_and_nowhere_else(tmp_path: Path, address: str) -> None:
    with pytest.raises(Rejected, match=r"leave db_url out, and set lab_dir \(QPI_LAB_DIR\) to the folder"):
        backend_of(address, tmp_path)


def test_a_value_that_a_prepared_statement_does_not_have_is_refused(tmp_path: Path) -> None:
    with in_a_unit(tmp_path) as connection:
        assert BY_NAME.first(connection, which="q1") is None
        with pytest.raises(TypeError, match="takes 1 values, not 2"):
            BY_NAME.first(connection, which="q1", other="q2")
        with pytest.raises(KeyError):
            BY_NAME.first(connection, other="q1")
