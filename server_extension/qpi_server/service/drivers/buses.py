"""The buses that drivers reach the lab over: its own hub, and those that its settings name."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from msgspec import Struct

from qpi_jupyter.core import Conflict, Faulted, Forbidden, NotFound, QpiError, existing
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.bus import LAB, Bus, BusKind, Message, SignIn, kind_of, tell, to
from qpi_jupyter.wire.tasks import ended
from qpi_server.bus.hub import Hub
from qpi_server.service.base import Context
from qpi_server.settings.values import without_password
from qpi_server.store import bench

from .drivers import HELLO_FIRST, DriverLink, DriverService

log = logging.getLogger(__name__)
RETRY_S = 5.0
_ASKED = (frames.HELLO, frames.CLAIM, frames.REPORT, frames.STARTED, frames.ROWS, frames.CALIBRATED)


class Reception:
    """Where the drivers of one bus are received: what comes goes to the link that it came on."""

    def __init__(self, service: DriverService, bus: Bus) -> None:
        self._service, self._bus = service, bus
        self._links: dict[str, DriverLink] = {}

    async def open(self) -> None:
        asked = dict.fromkeys(map(_word, _ASKED), self._asked)
        await self._bus.serve(LAB, LAB, asked, {})
        for subject in (frames.STARTED, frames.PROGRESS, frames.HEARTBEAT, frames.LOG):
            await self._bus.subscribe(subject, self._told)
        await self._bus.subscribe(frames.LAB_BYE, self._left)

    async def _asked(self, message: Message) -> Struct | None:
        if (link := self._links.get(message.sender)) is None:
            if message.subject != frames.HELLO:
                raise Conflict(HELLO_FIRST, code="stale_epoch")
            link = self._links[message.sender] = self._new(message.sender)
        return await link.handlers[message.subject](message.data)

    async def _told(self, message: Message) -> None:
        if (link := self._links.get(message.sender)) is not None:
            await link.listeners[message.subject](message.data)
        elif message.subject == frames.HEARTBEAT:  # it does not know yet: it missed our bye, or this is another server
            await tell(self._bus, to(message.sender, frames.QPU_BYE), frames.Bye(reason=HELLO_FIRST))

    async def _left(self, message: Message) -> None:
        if (link := self._links.get(message.sender)) is not None:
            link.closed()

    def _new(self, address: str) -> DriverLink:
        name = address.partition(":")[0]
        row = existing(
            self._service.context.db.glance(lambda connection: bench.driver(connection, name)),
            NotFound("This driver is not registered any more.", code="unknown_driver"),
        )
        if not row.enabled or row.revoked_at is not None:  # a bus may keep the connection of one that was sent away
            raise Forbidden("This driver was switched off in the lab.", code="driver_disabled")
        return DriverLink(
            self._service, self._bus, address, row.id, row.qpu, forget=lambda: self._links.pop(address, None)
        )


def _word(subject: str) -> str:
    return subject.partition(".")[2]


class Hosted(NamedTuple):
    """A bus of the lab: what its drivers dial, and whether the lab is found there."""

    addresses: list[str]
    found: bool


class Buses:
    """Hosts each bus while the lab is open; one that is lost meanwhile is tried again and disturbs no other."""

    def __init__(self, context: Context, drivers: DriverService, sign_in: SignIn) -> None:
        self._context, self._drivers, self._sign_in = context, drivers, sign_in
        self._tasks: list[asyncio.Task[None]] = []
        self._up: dict[str, Bus] = {}
        self.hub = Hub()
        """Where the WebSockets of the lab's own server come in."""

    async def open(self) -> None:
        """Be there on each of them. A lab that its settings tell to be on a bus is not open before it is there: drivers
        of that bus would be missing, and nobody would have said so.

        Raises
        ------
        QpiError
            one of them cannot be hosted, for the reason that is given.
        """
        await Reception(self._drivers, self.hub).open()
        kinds = [(address, kind_of(address)) for address in self._context.config.buses]
        loop, first = asyncio.get_running_loop(), []
        for address, kind in kinds:
            first.append(loop.create_future())
            name = f"host {without_password(address)}"
            self._tasks.append(asyncio.create_task(self._keep(kind, address, first[-1]), name=name))
        try:
            await asyncio.gather(*first)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Leave them."""
        await ended(*self._tasks)

    def reached_at(self, address: str) -> list[str]:
        """What drivers take as ``--bus`` for the bus that the lab hosts at ``address``; its end may say another."""
        return list(getattr(self._up.get(address), "addresses", ())) or [without_password(address)]

    async def hosted(self) -> list[Hosted]:
        """Each bus that the settings name."""
        buses = self._context.config.buses
        found = await asyncio.gather(*map(self._found, buses), return_exceptions=True)
        return [Hosted(self.reached_at(address), there is True) for address, there in zip(buses, found, strict=True)]

    async def up(self) -> bool:
        """Whether the lab is found on each of them."""
        return all(one.found for one in await self.hosted())

    async def _found(self, address: str) -> bool:
        bus = self._up.get(address)
        return bus is not None and bool(await bus.discover(LAB))

    async def _keep(self, kind: BusKind, address: str, first: asyncio.Future[None]) -> None:
        """Be on one bus; ``first`` is told what comes of the first try, and those after it go on for ever."""
        shown = without_password(address)
        while True:
            try:
                async with kind.host(address, self._sign_in) as bus:
                    await Reception(self._drivers, bus).open()
                    self._up[address] = bus
                    log.info("drivers reach the lab at %s", ", ".join(self.reached_at(address)))
                    if not first.done():
                        first.set_result(None)
                    await asyncio.get_running_loop().create_future()
            except Exception as error:  # whatever a guest raises
                problem = self._problem(shown, error)
            finally:
                self._up.pop(address, None)
            if not first.done():
                first.set_exception(problem)
                return
            log.warning("%s", problem)
            await asyncio.sleep(RETRY_S)

    def _problem(self, shown: str, error: Exception) -> QpiError:
        if not isinstance(error, QpiError):
            log.exception("hosting %s", shown)
            error = Faulted("something unforeseen, which the server's log has.", code="bus_failed")
        told = {**error.to_dict(), "message": f"No driver can reach the lab at {shown}: {error.message}"}
        return QpiError.from_dict(told)
