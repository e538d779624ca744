"""The lab's events on Jupyter's event bus, for the panel of the person whose server this is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_events import EventLogger
from jupyter_server.auth.decorator import authorized
from jupyter_server.services.events import handlers as jupyter
from tornado.web import HTTPError, authenticated

from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.wire.events import JUPYTER_SCHEMA_ID
from qpi_jupyter.wire.rest import EventModel, EventPage
from qpi_server.forward import Upstream, UpstreamLost
from qpi_server.owner import Ownership

from .identity import local_owner

if TYPE_CHECKING:
    from qpi_server.service import Lab

log = logging.getLogger(__name__)
SCHEMA = Path(__file__).parent.parent / "events" / "lab.yaml"
WAIT_S = 30.0
RETRY_S = 1.0
MAX_RETRY_S = 15.0
"""A lab that refuses us, a revoked token for one, is asked this seldom in the end."""


class EventHandler(jupyter.EventHandler):
    """Jupyter's ``POST /api/events``, but for the lab's own events: those come from the lab alone."""

    @authenticated
    @authorized
    async def post(self) -> None:
        """Refuse a forged event; leave every other to Jupyter."""
        payload = self.get_json_body()
        if isinstance(payload, dict) and payload.get("schema_id") == JUPYTER_SCHEMA_ID:
            raise HTTPError(403, "Only the lab emits its events.")
        await super().post()


class EventRelay:
    """Emits what the local owner may see, from now on, wherever the lab is."""

    def __init__(self, logger: EventLogger, ownership: Ownership) -> None:
        self._logger, self._ownership = logger, ownership
        logger.register_event_schema(SCHEMA)

    async def run(self) -> None:
        """Follow the lab through every change of its owner, until cancelled."""
        seat: Lab | Upstream | None = None
        pause = RETRY_S
        while True:
            try:
                seat = await self._ownership.seat(after=seat)
            except QpiError:
                seat = None
                await asyncio.sleep(RETRY_S)
                continue
            try:
                async for event in _events(seat):
                    self._emit(event)
                    pause = RETRY_S
            except UpstreamLost:
                continue
            except QpiError as error:
                log.warning("the lab's events: %s", error)
                seat = None
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_RETRY_S)

    def _emit(self, event: EventModel) -> None:
        data: dict[str, Any] = msgspec.to_builtins(event)
        self._logger.emit(schema_id=JUPYTER_SCHEMA_ID, data=data)


async def _events(seat: Lab | Upstream) -> AsyncIterator[EventModel]:
    if not isinstance(seat, Upstream):
        async for event in seat.events.subscribe(local_owner()):
            yield event
        return
    cursor = await _latest(seat)
    while True:
        page = await seat.get("qpi/v1/events", EventPage, after=cursor, wait_s=WAIT_S)
        for event in page.events:
            yield event
        cursor = page.cursor


async def _latest(upstream: Upstream) -> int:
    """The cursor behind everything that has happened."""
    cursor = 0
    while True:
        page = await upstream.get("qpi/v1/events", EventPage, after=cursor, limit=2000)
        if page.cursor == cursor:
            return cursor
        cursor = page.cursor
