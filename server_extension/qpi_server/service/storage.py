"""The lab's disk and database while it is open: what is wrong with them, and when they work again."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress

from qpi_jupyter.core import QpiError, Unavailable
from qpi_server.service.base import Context
from qpi_server.store import DAMAGED, FULL, fault
from qpi_server.store.faults import FINAL

log = logging.getLogger(__name__)
RETRY_MIN_S, RETRY_MAX_S = 0.25, 5.0
"""Between two tries to write, while the storage fails."""
SPARE_BYTES = 64 << 10
"""A disk with less space is full: the next commit may fail."""
SURE_S = 10.0
"""So long after something was stored the storage counts as working."""
CHECK, RECOVER = "check the database", "wait for the storage"


class Storage:
    """Watches over a lab's storage.

    Parameters
    ----------
    recovered
        called once the storage works again.
    whole
        called once the database is found to be whole.
    """

    def __init__(self, context: Context, *, recovered: Callable[[], None], whole: Callable[[], None]) -> None:
        self._context, self._store = context, context.db.store
        self._recovered, self._whole = recovered, whole
        self._loop = asyncio.get_running_loop()
        self._waiting = False
        self.lost: asyncio.Future[QpiError] = self._loop.create_future()
        """Done when the lab cannot stay open: its files are damaged or gone."""
        self._store.on_trouble = context.blobs.on_trouble = self._tell

    async def start(self) -> None:
        """See whether it can be written, and look through the whole database, beside the work."""
        await self.trouble()
        self._context.tasks.start(self._check(), CHECK)

    async def trouble(self) -> QpiError | None:
        """What is wrong now; where nothing was stored lately, something is, to find out."""
        store = self._store
        if store.look() is None and time.monotonic() - store.stored_at > SURE_S:
            with suppress(QpiError):
                await store.probe()
        found = self._store.look() or self._context.blobs.trouble
        if found is None and self._free() < SPARE_BYTES:
            found = fault(FULL)
        return found

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._context.config.lab_dir).free
        except OSError:
            return 0

    def _tell(self, trouble: QpiError) -> None:
        """On any thread."""
        try:
            self._loop.call_soon_threadsafe(self._note, trouble)
        except RuntimeError:
            log.debug("the loop of the lab is closed")

    def _note(self, trouble: QpiError) -> None:
        if trouble.code in FINAL:
            if not self.lost.done():
                self.lost.set_result(trouble)
        elif not self._waiting:
            self._waiting = True
            self._context.tasks.start(self._recover(), RECOVER)

    async def _recover(self) -> None:
        """Write until it works."""
        pause = RETRY_MIN_S
        try:
            while not await self._works():
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_MAX_S)
        finally:
            self._waiting = False
        log.info("The lab's storage works again")
        self._recovered()

    async def _works(self) -> bool:
        try:
            await self._store.probe()
            await asyncio.to_thread(self._context.blobs.probe)
        except QpiError:
            return False
        return True

    async def _check(self) -> None:
        if found := await self._store.check():
            trouble = fault(DAMAGED)
            log.error("%s (found: %s)", trouble.message, found)
            self._note(trouble)
        else:
            self._whole()


LOOK_EVERY_S = 2.0


class Disk:
    """Looks at the disk now and then."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._looked_s = float("-inf")
        self._free = 0

    def require_space(self) -> None:
        """Refuse new things where too little is left.

        Raises
        ------
        Unavailable
            less than ``disk_floor_bytes``.
        """
        floor, now_s = self._context.config.quotas.disk_floor_bytes, self._context.clock.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            self._looked_s, self._free = now_s, shutil.disk_usage(self._context.config.lab_dir).free
        if self._free < floor:
            message = (
                f"The lab's disk is nearly full ({_mib(self._free)} free, disk_floor_bytes is {_mib(floor)}): no new "
                "jobs are accepted. Delete jobs that are no longer needed, or ask the lab's managers to make room."
            )
            raise Unavailable(message, code="disk_low", free_bytes=self._free, retry_after_s=60.0)


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
