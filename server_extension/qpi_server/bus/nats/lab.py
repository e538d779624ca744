"""The lab's end of a NATS broker: who is there and who speaks is the broker's word, who may come in is the lab's."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections import Counter
from contextlib import suppress

from msgspec import Raw
from nats.aio.client import Client
from nats.aio.msg import Msg

from qpi_jupyter.core import QpiError, TooMany, Unavailable, existing
from qpi_jupyter.wire import bus
from qpi_jupyter.wire.bus import LAB, QPU, Ad, Message, SignIn, to
from qpi_jupyter.wire.frames import LAB_BYE, QPU_BYE, Bye
from qpi_jupyter.wire.peer import GUEST_BAD_FRAMES, GUEST_REQUESTS, parse
from qpi_server.bus.hub import Hub, parts

from . import subjects
from .connection import End, Turns
from .keys import ACCOUNT, Asked, Keys, asked

log = logging.getLogger(__name__)
CALLOUT = "$SYS.REQ.USER.AUTH"
GONE = f"$SYS.ACCOUNT.{ACCOUNT}.DISCONNECT"
LASTS_S = 86_400.0
"""After so long a driver signs in anew."""
ASK_S = 10.0
"""How long a stranger may take to hear why it is one."""
WAITING = 2_000
"""How many messages of one driver may wait to be heard."""
_ANSWERED_BY_LAB = {"no_responder", "no_answer", "link_closed"}


class LabEnd(Hub):
    """The lab's `Bus`: what drivers say comes with their addresses, on which the broker insists."""

    def __init__(self, client: Client, url: str, keys: Keys, sign_in: SignIn) -> None:
        super().__init__()
        self.addresses = [url]
        """What drivers dial."""
        self._keys, self._sign_in = keys, sign_in
        self._end = End(client)
        self._turns = Turns(WAITING, self._take)
        self._numbers = itertools.count(1)
        self._found: dict[str, dict[str, Ad]] = {}
        """Advertisements that come now, by question and address."""
        self._sign_ins: dict[str, str | QpiError] = {}
        """Who has just signed in, or was turned away, by suffix, until it asks."""
        self._ended: set[str] = set()
        """Who was told bye: nothing counts any more that comes from there."""
        self._serving = Counter[str]()
        """How many requests of each are being answered."""
        self._bad = Counter[str]()
        """How many publications of each were nonsense."""

    async def open(self) -> None:
        """Hear drivers, and the broker that asks who they are."""
        await self._end.hear({
            CALLOUT: self._callout, subjects.WHO_AM_I: self._who, subjects.UP: self._up, GONE: self._gone
        })  # fmt: skip

    def lost(self) -> None:
        """The connection is gone, and what was asked over it."""
        self._end.lost()

    async def close(self) -> None:
        """The lab goes, and every driver hears so."""
        await self._end.say(subjects.BYE, bus.encode(Bye(reason="the lab has gone")))
        await self._end.close()
        await self._turns.close()

    # --- the bus, as the lab has it ----------------------------------------------------------------------------------

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        service, address, word = parts(subject)
        if service != QPU:
            return await self.serve_here(subject, LAB, data, timeout_s)
        try:
            return await self._end.ask(subjects.down(address, subjects.REQUEST, word), data, timeout_s, subject)
        except QpiError as error:
            if isinstance(error, Unavailable) and error.code in _ANSWERED_BY_LAB:
                raise
            raise bus.guests_fault(error) from error

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        if not self._end.connected:
            return []
        here = await super().discover(service)
        if service != QPU:
            return here
        question = str(next(self._numbers))
        found = self._found[question] = {}
        try:
            await self._end.say(subjects.WHO, question.encode())
            await asyncio.sleep(wait_s)
        finally:
            del self._found[question]
        return sorted([*here, *found.values()], key=lambda ad: ad.instance)

    async def publish(self, subject: str, data: bytes) -> None:
        service, address, word = parts(subject)
        if service == QPU and address:
            await self._end.say(subjects.down(address, subjects.PUBLICATION, word), data)
            if f"{QPU}.{word}" == QPU_BYE:
                self._ended.add(address)
        await super().publish(subject, data)

    # --- who comes in ------------------------------------------------------------------------------------------------

    async def _callout(self, message: Msg) -> None:
        self._turns.start(self._let_in(message))

    async def _let_in(self, message: Msg) -> None:
        try:
            stranger = asked(message.data)
        except (ValueError, LookupError, TypeError, AttributeError):
            log.warning("the broker asked something that cannot be read")
            return
        if subjects.is_suffix(stranger.suffix):
            await self._end.say(message.reply, await self._answer(stranger))

    async def _answer(self, stranger: Asked) -> bytes:
        suffix = stranger.suffix
        try:
            name = await self._sign_in(stranger.token)
            if not subjects.is_name(name):
                raise Unavailable(f"The name {name!r} cannot be part of a subject.", code="bad_name")
        except QpiError as error:
            self._sign_ins[suffix] = error
            user = self._keys.user(stranger.key, "stranger", subjects.strangers(suffix), ASK_S)
        else:
            address = self._sign_ins[suffix] = f"{name}:{suffix}"
            user = self._keys.user(stranger.key, address, subjects.permissions(address), LASTS_S)
        asyncio.get_running_loop().call_later(ASK_S, self._sign_ins.pop, suffix, None)
        return self._keys.response(stranger.key, stranger.server, user)

    async def _who(self, message: Msg) -> None:
        """Whoever has just signed in: who it is for the lab, or why it is nobody."""
        suffix = message.subject.rpartition(".")[2]
        if message.reply.startswith(f"{subjects.inbox(suffix)}."):
            await self._end.answer(message.reply, self._introduce(suffix))

    async def _introduce(self, suffix: str) -> bytes:
        found = existing(self._sign_ins.pop(suffix, None), Unavailable("Sign in again.", code="not_signed_in"))
        if isinstance(found, QpiError):
            raise found
        return bus.encode(found)

    async def _gone(self, message: Msg) -> None:
        """The broker says that a connection has ended, and whose it was by the lab's own word."""
        try:
            address = str(json.loads(message.data)["client"]["user"])
        except (ValueError, LookupError, TypeError):
            return
        self._ended.discard(address)
        self._bad.pop(address, None)
        if subjects.is_suffix(subjects.suffix_of(address)):
            await self.listeners.tell(Message(LAB_BYE, address, Raw(bus.encode(Bye()))))

    # --- what drivers say --------------------------------------------------------------------------------------------

    async def _up(self, message: Msg) -> None:
        self._turns.add(message.subject.split(".")[2], message)

    async def _take(self, sender: str, message: Msg) -> None:
        *_, kind, word = message.subject.split(".")
        if sender in self._ended:
            return
        subject, data = f"{LAB}.{word}", Raw(message.data)
        if kind in (subjects.REQUEST, subjects.PING):
            # An answer to anywhere else would be the lab's own word, which may be said to everybody.
            if message.reply.startswith(f"{subjects.inbox(subjects.suffix_of(sender))}."):
                work = self._serve(Message(subject, sender, data)) if kind == subjects.REQUEST else _here()
                self._turns.start(self._end.answer(message.reply, work))
        elif kind == subjects.PUBLICATION:
            if (refusal := await self.listeners.refusal(Message(subject, sender, data))) is not None:
                await self._refused(sender, refusal)
        elif kind == subjects.ADVERT and (found := self._found.get(word)) is not None:
            with suppress(QpiError):
                found[sender] = Ad(sender, parse(data, Ad).data)

    async def _refused(self, sender: str, refusal: QpiError) -> None:
        """Send a driver away whose publications are nonsense, as `Peer` does."""
        self._bad[sender] += 1
        if self._bad[sender] >= GUEST_BAD_FRAMES:
            reason = f"Too many bad frames; the last one: {refusal.message}"
            await self.publish(to(sender, QPU_BYE), bus.encode(Bye(reason=reason)))
            await self.listeners.tell(Message(LAB_BYE, sender, Raw(bus.encode(Bye()))))

    async def _serve(self, message: Message) -> bytes:
        if (endpoint := self.endpoint(message.subject)) is None:
            raise Unavailable(f"Nobody serves {message.subject}.", code="no_responder")
        if self._serving[message.sender] >= GUEST_REQUESTS:
            raise TooMany(f"More than {GUEST_REQUESTS} requests at once.", code="too_many_requests")
        self._serving[message.sender] += 1
        try:
            return await bus.answer(endpoint, message)
        finally:
            self._serving[message.sender] -= 1
            if not self._serving[message.sender]:
                del self._serving[message.sender]


async def _here() -> bytes:
    return b"{}"
