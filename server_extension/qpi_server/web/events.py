"""The lab's events on Jupyter's event bus, for the panel of the person whose server this is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
from jupyter_events import EventLogger
from jupyter_server.auth.decorator import authorized
from jupyter_server.services.events import handlers as jupyter
from tornado.web import HTTPError, authenticated

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.connections import ConnectionLost
from qpi_jupyter.wire.events import JUPYTER_SCHEMA_ID
from qpi_server.host.forward import Upstream
from qpi_server.host.owner import Ownership
from qpi_server.service import Lab

from .identity import local_owner

log = logging.getLogger(__name__)
SCHEMA = Path(__file__).parent.parent / "events" / "lab.yaml"
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
        await super().post()  # type: ignore[misc]  # a coroutine, annotated as if it might be none


class EventRelay:
    """Emits what the local owner may see, from now on, wherever the lab is: also what happens while it moves."""

    def __init__(self, logger: EventLogger, ownership: Ownership) -> None:
        self._logger, self._ownership = logger, ownership
        self._cursor: int | None = None
        logger.register_event_schema(SCHEMA)

    async def run(self) -> None:
        """Follow the lab through every change of its owner, until cancelled."""
        target: Lab | Upstream | None = None
        pause = RETRY_S
        chosen = self._ownership.chosen
        while True:
            try:
                target = await self._ownership.target(after=target)
            except QpiError:
                target = None
                await asyncio.sleep(RETRY_S)
                continue
            if chosen is not self._ownership.chosen:  # another lab counts its events anew
                chosen, self._cursor = self._ownership.chosen, None
            began = time.monotonic()
            try:
                async with aclosing(self._events(target)) as events:
                    async for event in events:
                        self._logger.emit(schema_id=JUPYTER_SCHEMA_ID, data=event)
                        self._cursor, pause = event["seq"], RETRY_S
                await self._rest(target, began)
                target = None  # it may be the same one again
            except ConnectionLost:
                await self._rest(target, began)
            except Exception as error:  # a lab elsewhere may send anything; the next one is followed, too
                log.warning("the lab's events: %s", error if isinstance(error, QpiError) else repr(error)[:200])
                target = None
                await asyncio.sleep(pause)
                pause = min(2 * pause, MAX_RETRY_S)

    async def _rest(self, target: Lab | Upstream | None, began: float) -> None:
        """Wait before a lab elsewhere is asked again that has hung up at once."""
        if target is not None and target is self._ownership.chosen and time.monotonic() - began < RETRY_S:
            await asyncio.sleep(RETRY_S)

    async def _events(self, target: Lab | Upstream) -> AsyncGenerator[dict[str, Any]]:
        """Each as JSON, whatever a newer lab has added to it."""
        if isinstance(target, Upstream):
            begin = {"newest": "true"} if self._cursor is None else {"after": self._cursor}
            async with aclosing(target.follow("qpi/v1/events", **begin)) as messages:
                async for message in messages:
                    if b"data" in message and b"event" not in message:
                        yield msgspec.json.decode(message[b"data"])
                    elif b"id" in message:
                        self._cursor = int(message[b"id"])
            return
        newest = (await target.events.newest()).cursor
        self._cursor = newest if self._cursor is None else min(self._cursor, newest)
        async for event in target.events.subscribe(local_owner(), after=self._cursor):
            yield msgspec.to_builtins(event)
