"""Checks of the lab itself: its folder, its database, who owns it, its drivers, its certificates."""

from __future__ import annotations

import os
import pwd
import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import psutil
from cryptography import x509
from msgspec import UNSET
from sqlalchemy import Connection, func, select

from qpi_jupyter._version import __version__
from qpi_jupyter.core import QpiError, counted
from qpi_jupyter.wire.rest import Health
from qpi_server.host.owner_files import OwnerFile, OwnerRecord
from qpi_server.host.tls import RENEW_DAYS, TlsFiles
from qpi_server.store import SCHEMA_VERSION, Backend, bench, require_blobs, schema_version, storage_error
from qpi_server.store.schema import events, jobs, results
from qpi_server.tools.archive import blob_name

from .findings import Check, Findings

ANSWER_S = 10.0
ENDS_SOON = timedelta(days=14)
"""When a certificate that the lab does not renew itself should be."""
_SKEW = timedelta(minutes=1)
_RESTORE = "Bring back a backup with `jupyter qpi restore FILE --force`."


def folder(backend: Backend) -> Findings:
    """Whether the lab's folder is there, on a disk, and its user's alone. What this says first must hold for others."""
    check, path = Check("folder"), backend.lab_dir
    if not path.is_dir():
        yield check.problem(
            f"There is no lab in {path}.", "Start one with `jupyter qpi`, or name its folder with --lab-dir."
        )
        return
    found = path.stat()
    if found.st_uid != os.geteuid():
        yield check.problem(
            f"{path} belongs to {_user(found.st_uid)}.",
            f"Run this as {_user(found.st_uid)}: what another user opens there may keep the lab from its own files.",
        )
        return
    try:
        backend.prepare()
    except QpiError as error:
        yield check.problem(error.message, "Then start the lab again.")
        return
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield check.warning(f"Others on this machine can look into {path}.", f"chmod 700 {path}")
    else:
        yield check.ok(f"{path}, for {_user(found.st_uid)} alone")


def can_be_read(backend: Backend) -> bool:
    """Whether looking into the folder is allowed, and does no harm: another user's files would lock its owner out."""
    return backend.lab_dir.is_dir() and backend.lab_dir.stat().st_uid == os.geteuid()


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def database(backend: Backend) -> Findings:
    """Whether the rows can be read and belong together, and the results that they name are there."""
    check = Check("database")
    if not backend.present():
        yield check.problem("There is no database.", f"For a new lab, start it. {_RESTORE}")
        return
    try:
        with backend.reading() as connection:
            yield from _look(check, connection, backend)
    except Exception as error:
        trouble = error if isinstance(error, QpiError) else storage_error(error)
        if trouble is None:
            raise
        yield check.problem(trouble.message, _RESTORE)


def _look(check: Check, connection: Connection, backend: Backend) -> Findings:
    found = schema_version(connection)
    if found > SCHEMA_VERSION:
        yield check.problem(
            f"A newer version wrote the database (schema {found}; this one knows {SCHEMA_VERSION}).",
            "pip install --upgrade qpi-jupyter",
        )
        return
    if found == 0:
        yield check.problem("The database is empty.", f"For a new lab, start it. {_RESTORE}")
        return
    if connection.dialect.name == "sqlite":
        faults = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)") if row[0] != "ok"]
        faults += [
            f"a row of {row[0]} refers to nothing" for row in connection.exec_driver_sql("PRAGMA foreign_key_check")
        ]
        if faults:
            yield check.problem(f"The database is damaged: {'; '.join(faults[:5])}", _RESTORE)
            return
    require_blobs(connection, backend.lab_dir)
    lost = [
        digest
        for digest in connection.execute(select(results.c.blob_sha256)).scalars()
        if not (backend.lab_dir / blob_name(digest)).is_file()
    ]
    if lost:
        missing = f"{counted(len(lost), 'result')} {'is' if len(lost) == 1 else 'are'} missing"
        yield check.problem(f"{missing}, beginning with {lost[0]}.", _RESTORE)
    newest: datetime | None = connection.execute(select(events.c.at).order_by(events.c.seq.desc()).limit(1)).scalar()
    if newest is not None and newest > datetime.now(UTC) + _SKEW:
        yield check.warning(
            f"The lab's newest event is of {newest:%Y-%m-%d %H:%M} UTC, which is still to come.",
            "The machine's clock was set back, or is wrong now: correct it.",
        )
    total = connection.execute(select(func.count()).select_from(jobs)).scalar() or 0
    later = "" if found == SCHEMA_VERSION else f" (the next start brings it to {SCHEMA_VERSION})"
    if not lost:
        yield check.ok(f"whole, schema {found}{later}, {counted(total, 'job')}")


class Owner:
    """The server that has the lab, as its file and its answer tell it."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.file = OwnerFile(backend.lab_dir)
        self.record: OwnerRecord | None = self.file.read()
        self.health: Health | None = None
        self.trouble = ""
        if self.record is not None:
            self._ask(self.record)

    def _ask(self, record: OwnerRecord) -> None:
        try:
            answer = httpx.get(
                f"{record.url}qpi/health", headers={"Authorization": f"Bearer {record.secret}"},
                verify=record.context() or True, timeout=ANSWER_S, trust_env=False,
            )  # fmt: skip
            self.health = msgspec.json.decode(answer.content, type=Health)
        except (httpx.HTTPError, OSError) as error:
            self.trouble = str(error) or type(error).__name__
        except msgspec.MsgspecError:
            self.trouble = "something else than a lab answers"

    def check(self) -> Findings:
        """Who owns the lab, and how it is."""
        check, record = Check("owner"), self.record
        if record is None or self.health is None:
            yield from self._silent(check)
            return
        if self.health.error is not UNSET:
            yield check.problem(f"The lab is {self.health.status}.", self.health.error.message)
        elif self.health.version != __version__:
            yield check.warning(
                f"The server at {record.url} runs version {self.health.version}; installed is {__version__}.",
                "Restart it.",
            )
        else:
            yield check.ok(f"Process {record.pid} at {record.url} serves the lab.")

    def _silent(self, check: Check) -> Findings:
        lock, record = self.backend.lock(), self.record
        if lock.acquire():
            lock.release()
            left = " It ended without a word." if record is not None else ""
            yield check.skipped(f"No server has the lab open.{left}", "Start it with `jupyter qpi` or JupyterLab.")
        elif record is None:
            yield check.problem(
                f"A process has the lab open, and {self.file.problem()}.",
                "A server writes that file again within seconds; if it does not, end that process.",
            )
        elif record.host == socket.gethostname() and psutil.pid_exists(record.pid):
            yield check.problem(
                f"Process {record.pid} has the lab open and does not answer at {record.url} ({self.trouble}).",
                "Look into its log; restart it if it hangs.",
            )
        else:
            yield check.problem(
                f"Another process has the lab open; the one that {self.file.path.name} names is gone.",
                "Ask again in a moment; if this stays, end the processes that use the lab's folder.",
            )


def drivers(owner: Owner) -> Findings:
    """Whether each registered driver is there, and of this version."""
    check = Check("drivers")
    with owner.backend.reading() as connection:
        if schema_version(connection) != SCHEMA_VERSION:
            yield check.skipped("The database is of another version.", "Start the lab once.")
            return
        known = [row for row in bench.all_drivers(connection) if row.enabled and row.revoked_at is None]
        embedded = {row.name for row in bench.all_embedded(connection)}
        qpus = {row.name for row in bench.all_qpus(connection)}
    if owner.health is None:
        yield check.skipped(f"{counted(len(known), 'driver')} registered; no server runs to ask.")
        return
    there = {one["driver"] for one in (owner.health.drivers or ())}
    for row in known:
        machine = row.host or "its machine"
        if row.id not in there and row.name not in there:
            log = owner.backend.lab_dir / "agents" / f"{row.name}.log"
            remedy = f"The server starts it again by itself; {log} says why it ended."
            if row.name not in embedded:
                remedy = f"Start qpi-agent on {machine} again; its log says why it ended."
            yield check.warning(f"The driver {row.name} of {row.qpu} is offline.", remedy)
        elif row.version and row.version != __version__:
            yield check.warning(
                f"The driver {row.name} has version {row.version}, the lab {__version__}.",
                f"Update qpi-jupyter on {machine}, and restart the driver.",
            )
    for name in sorted(qpus - {row.qpu for row in known}):
        yield check.warning(f"The QPU {name} has no driver.", "Register one: docs/how-to/start-a-driver.md.")
    if not qpus:
        yield check.warning("The lab has no QPU.", "Register a driver, or start with --demo for two simulated ones.")
    yield check.ok(f"{len(there)} of {len(known)} connected")


def certificates(files: TlsFiles, *, https: bool, owner: Owner) -> Findings:
    """How long the certificates are valid, and whether their keys are kept."""
    check, record = Check("certificates"), owner.record
    if record is not None and record.ca_file is not None and not record.own_ca:
        yield from _valid(check, Path(record.ca_file), ENDS_SOON, "Renew it, and restart the server.")
    elif https or (record is not None and record.own_ca):
        yield from _own(check, files)
    else:
        yield check.skipped("The lab serves plain http.", "For other machines: --https, or a proxy with a certificate.")


def _own(check: Check, files: TlsFiles) -> Findings:
    if not files.cert.exists():
        yield check.skipped("There is no certificate yet.", "The first start with --https makes one.")
        return
    late = timedelta(days=RENEW_DAYS - 2)
    yield from _valid(
        check, files.cert, late,
        f"The server renews it by itself where it can read {files.ca_key}: put that file back, and restart it.",
    )  # fmt: skip
    yield from _valid(
        check, files.ca_cert, timedelta(days=180),
        "Delete the authority's files for a new one, and give drivers and people its fingerprint.",
    )  # fmt: skip
    for key in (files.key, files.ca_key):
        if key.exists() and key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield check.problem(f"Others on this machine can read the key {key}.", f"chmod 600 {key}")


def _valid(check: Check, path: Path, early: timedelta, remedy: str) -> Findings:
    try:
        ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except OSError as error:
        yield check.problem(f"{path} cannot be read ({error.strerror}).", remedy)
        return
    except ValueError:
        yield check.problem(f"{path} does not hold a certificate (PEM).", remedy)
        return
    left = ends - datetime.now(UTC)
    found = f"{path} is valid until {ends:%Y-%m-%d}"
    if left <= timedelta(0):
        yield check.problem(f"{path} expired on {ends:%Y-%m-%d}.", remedy)
    elif left < early:
        yield check.warning(f"{found}.", remedy)
    else:
        yield check.ok(found)
