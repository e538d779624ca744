"""A driver's end of a NATS broker: it reaches the lab and itself, and the broker sees to that."""

from __future__ import annotations

import logging

from msgspec import Raw
from nats.aio.client import Client
from nats.aio.msg import Msg

from qpi_jupyter.core import QpiError, Unavailable
from qpi_jupyter.wire import bus
from qpi_jupyter.wire.bus import LAB, ME, QPU, Ad, DriversEnd, Message, may_reach, to
from qpi_jupyter.wire.frames import QPU_BYE, Bye

from . import subjects
from .connection import End, Turns

log = logging.getLogger(__name__)
PING_S = 2.0


class DriverEnd(DriversEnd):
    """A driver's `Bus`."""

    def __init__(self, client: Client, suffix: str) -> None:
        super().__init__()
        self._suffix = suffix
        self._end = End(client)
        self._turns = Turns(10_000, self._take)
        self._address = ""
        self._over = False

    async def open(self, address: str) -> None:
        """Be found under this address, and hear what comes for it."""
        self._address = address
        await self._end.hear(
            {
                subjects.down(address, "*", "*"): self._down,
                subjects.WHO: self._who,
                subjects.BYE: self._bye,
                f"{subjects.inbox(self._suffix)}.{subjects.LOST}": self._unheard,
            }
        )

    def lost(self) -> None:
        """The connection is gone: the driver hears so, and dials again."""
        self._ends("The connection to the broker is lost.")

    async def close(self) -> None:
        """It goes."""
        self._over = True
        await self._end.close()
        await self._turns.close()

    # --- the bus, as the driver has it -------------------------------------------------------------------------------

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        word = may_reach(subject).partition(".")[2]
        if self._over:
            raise Unavailable("The link is closed.", code="link_closed")
        try:
            return await self._end.ask(self._up(subjects.REQUEST, word), data, timeout_s, subject)
        except Unavailable as error:
            if error.code == "no_responder":
                await self._look_for_the_lab()
            raise

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        return [Ad(LAB)] if service == LAB and not self._over and await self._lab_is_there() else []

    async def publish(self, subject: str, data: bytes) -> None:
        word = may_reach(subject).partition(".")[2]
        # Where nobody is, the broker says so to whom an answer would go.
        lost = f"{subjects.inbox(self._suffix)}.{subjects.LOST}"
        await self._end.say(self._up(subjects.PUBLICATION, word), data, reply=lost)

    # --- what comes --------------------------------------------------------------------------------------------------

    async def _down(self, message: Msg) -> None:
        self._turns.add(LAB, message)

    async def _take(self, _: str, message: Msg) -> None:
        *__, kind, word = message.subject.split(".")
        said = Message(to(ME, f"{QPU}.{word}"), LAB, Raw(message.data))
        if kind == subjects.REQUEST:
            self._turns.start(self._end.answer(message.reply, self._answer(word, said)))
        elif kind == subjects.PUBLICATION:
            await self._listeners.tell(said)

    async def _answer(self, word: str, message: Message) -> bytes:
        return await bus.answer(self._served(word), message)

    async def _who(self, message: Msg) -> None:
        if self._endpoints:
            try:
                await self._end.say(self._up(subjects.ADVERT, message.data.decode()), bus.encode(Ad(ME, self.ad)))
            except QpiError as error:
                log.warning("not advertised: %s", error)

    async def _bye(self, _: Msg) -> None:
        self._ends("The lab has gone.")

    async def _unheard(self, _: Msg) -> None:
        self._ends("The lab is not there.")

    # --- how it ends -------------------------------------------------------------------------------------------------

    async def _lab_is_there(self) -> bool:
        try:
            await self._end.ask(self._up(subjects.PING, LAB), b"{}", PING_S, LAB)
        except Unavailable:
            return False
        return True

    async def _look_for_the_lab(self) -> None:
        """Nobody served what was asked: it may be that, or the lab itself, that is not there."""
        if not await self._lab_is_there():
            self._ends("The lab is not there.")

    def _ends(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._end.lost()  # nobody answers any more
            message = Message(to(ME, QPU_BYE), LAB, Raw(bus.encode(Bye(reason=reason))))
            self._turns.start(self._listeners.tell(message))

    def _up(self, kind: str, word: str) -> str:
        return subjects.up(self._address, kind, word)
