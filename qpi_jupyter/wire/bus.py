"""The bus between a lab and its drivers: five methods, lossy by contract; its members are found by entry point.

A *subject* is ``service.word``, or ``service.instance.word`` for one of several. The lab serves ``lab``; each driver is
an instance of ``qpu``, under the address that the bus gave it when it signed in (``drv_7:3``: who it is, and which of
its connections). A driver does not need to know its address: for it that is `ME`.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeGuard, TypeVar

import msgspec
from msgspec import Raw, Struct

from qpi_jupyter.core import Faulted, Forbidden, QpiError, Rejected, TooLarge, Unavailable, existing
from qpi_jupyter.core.plugins import Plugins

from .frames import MAX_FRAME_BYTES
from .peer import answered

log = logging.getLogger(__name__)
LAB, QPU, ME = "lab", "qpu", "me"


class Message(NamedTuple):
    """What came. ``sender`` is the address of whoever sent it, by the bus's own word: nobody can say another's."""

    subject: str
    sender: str
    data: Raw


class Ad(Struct, frozen=True):
    """Who serves something, and what it says of itself."""

    instance: str
    data: dict[str, Any] = {}


Endpoint = Callable[[Message], Awaitable[Struct | None]]
Listener = Callable[[Message], Awaitable[None]]
Stop = Callable[[], Awaitable[None]]
T = TypeVar("T", bound=Struct)


class Bus(Protocol):
    """One participant's end. A lost message costs time and never correctness; none arrives twice.

    Data is JSON, at most `MAX_FRAME_BYTES` long; what is longer is `TooLarge` for its sender. A driver's end reaches
    the lab and nobody else: it asks and tells ``lab``, and serves and hears what is meant for itself.
    """

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        """Answer requests, each in a task of its own, by the words of their subjects, until the call that is returned.

        What an endpoint raises reaches whoever asked: a `QpiError` as itself, from a driver as `Faulted`.

        Raises
        ------
        Forbidden
            a driver offers something else than itself.
        """

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        """Ask whoever serves ``subject``, once.

        Raises
        ------
        Unavailable
            no answer came in time (``no_answer``), or, at once where the bus can tell, nobody is there
            (``no_responder``) or the connection has ended (``link_closed``).
        QpiError
            what the endpoint raised.
        """

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        """Who serves ``service`` now, by instance, as far as they have answered within ``wait_s``."""

    async def publish(self, subject: str, data: bytes) -> None:
        """Tell everybody who subscribes to ``subject``, at most once; that nobody does is no error."""

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        """Hear what is published, until the call that is returned. In ``pattern``, ``*`` is any one part.

        What one sender publishes is heard in its order, one by one: a listener must not wait for an answer of its
        sender. What it raises is logged.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """How a driver signs in. ``trust``: what to verify the lab with; None for an address without TLS."""

    token: str
    trust: Callable[[], Awaitable[ssl.SSLContext | None]]


SignIn = Callable[[str], Awaitable[str]]
"""From a driver's token to the driver; raises `Unauthorized` or `Forbidden`."""


class BusKind(Protocol):
    """A member of ``qpi.buses``, under the scheme of its addresses."""

    def host(self, address: str, sign_in: SignIn) -> AbstractAsyncContextManager[Bus]:
        """The lab's end, which lets drivers in.

        Raises
        ------
        Rejected
            it is not a bus that a lab can be told to host.
        Unavailable
            not now.
        """

    def dial(self, address: str, credential: Credential) -> AbstractAsyncContextManager[Bus]:
        """A driver's end. Where the transport shows that the other side has gone, the driver hears ``qpu.me.bye`` and
        the lab ``lab.bye``; leaving the context is seen by the lab likewise.

        Raises
        ------
        Unauthorized, Forbidden, Rejected
            the lab does not let it in, which no waiting changes.
        Unavailable
            not now.
        """


def _is_kind(thing: object) -> TypeGuard[BusKind]:
    return all(callable(getattr(thing, name, None)) for name in ("host", "dial"))


BUSES: Plugins[BusKind] = Plugins("qpi.buses", "bus", _is_kind, "a qpi_jupyter.wire.bus.BusKind")


def kind_of(address: str) -> BusKind:
    """What an address such as ``nats://host:4222`` is reached by.

    Raises
    ------
    Rejected
        it is no address, or no such bus is installed.
    """
    scheme, separator, rest = address.partition("://")
    if not separator or not scheme or not rest:
        known = ", ".join(BUSES.names())
        raise Rejected(
            f"The address of a bus is like scheme://place. Installed: {known}.",
            code="bad_bus_address", field="bus",
        )  # fmt: skip
    return BUSES.load(scheme)


def to(instance: str, subject: str) -> str:
    """The subject with the instance that is meant: ``qpu.abort`` to one driver."""
    service, _, word = subject.partition(".")
    return f"{service}.{instance}.{word}"


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to ``pattern`` hears ``subject``."""
    wanted, said = pattern.split("."), subject.split(".")
    return len(wanted) == len(said) and all(part in ("*", word) for part, word in zip(wanted, said, strict=True))


class Listeners:
    """Who hears what, for those who make a bus."""

    def __init__(self) -> None:
        self._by_subject: dict[str, list[Listener]] = {}
        self._by_pattern: dict[str, list[Listener]] = {}
        """Those with a star."""

    def add(self, pattern: str, listener: Listener) -> Stop:
        """Hear it from now on, until the call that is returned."""
        listeners = (self._by_pattern if "*" in pattern else self._by_subject).setdefault(pattern, [])
        listeners.append(listener)

        async def stop() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return stop

    def of(self, subject: str) -> list[Listener]:
        """Everybody who hears it."""
        found = list(self._by_subject.get(subject, ()))
        for pattern, listeners in self._by_pattern.items():
            if matches(pattern, subject):
                found += listeners
        return found

    async def tell(self, message: Message) -> None:
        """Let each hear it; one that fails keeps no other from its news."""
        await self.refusal(message)

    async def refusal(self, message: Message) -> QpiError | None:
        """As `tell`, and what one had to say against it, if any."""
        refusal = None
        for listener in self.of(message.subject):
            try:
                await listener(message)
            except QpiError as error:
                refusal = error
                log.warning("ignored %s of %s: %s", message.subject, message.sender, error)
            except Exception:
                log.exception("hearing %s", message.subject)
        return refusal


async def answer(endpoint: Endpoint, message: Message) -> bytes:
    """What an endpoint says, for those who make a bus.

    Raises
    ------
    QpiError
        whatever it raised; what nobody foresaw is logged and becomes `Faulted`.
    """
    try:
        return encode(await endpoint(message))
    except QpiError:
        raise
    except Exception as error:
        log.exception("serving %s", message.subject)
        raise Faulted(f"{message.subject} failed.") from error


def may_reach(subject: str) -> str:
    """The subject, if a driver may ask or tell it; else `Forbidden`."""
    if subject.startswith(f"{LAB}."):
        return subject
    raise Forbidden(f"A driver reaches {LAB}.*, not {subject}.", code="not_yours")


def may_hear(pattern: str) -> str:
    """The pattern, if a driver may hear, or serve, that; else `Forbidden`."""
    if pattern.startswith(f"{QPU}.{ME}."):
        return pattern
    raise Forbidden(f"A driver serves and hears {QPU}.{ME}.*, not {pattern}.", code="not_yours")


async def ask(bus: Bus, subject: str, body: Struct, answer: type[T], timeout_s: float) -> T:
    """`Bus.request` with structs; an answer that is not an ``answer`` is `Faulted`."""
    return answered(await bus.request(subject, encode(body), timeout_s), answer, subject)


async def tell(bus: Bus, subject: str, body: Struct) -> None:
    """`Bus.publish` with a struct."""
    await bus.publish(subject, encode(body))


class DriversEnd:
    """What every driver's end of a bus keeps: what it serves, what it says of itself (``ad``), and who listens."""

    def __init__(self) -> None:
        self.ad: dict[str, Any] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._listeners = Listeners()

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        may_hear(f"{service}.{instance}.")
        self._endpoints, self.ad = dict(endpoints), dict(ad)

        async def stop() -> None:
            self._endpoints, self.ad = {}, {}

        return stop

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        return self._listeners.add(may_hear(pattern), listener)

    def _served(self, word: str) -> Endpoint:
        missing = Unavailable(f"Nobody serves {QPU}.{word} there.", code="no_responder")
        return existing(self._endpoints.get(word), missing)


def encode(body: object) -> bytes:
    """A body as it travels.

    Raises
    ------
    TooLarge
        it is longer than `MAX_FRAME_BYTES`.
    """
    return checked(msgspec.json.encode(body))


def checked(data: bytes) -> bytes:
    """The same bytes, if they may travel; raises as `encode`."""
    if len(data) > MAX_FRAME_BYTES:
        raise TooLarge(f"A frame of {len(data):,} bytes; the limit is {MAX_FRAME_BYTES:,}.", code="frame_too_large")
    return data


def guests_fault(error: QpiError) -> QpiError:
    """What a driver raised, as the lab takes it: its own fault, whatever it calls itself."""
    return Faulted(error.message, code=error.code)
