"""Has programs checked by a driver's prepare child: within a submit, or later for the jobs that came unchecked."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.errors import Faulted, NotFound, ProgramError, QpiError, Rejected, Unavailable
from qpi_jupyter.core.jobs import Job, JobState, RetryPolicy
from qpi_jupyter.core.lifecycle import Event, EventKind
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.core.programs import ProgramFormat, unpack
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.frames import PREPARE, Prepare, Prepared, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.store import facts, jobs, usage
from qpi_server.store.jobs import JobRecord

from .dispatch import inline_limit
from .drivers import DriverService, DriverSession
from .room import Qpu, Room
from .sessions import Sessions
from .transitions import changed_event

log = logging.getLogger(__name__)
_options = msgspec.json.Decoder(OptionsIn).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A program as it is stored: packed, with its digest and its run options as JSON."""

    format: ProgramFormat
    packed: bytes
    sha256: str
    options: bytes

    @property
    def key(self) -> str:
        """What the check depends on."""
        return hashlib.sha256(b"\0".join((self.sha256.encode(), self.format.encode(), self.options))).hexdigest()

    def ref(self) -> ProgramRef:
        inline = len(self.packed) <= inline_limit(self.options)
        return ProgramRef(
            format=self.format,
            sha256=self.sha256,
            options=_options(self.options),
            sources=list(unpack(self.packed)) if inline else [],
        )


class Checker:
    """Asks drivers, remembers their estimates, and works through the unchecked jobs of each QPU in order."""

    def __init__(self, room: Room, sessions: Sessions, drivers: DriverService) -> None:
        self._room, self._sessions, self._drivers = room, sessions, drivers
        self._working: set[str] = set()
        self._again: set[str] = set()

    async def check(self, qpu: Qpu, program: Candidate) -> Estimate | None:
        """The estimate; None if nobody could say within the budget.

        Raises
        ------
        Rejected
            the program cannot run there: what the driver found.
        """
        session = next(self._sessions.of(qpu.name), None)
        if session is None:
            return None
        try:
            return await self._ask(session, program, self._room.config.check_budget_s)
        except (Unavailable, Faulted) as error:
            log.info("%s did not check a program in time: %s", qpu.name, error)
            return None

    def wake(self, qpu: str) -> None:
        """There may be unchecked jobs, and a driver to check them."""
        if qpu in self._working:
            self._again.add(qpu)
        elif self._sessions.online(qpu):
            self._working.add(qpu)
            self._room.outbox.tasks.start(self._work(qpu), f"check {qpu}")

    async def _ask(self, session: DriverSession, program: Candidate, timeout_s: float) -> Estimate:
        estimate = session.estimates.get(program.key)
        if estimate is None:
            with self._drivers.offering(program.sha256, program.packed):
                frame = Prepare(key=program.key, program=program.ref())
                answer = await session.peer.request(PREPARE, frame, Prepared, timeout=timeout_s)
            if answer.error is not None:
                raise QpiError.from_dict(answer.error)
            if answer.estimate is None:
                raise Faulted("The driver's check gave neither an estimate nor an error.")
            estimate = answer.estimate
            session.remember(program.key, estimate)
        _fits(session, estimate)
        return estimate

    async def _work(self, qpu: str) -> None:
        try:
            while True:
                while (session := next(self._sessions.of(qpu), None)) is not None:
                    record = await self._room.store.read(lambda connection: jobs.next_unchecked(connection, qpu))
                    if record is None:
                        break
                    if not await self._check_stored(session, record):
                        break
                if qpu not in self._again:
                    return
                self._again.discard(qpu)
        finally:
            self._working.discard(qpu)

    async def _check_stored(self, session: DriverSession, record: JobRecord) -> bool:
        """Check one stored job; False if the driver went away meanwhile."""
        program = await self._room.store.read(lambda connection: _candidate(connection, record))
        if program is None:
            return True
        try:
            estimate = await self._ask(session, program, self._room.config.check_timeout_s)
        except Unavailable as error:
            if error.code != "no_answer":
                return False
            limit = self._room.config.check_timeout_s
            late = ProgramError(f"The circuit could not be checked within {limit:g} s.", code="check_timeout")
            await self._refuse(record, late)
        except QpiError as error:
            await self._refuse(record, error)
        else:
            await self._accept(session, record, estimate)
        return True

    async def _refuse(self, record: JobRecord, error: QpiError) -> None:
        at = self._room.now()
        with contextlib.suppress(NotFound):  # cancelled and deleted meanwhile
            await self._room.advance(record.id, Event(kind=EventKind.ERRORED, at=at, error=error.to_dict()))

    async def _accept(self, session: DriverSession, record: JobRecord, estimate: Estimate) -> None:
        at = self._room.now()
        retry = RetryPolicy.SIMULATOR if self._room.qpu(session.qpu).simulator else RetryPolicy.HARDWARE

        def unit(connection: Connection) -> bool:
            before = jobs.find(connection, record.id)
            if before is None or before.job.state is not JobState.QUEUED:
                return False
            correction = usage.learnt(connection, session.qpu).correction
            job = checked(before.job, estimate, session.timeout_s, correction).with_(retry=retry)
            after = replace(
                before,
                job=job,
                version=before.version + 1,
                num_circuits=estimate.num_circuits,
                raw_estimate_s=estimate.estimate_s,
            )
            jobs.save(connection, before, after)
            facts.add_event(connection, changed_event(after, at, EventName.JOB_CHECKED))
            return True

        if await self._room.store.write(unit):
            self._room.outbox.told(record.id, record.job.owner)
            self._room.outbox.queued(session.qpu, record.job)


def checked(job: Job, estimate: Estimate, timeout_s: float, correction: float) -> Job:
    """The job with its estimate, corrected by what was measured; no run is longer than the driver lets it be.

    The bound is the executor's own and never lowered: what never took that long still may.
    """
    likely_s = estimate.estimate_s * correction
    return job.with_(
        checked=True,
        estimate_s=min(likely_s, timeout_s),
        upper_s=min(max(estimate.upper_s, estimate.estimate_s, likely_s), timeout_s),
    )


def _fits(session: DriverSession, estimate: Estimate) -> None:
    """Refuse what this driver can be known not to finish.

    Raises
    ------
    Rejected
        it needs more memory than a place has, or more time than an attempt may take.
    """
    cap = session.memory_cap_bytes
    if cap is not None and estimate.memory_bytes > cap:
        raise Rejected(
            f"The circuit needs about {_gib(estimate.memory_bytes)} of memory; a place of {session.qpu} has "
            f"{_gib(cap)}. Use fewer qubits.",
            code="too_much_memory",
            needed_bytes=estimate.memory_bytes,
            cap_bytes=cap,
        )
    if estimate.estimate_s > session.timeout_s:
        raise Rejected(
            f"The job would take about {estimate.estimate_s:,.0f} s; {session.qpu} runs a job for at most "
            f"{session.timeout_s:,.0f} s. Use fewer shots or circuits, or split it.",
            code="too_long",
            estimate_s=estimate.estimate_s,
            limit_s=session.timeout_s,
        )


def _gib(nbytes: int) -> str:
    return f"{nbytes / 2**30:,.1f} GiB" if nbytes >= 1 << 30 else f"{nbytes / 2**20:,.0f} MiB"


def _candidate(connection: Connection, record: JobRecord) -> Candidate | None:
    """What to check; None if the job was cancelled and deleted meanwhile."""
    packed = jobs.program(connection, record.program_sha256)
    if packed is None:
        return None
    return Candidate(
        format=ProgramFormat(record.format),
        packed=packed,
        sha256=record.program_sha256,
        options=jobs.options(connection, record.id),
    )
