"""The lock and the owner file."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from qpi_jupyter.core.errors import Conflict
from qpi_server.host.owner_files import OwnerFile, OwnerRecord
from qpi_server.store import USUAL, backend_of
from qpi_server.store.sqlite_file import FolderLock


def record(**changes: object) -> OwnerRecord:
    values = {"url": "http://127.0.0.1:1/", "secret": "s", "version": "0", "ca_file": None, "own_ca": False}
    return OwnerRecord.here(**{**values, **changes})  # type: ignore[arg-type]


def test_one_lock_at_a_time(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_only_its_user_reads_the_owner_file(tmp_path: Path) -> None:
    file = OwnerFile(tmp_path)
    file.write(record())
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.read() == record()
    assert [p.name for p in tmp_path.iterdir()] == ["owner.json"]
    file.remove()
    file.remove()
    assert file.read() is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"url": 3}', b"\xff"])
def test_a_broken_owner_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    file = OwnerFile(tmp_path)
    file.path.write_bytes(content)
    assert file.read() is None


def test_a_lab_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Mount:
        mountpoint, fstype = str(tmp_path), "nfs4"

    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [Mount])
    with pytest.raises(Conflict, match="QPI_LAB_DIR") as refused:
        backend_of(USUAL, tmp_path / "lab").prepare()
    assert refused.value.code == "network_file_system"


def test_a_lock_whose_file_is_removed_still_holds(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.acquire()
    first.path.unlink()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


@pytest.mark.parametrize(("spoil", "said"), [
    (lambda path: path.unlink(), "missing"), (lambda path: path.write_bytes(b"{"), "damaged"),
    (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
])  # fmt: skip
def test_why_an_owner_file_says_nothing(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    file = OwnerFile(tmp_path)
    file.write(record())
    assert file.problem() is None
    spoil(file.path)
    assert said in (file.problem() or "")
    assert file.read() is None


def test_the_data_folder_is_its_users_alone(tmp_path: Path) -> None:
    backend_of(USUAL, tmp_path / "lab").prepare()
    assert stat.S_IMODE((tmp_path / "lab").stat().st_mode) == 0o700
