"""A lab of which something is missing or damaged is refused with what to do, and opens once it is whole."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from qpi_jupyter.core.errors import Unavailable
from qpi_server.host.owner import Ownership
from qpi_server.host.owner_files import OwnerRecord
from qpi_server.service import Lab, LabConfig
from qpi_server.store import USUAL, backend_of
from tests.support.storage import (
    DATA,
    PAGE,
    SHA256,
    nothing,
    opened,
    owning,
    pages_overwritten,
    refused,
)


def missing(lab_dir: Path) -> None:
    (lab_dir / "lab.sqlite3").unlink()


def emptied(lab_dir: Path) -> None:
    (lab_dir / "lab.sqlite3").write_bytes(b"")


def without_tables(lab_dir: Path) -> None:
    missing(lab_dir)
    with closing(sqlite3.connect(lab_dir / "lab.sqlite3")) as database:
        database.execute("CREATE TABLE something (x)")


def without_results(lab_dir: Path) -> None:
    """A lab whose people have not run a job yet."""
    missing(lab_dir)
    (lab_dir / "blobs" / SHA256[:2] / SHA256[2:]).unlink()


def tables_of_something_else(lab_dir: Path) -> None:
    without_tables(lab_dir)
    shutil.rmtree(lab_dir / "blobs")


def log_alone(lab_dir: Path) -> None:
    missing(lab_dir)
    shutil.rmtree(lab_dir / "blobs")
    (lab_dir / "lab.sqlite3-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(8192))


def restore_cut_off(lab_dir: Path) -> None:
    missing(lab_dir)
    (lab_dir / "restore.tmp").mkdir()


def truncated(lab_dir: Path) -> None:
    os.truncate(lab_dir / "lab.sqlite3", PAGE * 20 + 17)


def other_header(lab_dir: Path) -> None:
    with (lab_dir / "lab.sqlite3").open("r+b") as stream:
        stream.write(b"%PDF-1.7 something else")


def log_overwritten(lab_dir: Path) -> None:
    (lab_dir / "lab.sqlite3-wal").write_bytes(b"something else" * 1000)


def folder_for_file(lab_dir: Path) -> None:
    missing(lab_dir)
    (lab_dir / "lab.sqlite3").mkdir()


def file_for_folder(lab_dir: Path) -> None:
    shutil.rmtree(lab_dir)
    lab_dir.write_text("a file")


FAULTS = [
    (missing, "database_missing", "jupyter qpi restore"), (emptied, "database_missing", "--begin-anew"),
    (without_results, "database_missing", "folder blobs"), (tables_of_something_else, "database_damaged", "tables"),
    (without_tables, "database_missing", "folder blobs"), (log_alone, "database_missing", "lab.sqlite3-wal"),
    (restore_cut_off, "database_missing", "restore was interrupted"), (truncated, "database_damaged", "restore"),
    (other_header, "database_damaged", "--force"), (pages_overwritten, "database_damaged", "backup"),
    (log_overwritten, "database_damaged", "lab.sqlite3-wal"), (folder_for_file, "storage_denied", "permission"),
    (file_for_folder, "storage_denied", "permission"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "code", "said"), FAULTS, ids=[spoil.__name__ for spoil, _, _ in FAULTS])
def test_a_lab_that_is_not_whole_is_refused_by_name_and_opens_once_it_is(
    made: Path, lab_dir: Path, spoil: Callable[[Path], None], code: str, said: str
) -> None:
    spoil(lab_dir)
    data = lab_dir / "blobs" / SHA256[:2] / SHA256[2:]
    there = data.exists()

    async def dialogue(ownership: Ownership) -> None:
        error = await refused(ownership)
        assert (error.code, type(error)) == (code, Unavailable)
        assert said in error.message
        assert data.exists() == there  # nothing was tidied away
        # a person follows the remedy while the server runs
        shutil.rmtree(lab_dir) if lab_dir.is_dir() else lab_dir.unlink()
        shutil.copytree(made, lab_dir)
        lab = await opened(ownership)
        assert (await lab.health()).status == "up"

    owning(lab_dir, dialogue)


@pytest.mark.parametrize("spoil", [missing, truncated, other_header])
def test_beginning_anew_keeps_what_was_there(lab_dir: Path, spoil: Callable[[Path], None]) -> None:
    spoil(lab_dir)

    async def dialogue(ownership: Ownership) -> None:
        lab = await opened(ownership)
        assert (await lab.health()).status == "up"

    owning(lab_dir, dialogue, begin_anew=True)
    (aside,) = lab_dir.glob("before-new-lab-*")
    assert (aside / "blobs" / SHA256[:2] / SHA256[2:]).read_bytes() == DATA
    assert not list((lab_dir / "blobs").glob("*/*"))


def test_a_whole_lab_is_not_begun_anew(lab_dir: Path) -> None:
    async def dialogue(ownership: Ownership) -> int:
        lab = await opened(ownership)
        return await lab.context.db.read(lambda c: int(c.exec_driver_sql("SELECT count(*) FROM events").scalar() or 0))

    assert owning(lab_dir, dialogue, begin_anew=True) == 2000
    assert not list(lab_dir.glob("before-*"))


def test_a_lab_without_its_folder_of_results_is_refused(lab_dir: Path) -> None:
    with closing(sqlite3.connect(lab_dir / "lab.sqlite3")) as database:
        columns = database.execute("PRAGMA table_info(results)").fetchall()
        values = {name: 0 if "INT" in kind else b"" for _, name, kind, *_ in columns} | {"blob_sha256": SHA256}
        marks = ", ".join("?" * len(values))
        database.execute(f"INSERT INTO results ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
        database.commit()
    (lab_dir / "blobs").rename(lab_dir / "elsewhere")

    async def dialogue(ownership: Ownership) -> None:
        error = await refused(ownership)
        assert error.code == "blobs_missing"
        assert not (lab_dir / "blobs").exists()
        (lab_dir / "elsewhere").rename(lab_dir / "blobs")
        await opened(ownership)

    owning(lab_dir, dialogue)


@pytest.mark.parametrize("failure", [ValueError("a bug"), OSError(errno.ENOSPC, "No space"), KeyError("x")])
def test_no_failure_to_open_leaves_a_server_without_a_reason_or_for_ever(tmp_path: Path, failure: Exception) -> None:
    left = [failure] * 3

    async def open_lab() -> Lab:
        if left:
            raise left.pop()
        return await Lab.open(LabConfig(lab_dir=tmp_path))

    async def run() -> None:
        record = OwnerRecord.here(url="http://127.0.0.1:1/", secret="s", version="0", ca_file=None, own_ca=False)
        ownership = Ownership(
            backend=backend_of(USUAL, tmp_path),
            upstream=None,
            record=record,
            started=nothing,
            stopping=nothing,
            open_lab=open_lab,
        )
        await ownership.start()
        try:
            assert (await refused(ownership)).code in ("lab_failed", "disk_full")
            await opened(ownership)
        finally:
            await ownership.stop()

    asyncio.run(run())
