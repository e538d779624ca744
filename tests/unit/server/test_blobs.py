"""Blobs: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from qpi_jupyter.core.errors import NotFound, Unavailable
from qpi_server.store.blobs import Blobs

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
