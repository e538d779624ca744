"""From a request to a stored job: checked before it is written, acknowledged after it is on disk."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.accounting import group_account
from qpi_jupyter.core.errors import Conflict, Forbidden, QpiError, Rejected, TooLarge
from qpi_jupyter.core.jobs import Job, RetryPolicy
from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.core.programs import Program, check_program, pack
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.rest import SubmitRequest
from qpi_server.store import bench, facts, jobs
from qpi_server.store.jobs import JobRecord

from .charging import set_aside
from .checking import Candidate, Checker
from .crowd import Crowd
from .dispatch import MAX_OPTIONS_BYTES
from .job_edits import sharing
from .outlook import Outlook
from .room import Qpu, Room, find
from .sessions import Sessions
from .transitions import changed_event, hold_for

_HASH_IN_THREAD = 256 << 10
MAX_KEY = 255
_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class _Draft:
    """Everything that the transaction writes."""

    record: JobRecord
    program: Candidate
    outlook: Outlook
    fingerprint: str
    key: str | None


class Submitter:
    """Stores jobs."""

    def __init__(self, room: Room, sessions: Sessions, checker: Checker) -> None:
        self._room, self._sessions, self._checker = room, sessions, checker
        self._crowd = Crowd()

    async def submit(self, principal: Principal, request: SubmitRequest, key: str | None) -> tuple[JobRecord, bool]:
        """The stored job, and whether it is new; see `JobService.submit`."""
        if key is not None and not 1 <= len(key) <= MAX_KEY:
            raise Rejected(f"An Idempotency-Key has 1 to {MAX_KEY} characters.", code="bad_key")
        fingerprint = hashlib.sha256(_encode(request)).hexdigest() if key is not None else ""
        try:
            with self._crowd.member() as member:
                draft = await self._draft(principal, request, key, fingerprint)
                await member.ready()
        except QpiError as error:
            # What was accepted under this key before stays accepted, whatever the lab thinks of it now.
            if key is not None and (known := await self._known(principal, key, fingerprint)) is not None:
                return known, False
            self._room.metrics.refused.labels(error.code).inc()
            raise
        reach("submit_before_commit")
        allowance_s = self._room.config.default_allowance_s
        work = self._room.store.write(lambda connection: _store(connection, draft, allowance_s))
        qpu = draft.record.job.qpu
        if draft.record.job.checked:
            # Queued right behind the job: both share a commit, and the answer waits for neither more nor less.
            self._room.outbox.queued(qpu, draft.record.job)
        try:
            record, created = await work
        except Forbidden as error:
            self._room.metrics.refused.labels(error.code).inc()
            raise
        reach("submit_after_commit")
        if created:
            self._room.metrics.submitted.labels(qpu).inc()
            self._room.metrics.queued.labels(qpu).inc()
            self._room.outbox.told(record.id, record.job.owner)
            if not record.job.checked:
                self._checker.wake(qpu)
        return record, created

    async def _known(self, principal: Principal, key: str, fingerprint: str) -> JobRecord | None:
        return await self._room.store.read(lambda c: _same(c, principal.name, key, fingerprint))

    async def _draft(self, principal: Principal, request: SubmitRequest, key: str | None, fingerprint: str) -> _Draft:
        if request.priority > 0 and not allows(principal, Permission.PRIORITY_RAISE):
            raise Forbidden("A priority above 0 is for managers; leave it out.", code="priority", field="priority")
        program = request.to_program()
        check_program(program, max_shots=self._room.config.max_shots)
        account = "" if request.group is None else _account(principal, request.group)
        candidate = await _candidate(program, request)
        qpu, estimate = await self._target(request.qpu, program, candidate)
        # What an unchecked job is planned with.
        bound = min(self._room.config.job_timeout_s, self._room.config.unchecked_upper_s)
        at = self._room.now()
        job = Job(
            id=f"job-{secrets.token_hex(8)}",
            owner=principal.name,
            qpu=qpu.name,
            retry=RetryPolicy.SIMULATOR if qpu.simulator else RetryPolicy.HARDWARE,
            retry_safe=request.retry_safe,
            priority=request.priority,
            submitted_at=at,
            account=account,
            tags=tuple(dict.fromkeys(request.tags)),
            checked=estimate is not None,
            estimate_s=bound,
            upper_s=bound,
        )
        record = JobRecord(
            job=job,
            name=request.name,
            origin=msgspec.to_builtins(request.origin),
            format=program.format.value,
            program_sha256=candidate.sha256,
            num_circuits=len(program.sources) if estimate is None else estimate.num_circuits,
            shots=program.options.shots,
            submitted_at=at,
            project=request.project,
            shared_with=sharing(principal, request.shared_with),
        )
        outlook = Outlook(
            policy=self._room.config.policy,
            estimate=estimate,
            timeout_s=self._timeout_s(qpu.name),
            places=self._sessions.places(qpu.name),
        )
        return _Draft(record, candidate, outlook, fingerprint, key)

    def _timeout_s(self, qpu: str) -> float:
        session = next(self._sessions.of(qpu), None)
        return self._room.config.job_timeout_s if session is None else session.timeout_s

    async def _target(self, name: str | None, program: Program, candidate: Candidate) -> tuple[Qpu, Estimate | None]:
        """The QPU to run on, and the estimate, if there is one yet."""
        if name is not None:
            return await self._try(self._room.qpu(name), program, candidate)
        refused: QpiError | None = None
        for qpu in await self._choices():
            try:
                return await self._try(qpu, program, candidate)
            except (Rejected, TooLarge) as error:
                refused = refused or error
        if refused is not None:
            raise refused
        there = ", ".join(sorted(self._room.qpus)) or "none"
        raise Rejected(
            f"No simulator is there to take the job by itself: name a QPU. The lab has: {there}.",
            code="no_target",
            qpus=sorted(self._room.qpus),
        )

    async def _try(self, qpu: Qpu, program: Program, candidate: Candidate) -> tuple[Qpu, Estimate | None]:
        if qpu.manifest is not None:
            check_manifest(qpu.name, qpu.manifest, program)
        return qpu, await self._checker.check(qpu, candidate)

    async def _choices(self) -> Sequence[Qpu]:
        """Simulators, online ones first, the least busy first, the larger first; hardware only if it is alone."""
        everything = list(self._room.qpus.values())
        if len(everything) == 1:
            return everything
        simulators = [qpu for qpu in everything if qpu.simulator]
        rows = {row.name: row for row in await self._room.store.read(bench.all_qpus)}

        def order(qpu: Qpu) -> tuple[bool, float, int, str]:
            row = rows[qpu.name]
            busy = (row.queued + row.running) / max(1, self._sessions.places(qpu.name))
            size = qpu.manifest.num_qubits if qpu.manifest is not None else 0
            return (not self._sessions.online(qpu.name), busy, -size, qpu.name)

        return sorted((q for q in simulators if rows[q.name].enabled and not rows[q.name].maintenance), key=order)


def _account(principal: Principal, group: str) -> str:
    """The account of a group that one belongs to."""
    if group in principal.groups:
        return group_account(group)
    yours = ", ".join(sorted(principal.groups)) or "none"
    raise Forbidden(
        f"The group {group!r} cannot pay for your job: you are not in it. Your groups: {yours}.",
        code="not_a_member",
        field="group",
        groups=sorted(principal.groups),
    )


async def _candidate(program: Program, request: SubmitRequest) -> Candidate:
    options = msgspec.json.encode(request.options)
    if len(options) > MAX_OPTIONS_BYTES:
        raise TooLarge(
            f"The run options have {len(options):,} bytes; the limit is {MAX_OPTIONS_BYTES:,}. Send fewer "
            "parameter rows in one job, or bind them into the circuits.",
            code="options_too_large",
            bytes=len(options),
            limit=MAX_OPTIONS_BYTES,
        )

    def digest() -> Candidate:
        packed = pack(program.sources)
        return Candidate(
            format=program.format, packed=packed, sha256=hashlib.sha256(packed).hexdigest(), options=options
        )

    return await asyncio.to_thread(digest) if program.nbytes > _HASH_IN_THREAD else digest()


def check_manifest(name: str, manifest: Manifest, program: Program) -> None:
    """Refuse what the QPU's manifest rules out.

    Raises
    ------
    Rejected
        the format, the level, the return kind or the shots; the message says what it takes.
    """
    options = program.options
    if program.format not in manifest.formats:
        takes = ", ".join(manifest.formats)
        raise Rejected(f"{name} does not run {program.format}; it runs {takes}.", code="bad_format", formats=takes)
    if options.meas_level not in manifest.meas_levels:
        takes = ", ".join(str(level) for level in manifest.meas_levels)
        raise Rejected(
            f"{name} does not measure at meas_level {options.meas_level}; it offers {takes}.",
            code="bad_option",
            field="meas_level",
        )
    if options.meas_return not in manifest.meas_returns:
        takes = ", ".join(manifest.meas_returns)
        raise Rejected(
            f"{name} does not return meas_return={options.meas_return!r}; it offers {takes}.",
            code="bad_option",
            field="meas_return",
        )
    most = max([options.shots, *(entry.shots or 0 for entry in options.circuits)])
    if most > manifest.max_shots:
        raise Rejected(
            f"{name} takes up to {manifest.max_shots:,} shots, not {most:,}.",
            code="bad_shots",
            field="shots",
            limit=manifest.max_shots,
        )


def _same(connection: Connection, owner: str, key: str, fingerprint: str) -> JobRecord | None:
    """The job that came with this key before.

    Raises
    ------
    Conflict
        the key came with another request.
    """
    known = jobs.keyed(connection, owner, key)
    if known is None:
        return None
    if known[0] != fingerprint:
        raise Conflict(
            "This Idempotency-Key came with another request before: use a new key for a new request.",
            code="key_reused",
            job_id=known[1],
        )
    return find(connection, known[1])


def _store(connection: Connection, draft: _Draft, allowance_s: float | None) -> tuple[JobRecord, bool]:
    record, at, owner = draft.record, draft.record.submitted_at, draft.record.job.owner
    if draft.key is not None and (known := _same(connection, owner, draft.key, draft.fingerprint)) is not None:
        return known, False
    record = draft.outlook.promise(connection, record)
    hold = hold_for(record.job, 1, at)
    set_aside(connection, hold, allowance_s)
    jobs.add_program(connection, draft.program.sha256, draft.program.packed, at)
    seq = jobs.add(connection, record, draft.program.options)
    record = replace(record, job=record.job.with_(seq=seq))
    if draft.key is not None:
        jobs.add_key(connection, owner, draft.key, draft.fingerprint, record.id, at)
    facts.add_event(connection, changed_event(record, at, EventName.JOB_SUBMITTED, lines=[hold]))
    return record, True
