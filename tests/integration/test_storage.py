"""A lab whose storage breaks while it is open says what is wrong and what to do, and goes on once the cause is gone."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from qpi_jupyter.core.errors import Faulted, NotFound, Unavailable
from qpi_server.host.owner import Ownership
from qpi_server.host.tls import TlsFiles
from qpi_server.service import Lab
from qpi_server.service.jobs import retention
from qpi_server.store import USUAL, backend_of, facts, open_store
from qpi_server.store.facts import EventRow
from qpi_server.store.schema import programs
from qpi_server.store.sqlite import SqliteStore
from qpi_server.tools import backup
from qpi_server.tools.restore import restore_lab
from tests.faults.lab import ANN, FrozenClock, bell, small_lab
from tests.support.storage import (
    NOW,
    PATIENCE_S,
    opened,
    owning,
    pages_overwritten,
    put,
    refused,
    up,
)
from tests.support.waiting import until

# --- what happens while a lab is open ---------------------------------------------------------------------------------


def test_a_lab_whose_folder_goes_away_acknowledges_nothing_and_is_there_again_with_its_folder(lab_dir: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        lab_dir.rename(lab_dir.with_name("elsewhere"))
        event = EventRow(kind="late", at=NOW)
        with pytest.raises(Unavailable) as caught:
            await lab.context.db.store.write(lambda c: facts.add_event(c, event))
        assert caught.value.code == "storage_gone"
        assert (await refused(ownership)).code == "storage_gone"
        assert not lab_dir.exists()  # no new lab in its place
        lab_dir.with_name("elsewhere").rename(lab_dir)
        await opened(ownership)

    owning(lab_dir, dialogue)


def test_a_removed_database_is_noticed_without_a_write(lab_dir: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        (lab_dir / "lab.sqlite3").unlink()
        health = await lab.health()
        assert (health.status, health.error.code) == ("degraded", "storage_gone")  # type: ignore[union-attr]
        assert (await refused(ownership)).code == "storage_gone"

    owning(lab_dir, dialogue)


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_acknowledged_into_a_removed_log_and_nothing_of_it_is_lost(lab_dir: Path, replaced: bool) -> None:
    log = lab_dir / "lab.sqlite3-wal"

    async def stored(lab: Lab, kind: str) -> None:
        await lab.context.db.store.write(lambda connection: facts.add_event(connection, EventRow(kind=kind, at=NOW)))

    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        await stored(lab, "before")
        log.unlink()
        if replaced:
            log.write_bytes(b"")
        with pytest.raises(Unavailable) as caught:
            await stored(lab, "refused")
        assert caught.value.code == "storage_gone"
        assert log.name in caught.value.message
        again = await opened(ownership, but=lab)
        await stored(again, "after")

    owning(lab_dir, dialogue)
    with closing(sqlite3.connect(lab_dir / "lab.sqlite3")) as database:
        kinds = [kind for (kind,) in database.execute("SELECT kind FROM events ORDER BY seq")]
    assert [kind for kind in kinds if kind in ("before", "refused", "after")] == ["before", "after"]


def test_a_damaged_page_that_is_read_closes_the_lab(lab_dir: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        with closing(sqlite3.connect(lab_dir / "lab.sqlite3")) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages_overwritten(lab_dir)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Unavailable) as caught:
                await lab.context.db.read(lambda c: c.exec_driver_sql("SELECT max(data) FROM events").scalar())
        # The lab's own tasks read, too: where one of them came first, the lab closes already.
        assert caught.value.code in {"database_damaged", "closing"}
        assert (await refused(ownership)).code == "database_damaged"

    owning(lab_dir, dialogue)


def test_a_full_disk_is_told_and_the_lab_goes_on_by_itself(tmp_path: Path) -> None:
    def limit(pages: int) -> Callable[[Any], None]:
        return lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close()

    def big(connection: Any) -> None:
        row = {"sha256": "f" * 64, "packed": b"x" * 100_000, "nbytes": 1, "created_at": NOW}
        connection.execute(insert(programs), row)

    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        store = lab.context.db.store
        await store.write(limit(1))  # as many as there are
        with pytest.raises(Unavailable) as caught:
            await store.write(big)
        assert caught.value.code == "disk_full"
        await until(lambda: up(lab))
        await store.write(limit(1_000_000))
        await store.write(big)

    owning(tmp_path, dialogue)


def test_another_program_that_locks_the_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lab.sqlite3"

    async def run() -> None:
        store = SqliteStore(path)
        await store.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 10").close())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="Close that program") as caught:
                await store.write(lambda c: None)
            assert caught.value.code == "database_locked"
            assert store.trouble is not None
            other.execute("ROLLBACK")
        await store.probe()
        assert store.trouble is None
        await store.close()

    asyncio.run(run())


def test_a_removed_folder_of_blobs_is_named_and_made_again(tmp_path: Path) -> None:
    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        shutil.rmtree(tmp_path / "blobs")
        with pytest.raises(Unavailable) as caught:
            put(lab.context.blobs)
        assert caught.value.code == "storage_gone"
        again = await opened(ownership, but=lab)
        put(again.context.blobs)

    owning(tmp_path, dialogue)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_the_owners_file_is_written_again(
    tmp_path: Path, spoil: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qpi_server.host.owner.OWNER_FILE_EVERY_S", 0.05)

    async def dialogue(ownership: Ownership) -> None:
        await opened(ownership)
        path = tmp_path / "owner.json"
        whole = path.read_bytes()
        spoil(path)
        await until(lambda: path.exists() and path.read_bytes() == whole)

    owning(tmp_path, dialogue)


def test_a_sound_database_has_no_damage_and_an_overwritten_one_has(lab_dir: Path) -> None:
    async def damage() -> str:
        store = open_store(USUAL, lab_dir)
        try:
            return await store.check()
        finally:
            await store.close()

    assert asyncio.run(damage()) == ""
    pages_overwritten(lab_dir)
    assert asyncio.run(damage()) != ""


# --- the data of jobs -------------------------------------------------------------------------------------------------


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (flipped, "data_damaged"),
        (lambda path: os.truncate(path, 10), "data_damaged"),
        (Path.unlink, "data_missing"),
        (lambda path: shutil.rmtree(path.parent), "data_missing"),
    ],
)
def test_data_that_is_not_what_was_stored_is_named_and_not_served(
    tmp_path: Path, spoil: Callable[[Path], None], code: str
) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.run()
            path, _ = await lab.jobs.dataset(ANN, job.job_id)
            spoil(path)
            with pytest.raises(Faulted, match="backup") as caught:
                await lab.jobs.dataset(ANN, job.job_id)
            assert caught.value.code == code
            await lab.jobs.delete(ANN, job.job_id)
            with pytest.raises(NotFound):
                await lab.jobs.dataset(ANN, job.job_id)

    asyncio.run(dialogue())


def test_a_backup_has_every_result_of_its_jobs_whatever_is_deleted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is deleted between the copy of the database and the first link to a result."""
    target = tmp_path / "lab.tar"
    link = os.link
    names: list[Path] = []

    async def swept() -> None:
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == retention.SWEEP))

    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path / "lab", clock=clock) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.run()
            path, _ = await lab.jobs.dataset(ANN, job.job_id)
            loop = asyncio.get_running_loop()

            def deleting(*arguments: Any) -> None:
                asyncio.run_coroutine_threadsafe(lab.jobs.delete(ANN, job.job_id), loop).result(PATIENCE_S)
                link(*arguments)

            monkeypatch.setattr(os, "link", deleting)
            tls = TlsFiles.under(tmp_path / "tls")
            database = backend_of(USUAL, tmp_path / "lab")
            assert await asyncio.to_thread(backup.write_backup, database, tls, target, print) == 0
            assert path.exists()
            await swept()  # the one of the start, if it is still under way
            clock.advance(retention.EVERY_S)
            await swept()
            assert not path.exists()
            names.append(path.relative_to(tmp_path / "lab"))

    asyncio.run(dialogue())
    assert restore_lab(target, backend_of(USUAL, tmp_path / "restored"), lambda text: None) == 0
    assert (tmp_path / "restored" / names[0]).is_file()
