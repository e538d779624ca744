"""A bus on which things get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Raw

from qpi_jupyter.core.errors import Unavailable
from qpi_jupyter.wire.bus import Ad, Bus, Endpoint, Listener, Stop


class LossyBus:
    """Around another one. ``lost(what)`` is asked of each publication (its subject), request (``subject``) and answer
    (``answer to subject``): whether it gets lost. ``patience_s``: after which a lost request has no answer."""

    def __init__(self, bus: Bus, lost: Callable[[str], bool], patience_s: float) -> None:
        self._bus, self._lost, self._patience_s = bus, lost, patience_s
        self.losses = 0

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        return await self._bus.serve(service, instance, endpoints, ad)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        if self._loses(subject):
            await self._silence(subject, timeout_s)
        answer = await self._bus.request(subject, data, timeout_s)
        if self._loses(f"answer to {subject}"):
            await self._silence(subject, timeout_s)
        return answer

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        return await self._bus.discover(service, wait_s)

    async def publish(self, subject: str, data: bytes) -> None:
        if not self._loses(subject):
            await self._bus.publish(subject, data)

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        return await self._bus.subscribe(pattern, listener)

    def _loses(self, what: str) -> bool:
        lost = self._lost(what)
        self.losses += lost
        return lost

    async def _silence(self, subject: str, timeout_s: float) -> None:
        await asyncio.sleep(min(timeout_s, self._patience_s))
        raise Unavailable(f"No answer to {subject}.", code="no_answer")
