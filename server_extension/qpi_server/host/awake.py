"""A server whose jobs wait is no idle one: whoever ends idle servers, a Hub's culler for one, is told of activity."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import MutableMapping
from datetime import UTC, datetime

from qpi_jupyter.core import Principal, QpiError
from qpi_jupyter.wire.connections import ConnectionLost
from qpi_jupyter.wire.jobs import JobPage
from qpi_server.service import Lab

from .forward import Upstream
from .owner import Ownership

log = logging.getLogger(__name__)
LOOK_EVERY_S = 60.0
NAME = "qpi"


def look_every_s() -> float:
    """Never less often than the server tells the Hub of activity."""
    try:
        return min(LOOK_EVERY_S, max(1.0, float(os.environ["JUPYTERHUB_ACTIVITY_INTERVAL"])))
    except (KeyError, ValueError):
        return LOOK_EVERY_S


class Awake:
    """Notes activity in Jupyter's ``times`` for as long as a job of this server's person waits or runs.

    ``person`` is who asks where the lab is in this process: there everybody's jobs count, as they end with it.
    """

    def __init__(self, ownership: Ownership, person: Principal, times: MutableMapping[str, datetime]) -> None:
        self._ownership, self._person, self._times = ownership, person, times
        self._busy = False

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        every_s = look_every_s()
        while True:
            try:
                self._busy = await self._jobs()
            except (QpiError, ConnectionLost) as error:  # what waited goes on to wait
                log.debug("whether jobs wait: %s", error)
            if self._busy:
                self._times[NAME] = datetime.now(UTC)
            await asyncio.sleep(every_s)

    async def _jobs(self) -> bool:
        target = await self._ownership.target()
        for status in ("running", "pending"):
            page = await self._page(target, status)
            if page.jobs or page.next is not None:  # a page may be empty before the last one
                return True
        return False

    async def _page(self, target: Lab | Upstream, status: str) -> JobPage:
        if isinstance(target, Upstream):
            return await target.get("qpi/v1/jobs", JobPage, status=status, limit=1)
        return await target.jobs.list(self._person, status=status, limit=1, mine=False)
