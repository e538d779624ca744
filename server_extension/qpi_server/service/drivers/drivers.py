"""A driver's link: hello, claims, what it tells about its attempts, and what its silence means; drains."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Raw, Struct
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Event,
    EventKind,
    Faulted,
    Forbidden,
    IllegalTransition,
    Job,
    NotFound,
    Principal,
    QpiError,
    Rejected,
    Step,
    advance,
    existing,
)
from qpi_jupyter.wire import WIRE_VERSION, frames
from qpi_jupyter.wire.bus import Bus
from qpi_jupyter.wire.events import DriverAction, DriverChanged, DriverData
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import (
    Calibrated,
    Claim,
    Heartbeat,
    Hello,
    Log,
    Progress,
    Report,
    Reported,
    Rows,
    Started,
    Subject,
    Welcome,
)
from qpi_jupyter.wire.peer import Handler, parse
from qpi_jupyter.wire.rest import DriverModel
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.service.base import DRIVER_BURST, MANAGERS, Context, Rates, Tx
from qpi_server.service.dispatch import Dispatcher, ParkedClaim
from qpi_server.service.lifecycle import Change, Lifecycle, find
from qpi_server.service.links import Drained, Link, Links, SentAway
from qpi_server.service.telemetry import CalibrationService, DriverLogs, TelemetryService
from qpi_server.store import DriverRow, JobRecord, bench, jobs

from .reconcile import Reconciler
from .uploads import Upload

log = logging.getLogger(__name__)
_OUTCOMES = {
    "released": EventKind.RELEASED,
    "errored": EventKind.ERRORED,
    "interrupted": EventKind.INTERRUPTED,
    "aborted": EventKind.ABORTED,
}
_DONE = "measured"
"""The phase of a held attempt that has run and waits to be delivered: there is nothing left to stop."""
MEASURE_EVERY_S, MEASURE_S = 60.0, 10.0
"""Between two measurements of a driver's latency, and how long one may take (seconds)."""
HELLO_FIRST = "Say hello first: this link is not the driver's current one."
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DriverLink(Link):
    """What a driver says on its link, from its hello to its end: ``handlers`` and ``listeners`` by subject."""

    def __init__(
        self, service: DriverService, bus: Bus, address: str, driver: str, qpu: str, forget: Callable[[], object]
    ) -> None:
        config, clock = service.context.config, service.context.clock
        super().__init__(bus, address, driver, qpu, job_timeout_s=config.job_timeout_s)
        self._service, self._config, self._now = service, config, clock.now
        self._parked: set[ParkedClaim] = set()
        self._forget = forget
        self._pace = Rates(clock, per_s=2 / config.heartbeat_s, burst=DRIVER_BURST)
        self._recalibrations = Rates(clock, per_s=1 / config.heartbeat_s, burst=DRIVER_BURST)
        self.handlers: dict[str, Handler] = {
            frames.HELLO: self._on_hello,
            frames.CLAIM: self._on_claim,
            frames.REPORT: self._on_report,
            frames.STARTED: self._begins,
            frames.ROWS: self._on_rows,
            frames.CALIBRATED: self._on_calibrated,
        }
        self.listeners: dict[str, Handler] = {
            frames.STARTED: self._on_started,
            frames.PROGRESS: self._on_progress,
            frames.HEARTBEAT: self._on_heartbeat,
            frames.LOG: self._on_log,
        }

    def closed(self) -> None:
        """The link is gone. The lease goes on: the driver may come back with its attempts."""
        self._service.links.remove(self)

    def shut(self) -> None:
        """No job is for it any more."""
        super().shut()
        self._forget()
        for claim in self._parked:
            claim.future.cancel()

    async def _on_hello(self, data: Raw) -> Struct:
        try:
            return await self._welcome(data)
        except (Rejected, Conflict) as error:
            await self._service.refuse(self, error)
            raise

    async def _welcome(self, data: Raw) -> Struct:
        hello = parse(data, Hello)
        if hello.wire != WIRE_VERSION:
            raise Conflict(
                f"This driver speaks wire version {hello.wire}, the lab version {WIRE_VERSION}: install the same "
                "qpi-jupyter on both sides.",
                code="wire_version",
                driver=hello.wire,
                lab=WIRE_VERSION,
            )
        if hello.places < 1 and not hello.monitor:
            raise Conflict("A driver must have at least one place.", code="bad_places")
        self.draining = hello.draining
        drop = await self._service.reconciler.welcome(self, hello)
        self._service.links.saw(self)
        return Welcome(
            qpu=self.qpu,
            epoch=self.epoch,
            lease_s=self._config.lease_s,
            heartbeat_s=self._config.heartbeat_s,
            reask_s=self._config.reask_s,
            drop=drop,
        )

    async def _on_claim(self, data: Raw) -> Struct:
        claim = parse(data, Claim)
        self._current(claim.epoch)
        if self.monitor:
            raise Forbidden("A monitor claims no jobs.", code="monitor")
        parked = ParkedClaim(
            qpu=self.qpu,
            driver=self.driver,
            epoch=self.epoch,
            places=self.places,
            timeout_s=self.timeout_s,
            max_frame_bytes=self.max_frame_bytes,
        )
        self._parked.add(parked)
        try:
            return await self._service.dispatcher.claim(parked)
        except asyncio.CancelledError:
            if parked.future.cancelled():  # by `shut`
                raise Conflict("This link counts no more.", code="stale_epoch") from None
            raise
        finally:
            self._parked.discard(parked)

    async def _on_report(self, data: Raw) -> Struct:
        try:
            report = parse(data, Report)
        except Rejected as error:
            report = _unreadable(parse(data, Subject), error)
        self._current(report.epoch)
        change = await self._decide(report.job_id, report.attempt, lambda job: self._reported(job, report))
        return Reported(accepted=change.accepted)

    def _reported(self, job: Job, report: Report) -> Step:
        kind = _OUTCOMES[report.outcome]
        error = None if report.error is None else QpiError.from_bench(report.error).to_dict()
        event = Event(kind=kind, at=self._now(), attempt=report.attempt, busy_s=report.busy_s, error=error)
        return advance(job, event)

    async def _begins(self, data: Raw) -> Reported:
        """An instrument asks before it begins; it is answered once that is on disk."""
        started = parse(data, Started)
        self._current(started.epoch)
        return Reported(accepted=await self._start(started))

    async def _on_started(self, data: Raw) -> None:
        started = parse(data, Started)
        if started.epoch == self.epoch:
            await self._quietly(self._start(started))

    async def _start(self, started: Started) -> bool:
        event = Event(kind=EventKind.STARTED, at=self._now(), attempt=started.attempt)
        change = await self._decide(started.job_id, started.attempt, lambda job: advance(job, event))
        reach("started_after_commit")
        return change.accepted and not change.after.job.state.final

    async def _on_progress(self, data: Raw) -> None:
        progress = parse(data, Progress)
        if progress.epoch == self.epoch:
            book = self._service.lifecycle.progress
            await book.note(self.driver, progress.job_id, progress.attempt, progress.fraction)

    async def _on_rows(self, data: Raw) -> Struct:
        said = parse(data, Rows)
        self._current(said.epoch)
        lifecycle = self._service.lifecycle
        taken = lifecycle.rows.take(self.driver, said, lambda job: _check_own(job, said.attempt, self.qpu, self.driver))
        if (share := lifecycle.rows.share(said.job_id)) is not None:
            await lifecycle.progress.note(self.driver, said.job_id, said.attempt, share)
        return taken

    async def _on_calibrated(self, data: Raw) -> Struct:
        said = parse(data, Calibrated)
        self._current(said.epoch)
        if self.monitor or not self._recalibrations.admit(self.driver):
            return Reported(accepted=False)
        await self._service.calibrations.heard(self.qpu, said.calibration)
        return Reported(accepted=True)

    async def _on_heartbeat(self, data: Raw) -> None:
        beat = parse(data, Heartbeat)
        if beat.epoch != self.epoch:
            return
        self._service.reconciler.heard(self)
        self._service.links.saw(self)
        self._service.measure(self)
        if self.draining:
            await self.drain()
        if not self._pace.admit(self.driver):
            return  # alive it is; what it has to say besides comes too often
        if beat.readings:
            self._service.telemetry.heard(self.qpu, beat.readings)
        running = [(held.job_id, held.attempt) for held in beat.held if held.phase != _DONE]
        if running:
            for job_id, attempt in await self._service.reconciler.unwanted(self.driver, running):
                self._service.links.abort(self.driver, job_id, attempt)

    async def _on_log(self, data: Raw) -> None:
        log = parse(data, Log)
        if log.epoch == self.epoch:
            await self._service.logs.heard(self.driver, log)

    def _current(self, epoch: int) -> None:
        if self.hello is None or epoch != self.epoch or self._service.links.get(self.driver) is not self:
            raise Conflict(HELLO_FIRST, code="stale_epoch")

    async def _decide(self, job_id: str, attempt: int, decision: Callable[[Job], Step]) -> Change:
        def guard(record: JobRecord) -> None:
            _check_own(record.job, attempt, self.qpu, self.driver)

        try:
            return await self._service.lifecycle.decide(job_id, decision, guard, sender=self.driver)
        except IllegalTransition as error:
            raise Conflict(str(error), code="illegal_transition") from error

    @staticmethod
    async def _quietly(work: Awaitable[Any]) -> None:
        """A publication has no answer: what is wrong with it is the sender's to find out by other means."""
        try:
            await work
        except (NotFound, Forbidden, Conflict) as error:
            log.warning("a driver said something that is not so: %s", error)


class DriverService:
    """What drivers do with the lab, apart from delivering results."""

    def __init__(
        self, context: Context, links: Links, lifecycle: Lifecycle, reconciler: Reconciler, dispatcher: Dispatcher,
        telemetry: TelemetryService, calibrations: CalibrationService, logs: DriverLogs,
    ) -> None:  # fmt: skip
        self.context, self.links, self.lifecycle, self.reconciler = context, links, lifecycle, reconciler
        self.dispatcher, self.telemetry, self.logs = dispatcher, telemetry, logs
        self.calibrations = calibrations
        self._refusing = Rates(context.clock, per_s=1 / context.config.heartbeat_s, burst=DRIVER_BURST)
        self._measuring = Rates(context.clock, per_s=1 / MEASURE_EVERY_S, burst=1)

    async def refuse(self, link: DriverLink, error: QpiError) -> None:
        """Write down why a driver was not let in: once for each reason."""
        if not self._refusing.admit(link.driver) or not self.links.refused(link, error.message):
            return

        def unit(tx: Tx) -> None:
            if (row := bench.driver(tx.connection, link.driver)) is not None:
                log.warning("driver %s of %s was refused: %s", row.name, row.qpu, error.message)
                data = DriverData(driver=row.name, action="refused")
                tx.event(DriverChanged(at=tx.at, qpu=row.qpu, data=data), owner=MANAGERS)

        await self.context.db.write(unit)

    def measure(self, link: DriverLink) -> None:
        """Take the time of a round trip to a driver that answers to that, now and then."""
        if link.hello is not None and link.hello.pings and self._measuring.admit(link.driver):
            self.context.tasks.start(self._measure(link), f"ping {link.driver}")

    async def _measure(self, link: DriverLink) -> None:
        began = self.context.clock.monotonic()
        with contextlib.suppress(QpiError):  # it has gone, or is busy: its silence is for others to judge
            await link.ask(frames.PING, frames.Frame(), frames.Frame, timeout_s=MEASURE_S)
            link.latency_s = self.context.clock.monotonic() - began

    async def switch(self, principal: Principal, driver_id: str, *, enabled: bool) -> DriverModel:
        """Let a driver in, or send it away: what it runs then ends as if its link were lost.

        Raises
        ------
        NotFound
            no such driver.
        """

        def unit(tx: Tx) -> DriverRow:
            row = _driver(tx.connection, driver_id)
            if row.enabled != enabled:
                bench.change_driver(tx.connection, row.id, enabled=enabled)
                _tell(tx, principal, row, "enabled" if enabled else "disabled")
            if not enabled:
                tx.tell(SentAway(row.id, "This driver was switched off in the lab."))
            return row

        row = await self.context.db.write(unit)
        return _model(row, enabled=enabled, online=self.links.get(row.id) is not None)

    async def drain(self, principal: Principal, driver_id: str) -> DriverModel:
        """Have a driver finish what it runs, give the rest back, and end: for work on its machine. Again is fine.

        Raises
        ------
        NotFound
            no such driver.
        Conflict
            it is not linked, so that it could not hear of it.
        """

        def unit(tx: Tx) -> DriverRow:
            row = _driver(tx.connection, driver_id)
            if self.links.get(row.id) is None:
                raise Conflict(f"The driver {row.name} is offline: there is nothing to drain.", code="driver_offline")
            if not self.links.draining(row.id):
                _tell(tx, principal, row, "drained")
            tx.tell(Drained(row.id))
            return row

        row = await self.context.db.write(unit)
        return _model(row, enabled=row.enabled, online=self.links.get(row.id) is not None)

    async def program(self, principal: Principal, sha256: str) -> bytes:
        """The packed program, for a driver whose QPU has a job that runs it."""
        name = _qpu_of(principal)
        if (offered := self.links.offered(sha256)) is not None:
            return offered

        def query(connection: Connection) -> bytes | None:
            return jobs.program(connection, sha256) if jobs.runs_on(connection, sha256, name) else None

        found = existing(
            await self.context.db.read(query),
            NotFound(f"No job of {name} runs a program {sha256}.", code="unknown_program"),
        )
        return found

    async def upload(self, principal: Principal, job_id: str, attempt: int, digest: str) -> Upload:
        """An upload for this attempt's result. One that is not wanted any more takes its bytes and forgets them.

        Raises
        ------
        NotFound
            no such job.
        Forbidden
            the job is another QPU's, or the attempt another driver's.
        Rejected
            no digest came.
        """
        name = _qpu_of(principal)
        if not _SHA256.fullmatch(digest):
            raise Rejected(f"{DIGEST_HEADER} holds the SHA-256 of the result's header, in hex.", code="bad_checksum")
        record = self.context.db.glance(lambda connection: find(connection, job_id))
        _check_own(record.job, attempt, name, principal.name)
        wanted = record.job.attempt == attempt and not record.job.state.final and not record.job.moved
        return Upload(self.context, self.lifecycle, record, attempt, digest, wanted=wanted)


def _driver(connection: Connection, driver_id: str) -> DriverRow:
    row = bench.driver(connection, driver_id) or bench.driver_named(connection, driver_id)
    if row is None or row.revoked_at is not None:
        raise NotFound(f"There is no driver {driver_id!r}.", code="unknown_driver", field="id")
    return row


def _tell(tx: Tx, principal: Principal, row: DriverRow, action: DriverAction) -> None:
    tx.audit(principal, f"driver.{action}", f"driver:{row.name}")
    data = DriverData(driver=row.name, action=action, by=principal.name)
    tx.event(DriverChanged(at=tx.at, qpu=row.qpu, data=data), owner=MANAGERS)


def _model(row: DriverRow, *, enabled: bool, online: bool) -> DriverModel:
    return DriverModel(id=row.id, name=row.name, qpu=row.qpu, enabled=enabled, online=online)


def _check_own(job: Job, attempt: int, qpu: str, driver: str) -> None:
    """Let a driver speak of the attempts that it was given; of older ones, nothing that is said counts anyway."""
    if attempt < job.attempt or (job.moved and attempt == job.attempt):
        return
    if job.qpu != qpu:
        raise Forbidden(f"Job {job.id} belongs to another QPU.", code="another_qpu")
    if job.driver != driver:
        raise Forbidden(f"Attempt {attempt} of job {job.id} belongs to another driver.", code="another_driver")


def _unreadable(subject: Subject, error: QpiError) -> Report:
    """The report that stands for one that cannot be read: the attempt ends, and nothing else of it is believed."""
    fault = Faulted(f"The driver's report on the job cannot be read: {error.message}", code="bad_frame")
    return Report(
        epoch=subject.epoch, job_id=subject.job_id, attempt=subject.attempt, outcome="interrupted",
        error=fault.to_dict(),
    )  # fmt: skip


def _qpu_of(principal: Principal) -> str:
    if not principal.is_driver or principal.qpu is None:
        raise Forbidden("This token does not belong to a driver.", code="not_a_driver")
    return principal.qpu
