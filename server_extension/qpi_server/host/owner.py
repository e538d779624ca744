"""Who owns the queue: exactly one process a data folder, and what the others do until it dies.

The owner holds a lock beside the database and tells the others in ``owner.json`` how to reach it. They forward to it,
hold one request open on it, and take over when that breaks or is answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from qpi_jupyter.core import Conflict, QpiError, Unavailable
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.connections import ConnectionLost
from qpi_jupyter.wire.rest import Health
from qpi_jupyter.wire.tasks import ended
from qpi_server.service import Lab
from qpi_server.store import DAMAGED, GONE, Backend, fault, storage_error

from .forward import Upstream
from .owner_files import OwnerFile, OwnerRecord

log = logging.getLogger(__name__)
TARGET_WAIT_S = 5.0
"""How long a request waits for an owner, before it is told to come back."""
RETRY_MIN_S, RETRY_MAX_S = 0.05, 1.0
"""Between two looks for an owner that holds the lock and does not answer: one that is starting or ending."""
REFUSED_MAX_S = 5.0
"""Between two tries to open a lab that cannot be opened."""
OWNER_FILE_EVERY_S = 2.0
"""How soon an owner notices that its file is gone or damaged, and writes it again."""


class Ownership:
    """Where requests go: the lab in this process, or the upstream that has it.

    Parameters
    ----------
    backend
        the lab's database; None where this server only ever forwards.
    upstream
        a lab elsewhere, which this server forwards to from the start; `choose` chooses another one.
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
        backend: Backend | None,
        upstream: Upstream | None,
        record: OwnerRecord,
        open_lab: Callable[[], Awaitable[Lab]],
        started: Callable[[Lab], Awaitable[None]],
        stopping: Callable[[Lab], Awaitable[None]],
    ) -> None:
        self._open_lab, self._started, self._stopping = open_lab, started, stopping
        self._record = record
        self.chosen = upstream
        """The lab elsewhere that this server forwards to; None: that in its folder, wherever its owner is."""
        self._choosing = asyncio.Lock()
        self._backend = backend
        self._target: Lab | Upstream | None = None
        self._refusal: QpiError | None = None
        self._changed = asyncio.Event()
        self._released = asyncio.Event()
        self._known = False
        """Whether there has been a lab in the folder since this server started."""
        self._decided = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.owner: OwnerRecord | None = None
        if backend is not None:
            self._file = OwnerFile(backend.lab_dir)

    async def start(self) -> None:
        """Take the lab if nobody has it, else find who has; go on in the background."""
        if self.chosen is not None:
            self._point_to(self.chosen)
            return
        self._decided.clear()
        self._task = asyncio.create_task(self._keep(), name="own the lab, or follow its owner")
        await self._decided.wait()

    async def choose(self, upstream: Upstream | None) -> None:
        """Forward to a lab elsewhere from the next request on, and let go of the folder's own; None: back to that.

        Requests on their way end where they began; events that are followed end, and go on in the lab that was chosen.

        Raises
        ------
        Conflict
            None, for a server that has no lab of its own.
        """
        if upstream is None and self._backend is None:
            raise Conflict("This server has no lab of its own: its settings name another one.", code="no_own_lab")
        async with self._choosing:
            if upstream is self.chosen:
                return
            before, self.chosen = self.chosen, upstream
            await self._leave()
            await self.start()
            if before is not None:
                before.close()

    async def _leave(self) -> None:
        """Let go of the folder's lab, or of its owner."""
        await ended(self._task)
        self._task = None

    async def stop(self) -> None:
        """Let go of the lab; another server takes it at once."""
        await self._leave()
        if isinstance(self._target, Upstream):
            self._target.close()
        self._refuse(Unavailable("This server is ending.", code="ending"))
        self._released.set()

    async def target(self, *, after: Lab | Upstream | None = None) -> Lab | Upstream:
        """Who answers requests now, or, where ``after`` is given, who does next: a lab elsewhere, once it is back.

        Raises
        ------
        Unavailable
            nobody, and nobody came within `TARGET_WAIT_S`.
        Conflict
            this server cannot own the lab, nor understand who does.
        """
        if isinstance(after, Upstream) and after is self.chosen:
            await self._back(after)
            return after
        if self._target in (None, after):
            with suppress(TimeoutError):
                async with asyncio.timeout(TARGET_WAIT_S):
                    while self._refusal is None and self._target in (None, after):
                        await self._changed.wait()
        if (found := self._target) is None or found is after:
            raise self._refusal or self._nobody()
        return found

    async def _back(self, upstream: Upstream) -> None:
        pause = RETRY_MIN_S
        try:
            async with asyncio.timeout(TARGET_WAIT_S):
                while not await upstream.answers():
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RETRY_MAX_S)
        except TimeoutError as error:
            raise Unavailable(
                f"The lab at {upstream.url} does not answer. What was submitted there is kept; try again in a moment.",
                code="lab_away",
            ) from error

    def _nobody(self) -> Unavailable:
        problem = self._file.problem() if self._backend is not None else None
        if problem is None:
            return Unavailable("The lab is changing its owner; ask again in a moment.", code="no_owner")
        return Unavailable(
            f"Another process has the lab open, and {problem}. A server writes that file again within seconds; if it "
            "does not, end that process, or run it as the same user as this server.",
            code="no_owner",
        )

    async def released(self) -> None:
        """Wait until this server no longer owns the lab, or ends."""
        await self._released.wait()

    def _point_to(self, target: Lab | Upstream | None) -> None:
        self._target, self._refusal = target, None
        self._known = self._known or target is not None
        self._decided.set()
        self._tell()

    def _refuse(self, error: QpiError) -> None:
        if self._refusal is None or self._refusal.message != error.message:
            level = logging.INFO if error.code == "ending" else logging.ERROR
            cause = f"; {error.__cause__}" if error.__cause__ is not None else ""
            folder = self._backend.lab_dir if self._backend is not None else None
            log.log(level, "%s (the lab's folder: %s%s)", error.message, folder, cause)
        self._target, self._refusal = None, error
        self._decided.set()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _keep(self) -> None:
        """Own the lab, or forward to who does; where neither can be, say what is in the way and try again."""
        assert self._backend is not None
        pause = RETRY_MIN_S
        while True:
            try:
                answered = await self._take_part(self._backend)
            except Exception as error:
                self._refuse(self._refusal_for(error))
                await self._another(self._backend, pause)
                pause = min(2 * pause, REFUSED_MAX_S)
                continue
            if answered:
                pause = RETRY_MIN_S
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_MAX_S)

    async def _take_part(self, backend: Backend) -> bool:
        """One turn as the lab's owner or as who forwards to it; whether there was an owner to forward to.

        Raises
        ------
        QpiError
            the lab cannot be opened, or can no longer stay open.
        """
        if self._known and not backend.present():  # never a new lab in the place of one that was there
            raise fault(GONE)
        backend.prepare()
        lock = backend.lock()
        if lock.acquire():
            try:
                await self._own(backend)
            finally:
                lock.release()
        self._decided.set()
        owner = self._file.read()
        return owner is not None and await self._watch(owner, backend.lab_dir)

    def _refusal_for(self, error: Exception) -> QpiError:
        if isinstance(error, QpiError):
            return error
        if (trouble := storage_error(error)) is not None:
            return trouble
        log.exception("opening the lab")
        return Unavailable("This server cannot open the lab; its log says why.", code="lab_failed")

    async def _another(self, backend: Backend, pause: float) -> None:
        """Wait before the next try; a damaged database is not opened again before there is another one."""
        before = backend.stamp()
        await asyncio.sleep(pause)
        while self._refusal is not None and self._refusal.code == DAMAGED and backend.stamp() == before:
            await asyncio.sleep(RETRY_MAX_S)

    async def _own(self, backend: Backend) -> None:
        """Have the lab open, with the lock held, for as long as its storage allows.

        Raises
        ------
        QpiError
            the storage is lost; the lab is closed again.
        """
        lab = await self._open_lab()
        self._write_file()
        announcing = asyncio.create_task(self._announce(), name="keep owner.json")
        try:
            self.owner = self._record
            log.info("This server owns the lab in %s", backend.lab_dir)
            self._point_to(lab)
            try:
                await self._started(lab)
            except Exception:  # the lab itself stands, and people need it
                log.exception("starting what belongs to the lab")
            raise await lab.storage.lost
        finally:
            announcing.cancel()
            await self._let_go(lab)

    async def _let_go(self, lab: Lab) -> None:
        for end in (self._stopping(lab), self._close(lab)):
            try:
                await end
            except Exception:  # whatever fails, the lock and the file have to go
                log.exception("closing the lab")
        self._file.remove()
        self.owner = None
        self._released.set()  # who forwarded to us looks for another owner
        self._released = asyncio.Event()

    async def _close(self, lab: Lab) -> None:
        self._point_to(None)
        await lab.close()

    async def _announce(self) -> None:
        """Keep the owner's file there and whole: without it no other server of the machine finds the lab."""
        while True:
            await asyncio.sleep(OWNER_FILE_EVERY_S)
            found = self._file.read()
            if found is None or found.pid != self._record.pid:
                self._write_file()

    def _write_file(self) -> None:
        try:
            self._file.write(self._record)
        except OSError as error:
            log.error("Cannot write %s: other servers do not find this lab (%s)", self._file.path, error.strerror)

    async def _watch(self, owner: OwnerRecord, lab_dir: Path) -> bool:
        """Forward to ``owner`` for as long as it lives; whether it answered at all."""
        if owner.wire != WIRE_VERSION:
            self._refuse(
                Conflict(
                    f"The lab in {lab_dir} belongs to a server of version {owner.version} (wire version "
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
            self._point_to(upstream)
            await upstream.get("qpi/owner", Health)
        except (ConnectionLost, QpiError) as error:
            log.debug("the owner at %s: %s", owner.url, error)
            return self._target is upstream
        finally:
            if self._target is upstream:
                self._point_to(None)
            upstream.close()
        return True
