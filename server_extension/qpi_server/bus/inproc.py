"""``inproc://name``: a lab and drivers in one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qpi_jupyter.core import Conflict, Unavailable
from qpi_jupyter.wire.bus import Bus, Credential, SignIn

from .hub import Hub, LocalGuest


class InProcess:
    """The hubs of this process, by their addresses."""

    def __init__(self) -> None:
        self._hubs: dict[str, tuple[Hub, SignIn]] = {}

    @asynccontextmanager
    async def host(self, address: str, sign_in: SignIn) -> AsyncIterator[Bus]:
        if address in self._hubs:
            raise Conflict(f"There is a lab at {address} already.", code="bus_taken")
        hub = Hub()
        self._hubs[address] = (hub, sign_in)
        try:
            yield hub
        finally:
            del self._hubs[address]
            await hub.close()

    @asynccontextmanager
    async def dial(self, address: str, credential: Credential) -> AsyncIterator[Bus]:
        if address not in self._hubs:
            raise Unavailable(f"There is no lab at {address} in this process.", code="no_lab")
        hub, sign_in = self._hubs[address]
        guest = LocalGuest(hub, await sign_in(credential.token))
        try:
            yield guest
        finally:
            guest.close()


IN_PROCESS = InProcess()
