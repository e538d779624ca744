"""``jupyter qpi restore``: a lab out of the file that a backup wrote.

Everything is unpacked beside its place and checked first; the database comes to its place last, so that a restore that
is cut off leaves no lab rather than half of one. The lab's lock is held all the while.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from qpi_jupyter.core import Conflict, NotFound, Rejected, Unavailable, counted
from qpi_jupyter.wire.disk import sync_folder
from qpi_server.app.extension import QPIServer
from qpi_server.host.owner_files import OwnerFile
from qpi_server.store import DATABASE, SCHEMA_VERSION, Backend, move_aside

from .archive import FORMAT, MANIFEST, Manifest, blob_name, is_ours, say

LAB_NAMES = frozenset({"blobs", "tls", "agents", "owner.json"})
"""What a lab keeps in its folder besides the database."""
CHUNK = 1 << 20
Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the archive is."""
    parser.add_argument("file", type=Path, help="the archive")
    parser.add_argument("--force", action="store_true", help="move a lab that is in the folder aside first")


def run(lab: QPIServer, options: argparse.Namespace) -> int:
    """Make a lab of such a file; the exit status."""
    return restore_lab(options.file, lab.backend(), say, force=options.force)


def restore_lab(archive: Path, backend: Backend, say: Say, *, force: bool = False) -> int:
    """Make a lab of ``archive``, with its rows in ``backend``; the exit status.

    Raises
    ------
    NotFound
        there is no such archive.
    Rejected
        it is no whole backup, or a newer version wrote it. The folder is as it was.
    Conflict
        a server has the lab open, or there is a lab already and ``force`` is not given.
    """
    if not archive.is_file():
        raise NotFound(f"There is no file {archive}.")
    lab_dir = backend.lab_dir
    backend.prepare()
    with _locked(backend), _staging(lab_dir) as staging:
        if backend.present():
            _require_room(backend, force=force)
        manifest = _unpack(archive, staging, say)
        _check(archive, staging, manifest)
        names = LAB_NAMES | {*backend.files} | {path.name for path in staging.iterdir()}
        # the database first: from then on there is no lab in the folder
        aside = move_aside(lab_dir, sorted(names, key=lambda name: (name != DATABASE, name)), "before-restore")
        _move_in(staging, backend)
    if aside is not None:
        print(f"What was there is in {aside}.")
    _tell(lab_dir, manifest)
    return 0


def _require_room(backend: Backend, *, force: bool) -> None:
    if not backend.files:
        raise Conflict("There is a lab in the database that db_url names already. Make an empty one, and name that.")
    if not force:
        raise Conflict(
            f"There is a lab in {backend.lab_dir} already. --force moves it aside; --lab-dir names another folder."
        )


def _tell(lab_dir: Path, manifest: Manifest) -> None:
    parts = [counted(manifest.jobs, "job"), counted(manifest.results - len(manifest.lost), "result")]
    if any(name.startswith("tls/") for name in manifest.files):
        parts.append("the https authority (in tls)")
    parts += [name for name in manifest.files if name.startswith("qpi.config.")]
    print(f"{lab_dir} is the lab of {manifest.made_at} (version {manifest.version}): {', '.join(parts)}.")
    if manifest.lost:
        print(f"Lost before the backup was made: {counted(len(manifest.lost), 'result')}.")


@contextmanager
def _locked(backend: Backend) -> Iterator[None]:
    lock = backend.lock()
    if not lock.acquire():
        owner = OwnerFile(backend.lab_dir).read()
        who = f"The server at {owner.url} (process {owner.pid})" if owner is not None else "A server"
        raise Conflict(
            f"{who} has the lab in {backend.lab_dir} open. End it first, or name another folder with --lab-dir."
        )
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _staging(lab_dir: Path) -> Iterator[Path]:
    staging = lab_dir / "restore.tmp"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(archive: Path, staging: Path, say: Say) -> Manifest:
    """Every file to its name under ``staging``, with its digest found; the archive's own list of them."""
    found: dict[str, str] = {}
    part = "its beginning"
    try:
        with tarfile.open(archive, mode="r:") as tar:
            for n, member in enumerate(tar, 1):
                part = repr(member.name)
                if not member.isreg() or not is_ours(member.name) or member.name in found:
                    raise Rejected(f"{archive} is not a backup of a lab: it holds {part}.")
                found[member.name] = _extract(tar, member, staging / member.name)
                if n % 1000 == 0:
                    say(counted(n, "file"))
                part = f"what follows {member.name!r}"
        part = MANIFEST
        manifest = msgspec.json.decode((staging / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise Rejected(f"{archive} is cut off: it has no list of its files.") from error
    except OSError as error:
        raise Unavailable(
            f"Cannot unpack {part} of {archive}: {error.strerror}. Nothing was changed; free some space, or name "
            "another folder with --lab-dir.",
            code="restore_failed",
        ) from error
    except (tarfile.TarError, msgspec.MsgspecError, EOFError) as error:
        raise Rejected(f"{archive} is damaged in {part}, or not a backup of a lab.") from error
    del found[MANIFEST]
    (staging / MANIFEST).unlink()
    wrong = sorted(name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name))
    if wrong:
        raise Rejected(f"{archive} is damaged in {', '.join(wrong[:5])}: they and its own list do not agree.")
    return manifest


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    """Write one file, on disk; its SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    source = tar.extractfile(member)
    assert source is not None
    with source, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def _check(archive: Path, staging: Path, manifest: Manifest) -> None:
    """Whether a lab can live on it."""
    if manifest.format != FORMAT or manifest.schema > SCHEMA_VERSION:
        raise Rejected(
            f"{archive} was written by version {manifest.version} (schema {manifest.schema}), which is newer than this "
            f"one (schemas up to {SCHEMA_VERSION}). Install that version."
        )
    if DATABASE not in manifest.files:
        raise Rejected(f"{archive} is not a backup of a lab: it has no database.")
    try:
        with closing(sqlite3.connect(staging / DATABASE)) as copy:
            whole = copy.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            wanted = {row[0] for row in copy.execute("SELECT blob_sha256 FROM results")}
    except sqlite3.DatabaseError as error:
        raise Rejected(f"The database {DATABASE} in {archive} is damaged.") from error
    missing = {sha256 for sha256 in wanted if blob_name(sha256) not in manifest.files} - set(manifest.lost)
    if not whole:
        raise Rejected(f"The database {DATABASE} in {archive} is damaged.")
    if missing:
        first = ", ".join(blob_name(sha256) for sha256 in sorted(missing)[:5])
        raise Rejected(f"{archive} is not whole: {len(missing)} results are not in it, {first} for one.")


def _move_in(staging: Path, backend: Backend) -> None:
    """The database last."""
    for path in staging.iterdir():
        if path.name != DATABASE:
            path.rename(backend.lab_dir / path.name)
    backend.put(staging / DATABASE)
    sync_folder(backend.lab_dir)
