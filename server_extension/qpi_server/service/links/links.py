"""The drivers that are linked now, by QPU, with their epochs and places; and the leases of their attempts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple, TypeVar

from msgspec import Struct

from qpi_jupyter.core import Estimate
from qpi_jupyter.wire import bus
from qpi_jupyter.wire.bus import Bus
from qpi_jupyter.wire.frames import ABORT, DRAIN, OLD_FRAME_BYTES, QPU_BYE, RECALL, Abort, Bye, Frame, Hello
from qpi_server.service.base import Clock, Context, Timer, Wake
from qpi_server.service.lifecycle import Change

_ESTIMATES = 512
T = TypeVar("T", bound=Struct)


class Linked(NamedTuple):
    """A driver of this QPU has come."""

    qpu: str


class Link:
    """One connection of a driver: ``address`` on ``bus``."""

    def __init__(self, bus: Bus, address: str, driver: str, qpu: str, *, job_timeout_s: float) -> None:
        self._bus, self._address, self.driver, self.qpu, self._timeout_s = bus, address, driver, qpu, job_timeout_s
        self.hello: Hello | None = None
        self.epoch = 0
        self.open = True
        self.draining = False
        """It takes no more jobs and is about to end, as it said itself or was asked to."""
        self.estimates: dict[str, Estimate] = {}
        self.asked = 0
        """Checks that it has been asked for and has not answered."""
        self.evasions = 0
        """Checks in a row that came to nothing, and not for the program's sake."""
        self.latency_s: float | None = None
        """A round trip to it, as it was measured last."""

    @property
    def monitor(self) -> bool:
        return self.hello is not None and self.hello.monitor

    @property
    def places(self) -> int:
        return self.hello.places if self.hello is not None else 0

    @property
    def timeout_s(self) -> float:
        """How long one attempt may run here."""
        own = self.hello.job_timeout_s if self.hello is not None else None
        return own if own is not None else self._timeout_s

    @property
    def memory_cap_bytes(self) -> int | None:
        return self.hello.memory_cap_bytes if self.hello is not None else None

    @property
    def max_frame_bytes(self) -> int:
        return self.hello.max_frame_bytes if self.hello is not None else OLD_FRAME_BYTES

    async def ask(self, subject: str, body: Struct, answer: type[T], *, timeout_s: float) -> T:
        """Its answer; raises as `Bus.request`."""
        return await bus.ask(self._bus, bus.to(self._address, subject), body, answer, timeout_s)

    async def tell(self, subject: str, body: Struct) -> None:
        """Let the driver hear it, at most once."""
        await bus.tell(self._bus, bus.to(self._address, subject), body)

    async def drain(self) -> None:
        """Tell it to take no more jobs; said again until it has gone."""
        await self.tell(DRAIN, Frame())

    async def end(self, reason: str) -> None:
        """Nothing counts any more that comes on it, and the driver hears why."""
        self.shut()
        await self.tell(QPU_BYE, Bye(reason=reason))

    def shut(self) -> None:
        """Nothing counts any more that comes on it; again is fine."""
        self.open = False

    def remember(self, key: str, estimate: Estimate) -> None:
        """Keep the check of a program for the next time it comes."""
        self.estimates[key] = estimate
        if len(self.estimates) > _ESTIMATES:
            del self.estimates[next(iter(self.estimates))]


class SentAway(NamedTuple):
    """A driver is not welcome any more, whatever its link says."""

    driver: str
    reason: str


class Drained(NamedTuple):
    """A driver is to finish what it runs, and to end."""

    driver: str


class Unlinked(NamedTuple):
    """The link of a driver is gone."""

    link: Link


class Links:
    """Every driver that said hello and whose link is open."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._by_driver: dict[str, Link] = {}
        self._seen_at: dict[str, datetime] = {}
        self._heard_at: dict[str, datetime] = {}
        self._refusals: dict[str, tuple[str, str]] = {}
        self._offered: dict[str, tuple[bytes, int]] = {}
        context.commits.on(Change, self._changed)
        context.commits.on(SentAway, self._hang_up)
        context.commits.on(Drained, self._drain)

    def add(self, link: Link) -> None:
        """The driver has come: whoever waits for one is told."""
        self._by_driver[link.driver] = link
        self._refusals.pop(link.driver, None)
        self._count(link.qpu)
        self._context.commits.tell((Linked(link.qpu), Wake(link.qpu)))

    def remove(self, link: Link) -> None:
        """The link is gone, or counts no more, however long the other end takes to hang up; again is fine."""
        link.shut()
        if self._by_driver.get(link.driver) is link:
            del self._by_driver[link.driver]
            self._count(link.qpu)
            self._context.commits.tell([Unlinked(link)])

    def end(self, link: Link, reason: str) -> None:
        """Remove the link, and let its driver hear why."""
        self.remove(link)
        self._context.tasks.start(link.end(reason), f"bye {link.driver}")

    def saw(self, link: Link) -> None:
        """Its driver gave a sign of life."""
        now = self._seen_at[link.driver] = self._context.now()
        if not link.monitor:
            self._heard_at[link.qpu] = now

    def seen_at(self, driver: str) -> datetime | None:
        """When it last did; None if this server has not heard it."""
        return self._seen_at.get(driver)

    def heard_at(self, qpu: str) -> datetime | None:
        """When a driver that runs jobs of ``qpu`` last gave one; None if this server has not heard any."""
        return self._heard_at.get(qpu)

    def latency_s(self, qpu: str) -> float | None:
        """A round trip to the nearest driver of ``qpu``; None where none was measured."""
        return min((link.latency_s for link in self.of(qpu) if link.latency_s is not None), default=None)

    def refused(self, link: Link, why: str) -> bool:
        """Remember why a driver was not let in, until it is; whether that is another reason than the last time."""
        before, self._refusals[link.driver] = self._refusals.get(link.driver), (link.qpu, why)
        return before != (link.qpu, why)

    def refusal(self, driver: str) -> str:
        """Why this driver was not let in last; empty if it was."""
        return self._refusals.get(driver, ("", ""))[1]

    def refusals(self, qpu: str) -> str:
        """Why drivers of ``qpu`` were not let in last; empty if they were."""
        return " ".join(why for on, why in self._refusals.values() if on == qpu)

    def get(self, driver: str) -> Link | None:
        return self._by_driver.get(driver)

    def draining(self, driver: str) -> bool:
        """Whether it is linked, and about to end."""
        link = self._by_driver.get(driver)
        return link is not None and link.draining

    def all(self) -> list[Link]:
        return list(self._by_driver.values())

    def of(self, qpu: str) -> Iterator[Link]:
        """Those that run jobs of ``qpu``; monitors do not."""
        return (link for link in self.all() if link.qpu == qpu and not link.monitor)

    def online(self, qpu: str) -> bool:
        return next(self.of(qpu), None) is not None

    def places(self, qpu: str) -> int:
        return sum(link.places for link in self.of(qpu))

    def abort(self, driver: str, job_id: str, attempt: int) -> None:
        """Tell a driver to stop an attempt; a lost word is repeated at its next heartbeat."""
        self._send(driver, ABORT, job_id, attempt)

    def recall(self, driver: str, job_id: str, attempt: int) -> None:
        """Ask a driver for an attempt that it may not have begun; a lost word costs the wait for it."""
        self._send(driver, RECALL, job_id, attempt)

    @contextlib.contextmanager
    def offering(self, sha256: str, packed: bytes) -> Iterator[None]:
        """Let drivers fetch a program that is being checked and not stored yet."""
        self._offered[sha256] = (packed, self._offered.get(sha256, (b"", 0))[1] + 1)
        try:
            yield
        finally:
            count = self._offered[sha256][1] - 1
            if count:
                self._offered[sha256] = (packed, count)
            else:
                del self._offered[sha256]

    def offered(self, sha256: str) -> bytes | None:
        """The packed program, while it is being checked."""
        return self._offered.get(sha256, (None, 0))[0]

    def _changed(self, change: Change) -> None:
        if change.driver is not None:
            for attempt in change.aborts:
                self.abort(change.driver, change.after.id, attempt)

    def _hang_up(self, sent: SentAway) -> None:
        """From now on nothing counts that comes on the link, however long the other end takes to hang up."""
        if (link := self._by_driver.get(sent.driver)) is not None:
            self.end(link, sent.reason)

    def _drain(self, drained: Drained) -> None:
        if (link := self._by_driver.get(drained.driver)) is not None:
            link.draining = True
            self._context.tasks.start(link.drain(), f"{DRAIN} {drained.driver}")

    def _send(self, driver: str, subject: str, job_id: str, attempt: int) -> None:
        if (link := self._by_driver.get(driver)) is not None:
            body = Abort(job_id=job_id, attempt=attempt)
            self._context.tasks.start(link.tell(subject, body), f"{subject} {job_id}")

    def _count(self, qpu: str) -> None:
        self._context.metrics.linked(qpu, len(list(self.of(qpu))), self.places(qpu))


class Leases:
    """Who is alive, and a call when somebody no longer is.

    Parameters
    ----------
    expired
        called with a driver whose lease ran out.
    """

    def __init__(self, clock: Clock, lease_s: float, expired: Callable[[str], None]) -> None:
        self._clock, self._lease_s, self._expired = clock, lease_s, expired
        # A server that has just started knows nothing: drivers get two lease lengths to come back.
        self._grace = clock.monotonic() + 2 * lease_s
        self._ends: dict[str, float] = {}
        self._timer: Timer | None = None
        self._next = float("inf")

    def extend(self, driver: str) -> None:
        """The driver was heard."""
        end = max(self._clock.monotonic() + self._lease_s, self._grace)
        self._ends[driver] = end
        self._arm(end)

    def alive(self, driver: str) -> bool:
        return driver in self._ends

    def end(self, driver: str) -> None:
        """Forget a lease without calling anybody."""
        self._ends.pop(driver, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ends.clear()

    def _arm(self, moment: float) -> None:
        # One timer for all; a heartbeat only moves an end, and the timer finds that out when it fires.
        if moment >= self._next:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._next = moment
        self._timer = self._clock.call_at(moment, self._look)

    def _look(self) -> None:
        self._timer, self._next = None, float("inf")
        now = self._clock.monotonic()
        over = [driver for driver, end in self._ends.items() if end <= now]
        for driver in over:
            del self._ends[driver]
        if self._ends:
            self._arm(min(self._ends.values()))
        for driver in over:
            self._expired(driver)
