"""A driver's link: hello, claims, what it tells about its attempts, and what its silence means."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from msgspec import Raw, Struct
from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, QpiError, Rejected
from qpi_jupyter.core.jobs import Job
from qpi_jupyter.core.lifecycle import Event, EventKind, IllegalTransition, Step, advance, interrupted
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire import WIRE_VERSION, frames
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import (
    Assignment,
    Claim,
    Heartbeat,
    Hello,
    Log,
    Progress,
    Reading,
    Report,
    Reported,
    Started,
    Welcome,
)
from qpi_jupyter.wire.peer import Handler, Peer, parse
from qpi_jupyter.wire.rest import DriverModel
from qpi_jupyter.wire.results import DIGEST_HEADER
from qpi_server.store import audit, bench, jobs
from qpi_server.store.audit import AuditRow
from qpi_server.store.bench import DriverRow
from qpi_server.store.jobs import JobRecord

from .dispatch import ParkedClaim
from .reconcile import Reconciler
from .room import Room, find
from .sessions import Sessions
from .transitions import Change
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
_ESTIMATES = 512
_SHA256 = re.compile(r"[0-9a-f]{64}")

Claimed = Callable[[ParkedClaim], Awaitable[Assignment]]
Read = Callable[[str, Sequence[Reading]], None]
Logged = Callable[[str, Log], Awaitable[None]]


class DriverSession:
    """One link of one driver, from its hello to its end.

    ``handlers`` and ``listeners`` are for the `Peer`; whoever owns the socket calls `closed` when it is gone.
    """

    def __init__(
        self,
        room: Room,
        reconciler: Reconciler,
        sessions: Sessions,
        claimed: Claimed,
        read: Read,
        logged: Logged,
        principal: Principal,
        peer: Peer,
        close: Callable[[str], None],
    ) -> None:
        self._room, self._reconciler, self._sessions, self._claimed = room, reconciler, sessions, claimed
        self._read, self._logged = read, logged
        self.driver, self.qpu, self.peer, self.close = principal.name, _qpu_of(principal), peer, close
        self.hello: Hello | None = None
        self.epoch = 0
        self.estimates: dict[str, Estimate] = {}
        self.handlers: dict[str, Handler] = {
            frames.HELLO: self._on_hello,
            frames.CLAIM: self._on_claim,
            frames.REPORT: self._on_report,
            frames.STARTED: self._begins,
        }
        self.listeners: dict[str, Handler] = {
            frames.STARTED: self._on_started,
            frames.PROGRESS: self._on_progress,
            frames.HEARTBEAT: self._on_heartbeat,
            frames.LOG: self._on_log,
        }

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
        return own if own is not None else self._room.config.job_timeout_s

    @property
    def memory_cap_bytes(self) -> int | None:
        return self.hello.memory_cap_bytes if self.hello is not None else None

    def remember(self, key: str, estimate: Estimate) -> None:
        """Keep the check of a program for the next time it comes."""
        self.estimates[key] = estimate
        if len(self.estimates) > _ESTIMATES:
            del self.estimates[next(iter(self.estimates))]

    def closed(self) -> None:
        """The link is gone. The lease goes on: the driver may come back with its attempts."""
        self.peer.close()
        if self._sessions.remove(self):
            self._room.outbox.tasks.start(self._reconciler.status(self.qpu), f"{self.qpu} changed")

    async def _on_hello(self, data: Raw) -> Struct:
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
            raise Conflict("A driver has at least one place.", code="bad_places")
        self.epoch, drop = await self._reconciler.welcome(self, hello)
        self._sessions.saw(self.driver)
        config = self._room.config
        return Welcome(
            qpu=self.qpu,
            epoch=self.epoch,
            lease_s=config.lease_s,
            heartbeat_s=config.heartbeat_s,
            reask_s=config.reask_s,
            drop=drop,
        )

    async def _on_claim(self, data: Raw) -> Struct:
        claim = parse(data, Claim)
        self._current(claim.epoch)
        if self.monitor:
            raise Forbidden("A monitor claims no jobs.", code="monitor")
        return await self._claimed(
            ParkedClaim(
                qpu=self.qpu,
                driver=self.driver,
                epoch=self.epoch,
                places=self.places,
                timeout_s=self.timeout_s,
            )
        )

    async def _on_report(self, data: Raw) -> Struct:
        report = parse(data, Report)
        self._current(report.epoch)
        kind = _OUTCOMES.get(report.outcome)
        if kind is None:
            raise Conflict(f"{report.outcome!r} is no outcome of an attempt.", code="bad_outcome")
        accepted = (await self._decide(report.job_id, lambda job: self._reported(job, kind, report))).accepted
        return Reported(accepted=accepted)

    def _reported(self, job: Job, kind: EventKind, report: Report) -> Step:
        if kind is EventKind.INTERRUPTED:
            kind = interrupted(job)
        error = None if report.error is None else QpiError.from_dict(report.error).to_dict()
        event = Event(kind=kind, at=self._room.now(), attempt=report.attempt, busy_s=report.busy_s, error=error)
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
        event = Event(kind=EventKind.STARTED, at=self._room.now(), attempt=started.attempt)
        change = await self._decide(started.job_id, lambda job: advance(job, event))
        reach("started_after_commit")
        return change.accepted and not change.after.job.state.final

    async def _on_progress(self, data: Raw) -> None:
        progress = parse(data, Progress)
        if progress.epoch == self.epoch:
            await self._room.progress.note(self.driver, progress.job_id, progress.attempt, progress.fraction)

    async def _on_heartbeat(self, data: Raw) -> None:
        beat = parse(data, Heartbeat)
        if beat.epoch != self.epoch:
            return
        self._reconciler.heard(self)
        self._sessions.saw(self.driver)
        if beat.readings:
            self._read(self.qpu, beat.readings)
        running = [(held.job_id, held.attempt) for held in beat.held if held.phase != _DONE]
        if running:
            for job_id, attempt in await self._reconciler.unwanted(self.driver, running):
                self._sessions.abort(self.driver, job_id, attempt)

    async def _on_log(self, data: Raw) -> None:
        log = parse(data, Log)
        if log.epoch == self.epoch:
            await self._logged(self.driver, log)

    def _current(self, epoch: int) -> None:
        if self.hello is None or epoch != self.epoch or self._sessions.get(self.driver) is not self:
            raise Conflict("Say hello first: this link is not the driver's current one.", code="stale_epoch")

    async def _decide(self, job_id: str, decision: Callable[[Job], Step]) -> Change:
        def guard(record: JobRecord) -> None:
            if record.job.qpu != self.qpu:
                raise Forbidden(f"Job {job_id} belongs to another QPU.", code="another_qpu")

        try:
            return await self._room.decide(job_id, decision, guard, sender=self.driver)
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
        self, room: Room, reconciler: Reconciler, sessions: Sessions, claimed: Claimed, read: Read, logged: Logged
    ) -> None:
        self._room, self._reconciler, self._sessions, self._claimed = room, reconciler, sessions, claimed
        self._read, self._logged = read, logged
        self._offered: dict[str, tuple[bytes, int]] = {}

    def connect(self, principal: Principal, peer: Peer, close: Callable[[str], None]) -> DriverSession:
        """A session for a driver's new link; ``close(reason)`` ends the link from this side."""
        return DriverSession(
            self._room, self._reconciler, self._sessions, self._claimed, self._read, self._logged, principal, peer,
            close,
        )  # fmt: skip

    async def switch(self, principal: Principal, driver_id: str, *, enabled: bool) -> DriverModel:
        """Let a driver in, or send it away: what it runs then ends as if its link were lost.

        Raises
        ------
        NotFound
            no such driver.
        """
        at = self._room.now()

        def unit(connection: Connection) -> DriverRow:
            row = bench.driver(connection, driver_id) or bench.driver_named(connection, driver_id)
            if row is None or row.revoked_at is not None:
                raise NotFound(f"There is no driver {driver_id!r}.", code="unknown_driver", field="id")
            if row.enabled != enabled:
                bench.switch_driver(connection, row.id, enabled=enabled)
                action = "driver.enabled" if enabled else "driver.disabled"
                audit.add(connection, AuditRow(at=at, who=principal.name, action=action, subject=f"driver:{row.name}"))
            return row

        row = await self._room.store.write(unit)
        session = self._sessions.get(row.id)
        if session is not None and not enabled:
            session.close("This driver was switched off in the lab.")
        online = session is not None and enabled
        return DriverModel(id=row.id, name=row.name, qpu=row.qpu, enabled=enabled, online=online)

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

    async def program(self, principal: Principal, sha256: str) -> bytes:
        """The packed program, for a driver whose QPU has a job that runs it."""
        name = _qpu_of(principal)
        if (offered := self._offered.get(sha256)) is not None:
            return offered[0]

        def query(connection: Connection) -> bytes | None:
            return jobs.program(connection, sha256) if jobs.runs_on(connection, sha256, name) else None

        found = await self._room.store.read(query)
        if found is None:
            raise NotFound(f"No job of {name} runs a program {sha256}.", code="unknown_program")
        return found

    async def upload(self, principal: Principal, job_id: str, attempt: int, digest: str) -> Upload:
        """An upload for this attempt's result. One that is not wanted any more takes its bytes and forgets them.

        Raises
        ------
        NotFound
            no such job.
        Forbidden
            the job is another QPU's.
        Rejected
            no digest came.
        """
        name = _qpu_of(principal)
        if not _SHA256.fullmatch(digest):
            raise Rejected(f"{DIGEST_HEADER} holds the SHA-256 of the result's header, in hex.", code="bad_checksum")
        record = self._room.store.glance(lambda connection: find(connection, job_id))
        if record.job.qpu != name:
            raise Forbidden(f"Job {job_id} belongs to another QPU.", code="another_qpu")
        wanted = record.job.attempt == attempt and not record.job.state.final
        return Upload(self._room, record, attempt, digest, wanted=wanted)


def _qpu_of(principal: Principal) -> str:
    if not principal.is_driver or principal.qpu is None:
        raise Forbidden("This token does not belong to a driver.", code="not_a_driver")
    return principal.qpu
