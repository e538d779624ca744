"""Brings what the lab believes and what drivers hold together: hello, silence, lost runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.errors import Conflict, NotFound, Unavailable
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import (
    Event,
    EventKind,
    Step,
    advance,
    lease_expired,
    left_out,
    on_hello,
    salvage_over,
)
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.frames import Held, Hello
from qpi_server.store import bench, facts, jobs
from qpi_server.store.facts import EventRow

from .clock import Timer
from .leases import Leases
from .room import Room
from .sessions import Sessions
from .transitions import Change, carry_out

if TYPE_CHECKING:
    from .drivers import DriverSession

_STAGED, _MEASURED = "staged", "measured"
RETRY_S = 5.0
"""A decision that the disk refused is tried again after this time."""


class Reconciler:
    """Leases, and the decisions about attempts whose driver came, went or fell silent.

    Parameters
    ----------
    greeted
        called with a QPU whose driver has just come.
    """

    def __init__(self, room: Room, sessions: Sessions, greeted: Callable[[str], None]) -> None:
        self._room, self._sessions, self._greeted = room, sessions, greeted
        self.leases = Leases(room.clock, room.config.lease_s, self._expired)
        self._bound: dict[str, str] = {}
        self._timers: dict[str, Timer] = {}

    async def recover(self) -> None:
        """After a start: drivers that had jobs get their time to come back, lost runs theirs."""
        for driver, qpu in await self._room.store.read(jobs.drivers_with_open_jobs):
            self._extend(driver, qpu)
        for record in await self._room.store.read(jobs.lost):
            self._await_salvage(record.job)

    def close(self) -> None:
        self.leases.close()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def welcome(self, session: DriverSession, hello: Hello) -> tuple[int, list[Held]]:
        """Take a driver in: its epoch, and the held attempts that it may drop.

        Raises
        ------
        Conflict
            the QPU is a device, and another driver of it is alive.
        """
        self._admit(session, hello)
        # Before the unit is queued: a lease that ends meanwhile must not undo what the unit decides.
        if not hello.monitor:
            self._extend(session.driver, session.qpu)
        greeting = _Greeting(session.driver, session.qpu, hello, self._room.now(), self._room.progress.version)
        epoch, drop, changes = await self._room.store.write(greeting)
        old = self._sessions.get(session.driver)
        session.hello = hello
        self._sessions.add(session)
        if old is not None and old is not session:
            old.peer.close()
            old.close("A newer link of this driver took over.")
        if not hello.monitor:
            self._room.set_manifest(session.qpu, hello.manifest)
        self._room.outbox.public()
        for change in changes:
            self._settled(change)
        self._greeted(session.qpu)
        return epoch, drop

    def heard(self, session: DriverSession) -> None:
        """A sign of life."""
        if not session.monitor:
            self._extend(session.driver, session.qpu)

    async def unwanted(self, driver: str, running: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Which of these attempts should not run: not this driver's any more, ended, or being cancelled."""
        mine = await self._room.store.read(lambda connection: jobs.open_of_driver(connection, driver))
        wanted = {(r.id, r.job.attempt) for r in mine if r.job.state is not JobState.CANCELLING}
        return [held for held in running if held not in wanted]

    async def status(self, qpu: str) -> None:
        """Write that the QPU came or went."""
        online = self._sessions.online(qpu)
        await self._room.announce(EventName.QPU_CHANGED, qpu, {"status": "online" if online else "offline"})

    def _extend(self, driver: str, qpu: str) -> None:
        self._bound[driver] = qpu
        self.leases.extend(driver)

    def _admit(self, session: DriverSession, hello: Hello) -> None:
        if hello.monitor or self._room.qpu(session.qpu).kind != "device":
            return
        if hello.places != 1:
            raise Conflict(f"{session.qpu} is a device: it has one place, not {hello.places}.", code="bad_places")
        for driver, qpu in self._bound.items():
            if qpu == session.qpu and driver != session.driver and self.leases.alive(driver):
                raise Conflict(
                    f"{session.qpu} is a device and another driver of it is alive. Stop that one first.",
                    code="device_taken",
                    qpu=session.qpu,
                )

    def _expired(self, driver: str) -> None:
        """The driver was silent for a whole lease."""
        at, seen = self._room.now(), self._room.progress.version

        def unit(connection: Connection) -> list[Change]:
            mine = jobs.open_of_driver(connection, driver)
            return [carry_out(connection, r, lease_expired(r.job, at), at, floor=seen(r.id)) for r in mine]

        # Queued at once: a hello that comes now is decided after this.
        work = self._room.store.write(unit)
        session = self._sessions.get(driver)
        if session is not None:
            session.close("No heartbeat came within the lease.")

        async def finish() -> None:
            try:
                changes = await work
            except Unavailable:
                moment = self._room.clock.monotonic() + RETRY_S
                self._timers[driver] = self._room.clock.call_at(moment, lambda: self._again(driver))
                return
            for change in changes:
                self._settled(change)

        self._room.outbox.tasks.start(finish(), f"lease of {driver}")

    def _again(self, driver: str) -> None:
        self._timers.pop(driver, None)
        if not self.leases.alive(driver):
            self._expired(driver)

    def _settled(self, change: Change) -> None:
        self._room.send(change)
        if change.after.job.lost:
            self._await_salvage(change.after.job)

    def _await_salvage(self, job: Job) -> None:
        assert job.lost_since is not None
        waited = (self._room.now() - job.lost_since).total_seconds()
        moment = self._room.clock.monotonic() + max(0.0, job.salvage_s - waited)
        if (earlier := self._timers.pop(job.id, None)) is not None:
            earlier.cancel()
        self._timers[job.id] = self._room.clock.call_at(moment, lambda: self._salvage(job.id))

    def _salvage(self, job_id: str) -> None:
        self._timers.pop(job_id, None)
        at = self._room.now()

        def decision(job: Job) -> Step:
            if not salvage_over(job, at):
                return Step(job=job)
            return left_out(job, at, "The driver went silent during the run and did not come back in time.")

        self._room.outbox.tasks.start(self._room.decide(job_id, decision), f"salvage {job_id}")


class _Greeting:
    """The unit of a hello: what the driver said, and what its held attempts mean.

    ``seen`` says which version of a job readers have seen in memory.
    """

    def __init__(self, driver: str, qpu: str, hello: Hello, at: datetime, seen: Callable[[str], int]) -> None:
        self._driver, self._qpu, self._hello, self._at, self._seen = driver, qpu, hello, at, seen

    def __call__(self, connection: Connection) -> tuple[int, list[Held], list[Change]]:
        hello, at = self._hello, self._at
        row = bench.driver(connection, self._driver)
        if row is None or row.revoked_at is not None:
            raise NotFound("This driver is not registered any more.", code="unknown_driver")
        if not row.enabled:
            raise Unavailable(f"The driver {row.name} is switched off in the lab.", code="driver_disabled")
        epoch = bench.greet(
            connection,
            row,
            instance=hello.instance,
            host=hello.host,
            version=hello.version,
            places=hello.places,
            at=at,
        )
        if hello.monitor:
            return epoch, [], []
        bench.set_manifest(connection, self._qpu, msgspec.to_builtins(hello.manifest))
        event = EventRow(kind=EventName.QPU_CHANGED, at=at, qpu=self._qpu, data={"status": "online"})
        facts.add_event(connection, event)
        held = {(item.job_id, item.attempt) for item in hello.held}
        mine = jobs.open_of_driver(connection, self._driver)
        changes = [
            carry_out(connection, record, on_hello(record.job, held, at), at, floor=self._seen(record.id))
            for record in mine
        ]
        drop = [item for item in hello.held if not self._keep(connection, item, changes)]
        return epoch, drop, changes

    def _keep(self, connection: Connection, item: Held, changes: list[Change]) -> bool:
        """Whether a held attempt is still wanted. One that ran on while its lease ended, and that nobody else has
        taken since, is taken back."""
        record = jobs.find(connection, item.job_id)
        if record is None:
            return False
        job = record.job
        if (job.driver, job.attempt) != (self._driver, item.attempt):
            return False
        if job.state.final:
            # The answer to its upload was lost: it asks again, and hears that the lab has it.
            return job.state is JobState.COMPLETED and item.phase == _MEASURED
        if job.state is not JobState.QUEUED:
            return True
        if item.phase == _STAGED:
            return False
        step = advance(job, Event(kind=EventKind.STARTED, at=self._at, attempt=item.attempt))
        changes.append(carry_out(connection, record, step, self._at, floor=self._seen(record.id)))
        return True
