"""Who owns the queue: exactly one process a data folder, and what the others do until it dies.

The owner holds a lock beside the database and tells the others in ``owner.json`` how to reach it. They forward to it,
hold one request open on it, and take over when that breaks or is answered.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
from msgspec import Struct

from qpi_jupyter.core.errors import Conflict, QpiError, Unavailable
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.rest import Health

from .forward import Upstream, UpstreamLost

if TYPE_CHECKING:
    from .service import Lab

log = logging.getLogger(__name__)
SEAT_WAIT_S = 5.0
"""How long a request waits for an owner, before it is told to come back."""
RETRY_MIN_S, RETRY_MAX_S = 0.05, 1.0
"""Between two looks for an owner that holds the lock and does not answer: one that is starting or ending."""
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smbfs", "smb3", "afs", "fuse.sshfs", "9p", "glusterfs", "lustre"}
)


class OwnerRecord(Struct, kw_only=True):
    """``owner.json``: how the owner is reached, by those who may read the file."""

    url: str
    secret: str
    pid: int
    host: str
    version: str
    wire: int
    ca_file: str | None = None
    own_ca: bool = False

    @classmethod
    def here(cls, *, url: str, secret: str, version: str, ca_file: str | None, own_ca: bool) -> OwnerRecord:
        """The record of this process."""
        return cls(
            url=url, secret=secret, pid=os.getpid(), host=socket.gethostname(), version=version, wire=WIRE_VERSION,
            ca_file=ca_file, own_ca=own_ca,
        )  # fmt: skip

    def upstream(self) -> Upstream:
        """The way to the owner, trusting the certificate that it names here and no other."""
        context = None
        if self.ca_file is not None:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.check_hostname = self.own_ca  # a person's certificate need not name the loopback address
        return Upstream(self.url, self.secret, context=context)


class OwnerFile:
    """``owner.json`` in a data folder."""

    def __init__(self, lab_dir: Path) -> None:
        self.path = lab_dir / "owner.json"

    def read(self) -> OwnerRecord | None:
        """What the owner says; None where there is nothing, or nothing whole."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=OwnerRecord)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, record: OwnerRecord) -> None:
        """Replace it in one step; only its user may read it."""
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(msgspec.json.encode(record))
        temporary.replace(self.path)

    def remove(self) -> None:
        """The owner has gone."""
        self.path.unlink(missing_ok=True)


class LabLock:
    """The lock beside the database. It ends with its process, however that ends."""

    def __init__(self, lab_dir: Path) -> None:
        self.path = lab_dir / "lab.lock"
        self._fd: int | None = None

    def acquire(self) -> bool:
        """Whether the lock is ours now; never waits."""
        if self._fd is not None:
            return True
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        """Give it back."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def prepare_folder(lab_dir: Path) -> None:
    """Make the data folder, for its user alone.

    Raises
    ------
    Conflict
        it lies on a network file system, where SQLite's locks do not hold.
    """
    lab_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = lab_dir.resolve()
    mounts = [m for m in psutil.disk_partitions(all=True) if target.is_relative_to(m.mountpoint)]
    deepest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    if deepest is not None and deepest.fstype.lower() in NETWORK_FILE_SYSTEMS:
        raise Conflict(
            f"The lab's data folder {lab_dir} is on a network file system ({deepest.fstype}), where SQLite is not "
            "safe. Set QPI_LAB_DIR to a folder on a local disk.",
            code="network_file_system",
        )


class Ownership:
    """Where requests go: the lab in this process, or the upstream that has it.

    Parameters
    ----------
    lab_dir
        the data folder; None with ``upstream``.
    upstream
        a lab elsewhere: then this server only ever forwards.
    record
        what this server will tell the others, once it owns the lab.
    open_lab
        opens the lab; called with the lock held.
    started, stopping
        what else an owner does, with the lab open: once requests reach it, and before they no longer do.
    """

    def __init__(
        self,
        *,
        lab_dir: Path | None,
        upstream: Upstream | None,
        record: OwnerRecord,
        open_lab: Callable[[], Awaitable[Lab]],
        started: Callable[[Lab], Awaitable[None]],
        stopping: Callable[[Lab], Awaitable[None]],
    ) -> None:
        self._open_lab, self._started, self._stopping = open_lab, started, stopping
        self._record = record
        self._fixed = upstream
        self._lab_dir = lab_dir
        self._lab: Lab | None = None
        self._seat: Lab | Upstream | None = None
        self._refusal: QpiError | None = None
        self._changed = asyncio.Event()
        self._released = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.owner: OwnerRecord | None = None
        if lab_dir is not None:
            self._lock, self._file = LabLock(lab_dir), OwnerFile(lab_dir)

    async def start(self) -> None:
        """Take the lab if nobody has it, else find who has; go on in the background."""
        if self._fixed is not None:
            self._sit(self._fixed)
            return
        assert self._lab_dir is not None
        try:
            prepare_folder(self._lab_dir)
            if self._lock.acquire():
                await self._own()
                return
        except (QpiError, OSError) as error:
            self._refuse(error if isinstance(error, QpiError) else Conflict(f"No lab: {error}"))
            return
        self._task = asyncio.create_task(self._follow(), name="follow the lab's owner")

    async def stop(self) -> None:
        """Let go of the lab; another server takes it at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        lab, self._lab = self._lab, None
        if lab is not None:
            await self._stopping(lab)
        seat, self._seat = self._seat, None
        if isinstance(seat, Upstream):
            seat.close()
        if lab is not None:
            await lab.close()
            self._file.remove()
            self._lock.release()
        self._refuse(Unavailable("This server is ending.", code="ending"))
        self._released.set()

    async def seat(self, *, after: Lab | Upstream | None = None) -> Lab | Upstream:
        """Who answers requests now, or, where ``after`` is given, who does next.

        Raises
        ------
        Unavailable
            nobody, and nobody came within `SEAT_WAIT_S`.
        Conflict
            this server cannot own the lab, nor understand who does.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(SEAT_WAIT_S):
                while self._refusal is None:
                    if self._seat is not None and self._seat is not after:
                        return self._seat
                    await self._changed.wait()
        raise self._refusal or Unavailable("The lab is changing its owner; ask again in a moment.", code="no_owner")

    async def released(self) -> None:
        """Wait until this server ends."""
        await self._released.wait()

    def _sit(self, seat: Lab | Upstream | None) -> None:
        self._seat, self._refusal = seat, None
        self._tell()

    def _refuse(self, error: QpiError) -> None:
        if self._refusal is None or self._refusal.message != error.message:
            log.log(logging.INFO if error.code == "ending" else logging.ERROR, "%s", error.message)
        self._seat, self._refusal = None, error
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _own(self) -> None:
        """Open the lab, with the lock held."""
        try:
            self._lab = await self._open_lab()
        except BaseException:
            self._lock.release()
            raise
        self._file.write(self._record)
        self.owner = self._record
        log.info("This server owns the lab in %s", self._lab_dir)
        self._sit(self._lab)
        try:
            await self._started(self._lab)
        except Exception:  # the lab itself stands, and people need it
            log.exception("starting what belongs to the lab")

    async def _follow(self) -> None:
        """Forward to the owner until it goes, then become it."""
        pause = RETRY_MIN_S
        while not self._lock.acquire():
            owner = self._file.read()
            if owner is not None and await self._watch(owner):
                pause = RETRY_MIN_S
                continue
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_MAX_S)
        try:
            await self._own()
        except QpiError as error:
            self._refuse(error)
        except Exception:
            log.exception("taking over the lab")
            self._refuse(Conflict("This server could not take over the lab; its log says why."))

    async def _watch(self, owner: OwnerRecord) -> bool:
        """Forward to ``owner`` for as long as it lives; whether it answered at all."""
        if owner.wire != WIRE_VERSION:
            self._refuse(
                Conflict(
                    f"The lab in {self._lab_dir} belongs to a server of version {owner.version} (wire version "
                    f"{owner.wire}, process {owner.pid}); this one has version {self._record.version} (wire version "
                    f"{WIRE_VERSION}). Update one of them, or set QPI_LAB_DIR to another folder.",
                    code="wire_version",
                )
            )
            return False
        upstream = owner.upstream()
        try:
            await upstream.get("qpi/health", Health)
            self.owner = owner
            log.info("Forwarding to the lab's owner at %s (process %d)", owner.url, owner.pid)
            self._sit(upstream)
            await upstream.get("qpi/owner", Health)
        except (UpstreamLost, QpiError) as error:
            log.debug("the owner at %s: %s", owner.url, error)
            return self._seat is upstream
        finally:
            if self._seat is upstream:
                self._sit(None)
            upstream.close()
        return True
