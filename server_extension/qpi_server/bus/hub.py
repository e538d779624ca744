"""The lab in the middle of its drivers: the bus of one process, which connections of any kind join."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Raw

from qpi_jupyter.core import QpiError, Unavailable
from qpi_jupyter.wire import bus, frames
from qpi_jupyter.wire.bus import LAB, ME, QPU, Ad, DriversEnd, Endpoint, Listener, Listeners, Message, Stop
from qpi_jupyter.wire.peer import Found, Handler, Peer, Send, parse


class Guest(Protocol):
    """A driver that has joined; ``ad`` is what it says of itself."""

    ad: dict[str, Any]

    async def ask(self, word: str, data: bytes, timeout_s: float) -> Raw:
        """Its answer; raises as `Bus.request`."""

    async def tell(self, word: str, data: bytes) -> None:
        """Let it hear this; what it misses is no error."""


class Hub:
    """The lab's end of a `Bus` that is nothing but memory; `join` is for the drivers' ends."""

    def __init__(self) -> None:
        self._served: dict[str, dict[str, tuple[Mapping[str, Endpoint], dict[str, Any]]]] = {}
        self.listeners = Listeners()
        self._guests: dict[str, Guest] = {}
        self._numbers = itertools.count(1)
        self._leaving: set[asyncio.Task[None]] = set()

    # --- the bus, as the lab has it ----------------------------------------------------------------------------------

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        instances = self._served.setdefault(service, {})
        instances[instance] = (endpoints, dict(ad))

        async def stop() -> None:
            if instances.get(instance, (None,))[0] is endpoints:
                del instances[instance]

        return stop

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        service, instance, word = parts(subject)
        if service == QPU and (guest := self._guests.get(instance)) is not None:
            return await guest.ask(word, bus.checked(data), timeout_s)
        return await self.serve_here(subject, LAB, data, timeout_s)

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        here = [Ad(name, ad) for name, (_, ad) in self._served.get(service, {}).items()]
        guests = [Ad(name, guest.ad) for name, guest in self._guests.items()] if service == QPU else []
        return sorted([*here, *guests], key=lambda ad: ad.instance)

    async def publish(self, subject: str, data: bytes) -> None:
        bus.checked(data)
        service, instance, word = parts(subject)
        if service == QPU and (guest := self._guests.get(instance)) is not None:
            await guest.tell(word, data)
        await self.listeners.tell(Message(subject, LAB, Raw(data)))

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        return self.listeners.add(pattern, listener)

    async def close(self) -> None:
        """The lab goes, and every driver hears so."""
        self._served.clear()
        for guest in list(self._guests.values()):
            await guest.tell(frames.QPU_BYE.partition(".")[2], bus.encode(frames.Bye(reason="the lab has gone")))

    # --- for drivers' ends -------------------------------------------------------------------------------------------

    def join(self, name: str, guest: Guest) -> str:
        """Let the driver ``name`` in; the address of this end of it."""
        address = f"{name}:{next(self._numbers)}"
        self._guests[address] = guest
        return address

    def leave(self, address: str) -> None:
        """It has gone, and the lab hears so; again is fine."""
        if self._guests.pop(address, None) is not None:
            message = Message(frames.LAB_BYE, address, Raw(bus.encode(frames.Bye())))
            task = asyncio.get_running_loop().create_task(self.listeners.tell(message), name=f"{address} has gone")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def endpoint(self, subject: str) -> Endpoint | None:
        """Who answers it here."""
        service, instance, word = parts(subject)
        instances = self._served.get(service, {})
        for endpoints, _ in [instances[instance]] if instance in instances else [] if instance else instances.values():
            if (found := endpoints.get(word)) is not None:
                return found
        return None

    async def serve_here(self, subject: str, sender: str, data: bytes, timeout_s: float) -> Raw:
        """Answer a request of ``sender`` in a task; raises as `request`."""
        if (endpoint := self.endpoint(subject)) is None:
            raise Unavailable(f"Nobody serves {subject}.", code="no_responder")
        return await _answer(endpoint, Message(subject, sender, Raw(bus.checked(data))), timeout_s)


class Connection:
    """A driver whose frames come over a stream, at the lab's end of it.

    ``hang_up(reason)`` ends the stream from this side; whoever owns it calls `closed` when it is gone.
    """

    def __init__(self, hub: Hub, name: str, send: Send, hang_up: Callable[[str], None]) -> None:
        self._hub, self._hang_up = hub, hang_up
        self.ad: dict[str, Any] = {}
        self.peer = Peer(send, handlers=Found(self._endpoint), listeners=Found(self._listener), guest=True)
        self.address = hub.join(name, self)

    async def ask(self, word: str, data: bytes, timeout_s: float) -> Raw:
        return await self.peer.ask(f"{QPU}.{word}", data, timeout=timeout_s)

    async def tell(self, word: str, data: bytes) -> None:
        if f"{QPU}.{word}" != frames.QPU_BYE:
            await self.peer.tell(f"{QPU}.{word}", data)
            return
        # From now on nothing counts that comes on it, however long the other end takes to hang up.
        self.peer.close()
        self._hang_up(parse(Raw(data), frames.Bye).reason)

    def closed(self) -> None:
        """The stream is gone."""
        self.peer.close()
        self._hub.leave(self.address)

    def _endpoint(self, subject: str) -> Handler | None:
        endpoint = self._hub.endpoint(subject) if subject.startswith(f"{LAB}.") else None
        if endpoint is None:
            return None
        return lambda data: endpoint(Message(subject, self.address, data))

    def _listener(self, subject: str) -> Handler | None:
        if subject == frames.ADVERTISED:
            return self._advertised
        listeners = self._hub.listeners.of(subject) if subject.startswith(f"{LAB}.") else []
        if len(listeners) == 1:  # whose refusals the peer counts
            return lambda data: listeners[0](Message(subject, self.address, data))
        return lambda data: self._hub.listeners.tell(Message(subject, self.address, data))

    async def _advertised(self, data: Raw) -> None:
        self.ad = parse(data, Ad).data


class LocalGuest(DriversEnd):
    """A driver's end of the bus in the lab's own process."""

    def __init__(self, hub: Hub, name: str) -> None:
        super().__init__()
        self._hub = hub
        self._asking: set[asyncio.Task[Raw]] = set()
        self._open = True
        self.address = hub.join(name, self)

    # --- the bus, as the driver has it -------------------------------------------------------------------------------

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        bus.may_reach(subject)
        if not self._open:
            raise Unavailable("The link is closed.", code="link_closed")
        work = asyncio.ensure_future(self._hub.serve_here(subject, self.address, data, timeout_s))
        self._asking.add(work)
        try:
            return await work
        except asyncio.CancelledError:
            if self._open:
                raise
            raise Unavailable("The link was closed.", code="link_closed") from None
        finally:
            self._asking.discard(work)

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        return await self._hub.discover(service) if service == LAB and self._open else []

    async def publish(self, subject: str, data: bytes) -> None:
        bus.checked(data)
        bus.may_reach(subject)
        if self._open:
            await self._hub.listeners.tell(Message(subject, self.address, Raw(data)))

    def close(self) -> None:
        """It goes."""
        self._open = False
        for work in self._asking:
            work.cancel()
        self._hub.leave(self.address)

    # --- the lab's side ----------------------------------------------------------------------------------------------

    async def ask(self, word: str, data: bytes, timeout_s: float) -> Raw:
        endpoint = self._served(word)
        try:
            return await _answer(endpoint, Message(f"{QPU}.{ME}.{word}", LAB, Raw(data)), timeout_s)
        except QpiError as error:
            if error.code == "no_answer":
                raise
            raise bus.guests_fault(error) from error

    async def tell(self, word: str, data: bytes) -> None:
        await self._listeners.tell(Message(f"{QPU}.{ME}.{word}", LAB, Raw(data)))


async def _answer(endpoint: Endpoint, message: Message, timeout_s: float) -> Raw:
    try:
        async with asyncio.timeout(timeout_s):
            return Raw(await bus.answer(endpoint, message))
    except TimeoutError as error:
        raise Unavailable(f"No answer to {message.subject} within {timeout_s} s.", code="no_answer") from error


def parts(subject: str) -> tuple[str, str, str]:
    """Service, instance (or nothing) and word."""
    service, _, rest = subject.partition(".")
    instance, _, word = rest.rpartition(".")
    return service, instance, word
