"""The link to the lab over a bus, made again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from qpi_jupyter.core import Calibration, Forbidden, QpiError, Rejected, Unauthorized, Unavailable
from qpi_jupyter.core.capabilities import availability, summary
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.bus import ME, QPU, Bus, Credential, Endpoint, Message, ask, kind_of, tell, to
from qpi_jupyter.wire.frames import (
    Abort,
    Assignment,
    Claim,
    Heartbeat,
    Hello,
    LogLine,
    Prepare,
    Prepared,
    Previewed,
    Reading,
    Welcome,
)
from qpi_jupyter.wire.peer import parse
from qpi_jupyter.wire.tasks import ended

from .backoff import Backoff
from .bench import Bench
from .messages import Key, Rows
from .rows import RowKeeper
from .trust import Untrusted

log = logging.getLogger(__name__)
_HELLO_S = 30.0
_REPORT_S = 30.0
_REFUSALS = (Unauthorized, Forbidden, Rejected, Untrusted)
"""What no waiting changes, as another wire version: a wrong token, a wrong certificate authority."""


class GaveUp(QpiError):
    """The lab refuses this driver."""

    default_code = "refused"


class Driver(Protocol):
    """What the link asks the rest of the driver; its bench answers for the attempts."""

    bench: Bench

    def hello(self) -> Hello: ...

    def recalibrated(self, calibration: Calibration) -> bool:
        """Say `hello` with these values from now on; whether they are others than before."""

    def readings(self) -> list[Reading]: ...

    def logged(self) -> list[LogLine]: ...

    def welcomed(self, welcome: Welcome) -> None: ...

    def drain(self) -> None: ...

    def reported(self, key: Key) -> None: ...

    async def prepare(self, request: Prepare) -> Prepared: ...

    async def preview(self, request: Prepare) -> Previewed: ...


class Link:
    """Keeps the driver connected.

    Reports wait here until the lab has heard them; Started and Progress are told when they happen, and Started of what
    still runs again after every hello.
    """

    def __init__(self, lab: str, bus: str, credential: Credential, driver: Driver) -> None:
        self._lab, self._address, self._credential, self._driver = lab, bus, credential, driver
        self._kind = kind_of(bus)
        self._bus: Bus | None = None
        self._over: asyncio.Future[str] | None = None
        self._epoch, self._pause_s = 0, 0.0
        self._newest: Calibration | None = None
        self._greeted = False
        self._reports: dict[Key, frames.Report] = {}
        self._reporting: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rows = RowKeeper()
        self._room = asyncio.Event()
        self._linked = asyncio.Event()
        self._ended = False

    def end(self) -> None:
        """Connect no more; whoever runs `live` cancels it then."""
        self._ended = True

    async def live(self) -> None:
        """Connect, serve, and connect again.

        Raises
        ------
        GaveUp
            the lab refused the driver at the very first contact, for a reason that no waiting changes.
        """
        backoff = Backoff(at_once=True)
        while True:
            try:
                await self._connected(backoff)
            except QpiError as error:
                if not self._greeted and (isinstance(error, _REFUSALS) or error.code == "wire_version"):
                    raise GaveUp(error.message, code=error.code) from error
                problem = error.message
            if self._ended:
                # A task group forgets a cancellation that meets an error of one of its tasks.
                raise asyncio.CancelledError
            wait_s = backoff.next()
            log.warning("no link to %s: %s; again in %.1f s", self._lab, problem, wait_s)
            await asyncio.sleep(wait_s)

    # --- what the driver says ------------------------------------------------------------------------------------

    def has_room(self) -> None:
        """The driver may be able to take a job now."""
        self._room.set()

    def started(self, key: Key) -> None:
        self._publish(frames.STARTED, frames.Started(epoch=self._epoch, at=datetime.now(UTC), **key._asdict()))

    async def begins(self, key: Key) -> bool:
        """Say that an attempt is about to begin, until the lab has it on disk; False: it is not wanted any more."""
        while True:
            await self._linked.wait()
            body = frames.Started(epoch=self._epoch, at=datetime.now(UTC), **key._asdict())
            try:
                assert self._bus is not None
                return (await ask(self._bus, frames.STARTED, body, frames.Reported, _REPORT_S)).accepted
            except Unavailable:
                continue  # asked again, over the next link where this one has ended
            except QpiError as error:
                if self._outdated(error):
                    continue
                log.error("job %s, attempt %d: the lab refuses that it begins: %s", *key, error)
                return False

    def progressed(self, key: Key, fraction: float) -> None:
        self._publish(frames.PROGRESS, frames.Progress(epoch=self._epoch, fraction=fraction, **key._asdict()))

    def measured(self, key: Key, rows: Rows) -> None:
        self._rows.add(key, rows)

    def unseen(self, key: Key) -> None:
        self._rows.drop(key)

    def calibrated(self, calibration: Calibration) -> None:
        """Tell which values the next run is measured with; a hello that comes later says it, too."""
        if self._driver.recalibrated(calibration) and self._bus is not None:
            self._newest = calibration
            self._spawn(self._send_calibration(self._bus, calibration))

    def report(self, report: frames.Report) -> None:
        """Tell what became of an attempt; kept until the lab has answered."""
        key = Key(report.job_id, report.attempt)
        self._reports[key] = report
        self._start_report(key)

    async def say_logged(self) -> None:
        """Tell what was logged, if there is anything and a lab to tell it to."""
        if (bus := self._bus) is not None and (lines := self._driver.logged()):
            await tell(bus, frames.LOG, frames.Log(epoch=self._epoch, lines=lines))

    async def close(self) -> None:
        await ended(*self._tasks)

    # --- one connection ------------------------------------------------------------------------------------------

    def _dial(self) -> AbstractAsyncContextManager[Bus]:
        return self._kind.dial(self._address, self._credential)

    async def _connected(self, backoff: Backoff) -> None:
        await self._credential.trust()  # over http results go to the same lab, whatever the bus
        async with self._dial() as bus:
            self._over = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_end(self._over), name="link's end")
                    await bus.subscribe(f"{QPU}.{ME}.*", self._told)
                    await bus.serve(QPU, ME, self._asked(), {})
                    welcome = await ask(bus, frames.HELLO, self._driver.hello(), Welcome, _HELLO_S)
                    self._epoch, self._bus, self._greeted = welcome.epoch, bus, True
                    self._pause_s = welcome.heartbeat_s
                    backoff.reset()
                    self._resume(welcome)
                    group.create_task(self._heartbeats(bus, welcome), name="heartbeats")
                    group.create_task(self._claims(bus, welcome), name="claims")
                    group.create_task(self._show_rows(bus, welcome), name="rows")
                    group.create_task(self._advertise(bus, welcome), name="advertisement")
            except BaseExceptionGroup as group_error:
                raise _first(group_error) from group_error
            finally:
                self._bus = None
                self._linked.clear()

    def _bye(self, reason: str) -> None:
        """This link counts no more."""
        self._linked.clear()
        if self._over is not None and not self._over.done():
            self._over.set_result(reason)

    def _outdated(self, error: QpiError) -> bool:
        """Whether the lab does not know this link: what was refused is said again on the next one."""
        if error.code == "stale_epoch":
            self._bye(error.message)
        return error.code == "stale_epoch"

    def _resume(self, welcome: Welcome) -> None:
        log.info("linked to %s as a driver of %s, epoch %d", self._lab, welcome.qpu, welcome.epoch)
        self._driver.welcomed(welcome)
        for key in self._driver.bench.running():
            self.started(key)
        for key in self._reports:
            self._start_report(key)
        self._linked.set()
        self._room.set()

    async def _heartbeats(self, bus: Bus, welcome: Welcome) -> None:
        while True:
            await self.say_logged()
            await asyncio.sleep(welcome.heartbeat_s)
            held, readings = self._driver.bench.held(), self._driver.readings()
            await tell(bus, frames.HEARTBEAT, Heartbeat(epoch=welcome.epoch, held=held, readings=readings))

    async def _claims(self, bus: Bus, welcome: Welcome) -> None:
        """One claim at a time, while there is room. A claim that gets no answer ends the link: the lab may have
        assigned something that never came, which the next hello clears up."""
        patience_s = welcome.reask_s + welcome.lease_s
        while True:
            self._room.clear()
            if room := self._driver.bench.room():
                claim = Claim(epoch=welcome.epoch, free=room)
                assignment = await ask(bus, frames.CLAIM, claim, Assignment, patience_s)
                if assignment.job_id:
                    self._driver.bench.take(assignment)
            else:
                with contextlib.suppress(TimeoutError):  # a full disk does not say when it has room again
                    await asyncio.wait_for(self._room.wait(), welcome.heartbeat_s)

    def _ad(self) -> dict[str, Any]:
        """What the bus tells of this driver; Any: JSON."""
        hello, running = self._driver.hello(), len(self._driver.bench.running())
        now = availability(open_=not hello.draining, stale_=False, running=running, places=hello.places)
        return summary(hello.manifest, now)

    async def _advertise(self, bus: Bus, welcome: Welcome) -> None:
        """Say it, and again when it has changed: for those who look around, so that a heartbeat later is soon enough.

        A bus may take seconds to carry it, which no job waits for.
        """
        said: dict[str, Any] = {}
        while True:
            if (ad := self._ad()) != said:
                await bus.serve(QPU, ME, self._asked(), ad)
                said = ad
            await asyncio.sleep(welcome.heartbeat_s)

    async def _show_rows(self, bus: Bus, welcome: Welcome) -> None:
        """Bring over what running attempts have measured. Whatever is wrong with that, the result comes by itself."""
        self._rows.linked()
        while True:
            said = await self._rows.next()
            said.epoch = welcome.epoch
            try:
                self._rows.taken(said, await ask(bus, frames.ROWS, said, frames.RowsTaken, _REPORT_S))
            except Unavailable:
                await asyncio.sleep(welcome.heartbeat_s)
            except QpiError as error:
                if not self._outdated(error):
                    log.warning(
                        "job %s, attempt %d: the lab does not show its rows: %s", said.job_id, said.attempt, error
                    )
                    self._rows.refuse(said)

    # --- what the lab says ---------------------------------------------------------------------------------------

    async def _told(self, message: Message) -> None:
        subject = message.subject
        if subject == to(ME, frames.QPU_BYE):
            self._bye(parse(message.data, frames.Bye).reason)
        elif subject == to(ME, frames.DRAIN):
            self._driver.drain()
        elif subject == to(ME, frames.ABORT):
            self._driver.bench.abort(_key(message))
        elif subject == to(ME, frames.RECALL):
            self._driver.bench.recall(_key(message))

    def _asked(self) -> dict[str, Endpoint]:
        return {"prepare": self._prepare, "preview": self._preview, "ping": self._ping}

    @staticmethod
    async def _ping(message: Message) -> frames.Frame:
        return frames.Frame()

    async def _prepare(self, message: Message) -> Prepared:
        return await self._driver.prepare(parse(message.data, Prepare))

    async def _preview(self, message: Message) -> Previewed:
        return await self._driver.preview(parse(message.data, Prepare))

    # --- sending -------------------------------------------------------------------------------------------------

    def _publish(self, subject: str, body: frames.Frame) -> None:
        if (bus := self._bus) is not None:
            self._spawn(_quietly(tell(bus, subject, body)))

    def _start_report(self, key: Key) -> None:
        if self._bus is not None and key not in self._reporting:
            self._reporting.add(key)
            self._spawn(self._send_report(self._bus, key))

    async def _send_report(self, bus: Bus, key: Key) -> None:
        report = self._reports[key]
        report.epoch = self._epoch
        try:
            await self._say(bus, frames.REPORT, report)
        except Unavailable:
            return  # said again after the next hello
        except QpiError as error:
            if self._outdated(error):
                return
            log.error("job %s, attempt %d: the lab refuses the report %r: %s", *key, report.outcome, error)
        finally:
            self._reporting.discard(key)
        del self._reports[key]
        self._driver.reported(key)

    async def _send_calibration(self, bus: Bus, calibration: Calibration) -> None:
        """Say it, and again while it is the newest and the lab has heard too many of late."""
        body = frames.Calibrated(epoch=self._epoch, calibration=calibration)
        try:
            while not await self._say(bus, frames.CALIBRATED, body):
                await asyncio.sleep(self._pause_s)
                if bus is not self._bus or calibration is not self._newest:
                    return
        except Unavailable:
            return  # said by the next hello
        except QpiError as error:
            if not self._outdated(error):
                log.error("the lab refuses the calibration %s: %s", calibration.id, error)

    async def _say(self, bus: Bus, subject: str, body: frames.Frame) -> bool:
        """Say it until there is an answer, for as long as this link lasts; whether it is accepted. Raises as
        `Bus.request`."""
        while True:
            try:
                return (await ask(bus, subject, body, frames.Reported, _REPORT_S)).accepted
            except Unavailable as error:
                if error.code != "no_answer" or bus is not self._bus:
                    raise

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _quietly(publication: Awaitable[None]) -> None:
    with contextlib.suppress(Unavailable):  # what a link that goes down misses is said again or implied later
        await publication


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the group's siblings."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _end(over: asyncio.Future[str]) -> None:
    raise Unavailable(await over, code="link_closed")


def _key(message: Message) -> Key:
    wanted = parse(message.data, Abort)
    return Key(wanted.job_id, wanted.attempt)
