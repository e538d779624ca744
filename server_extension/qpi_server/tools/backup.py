"""``jupyter qpi backup``: one file out of a lab, while it serves.

The store copies its rows as of one commit into a SQLite file. The results that the copy refers to never change under
their names; no server frees one until there are links to all of them, so that a job that is deleted meanwhile takes
nothing away.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import io
import os
import shutil
import sqlite3
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Conflict, NotFound, Unavailable, counted
from qpi_jupyter.wire.disk import sync_folder
from qpi_server.app.extension import QPIServer
from qpi_server.host.tls import TlsFiles
from qpi_server.settings.values import FILE_NAMES
from qpi_server.store import BLOBS, DAMAGED, DATABASE, Backend, fault
from qpi_server.store.blobs import held

from .archive import FORMAT, MANIFEST, TLS_NAMES, Manifest, blob_name, say

TELL_EVERY_S = 0.5
Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the archive goes."""
    parser.add_argument("file", type=Path, help="the archive to write; it is readable by you alone")


def run(lab: QPIServer, options: argparse.Namespace) -> int:
    """Write the lab into a file; the exit status."""
    return write_backup(lab.backend(), lab.tls_files(), options.file, say)


def write_backup(backend: Backend, tls: TlsFiles, target: Path, say: Say) -> int:
    """Write the lab of ``backend`` to ``target``, in one step; the exit status: 1 where results were lost before.

    Raises
    ------
    NotFound
        there is no lab.
    Conflict
        another backup runs.
    Unavailable
        the database is damaged: nothing is written.
    """
    lab_dir = backend.lab_dir
    if not backend.present():
        raise NotFound(f"There is no lab in {lab_dir}: --lab-dir names another folder.")
    if not target.absolute().parent.is_dir():
        raise NotFound(f"There is no folder {target.absolute().parent}.")
    with _staging(lab_dir) as staging:
        lost = _copy(backend, staging, say)
        for name, source in _extras(lab_dir, tls):
            _place(source, staging / name)
        manifest = _described(staging / DATABASE, lost)
        _write(staging, target, manifest, say)
    print(
        f"{target}: {counted(manifest.jobs, 'job')}, {counted(manifest.results - len(lost), 'result')}, "
        f"{target.stat().st_size:,} bytes, checked."
    )
    for sha256 in lost:
        print(f"The result {sha256} is missing or damaged in the lab, and is not in the backup.", file=sys.stderr)
    return 1 if lost else 0


@contextmanager
def _staging(lab_dir: Path) -> Iterator[Path]:
    """A folder of one backup at a time, in the lab's folder, where links to its results can be made."""
    staging = lab_dir / "backup.tmp"
    fd = os.open(lab_dir / "backup.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"Another backup of {lab_dir} is being made: wait for its end.") from None
        shutil.rmtree(staging, ignore_errors=True)  # of one that was killed
        staging.mkdir(mode=0o700)
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(fd)


def _copy(backend: Backend, staging: Path, say: Say) -> list[str]:
    """The database and what it refers to; the digests of what is not there."""
    say("copying the database ...")
    blobs = backend.lab_dir / BLOBS
    with held(blobs) if blobs.is_dir() else nullcontext():
        backend.copy(staging / DATABASE)
        _require_whole(staging / DATABASE)
        wanted = sorted(_results(staging / DATABASE))
        return [sha256 for sha256 in wanted if not _link(backend.lab_dir, staging, sha256)]


def _require_whole(database: Path) -> None:
    with closing(sqlite3.connect(database)) as copy:
        found = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
        found += [f"a row of {row[0]} refers to nothing" for row in copy.execute("PRAGMA foreign_key_check")][:5]
    if found:
        raise fault(DAMAGED, f"{len(found)} faults found")


def _results(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as copy:
        return {row[0] for row in copy.execute("SELECT blob_sha256 FROM results")}


def _link(lab_dir: Path, staging: Path, sha256: str) -> bool:
    """Hold on to one result; whether it is there."""
    name = blob_name(sha256)
    try:
        _place(lab_dir / name, staging / name)
    except FileNotFoundError:
        return False
    return True


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if target.exists():
        return
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _extras(lab_dir: Path, tls: TlsFiles) -> Iterator[tuple[str, Path]]:
    """The authority's files and the lab's own settings, where there are any."""
    paths = dict(zip(TLS_NAMES, asdict(tls).values(), strict=True))
    candidates = [(f"tls/{name}", path) for name, path in paths.items()]
    candidates += [(name, lab_dir / name) for name in FILE_NAMES]
    return ((name, path) for name, path in candidates if path.is_file())


def _described(database: Path, lost: list[str]) -> Manifest:
    with closing(sqlite3.connect(database)) as copy:
        (schema,) = copy.execute("SELECT version_num FROM alembic_version").fetchone()
        (jobs,) = copy.execute("SELECT count(*) FROM jobs").fetchone()
        (results,) = copy.execute("SELECT count(*) FROM results").fetchone()
    return Manifest(
        format=FORMAT, version=__version__, schema=int(schema), made_at=datetime.now(UTC).isoformat(), jobs=jobs,
        results=results, files={}, lost=lost,
    )  # fmt: skip


def _write(staging: Path, target: Path, manifest: Manifest, say: Say) -> None:
    """All of ``staging`` into one file, which appears whole or not at all."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    paths = sorted(path for path in staging.rglob("*") if path.is_file())
    told = time.monotonic()
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for n, path in enumerate(paths, 1):
                    _add(tar, staging, path, manifest)
                    if time.monotonic() - told > TELL_EVERY_S:
                        told = time.monotonic()
                        say(f"{n} of {len(paths)} files, {stream.tell():,} bytes")
                content = msgspec.json.encode(manifest)
                _put(tar, MANIFEST, len(content), io.BytesIO(content))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
        sync_folder(target.absolute().parent)
    except OSError as error:
        raise Unavailable(
            f"{target} cannot be written ({error.strerror}); nothing was left there. Free some space, or name another "
            "place.",
            code="backup_failed",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, staging: Path, path: Path, manifest: Manifest) -> None:
    """One file, unless it is a result whose bytes are no longer those of its name."""
    name = path.relative_to(staging).as_posix()
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if name.startswith("blobs/") and name != blob_name(digest):
            manifest.lost.append(path.parent.name + path.name)
            return
        stream.seek(0)
        _put(tar, name, path.stat().st_size, stream)
    manifest.files[name] = digest


def _put(tar: tarfile.TarFile, name: str, size: int, stream: BinaryIO) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    tar.addfile(info, stream)
