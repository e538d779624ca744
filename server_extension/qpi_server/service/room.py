"""What every use case stands on: settings, clock, rows, bytes, the outbox and what is known in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.errors import NotFound
from qpi_jupyter.core.jobs import Job
from qpi_jupyter.core.lifecycle import Event, Step, advance
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.wire.events import EventName
from qpi_server.store import Store, bench, facts, jobs
from qpi_server.store.bench import QpuRow
from qpi_server.store.blobs import Blobs
from qpi_server.store.facts import EventRow
from qpi_server.store.jobs import JobRecord

from .clock import Clock
from .config import LabConfig
from .metrics import Metrics
from .outbox import Outbox
from .progress import ProgressBook
from .transitions import Change, carry_out

Guard = Callable[[JobRecord], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Qpu:
    """What is known of a QPU without asking the database."""

    name: str
    kind: str
    description: str
    manifest: Manifest | None
    embedded: bool

    @property
    def simulator(self) -> bool:
        """Embedded drivers are simulators; of others only their manifest says so."""
        return self.manifest.simulator if self.manifest is not None else self.embedded


@dataclass(slots=True, kw_only=True)
class Room:
    config: LabConfig
    clock: Clock
    store: Store
    blobs: Blobs
    outbox: Outbox
    metrics: Metrics
    qpus: dict[str, Qpu] = field(default_factory=dict)
    progress: ProgressBook = field(init=False)

    def __post_init__(self) -> None:
        self.progress = ProgressBook(self.clock, self.store, self.outbox)

    async def load_qpus(self) -> None:
        """Read every QPU into memory."""

        def query(connection: Connection) -> tuple[list[QpuRow], set[str]]:
            return bench.all_qpus(connection), {driver.qpu for driver in bench.all_embedded(connection)}

        rows, embedded = await self.store.read(query)
        self.qpus = {row.name: _qpu(row, embedded) for row in rows}

    def qpu(self, name: str) -> Qpu:
        """The QPU of that name.

        Raises
        ------
        NotFound
            there is none; the message lists the ones there.
        """
        found = self.qpus.get(name)
        if found is None:
            there = ", ".join(sorted(self.qpus)) or "none"
            raise NotFound(
                f"There is no QPU called {name!r}. The lab has: {there}.", code="unknown_qpu", qpus=sorted(self.qpus)
            )
        return found

    async def decide(
        self,
        job_id: str,
        decision: Callable[[Job], Step],
        guard: Guard | None = None,
        *,
        sender: str | None = None,
    ) -> Change:
        """Change a job as ``decision`` says, in one transaction, and tell everybody.

        Raises
        ------
        NotFound
            there is no such job; or what ``guard`` raises.
        """
        at, floor = self.clock.now(), self.progress.version(job_id)

        def unit(connection: Connection) -> Change:
            record = find(connection, job_id)
            if guard is not None:
                guard(record)
            return carry_out(connection, record, decision(record.job), at, floor=floor, sender=sender)

        change = await self.store.write(unit)
        self.send(change)
        return change

    async def advance(self, job_id: str, event: Event, guard: Guard | None = None) -> Change:
        """`decide` by the lifecycle table."""
        return await self.decide(job_id, lambda job: advance(job, event), guard)

    def send(self, change: Change) -> None:
        """Tell everybody, and forget what was only in memory if the attempt is over."""
        if change.changed and change.after.job.state not in jobs.OPEN:
            self.progress.forget(change.after.id)
        self.outbox.send(change)

    async def announce(self, kind: EventName, qpu: str, data: dict[str, Any]) -> None:
        """Write an event for everybody."""
        event = EventRow(kind=kind, at=self.clock.now(), qpu=qpu, data=data)
        await self.store.write(lambda connection: facts.add_event(connection, event))
        self.outbox.public()

    def set_manifest(self, name: str, manifest: Manifest) -> None:
        if name in self.qpus:  # else deleted since its driver said hello
            self.qpus[name] = replace(self.qpus[name], manifest=manifest)

    def describe(self, name: str, description: str) -> None:
        self.qpus[name] = replace(self.qpus[name], description=description)

    def now(self) -> datetime:
        return self.clock.now()


def find(connection: Connection, job_id: str) -> JobRecord:
    """The job's row.

    Raises
    ------
    NotFound
        there is none.
    """
    record = jobs.find(connection, job_id)
    if record is None:
        raise NotFound(f"There is no job {job_id!r}, or it is not yours.", code="unknown_job")
    return record


def _qpu(row: QpuRow, embedded: set[str]) -> Qpu:
    return Qpu(
        name=row.name,
        kind=row.kind,
        description=row.description,
        manifest=None if row.manifest is None else msgspec.convert(row.manifest, Manifest),
        embedded=row.name in embedded,
    )
