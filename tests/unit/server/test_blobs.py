"""Blobs: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core.errors import Faulted, NotFound, Unavailable
from qpi_server.store.blobs import Blobs, held

DATA = b"what was measured"
SHA256 = hashlib.sha256(DATA).hexdigest()


def test_a_published_blob_lies_under_its_digest_and_again_is_fine(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for _ in range(2):
        writer = blobs.writer()
        writer.write(DATA[:4])
        writer.write(DATA[4:])
        writer.publish(SHA256)
        writer.abort()
    assert blobs.path(SHA256) == tmp_path / SHA256[:2] / SHA256[2:]
    assert blobs.path(SHA256).read_bytes() == DATA


def test_an_empty_blob_is_a_blob(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    digest = hashlib.sha256(b"").hexdigest()
    blobs.writer().publish(digest)
    assert blobs.path(digest).read_bytes() == b""


def test_what_was_left_half_written_is_cleaned_at_the_next_start(tmp_path: Path) -> None:
    Blobs(tmp_path).writer().write(DATA)
    assert list(tmp_path.glob(".tmp-*"))
    Blobs(tmp_path)
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize("digest", ["0" * 64, "../lab.sqlite3", "A" * 64])
def test_only_a_digest_that_is_there_has_a_path(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFound):
        Blobs(tmp_path).path(digest)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_damaged_and_nobody_waits_for_it(tmp_path: Path, make: Callable[[Path], None]) -> None:
    blobs = Blobs(tmp_path)
    make(tmp_path / SHA256[:2] / SHA256[2:])
    with pytest.raises(Faulted, match="damaged"):
        blobs.path(SHA256)
    assert blobs.trouble is None


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = Blobs(tmp_path).writer()
    writer.write(DATA)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable) as caught:
        writer.publish(SHA256)
    assert caught.value.code == "disk_full"
    assert not list(tmp_path.glob(".tmp-*"))
    assert not list(tmp_path.glob(f"{SHA256[:2]}/*"))


def put(blobs: Blobs) -> Path:
    writer = blobs.writer()
    writer.write(DATA)
    writer.publish(SHA256)
    return blobs.path(SHA256)


def rewrite(path: Path, data: bytes) -> None:
    """Another content, of which the file's time of change says nothing."""
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@given(place=st.integers(0, 8 * len(DATA) - 1), length=st.integers(0, len(DATA)))
@settings(max_examples=40, deadline=None)
def test_no_other_bytes_are_served_under_a_digest(
    tmp_path_factory: pytest.TempPathFactory, place: int, length: int
) -> None:
    """One bit flipped, or the end cut off; before this process read it, and after."""
    flipped = bytearray(DATA)
    flipped[place // 8] ^= 1 << place % 8
    blobs = Blobs(tmp_path_factory.mktemp("blobs"))
    path = put(blobs)
    for spoiled in (bytes(flipped), DATA[:length] if length < len(DATA) else DATA + b"x"):
        for reader in (blobs, Blobs(blobs.folder)):
            rewrite(path, spoiled)
            with pytest.raises(Faulted, match="backup") as caught:
                reader.path(SHA256)
            assert caught.value.code == "data_damaged"
            rewrite(path, DATA)
            assert reader.path(SHA256) == path
    path.write_bytes(b"spoiled")
    put(blobs)  # delivered once more, it is whole again


def test_nobody_frees_a_blob_while_a_backup_holds_them(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    path = put(blobs)
    with held(tmp_path):
        assert not blobs.discard(SHA256, lambda: False)
        assert path.exists()
    assert blobs.discard(SHA256, lambda: False)
    assert not path.exists()


def test_a_disk_that_fails_is_kept_in_mind_until_it_works_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    blobs = Blobs(tmp_path)
    blobs.on_trouble = lambda trouble: told.append(trouble.code)

    def denied(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", denied)
        for attempt in (lambda: put(blobs), blobs.probe):
            with pytest.raises(Unavailable):
                attempt()
    assert told == ["storage_denied"] * 2
    assert blobs.trouble is not None
    blobs.probe()
    assert blobs.trouble is None
    assert not list(tmp_path.glob(".tmp-*"))
