"""Brings what the lab believes and what drivers hold together: hello, silence, lost runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from qpi_jupyter.core import (
    Conflict,
    Event,
    EventKind,
    Job,
    JobState,
    NotFound,
    Rejected,
    Step,
    TooMany,
    Unavailable,
    advance,
    calibration_of,
    lease_expired,
    left_out,
    on_hello,
    salvage_over,
)
from qpi_jupyter.wire.events import DriverChanged, DriverData
from qpi_jupyter.wire.frames import Held, Hello
from qpi_server.service.base import MANAGERS, Context, Rates, Timers, Tx, tell_qpu
from qpi_server.service.lifecycle import Change, Lifecycle, carry_out
from qpi_server.service.links import Leases, Link, Links, Unlinked, tell_state
from qpi_server.store import bench, jobs

_STAGED, _MEASURED = "staged", "measured"
HELLOS = 30
"""Of one driver at once; after that one in the time of a heartbeat."""
RETRY_S = 5.0
"""A decision that the disk refused is tried again after this time."""


class _Greeted(NamedTuple):
    """A hello was taken."""

    link: Link
    hello: Hello
    epoch: int


class Reconciler:
    """Leases, and the decisions about attempts whose driver came, went or fell silent."""

    def __init__(self, context: Context, links: Links, lifecycle: Lifecycle) -> None:
        self._context, self._clock, self._links, self._lifecycle = context, context.clock, links, lifecycle
        self._heartbeat_s = context.config.heartbeat_s
        self.leases = Leases(self._clock, context.config.lease_s, self._expired)
        self._hellos = Rates(self._clock, per_s=1 / self._heartbeat_s, burst=HELLOS)
        self._bound: dict[str, str] = {}
        self._timers = Timers(context.clock)
        context.commits.on(Change, self._changed)
        context.commits.on(_Greeted, self._greeted)
        context.commits.on(Unlinked, self._unlinked)

    async def recover(self) -> None:
        """After a start: drivers that had jobs get their time to come back, lost runs theirs."""
        for driver, qpu in await self._context.db.read(jobs.drivers_with_open_jobs):
            self._extend(driver, qpu)
        for record in await self._context.db.read(jobs.lost):
            self._await_salvage(record.job)

    def close(self) -> None:
        self.leases.close()
        self._timers.close()

    async def welcome(self, link: Link, hello: Hello) -> list[Held]:
        """Take a driver in: the held attempts that it may drop.

        Raises
        ------
        Conflict
            the QPU is a device, and another driver of it is alive; or this link has said hello before.
        TooMany
            the driver comes again and again.
        """
        if link.hello is not None:
            raise Conflict("A driver says hello once on each link.", code="hello_again")
        if not self._hellos.admit(link.driver):
            wait_s = self._heartbeat_s
            raise TooMany("This driver connects too often: wait.", code="too_many_hellos", retry_after_s=wait_s)
        self._admit(link, hello)
        # Before the unit is queued: a lease that ends meanwhile must not undo what the unit decides.
        if not hello.monitor:
            self._extend(link.driver, link.qpu)
        return await self._context.db.write(_Greeting(link, hello, self._lifecycle.progress.version))

    def heard(self, link: Link) -> None:
        """A sign of life."""
        if not link.monitor:
            self._extend(link.driver, link.qpu)

    async def unwanted(self, driver: str, running: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
        """Which of these attempts should not run: not this driver's any more, ended, or being cancelled."""
        mine = await self._context.db.read(lambda connection: jobs.open_of_driver(connection, driver))
        wanted = {(r.id, r.job.attempt) for r in mine if r.job.state is not JobState.CANCELLING}
        return [held for held in running if held not in wanted]

    def _unlinked(self, gone: Unlinked) -> None:
        self._context.tasks.start(self._gone(gone.link), f"{gone.link.qpu} changed")

    async def _gone(self, link: Link) -> None:
        """Write that a driver's link is no more, and what that makes of its QPU."""
        online = self._links.online(link.qpu)

        def unit(tx: Tx) -> None:
            if bench.qpu(tx.connection, link.qpu) is not None:  # it may have been deleted
                tell_state(tx, link.qpu, online=online)
            if (row := bench.driver(tx.connection, link.driver)) is not None:
                data = DriverData(driver=row.name, action="unlinked")
                tx.event(DriverChanged(at=tx.at, qpu=link.qpu, data=data), owner=MANAGERS)

        await self._context.db.write(unit)

    def _extend(self, driver: str, qpu: str) -> None:
        self._bound[driver] = qpu
        self.leases.extend(driver)

    def _greeted(self, greeted: _Greeted) -> None:
        """The link counts from here on: what the hello meant for its attempts is told after this."""
        link, hello, epoch = greeted
        if not link.open:  # it broke in the meantime, which nobody has been told of
            self._context.commits.tell([Unlinked(link)])
            return
        old, link.hello, link.epoch = self._links.get(link.driver), hello, epoch
        self._links.add(link)
        if old is not None and old is not link:
            self._links.end(old, "A newer link of this driver took over.")

    def _admit(self, link: Link, hello: Hello) -> None:
        if hello.monitor or self._context.qpus.get(link.qpu).kind != "device":
            return
        if hello.places != 1:
            raise Conflict(f"{link.qpu} is a device: it has one place, not {hello.places}.", code="bad_places")
        if hello.manifest.simulator and not hello.allow_simulator:
            raise Rejected(
                f"{link.qpu} is a device, and {hello.manifest.executor} is a simulator: its results would pass for "
                "measurements. Start the driver with the instrument's executor (--executor), or with --allow-simulator "
                "if a simulator is to answer for this device.",
                code="simulator_on_device", field="executor",
            )  # fmt: skip
        for driver, qpu in self._bound.items():
            if qpu == link.qpu and driver != link.driver and self.leases.alive(driver):
                raise Conflict(
                    f"{link.qpu} is a device and another driver of it is alive. Stop that one first.",
                    code="device_taken",
                    qpu=link.qpu,
                )

    def _expired(self, driver: str) -> None:
        """The driver was silent for a whole lease."""

        def unit(tx: Tx) -> None:
            for record in jobs.open_of_driver(tx.connection, driver):
                carry_out(tx, record, lease_expired(record.job, tx.at), seen=self._lifecycle.progress.version)

        # Queued at once: a hello that comes now is decided after this.
        work = self._context.db.write(unit)
        if (link := self._links.get(driver)) is not None:
            self._links.end(link, "No heartbeat came within the lease.")

        async def finish() -> None:
            try:
                await work
            except Unavailable:
                self._timers.after(RETRY_S, driver, lambda: self._again(driver))

        self._context.tasks.start(finish(), f"lease of {driver}")

    def _again(self, driver: str) -> None:
        if not self.leases.alive(driver):
            self._expired(driver)

    def _changed(self, change: Change) -> None:
        if change.after.job.lost:
            self._await_salvage(change.after.job)

    def _await_salvage(self, job: Job) -> None:
        assert job.lost_since is not None
        waited = (self._clock.now() - job.lost_since).total_seconds()
        self._timers.after(job.salvage_s - waited, job.id, lambda: self._salvage(job.id))

    def _salvage(self, job_id: str) -> None:
        at = self._clock.now()

        def decision(job: Job) -> Step:
            if not salvage_over(job, at):
                return Step(job=job)
            return left_out(job, at, "The driver went silent during the run and did not come back in time.")

        self._context.tasks.start(self._lifecycle.decide(job_id, decision), f"salvage {job_id}")


class _Greeting:
    """The unit of a hello: what the driver said, and what its held attempts mean.

    ``seen`` says which version of a job readers have seen in memory.
    """

    def __init__(self, link: Link, hello: Hello, seen: Callable[[str], int]) -> None:
        self._link, self._driver, self._qpu, self._hello, self._seen = link, link.driver, link.qpu, hello, seen

    def __call__(self, tx: Tx) -> list[Held]:
        hello, connection = self._hello, tx.connection
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
            at=tx.at,
        )
        if not hello.monitor:
            manifest = calibration_of(hello.manifest).into(hello.manifest)  # with an id
            bench.change_qpu(connection, self._qpu, manifest=msgspec.to_builtins(manifest))
            tell_qpu(tx, self._qpu)
        tx.tell(_Greeted(self._link, hello, epoch))
        linked = DriverData(driver=row.name, action="linked")
        tx.event(DriverChanged(at=tx.at, qpu=self._qpu, data=linked), owner=MANAGERS)
        if hello.monitor:
            return []
        tell_state(tx, self._qpu, online=True)
        held = {(item.job_id, item.attempt) for item in hello.held}
        for record in jobs.open_of_driver(connection, self._driver):
            carry_out(tx, record, on_hello(record.job, held, tx.at), seen=self._seen)
        return [item for item in hello.held if not self._keep(tx, item)]

    def _keep(self, tx: Tx, item: Held) -> bool:
        """Whether a held attempt is still wanted. One that ran on while its lease ended, and that nobody else has
        taken since, is taken back."""
        record = jobs.find(tx.connection, item.job_id)
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
        step = advance(job, Event(kind=EventKind.STARTED, at=tx.at, attempt=item.attempt))
        carry_out(tx, record, step, seen=self._seen)
        return True
